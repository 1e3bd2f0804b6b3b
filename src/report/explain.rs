//! `unstale plan --explain`: why a key or URL is changed and purged, or not.

use std::fmt;

use serde_json::{Value, json};

use super::printer::Printer;
use super::purge::named;
use super::text::shown;
use crate::edge::UrlExplanation;
use crate::plan::{Change, ChangeAction, PastContent, Reason};

/// A key, and all that there is to say about it.
#[derive(Debug)]
pub struct ExplainedKey<'a> {
    pub key: &'a str,
    pub fate: KeyFate<'a>,
    /// Which rule or default set what it is served with, a line each.
    pub rules: Vec<String>,
    /// What becomes of its request paths, each with the target.
    pub purges: Vec<(&'a str, UrlExplanation)>,
    /// Whether there is a distribution that could be purged.
    pub has_distribution: bool,
}

/// What happens to a key.
#[derive(Debug)]
pub enum KeyFate<'a> {
    Changed {
        change: &'a Change,
        /// None where nobody knows what they were.
        headers: Option<Vec<HeaderChange<'a>>>,
    },
    /// `late`: once the purge is done.
    Removed {
        late: bool,
    },
    Foreign,
    /// Until when, where it is retained already.
    Retained {
        until: Option<jiff::Timestamp>,
    },
    Returned,
    Vanished,
    /// An edge may hold a copy until then.
    Deleted {
        until: jiff::Timestamp,
    },
    Adopted,
    Unchanged,
}

/// A header before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderChange<'a> {
    pub name: &'static str,
    pub before: Option<&'a str>,
    pub after: Option<&'a str>,
}

impl Printer {
    pub fn explained_key(&self, explained: &ExplainedKey) {
        let fate = explained.fate.to_string();
        self.line(&shown(explained.key));
        for line in [&fate].into_iter().chain(&explained.rules) {
            self.line(&self.wrapped(line, "  ", "    "));
        }
        for (target, explanation) in &explained.purges {
            self.explained_purge(target, explanation);
        }
        if !explained.has_distribution {
            self.line("  no distribution is known, so nothing is purged");
        }
        let purges = explained.purges.iter();
        let paths: Vec<&String> = purges.map(|(_, explanation)| &explanation.path).collect();
        self.object(&json!({
            "type": "explained", "key": explained.key, "fate": fate, "rules": explained.rules, "paths": paths,
        }));
    }

    /// Explains a path at which no key answers, though something is purged.
    pub fn explained_path(&self, path: &str, purges: &[(&str, UrlExplanation)]) {
        self.line(&shown(path));
        for (target, explanation) in purges {
            self.explained_purge(target, explanation);
        }
        self.object(&json!({
            "type": "explained", "key": null, "fate": null, "rules": [], "paths": [path],
        }));
    }

    fn explained_purge(&self, target: &str, explanation: &UrlExplanation) {
        let text = purge_text(target, explanation);
        let object = purge_json(target, explanation);
        self.result(&self.wrapped(&text, "", "  "), &object);
    }
}

impl fmt::Display for KeyFate<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { change, headers } => {
                write_reason(out, change, headers.as_deref())?;
                write_action(out, &change.action)
            }
            Self::Removed { late } => {
                let when = if *late { " once the purge is done" } else { "" };
                write!(out, "removed: the build no longer has it, so it is deleted{when}")
            }
            Self::Foreign => out.write_str(
                "foreign: nobody deployed it from here, so it is left alone (--adopt takes it over)",
            ),
            Self::Retained { until } => {
                out.write_str("retained: it left the build, and stays ")?;
                if let Some(until) = until {
                    write!(out, "until {until} ")?;
                }
                out.write_str("for pages that are still open")
            }
            Self::Returned => {
                out.write_str("returned: the build has it again, and the bucket had it still")
            }
            Self::Vanished => out
                .write_str("vanished: it was deployed from here, and somebody else deleted it"),
            Self::Deleted { until } => {
                write!(out, "deleted: an edge may hold a copy until {until}")
            }
            Self::Adopted => out.write_str("unchanged: it is as it should be, and is taken over"),
            Self::Unchanged => out.write_str("unchanged: the bucket has it as the build does"),
        }
    }
}

