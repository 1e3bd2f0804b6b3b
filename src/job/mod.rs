//! What a command is asked to do, who hears of it, when it is to stop, and how many requests it makes at once.

pub mod event;
pub mod pool;
pub mod request;
pub mod stop;

pub use event::{DeployEvent, DeploySummary, EventSink, InvalidationSummary};
pub use request::{DistributionChoice, Job, PlacedRedirect};
pub use stop::StopSignal;
