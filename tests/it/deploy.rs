//! The main job: what changed is uploaded and purged, and nothing else.

use crate::support::{Site, World};

fn small() -> Site {
    Site::of(&[
        ("index.html", "<link rel=stylesheet href=/app.css><p>one"),
        ("about.html", "<p>about"),
        ("posts/a/index.html", "<p>a"),
        ("404.html", "<p>not here"),
        ("app.css", "p{color:red}"),
    ])
}

#[tokio::test]
async fn a_site_is_deployed_changed_and_changed_back() {
    let (world, site) = (World::new().await, small());
    world.deploy(&site).await.succeeds();
    world.assert_deployed(&site, "");
    world.warm(&site).await;

    site.write("index.html", "<link rel=stylesheet href=/app.css><p>two");
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(
        world.site_writes(),
        ["PutObject index.html", "CreateInvalidation"]
    );
    assert_eq!(world.purged(), ["/", "/index.html"]);
    world.assert_deployed(&site, "");
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}
