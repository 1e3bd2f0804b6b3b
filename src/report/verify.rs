//! `unstale verify` and `deploy --verify`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::changes::more;
use super::json::typed;
use super::printer::Printer;
use super::text::{counted, elided, padded, shown};
use crate::edge::expect::FaultKind;
use crate::object::Key;

/// Faults that are shown one by one: more of them say little more.
const SHOWN: usize = 20;
/// Columns of the kind of a fault.
const KIND: usize = 9;

/// How request paths answered that were asked for.
#[derive(Debug, Default)]
pub struct Verification {
    /// How many were asked for.
    pub asked: usize,
    pub faulty: Vec<FaultyAnswer>,
    /// Where nobody answers.
    pub silent: Vec<SilentHost>,
    /// How many answers each edge location gave.
    pub edges: BTreeMap<String, usize>,
}

/// A URL that did not answer as it should.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FaultyAnswer {
    #[serde(skip)]
    pub kind: FaultKind,
    pub url: String,
    pub key: Option<Key>,
    pub faults: Vec<String>,
    pub pop: Option<String>,
    pub x_cache: Option<String>,
    pub age: Option<String>,
}

/// A host that answers nothing.
#[derive(Debug, Serialize)]
pub struct SilentHost {
    /// Without a final slash.
    pub url: String,
    pub why: String,
    /// How many paths it was to be asked for.
    pub paths: usize,
}

impl Verification {
    fn count(&self, kind: FaultKind) -> usize {
        let faulty = self.faulty.iter();
        faulty.filter(|answer| answer.kind == kind).count()
    }
}

impl Printer {
    pub fn verification(&self, verification: &Verification) {
        let Verification {
            asked,
            faulty,
            silent,
            edges,
        } = verification;
        for answer in faulty {
            self.object(&typed(word(answer.kind), answer));
        }
        let most = self.options.out.most(SHOWN);
        for answer in faulty.iter().take(most) {
            self.line(&self.faulty_text(answer));
        }
        if let Some(more) = more(faulty.len().saturating_sub(most), self.options.out) {
            self.line(&more);
        }
        for host in silent {
            self.object(&typed("unreachable", host));
        }
        let fresh = asked - faulty.len();
        if *asked > 0 {
            self.line(&self.total(verification));
        }
        let count = |kind| verification.count(kind);
        let unasked: usize = silent.iter().map(|host| host.paths).sum();
        self.object(&json!({
            "type": "verified", "asked": asked, "fresh": fresh, "stale": count(FaultKind::Stale),
            "missing": count(FaultKind::Missing), "wrong": count(FaultKind::Wrong), "unasked": unasked, "edges": edges,
        }));
    }

    /// Says how many paths are as they should be, and what the others are.
    fn total(&self, verification: &Verification) -> String {
        let (asked, edges) = (verification.asked, &verification.edges);
        let fresh = asked - verification.faulty.len();
        let asked = counted(asked as u64, "request path");
        let mut text = format!("{fresh} of {asked} are fresh");
        let kinds = [FaultKind::Stale, FaultKind::Missing, FaultKind::Wrong];
        let kinds = kinds.map(|kind| (word(kind), verification.count(kind)));
        let kinds: Vec<String> = (kinds.iter().filter(|(_, count)| *count > 0))
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        if !kinds.is_empty() {
            text.push_str(&format!(": {}", kinds.join(", ")));
        }
        if self.options.verbose && !edges.is_empty() {
            let edges = edges.iter().map(|(pop, count)| format!("{pop} ({count})"));
            let edges: Vec<String> = edges.collect();
            text.push_str(&format!("; answered by {}", edges.join(", ")));
        }
        self.wrapped(&text, "", "  ")
    }

    /// Words a fault: its kind and the path in one line, where that fits, and what is wrong with it; where it came from for those who ask.
    fn faulty_text(&self, answer: &FaultyAnswer) -> String {
        let width = self.options.out.width;
        let kind = padded(word(answer.kind), KIND);
        let mut url = shown(&answer.url);
        if !self.options.verbose {
            url = elided(&url, width.saturating_sub(KIND + 1));
        }
        let mut text = shown(&answer.faults.join("; "));
        let from = [
            ("", &answer.pop),
            ("", &answer.x_cache),
            ("age ", &answer.age),
        ];
        let from = from.map(|(name, value)| Some(format!("{name}{}", value.as_ref()?)));
        let from: Vec<String> = from.into_iter().flatten().collect();
        if self.options.verbose && !from.is_empty() {
            text.push_str(&format!("\nby {}", from.join(", ")));
        }
        self.labelled(&kind, &format!("{url}: {text}"))
    }

    /// Tells how much is about to be asked for, and where.
    pub fn asking(&self, base: &str, paths: usize) {
        self.note(&format!(
            "Asking {base} for {}",
            counted(paths as u64, "path")
        ));
    }

    /// Says that what answered with kept errors is asked for again once edges let go of them.
    pub fn asks_again(&self, paths: usize, after: Duration) {
        self.note(&format!(
            "{} answered with an error that an edge had kept: asking again in {} s",
            counted(paths as u64, "path"),
            after.as_secs()
        ));
    }

    /// Warns that a distribution is asked for less than the site has.
    pub fn asks_no_folders(&self, target: &str) {
        self.warn(&format!(
            "{target}: a function rewrites URLs, and nothing tells how: folders are not asked for (`index` in deploy.toml tells)"
        ));
    }

    /// Warns that a host is asked that only leads to another.
    pub fn asks_another_host(&self, host: &str, canonical: &str) {
        self.warn(&format!(
            "{host} leads to {canonical} (`canonical-host`), so that redirects are all that is seen: `--url https://{canonical}` asks for pages"
        ));
    }
}

fn word(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Stale => "stale",
        FaultKind::Missing => "missing",
        FaultKind::Wrong => "wrong",
    }
}
