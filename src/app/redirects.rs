//! `unstale redirects`: the redirects of deploy.toml and `_redirects`, where they work, or as a CloudFront Function.

use std::path::Path;

use super::{App, connect};
use crate::cli;
use crate::error::{Error, Exit};
use crate::report::redirects::{ListedRedirect, RedirectFunction};
use crate::rules::edge_function::EdgeFunction;
use crate::rules::redirect::Redirect;
use crate::rules::redirects::Redirects;
use crate::settings::{self, Settings, SiteFiles, UnservedRules};
use crate::site::unserved;
use crate::survey::rewrite;

/// The document that stands for a folder.
const INDEX: &str = "index.html";

pub(super) fn redirects(app: &App, flags: &cli::RedirectsArgs) -> Result<Exit, Error> {
    let settings = &app.settings;
    let files = match &settings.dir {
        Some(_) => settings.site_files(&settings::build_dir(settings, Path::new(""))?)?,
        None => SiteFiles::default(),
    };
    let redirects = settings.redirects_with(&files)?;
    if flags.function {
        let function = redirect_function(settings, &redirects)?;
        app.printer.redirect_function(&function);
        return Ok(Exit::Done);
    }
    let listed = |(redirect, place): (&Redirect, String)| ListedRedirect {
        redirect: redirect.clone(),
        place,
        key: redirect.as_object(INDEX).map(|(key, _)| key),
    };
    let places = settings.redirect_places(&files);
    let listed: Vec<_> = redirects.all().iter().zip(places).map(listed).collect();
    app.printer.redirects(&listed);
    let unserved = UnservedRules {
        headers: Vec::new(),
        ..settings.unserved_with(&files)
    };
    // What a distribution's error pages answer is not looked up here.
    app.printer
        .warnings(&unserved::warnings(&unserved, |_| None, |_| false));
    Ok(Exit::Done)
}

/// Writes the function that answers all redirects.
fn redirect_function(
    settings: &Settings,
    redirects: &Redirects,
) -> Result<RedirectFunction, Error> {
    let kept = connect::error_documents(settings).into_iter();
    let kept = kept.map(|key| format!("/{key}")).collect();
    let rewrite = rewrite(settings.index, &settings.extensions(), kept);
    let function = EdgeFunction {
        redirects: redirects.all().to_vec(),
        rewrite,
        ..EdgeFunction::default()
    };
    let code = function
        .code()
        .map_err(|error| Error::usage(error.to_string()))?;
    Ok(RedirectFunction {
        code,
        redirects: redirects.all().len(),
        index: function.rewrite.index.is_some(),
    })
}
