//! What `unstale doctor` says of worlds that are not as they should be: one line for each, and in the good ones nothing.

use local_cloudfront::{
    Behavior, CachePolicy, Caching, Distribution, ErrorResponse, Fault, Function, Origin, QueryKey,
};

use crate::doctor::{doctor, found, has_one, healthy_but, problems};
use crate::support::{BUCKET, Ran, Site, Unstale, World};

/// Asserts that one finding begins and goes on so.
fn tells(ran: &Ran, words: &[&str]) {
    let found = found(ran);
    let is_told = |line: &String| {
        let [start, rest @ ..] = words else {
            return false;
        };
        line.starts_with(start) && rest.iter().all(|word| line.contains(word))
    };
    assert!(found.iter().any(is_told), "{words:?}: {found:#?}");
}

/// What is changed of a distribution, and what is told of it.
type OddDistribution = (fn(&mut Distribution), &'static [&'static str]);

const ODD_DISTRIBUTIONS: [OddDistribution; 7] = [
    (
        |it| it.enabled = false,
        &["distribution problem", "is disabled", "enable it"],
    ),
    (
        |it| it.root = Some("home.html".into()),
        &[
            "distribution warning",
            "/ shows no page, since there is no home.html",
            "--root index.html",
        ],
    ),
    (
        |it| it.status = "InProgress".into(),
        &["distribution warning", "is being deployed", "minutes"],
    ),
    (
        |it| it.origins = Distribution::for_bucket("other").origins,
        &["distribution problem", "as its origin", "unstale setup"],
    ),
    (
        |it| {
            it.default.caching = Caching::Legacy(CachePolicy {
                name: "long".into(),
                min_ttl: 3600,
                default_ttl: 3600,
                max_ttl: 3600,
                query: QueryKey::None,
            });
        },
        &[
            "distribution warning",
            "keeps everything for 3600 s",
            "CachingOptimized",
        ],
    ),
    (
        |it| it.default.function = Some("theirs".into()),
        &["distribution warning", "function theirs"],
    ),
    (
        |it| {
            it.errors = vec![ErrorResponse {
                code: 403,
                page: Some("/gone.html".into()),
                response: Some(200),
                min_ttl: 10,
            }];
        },
        &[
            "distribution warning",
            "answered with /gone.html and 200",
            "--error-page 403=/gone.html:404",
        ],
    ),
];

#[tokio::test]
async fn a_distribution_that_is_not_as_it_should_be_is_told() {
    let world = healthy_but(|_| ()).await;
    world.set_function(
        "theirs",
        Function::of("function handler(event) { return odd(event); }".into()),
    );
    for (change, words) in ODD_DISTRIBUTIONS {
        let mut distribution = Distribution::for_bucket(BUCKET);
        change(&mut distribution);
        world.set_distribution(distribution);
        tells(&doctor(&world).await, words);
    }
}

#[tokio::test]
async fn an_error_page_is_looked_for_where_it_is_read_from() {
    let world = healthy_but(|_| ()).await;
    let put = world.put_object(BUCKET, "not here.html", "<p>no", Default::default());
    put.await.unwrap();
    let mut distribution = Distribution::for_bucket(BUCKET);
    let theirs = Distribution::for_bucket("theirs").origins.remove(0);
    let errors = Behavior::new("/errors/*", "theirs");
    distribution.behaviors.push(errors);
    distribution.origins.push(Origin {
        id: "theirs".into(),
        ..theirs
    });
    for (page, is_told) in [
        ("/not%20here.html", false),
        ("/errors/404.html", false),
        ("/nowhere.html", true),
    ] {
        distribution.errors = vec![ErrorResponse {
            code: 404,
            page: Some(page.into()),
            response: Some(404),
            min_ttl: 10,
        }];
        world.set_distribution(distribution.clone());
        let ran = doctor(&world).await;
        let text = format!("its error page {page} is not in the bucket");
        assert_eq!(ran.stdout.contains(&text), is_told, "{ran}");
    }
}

