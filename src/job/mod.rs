//! What a command is asked to do, who receives its events, what interrupts it, and how many requests run at once.

pub(crate) mod event;
pub(crate) mod pool;
pub(crate) mod request;
pub(crate) mod stop;

pub(crate) use event::{DeployEvent, DeploySummary, EventSink, InvalidationSummary};
pub(crate) use request::{DistributionChoice, Job, PlacedRedirect};
pub(crate) use stop::StopSignal;
