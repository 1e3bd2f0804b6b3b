//! What every part of a deploy works with.

use super::event::Teller;
use super::job::Job;
use super::stop::Stop;
use crate::aws::Aws;

/// Whom a deploy asks, what it is asked to do, and who hears of it.
#[derive(Clone, Copy)]
pub(super) struct DeployContext<'a> {
    pub(super) aws: &'a Aws,
    pub(super) job: &'a Job,
    pub(super) stop: &'a Stop,
    pub(super) tell: &'a Teller,
}
