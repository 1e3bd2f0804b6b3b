//! `unstale verify` on sites of every kind that have nothing amiss.

use local_cloudfront::{
    Behavior, ErrorResponse, HeadersPolicy, Origin, OriginGroup, OriginKind, PolicyHeader,
    WebsiteConfiguration,
};

use crate::support::{BUCKET, Setup, Site, Unstale, World};

const THEIR_POLICY: &str = "11111111-1111-1111-1111-111111111111";
const REDIRECTS: &str =
    "/old /about/\n/caf\u{e9} /n%C3%A9w?a=b#c\n/out https://x.example/a%20b?c=d+e\n";

/// With names that need care somewhere.
fn site() -> Site {
    let site = Site::of(&[
        ("index.html", "<p>root"),
        ("404.html", "<p>none"),
        ("about/index.html", "<p>about"),
        ("about.html", "<p>about, too"),
        ("blog/2020/a post/index.html", "<p>post"),
        ("empty/index.html", ""),
        ("empty.txt", ""),
        ("100%.txt", "percent"),
        ("a%20b.txt", "escaped"),
        ("a+b.txt", "plus"),
        ("a+b/index.html", "<p>plus"),
        ("~o'clock (1) [2] {3}, !$&=@;:^`|#\"\\*?.txt", "marks"),
        ("nai\u{308}ve.txt", "nfd"),
        ("LICENSE", "no ending"),
        ("dots/v1.2/index.html", "<p>dots"),
        ("index.html.txt/index.html", "<p>odd"),
        ("app.0a1b2c3d4e.js", "console.log(1)"),
        ("api/data.json", "{}"),
    ]);
    site.write("big.js", "let a = 1;\n".repeat(3000));
    site
}

fn changed(site: &Site) {
    for name in [
        "about.html",
        "a+b.txt",
        "app.0a1b2c3d4e.js",
        "blog/2020/a post/index.html",
    ] {
        site.remove(name);
    }
    site.write("index.html", "<p>root 2");
    site.write("404.html", "<p>none 2");
}

/// Deploys and verifies a site, and what it becomes. `settings` are those of deploy.toml, `change` is what stands before it.
async fn is_fresh(settings: &str, redirects: &str, change: impl FnOnce(&mut Setup)) {
    let world = World::with(change).await;
    world.set_headers_policy(
        THEIR_POLICY,
        HeadersPolicy {
            name: "theirs".into(),
            custom: vec![PolicyHeader {
                name: "Cache-Control".into(),
                value: "max-age=31".into(),
                overrides: true,
            }],
            ..HeadersPolicy::default()
        },
    );
    let site = site();
    site.write("_redirects", redirects);
    std::fs::write(site.project().join("deploy.toml"), settings).unwrap();
    let url = world.serve_edge(&world.distribution, 0, 0).await.unwrap();
    let asks = |command: Unstale| {
        let command = command.arg(site.dir()).within(site.project());
        command
            .env("SITE_PASSWORD", "s3cret")
            .with("--url")
            .arg(&url)
    };
    for round in 1..=2 {
        asks(world.unstale("deploy --verify")).await.succeeds();
        let ran = asks(world.unstale("verify")).await.succeeds();
        assert!(ran.stdout.contains(" are fresh\n"), "{ran}");
        if round == 1 {
            changed(&site);
        }
    }
}

fn shows(setup: &mut Setup, codes: &[u16], page: &str, status: Option<u16>) {
    let response = |code: &u16| ErrorResponse {
        code: *code,
        page: Some(page.to_owned()),
        response: status,
        min_ttl: 0,
    };
    setup.distribution.errors = codes.iter().map(response).collect();
}

fn website(setup: &mut Setup, path: &str, error: Option<&str>) {
    let origin = &mut setup.distribution.origins[0];
    origin.path = path.to_owned();
    origin.kind = OriginKind::Website {
        bucket: BUCKET.into(),
    };
    setup.bucket.website = Some(WebsiteConfiguration {
        error: error.map(str::to_owned),
        ..WebsiteConfiguration::new("index.html")
    });
}

fn without_root(setup: &mut Setup) {
    setup.distribution.root = None;
    setup.distribution.errors = Vec::new();
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_rest_endpoint() {
    is_fresh("", "", without_root).await;
    is_fresh("delete = false\n", "", |setup| {
        setup.distribution.origins[0].kind = OriginKind::S3 {
            bucket: BUCKET.into(),
            may_list: false,
        };
        shows(setup, &[403], "/index.html", Some(200));
    })
    .await;
    is_fresh("prefix = \"pre/\"\ncompress = \"br\"\n", "", |setup| {
        setup.distribution.origins[0].path = "/pre".into();
        shows(setup, &[404], "/none.html", Some(410));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_website_endpoint() {
    is_fresh("", REDIRECTS, |setup| {
        website(setup, "", None);
        without_root(setup);
    })
    .await;
    is_fresh("prefix = \"pre\"\n", REDIRECTS, |setup| {
        website(setup, "/pre", Some("pre/404.html"));
    })
    .await;
    is_fresh("", REDIRECTS, |setup| {
        website(setup, "", Some("index.html"));
        shows(setup, &[404], "/index.html", Some(200));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_several_behaviors_and_origins() {
    is_fresh("tags = true\n", "", |setup| {
        let distribution = &mut setup.distribution;
        let mut second = distribution.origins[0].clone();
        (second.id, second.path) = ("second".into(), "/blog".into());
        let api = Origin {
            id: "api".into(),
            path: String::new(),
            kind: OriginKind::Fixed {
                domain: "api.example.com".into(),
                status: 200,
                headers: Vec::new(),
                body: "api".into(),
            },
        };
        distribution.origins.extend([second, api]);
        distribution.origin_groups.push(OriginGroup {
            id: "both".into(),
            members: vec!["site".into(), "second".into()],
            failover: vec![403, 404],
        });
        distribution.default.origin = "both".into();
        distribution.behaviors = vec![
            Behavior::new("/api/*", "api"),
            Behavior {
                headers_policy: Some(THEIR_POLICY.into()),
                ..Behavior::new("*.js", "site")
            },
        ];
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_policy_of_somebody_elses() {
    let theirs = |setup: &mut Setup| {
        setup.distribution.default.headers_policy = Some(THEIR_POLICY.into());
    };
    is_fresh("", "", theirs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_functions_of_ours() {
    let many: String = (0..2000)
        .map(|number| format!("/old/long-name-of-a-post-{number} /about/?{number}\n"))
        .collect();
    let plain = |_: &mut Setup| ();
    let ours = "redirect-function = \"ours\"\n";
    is_fresh(ours, &many, plain).await;
    is_fresh(&format!("{ours}index = \"none\"\n"), REDIRECTS, plain).await;
    is_fresh(
        &format!("{ours}strip-extension = \".html\"\n"),
        REDIRECTS,
        plain,
    )
    .await;
    let all = "spa = true\npassword = \"env:SITE_PASSWORD\"\nheaders-policy = \"site\"\nsecurity = \"strict\"\n";
    is_fresh(all, "", plain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_found_right_where_nothing_is_asked() {
    let world = World::with(|setup| setup.distribution.origins[0].path = "/pre".into()).await;
    let site = site();
    let url = world.serve_edge(&world.distribution, 0, 0).await.unwrap();
    world.deploy(&site).await.succeeds();
    let verify = world.unstale("verify").arg(site.dir()).with("--url");
    verify.arg(&url).await.exits(5).says("origin path");
}
