//! Looks at build, bucket and distributions, has a Plan made, and applies it in order. Tells [`DeployEvent`]s.
//!
//! [`survey`] looks, `scene` has the Plan made (`wants`, `ask`), `steps` carries it out in its order (`put`, `function`, `sender`,
//! `record`), [`run`] goes round that until the bucket stands as planned.

mod conclude;
mod content;
mod context;
mod delete;
mod delta;
mod function;
mod history;
mod journal;
mod lease_wait;
mod plan_targets;
mod progress;
mod purge;
mod put;
mod put_error;
mod record;
mod room;
mod run;
mod scene;
pub(crate) mod send;
mod sender;
mod steps;
pub(crate) mod suspect;

pub(crate) use run::{deploy, plan};
pub(crate) use scene::PlanInputs;
