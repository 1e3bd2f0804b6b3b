//! One URL of a site, asked for as viewers do, and what is wrong with its answer.

use std::time::Duration;

use crate::aws::viewer::{MissingAnswer, ViewerClient};
use crate::edge::distribution::DEFAULT_ERROR_TTL;
use crate::edge::expect::{ExpectedAnswer, FaultKind, OwnContents, SeenAnswer, header_faults};
use crate::survey::expect::PathQuestion;

/// Attempts at each URL.
const ATTEMPTS: usize = 3;

/// What came of one URL.
pub(super) struct AskedUrl {
    pub(super) url: String,
    pub(super) question: PathQuestion,
    pub(super) answer: Result<SeenAnswer, MissingAnswer>,
}

pub(super) async fn ask(viewer: &ViewerClient, base: &str, question: PathQuestion) -> AskedUrl {
    let url = format!("{base}{}", question.path);
    let mut answer = viewer.get(&url).await;
    for _ in 1..ATTEMPTS {
        if answer.is_err() {
            answer = viewer.get(&url).await;
        }
    }
    AskedUrl {
        url,
        question,
        answer,
    }
}

impl AskedUrl {
    /// Returns for how long an edge keeps what it answered, where that is an error from before the page was there which no deploy purges,
    /// since it is gone in seconds.
    pub(super) fn leaves(&self) -> Option<Duration> {
        let seen = self.answer.as_ref().ok()?;
        let is_expected = |it: &ExpectedAnswer| matches!(it, ExpectedAnswer::Error { .. });
        let by_edge = |text: &str| text.starts_with("Error from");
        let is_error = seen.status >= 400 || seen.header("x-cache").is_some_and(by_edge);
        if !is_error || self.question.expected.iter().any(is_expected) {
            return None;
        }
        let age: u64 = seen.header("age")?.parse().ok()?;
        // Ages are cut to whole seconds.
        Some(Duration::from_secs(DEFAULT_ERROR_TTL.checked_sub(age)? + 1))
    }

    /// Returns what is wrong with the answer, by the likeliest of what may be answered. `lost`: the object that leads here is not
    /// answered at its own path either, so that an error here is none that the configuration makes.
    pub(super) fn fault(&self, own: &OwnContents, lost: bool) -> Option<(FaultKind, Vec<String>)> {
        let PathQuestion { expected, .. } = &self.question;
        let seen = match &self.answer {
            Ok(seen) => seen,
            Err(missing) => {
                let text = format!("no answer: {}", missing.why);
                return Some((FaultKind::Missing, vec![text]));
            }
        };
        let is_error = |it: &&ExpectedAnswer| matches!(it, ExpectedAnswer::Error { .. });
        let first = expected.first()?;
        let hides = lost && !is_error(&first);
        let possible = expected.iter().filter(|it| !hides || !is_error(it));
        // Of errors the one that is seen: its page is another then.
        let is_other = |it: &ExpectedAnswer| match it {
            ExpectedAnswer::Error { status, .. } => is_error(&first) && *status != seen.status,
            _ => false,
        };
        let judged = possible.map(|it| (it, it.faults(seen)));
        let (expected, mut faults) =
            judged.min_by_key(|(it, faults)| (!faults.is_empty(), is_other(it)))?;
        let kind = expected.kind(seen, own);
        let content_is_right = faults.is_empty();
        // An error that nobody expects says enough.
        if content_is_right || seen.status < 400 {
            let mut added = self.question.added.clone();
            if expected.is_seen_by_functions() {
                added.extend(self.question.added_by_function.clone());
            }
            faults.extend(header_faults(&added, seen));
        }
        let kind = if content_is_right {
            FaultKind::Wrong
        } else {
            kind
        };
        (!faults.is_empty()).then_some((kind, faults))
    }
}
