//! `unstale redirects`: the redirects of deploy.toml and `_redirects`, where they work, or as a CloudFront Function.

use std::path::Path;

use super::{App, connect};
use crate::cli;
use crate::deploy::rewrite;
use crate::domain::function::{self, MAX_FUNCTION_BYTES, RUNTIME};
use crate::domain::redirects::Redirects;
use crate::error::{Error, Exit};
use crate::report::text::{count, counted};
use crate::settings::{self, SiteFiles};

/// The document that stands for a folder.
const INDEX: &str = "index.html";

pub(super) fn redirects(app: &App, flags: &cli::Redirects) -> Result<Exit, Error> {
    let settings = &app.settings;
    let files = match &settings.dir {
        Some(_) => SiteFiles::read(&settings::build_dir(settings, Path::new(""))?)?,
        None => SiteFiles::default(),
    };
    let redirects = settings.redirects_with(&files)?;
    if flags.function {
        return print_function(app, &redirects);
    }
    if redirects.is_empty() {
        app.printer.prose(
            "There are no redirects, neither [[redirects]] in deploy.toml nor _redirects in the build.",
            "",
            "",
        );
        return Ok(Exit::Done);
    }
    for (at, one) in redirects.all().iter().enumerate() {
        let place = settings.redirect_name(&files, at);
        let (website, why) = match one.as_object(INDEX) {
            Ok((key, _)) => (true, format!("website endpoint (as {key}), function")),
            Err(why) => (false, format!("function alone: {why}")),
        };
        app.printer.line(&format!(
            "{} -> {}  {}  ({place})\n  {why}",
            one.from, one.to, one.status
        ));
        app.printer.json(&serde_json::json!({
            "type": "redirect", "from": one.from, "to": one.to, "status": one.status, "force": one.force,
            "place": place, "website-endpoint": website, "function": true,
        }));
    }
    app.printer.note(
        "A website endpoint as the origin answers the exact ones itself: deploy stores them. Before a REST origin (OAC) a \
         function answers all of them: `redirect-function` in deploy.toml has deploys write it, `unstale redirects --function` \
         prints it.",
    );
    Ok(Exit::Done)
}

fn print_function(app: &App, redirects: &Redirects) -> Result<Exit, Error> {
    let settings = &app.settings;
    let kept = connect::error_documents(settings).into_iter();
    let kept = kept.map(|key| format!("/{key}")).collect();
    let rewrite = rewrite(settings.index, &settings.extensions(), kept);
    let code = function::generate(redirects.all(), &rewrite, "")
        .map_err(|error| Error::usage(error.to_string()))?;
    app.printer.line(code.trim_end());
    app.printer.note(&format!(
        "Make it a CloudFront Function ({RUNTIME}) and associate it with the behavior's viewer requests, where it takes the \
         place of another; with `redirect-function = \"NAME\"` in deploy.toml, deploys do. {} of {} bytes, {}{}.",
        count(code.len() as u64),
        count(MAX_FUNCTION_BYTES as u64),
        counted(redirects.all().len() as u64, "redirect"),
        match rewrite.index {
            Some(_) => ", and folders find their index.html",
            None => "",
        }
    ));
    app.printer.json(&serde_json::json!({
        "type": "function", "runtime": RUNTIME, "event": "viewer-request", "redirects": redirects.all().len(), "code": code,
    }));
    Ok(Exit::Done)
}
