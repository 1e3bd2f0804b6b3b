//! `unstale init`: writes a deploy.toml for the build found here, never over one that is there.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::App;
use super::site_choice::SiteChoice;
use crate::cli::{Cli, Command, CommonArgs};
use crate::error::{Error, Exit};
use crate::job::StopSignal;
use crate::report::Printer;
use crate::report::init::WrittenSettings;
use crate::settings::values::{BucketAddress, SitePrefix, read};
use crate::settings::{self, ExpectedBuild, FILE, Settings, moved};

/// Writes what the flags say and what is found, and at a terminal asks for the rest. Reads no settings: there are none yet.
pub(super) async fn init(cli: &Cli, printer: &Printer) -> Result<Exit, Error> {
    let path = (cli.common.config.clone()).unwrap_or_else(|| PathBuf::from(FILE));
    let shown = path.display().to_string();
    if path.exists() {
        return Err(already(&shown));
    }
    let here = path.parent().unwrap_or(Path::new(""));
    let settings = settings::without_file(&cli.settings()?)?;
    let from = match &cli.command {
        Command::Init(flags) => flags.from.as_deref(),
        _ => None,
    };
    let (builds, text) = match from {
        Some(from) => taken_over(from, &settings, (here, &cli.common))?,
        None => {
            let builds = builds(&settings, here)?;
            let dir = builds.first().cloned().ok_or_else(no_build)?;
            let mut choice = SiteChoice::default();
            if printer.can_ask() {
                let app = App {
                    settings,
                    printer: printer.clone(),
                    stop: StopSignal::default(),
                };
                choice = app.choose_site().await?;
            }
            let text = written(&dir, &cli.common, &choice)
                + expected(here, &dir).map_or("", |build| build.fitting);
            (builds, text)
        }
    };
    let [dir, others @ ..] = builds.as_slice() else {
        return Err(no_build());
    };
    let file = std::fs::File::create_new(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => already(&shown),
            _ => Error::failed(format!("cannot write {shown}")).because(error),
        })?;
    printer.wrote_settings(&WrittenSettings {
        file: &shown,
        dir,
        is_built: here.join(dir).is_dir(),
        generator: expected(here, dir).map(|build| build.generator),
        others,
        text: &text,
        names_bucket: names_bucket(&text),
        takes_over: from.is_some(),
    });
    Ok(Exit::Done)
}

/// Returns the generator that writes a folder.
fn expected(here: &Path, dir: &str) -> Option<ExpectedBuild> {
    let mut builds = settings::expected_builds(here).into_iter();
    builds.find(|build| build.folder == dir)
}

fn already(shown: &str) -> Error {
    Error::usage(format!("{shown} is there already: it is left as it is"))
        .hint("`--config FILE` writes another")
}

/// Returns the build that is named, or those that are found, as the file in the folder `here` names them; before the first build, the
/// folder that the generator will write.
fn builds(settings: &Settings, here: &Path) -> Result<Vec<String>, Error> {
    if settings.dir.is_none() {
        let mut builds = settings::build_folders(here);
        if builds.is_empty() {
            let expected = settings::expected_builds(here).into_iter();
            builds.extend(expected.map(|build| build.folder).next());
        }
        return Ok(builds);
    }
    let dir = settings::build_dir(settings, Path::new(""))?;
    if here.as_os_str().is_empty() {
        return Ok(vec![dir.display().to_string()]);
    }
    let unreadable = |error| Error::failed("cannot tell where the build is").because(error);
    let dir = dir.canonicalize().map_err(unreadable)?;
    let here = here.canonicalize().map_err(unreadable)?;
    let dir = dir.strip_prefix(&here).unwrap_or(&dir);
    Ok(vec![dir.display().to_string()])
}

fn no_build() -> Error {
    Error::usage("there is no build here")
        .hint("build the site first, or name its folder: `unstale init DIR`")
}

/// Tells whether the top level of the settings names a bucket.
fn names_bucket(text: &str) -> bool {
    let mut top = text.lines().take_while(|line| !line.starts_with('['));
    top.any(|line| line.starts_with("bucket = "))
}

/// Returns the build, which need not be there yet, and the text that another tool's settings come to. Flags overrule them.
fn taken_over(
    from: &Path,
    settings: &Settings,
    (here, flags): (&Path, &CommonArgs),
) -> Result<(Vec<String>, String), Error> {
    let (tool, mut carried) = moved::read(from)?;
    let mut builds = builds(settings, here)?;
    if let Some(dir) = carried.key("dir").and_then(|dir| dir.as_str())
        && settings.dir.is_none()
    {
        builds = vec![dir.to_owned()];
    }
    let dir = builds.first().ok_or_else(no_build)?;
    for (key, value) in said(dir, flags, &SiteChoice::default()) {
        carried.overrule(key, value);
    }
    let from = format!("{} ({tool})", from.display());
    Ok((builds, carried.text(&from)))
}

/// Writes down what the flags and the answers say; what nobody said is left to defaults.
fn written(dir: &str, flags: &CommonArgs, choice: &SiteChoice) -> String {
    let said = said(dir, flags, choice);
    // TOML takes JSON's strings and lists of them.
    let mut lines: Vec<_> = said
        .iter()
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    if !said.iter().any(|(key, _)| *key == "bucket") {
        lines.insert(1, "# bucket = \"my-site\"\n".to_owned());
    }
    lines.concat()
}

/// Returns the keys that the flags and the answers say, `dir` first.
fn said(dir: &str, flags: &CommonArgs, choice: &SiteChoice) -> Vec<(&'static str, Value)> {
    let bucket = flags.bucket.as_ref().or(choice.bucket.as_ref());
    let bucket = bucket.and_then(|text| read::<BucketAddress>(text).ok());
    let inside = bucket.as_ref().and_then(|bucket| bucket.prefix.as_ref());
    let prefix = flags.prefix.as_ref();
    let prefix = prefix.and_then(|text| read::<SitePrefix>(text).ok());
    let prefix = prefix.as_ref().or(inside);
    let text = |text: &str| Value::from(text);
    let distribution = match flags.distribution.as_slice() {
        [] => choice.distribution.as_deref().map(text),
        [name] if name == "auto" => None,
        [name] => Some(text(name)),
        names => Some(names.into()),
    };
    let keys = [
        ("dir", Some(text(dir))),
        ("bucket", bucket.as_ref().map(|bucket| text(&bucket.name))),
        ("prefix", prefix.map(|prefix| text(&prefix.0))),
        ("region", flags.region.as_deref().map(text)),
        ("profile", flags.profile.as_deref().map(text)),
        ("distribution", distribution),
    ];
    let keys = keys.into_iter();
    keys.filter_map(|(key, value)| Some((key, value?)))
        .collect()
}
