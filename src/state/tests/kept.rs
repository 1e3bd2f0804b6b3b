use super::server::BEGIN;
use super::{STATE, begin, digest, ending, journal, read, store};
use crate::object::{HeaderFingerprint, KeptName};
use crate::state::{KeptNames, StateObject, StateStore, VERSION};

const NOW: i64 = BEGIN as i64;

fn kept(seed: u64) -> KeptName {
    KeptName::new(digest(seed), HeaderFingerprint(seed))
}

/// Ends a deploy that leaves these copies kept.
async fn keep(store: &StateStore, name: &str, names: &KeptNames) -> StateObject {
    let lease = begin(store, name, Some(&journal(1))).await;
    let mut end = ending(&lease.state().await.unwrap().object, name);
    end.kept = names.clone();
    lease.end(end).await.unwrap()
}

#[tokio::test]
async fn the_names_of_copies_come_back_and_an_older_unstale_refuses_them() {
    let (server, store) = store().await;
    let (mut names, mut many) = (KeptNames::default(), KeptNames::default());
    names.note((0..10).map(kept), 7);
    many.note((0..20_000).map(kept), 7);
    for (number, names) in [KeptNames::default(), names, many].iter().enumerate() {
        let state = keep(&store, &format!("d{number}"), names).await;
        assert_eq!(
            store.read_kept(&state).await.unwrap(),
            (names.clone(), None)
        );
        assert_eq!(read(&store).await.object, state);
        let body = server.body(STATE);
        assert!(body.len() < 64 << 10);
        let version = if names.is_empty() { 1 } else { VERSION };
        let text = format!("{{\"version\":{version},");
        assert!(body.starts_with(text.as_bytes()));
    }
    // Off again: older ones may read it again.
    assert_eq!(keep(&store, "off", &KeptNames::default()).await.kept, None);
}

#[tokio::test]
async fn copies_in_use_and_young_ones_are_not_swept() {
    let (server, store) = store().await;
    let mut names = KeptNames::default();
    names.note([kept(1)], 3);
    names.note([kept(2)], 4);
    names.forget_before(4);
    for seed in 1..=2 {
        server.put(&store.kept_key(&kept(seed)), "x").await;
    }
    server.put(&store.key("kept/README"), "mine").await;
    let files = store.list_files().await.unwrap();
    let state = read(&store).await.object;
    for (late, swept) in [(86_400, false), (86_401, true)] {
        let sweep = store.sweep(&state, names.iter(), &files, NOW + late);
        sweep.await.unwrap();
        let keys = server.keys(&store.key("kept/"));
        let expected = [kept(1), kept(2)].into_iter().skip(usize::from(swept));
        let mut expected: Vec<String> = expected.map(|name| store.kept_key(&name)).collect();
        expected.push(store.key("kept/README"));
        expected.sort();
        assert_eq!(keys, expected);
    }
}
