//! What CloudFront is sent: from changed objects to the cheapest purge. Pure.
//!
//! [`distribution`] models the configuration ([`rewrite`] reads functions), [`urls`] tells at which request paths a key answers
//! ([`path`] writes them), [`stale`] which of them are owed ([`ttl`]), [`cover`] the cheapest patterns that take those (`tree`,
//! `solve`, `front`), `tagged` cache tags beside them (`wide`), [`price`] what they cost, [`batch`] how they are sent, [`purge`]
//! all of it at once (`universe`), with its reasons; [`expect`] what viewers must see afterwards, [`critic`] what the configuration
//! defeats.

pub mod batch;
pub mod cover;
pub mod critic;
pub mod distribution;
pub mod expect;
mod front;
#[cfg(test)]
mod oracle;
pub mod path;
pub mod price;
pub mod purge;
pub mod rewrite;
mod solve;
pub mod stale;
mod tagged;
#[cfg(test)]
mod tagged_oracle;
mod tree;
pub mod ttl;
mod universe;
pub mod urls;
mod vector;
mod wide;

pub use cover::{Cover, Pattern};
pub use distribution::{Behavior, Distribution, ErrorResponse, Origin, QueryKey, Rewrite};
pub use price::{Mode, Money, Prices};
pub use purge::{Explanation, Purge, purge};
pub use rewrite::rewrite_of;
pub use stale::{Change, Content, Reason, Served, Spared, Stale};
pub use urls::{Index, Kind, RequestPath, Site, request_paths};
