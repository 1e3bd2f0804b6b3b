//! `unstale invalidate` and `unstale invalidations`.

use serde::Serialize;
use serde_json::json;

use super::json::{merged, typed};
use super::printer::Printer;
use super::text::{counted, elided, shown};
use crate::aws::AwsError;
use crate::job::{DeployEvent, InvalidationSummary};

/// Columns of a refused path that are shown.
const MAX_REFUSED: usize = 200;

/// An invalidation as CloudFront shows it.
#[derive(Debug, Serialize)]
pub struct ShownInvalidation {
    pub distribution: String,
    pub id: String,
    pub status: String,
    pub created: String,
    /// None in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
}

/// What a purge by hand came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ManualSummary {
    /// Paths that were written and need not be sent.
    pub left_out: u64,
    pub invalidations: Vec<InvalidationSummary>,
}

/// What a list of invalidations came to.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ShownCounts {
    pub shown: usize,
    pub in_progress: usize,
    /// The distributions of which this is so.
    pub older_not_shown: Vec<String>,
}

/// Says what a distribution took of a purge that went no further.
pub fn taken(sent: &[InvalidationSummary]) -> String {
    let paths = counted(sent.iter().map(|sent| sent.paths).sum(), "path");
    match sent {
        [] => String::new(),
        [only] => format!("{} took {paths} as {}", only.distribution, only.id),
        [first, ..] => {
            let number = counted(sent.len() as u64, "invalidation");
            format!("{} took {paths} in {number}", first.distribution)
        }
    }
}

/// Quotes a path that is refused: a file of something else may be one line.
pub fn refused_path(path: &str) -> String {
    format!("`{}`", elided(path, MAX_REFUSED))
}

impl Printer {
    /// Tells an event of a purge by hand. That CloudFront took a batch is told once: by [`Printer::invalidated`].
    pub fn event_by_hand(&self, event: &DeployEvent) {
        let is_told = !(self.options.bars || self.options.json || self.options.verbose);
        if !(is_told && matches!(event, DeployEvent::PurgeAccepted { .. })) {
            self.event(event);
        }
    }

    /// Tells of a batch that CloudFront took.
    pub fn invalidated(&self, distribution: &str, id: &str, paths: u64) {
        self.result(
            &format!("{distribution} {id} ({})", counted(paths, "path")),
            &json!({"type": "invalidation", "distribution": distribution, "id": id, "paths": paths}),
        );
    }

    /// Prints the paths that were not sent.
    pub fn unsent(&self, distribution: &str, paths: &[String]) {
        let number = counted(paths.len() as u64, "path");
        let listed: Vec<String> = paths.iter().map(|path| format!("\n  {path}")).collect();
        self.result(
            &format!("{distribution} was not sent {number}:{}", listed.concat()),
            &json!({"type": "unsent", "distribution": distribution, "paths": paths}),
        );
    }

    /// Ends a purge by hand.
    pub fn purged_by_hand(&self, summary: &ManualSummary) {
        let sent = &summary.invalidations;
        let paths: u64 = sent.iter().map(|sent| sent.paths).sum();
        let is_done = |sent: &InvalidationSummary| sent.status.eq_ignore_ascii_case("completed");
        let number = counted(paths, "path");
        let mut text = if sent.iter().all(is_done) {
            format!("Purged {number}")
        } else {
            format!("CloudFront took {number}, and purges on")
        };
        if summary.left_out > 0 {
            let left_out = counted(summary.left_out, "path");
            text.push_str(&format!(
                "; {left_out} left out, being there twice or taken by a wildcard"
            ));
        }
        let object = json!({"type": "summary", "paths-purged": paths});
        self.line(&self.wrapped(&text, "", ""));
        self.summary(merged(object, summary));
    }

    /// Warns that CloudFront took a purge and may not be asked how far it is.
    pub fn unwatched(&self, error: &AwsError) {
        let action = error.action;
        self.warn(&format!(
            "CloudFront took the purge, which goes on; when it is completed cannot be seen: {error} (allow {action}, or say --no-wait)"
        ));
    }

    /// Warns that the query strings of URLs are not purged by name.
    pub fn queries_left_out(&self, path: &str, urls: u64) {
        let queries = match urls {
            1 => "the query string of a URL is".to_owned(),
            more => format!("the query strings of {more} URLs are"),
        };
        self.warn(&format!(
            "{queries} left out: where query strings are part of the cache key, '{path}?*' purges them all"
        ));
    }

    pub fn invalidation(&self, invalidation: &ShownInvalidation) {
        let ShownInvalidation {
            distribution,
            id,
            status,
            created,
            ..
        } = invalidation;
        let text = match &invalidation.paths {
            None => format!("{distribution}  {id}  {status:<10}  {created}"),
            Some(paths) => {
                let number = counted(paths.len() as u64, "path");
                let head = format!("{distribution}  {id}  {status}  {created}  {number}");
                let paths = paths.iter().map(|path| format!("\n  {}", shown(path)));
                [head].into_iter().chain(paths).collect()
            }
        };
        self.result(&text, &typed("invalidation", invalidation));
    }

    pub fn no_invalidations(&self, distribution: &str) {
        self.line(&format!("{distribution} has no invalidations"));
    }

    /// Ends a list of invalidations.
    pub fn invalidations_shown(&self, counts: &ShownCounts) {
        for distribution in &counts.older_not_shown {
            self.note(&format!("older ones of {distribution} are not shown"));
        }
        self.summary(typed("summary", counts));
    }
}
