//! `unstale verify` and `deploy --verify`.

use std::collections::BTreeMap;

use serde_json::json;

use super::printer::Printer;
use crate::object::Key;

/// How request paths answered that were asked for.
#[derive(Debug, Default)]
pub struct Verification {
    /// How many were asked for.
    pub asked: usize,
    pub stale: Vec<FaultyAnswer>,
    pub silent: Vec<FaultyAnswer>,
    /// How many answers each edge location gave.
    pub edges: BTreeMap<String, usize>,
}

/// A URL that did not answer as it should.
#[derive(Debug)]
pub struct FaultyAnswer {
    pub url: String,
    pub key: Key,
    pub faults: Vec<String>,
    pub pop: Option<String>,
    pub x_cache: Option<String>,
    pub age: Option<String>,
}

impl Printer {
    pub fn verification(&self, verification: &Verification) {
        let Verification {
            asked,
            stale,
            silent,
            edges,
        } = verification;
        for answer in stale {
            self.faulty("stale", answer);
        }
        for answer in silent {
            self.faulty("no answer", answer);
        }
        let fresh = asked - stale.len() - silent.len();
        let mut text = format!("{fresh} of {asked} request paths are fresh");
        if !edges.is_empty() {
            let edges = edges.iter().map(|(pop, count)| format!("{pop} ({count})"));
            let edges: Vec<String> = edges.collect();
            text.push_str(&format!(", answered by {}", edges.join(", ")));
        }
        let object = json!({
            "type": "verified", "asked": asked, "fresh": fresh, "stale": stale.len(), "silent": silent.len(),
            "edges": edges,
        });
        self.result(&text, &object);
    }

    fn faulty(&self, kind: &str, answer: &FaultyAnswer) {
        let FaultyAnswer {
            url,
            key,
            faults,
            pop,
            x_cache,
            age,
        } = answer;
        let mut text = format!("{kind}  {url}: {}", faults.join("; "));
        let headers = [("x-amz-cf-pop", pop), ("x-cache", x_cache), ("age", age)];
        let headers = headers.map(|(name, value)| Some(format!("{name}: {}", value.as_ref()?)));
        let headers: Vec<String> = headers.into_iter().flatten().collect();
        if !headers.is_empty() {
            text.push_str(&format!("\n  by {}", headers.join(", ")));
        }
        let object = json!({
            "type": kind.replace(' ', "-"), "url": url, "key": key, "faults": faults,
            "pop": pop, "x-cache": x_cache, "age": age,
        });
        self.result(&text, &object);
    }

    /// Tells how much is about to be asked for, and where.
    pub fn asking(&self, base: &str, paths: usize) {
        self.note(&format!("Asking {base} for {paths} paths"));
    }

    /// Warns that a distribution is asked for less than the site has.
    pub fn asks_no_folders(&self, target: &str) {
        self.warn(&format!(
            "{target}: a function rewrites URLs, and nothing tells how: folders are not asked for (`index` in deploy.toml tells)"
        ));
    }
}
