//! The site's function beyond its code: what lies in its key value store, CloudFront's test of it, and a password before all else.

use local_cloudfront::{Fault, RequestInfo};

use crate::mishap::{Side, crash_at};
use crate::support::{Site, Unstale, World};

const NAME: &str = "site-redirects";

/// A site with so many redirects, of which no two share a target.
fn site(redirects: usize) -> Site {
    let site = Site::of(&[("index.html", "<p>"), ("404.html", "<p>gone")]);
    let text = format!("redirect-function = \"{NAME}\"\n");
    std::fs::write(site.project().join("deploy.toml"), text).unwrap();
    redirect(&site, 0..redirects);
    site
}

fn target(number: usize) -> String {
    format!("/new/{:x}/", number * 2_654_435_761 % 4_294_967_296)
}

fn redirect(site: &Site, numbers: impl IntoIterator<Item = usize>) {
    let lines = numbers.into_iter();
    let lines = lines.map(|number| format!("/old/page-{number} {}\n", target(number)));
    site.write("_redirects", lines.collect::<String>());
}

fn deploy(world: &World, site: &Site) -> Unstale {
    world.deploy(site).within(site.project())
}

/// Writes about the function and its store.
fn cloud_writes(world: &World) -> Vec<String> {
    let mut writes = world.writes();
    writes.retain(|one| {
        ["Function", "Distribution", "Key"]
            .iter()
            .any(|word| one.contains(word))
    });
    writes.retain(|one| one != "TestFunction");
    writes
}

