//! `plan --explain`: which rules meet a key, whether and why it changes, at which paths it answers, and what is purged of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use crate::deploy::PlanInputs;
use crate::edge::{UrlExplanation, request_paths};
use crate::error::Error;
use crate::job::Job;
use crate::object::Key;
use crate::object::entry::EntryLife;
use crate::plan::{Change, DistributionPurge, Plan, Reason};
use crate::report::Printer;
use crate::report::explain::{ExplainedKey, HeaderChange, KeyFate};

/// Keys that one URL may stand for, at most, before it says no more.
const MAX_KEYS: usize = 20;

/// Explains what a plan does.
pub(super) struct PlanExplainer<'a> {
    pub(super) job: &'a Job,
    pub(super) scene: &'a PlanInputs,
    pub(super) plan: &'a Plan,
}

impl<'a> PlanExplainer<'a> {
    /// Explains a key, or a URL by the keys that answer there.
    ///
    /// # Errors
    /// `Exit::Usage` where there is neither such a key nor such a URL.
    pub(super) fn explain(&self, text: &str, printer: &Printer) -> Result<(), Error> {
        let keys = self.keys();
        let trimmed = text.trim_start_matches('/');
        let key = [text, trimmed].into_iter().find(|key| keys.contains(*key));
        if let Some(key) = key.filter(|_| !text.contains("://")) {
            printer.explained_key(&self.explained(key, None));
            return Ok(());
        }
        let path = path_of(text);
        let answering = self.answering(&keys, &path);
        for key in answering.iter().take(MAX_KEYS) {
            printer.explained_key(&self.explained(key.as_str(), Some(&path)));
        }
        if !answering.is_empty() {
            return Ok(());
        }
        let purges = self.purges_at(&path);
        if !purges.is_empty() {
            printer.explained_path(&path, &purges);
            return Ok(());
        }
        Err(Error::usage(format!(
            "neither the build nor the bucket has a key `{trimmed}`, and none of theirs answers at {path}"
        ))
        .hint("`unstale plan --verbose` names every key that changes, `unstale state --verbose` every key that is live"))
    }

    /// Returns all keys of the site, before and after.
    fn keys(&self) -> BTreeSet<Key> {
        let plan = self.plan;
        let wanted = self.scene.wanted(self.job).into_iter();
        let mut keys: BTreeSet<Key> = wanted.map(|want| want.key).collect();
        keys.extend(plan.deletions.iter().map(|deletion| deletion.key.clone()));
        keys.extend(plan.foreign.iter().chain(&plan.vanished).cloned());
        keys.extend(self.scene.remote.loaded.manifest.entries.keys().cloned());
        keys
    }

    /// Finds the keys that answer at a decoded path of some distribution.
    fn answering(&self, keys: &BTreeSet<Key>, path: &str) -> Vec<Key> {
        let mut answering = Vec::new();
        let targets = self.scene.targets.found.iter();
        for site in targets.filter_map(|target| target.site(self.job)) {
            for key in keys {
                let mut paths = request_paths(&site, key.as_str()).into_iter();
                let answers = paths.any(|own| decoded(own.text.trim_end_matches('?')) == path);
                if answers && !answering.contains(key) {
                    answering.push(key.clone());
                }
            }
        }
        answering
    }

    /// Returns what is purged at a path where no key answers: a redirect before an origin that does not redirect, or what a debt
    /// owes.
    fn purges_at(&self, path: &str) -> Vec<(&'a str, UrlExplanation)> {
        let purges = self.plan.purges.iter();
        purges
            .map(|purge| (purge.target.as_str(), of_path(purge, path)))
            .filter(|(_, told)| told.reason.is_some() || told.spared.is_some())
            .collect()
    }

