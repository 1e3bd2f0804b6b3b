//! Hugo's `[deployment]` (Hugo's documentation, "Configure deployment").

use serde_json::json;

use super::carried::{CarriedKeys, CarriedSettings};
use super::pattern;
use super::tables::{CHECKED, HUGO, HUGO_TARGET, row};
use super::tools::{carry, first_match};
use super::value::{ForeignTable, ForeignValue, plain_name};

/// Reads Hugo's `[deployment]`.
pub(super) fn read(deployment: &ForeignValue, carried: &mut CarriedSettings) {
    carry(deployment.entries(), HUGO, carried);
    let mut rules = Vec::new();
    for (number, matcher) in deployment.items_of("matchers").iter().enumerate() {
        let what = format!("matchers, number {}", number + 1);
        let is_header =
            |name: &str| !["pattern", "gzip", "force"].contains(&plain_name(name).as_str());
        let headers = matcher.entries().iter().filter(|(name, _)| is_header(name));
        let headers: ForeignTable = headers.cloned().collect();
        rules.extend(first_match(&what, "pattern", (matcher, &headers), carried));
        if matcher.get("force").is_some() {
            carried.leave(&format!("{what}, force"), CHECKED);
        }
    }
    carried.first_matches(rules);
    let mut targets: Vec<_> = deployment.items_of("targets").iter().collect();
    let usual = deployment.get("target");
    targets.sort_by_key(|target| usual.is_none() || target.get("name") != usual);
    for target in targets {
        hugo_target(target, carried);
    }
}

/// Takes the first target for the top level, and others for `[env.NAME]`.
fn hugo_target(target: &ForeignValue, carried: &mut CarriedSettings) {
    let name = target.text_of("name");
    let what = format!("target {}", name.as_deref().unwrap_or("without a name"));
    let url = target.text_of("url").unwrap_or_default();
    let Some(address) = url.strip_prefix("s3://") else {
        return carried.leave(&what, &format!("it is not in S3: {url}"));
    };
    let (bucket, query) = address.split_once('?').unwrap_or((address, ""));
    let mut keys = vec![("bucket", ForeignValue::text(bucket.trim_end_matches('/')))];
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
        match key {
            "region" | "prefix" | "profile" => keys.push((key, ForeignValue::text(value))),
            "endpoint" => keys.push(("endpoint-url", ForeignValue::text(value))),
            "s3ForcePathStyle" | "use_path_style" => {
                keys.push(("path-style", ForeignValue::Single(json!(value == "true"))))
            }
            _ => carried.leave(
                &format!("{what}, {key} in its URL"),
                "this key is not known here",
            ),
        }
    }
    if let Some(id) = target.get("cloudFrontDistributionID") {
        keys.push(("distribution", id.clone()));
    }
    for (key, _) in target.entries() {
        if let Some(why) = row(HUGO_TARGET, key).filter(|why| !why.is_empty()) {
            carried.leave(&format!("{what}, {key}"), why);
        }
    }
    let is_first = carried.key("bucket").is_none();
    if let Some(pattern) = target.text_of("exclude") {
        match pattern::of_path_glob(&pattern).filter(|_| is_first) {
            Some(globs) => carried.exclude(globs),
            None if is_first => {
                carried.leave(&what, &format!("no glob says its exclude `{pattern}`"))
            }
            None => {}
        }
    }
    if is_first {
        return keys
            .iter()
            .for_each(|(key, value)| carried.carry(&what, key, value));
    }
    let said = keys
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), carried.said(&what, key, &value)?)));
    let said: CarriedKeys = said.collect();
    carried.targets.push((name, said));
}
