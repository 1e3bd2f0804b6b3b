//! Tenants of a multi-tenant distribution: each has edges of its own, and is purged by itself.

use local_cloudfront::{Fault, Tenant};

use crate::support::{Site, World};

const OURS: &str = "dt_2wjDZi3hD1ivOXf6rpZJO1";
const OTHER: &str = "dt_2wjDZi3hD1ivOXf6rpZJO2";

/// A world with two tenants of one distribution; what it warms and looks at are the edges of the first.
async fn world() -> World {
    let mut world = World::new().await;
    for (id, name) in [(OURS, "ours"), (OTHER, "other")] {
        world.set_tenant(Tenant {
            id: id.into(),
            name: name.into(),
            distribution: world.distribution.clone(),
            domains: vec![format!("{name}.example.com")],
            ..Tenant::default()
        });
    }
    world.distribution = OURS.into();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_left_with_nothing_stale_and_others_are_left_alone() {
    for tenant in ["ours.example.com", OURS] {
        let world = world().await;
        let site = Site::of(&[
            ("index.html", "<p>1"),
            ("a/index.html", "<p>a"),
            ("b.html", "<p>b"),
            ("404.html", "<p>gone"),
        ]);
        let deploy = || {
            let deploy = world.deploy(&site).with("--json --distribution-tenant");
            deploy.arg(tenant)
        };
        deploy().await.succeeds();
        world.warm(&site).await;
        let other = world.edge(OTHER, 0);
        other.get("/").await;

        site.write("index.html", "<p>2");
        site.write("b.html", "<p>bb");
        site.remove("a/index.html");
        world.forget();
        let ran = deploy().await.succeeds();
        assert_eq!(
            world.purged(),
            ["/", "/a/index.html", "/b.html", "/index.html"]
        );
        assert_eq!(ran.summary()["invalidations"][0]["distribution"], OURS);
        assert_eq!(ran.summary()["invalidations"][0]["status"], "Completed");
        world.assert_fresh(&site, "").await;
        world.assert_idle(deploy()).await;

        let parent = world.distributions()[0].id.clone();
        assert!(world.invalidations(OTHER).is_empty());
        assert!(world.invalidations(&parent).is_empty());
        assert_eq!(other.get("/").await.text(), "<p>1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_dies_half_purged_is_paid_by_the_next() {
    let world = world().await;
    let site = Site::of(&[("index.html", "<p>1")]);
    let deploy = || {
        world
            .deploy(&site)
            .with("--distribution-tenant ours.example.com")
    };
    deploy().await.succeeds();
    world.warm(&site).await;
    site.write("index.html", "<p>2");
    world.set_rule(|request| match request.operation {
        "CreateInvalidationForDistributionTenant" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    let ran = deploy().await.exits(4);
    ran.says("cloudfront:CreateInvalidationForDistributionTenant");
    world.clear_rule();
    deploy().await.succeeds();
    assert_eq!(world.stale().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_can_be_purged_and_looked_at_by_hand() {
    let world = world().await;
    let run = |command: &str| {
        world
            .unstale(command)
            .with("--distribution-tenant ours.example.com")
    };
    run("invalidate /x /y").await.succeeds();
    assert_eq!(world.purged(), ["/x", "/y"]);
    let id = world.invalidations(OURS)[0].id.clone();
    run("invalidations").await.succeeds().says(&id);
    run("invalidations")
        .arg(&id)
        .await
        .succeeds()
        .says("2 paths");
    let nobody = world.unstale("invalidate /x --distribution-tenant nobody.example.com");
    nobody.await.exits(1).says("EntityNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tenants_use_counts_for_the_account() {
    let world = world().await;
    world.cloud_options(|options| options.page = 1);
    for (tenant, paths) in [("ours", "/x /y"), ("other", "/z")] {
        let purge = world
            .unstale(&format!("invalidate {paths}"))
            .with("--distribution-tenant");
        purge.arg(format!("{tenant}.example.com")).await.succeeds();
    }
    let parent = world.distributions()[0].id.clone();
    let purge = world
        .unstale("invalidate /1 /2 /3 /4")
        .with("--distribution");
    purge.arg(&parent).await.succeeds();
    let all = world.unstale("quota --json").await.succeeds().json();
    let last = all.iter().rfind(|line| line["type"] == "quota").unwrap();
    assert_eq!(
        (&last["used"], &last["tenants"]),
        (&7.into(), &2.into()),
        "{all:?}"
    );
    let ours = all.iter().find(|one| one["id"] == OURS).unwrap();
    assert_eq!(
        (&ours["type"], &ours["paths"]),
        (&"tenant".into(), &2.into())
    );

    world.set_rule(|request| match request.operation {
        "ListDistributionTenants" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    let ran = world.unstale("quota").await.succeeds();
    ran.says("tenants of multi-tenant distributions")
        .says("4 of 1,000 free paths");
}
