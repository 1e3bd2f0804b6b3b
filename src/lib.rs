//! `unstale` deploys a built static site to S3 and purges from CloudFront exactly what changed.
//!
//! The folders follow the way of the data: `survey` looks at what is there, `site` says what it should be, [`plan`] puts what
//! differs and what [`edge`] finds stale into one value, `deploy` carries it out and leaves in the bucket ([`state`]) what the
//! next deploy must know, [`report`] tells people. ARCHITECTURE.md has all rooms in their order.

pub mod app;
pub mod aws;
pub mod cli;
mod deploy;
mod doctor;
pub mod edge;
pub mod error;
mod job;
pub mod object;
pub mod plan;
pub mod report;
pub mod rules;
pub mod scan;
mod settings;
mod setup;
mod site;
pub mod state;
mod survey;
pub mod system;
