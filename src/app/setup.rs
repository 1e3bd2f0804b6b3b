//! `unstale setup`.

use super::App;
use crate::cli::SetupArgs;
use crate::error::{Error, Exit};
use crate::setup::design::{AccountParts, CERTIFICATE_REGION, design};

pub(super) async fn setup(app: &App, flags: &SetupArgs) -> Result<Exit, Error> {
    if flags.print {
        return print(app, flags);
    }
    Ok(Exit::Done)
}

/// Prints the template as it would be sent by somebody whose account has nothing but what the flags name.
fn print(app: &App, flags: &SetupArgs) -> Result<Exit, Error> {
    let region = app.settings.region.as_deref().unwrap_or(CERTIFICATE_REGION);
    let design = design(&app.settings, flags, region, AccountParts::said(flags))?;
    app.printer.template(&design);
    Ok(Exit::Done)
}
