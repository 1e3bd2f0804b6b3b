//! How CloudFront's API behaves.

use std::time::Duration;

/// When an accepted invalidation empties the edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TakesEffect {
    /// At once.
    #[default]
    WhenAccepted,
    /// When it is shown as Completed.
    WhenCompleted,
}

/// How the API behaves; tests change it at any time.
#[derive(Clone, Debug)]
pub struct CloudOptions {
    /// From acceptance to Completed, on the world's clock.
    pub invalidation_time: Duration,
    /// When edges forget what it names.
    pub takes_effect: TakesEffect,
    /// A raw `'` in a path is refused, as in two public reports.
    pub refuses_apostrophe: bool,
    /// More paths in one batch: 413 BatchTooLarge.
    pub most_paths: usize,
    /// More batches in progress: TooManyInvalidationsInProgress.
    pub most_in_progress: Option<usize>,
    /// Paths and wildcards a second; a batch beyond what has accrued: Throttling.
    pub rate: Option<(f64, f64)>,
    /// The page size of lists.
    pub page: usize,
    /// From UpdateDistribution or [`World::reconfigure`](crate::World::reconfigure) until the edges know of it.
    pub deploy_time: Duration,
    /// That each resource of a stack takes to be made, changed or removed, on the world's clock.
    pub resource_time: Duration,
    /// Certificates of stacks are not issued until [`World::issue_certificates`](crate::World::issue_certificates).
    pub certificates_wait: bool,
    /// Change sets fail that name what the account has already, or properties that nobody knows, as they do since the end of 2025. Off
    /// unless it is turned on: then that comes out when they are executed.
    pub validates_early: bool,
    /// So often DescribeStacks still tells the state of before an execution began.
    pub stale_stacks: usize,
}

impl Default for CloudOptions {
    fn default() -> Self {
        Self {
            invalidation_time: Duration::ZERO,
            takes_effect: TakesEffect::WhenAccepted,
            refuses_apostrophe: false,
            most_paths: 3000,
            most_in_progress: None,
            rate: None,
            page: 100,
            deploy_time: Duration::ZERO,
            resource_time: Duration::ZERO,
            certificates_wait: false,
            validates_early: false,
            stale_stacks: 0,
        }
    }
}
