//! `unstale setup --distribution`: the fields that are named change, and nothing else.

use local_cloudfront::{Distribution, Fault};

use crate::support::{BUCKET, Ran, Site, Unstale, World};

fn setup(world: &World, words: &str) -> Unstale {
    let setup = Unstale::new("setup --endpoint-url").arg(world.endpoint());
    setup
        .with("--distribution")
        .arg(&world.distribution)
        .with(words)
}

fn bare() -> Distribution {
    Distribution {
        root: None,
        errors: Vec::new(),
        comment: "mine".into(),
        ..Distribution::for_bucket(BUCKET)
    }
}

fn updates(world: &World) -> usize {
    world.count("UpdateDistribution")
}

#[tokio::test]
async fn the_named_fields_change_and_no_others() {
    let world = World::with(|setup| setup.distribution = bare()).await;
    let words =
        "--root /index.html --error-page 404=/404.html@60 --tag-header x-amz-meta-cache-tag";
    let shown = |ran: Ran| {
        ran.says("DefaultRootObject: nothing -> index.html")
            .says("CustomErrorResponses, error 403: nothing -> /404.html, status 404, for 60 s")
            .says("CustomErrorResponses, error 404: nothing -> /404.html, status 404, for 60 s")
            .says("CacheTagConfig, HeaderName: nothing -> x-amz-meta-cache-tag");
    };
    // Nobody is there to be asked.
    let ran = setup(&world, words).await.exits(2);
    shown(ran.says("nothing was changed").says("--yes"));
    assert_eq!(updates(&world), 0);
    shown(setup(&world, words).with("--yes").await.succeeds());
    let now = world.distribution(&world.distribution).unwrap();
    assert_eq!(now.root.as_deref(), Some("index.html"));
    assert_eq!(now.tag_header.as_deref(), Some("x-amz-meta-cache-tag"));
    let errors = now.errors.iter().map(|error| (error.code, error.response));
    assert_eq!(
        errors.collect::<Vec<_>>(),
        [(403, Some(404)), (404, Some(404))]
    );
    let same = Distribution {
        root: now.root.clone(),
        errors: now.errors.clone(),
        tag_header: now.tag_header.clone(),
        ..bare()
    };
    assert_eq!(format!("{now:?}"), format!("{same:?}"));
    let ran = setup(&world, words).with("--yes").await.succeeds();
    ran.says("Nothing to change");
    assert_eq!(updates(&world), 1);
    // Another page is put in the place of one, and what is not named stays.
    let ran = setup(&world, "--error-page 403=/no.html --yes")
        .await
        .succeeds();
    ran.says("/404.html, status 404, for 60 s -> /no.html, status 403, for 10 s");
    let now = world.distribution(&world.distribution).unwrap();
    assert_eq!(
        (now.errors.len(), now.root.as_deref()),
        (2, Some("index.html"))
    );
}

#[tokio::test]
async fn a_field_that_is_not_known_is_named_and_nothing_changes() {
    for (place, path) in [
        ("", "Novelty"),
        ("DefaultCacheBehavior", "DefaultCacheBehavior/Novelty"),
    ] {
        let world = World::with(|setup| {
            let novelty = (place.to_owned(), "<Novelty>1</Novelty>".to_owned());
            setup.distribution = Distribution {
                extra: vec![novelty],
                ..bare()
            };
        });
        let world = world.await;
        let ran = setup(&world, "--root index.html --yes").await.exits(1);
        ran.says(&format!("does not know `{path}`"))
            .says("nothing was changed");
        assert_eq!(updates(&world), 0);
    }
}

#[tokio::test]
async fn a_distribution_that_somebody_changes_meanwhile_stays_as_he_wants_it() {
    let world = World::with(|setup| setup.distribution = bare()).await;
    world.set_rule(|request| match request.operation {
        "UpdateDistribution" => Fault::Fail(412, "PreconditionFailed"),
        _ => Fault::None,
    });
    let ran = setup(&world, "--root index.html --yes").await.exits(1);
    ran.says("somebody changed").says("run it again");
    assert_eq!(world.distribution(&world.distribution).unwrap().root, None);
}

#[tokio::test]
async fn flags_that_are_about_a_stack_are_refused() {
    let world = World::with(|setup| setup.distribution = bare()).await;
    for words in [
        "",
        "--root a --domain www.example.com",
        "--root a --stack b",
    ] {
        let ran = setup(&world, words).with("--yes").await.exits(2);
        ran.says("--root, --error-page, --spa, --tag-header and --price-class");
    }
    assert_eq!(world.log().len(), 0);
}

#[tokio::test]
async fn flags_that_no_distribution_could_have_are_refused() {
    let world = World::with(|setup| setup.distribution = bare()).await;
    for (words, said) in [
        (
            "--spa --error-page 404=/404.html",
            "two pages for the error 404",
        ),
        (
            "--error-page 404=/a.html --error-page 404=/b.html",
            "two pages for the error 404",
        ),
        ("--tag-header bad/header", "is no name of a header"),
        ("--root docs/", "is no root object"),
    ] {
        let ran = setup(&world, words).with("--yes").await.exits(2);
        ran.says(said);
    }
    let app = setup(&world, "--spa --yes").env("UNSTALE_SPA", "true");
    app.await.exits(2).says("by `spa = true` deploys show");
    assert_eq!(world.log().len(), 0);
}

#[tokio::test]
async fn what_is_not_named_stays_and_the_price_class_can_be() {
    let world = World::with(|setup| setup.distribution = bare()).await;
    let words = "--error-page 403=/denied.html --price-class 100 --yes";
    let ran = setup(&world, words).await.succeeds();
    ran.says("PriceClass: PriceClass_All -> PriceClass_100");
    let ran = setup(&world, "--error-page 404=/404.html --yes").await;
    ran.succeeds().never_says("error 403");
    let now = world.distribution(&world.distribution).unwrap();
    assert_eq!(now.price_class, "PriceClass_100");
    let pages = now.errors.iter().map(|error| error.page.as_deref());
    assert_eq!(
        pages.collect::<Vec<_>>(),
        [Some("/denied.html"), Some("/404.html")]
    );
}

#[tokio::test]
async fn a_page_that_the_build_does_not_have_is_told() {
    let world = World::with(|setup| setup.distribution = bare()).await;
    let site = Site::of(&[("index.html", "<p>1"), ("404.html", "<p>none")]);
    let words = "--error-page 404=/404.html --error-page 500=/oops.html --yes";
    let ran = setup(&world, words).arg(site.dir()).await.succeeds();
    ran.says("has no oops.html").never_says("has no 404.html");
}
