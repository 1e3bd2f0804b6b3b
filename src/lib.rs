//! `unstale` deploys a built static site to S3 and purges from CloudFront exactly what changed.
//!
//! The folders follow the way of the data: a build is scanned ([`scan`]) and a bucket listed ([`aws`]); [`domain`] says what
//! differs, [`edge`] which request paths that makes stale and what to purge, [`plan`] puts it all into one value, [`deploy`]
//! applies it in order and leaves in the bucket ([`state`]) what the next deploy must know, [`report`] tells people.
//! [`app`] has a function per command. See ARCHITECTURE.md.

pub mod app;
pub mod aws;
pub mod cli;
pub mod deploy;
pub mod edge;
pub mod error;
pub mod job;
pub mod object;
pub mod plan;
pub mod report;
pub mod rules;
pub mod scan;
pub mod settings;
pub mod site;
pub mod state;
pub mod survey;
