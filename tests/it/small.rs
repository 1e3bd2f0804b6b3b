//! Commands of one page: policy, quota.

use super::support::{Unstale, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_json_and_asks_nobody() {
    let ran = Unstale::new("policy --bucket b --distribution E123")
        .await
        .succeeds();
    let policy: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(policy["Version"], "2012-10-17");
    Unstale::new("policy").await.exits(2).says("--bucket");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_counts_this_month_over_all_distributions() {
    use local_cloudfront::Distribution;
    use std::time::Duration;
    // Pages of two, so that lists have several.
    let world = World::with(|setup| setup.cloud.page = 2).await;
    let other = Distribution::for_bucket("other");
    let id = other.id.clone();
    world.set_distribution(other);
    let invalidate = |words: &str| world.unstale("invalidate --no-wait").with(words);
    invalidate("/old /older").await.succeeds();
    let list = world.unstale("quota --json").await.succeeds();
    assert_eq!(list.told("quota")["used"], 2);
    // The world's clock stands in September 2026: a month on, those two no longer count.
    world.clock().advance(Duration::from_secs(31 * 86_400));
    for words in ["/a /b /c", "/d", "/e/*"] {
        invalidate(words).await.succeeds();
    }
    invalidate("/x /y")
        .with("--distribution")
        .arg(&id)
        .await
        .succeeds();
    let ran = world.unstale("quota --json").await.succeeds();
    let lines = ran.json();
    let last = lines.iter().rfind(|line| line["type"] == "quota").unwrap();
    assert_eq!(
        (&last["used"], &last["left"]),
        (&7.into(), &993.into()),
        "{ran}"
    );
    let paths = |id: &str| {
        let line = lines.iter().find(|line| line["id"] == id);
        line.unwrap()["paths"].clone()
    };
    assert_eq!(paths(&world.distribution), 5);
    assert_eq!(paths(&id), 2);
    world.unstale("quota").await.succeeds().says("993 left");
}
