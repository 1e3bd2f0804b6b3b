//! `plan --explain`: which rules meet a key, whether and why it changes, at which paths it answers, and what is purged of them.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use super::App;
use crate::deploy::{Job, Scene};
use crate::domain::manifest::Life;
use crate::domain::{Headers, Key};
use crate::edge::{Explanation, request_paths};
use crate::error::Error;
use crate::plan::{Action, Change, Plan, Reason, TargetPurge};
use crate::report::text::shown;

/// Keys that one URL may stand for, at most, before it says no more.
const MOST: usize = 20;

/// Explains a key, or a URL by the keys that answer there.
///
/// # Errors
/// `Exit::Usage` where there is neither such a key nor such a URL.
pub(super) fn explain(
    app: &App,
    job: &Job,
    scene: &Scene,
    plan: &Plan,
    what: &str,
) -> Result<(), Error> {
    let keys = keys(job, scene, plan);
    let trimmed = what.trim_start_matches('/');
    let whole = [what, trimmed].into_iter().find(|key| keys.contains(*key));
    if let Some(key) = whole.filter(|_| !what.contains("://")) {
        tell_key(app, job, scene, plan, key, None);
        return Ok(());
    }
    let path = path_of(what);
    let answering = answering(job, scene, &keys, &path);
    if answering.is_empty() && tell_url(app, plan, &path) {
        return Ok(());
    }
    if answering.is_empty() {
        return Err(Error::usage(format!(
            "neither the build nor the bucket has a key `{trimmed}`, and none of theirs answers at {path}"
        ))
        .hint("`unstale plan --verbose` names every key that changes, `unstale state show` every key that is live"));
    }
    for key in answering.iter().take(MOST) {
        tell_key(app, job, scene, plan, key.as_str(), Some(&path));
    }
    Ok(())
}

/// All keys of the site, before and after.
fn keys(job: &Job, scene: &Scene, plan: &Plan) -> BTreeSet<Key> {
    let mut keys: BTreeSet<Key> = scene.wanted(job).into_iter().map(|want| want.key).collect();
    keys.extend(plan.deletions.iter().map(|one| one.key.clone()));
    keys.extend(plan.foreign.iter().cloned());
    keys.extend(plan.vanished.iter().cloned());
    keys.extend(scene.remote.loaded.manifest.entries.keys().cloned());
    keys
}

/// A URL's path, decoded, with its leading slash and without query and fragment.
fn path_of(what: &str) -> String {
    let rest = what.split_once("://").map_or(what, |(_, rest)| {
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
    });
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{slash}{}", decoded(path))
}

fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// The keys that answer at a decoded path of some distribution.
fn answering(job: &Job, scene: &Scene, keys: &BTreeSet<Key>, path: &str) -> Vec<Key> {
    let mut found = Vec::new();
    for site in (scene.targets.found.iter()).filter_map(|found| found.site(job)) {
        for key in keys {
            let mut answers = false;
            site.visit_paths(key.as_str(), &mut |text, _, _| {
                answers |= decoded(text.trim_end_matches('?')) == path;
            });
            if answers && !found.contains(key) {
                found.push(key.clone());
            }
        }
    }
    found
}

/// A path at which no key answers, but something is purged: a redirect before an origin that does not redirect, or what a debt owes.
/// Whether there is such a thing.
fn tell_url(app: &App, plan: &Plan, path: &str) -> bool {
    let each = plan.purges.iter();
    let told: Vec<(&str, Explanation)> = each
        .map(|one| (one.target.as_str(), of(one, path)))
        .filter(|(_, told)| told.reason.is_some() || told.spared.is_some())
        .collect();
    if told.is_empty() {
        return false;
    }
    app.printer.line(&shown(path));
    for (target, explanation) in &told {
        app.printer.explain(target, explanation);
    }
    app.printer.json(&serde_json::json!({
        "type": "explained", "key": null, "fate": null, "rules": [], "paths": [path],
    }));
    true
}

fn tell_key(app: &App, job: &Job, scene: &Scene, plan: &Plan, key: &str, path: Option<&str>) {
    let rules = scene.explain_headers(job, key);
    let fate = fate(job, scene, plan, key);
    let printer = &app.printer;
    printer.line(&shown(key));
    for line in std::iter::once(&fate).chain(&rules) {
        printer.prose(line, "  ", "    ");
    }
    let mut paths = Vec::new();
    for (target, explanation) in purges(job, scene, plan, key, path) {
        paths.push(explanation.path.clone());
        printer.explain(&target, &explanation);
    }
    if scene.targets.found.is_empty() {
        printer.line("  no distribution is known, so nothing is purged");
    }
    printer.json(&serde_json::json!({
        "type": "explained", "key": key, "fate": fate, "rules": rules, "paths": paths,
    }));
}