fn write_reason(
    out: &mut fmt::Formatter<'_>,
    change: &Change,
    headers: Option<&[HeaderChange]>,
) -> fmt::Result {
    match (change.reason, &change.before) {
        (Reason::New, _) => out.write_str("new: the bucket has no such object"),
        (Reason::Content, Some(before)) => {
            let md5 = &change.md5;
            write!(out, "content: the bucket has {before}, the build {md5}")
        }
        (Reason::Headers, _) => write!(out, "headers: {}", headers_text(headers)),
        (Reason::Forced, _) => out.write_str("forced: --force uploads everything"),
        (reason, _) => out.write_str(reason.word()),
    }
}

fn headers_text(headers: Option<&[HeaderChange]>) -> String {
    let Some(headers) = headers else {
        return "they are not those wanted".to_owned();
    };
    if headers.is_empty() {
        return "some besides cache-control and content-type differ".to_owned();
    }
    let text = |header: &HeaderChange| {
        let (before, after) = (
            header.before.unwrap_or("none"),
            header.after.unwrap_or("none"),
        );
        format!("{} was `{before}`, is `{after}`", header.name)
    };
    let texts: Vec<String> = headers.iter().map(text).collect();
    texts.join(", ")
}

fn write_action(out: &mut fmt::Formatter<'_>, action: &ChangeAction) -> fmt::Result {
    match action {
        ChangeAction::Upload => out.write_str(": it is uploaded"),
        ChangeAction::SetHeaders => {
            out.write_str(": they are set by a copy onto itself, without an upload")
        }
        ChangeAction::CopyFrom { key, .. } => write!(out, ": its bytes are copied from {key}"),
        ChangeAction::Restore { from, .. } => match from {
            PastContent::Version(id) => write!(out, ": its version {id} is copied back"),
            PastContent::Kept(_) => out.write_str(": the copy that was kept of it is copied back"),
        },
    }
}

/// Says why a path is purged or not, in one sentence.
fn purge_text(target: &str, explanation: &UrlExplanation) -> String {
    let (target, path) = (shown(target), shown(&explanation.path));
    let Some(pattern) = &explanation.pattern else {
        return match (&explanation.reason, &explanation.spared) {
            (Some(why), _) => {
                format!("{target} does not purge {path}, though {why}: purging is off.")
            }
            (None, Some(why)) => format!("{target} does not purge {path}: {why}."),
            (None, None) => format!("{target} does not purge {path}: nothing changed there."),
        };
    };
    let why = match (&explanation.reason, &pattern.tag) {
        (Some(reason), _) => reason.to_string(),
        (None, tag) => {
            let kind = if tag.is_some() { "tag" } else { "wildcard" };
            format!("it did not change, but one {kind} costs less than the exact paths")
        }
    };
    format!("{target} purges {path} by {}: {why}.", named(pattern))
}

fn purge_json(target: &str, explanation: &UrlExplanation) -> Value {
    let pattern = explanation.pattern.as_ref();
    json!({
        "type": "explanation", "target": target, "path": explanation.path,
        "purged-by": pattern.map(|pattern| &pattern.text),
        "tag-of": pattern.and_then(|pattern| Some(&pattern.tag.as_ref()?.of)),
        "owed-because": explanation.reason.as_ref().map(ToString::to_string),
        "spared-because": explanation.spared.map(|why| why.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::{OwedReason, Pattern, SparedReason};

    #[test]
    fn a_url_is_explained() {
        let by = |text: &str| {
            Some(Pattern {
                text: text.to_owned(),
                changed: 1,
                unchanged: 1,
                needless: 1,
                foreign: 0,
                empties: Vec::new(),
                tag: None,
            })
        };
        for (pattern, reason, spared, text) in [
            (
                by("/a/*"),
                Some(OwedReason::Content),
                None,
                "E1 purges /a/b by /a/*: its content changed.",
            ),
            (
                None,
                None,
                Some(SparedReason::Unchanged),
                "E1 does not purge /a/b: nothing changed there.",
            ),
            (
                None,
                None,
                None,
                "E1 does not purge /a/b: nothing changed there.",
            ),
            (
                None,
                Some(OwedReason::Removed),
                None,
                "E1 does not purge /a/b, though it is removed: purging is off.",
            ),
        ] {
            let path = "/a/b".to_owned();
            assert_eq!(
                purge_text(
                    "E1",
                    &UrlExplanation {
                        path,
                        pattern,
                        reason,
                        spared
                    }
                ),
                text
            );
        }
    }
}
