//! What a command is asked to do, who hears of it, when it is to stop, and how many requests it makes at once.

pub(crate) mod event;
pub(crate) mod pool;
pub(crate) mod request;
pub(crate) mod stop;

pub(crate) use event::{DeployEvent, DeploySummary, EventSink, InvalidationSummary};
pub(crate) use request::{DistributionChoice, Job, PlacedRedirect};
pub(crate) use stop::StopSignal;
