use std::collections::BTreeMap;

use super::{digest, store};
use crate::domain::manifest::{DeployId, Life};
use crate::domain::{ETag, HeaderFingerprint, Key};
use crate::state::StateError;
use crate::state::debt::{Action, Batch, Debt, Found, Owed, Touched};
use crate::state::history::{Change, Outcome, Past, Record};

fn debt(id: &str) -> Debt {
    Debt {
        id: DeployId::new(id),
        at: 1_800_000_000,
        source: "public at 1a2b".into(),
        targets: BTreeMap::from([(
            "E1".to_owned(),
            Owed {
                paths: vec!["/".into(), "/a b".into()],
                whole: vec!["/*".into()],
                batches: vec![Batch {
                    reference: "r".into(),
                    paths: vec!["/".into()],
                    late: true,
                    accepted: Some("I1".into()),
                }],
            },
        )]),
        keys: vec![
            Touched {
                key: Key::new("a b"),
                etag: Some(ETag::Md5(digest(1))),
                headers: Some(HeaderFingerprint(u64::MAX)),
                action: Action::Put,
                failed: false,
            },
            Touched {
                key: Key::new("gone"),
                etag: None,
                headers: None,
                action: Action::Delete,
                failed: true,
            },
        ],
    }
}

#[tokio::test]
async fn a_debt_stays_until_it_is_struck() {
    let (_server, store) = store().await;
    assert_eq!(store.read_debts().await.unwrap(), []);
    for id in ["2", "1"] {
        store.write_debt(&debt(id)).await.unwrap();
    }
    let open = |id| Found::Open(debt(id));
    assert_eq!(store.read_debts().await.unwrap(), [open("1"), open("2")]);
    store.strike_debt(&DeployId::new("1")).await.unwrap();
    store.strike_debt(&DeployId::new("1")).await.unwrap();
    assert_eq!(store.read_debts().await.unwrap(), [open("2")]);
    let one = store.read_debt(&DeployId::new("1")).await.unwrap();
    assert_eq!(one, None);
}

#[tokio::test]
async fn a_damaged_debt_is_still_a_debt() {
    let (server, store) = store().await;
    store.write_debt(&debt("1")).await.unwrap();
    store.write_debt(&debt("2")).await.unwrap();
    let whole = server.body("site/.unstale/debt/1");
    for broken in [whole.slice(..0), whole.slice(..whole.len() - 1)] {
        server.put("site/.unstale/debt/1", broken).await;
        let found = store.read_debts().await.unwrap();
        assert!(matches!(&found[0], Found::Unreadable { id, .. } if id.as_str() == "1"));
        assert_eq!(found[1], Found::Open(debt("2")));
    }
}

#[tokio::test]
async fn a_debt_of_a_newer_version_is_refused() {
    let (server, store) = store().await;
    let body = zstd::encode_all(&b"{\"version\":9}\n{}"[..], 3).unwrap();
    server.put("site/.unstale/debt/1", body).await;
    let error = store.read_debts().await.unwrap_err();
    assert!(
        matches!(error, StateError::Newer { version: 9, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("newer unstale"));
}

fn record(id: &str, at: i64) -> Record {
    Record {
        id: DeployId::new(id),
        at,
        who: "somebody".into(),
        host: "somewhere".into(),
        commit: None,
        dir: "public".into(),
        rollback_of: None,
        changes: vec![Change {
            key: Key::new("a"),
            before: None,
            after: Some(Past {
                etag: ETag::Md5(digest(1)),
                version_id: Some("v".into()),
                digest: None,
                fingerprint: HeaderFingerprint(5),
                headers: Some(crate::domain::Headers::default().into()),
                life: Life::Retained { since: 9 },
            }),
        }],
        purges: Vec::new(),
        outcome: Outcome::Owing,
    }
}

#[tokio::test]
async fn history_is_in_the_order_of_writing_also_within_a_second() {
    let (_server, store) = store().await;
    for (sequence, id) in ["x-9", "x-5", "x-7", "y-1"].into_iter().enumerate() {
        store
            .write_history(&record(id, 100), sequence as u64)
            .await
            .unwrap();
    }
    store.write_history(&record("x-5", 100), 1).await.unwrap();
    store.write_history(&record("a-1", 101), 4).await.unwrap();
    let ids = |listed: &[crate::state::history::Listed]| -> Vec<String> {
        listed.iter().map(|one| one.id.to_string()).collect()
    };
    let all = store.list_history().await.unwrap();
    assert_eq!(ids(&all), ["a-1", "y-1", "x-7", "x-5", "x-9"]);
    let some = store.find_history("x").await.unwrap();
    assert_eq!(ids(&some), ["x-7", "x-5", "x-9"]);
    let some = store.find_history("1").await.unwrap();
    assert_eq!(ids(&some), ["a-1", "y-1"]);
    let read = store.read_history(&all[0]).await.unwrap();
    assert_eq!(read, record("a-1", 101));
}
