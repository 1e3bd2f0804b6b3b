//! Looks at build, bucket and distributions, has a Plan made, and applies it in order. Tells [`Event`]s.
//!
//! [`survey`] looks, `scene` has the Plan made (`wants`, `ask`), `steps` carries it out in its order (`put`, `function`, `sender`,
//! `record`), [`run`] goes round that until the bucket stands as planned.

mod ask;
mod conclude;
mod configuration;
pub mod event;
pub mod expect;
mod function;
pub mod job;
pub mod known;
mod listing;
mod names;
pub mod past;
mod pool;
mod put;
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

use std::sync::Arc;

pub use event::{Event, Invalidated, Summary};
pub use job::{Job, Placed, Wish};
pub use run::{Deployed, deploy, plan};
pub use scene::Scene;
pub use source::Source;
pub use stop::Stop;
pub use wanted_function::rewrite;

/// Whom events are told. Cheap to clone.
#[derive(Clone)]
pub struct Teller(Arc<dyn Fn(&Event) + Send + Sync>);

impl Teller {
    pub fn new(listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    pub fn tell(&self, event: Event) {
        (self.0)(&event);
    }
}

impl std::fmt::Debug for Teller {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Teller")
    }
}