#[tokio::test]
async fn a_distribution_that_cannot_be_told_leaves_rights_untried_for_that_reason() {
    let world = healthy_but(|_| ()).await;
    const UNTRIED: [&str; 2] = [
        "rights not checked: once there is a distribution to try them on",
        "cloudfront:CreateInvalidation",
    ];
    let other = Distribution {
        id: "EOTHER1234567".into(),
        domain: "dother.cloudfront.net".into(),
        ..Distribution::for_bucket(BUCKET)
    };
    world.set_distribution(other);
    let twice = doctor(&world).await;
    let twice = has_one(
        twice,
        &["distribution problem: 2 distributions", "EOTHER1234567"],
    );
    tells(
        &twice,
        &[
            "rights not checked: once there is a distribution",
            "GetInvalidation",
        ],
    );
    for (words, told) in [
        (
            "--distribution E0000000000000",
            ["NoSuchDistribution", "`distribution`"],
        ),
        (
            "--distribution www.example.org",
            ["no distribution of this account", "distributions`"],
        ),
        (
            "--distribution-tenant dt_9",
            ["EntityNotFound", "`distribution-tenant`"],
        ),
        (
            "--distribution-tenant t.example.org",
            ["EntityNotFound", "`distribution-tenant`"],
        ),
    ] {
        let ran = doctor(&world).with(words).await;
        let ran = has_one(ran, &["distribution problem", told[0], told[1]]);
        tells(&ran, &["rights not checked: once there is a distribution"]);
    }
    world.set_rule(|request| match request.operation {
        "ListDistributions" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    let ran = doctor(&world).await.exits(1);
    tells(
        &ran,
        &[
            "distribution problem: cloudfront:ListDistributions",
            "setup",
        ],
    );
    tells(&ran, &UNTRIED[..1]);
    tells(
        &ran,
        &["quota not checked: needs cloudfront:ListDistributions"],
    );
}

#[tokio::test]
async fn what_the_quota_leaves_out_is_said_in_its_line() {
    let world = healthy_but(|_| ()).await;
    world.set_rule(|request| match request.operation {
        "ListDistributionTenants" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    let ran = doctor(&world).await.succeeds().never_says("warning:");
    tells(
        &ran,
        &[
            "quota ok: 0 of 1000",
            "need cloudfront:ListDistributionTenants",
        ],
    );
}

#[tokio::test]
async fn a_quota_that_is_nearly_used_is_told() {
    let world = healthy_but(|_| ()).await;
    let paths: Vec<String> = (0..900).map(|number| format!("/{number}")).collect();
    let invalidate = world.unstale("invalidate").with(&paths.join(" "));
    invalidate.await.succeeds();
    let ran = doctor(&world).await.succeeds();
    tells(
        &ran,
        &["quota warning: 900 of 1000", "$0.005", "unstale quota"],
    );
}

#[tokio::test]
async fn a_password_that_is_not_set_leaves_nothing_else_unchecked() {
    let world = healthy_but(|_| ()).await;
    let ran = doctor(&world)
        .env("UNSTALE_PASSWORD", "env:SITE_PASSWORD")
        .await;
    let ran = has_one(
        ran,
        &[
            "settings problem",
            "SITE_PASSWORD",
            "set it where deploys run",
        ],
    );
    for start in [
        "bucket ok",
        "state ok",
        "distribution ok",
        "rights ok",
        "quota ok",
    ] {
        tells(&ran, &[start]);
    }
}

#[tokio::test]
async fn a_build_that_a_deploy_would_refuse_is_a_problem() {
    let world = healthy_but(|_| ()).await;
    let empty = tempfile::tempdir().unwrap();
    let bare = tempfile::tempdir().unwrap();
    std::fs::write(bare.path().join("a.txt"), "a").unwrap();
    let with = |dir: &std::path::Path| doctor(&world).env("UNSTALE_DIR", dir);
    has_one(
        with(&empty.path().join("none")).await,
        &["build problem", "there is no folder"],
    );
    has_one(
        with(empty.path()).await,
        &["build problem", "is empty", "build the site first"],
    );
    let ran = with(bare.path()).await.succeeds();
    tells(
        &ran,
        &["build warning", "has no index.html", "build the site first"],
    );
    // Deploys may be told it each time.
    let ran = world.unstale("doctor --json").await.succeeds();
    tells(
        &ran,
        &[
            "build warning",
            "does not say which folder",
            "unstale deploy public",
        ],
    );
}

/// The policy of a role that may list what is under the prefix alone.
#[tokio::test]
async fn the_least_right_to_list_tells_whose_the_bucket_is() {
    let world = healthy_but(|setup| setup.distribution.origins[0].path = "/docs".into()).await;
    world.set_rule(|request| {
        let whole = request.operation == "HeadBucket";
        if whole {
            Fault::Fail(403, "AccessDenied")
        } else {
            Fault::None
        }
    });
    let ran = doctor(&world).with("--prefix docs/").await.succeeds();
    tells(&ran, &["bucket ok: belongs to account 111122223333"]);
    assert_eq!(problems(&ran), [""; 0]);
}

#[tokio::test]
async fn a_state_that_viewers_read_or_that_is_newer_or_left_open_is_told() {
    let world = healthy_but(|setup| {
        let policy = setup.bucket.documents.get_mut("policy").unwrap();
        let (open, _) = policy
            .split_once(",\n        {\"Effect\":\"Deny\"")
            .unwrap();
        *policy = format!("{open}]}}");
    });
    let world = world.await;
    let ran = doctor(&world).await.succeeds();
    tells(
        &ran,
        &[
            "state warning: the policy of site lets viewers read .unstale/",
            "setup --print",
        ],
    );
    let newer = world.put_object(
        BUCKET,
        ".unstale/state",
        "{\"version\":99}",
        Default::default(),
    );
    newer.await.unwrap();
    has_one(doctor(&world).await, &["state problem", "newer"]);
}

#[tokio::test]
async fn a_deploy_that_died_is_told_until_it_is_made_good() {
    let world = healthy_but(|_| ()).await;
    let site = Site::of(&[("index.html", "<p>1")]);
    world.set_rule(|request| match request.key.as_str() {
        "index.html" if request.operation == "PutObject" => Fault::Stall,
        _ => Fault::None,
    });
    let deploy = world.deploy(&site).start();
    while world.count("PutObject") < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    deploy.killed().await;
    world.set_rule(|_| Fault::None);
    let ran = doctor(&world).await.succeeds();
    tells(
        &ran,
        &["state warning", "deploys, or died", "unstale unlock"],
    );
    tells(
        &ran,
        &["state warning: 1 deploy left something open", "--resume"],
    );
}

#[tokio::test]
async fn what_a_first_deploy_needs_is_told_before_it() {
    let world = World::new().await;
    let doctor = || Unstale::new("doctor --json");
    let ran = doctor()
        .arg("--endpoint-url")
        .arg(world.endpoint())
        .await
        .exits(1);
    let problems = problems(&ran);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(
        problems[0].starts_with("settings problem: no bucket is given"),
        "{problems:#?}"
    );
}
