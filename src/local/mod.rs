//! An S3 and a CloudFront in this process, with edges that cache: what `--local` and `preview` talk to, and the world of all
//! tests. Clients reach it over HTTP alone; tests also look into it and turn its screws through [`World`].
//!
//! ```no_run
//! # use unstale::local::{Distribution, Fault, Options, World};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let world = World::start(Options::default()).await?; // ends when its last clone is dropped, or by stop()
//! world.create_bucket("site")?;
//! let distribution = Distribution::for_bucket("site"); // public fields: change what differs
//! world.set_distribution(distribution.clone());
//! let endpoint = world.endpoint(); // for --endpoint-url, S3 (path-style) and CloudFront alike
//!
//! for edge in world.edges(&distribution.id) {
//!     let answer = edge.get("/").await; // answer.status, .text(), .header("age"), .x_cache
//! }
//! world.set_rule(|request| match request.operation {
//!     "PutObject" if request.number % 5 == 0 => Fault::Fail(503, "SlowDown"),
//!     _ => Fault::None,
//! });
//! let writes = world.log().iter().filter(|entry| entry.request.writes()).count();
//! # Ok(()) }
//! ```
//!
//! - **Buckets:** [`World::create_bucket_with`] and [`World::alter_bucket`] take [`BucketOptions`] (owner, region, `kms`, whether
//!   conditional writes are honoured); [`World::keys`], [`World::object`], [`World::body`], [`World::versions`] and
//!   [`World::open_uploads`] look; [`World::put_object`] and [`World::delete_object`] are somebody else's hands and make no request.
//! - **CloudFront:** [`World::set_distribution`] (also changes one: its edges stay warm), [`World::set_policy`],
//!   [`World::set_function`], [`World::set_tenant`], [`World::cloud_options`] (how long invalidations take, when they take effect, quotas),
//!   [`World::invalidations`].
//! - **Edges:** [`World::edge`] and [`World::edges`] are asked in process; [`World::serve_edge`] listens. [`EdgeHandle::entries`],
//!   [`EdgeHandle::fetches`] and [`EdgeHandle::chill`] are for tests. Edges ask their origin without HTTP: rules and the log
//!   see clients' requests only.
//! - **Time:** `Options { clock: Clock::at(..), .. }` stands still; [`Clock::advance`] moves it. Without it time is real.
//! - **Faults:** a rule sees each [`RequestInfo`] and names a [`Fault`]. With [`Fault::HoldBefore`] or [`Fault::HoldAfter`] a
//!   [`Gate`] tells when the request has arrived; whoever is killed then was killed exactly there.
//! - **One folder, several processes:** [`open_or_attach`]. Objects, functions and invalidations are kept; edges begin cold.

mod chunked;
pub mod clock;
pub mod cloud;
mod cloudfront;
mod content;
mod disk;
pub mod distribution;
mod edge;
pub mod faults;
mod freshness;
pub mod function;
mod http;
mod kept;
mod listing;
mod origin;
mod s3;
pub mod share;
pub mod store;
mod uploads;
pub mod world;
mod xml;

pub use clock::Clock;
pub use cloud::{CloudOptions, Invalidation, TakesEffect, Tenant};
pub use distribution::{
    Behavior, CachePolicy, Caching, Distribution, ErrorResponse, Origin, OriginKind, QueryKey,
};
pub use edge::Answer;
pub use faults::{Fault, Gate, LogEntry, RequestInfo, Service};
pub use function::{Function, FunctionKind, INDEX_FUNCTION};
pub use share::{Local, Session, open_or_attach};
pub use store::{BucketOptions, Conditions, Object, Version, Versioning};
pub use world::{EdgeHandle, Error, Options, World};

#[cfg(test)]
mod tests;
