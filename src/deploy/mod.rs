//! Has a Plan made, and carries it out in order. Tells events, and prints nothing.
//!
//! `plan_inputs` has the Plan made, and `lost` finds the URLs that it loses. `steps` carries it out in its order: `keep` copies what goes, `put` and `delete` change objects, `function` publishes,
//! `purge_sender` and `invalidator` purge, `journal`, `delta`, `history` and `record` write down. `run` repeats that until the bucket
//! stands as planned, and `conclude` waits for the purge and says how it went.

mod conclude;
mod content;
mod context;
mod delete;
mod delta;
mod deployed;
mod function;
mod function_keys;
mod function_test;
mod headers;
mod history;
pub(crate) mod invalidator;
mod journal;
mod keep;
mod lease_wait;
mod lost;
pub(crate) mod noise_guess;
mod plan_inputs;
mod plan_targets;
mod progress;
mod publish;
mod purge;
mod purge_sender;
mod put;
mod put_error;
mod record;
mod run;
mod site_checks;
mod steps;
mod transfer_budget;

pub(crate) use plan_inputs::PlanInputs;
pub(crate) use run::{deploy, plan};
