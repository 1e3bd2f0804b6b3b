use super::{STATE, begin, digest, ending, journal, read, store};
use crate::object::Key;
use crate::object::gone::{GonePage, GonePages};
use crate::state::{StateObject, StateStore};

fn pages(number: u64) -> GonePages {
    let page = |number: u64| {
        let page = GonePage {
            since: Some(1),
            at: 2,
            digest: Some(digest(number)),
            title: Some(format!("Page {number}").into()),
        };
        (Key::new(format!("{number}/index.html")), page)
    };
    let mut gone = GonePages {
        from: 7,
        ..GonePages::default()
    };
    gone.add((0..number).map(page));
    gone
}

/// Ends a deploy after which these pages are remembered; `None`: what was remembered before.
async fn end(store: &StateStore, name: &str, gone: Option<GonePages>) -> StateObject {
    let lease = begin(store, name, Some(&journal(1))).await;
    let mut end = ending(&lease.state().await.unwrap().object, name);
    end.gone = gone;
    lease.end(end).await.unwrap()
}

#[tokio::test]
async fn the_pages_that_left_come_back_and_an_older_unstale_may_forget_them() {
    let (server, store) = store().await;
    let state = end(&store, "first", None).await;
    assert_eq!(
        (&state.gone, store.read_gone(&state).await.unwrap().from),
        (&None, u64::MAX)
    );
    for (number, files) in [(10, 0), (5_000, 1)] {
        let state = end(&store, &format!("d{number}"), Some(pages(number))).await;
        assert_eq!(store.read_gone(&state).await.unwrap(), pages(number));
        assert_eq!(
            state
                .names()
                .filter(|name| name.starts_with("journal/"))
                .count(),
            files
        );
        // A deploy that removes no page leaves them as they are.
        let state = end(&store, &format!("e{number}"), None).await;
        assert_eq!(store.read_gone(&state).await.unwrap(), pages(number));
        assert_eq!(read(&store).await.object, state);
        let body = server.body(STATE);
        assert!(body.len() < 8 << 10, "{} bytes", body.len());
        assert!(body.starts_with(b"{\"version\":1,"));
    }
}
