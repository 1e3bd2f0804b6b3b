//! What rules, names and contents say of objects before they are stored. Pure: no clock, no environment, no I/O.

pub mod content_type;
pub mod fingerprinted;
pub mod function;
pub mod globs;
pub mod header_rule;
pub mod header_rules;
pub mod headers_file;
pub mod links;
pub mod noise;
mod oddness;
pub mod page;
pub mod presets;
pub mod redirect;
pub mod redirects;
pub mod redirects_file;
pub mod rule_check;
pub mod suspect;
pub mod tag_check;

// Until the other rooms' imports are rewritten.
pub use super::object::encoding::Encoding;
pub use header_rule::HeaderRule;
pub use header_rules::{Explanation, Facts, HeaderRules, Matched, Served, Source};
pub use rule_check::check_limits;
