//! What is there: the bucket with its state, the distributions, and what S3 says of single objects when asked.

pub mod ask;
mod bucket;
pub mod expect;
mod listing;
mod search;
pub mod targets;
pub mod wanted_function;

pub use bucket::{BucketSnapshot, OpenedSite, SiteLocation, build, open};
pub(crate) use bucket::{find_object, list_again, open_for_plan, remote};
pub use listing::ListingSplits;
pub use search::find_targets;
pub use wanted_function::rewrite;
