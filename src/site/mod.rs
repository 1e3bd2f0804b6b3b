//! What the site should be: a build, or the site after an earlier deploy, as objects with headers and bodies.

pub mod known;
pub mod names;
pub mod past;
pub mod redirects;
pub mod serving;
pub mod source;
pub mod tailor;
pub mod wants;

pub use source::SiteSource;
