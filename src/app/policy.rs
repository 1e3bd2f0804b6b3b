//! `unstale policy`.

use super::App;
use crate::cli::PolicyArgs;
use crate::error::{Error, Exit};
use crate::setup::purposes::policy_for;

pub(super) fn policy(app: &App, flags: &PolicyArgs) -> Result<Exit, Error> {
    app.printer.policy(&policy_for(&app.settings, flags)?);
    Ok(Exit::Done)
}
