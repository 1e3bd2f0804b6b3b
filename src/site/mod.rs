//! What the site should be: a build, or the site after an earlier deploy, as objects with headers and bodies.

pub(crate) mod known;
pub(crate) mod links;
pub(crate) mod names;
pub(crate) mod past;
pub(crate) mod redirects;
mod root_page;
pub(crate) mod serving;
pub(crate) mod source;
pub(crate) mod tailor;
pub(crate) mod unserved;
pub(crate) mod wants;

pub(crate) use source::SiteSource;
