//! What a plan makes of build, bucket, manifest and what deploys before left open, a line a case.

use std::collections::HashMap;
use std::sync::Arc;

use super::open::{OpenDeploys, OpenRecords};
use super::order::LiveStage;
use super::*;
use crate::edge::{Behavior, Distribution, Origin, PurgeMode, PurgePrices, ShownSite};
use crate::object::entry::ManifestEntry;
use crate::object::journal::{
    Journal, JournaledPurge, OpenJournal, PurgeBatch, TouchAction, TouchedKey,
};
use crate::object::manifest::{DeployId, DeployRef, ServedHeaders};

/// The manifest's deploy ended then; a dead one began then and wrote nothing after its end.
const ENDED: i64 = 1_000;
const BEGAN: i64 = 2_000;
const DIED: i64 = 2_060;
const NOW: i64 = 3_000;

fn md5(content: u8) -> Md5 {
    Md5([content; 16])
}

/// Contents are numbers, and 0 is none. `told` is the manifest's, `meant` a dead deploy's, `there` the bucket's with the time at
/// which it was written, `built` the build's.
#[derive(Clone, Copy, Default)]
struct Case {
    told: u8,
    meant: Option<u8>,
    there: (u8, i64),
    built: u8,
}

fn manifest(told: u8) -> Manifest {
    let mut manifest = Manifest::default();
    if told > 0 {
        let served = manifest.tables.serve(ServedHeaders::default());
        let deploy = manifest.tables.deploy(DeployRef {
            id: DeployId::new("last"),
            at: ENDED,
        });
        let etag = ETag::Md5(md5(told));
        let headers = Headers::default().fingerprint();
        let entry = ManifestEntry::new(etag, headers, served, [deploy; 2]);
        manifest.entries.insert(Key::new("a.html"), entry);
    }
    manifest
}

/// The journal of a deploy that died; its batches are recorded if `purges`.
fn journal(meant: u8, purges: bool) -> OpenJournal {
    let touched = TouchedKey {
        key: Key::new("a.html"),
        action: if meant > 0 {
            TouchAction::Put
        } else {
            TouchAction::Delete
        },
        etag: (meant > 0).then(|| ETag::Md5(md5(meant))),
        digest: None,
        size: u64::from(meant),
        headers: Some(Headers::default().fingerprint()),
        failed: false,
    };
    let batch = PurgeBatch {
        reference: "old".into(),
        paths: vec!["/a.html".into()],
        late: false,
    };
    let owed = JournaledPurge {
        paths: Vec::new(),
        batches: if purges { vec![batch] } else { Vec::new() },
    };
    OpenJournal {
        id: DeployId::new("dead"),
        at: BEGAN,
        until: DIED,
        journal: Ok(Journal {
            keys: vec![touched],
            purges: [("E1".to_owned(), owed)].into(),
        }),
    }
}

fn planned(case: Case, purges: bool) -> (Result<Plan, usize>, bool) {
    let manifest = manifest(case.told);
    let etag = ETag::Md5(md5(case.there.0));
    let object = (case.there.0 > 0).then(|| BucketObject {
        key: "a.html",
        size: u64::from(case.there.0),
        etag: &etag,
        modified: Some(case.there.1),
    });
    let journals: Vec<OpenJournal> = case
        .meant
        .map(|meant| journal(meant, purges))
        .into_iter()
        .collect();
    let mut open = OpenDeploys::new(&OpenRecords {
        journals: &journals,
        targets: &["E1".to_owned()],
        pays: true,
        ..OpenRecords::default()
    });
    // S3 says that the object has the headers that everybody sets here.
    let answered = HeadAnswer {
        answer: crate::object::diff::ComparisonAnswer {
            same_content: Some(case.there.0 == case.built),
            same_headers: Some(true),
        },
        ..HeadAnswer::default()
    };
    let answers: HashMap<Key, HeadAnswer> = [(Key::new("a.html"), answered)].into();
    open.settle(|_| object, &answers);
    let resends = !open.resend.is_empty();
    let distribution = Distribution {
        origins: vec![Origin {
            id: "s3".into(),
            ..Origin::default()
        }],
        behaviors: vec![Behavior {
            pattern: "*".into(),
            origins: vec!["s3".into()],
            ..Behavior::default()
        }],
        ..Distribution::default()
    };
    let told = crate::object::manifest::ToldDistribution {
        config: 7,
        since: ENDED,
        tags_since: None,
    };
    let targets = [TargetFacts {
        id: "E1".into(),
        site: Some(ShownSite::new(&distribution, vec!["s3".to_owned()])),
        unreadable: None,
        config: 7,
        tags: false,
        told: Some(&told),
        owed: Vec::new(),
        resend: u64::from(resends),
        prices: PurgePrices {
            mode: PurgeMode::Exact,
            ..PurgePrices::default()
        },
    }];
    let facts = PlanFacts {
        manifest: &manifest,
        open: &open,
        answers: &answers,
        targets: &targets,
        now: NOW,
        retain: 0,
        sweep: false,
        keep_since: None,
        delete: true,
        adopt: false,
        force: false,
        is_page: &|_| true,
        is_fingerprinted: &|_| false,
        is_asset: &|_| false,
    };
    let want = (case.built > 0).then(|| WantedObject {
        key: Key::new("a.html"),
        size: u64::from(case.built),
        md5: md5(case.built),
        parts: None,
        headers: Arc::default(),
        fingerprint: Headers::default().fingerprint(),
        stage: LiveStage::Page,
        fingerprinted: false,
        asset: false,
        tags: None,
        version: None,
    });
    let made = make(&facts, want.into_iter(), object.into_iter());
    (made.map_err(|asks| asks.len()), resends)
}

