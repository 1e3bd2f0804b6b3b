//! `unstale init`: writes a deploy.toml for the build found here, never over one that is there.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::{Cli, Common};
use crate::error::{Error, Exit};
use crate::report::Printer;
use crate::settings::values::{Bucket, read};
use crate::settings::{self, FILE};

/// Reads no settings: there are none yet.
pub(super) fn init(cli: &Cli, printer: &Printer) -> Result<Exit, Error> {
    let path = (cli.common.config.clone()).unwrap_or_else(|| PathBuf::from(FILE));
    let shown = path.display().to_string();
    if path.exists() {
        return Err(already(&shown));
    }
    let here = path.parent().unwrap_or(Path::new(""));
    let found: Vec<&str> = settings::build_folders(here).collect();
    let [dir, others @ ..] = found.as_slice() else {
        return Err(Error::usage("there is no build here")
            .hint("build the site first; deploy.toml can name any folder: dir = \"FOLDER\""));
    };
    let text = written(dir, &cli.common);
    let file = std::fs::File::create_new(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => already(&shown),
            _ => Error::failed(format!("cannot write {shown}")).because(error),
        })?;
    printer.line(&format!("Wrote {shown}:\n\n{}", text.trim_end()));
    if !others.is_empty() {
        printer.note(&format!("also here: {}", others.join(", ")));
    }
    let next = match cli.common.bucket {
        Some(_) => "`unstale plan` shows what a deploy would do",
        None => "set `bucket`, or try it without: `unstale deploy --local`",
    };
    printer.note(next);
    printer.json(&serde_json::json!({ "type": "init", "file": shown, "dir": dir, "others": others, "text": text }));
    Ok(Exit::Done)
}

fn already(shown: &str) -> Error {
    Error::usage(format!("{shown} is there already: it is left as it is"))
        .hint("`--config FILE` writes another")
}

/// What the flags say is written down; what nobody said is left to defaults.
fn written(dir: &str, flags: &Common) -> String {
    let bucket = flags
        .bucket
        .as_ref()
        .and_then(|text| read::<Bucket>(text).ok());
    let inside = bucket.as_ref().and_then(|bucket| bucket.prefix.as_ref());
    let prefix = flags
        .prefix
        .as_deref()
        .or(inside.map(|prefix| prefix.0.as_str()));
    let distribution = match flags.distribution.as_slice() {
        [name] if name != "auto" => Some(name.as_str()),
        _ => None,
    };
    let mut text = String::new();
    for (key, value) in [
        ("dir", Some(dir)),
        ("bucket", bucket.as_ref().map(|bucket| bucket.name.as_str())),
        ("prefix", prefix),
        ("region", flags.region.as_deref()),
        ("profile", flags.profile.as_deref()),
        ("distribution", distribution),
    ] {
        // Writing to a String cannot fail.
        let _ = match value {
            Some(value) => writeln!(text, "{key} = {}", quoted(value)),
            None if key == "bucket" => writeln!(text, "# bucket = \"my-site\""),
            None => Ok(()),
        };
    }
    text
}

/// A string as TOML has it, which takes JSON's.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