/// What happens to a key, and why.
fn fate(job: &Job, scene: &Scene, plan: &Plan, key: &str) -> String {
    let known = scene.remote.loaded.manifest.entries.get(key);
    if let Some(change) = plan.changes.iter().find(|one| one.key.as_str() == key) {
        return format!("{}: {}", changed(scene, change), how(&change.action));
    }
    if let Some(gone) = plan.deletions.iter().find(|one| one.key.as_str() == key) {
        let when = if gone.page {
            ""
        } else {
            " once the purge is done"
        };
        return format!("removed: the build no longer has it, so it is deleted{when}");
    }
    let has = |keys: &[Key]| keys.iter().any(|one| one.as_str() == key);
    if has(&plan.foreign) {
        return "foreign: nobody deployed it from here, so it is left alone (--adopt takes it over)".into();
    }
    let days = |since: i64| {
        let kept = i64::try_from(job.retain.as_secs()).unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(since.saturating_add(kept)).unwrap_or_default()
    };
    if has(&plan.retained) {
        return "retained: it left the build, and stays for pages that are still open".into();
    }
    if has(&plan.returned) {
        return "returned: the build has it again, and the bucket had it still".into();
    }
    if has(&plan.vanished) {
        return "vanished: it was deployed from here, and somebody else deleted it".into();
    }
    match known.map(|entry| entry.life) {
        Some(Life::Retained { since }) => format!(
            "retained: it left the build, and stays until {} for pages that are still open",
            days(since)
        ),
        Some(Life::Tombstone { until }) => format!(
            "deleted: an edge may hold a copy until {}",
            jiff::Timestamp::from_second(until).unwrap_or_default()
        ),
        _ if has(&adopted(plan)) => "unchanged: it is as it should be, and is taken over".into(),
        _ => "unchanged: the bucket has it as the build does".into(),
    }
}

fn adopted(plan: &Plan) -> Vec<Key> {
    plan.adopted.iter().map(|one| one.key.clone()).collect()
}

fn how(action: &Action) -> String {
    match action {
        Action::Upload => "it is uploaded".into(),
        Action::SetHeaders => "they are set by a copy onto itself, without an upload".into(),
        Action::CopyFrom { key, .. } => format!("its bytes are copied from {key}"),
        Action::Restore { version, .. } => format!("its version {version} is copied back"),
    }
}

fn changed(scene: &Scene, change: &Change) -> String {
    match (change.reason, &change.before) {
        (Reason::New, _) => "new: the bucket has no such object".into(),
        (Reason::Content, Some(before)) => {
            format!("content: the bucket has {before}, the build {}", change.md5)
        }
        (Reason::Headers, _) => format!("headers: {}", differing(scene, change)),
        (Reason::Forced, _) => "forced: --force uploads everything".into(),
        (reason, _) => reason.word().into(),
    }
}

/// The headers that are other than they were, as far as the manifest knows.
fn differing(scene: &Scene, change: &Change) -> String {
    let manifest = &scene.remote.loaded.manifest;
    let entry = manifest.entries.get(&change.key);
    let Some(was) = entry.and_then(|entry| manifest.tables.served(entry.served)) else {
        return "they are not those wanted".into();
    };
    let Headers {
        cache_control,
        content_type,
        redirect,
        ..
    } = &*change.headers;
    let shown = |value: &Option<String>| value.as_deref().unwrap_or("none").to_owned();
    let differing: Vec<String> = [
        ("cache-control", &was.cache_control, cache_control),
        ("content-type", &was.content_type, content_type),
        ("redirect", &was.redirect, redirect),
    ]
    .into_iter()
    .filter(|(_, was, is)| was != is)
    .map(|(name, was, is)| format!("{name} was `{}`, is `{}`", shown(was), shown(is)))
    .collect();
    match differing.is_empty() {
        true => "some besides cache-control and content-type differ".into(),
        false => differing.join(", "),
    }
}

/// What becomes of each path of a key, or of one path alone.
fn purges(
    job: &Job,
    scene: &Scene,
    plan: &Plan,
    key: &str,
    only: Option<&str>,
) -> Vec<(String, Explanation)> {
    let mut all = Vec::new();
    for found in &scene.targets.found {
        let Some(purge) = plan.purges.iter().find(|one| one.target == found.id()) else {
            continue;
        };
        let Some(site) = found.site(job) else {
            all.push((purge.target.clone(), of(purge, only.unwrap_or(key))));
            continue;
        };
        for path in request_paths(&site, key) {
            let bare = decoded(path.text.trim_end_matches('?'));
            if only.is_none_or(|only| only == bare) {
                all.push((purge.target.clone(), of(purge, &path.text)));
            }
        }
    }
    all
}

/// What the first purge, or else the one after removed assets, makes of a path.
fn of(purge: &TargetPurge, path: &str) -> Explanation {
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
        for (what, path) in [
            ("https://x.example", "/"),
            ("https://x.example/a%20b/?c=d#e", "/a b/"),
            ("/na%C3%AFve", "/naïve"),
            ("posts/a/", "/posts/a/"),
        ] {
            assert_eq!(path_of(what), path);
        }
    }
}
