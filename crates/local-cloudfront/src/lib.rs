#![doc = include_str!("../README.md")]
#![deny(missing_docs, unreachable_pub)]

mod account;
mod bucket;
mod bucket_policy;
mod buckets;
mod chunked;
mod clock;
mod cloud;
mod cloudformation;
mod cloudfront;
mod conditions;
mod content;
mod digest;
mod disk;
mod distribution;
mod documents;
mod edge;
#[cfg(feature = "faults")]
mod faults;
mod feed;
mod fields;
mod form;
mod freshness;
mod function;
mod headers;
mod headers_policy;
mod http;
mod identity;
mod invalidation;
#[cfg(feature = "javascript")]
mod javascript;
mod json;
mod kept;
mod key_values;
mod keys;
mod lambda;
mod listing;
mod options;
mod origin;
mod panel;
mod partial;
mod path;
mod policy;
mod reload;
mod request;
mod routes;
mod s3;
mod share;
mod store;
mod tagging;
mod uploads;
mod viewer;
mod website;
mod world;
mod xml;

pub use account::Certificate;
pub use bucket::{BucketOptions, Conditions, ContentId, Object, Version, Versioning};
pub use clock::{Clock, iso_date};
pub use cloud::Tenant;
pub use digest::Md5;
pub use disk::DiskError;
pub use distribution::{Behavior, Distribution, ErrorResponse, Origin, OriginGroup, OriginKind};
pub use edge::Answer;
#[cfg(feature = "faults")]
pub use faults::{Fault, Gate};
pub use function::{
    Function, FunctionCall, FunctionInterpreter, FunctionKind, FunctionOutcome, FunctionRequest,
    FunctionResponse, INDEX_FUNCTION,
};
pub use headers::Headers;
pub use headers_policy::{CorsPolicy, HeadersPolicy, PolicyHeader};
pub use invalidation::Invalidation;
pub use lambda::{Lambda, LambdaEvent, LambdaKind, LambdaResponse};
pub use options::{CloudOptions, TakesEffect};
pub use policy::{CachePolicy, Caching, ContinuousDeployment, QueryKey};
pub use reload::BodyDecoder;
pub use request::{LogEntry, RequestInfo, Service};
pub use share::{FolderOptions, FolderSession, open_or_attach};
pub use store::StoreError;
pub use viewer::EdgeHandle;
pub use website::{RoutingRule, WebsiteConfiguration};
pub use world::{EdgeOptions, Error, Options, World};

#[cfg(test)]
mod tests;
