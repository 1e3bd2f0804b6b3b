use std::collections::BTreeMap;

use super::server::BEGIN;
use super::{
    STATE, alter, begin, deploy, digest, ending, id, journal, read, recent, store, touched,
};
use crate::object::entry::EntryLife;
use crate::object::journal::OwedPaths;
use crate::object::{ETag, HeaderFingerprint, Headers, Key};
use crate::state::history::{HistoryRecord, KeyChange, PastObject, PastOutcome, PastPurge};
use crate::state::object::{Document, StateObject};
use crate::state::{StateError, VERSION};

const JOURNALS: &str = "site/.unstale/journal/";
const NOW: i64 = BEGIN as i64;

fn owed() -> OwedPaths {
    OwedPaths::from([("E1".to_owned(), vec!["/".to_owned(), "/a b".to_owned()])])
}

#[tokio::test]
async fn damage_anywhere_in_the_state_is_told_and_never_read() {
    let (server, store) = store().await;
    begin(&store, "a", Some(&journal(3))).await;
    let whole = server.body(STATE).to_vec();
    for place in 0..whole.len() {
        let cut = StateObject::from_bytes(&whole[..place]);
        assert!(cut.is_err(), "cut at {place}");
        for flip in [0x01, 0x20, 0x55, 0x80] {
            let mut bytes = whole.clone();
            bytes[place] ^= flip;
            // The digit of the version is in no digest, but it makes no other content.
            let same = StateObject::from_bytes(&whole).unwrap();
            let flipped = StateObject::from_bytes(&bytes);
            assert!(!flipped.is_ok_and(|read| read != same), "{place} ^ {flip}");
        }
    }
    let flipped = |place: usize| {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        bytes
    };
    let mut broken = vec![
        Vec::new(),
        whole[..1].to_vec(),
        whole[..whole.len() - 1].to_vec(),
    ];
    broken.extend((0..whole.len()).step_by(37).map(flipped));
    broken.push([whole.as_slice(), b"}"].concat());
    broken.push(b"{\"version\":1}".to_vec());
    broken.push(b"{\"version\":1,\"checksum\":\"\",\"counter\":1}".to_vec());
    for bytes in broken {
        server.put(STATE, bytes.clone()).await;
        let error = store.read_state().await.unwrap_err();
        assert!(
            matches!(&error, StateError::Corrupt { object, .. } if object.ends_with("/state")),
            "{error}: {}",
            String::from_utf8_lossy(&bytes)
        );
        assert!(store.force_unlock().await.is_err());
    }
}

#[tokio::test]
async fn a_state_of_a_newer_version_is_refused_whatever_else_it_says() {
    let (server, store) = store().await;
    let body = format!("{{\"version\":{},\"everything\":\"else\"}}", VERSION + 1);
    server.put(STATE, body).await;
    let error = store.read_state().await.unwrap_err();
    assert!(matches!(error, StateError::Newer { version, .. } if version == VERSION + 1));
    assert!(error.to_string().contains("newer unstale"));
}

#[tokio::test]
async fn a_state_with_fields_that_nobody_knows_is_read() {
    let (server, store) = store().await;
    begin(&store, "a", None).await;
    let whole = String::from_utf8(server.body(STATE).to_vec()).unwrap();
    let (_, rest) = whole.split_once("\"counter\"").unwrap();
    let rest = format!("\"later\":[1],\"counter\"{rest}");
    let checksum = crate::state::md5_of(rest.as_bytes());
    let text = format!("{{\"version\":{VERSION},\"checksum\":\"{checksum}\",{rest}");
    server.put(STATE, text).await;
    assert_eq!(read(&store).await.object.lease.unwrap().deploy, id("a"));
}

#[tokio::test]
async fn the_state_of_another_site_is_refused() {
    let (server, store) = store().await;
    begin(&store, "a", None).await;
    for (bucket, prefix) in [("bucket", "other/"), ("other", "site/"), ("bucket", "")] {
        let mut other = store.clone();
        other.site = (bucket.to_owned(), prefix.to_owned());
        let error = other.read_state().await.unwrap_err();
        assert!(matches!(
            error,
            StateError::OtherSite { bucket, prefix, .. } if bucket == "bucket" && prefix == "site/"
        ));
        assert!(other.force_unlock().await.is_err());
    }
    alter(&server, |state| state.prefix = "elsewhere/".to_owned()).await;
    let error = store.read_state().await.unwrap_err();
    assert!(matches!(error, StateError::OtherSite { prefix, .. } if prefix == "elsewhere/"));
}

