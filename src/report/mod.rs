//! Deploy's events, plans, errors and each command's result, told to people and programs.
//!
//! [`Printer`] is the only place that prints. Each file has one thing that is told: for people (bars on a terminal, few lines in
//! CI), and beside it as an object for programs.

mod bars;
mod changes;
pub mod distributions;
mod doctor;
mod error;
mod event;
mod existing_setup;
pub mod explain;
mod findings;
mod fitting;
mod history;
pub mod init;
pub mod invalidations;
mod json;
mod left_out;
mod links;
mod lost;
mod manual;
mod markdown;
mod markdown_parts;
mod noise;
mod options;
pub mod page;
mod plan;
pub mod policy;
pub mod preview;
mod printer;
mod progress;
pub mod prompt;
mod purge;
pub mod quota;
pub mod redirects;
pub mod setup;
mod sizes;
pub mod state;
mod summary;
#[cfg(test)]
mod tests;
mod text;
pub mod verify;

pub use options::PrinterOptions;
pub use plan::{PlanContext, refusal};
pub use printer::Printer;
