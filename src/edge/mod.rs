//! Decides what CloudFront is sent: from changed objects to the cheapest purge. Pure.
//!
//! The way of a changed key:
//! - [`reason`]: its [`HeldAnswer`]s, each an answer that edges may hold beside what the deploy leaves.
//! - [`urls`]: the [`RequestPath`]s at which it answers.
//! - `stale`: judges each path by [`ttl`]: owed, with its [`OwedReason`], or not, with its [`SparedReason`].
//! - `held`: puts the owed paths among all paths that edges may hold.
//! - `tree`: reduces those to the nodes where one wildcard competes with single paths; `figures` are their costs.
//! - `solve`, `pareto`: choose; `tagged`, `wide`: put cache tags in the place of paths; `shared`: several purges together.
//! - [`cover`]: the chosen [`Pattern`]s with their price; [`batch`]: splits them into what is sent at once.
//!
//! What a CloudFront Function does to URLs is read from its code: `javascript` splits it into tokens, `code` pairs their brackets,
//! `objects` knows which names are the request, [`rewrite`] follows its URI, and tells it in [`form`]s.
//!
//! Beside that, [`answers`] tells what a path answers, [`expect`] what viewers must see then, with which [`added_headers`], and [`critic`] warns where a distribution's settings override headers;
//! [`headers_policy`] holds headers to what CloudFront takes, by [`policy_setting`]; [`unfit`] says why it does not.

pub mod added_headers;
pub mod answers;
pub mod batch;
mod code;
pub mod cover;
pub mod critic;
pub mod distribution;
pub mod error_page;
pub mod expect;
mod figures;
pub mod form;
pub mod headers_policy;
mod held;
mod javascript;
pub mod manual_path;
mod objects;
#[cfg(test)]
mod oracle;
mod pareto;
pub mod path;
pub mod policy_setting;
pub mod price;
pub mod purge;
pub mod reason;
pub mod rewrite;
mod shared;
mod solve;
mod stale;
mod tagged;
#[cfg(test)]
mod tagged_oracle;
mod tree;
pub mod ttl;
mod unfit;
pub mod urls;
mod wide;
mod written;

pub use cover::{Cover, Pattern};
pub use distribution::{
    Behavior, Distribution, ErrorResponse, FunctionTrust, Origin, QueryKey, UnreadFunction,
    UriRewrite, WebsiteConfiguration,
};
pub use form::UriForm;
pub use headers_policy::HeadersPolicy;
pub use policy_setting::PolicySetting;
pub use price::{Money, PurgeMode, PurgePrices};
pub use purge::{OwedPurge, PurgeChoice, UrlExplanation, purge, purge_together};
pub use reason::{BodyName, HeldAnswer, OwedReason, ServedAnswer, SparedReason, StalePaths};
pub use rewrite::rewrite_of;
pub use unfit::Unfit;
pub use urls::{IndexLookup, PathKind, RequestPath, ShownSite, request_paths};
