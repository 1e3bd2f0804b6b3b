//! `unstale policy`.

use super::App;
use crate::error::{Error, Exit};
use crate::setup::rights::least_policy;

pub(super) fn policy(app: &App) -> Result<Exit, Error> {
    app.printer.policy(&least_policy(&app.settings)?);
    Ok(Exit::Done)
}