#[tokio::test]
async fn a_small_journal_lies_in_the_state_and_a_large_one_in_a_file() {
    let (server, store) = store().await;
    let (small, large) = (journal(3), journal(2000));
    let lease = begin(&store, "a", Some(&small)).await;
    assert!(server.keys(JOURNALS).is_empty());
    server.advance(5);
    read(&store).await;
    lease.begin(&id("b"), "public", &large).await.unwrap();
    assert_eq!(server.keys(JOURNALS).len(), 1);
    let observed = read(&store).await;
    let open = &observed.object.open;
    assert!(matches!(open[0].journal, Document::Inline(_)));
    assert!(matches!(open[1].journal, Document::File(_)));
    let left = store.read_open(&observed).await.unwrap();
    assert!(left.warnings.is_empty() && left.unpaid.is_empty() && left.suspects.is_empty());
    let [first, second] = left.journals.as_slice() else {
        panic!("{left:?}");
    };
    assert_eq!((&first.id, &second.id), (&id("a"), &id("b")));
    assert_eq!((first.at, first.until), (NOW, NOW + 5));
    assert_eq!((second.at, second.until), (NOW + 5, NOW + 65));
    assert!(first.journal.as_ref() == Ok(&small) && second.journal.as_ref() == Ok(&large));
    lease.note(&id("a"), &large).await.unwrap();
    lease.note(&id("b"), &small).await.unwrap();
    let left = store.read_open(&read(&store).await).await.unwrap();
    assert!(left.journals[0].journal.as_ref() == Ok(&large));
    assert!(left.journals[1].journal.as_ref() == Ok(&small));
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_is_still_an_open_deploy() {
    let (server, store) = store().await;
    let lease = begin(&store, "a", Some(&journal(2000))).await;
    lease.begin(&id("b"), "public", &journal(3)).await.unwrap();
    let file = server.keys(JOURNALS).remove(0);
    let whole = server.body(&file);
    for broken in [Some(0), Some(whole.len() / 2), Some(whole.len() - 1), None] {
        match broken {
            Some(length) => server.put(&file, whole.slice(..length)).await,
            None => server.remove(&file),
        }
        let left = store.read_open(&read(&store).await).await.unwrap();
        let why = left.journals[0].journal.as_ref().unwrap_err();
        assert!(why.contains("is damaged"), "{why}");
        assert_eq!(left.journals[1].journal, Ok(journal(3)));
    }
    server.put(&file, whole).await;
    server.damage(&file).await;
    alter(&server, |state| {
        state.open[1].journal = Document::Inline("AAAA".to_owned());
    })
    .await;
    let left = store.read_open(&read(&store).await).await.unwrap();
    assert!(left.journals.iter().all(|open| open.journal.is_err()));
}

#[tokio::test]
async fn a_journal_of_a_newer_version_is_refused() {
    let (server, store) = store().await;
    begin(&store, "a", Some(&journal(1))).await;
    let packed = zstd::encode_all(&b"{\"version\":9}\n{}"[..], 3).unwrap();
    let text = crate::aws::base64::encode(packed);
    alter(&server, |state| {
        state.open[0].journal = Document::Inline(text)
    })
    .await;
    let error = store.read_open(&read(&store).await).await.unwrap_err();
    assert!(matches!(error, StateError::Newer { version: 9, .. }));
}

#[tokio::test]
async fn an_end_strikes_what_it_says_and_gives_the_lease_back() {
    let (_server, store) = store().await;
    let lease = begin(&store, "a", Some(&journal(1))).await;
    for name in ["b", "c", "d"] {
        lease.begin(&id(name), "public", &journal(2)).await.unwrap();
    }
    let mut end = ending(&lease.state().await.unwrap().object, "d");
    end.struck = vec![id("a"), id("c")];
    end.unpaid = vec![(id("a"), "old".to_owned(), owed())];
    let ended = lease.end(end).await.unwrap();
    assert!(!lease.is_held());
    let observed = read(&store).await;
    assert_eq!(observed.object, ended);
    assert!(ended.lease.is_none());
    assert_eq!(ended.recent, [recent("d", ended.counter - 1)]);
    let left = store.read_open(&observed).await.unwrap();
    let open: Vec<_> = left.journals.iter().map(|open| open.id.clone()).collect();
    assert_eq!(open, [id("b")]);
    assert_eq!(left.unpaid[0].id, id("a"));
    assert_eq!(left.unpaid[0].source, "old");
    assert_eq!(left.unpaid[0].owed, Ok(owed()));
    // The next end says anew what is unpaid.
    let lease = begin(&store, "e", Some(&journal(1))).await;
    let end = ending(&lease.state().await.unwrap().object, "e");
    let ended = lease.end(end).await.unwrap();
    assert!(ended.unpaid.is_empty());
}

#[tokio::test]
async fn an_end_with_changes_unanswered_keeps_the_deploy_open_and_the_lease() {
    let (server, store) = store().await;
    let lease = begin(&store, "a", Some(&journal(5))).await;
    let mut end = ending(&lease.state().await.unwrap().object, "a");
    end.left = Some(journal(2));
    lease.end(end).await.unwrap();
    assert!(!lease.is_held());
    let observed = read(&store).await;
    assert_eq!(observed.holder(&store).unwrap().deploy, id("a"));
    assert_eq!(observed.object.recent.len(), 1);
    let left = store.read_open(&observed).await.unwrap();
    assert_eq!(left.journals[0].id, id("a"));
    assert_eq!(left.journals[0].journal, Ok(journal(2)));
    // The client's clock runs on while the server's stands.
    assert!((NOW + 60..NOW + 90).contains(&left.journals[0].until));
    server.set_now(200);
    assert!(read(&store).await.holder(&store).is_none());
}

#[tokio::test]
async fn suspects_are_told_until_their_time() {
    let (server, store) = store().await;
    let lease = begin(&store, "a", Some(&journal(1))).await;
    let mut end = ending(&lease.state().await.unwrap().object, "a");
    let many: Vec<_> = (0..2000).map(touched).collect();
    let few = vec![touched(1), touched(2)];
    end.suspects = vec![(NOW + 1_000, few.clone()), (NOW + 2_000, many.clone())];
    lease.end(end).await.unwrap();
    for (after, expected) in [
        (900, vec![(NOW + 1_000, few), (NOW + 2_000, many.clone())]),
        (1_000, vec![(NOW + 2_000, many)]),
        (2_000, Vec::new()),
    ] {
        server.set_now(after);
        let left = store.read_open(&read(&store).await).await.unwrap();
        assert!(left.suspects == expected, "{after}");
        assert!(left.warnings.is_empty());
    }
    server.set_now(100);
    let file = server.keys(JOURNALS).remove(0);
    server.remove(&file);
    let left = store.read_open(&read(&store).await).await.unwrap();
    assert_eq!((left.suspects.len(), left.warnings.len()), (1, 1));
}

#[tokio::test]
async fn unpaid_paths_that_cannot_be_read_are_still_owed() {
    let (server, store) = store().await;
    let lease = begin(&store, "a", Some(&journal(1))).await;
    let mut end = ending(&lease.state().await.unwrap().object, "a");
    let paths = (0..2000).map(|seed| format!("/{}", digest(seed))).collect();
    let large = OwedPaths::from([("E1".to_owned(), paths)]);
    end.unpaid = vec![(id("a"), "public".to_owned(), large.clone())];
    lease.end(end).await.unwrap();
    let observed = read(&store).await;
    let left = store.read_open(&observed).await.unwrap();
    assert!(left.unpaid[0].owed == Ok(large));
    server.damage(&server.keys(JOURNALS)[0]).await;
    let left = store.read_open(&observed).await.unwrap();
    assert!(left.unpaid[0].owed.is_err());
}

#[tokio::test]
async fn only_old_files_of_ours_that_nothing_names_are_swept() {
    let (server, store) = store().await;
    let hex = "0123456789abcdef0123456789abcdef";
    let litter = [
        format!("journal/{hex}"),
        "manifest/000000000001-base-x".to_owned(),
        "manifest/000000000002-mid-x".to_owned(),
        "history/000000000003-deploy-3".to_owned(),
    ];
    let others = [
        "manifest/notes.txt".to_owned(),
        "manifest/2026-01-01.txt".to_owned(),
        "journal/0123".to_owned(),
        hex.to_owned(),
        format!("other/{hex}"),
        "000000000001-base-x".to_owned(),
        "state.bak".to_owned(),
        "state/000000000001-base-x".to_owned(),
        "history/README".to_owned(),
    ];
    for name in litter.iter().chain(&others) {
        server.put(&store.key(name), "x").await;
    }
    server
        .put("site/journal/0123456789abcdef0123456789abcdef", "x")
        .await;
    let lease = begin(&store, "a", Some(&journal(2000))).await;
    let record = record("b", NOW);
    store.write_history(&record, 7).await.unwrap();
    lease.begin(&id("b"), "public", &journal(1)).await.unwrap();
    let mut end = ending(&lease.state().await.unwrap().object, "b");
    end.recent.counter = 7;
    let state = lease.end(end).await.unwrap();
    server.set_now(86_400);
    let young = store.key(&format!("journal/{}", hex.replace('0', "f")));
    server.put(&young, "x").await;
    let before = server.keys("");
    let files = store.list_files().await.unwrap();
    store
        .sweep(&state, [].iter(), &files, NOW + 86_400)
        .await
        .unwrap();
    assert_eq!(server.keys(""), before);
    store
        .sweep(&state, [].iter(), &files, NOW + 86_401)
        .await
        .unwrap();
    let swept: Vec<_> = litter.iter().map(|name| store.key(name)).collect();
    let mut expected = before;
    expected.retain(|key| !swept.contains(key));
    assert_eq!(server.keys(""), expected);
    assert_eq!(read(&store).await.object, state);
    let left = store.read_open(&read(&store).await).await.unwrap();
    assert!(left.journals[0].journal.is_ok());
    store.read_history(&state.recent[0]).await.unwrap();
    // Once nothing names them they go, too.
    store
        .sweep(&StateObject::default(), [].iter(), &files, NOW + 86_401)
        .await
        .unwrap();
    assert_eq!(server.keys(JOURNALS), [store.key("journal/0123"), young]);
    assert!(server.keys("").contains(&STATE.to_owned()));
}

fn record(name: &str, at: i64) -> HistoryRecord {
    HistoryRecord {
        id: id(name),
        at,
        who: "somebody".into(),
        host: "somewhere".into(),
        commit: None,
        dir: "public".into(),
        rollback_of: None,
        changes: vec![KeyChange {
            key: Key::new("a"),
            before: None,
            after: Some(PastObject {
                etag: ETag::Md5(digest(1)),
                version_id: Some("v".into()),
                digest: None,
                fingerprint: HeaderFingerprint(5),
                headers: Some(Headers::default().into()),
                life: EntryLife::Retained { since: 9 },
            }),
        }],
        purges: vec![PastPurge {
            target: "E1".to_owned(),
            invalidations: Vec::new(),
            paths: vec!["/".to_owned()],
        }],
        outcome: PastOutcome::Done,
    }
}

#[tokio::test]
async fn a_record_of_history_reads_back_with_what_the_state_says_of_it() {
    let (server, store) = store().await;
    let written = record("a-1", deploy(1).at);
    store.write_history(&written, 7).await.unwrap();
    let mut named = recent("a-1", 7);
    named.outcome = PastOutcome::Owing;
    named.invalidations = BTreeMap::from([("E1".to_owned(), vec!["I1".to_owned()])]);
    let mut expected = written;
    expected.outcome = PastOutcome::Owing;
    expected.purges[0].invalidations = vec!["I1".to_owned()];
    assert_eq!(store.read_history(&named).await.unwrap(), expected);
    let file = store.key(&named.history_name());
    server.damage(&file).await;
    let damaged = store.read_history(&named).await;
    assert!(matches!(damaged, Err(StateError::Corrupt { .. })));
    server.remove(&file);
    let gone = store.read_history(&named).await;
    assert!(matches!(gone, Err(StateError::Corrupt { .. })));
}

#[test]
fn a_deploy_is_called_by_the_beginning_of_its_id_or_of_its_random_part() {
    let deploy = recent("20261121T150000Z-abcdef", 1);
    for (name, is_called) in [
        ("2026", true),
        ("abc", true),
        ("20261121T150000Z-ab", true),
        ("1121", false),
        ("bc", false),
    ] {
        assert_eq!(deploy.is_called(name), is_called, "{name}");
    }
    let later = recent("10000101T000000Z-000000", 10);
    assert!(deploy.history_name() < later.history_name());
}