    /// Explains a key at all of its request paths, or at one alone.
    fn explained<'k>(&self, key: &'k str, only: Option<&str>) -> ExplainedKey<'k>
    where
        'a: 'k,
    {
        ExplainedKey {
            key,
            fate: self.fate(key),
            rules: self.scene.explain_headers(self.job, key),
            purges: self.purges(key, only),
            has_distribution: !self.scene.targets.found.is_empty(),
        }
    }

    fn fate(&self, key: &str) -> KeyFate<'a> {
        let plan = self.plan;
        let has = |keys: &[Key]| keys.iter().any(|other| other.as_str() == key);
        let mut deletions = plan.deletions.iter();
        if let Some(change) = plan
            .changes
            .iter()
            .find(|change| change.key.as_str() == key)
        {
            let headers = match change.reason {
                Reason::Headers => self.header_changes(change),
                _ => None,
            };
            KeyFate::Changed { change, headers }
        } else if let Some(deletion) = deletions.find(|deletion| deletion.key.as_str() == key) {
            let late = !deletion.page;
            KeyFate::Removed { late }
        } else if has(&plan.foreign) {
            KeyFate::Foreign
        } else if has(&plan.retained) {
            KeyFate::Retained { until: None }
        } else if has(&plan.returned) {
            KeyFate::Returned
        } else if has(&plan.vanished) {
            KeyFate::Vanished
        } else {
            self.fate_of_unchanged(key)
        }
    }

    fn fate_of_unchanged(&self, key: &str) -> KeyFate<'a> {
        let time = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
        let entry = self.scene.remote.loaded.manifest.entries.get(key);
        let mut adopted = self.plan.adopted.iter();
        match entry.map(|entry| entry.life) {
            Some(EntryLife::Retained { since }) => {
                let kept = i64::try_from(self.job.settings.retain.0.as_secs()).unwrap_or(i64::MAX);
                let until = Some(time(since.saturating_add(kept)));
                KeyFate::Retained { until }
            }
            Some(EntryLife::Tombstone { until }) => KeyFate::Deleted { until: time(until) },
            _ if adopted.any(|adopted| adopted.key.as_str() == key) => KeyFate::Adopted,
            _ => KeyFate::Unchanged,
        }
    }

    /// Finds the headers that are other than they were, as far as the manifest knows.
    fn header_changes(&self, change: &'a Change) -> Option<Vec<HeaderChange<'a>>> {
        let manifest = &self.scene.remote.loaded.manifest;
        let before = manifest
            .tables
            .served(manifest.entries.get(&change.key)?.served)?;
        let after = &change.headers;
        let headers = [
            ("cache-control", &before.cache_control, &after.cache_control),
            ("content-type", &before.content_type, &after.content_type),
            ("redirect", &before.redirect, &after.redirect),
        ];
        let differing = headers
            .into_iter()
            .filter(|(_, before, after)| before != after);
        let change = |(name, before, after): (_, &'a Option<String>, &'a Option<String>)| {
            let (before, after) = (before.as_deref(), after.as_deref());
            HeaderChange {
                name,
                before,
                after,
            }
        };
        Some(differing.map(change).collect())
    }

    /// Returns what becomes of each path of a key, or of one path alone.
    fn purges(&self, key: &str, only: Option<&str>) -> Vec<(&'a str, UrlExplanation)> {
        let mut explained = Vec::new();
        for target in &self.scene.targets.found {
            let mut purges = self.plan.purges.iter();
            // Without a purge, purging is off.
            let Some(purge) = purges.find(|purge| purge.target == target.id()) else {
                continue;
            };
            let paths: Vec<String> = match target.site(self.job) {
                None => vec![only.unwrap_or(key).to_owned()],
                Some(site) => {
                    let paths = request_paths(&site, key).into_iter().map(|path| path.text);
                    let mut listed = BTreeSet::new();
                    paths
                        .filter(|path| listed.insert(path.clone()))
                        .filter(|path| {
                            let bare = decoded(path.trim_end_matches('?'));
                            only.is_none_or(|only| only == bare)
                        })
                        .collect()
                }
            };
            let name = purge.target.as_str();
            explained.extend(paths.iter().map(|path| (name, of_path(purge, path))));
        }
        explained
    }
}

/// Returns a URL's path, decoded, with its leading slash and without query and fragment.
fn path_of(url: &str) -> String {
    let path = match url.split_once("://") {
        None => url.strip_prefix('/').unwrap_or(url),
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    format!("/{}", decoded(path))
}

fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// Explains what the first purge, or else the one after removed assets, makes of a path.
fn of_path(purge: &DistributionPurge, path: &str) -> UrlExplanation {
    let first = purge.purge.explain(path);
    let after = purge.after.explain(path);
    let silent = first.pattern.is_none() && first.reason.is_none();
    let tells = after.pattern.is_some() || after.reason.is_some() || after.spared.is_some();
    if silent && tells { after } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_its_decoded_path() {
        for (url, path) in [
            ("https://x.example", "/"),
            ("https://x.example/a%20b/?c=d#e", "/a b/"),
            ("https://x.example//a", "//a"),
            ("/na%C3%AFve", "/naïve"),
            ("posts/a/", "/posts/a/"),
        ] {
            assert_eq!(path_of(url), path);
        }
    }
}
