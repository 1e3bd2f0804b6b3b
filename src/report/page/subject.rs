//! What a page is made of.

use super::timeline::TimeLine;
use crate::error::Error;
use crate::job::DeploySummary;
use crate::plan::Plan;
use crate::report::plan::PlanContext;

/// What a page tells of. The same gives the same page.
#[derive(Debug)]
pub struct PageSubject<'a> {
    /// None where it failed before there was one.
    pub plan: Option<&'a Plan>,
    pub context: &'a PlanContext,
    /// Unix seconds.
    pub at: i64,
    pub commit: Option<&'a str>,
    pub deploy: Option<ReportedDeploy<'a>>,
}

/// How a deploy went.
#[derive(Debug)]
pub struct ReportedDeploy<'a> {
    /// None where nothing was begun.
    pub summary: Option<&'a DeploySummary>,
    pub error: Option<&'a Error>,
    pub line: &'a TimeLine,
}
