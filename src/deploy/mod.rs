//! Looks at build, bucket and distributions, has a Plan made, and applies it in order. Tells [`Event`]s.
//!
//! [`survey`] looks, `scene` has the Plan made (`wants`, `ask`), `steps` carries it out in its order (`put`, [`function`], `sender`,
//! `record`), [`run`] goes round that until the bucket stands as planned.

mod ask;
mod conclude;
mod content;
mod context;
mod delete;
mod delta;
pub mod event;
pub mod expect;
pub mod function;
mod history;
pub mod job;
mod journal;
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
pub mod redirects;
mod room;
mod run;
mod scene;
pub mod send;
mod sender;
mod source;
mod steps;
mod stop;
pub mod survey;
pub mod suspect;
pub mod tailor;
pub mod targets;
mod wants;

pub use event::{Event, Invalidated, Summary, Teller};
pub use job::Job;
pub use run::{Deployed, deploy, plan};
pub use scene::Scene;
pub use source::Source;
pub use stop::Stop;
pub use survey::site as scene_site;
pub use targets::Wish;
