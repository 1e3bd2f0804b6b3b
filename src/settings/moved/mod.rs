//! Settings of other tools, read for `unstale init --from FILE`. Each tool's keys stand in a table; whatever is not carried over is
//! said.

mod carried;
mod commands;
mod hugo;
mod pattern;
mod script;
mod shell;
mod tables;
mod text;
mod tools;
mod uploads;
mod value;

use std::path::Path;

use serde_saphyr::options::DuplicateKeyPolicy;

use super::mistake::{position, unreadable};
use crate::error::Error;
pub(crate) use carried::CarriedSettings;
use value::ForeignValue;

const GATSBY: &str = "gatsby-plugin-s3";

/// Returns what the settings of another tool come to, and that tool's name. Which it is, the file's name and content tell.
///
/// # Errors
/// `Exit::Usage` where the file cannot be read, is broken, naming the line, or has nothing of the kind.
pub(crate) fn read(path: &Path) -> Result<(&'static str, CarriedSettings), Error> {
    let shown = path.display();
    let is_special = |about: std::fs::Metadata| !about.is_file() && !about.is_dir();
    if std::fs::metadata(path).is_ok_and(is_special) {
        return Err(Error::usage(format!(
            "cannot read {shown}: it is no regular file"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
    let text = text.trim_start_matches('\u{feff}');
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let broken =
        |(line, problem): (usize, String)| Error::usage(format!("{shown}:{line}: {problem}"));
    if let Some(carried) = of_text(&name, text).map_err(broken)? {
        return Ok(carried);
    }
    Err(Error::usage(format!("{shown} has no settings of a deploy that are known")).hint(
        "known are s3_website.yml, .s3deploy.yml, Hugo's [deployment], gatsby-plugin-s3, serverless-finch, and lines with \
            `aws s3 sync`",
    ))
}

/// Returns what a text comes to, if it is of a tool; the error has its line.
fn of_text(
    name: &str,
    text: &str,
) -> Result<Option<(&'static str, CarriedSettings)>, (usize, String)> {
    let file = parsed(name, text)?;
    let mut carried = CarriedSettings::default();
    let tool = tool(name, &file, &mut carried);
    let tool = tool.or_else(|| commands::read(text, &file, &mut carried));
    Ok(tool.map(|tool| (tool, carried)))
}

/// Parses a file by its name; the error has its line. What is neither settings nor a script with options is an empty table.
fn parsed(name: &str, text: &str) -> Result<ForeignValue, (usize, String)> {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending {
        "toml" => toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            (position(text, at).0, error.message().to_owned())
        }),
        "json" => serde_json::from_str(text).map_err(|error| (error.line(), error.to_string())),
        "yml" | "yaml" => {
            let options =
                serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::PassThrough };
            serde_saphyr::from_str_with_options(text, options).map_err(|error| {
                let error = error.without_snippet();
                let line = error.location().map_or(1, |place| place.line());
                (usize::try_from(line).unwrap_or(1), error.to_string())
            })
        }
        "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" => match script::options_of(text, GATSBY) {
            Some(Ok(options)) => Ok(ForeignValue::Table(vec![(GATSBY.to_owned(), options)])),
            Some(Err(line)) => Err((line, format!("the options of {GATSBY} do not end"))),
            None => Ok(ForeignValue::Table(Vec::new())),
        },
        _ => Ok(ForeignValue::Table(Vec::new())),
    }
}

/// Reads the tables of a tool that is known, if the file has any.
fn tool(name: &str, file: &ForeignValue, carried: &mut CarriedSettings) -> Option<&'static str> {
    let stem = name
        .trim_start_matches('.')
        .split('.')
        .next()
        .unwrap_or_default();
    let client = file.get("custom").and_then(|custom| custom.get("client"));
    // A file of config/_default/ is the table itself.
    let own = Some(file).filter(|file| stem == "deployment" && file.get("targets").is_some());
    let deployment = file.get("deployment").or(own);
    let deployment =
        deployment.filter(|table| table.get("targets").or(table.get("matchers")).is_some());
    if file.get("s3_bucket").is_some() || stem == "s3_website" && !file.entries().is_empty() {
        tools::s3_website(file, carried);
        Some("s3_website")
    } else if file.get("routes").is_some() || stem == "s3deploy" && !file.entries().is_empty() {
        tools::s3deploy(file, carried);
        Some("s3deploy")
    } else if client.is_some_and(|client| client.get("bucketName").is_some()) {
        tools::finch(file, carried);
        Some("serverless-finch")
    } else if let Some(options) = file.get(GATSBY) {
        tools::gatsby(options, carried);
        Some(GATSBY)
    } else if let Some(deployment) = deployment {
        hugo::read(deployment, carried);
        Some("hugo deploy")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
