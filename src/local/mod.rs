//! An S3 and a CloudFront in this process.

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
mod http;
mod listing;
mod origin;
mod s3;
pub mod share;
pub mod store;
mod uploads;
pub mod world;
mod xml;

pub use clock::Clock;
pub use cloud::{CloudOptions, Invalidation, TakesEffect};
pub use distribution::{
    Behavior, CachePolicy, Caching, Distribution, ErrorResponse, Function, FunctionKind, Origin,
    OriginKind, QueryKey,
};
pub use edge::Answer;
pub use faults::{Fault, Gate, LogEntry, RequestInfo, Service};
pub use share::{Local, Session, open_or_attach};
pub use store::{BucketOptions, Conditions, Object, Version, Versioning};
pub use world::{EdgeHandle, Error, Options, World};

#[cfg(test)]
mod tests;
