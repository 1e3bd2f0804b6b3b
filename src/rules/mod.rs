//! Derives from header rules, names and contents how an object is stored and served: headers, type, redirects, tags. Pure: no clock, no environment, no I/O.

pub mod content_type;
pub mod edge_function;
pub mod fingerprinted;
pub mod globs;
pub mod header_placement;
pub mod header_rule;
pub mod header_rules;
pub mod headers_file;
mod key_glob;
pub mod link_report;
pub mod links;
pub mod media;
pub mod noise;
pub mod noise_guess;
pub mod page;
pub mod page_facts;
mod path_pattern;
pub mod presets;
pub mod redirect;
pub mod redirects;
pub mod redirects_file;
pub mod rule_check;
pub mod security_preset;
pub mod tag_check;
pub mod unserved;