/// What a plan does with the key, and whether it purges it.
fn told(case: Case) -> (&'static str, bool) {
    let (plan, _) = planned(case, false);
    let plan = plan.expect("nothing left to ask");
    let action = match (&plan.changes[..], &plan.deletions[..]) {
        ([change], []) if change.before.is_none() => "put",
        ([_], []) => "overwrite",
        ([], [_]) => "delete",
        ([], []) if !plan.foreign.is_empty() => "leave",
        ([], []) => "keep",
        _ => "more than one key",
    };
    let paths: Vec<&str> = plan.purges[0].purge.cover.texts().collect();
    assert!(paths.is_empty() || paths == ["/a.html"], "{paths:?}");
    (action, !paths.is_empty())
}

const PURGED: bool = true;
const SPARED: bool = false;
const OURS: i64 = ENDED - 10;
const DEADS: i64 = BEGAN + 10;
const HAND: i64 = NOW - 10;

#[test]
fn without_a_dead_deploy_what_was_told_and_what_lies_there_decide() {
    for (told_before, there, built, expected) in [
        (0, (0, 0), 1, ("put", SPARED)),
        (1, (1, OURS), 1, ("keep", SPARED)),
        (1, (1, OURS), 2, ("overwrite", PURGED)),
        (1, (1, OURS), 0, ("delete", PURGED)),
        // Somebody took it away: errors, which are not kept for long.
        (1, (0, 0), 1, ("put", SPARED)),
        (1, (0, 0), 2, ("put", PURGED)),
        (1, (0, 0), 0, ("keep", PURGED)),
        // Somebody wrote over it, the same bytes too.
        (1, (3, HAND), 1, ("overwrite", PURGED)),
        (1, (1, HAND), 1, ("keep", PURGED)),
        (1, (3, HAND), 3, ("keep", PURGED)),
        (1, (3, HAND), 0, ("leave", PURGED)),
        // Nobody here ever told of it.
        (0, (3, HAND), 3, ("keep", PURGED)),
        (0, (3, HAND), 1, ("overwrite", PURGED)),
        (0, (3, HAND), 0, ("leave", SPARED)),
        (0, (0, 0), 0, ("keep", SPARED)),
    ] {
        let case = Case {
            told: told_before,
            meant: None,
            there,
            built,
        };
        assert_eq!(told(case), expected, "{told_before} {there:?} {built}");
    }
}

#[test]
fn what_a_dead_deploy_put_or_meant_to_may_be_at_the_edges() {
    for (told_before, meant, there, built, expected) in [
        // It died before it put anything, or after.
        (1, 2, (1, OURS), 1, ("keep", PURGED)),
        (1, 2, (1, OURS), 2, ("overwrite", PURGED)),
        (1, 2, (2, DEADS), 2, ("keep", PURGED)),
        (1, 2, (2, DEADS), 1, ("overwrite", PURGED)),
        (1, 2, (2, DEADS), 0, ("delete", PURGED)),
        // A page of its own.
        (0, 2, (2, DEADS), 2, ("keep", SPARED)),
        (0, 2, (2, DEADS), 3, ("overwrite", PURGED)),
        (0, 2, (2, DEADS), 0, ("delete", PURGED)),
        // Gone again, by hand.
        (0, 2, (0, 0), 0, ("keep", PURGED)),
        (0, 2, (0, 0), 2, ("put", SPARED)),
        (0, 2, (0, 0), 3, ("put", PURGED)),
        // Written over by hand: with others' bytes, or with the same.
        (1, 2, (3, HAND), 2, ("overwrite", PURGED)),
        (1, 2, (3, HAND), 3, ("keep", PURGED)),
        (0, 2, (2, HAND), 2, ("keep", PURGED)),
        (0, 2, (3, HAND), 0, ("leave", PURGED)),
        // It deleted, or meant to.
        (1, 0, (0, 0), 0, ("keep", PURGED)),
        (1, 0, (0, 0), 1, ("put", SPARED)),
        (1, 0, (1, OURS), 1, ("keep", SPARED)),
        (1, 0, (1, OURS), 0, ("delete", PURGED)),
    ] {
        let case = Case {
            told: told_before,
            meant: Some(meant),
            there,
            built,
        };
        let line = format!("{told_before} {meant} {there:?} {built}");
        assert_eq!(told(case), expected, "{line}");
    }
}

#[test]
fn a_recorded_purge_goes_again_where_all_is_as_it_was_meant_to_be() {
    for (told_before, meant, there, built, expected) in [
        // Nothing else is owed then.
        (1, 2, (2, DEADS), 2, Some(SPARED)),
        (1, 2, (2, DEADS), 3, Some(PURGED)),
        (1, 0, (0, 0), 0, Some(SPARED)),
        // It is not as meant: what it owed is folded into the next purge.
        (1, 2, (1, OURS), 1, None),
        (1, 2, (3, HAND), 3, None),
        (1, 0, (1, OURS), 0, None),
    ] {
        let case = Case {
            told: told_before,
            meant: Some(meant),
            there,
            built,
        };
        let line = format!("{told_before} {meant} {there:?} {built}");
        let (plan, resends) = planned(case, true);
        assert_eq!(resends, expected.is_some(), "{line}");
        let owes = plan.unwrap().purges[0].purge.cover.texts().count() > 0;
        assert_eq!(owes, expected.unwrap_or(PURGED), "{line}");
    }
}
