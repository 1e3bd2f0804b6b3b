//! `unstale setup --distribution`: single fields of a distribution that somebody made otherwise.

use std::path::Path;

use super::App;
use super::connect::Link;
use crate::aws::cloudfront::PurgeTarget;
use crate::aws::{AwsError, AwsErrorKind};
use crate::cli::{Cli, PriceClass, SetupArgs};
use crate::edge::error_page::ErrorPage;
use crate::error::{Error, Exit};
use crate::job::DistributionChoice;
use crate::report::Printer;
use crate::rules::rule_check::is_header_name;
use crate::settings;
use crate::setup::design::stack_name;
use crate::setup::existing::{WantedFields, edit};
use crate::survey::{TargetNames, find_named};

/// Shows what would change, asks, and changes it under the ETag that was read.
pub(super) async fn existing(app: &App, cli: &Cli, flags: &SetupArgs) -> Result<Exit, Error> {
    let wanted = wanted(flags)?;
    if flags.spa && app.settings.spa {
        return Err(
            Error::usage("--spa: by `spa = true` deploys show the app's page already")
                .hint("take one away: error pages answer every missing file with it, too"),
        );
    }
    warn_of_missing(app, &wanted.error_pages);
    let link = app.connect().await?;
    let names = cli.common.distribution.iter().cloned();
    if names
        .clone()
        .any(|name| ["auto", "none"].contains(&name.as_str()))
    {
        return Err(one_alone());
    }
    let names = TargetNames {
        tenant: None,
        wishes: names.map(DistributionChoice::Named).collect(),
        bucket: None,
        endpoints: Vec::new(),
    };
    let cloudfront = link.aws.cloudfront();
    let targets = find_named(&cloudfront, &names).await?;
    let [PurgeTarget::Distribution(id)] = targets.as_slice() else {
        return Err(one_alone());
    };
    let mut configuration = cloudfront.editable_configuration(id).await?;
    let changes = edit(&mut configuration, wanted)?;
    app.printer.field_changes(id, &changes);
    if changes.is_empty() {
        return Ok(Exit::Done);
    }
    warn_of_stack(app, &link, id).await;
    let question = |printer: &Printer| printer.agrees("All else stays as it is.");
    if !flags.yes && !app.agrees(question).await? {
        return Err(Error::usage("nothing was changed").hint("--yes changes it without asking"));
    }
    let written = cloudfront.write_configuration(configuration).await;
    written.map_err(|error| explained(error, id))?;
    app.printer.fields_changed(id);
    Ok(Exit::Done)
}

fn one_alone() -> Error {
    Error::usage("one distribution is changed at a time")
        .hint("name it by id or alias with --distribution")
}

/// Warns where a stack of `setup` made this distribution: it has it otherwise.
async fn warn_of_stack(app: &App, link: &Link, id: &str) {
    let Ok(stack) = stack_name(&app.settings) else {
        return;
    };
    let found = link.aws.cloudformation(None).stack(&stack).await;
    let found = found.ok().flatten().unwrap_or_default();
    if found
        .outputs
        .get("DistributionId")
        .is_some_and(|own| own == id)
    {
        app.printer.warn(&format!(
            "the stack {stack} made {id}, and takes this back where it is changed later, unless it says the same: `unstale setup` without --distribution takes --error-page, --spa and --price-class, too"
        ));
    }
}

/// Says of a configuration that is no longer the one that was shown what to do.
fn explained(error: AwsError, id: &str) -> Error {
    if error.is(&AwsErrorKind::Precondition) {
        return Error::failed(format!(
            "somebody changed {id} meanwhile: nothing was changed"
        ))
        .because(error)
        .hint("run it again: it shows what differs now");
    }
    error.into()
}

/// Takes what flags say of the distribution, and refuses those that are about a stack.
fn wanted(flags: &SetupArgs) -> Result<WantedFields, Error> {
    let about_stack = flags.domain.is_some()
        || flags.hosted_zone.is_some()
        || flags.github.is_some()
        || flags.github_provider.is_some()
        || flags.stack.is_some();
    let has_pages = flags.spa || !flags.error_page.is_empty();
    let has_others =
        flags.root.is_some() || flags.tag_header.is_some() || flags.price_class.is_some();
    if about_stack
        || flags.import_bucket
        || flags.print.is_some()
        || flags.check
        || !has_pages && !has_others
    {
        return Err(Error::usage(
            "with --distribution, `setup` changes what --root, --error-page, --spa, --tag-header and --price-class name, and nothing else",
        ));
    }
    Ok(WantedFields {
        root: flags.root.as_deref().map(root).transpose()?,
        error_pages: error_pages(flags)?,
        tag_header: flags.tag_header.as_deref().map(header).transpose()?,
        price_class: flags.price_class.map(PriceClass::name),
    })
}

/// Takes a root object, without the slash that is no part of it (CloudFront Developer Guide, "Specify a default root object").
fn root(text: &str) -> Result<String, Error> {
    const MAX: usize = 255;
    let root = text.trim_start_matches('/');
    let is_known = |letter: char| letter.is_ascii_alphanumeric() || "_-.*$/~\"'&".contains(letter);
    if root.is_empty() || root.ends_with('/') || root.len() > MAX || !root.chars().all(is_known) {
        let text = format!("`{text}` is no root object");
        return Err(Error::usage(text).hint("--root names a key, such as index.html"));
    }
    Ok(root.to_owned())
}

/// Takes the name of a header: a token (RFC 9110, 5.6.2).
fn header(text: &str) -> Result<String, Error> {
    if !is_header_name(text) {
        let text = format!("`{text}` is no name of a header");
        return Err(Error::usage(text)
            .hint("--tag-header names one, such as x-amz-meta-cache-tag for what S3 has"));
    }
    Ok(text.to_owned())
}

/// Takes one page for each error.
fn error_pages(flags: &SetupArgs) -> Result<Vec<ErrorPage>, Error> {
    let mut pages = flags.error_page.clone();
    if flags.spa {
        pages.extend(ErrorPage::of_app());
    }
    for (place, page) in pages.iter().enumerate() {
        if pages[..place].iter().any(|other| other.code == page.code) {
            let text = format!("there are two pages for the error {}", page.code);
            return Err(
                Error::usage(text).hint("name one; --spa answers 403 and 404 with /index.html")
            );
        }
    }
    Ok(pages)
}

/// Warns of pages that the build does not have, where there is a build.
pub(super) fn warn_of_missing(app: &App, pages: &[ErrorPage]) {
    let Ok(dir) = settings::build_dir(&app.settings, Path::new("")) else {
        return;
    };
    for page in pages {
        let path = page.path.trim_start_matches('/');
        if dir.is_dir() && !dir.join(path).is_file() {
            app.printer.warn(&format!(
                "{} has no {path}: until one is deployed, CloudFront answers the error {} by itself",
                dir.display(),
                page.code
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_a_key_and_a_header_a_token() {
        for (text, expected) in [
            ("index.html", Some("index.html")),
            ("/index.html", Some("index.html")),
            ("docs/index.html", Some("docs/index.html")),
            ("", None),
            ("/", None),
            ("docs/", None),
            ("my page.html", None),
            ("\u{e4}.html", None),
        ] {
            assert_eq!(root(text).ok().as_deref(), expected, "{text}");
        }
        assert!(root(&"a".repeat(256)).is_err());
        for (text, is_token) in [
            ("x-amz-meta-cache-tag", true),
            ("bad header!", false),
            ("a:b", false),
            ("", false),
        ] {
            assert_eq!(header(text).is_ok(), is_token, "{text}");
        }
    }
}
