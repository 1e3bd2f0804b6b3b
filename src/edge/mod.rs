//! Decides what CloudFront is sent: from changed objects to the cheapest purge. Pure.
//!
//! The way of a changed key: its [`HeldChange`] says which answer edges may hold, and what the deploy leaves. [`urls`] gives its
//! [`RequestPath`]s; `stale` judges each by [`ttl`], and notes it as owed with its [`OwedReason`] or as [`SparedReason`] ([`reason`]). `held`
//! puts the owed ones among all paths that edges may hold, each one [`Entry`](cover::Entry). `tree` leaves the `Node`s where there is
//! a choice (costs: `figures`), `solve` and `front` choose between a node's wildcard and its own paths, `tagged` and `wide` put cache
//! tags in their place, and [`cover`] weighs what was chosen as [`Pattern`]s. [`batch`] parts their texts into what is sent at once.
//! Beside that: [`expect`] knows what viewers must see then, [`critic`] warns of what a [`distribution`] defeats.

pub mod batch;
pub mod cover;
pub mod critic;
pub mod distribution;
pub mod expect;
mod figures;
mod front;
mod held;
#[cfg(test)]
mod oracle;
pub mod path;
pub mod price;
pub mod purge;
pub mod reason;
pub mod rewrite;
mod solve;
mod stale;
mod tagged;
#[cfg(test)]
mod tagged_oracle;
mod tree;
pub mod ttl;
pub mod urls;
mod wide;

pub use cover::{Cover, Pattern};
pub use distribution::{Behavior, Distribution, ErrorResponse, Origin, QueryKey, UriRewrite};
pub use price::{Money, PurgeMode, PurgePrices};
pub use purge::{TargetedPurge, UrlExplanation, purge};
pub use reason::{BodyName, HeldChange, OwedReason, ServedAnswer, SparedReason, StalePaths};
pub use rewrite::rewrite_of;
pub use urls::{IndexLookup, PathKind, RequestPath, ShownSite, request_paths};
