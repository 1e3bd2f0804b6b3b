//! Which lifecycle rules of the bucket delete the site or its state, or put them where nobody can read them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::finding::CheckUp;
use crate::aws::{LifecycleEffect, LifecycleFact};
use crate::error::Error;
use crate::job::Job;
use crate::survey::SiteLocation;

/// What a rule takes of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RuleReach {
    Nothing,
    /// The files of a folder, or those of a tag.
    Some,
    /// Every file, or anything of the state.
    All,
}

/// What rules are held against.
#[derive(Debug, Clone, Copy)]
struct ReachedSite<'a> {
    /// The site's prefix.
    prefix: &'a str,
    /// The state's folder; `None`: it lies in another bucket.
    state: Option<&'a str>,
    /// The build; empty where there is none.
    dir: &'a Path,
    /// Those that rules for headers give objects.
    tags: &'a [&'a BTreeMap<String, String>],
}

/// Looks at all rules.
pub(super) async fn examine(check: &mut CheckUp, place: &SiteLocation, job: &Job) {
    const BUCKET: &str = "bucket";
    let rules = match place.bucket.lifecycle().await {
        Ok(rules) => rules,
        Err(error) => return check.unread(BUCKET, "lifecycle rules", &error),
    };
    let headers = job.settings.headers.iter();
    let tags: Vec<_> = headers.map(|header| &header.rule.tags).collect();
    let site = ReachedSite {
        prefix: &place.prefix,
        state: (place.store.bucket.name() == place.bucket.name()).then_some(&*place.store.root),
        dir: &job.dir,
        tags: &tags,
    };
    let mut is_fine = true;
    for rule in &rules {
        let (takes, remedy) = told(rule);
        match reach(rule, site) {
            RuleReach::Nothing => continue,
            RuleReach::Some => {
                check.warn(
                    BUCKET,
                    format!("{takes}, of which the site has some"),
                    remedy,
                );
            }
            RuleReach::All => {
                let text = format!("{takes}: the site or its state in {}", place.url());
                check.problem(BUCKET, Error::failed(text).hint(remedy));
            }
        }
        is_fine = false;
    }
    if is_fine {
        let more = if site.state.is_some() {
            " or its state"
        } else {
            ""
        };
        check.fine(
            BUCKET,
            format!("no lifecycle rule deletes or archives the site{more}"),
        );
    }
}

/// Judges what a rule takes of a site. A size counts for nothing: files are of all sizes.
fn reach(rule: &LifecycleFact, site: ReachedSite<'_>) -> RuleReach {
    let prefix = rule.prefix.as_str();
    // The state has no tags.
    if !rule.tags.is_empty() {
        let has_all = |tags: &BTreeMap<String, String>| {
            let mut wanted = rule.tags.iter();
            wanted.all(|(name, value)| tags.get(name) == Some(value))
        };
        let overlaps = site.prefix.starts_with(prefix) || prefix.starts_with(site.prefix);
        let is_tagged = site.tags.iter().any(|tags| has_all(tags));
        return if overlaps && is_tagged {
            RuleReach::Some
        } else {
            RuleReach::Nothing
        };
    }
    let meets = |state: &str| state.starts_with(prefix) || prefix.starts_with(state);
    if site.prefix.starts_with(prefix) || site.state.is_some_and(meets) {
        return RuleReach::All;
    }
    match prefix.strip_prefix(site.prefix) {
        Some(folder) if has_files(site.dir, folder) => RuleReach::Some,
        _ => RuleReach::Nothing,
    }
}

/// Tells whether a build has files whose keys begin so.
fn has_files(dir: &Path, start: &str) -> bool {
    if dir.as_os_str().is_empty() {
        return false;
    }
    let (folder, start) = start.rsplit_once('/').unwrap_or(("", start));
    let entries = fs::read_dir(dir.join(folder)).into_iter().flatten();
    let mut names = entries.flatten().map(|entry| entry.file_name());
    names.any(|name| name.to_string_lossy().starts_with(start))
}

/// Says what a rule does to which objects, and what to do about it.
fn told(rule: &LifecycleFact) -> (String, &'static str) {
    let name = match rule.name.as_str() {
        "" => "a lifecycle rule without a name".to_owned(),
        name => format!("the lifecycle rule {name}"),
    };
    let objects = match (rule.prefix.as_str(), rule.tags.is_empty()) {
        ("", true) => "all objects".to_owned(),
        ("", false) => "objects of a tag".to_owned(),
        (prefix, true) => format!("objects under {prefix}"),
        (prefix, false) => format!("objects of a tag under {prefix}"),
    };
    match &rule.effect {
        LifecycleEffect::Deletes => (
            format!("{name} deletes {objects}"),
            "have it expire noncurrent versions alone, or other prefixes: unchanged files are not uploaded again, so that they vanish",
        ),
        LifecycleEffect::Archives(class) => (
            format!("{name} moves {objects} to {class}, which nobody can read at once"),
            "have it move noncurrent versions alone, other prefixes, or to GLACIER_IR: of archived files viewers get an error",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(prefix: &str) -> LifecycleFact {
        LifecycleFact {
            name: "tidy".to_owned(),
            prefix: prefix.to_owned(),
            tags: Vec::new(),
            effect: LifecycleEffect::Deletes,
        }
    }

    #[test]
    fn a_rule_takes_the_whole_site_its_state_or_a_folder_that_is_built() {
        let build = tempfile::tempdir().unwrap();
        fs::create_dir_all(build.path().join("old/posts")).unwrap();
        for (prefix, expected) in [
            ("", RuleReach::All),
            ("docs/", RuleReach::All),
            ("docs/.unstale/history/", RuleReach::All),
            ("do", RuleReach::All),
            ("logs/", RuleReach::Nothing),
            ("docs2/", RuleReach::Nothing),
            ("docs/old/", RuleReach::Some),
            ("docs/ol", RuleReach::Some),
            ("docs/older/", RuleReach::Nothing),
            ("docs/old/posts", RuleReach::Some),
        ] {
            let site = ReachedSite {
                prefix: "docs/",
                state: Some("docs/.unstale/"),
                dir: build.path(),
                tags: &[],
            };
            assert_eq!(reach(&rule(prefix), site), expected, "{prefix}");
        }
    }

    #[test]
    fn a_rule_for_tags_takes_what_is_given_all_of_them() {
        let given = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        for (prefix, tags, expected) in [
            ("", vec![("a", "1")], RuleReach::Some),
            ("docs/x", vec![("a", "1")], RuleReach::Some),
            ("logs/", vec![("a", "1")], RuleReach::Nothing),
            ("", vec![("a", "2")], RuleReach::Nothing),
            ("", vec![("a", "1"), ("b", "1")], RuleReach::Nothing),
        ] {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let tagged = LifecycleFact {
                tags: tags.iter().map(owned).collect(),
                ..rule(prefix)
            };
            let site = ReachedSite {
                prefix: "docs/",
                state: Some("docs/.unstale/"),
                dir: Path::new(""),
                tags: &[&given],
            };
            assert_eq!(reach(&tagged, site), expected, "{prefix} {tags:?}");
        }
    }
}
