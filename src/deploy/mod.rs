//! Looks at build, bucket and distributions, has a Plan made, and applies it in order. Tells [`DeployEvent`]s.
//!
//! [`survey`] looks, `scene` has the Plan made (`wants`, `ask`), `steps` carries it out in its order (`put`, `function`, `sender`,
//! `record`), [`run`] goes round that until the bucket stands as planned.

mod ask;
mod conclude;
mod configuration;
mod content;
mod context;
mod delete;
mod delta;
pub mod event;
pub mod expect;
mod function;
mod history;
pub mod job;
mod journal;
pub mod known;
mod lease_wait;
mod listing;
mod names;
pub mod past;
mod plan_targets;
mod pool;
mod progress;
mod purge;
mod put;
mod put_error;
mod record;
mod redirects;
mod room;
mod run;
mod scene;
mod search;
pub mod send;
mod sender;
mod serving;
mod source;
mod steps;
mod stop;
pub mod survey;
pub mod suspect;
mod tailor;
pub mod targets;
mod wanted_function;
mod wants;

pub use event::{DeployEvent, DeploySummary, EventSink, InvalidationSummary};
pub use job::{DistributionChoice, Job, PlacedRedirect};
pub use run::{DeployOutcome, deploy, plan};
pub use scene::PlanInputs;
pub use source::SiteSource;
pub use stop::StopSignal;
pub use wanted_function::rewrite;
