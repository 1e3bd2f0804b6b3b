//! Plans that tests write in several ways.

use std::collections::BTreeSet;

use super::PlanContext;
use crate::edge::{Cover, Money, Pattern, PurgeChoice};
use crate::object::{ETag, Headers, Key, Md5};
use crate::plan::order::UploadRank;
use crate::plan::{Change, ChangeAction, Deletion, DistributionPurge, Plan, Reason, ResentPaths};

pub(super) fn change(key: &str, reason: Reason, action: ChangeAction, size: u64) -> Change {
    let headers = Headers::default();
    let fingerprint = headers.fingerprint();
    Change {
        key: Key::new(key),
        action,
        reason,
        size,
        md5: Md5([0; 16]),
        headers: headers.into(),
        fingerprint,
        rank: UploadRank::LivePage,
        before: None,
    }
}

pub(super) fn deletion(key: &str) -> Deletion {
    Deletion {
        key: Key::new(key),
        etag: ETag::parse("x"),
        size: 1,
        page: true,
        fingerprinted: false,
        retained: false,
    }
}

pub(super) fn cover(patterns: &[(&str, u64, u64)], cost: u64) -> Cover {
    let pattern = |(text, changed, unchanged): &(&str, u64, u64)| Pattern {
        text: (*text).to_owned(),
        changed: *changed,
        unchanged: *unchanged,
        needless: *unchanged,
        foreign: 0,
        empties: Vec::new(),
        tag: None,
    };
    let patterns: Vec<Pattern> = patterns.iter().map(pattern).collect();
    let wildcards = patterns
        .iter()
        .filter(|pattern| pattern.is_wildcard())
        .count() as u64;
    let free = if cost == 0 { patterns.len() as u64 } else { 0 };
    Cover {
        patterns,
        wildcards,
        free,
        path_cost: Money(cost),
        ..Cover::default()
    }
}

pub(super) fn purge(sent: Cover, exact: Cover, all: Cover) -> PurgeChoice {
    PurgeChoice {
        cover: sent,
        exact,
        all,
        ..PurgeChoice::default()
    }
}

pub(super) fn context() -> PlanContext {
    PlanContext {
        bucket: "site".to_owned(),
        prefix: "docs/".to_owned(),
        names: vec![("E123".to_owned(), "www.example.com".to_owned())],
        free_left: Some(989),
        trusted: BTreeSet::new(),
        refused: Vec::new(),
    }
}

pub(super) fn small() -> Plan {
    let sent = cover(&[("/index.html", 1, 0), ("/posts/*", 12, 3)], 0);
    let exact: Vec<String> = (0..13)
        .map(|number| format!("/posts/{number}.html"))
        .collect();
    let exact: Vec<(&str, u64, u64)> = exact.iter().map(|path| (path.as_str(), 1, 0)).collect();
    let all = cover(&[("/*", 13, 301)], 0);
    Plan {
        changes: vec![
            change("style.css", Reason::Headers, ChangeAction::SetHeaders, 900),
            change(
                "a\u{1b}한글.html",
                Reason::Content,
                ChangeAction::Upload,
                12_000,
            ),
            change(
                "index.html",
                Reason::Content,
                ChangeAction::Upload,
                1_200_000,
            ),
            change(
                "img/b.png",
                Reason::New,
                ChangeAction::CopyFrom {
                    key: Key::new("img/a.png"),
                    etag: ETag::parse("x"),
                },
                90_000,
            ),
            change("posts/new.html", Reason::New, ChangeAction::Upload, 4200),
        ],
        deletions: vec![deletion("old.html")],
        foreign: ["a", "b", "c", "d"].map(Key::new).to_vec(),
        retained: vec![Key::new("app.0a1b2c3d.js")],
        unchanged: 1298,
        purges: vec![DistributionPurge {
            resent: ResentPaths::default(),
            target: "E123".to_owned(),
            purge: purge(sent, cover(&exact, 0), all),
            after: purge(
                cover(&[("/old.png", 1, 0)], 5_000_000),
                Cover::default(),
                Cover::default(),
            ),
        }],
        warnings: vec!["a warning".to_owned()],
        ..Plan::default()
    }
}
