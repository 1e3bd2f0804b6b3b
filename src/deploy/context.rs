//! What every part of a deploy works with.

use crate::aws::AwsClients;
use crate::job::event::EventSink;
use crate::job::request::Job;
use crate::job::stop::StopSignal;

/// Whom a deploy asks, what it is asked to do, and who hears of it.
#[derive(Clone, Copy)]
pub(super) struct DeployContext<'a> {
    pub(super) aws: &'a AwsClients,
    pub(super) job: &'a Job,
    pub(super) stop: &'a StopSignal,
    pub(super) tell: &'a EventSink,
}
