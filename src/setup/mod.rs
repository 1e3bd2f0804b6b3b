//! From a template to the CloudFormation stack that a site lives in; what policies have to allow.

pub(crate) mod account;
pub(crate) mod design;
mod drift;
pub(crate) mod existing;
mod failure;
pub(crate) mod flags;
mod follow;
pub(crate) mod policy;
pub(crate) mod purposes;
pub(crate) mod rights;
pub(crate) mod run;
pub(crate) mod standing;
pub(crate) mod template;
mod yaml;
