//! `unstale init`: writes a deploy.toml for the build found here, never over one that is there.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::{Cli, CommonArgs};
use crate::error::{Error, Exit};
use crate::report::Printer;
use crate::report::init::WrittenSettings;
use crate::settings::values::{BucketAddress, SitePrefix, read};
use crate::settings::{self, FILE};

/// Writes the settings that it finds. Reads none: there are none yet.
pub(super) fn init(cli: &Cli, printer: &Printer) -> Result<Exit, Error> {
    let path = (cli.common.config.clone()).unwrap_or_else(|| PathBuf::from(FILE));
    let shown = path.display().to_string();
    if path.exists() {
        return Err(already(&shown));
    }
    let here = path.parent().unwrap_or(Path::new(""));
    let builds: Vec<&str> = settings::build_folders(here).collect();
    let [dir, others @ ..] = builds.as_slice() else {
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
    printer.wrote_settings(&WrittenSettings {
        file: &shown,
        dir,
        others,
        text: &text,
        names_bucket: cli.common.bucket.is_some(),
    });
    Ok(Exit::Done)
}

fn already(shown: &str) -> Error {
    Error::usage(format!("{shown} is there already: it is left as it is"))
        .hint("`--config FILE` writes another")
}

/// Writes down what the flags say; what nobody said is left to defaults.
fn written(dir: &str, flags: &CommonArgs) -> String {
    let bucket = flags.bucket.as_ref();
    let bucket = bucket.and_then(|text| read::<BucketAddress>(text).ok());
    let inside = bucket.as_ref().and_then(|bucket| bucket.prefix.as_ref());
    let inside = inside.map(|prefix| prefix.0.as_str());
    let prefix = flags.prefix.as_ref();
    let prefix = prefix.and_then(|text| read::<SitePrefix>(text).ok());
    let distribution = match flags.distribution.as_slice() {
        [name] if name != "auto" => Some(name.as_str()),
        _ => None,
    };
    let lines = [
        ("dir", Some(dir)),
        ("bucket", bucket.as_ref().map(|bucket| bucket.name.as_str())),
        (
            "prefix",
            prefix.as_ref().map(|prefix| prefix.0.as_str()).or(inside),
        ),
        ("region", flags.region.as_deref()),
        ("profile", flags.profile.as_deref()),
        ("distribution", distribution),
    ];
    let line = |(key, value): (&str, Option<&str>)| match value {
        Some(value) => format!("{key} = {}\n", quoted(value)),
        None if key == "bucket" => "# bucket = \"my-site\"\n".to_owned(),
        None => String::new(),
    };
    lines.into_iter().map(line).collect()
}

/// Writes a string as TOML has it, which takes JSON's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
