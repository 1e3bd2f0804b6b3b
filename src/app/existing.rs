//! `unstale setup --distribution`: single fields of a distribution that somebody made otherwise.

use super::App;
use crate::aws::cloudfront::PurgeTarget;
use crate::aws::{AwsError, AwsErrorKind};
use crate::cli::{Cli, SetupArgs};
use crate::edge::error_page::ErrorPage;
use crate::error::{Error, Exit};
use crate::job::DistributionChoice;
use crate::setup::existing::{WantedFields, edit};
use crate::survey::{TargetNames, find_named};

/// Shows what would change, asks, and changes it under the ETag that was read.
pub(super) async fn existing(app: &App, cli: &Cli, flags: &SetupArgs) -> Result<Exit, Error> {
    let wanted = wanted(flags)?;
    let link = app.connect().await?;
    let names = cli.common.distribution.iter().cloned();
    let names = TargetNames {
        tenant: None,
        wishes: names.map(DistributionChoice::Named).collect(),
        bucket: None,
        endpoints: Vec::new(),
    };
    let cloudfront = link.aws.cloudfront();
    let targets = find_named(&cloudfront, &names).await?;
    let [PurgeTarget::Distribution(id)] = targets.as_slice() else {
        return Err(Error::usage("one distribution is changed at a time")
            .hint("name it by id or alias with --distribution"));
    };
    let mut configuration = cloudfront.editable_configuration(id).await?;
    let changes = edit(&mut configuration, wanted)?;
    app.printer.field_changes(id, &changes);
    if changes.is_empty() {
        return Ok(Exit::Done);
    }
    let agrees = || app.printer.can_ask() && app.printer.agrees("All else stays as it is.");
    if !flags.yes && !agrees() {
        return Err(Error::usage("nothing was changed").hint("--yes changes it without asking"));
    }
    let written = cloudfront.write_configuration(configuration).await;
    written.map_err(|error| explained(error, id))?;
    app.printer.fields_changed(id);
    Ok(Exit::Done)
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
    let about_stack = flags.domain.is_some() || flags.github.is_some() || flags.stack.is_some();
    let has_pages = flags.spa || !flags.error_page.is_empty();
    let is_empty = !has_pages && flags.root.is_none() && flags.tag_header.is_none();
    let is_bare = |root: &String| root.trim_matches('/').is_empty();
    if flags.root.as_ref().is_some_and(is_bare) {
        return Err(Error::usage("--root names a key, such as index.html"));
    }
    if about_stack || flags.price_class.is_some() || flags.print || flags.check || is_empty {
        return Err(Error::usage(
            "with --distribution, `setup` changes what --root, --error-page, --spa and --tag-header name, and nothing else",
        ));
    }
    let mut error_pages = flags.error_page.clone();
    if flags.spa {
        error_pages.extend(ErrorPage::of_app());
    }
    Ok(WantedFields {
        root: flags.root.clone(),
        error_pages,
        tag_header: flags.tag_header.clone(),
    })
}