async fn location(world: &World, path: &str) -> Option<String> {
    let answer = world.cold(path).await;
    answer.header("location").map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_redirects_lie_in_a_store_that_is_written_first() {
    let (world, site) = (World::new().await, site(10_000));
    let plan = world.plan(&site).within(site.project()).await.succeeds();
    plan.says("to write 10,000 redirects to its")
        .says("new key value store, create, test, publish, associate with");
    assert_eq!(world.writes(), [""; 0]);
    let ran = deploy(&world, &site).await.succeeds().never_says("By hand");
    ran.says("Changed 10,000 entries of the key value store");
    let mut writes = cloud_writes(&world);
    assert_eq!(
        writes.iter().filter(|one| *one == "UpdateKeys").count(),
        200
    );
    writes.dedup();
    assert_eq!(
        writes,
        [
            "CreateKeyValueStore",
            "UpdateKeys",
            "CreateFunction",
            "PublishFunction",
            "UpdateDistribution"
        ]
    );
    assert!(world.count("TestFunction") > 0);
    assert_eq!(world.key_values(NAME).len(), 10_000);
    for number in [0, 4_321, 9_999] {
        let path = format!("/old/page-{number}");
        assert_eq!(location(&world, &path).await, Some(target(number)));
    }
    assert_eq!(world.cold("/old/page-10000").await.status, 404);
    world.assert_idle(deploy(&world, &site)).await;

    // Some go and one comes: the code stays as it is.
    world.forget();
    redirect(&site, 3..10_001);
    let plan = world.plan(&site).within(site.project()).await.succeeds();
    plan.says("write 1 redirect to and delete 3 from its key value store");
    deploy(&world, &site).await.succeeds();
    assert_eq!(cloud_writes(&world), ["UpdateKeys"; 2]);
    assert_eq!(
        location(&world, "/old/page-10000").await,
        Some(target(10_000))
    );
    assert_eq!(world.cold("/old/page-0").await.status, 404);
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_live_code_asks_for_stays_until_other_code_is_live() {
    let (world, site) = (World::new().await, site(1_000));
    deploy(&world, &site).await.succeeds();
    world.forget();
    // A redirect in the code, and others in the store.
    redirect(&site, 500..1_500);
    let more = std::fs::read_to_string(site.dir().join("_redirects")).unwrap();
    site.write("_redirects", format!("{more}/docs/* /guide/:splat\n"));
    deploy(&world, &site).await.succeeds();
    let mut writes = cloud_writes(&world);
    writes.dedup();
    assert_eq!(
        writes,
        [
            "UpdateKeys",
            "UpdateFunction",
            "PublishFunction",
            "UpdateKeys"
        ]
    );
    assert_eq!(world.key_values(NAME).len(), 1_000);
    assert_eq!(
        location(&world, "/docs/a").await,
        Some("/guide/a".to_owned())
    );
    world.assert_idle(deploy(&world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_dies_amid_the_store_is_finished_by_the_next() {
    let writes = |request: &RequestInfo| {
        request.writes() && request.key.is_empty() && request.operation != "TestFunction"
    };
    for at in 1..=7 {
        for side in [Side::Before, Side::After] {
            let (world, site) = (World::new().await, site(600));
            deploy(&world, &site).await.succeeds();
            redirect(&site, 20..620);
            let more = std::fs::read_to_string(site.dir().join("_redirects")).unwrap();
            site.write("_redirects", format!("{more}/docs/* /guide/:splat\n"));
            let died = crash_at(&world, deploy(&world, &site), at, side, writes).await;
            if died.is_none() {
                break;
            }
            deploy(&world, &site).await.succeeds().never_says("By hand");
            assert_eq!(world.key_values(NAME).len(), 600, "{at} {side:?}");
            for (path, to) in [
                ("/old/page-619", target(619)),
                ("/docs/a", "/guide/a".to_owned()),
            ] {
                assert_eq!(location(&world, path).await, Some(to), "{at} {side:?}");
            }
            assert_eq!(world.cold("/old/page-0").await.status, 404);
            world.assert_idle(deploy(&world, &site)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_that_is_missing_is_told() {
    for (operation, action) in [
        ("DescribeKeyValueStore", "cloudfront:DescribeKeyValueStore"),
        ("CreateKeyValueStore", "cloudfront:CreateKeyValueStore"),
        ("UpdateKeys", "cloudfront-keyvaluestore:UpdateKeys"),
    ] {
        let (world, site) = (World::new().await, site(600));
        world.set_rule(move |request| {
            if request.operation == operation {
                Fault::Fail(403, "AccessDenied")
            } else {
                Fault::None
            }
        });
        let ran = deploy(&world, &site).await.succeeds().says("By hand");
        ran.says(&format!("allow {action} on"));
        assert!(world.function(NAME).is_none(), "{operation}");
        world.clear_rule();
        deploy(&world, &site).await.succeeds().never_says("By hand");
        assert_eq!(location(&world, "/old/page-7").await, Some(target(7)));
        world.assert_idle(deploy(&world, &site)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_no_conflict() {
    let (world, site) = (World::new().await, site(600));
    let lost = std::sync::atomic::AtomicUsize::new(0);
    world.set_rule(move |request| {
        let is_second = request.operation == "UpdateKeys"
            && lost.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1;
        if is_second {
            Fault::ResetAfter
        } else {
            Fault::None
        }
    });
    deploy(&world, &site).await.succeeds().never_says("By hand");
    assert_eq!(world.key_values(NAME).len(), 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_fails_its_test_is_not_published() {
    let (world, site) = (World::new().await, site(3));
    let fail = |status, code| {
        world.set_rule(move |request| match request.operation {
            "TestFunction" => Fault::Fail(status, code),
            _ => Fault::None,
        });
    };
    fail(400, "TestFunctionFailed");
    let ran = deploy(&world, &site).await.succeeds();
    ran.says("cloudfront:TestFunction")
        .says("TestFunctionFailed");
    assert!(world.function(NAME).is_none());
    // Where it may not be tested, and where nothing runs JavaScript.
    fail(403, "AccessDenied");
    let ran = deploy(&world, &site).await.succeeds();
    ran.says("is published untested")
        .says("allow cloudfront:TestFunction");
    assert!(world.function(NAME).is_some());
    fail(501, "NotImplemented");
    redirect(&site, 1..4);
    deploy(&world, &site)
        .await
        .succeeds()
        .never_says("untested");
    assert_eq!(location(&world, "/old/page-3").await, Some(target(3)));
    world.clear_rule();
    world.assert_idle(deploy(&world, &site)).await;
}

/// A deploy of a site that asks for a password.
fn deploy_hidden(world: &World, site: &Site) -> Unstale {
    let settings = format!("redirect-function = \"{NAME}\"\npassword = \"env:SITE_PASSWORD\"\n");
    std::fs::write(site.project().join("deploy.toml"), settings).unwrap();
    deploy(world, site).env("SITE_PASSWORD", "secret")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_before_anything_is_uploaded() {
    let time = std::time::Duration::from_secs(200);
    let world = World::with(|setup| setup.cloud.deploy_time = time).await;
    let site = site(0);
    let (started, world) = (deploy_hidden(&world, &site).start(), &world);
    let running = tokio::spawn(started.ended());
    let asked = || world.count("UpdateDistribution") > 0 && world.count("GetDistribution") > 2;
    world.see(&running, asked).await;
    let uploaded = |world: &World| world.site_writes().iter().any(|one| one.starts_with("Put"));
    assert!(!uploaded(world), "{:#?}", world.writes());
    world.clock().advance(time);
    running.await.unwrap().succeeds();
    assert!(uploaded(world));
    assert_eq!(world.cold("/").await.status, 401);
    world.assert_idle(deploy_hidden(world, &site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_password_nothing_is_uploaded() {
    for (operation, exit) in [
        ("CreateFunction", 1),
        ("PublishFunction", 1),
        ("UpdateDistribution", 4),
    ] {
        let (world, site) = (World::new().await, site(0));
        world.set_rule(move |request| {
            if request.operation == operation {
                Fault::Fail(403, "AccessDenied")
            } else {
                Fault::None
            }
        });
        let ran = deploy_hidden(&world, &site).await.exits(exit);
        ran.says("nothing was uploaded")
            .says(&format!("allow cloudfront:{operation}"));
        assert_eq!(
            world
                .keys(crate::support::BUCKET)
                .iter()
                .filter(|key| key.ends_with(".html"))
                .count(),
            0
        );
        world.clear_rule();
        deploy_hidden(&world, &site).await.succeeds();
        assert_eq!(world.cold("/").await.status, 401, "{operation}");
        world.assert_idle(deploy_hidden(&world, &site)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_goes_takes_the_function_off_both_events() {
    let (world, site) = (World::new().await, site(0));
    let plan = deploy_hidden(&world, &site).await.succeeds();
    plan.says("Associated the function");
    let default = || world.distribution(&world.distribution).unwrap().default;
    assert!(default().function.is_some() && default().response_function.is_some());
    std::fs::write(
        site.project().join("deploy.toml"),
        format!("redirect-function = \"{NAME}\"\n"),
    )
    .unwrap();
    let plan = world.plan(&site).within(site.project()).await.succeeds();
    plan.says("to be taken off");
    let ran = deploy(&world, &site).await.succeeds();
    ran.says("Took the function").says("it may be deleted");
    assert!(default().function.is_none() && default().response_function.is_none());
    assert_eq!(world.cold("/").await.status, 200);
    world.assert_idle(deploy(&world, &site)).await;
}
