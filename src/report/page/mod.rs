//! A plan, or a deploy, as one page that asks nobody for anything: its style, its script and its data are in it. Pure.
//!
//! `document` puts it together: `overview` (what it comes to), `changes` (the tree), `purges` (paths and URLs), `sizes`, `remarks`
//! (lost URLs, links, the budget) and `timeline`. What may be long is data for the script; all else is HTML. `html` escapes.
//! The Content-Security-Policy lets nothing run and nothing load but what is written here.

mod changes;
mod document;
mod html;
mod overview;
mod purges;
pub(super) mod remarks;
mod sizes;
mod subject;
#[cfg(test)]
mod tests;
mod timeline;

pub use document::page;
pub use subject::{PageSubject, ReportedDeploy};
pub use timeline::TimeLine;
