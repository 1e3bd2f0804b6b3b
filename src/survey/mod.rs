//! What is there: the bucket with its state, the distributions, and what S3 says of single objects when asked.

pub(crate) mod ask;
mod bucket;
pub(crate) mod expect;
mod function_fit;
mod listed;
mod listing;
mod named;
mod search;
mod site_function;
pub(crate) mod targets;
pub(crate) mod wanted_function;
pub(crate) mod wanted_headers;
pub(crate) mod wished_headers;

pub(crate) use bucket::{BucketSnapshot, OpenedSite, SiteLocation, build, open};
pub(crate) use bucket::{find_object, list_again, open_for_plan, remote};
pub(crate) use listed::is_id;
pub(crate) use listing::ListingSplits;
pub(crate) use named::{TargetNames, find_named};
pub(crate) use search::{find_recorded, find_targets};
pub(crate) use site_function::rewrite;
