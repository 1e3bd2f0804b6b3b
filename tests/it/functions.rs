//! Functions that rewrite URLs: what their code tells is purged exactly, and what it does not tell is said, with the way out.

use std::sync::Arc;

use local_cloudfront::{
    Behavior, Function, FunctionKind, FunctionOutcome, Lambda, LambdaEvent, LambdaKind, Origin,
    OriginKind,
};

use crate::support::{Site, Unstale, World};

type Rewrite = fn(&str) -> String;

fn has_dot(uri: &str) -> bool {
    uri.rsplit('/').next().unwrap().contains('.')
}

fn same(uri: &str) -> String {
    uri.to_owned()
}

fn index(uri: &str) -> String {
    match uri {
        folder if folder.ends_with('/') => format!("{folder}index.html"),
        bare if !has_dot(bare) => format!("{bare}/index.html"),
        file => file.to_owned(),
    }
}

fn html(uri: &str) -> String {
    match uri {
        folder if folder.ends_with('/') => format!("{folder}index.html"),
        bare if !has_dot(bare) => format!("{bare}.html"),
        file => file.to_owned(),
    }
}

fn next(uri: &str) -> String {
    match uri.strip_suffix('/').unwrap_or(uri) {
        "" => "/index.html".to_owned(),
        file if file.contains('.') => uri.to_owned(),
        bare => format!("{bare}.html"),
    }
}

fn docs(uri: &str) -> String {
    let path = uri.strip_prefix("/docs").unwrap_or(uri);
    let index = if path.ends_with('/') {
        "index.html"
    } else {
        ""
    };
    format!("{path}{index}")
}

fn prefix(uri: &str) -> String {
    if uri.starts_with("/site/") {
        uri.to_owned()
    } else {
        format!("/site{uri}")
    }
}

fn spa(uri: &str) -> String {
    match uri {
        folder if folder.ends_with('/') => format!("{folder}index.html"),
        bare if !has_dot(bare) => "/index.html".to_owned(),
        file => file.to_owned(),
    }
}

fn site() -> Site {
    Site::of(&[
        ("index.html", "<p>home 1"),
        ("about.html", "<p>about 1"),
        ("other.html", "<p>other"),
        ("posts/index.html", "<p>posts 1"),
        ("posts/a/index.html", "<p>a"),
        ("site/about.html", "<p>inner 1"),
        ("404.html", "<p>not here"),
        ("app.css", "p{}"),
    ])
}

const VIEWED: [&str; 22] = [
    "/index",
    "/about",
    "/about/",
    "/about.html",
    "/other",
    "/other/",
    "/posts/index",
    "/posts/index/",
    "/posts/a",
    "/posts/a/",
    "/docs/about.html",
    "/docs/posts/",
    "/docs/posts/index.html",
    "/docs/other.html",
    "/docs/",
    "/site/about.html",
    "/site/about",
    "/any/route",
    "/nowhere.html",
    "/app.css",
    "/?utm=1",
    "/about?utm=1",
];

fn function(code: &str, does: Rewrite) -> Function {
    Function {
        code: code.to_owned(),
        does: FunctionKind::Custom(Arc::new(move |uri, _| FunctionOutcome::Uri(does(uri)))),
    }
}

async fn world(function: Option<Function>, lambda: Option<Lambda>, by_viewer: bool) -> World {
    World::with(|setup| {
        setup.distribution.default.function = function.is_some().then(|| "rewrite".to_owned());
        setup.distribution.default.lambdas.extend(lambda);
        setup.distribution.cached_by_viewer_uri = by_viewer;
    })
    .await
    .with_function(function)
}

impl World {
    fn with_function(self, function: Option<Function>) -> Self {
        if let Some(function) = function {
            self.set_function("rewrite", function);
        }
        self
    }
}

fn deploy(world: &World, site: &Site) -> Unstale {
    world.deploy(site).with("--purge exact")
}

/// Deploys, warms every edge, edits, deploys again: nothing is stale. Returns what was told.
async fn edited(world: &World, site: &Site, files: &[&str], trust: &str) -> String {
    let deploy = || deploy(world, site).env("UNSTALE_FUNCTIONS", trust);
    let first = deploy().await.succeeds();
    assert!(!first.stderr.contains("not known what"), "{}", first.stderr);
    world.warm_urls(VIEWED).await;
    world.warm(site).await;
    for file in files {
        site.write(file, format!("<p>{file} 2"));
    }
    world.forget();
    let second = deploy().await.succeeds();
    let purged = world.purged();
    let stale = world.stale().await;
    assert!(stale.is_empty(), "{stale:#?}");
    world.assert_idle(deploy()).await;
    format!("{}\n{}", purged.join(" "), second.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_code_tells_is_purged_exactly() {
    let pages: &[&str] = &["about.html", "posts/index.html"];
    for (code, does, files, purged) in [
        (
            include_str!("../../fixtures/functions/index.js"),
            index as Rewrite,
            pages,
            "/about.html /posts /posts/ /posts/index.html",
        ),
        (
            include_str!("../../fixtures/functions/html.js"),
            html,
            pages,
            "/about /about.html /posts/ /posts/index /posts/index.html",
        ),
        (
            include_str!("../../fixtures/functions/next.js"),
            next,
            pages,
            "/about /about.html /about/ /posts/index /posts/index.html /posts/index/",
        ),
        (
            include_str!("../../fixtures/functions/docs.js"),
            docs,
            pages,
            "/about.html /docs/about.html /docs/posts/ /docs/posts/index.html /posts/ /posts/index.html",
        ),
        (
            include_str!("../../fixtures/functions/prefix.js"),
            prefix,
            &["site/about.html"],
            "/about.html /site/about.html",
        ),
        (
            include_str!("../../fixtures/functions/jwt.js"),
            same,
            pages,
            "/about.html /posts/index.html",
        ),
        (
            include_str!("../../fixtures/functions/query.js"),
            same,
            pages,
            "/about.html /posts/index.html",
        ),
    ] {
        for by_viewer in [false, true] {
            let world = world(Some(function(code, does)), None, by_viewer).await;
            let told = edited(&world, &site(), files, "read").await;
            let (paths, words) = told.split_once('\n').unwrap();
            assert_eq!(paths, purged, "by viewer: {by_viewer}: {code}");
            assert!(!words.contains("not known what"), "{words}");
        }
    }
}

fn brotli(uri: &str) -> String {
    let index = if uri.ends_with('/') { "index.html" } else { "" };
    format!("{uri}{index}.br")
}

fn second(uri: &str) -> String {
    let name = uri.strip_suffix(".html");
    name.map_or(uri.to_owned(), |name| format!("{name}-v2.html"))
}

fn bare(uri: &str) -> String {
    match uri {
        "/" => "/".to_owned(),
        uri => uri.strip_suffix('/').unwrap_or(uri).to_owned(),
    }
}

fn once(uri: &str) -> String {
    uri.replacen("/docs", "", 1)
}

/// What viewers asked for is not guessed from what most files are called, nor a rewrite from where it stands in the code.
#[tokio::test(flavor = "multi_thread")]
async fn rewrites_that_look_like_others_leave_nothing_stale() {
    let helper = "normalize(); request.uri = uri; return request;
        function normalize() { if (uri.endsWith('/')) uri += 'index.html'; }";
    let brotli_too = "if (uri.endsWith('/')) uri += 'index.html';
        if (request.headers['accept-encoding'].value.includes('br')) uri += '.br';
        request.uri = uri; return request;";
    for (body, does, file, viewed) in [
        (helper, index as Rewrite, "a/index.html", "/a/"),
        (brotli_too, brotli, "a/index.html.br", "/a/"),
        (
            "request.uri = uri.replace(/\\.html$/, '-v2.html'); return request;",
            second,
            "a-v2.html",
            "/a.html",
        ),
        (
            "if (uri.length > 1) request.uri = uri.replace(/\\/$/, ''); return request;",
            bare,
            "feed.xml",
            "/feed.xml/",
        ),
        (
            "if (uri.startsWith('/docs/')) log(uri); request.uri = uri.replace('/docs', ''); return request;",
            once,
            "a/b.html",
            "/a/docs/b.html",
        ),
    ] {
        let code = format!(
            "function handler(event) {{ var request = event.request, uri = request.uri; {body} }}"
        );
        let world = world(Some(function(&code, does)), None, true).await;
        let site = Site::of(&[("index.html", "1"), (file, "<p>1"), ("404.html", "x")]);
        deploy(&world, &site).await.succeeds();
        world.warm_urls([viewed]).await;
        site.write(file, "<p>2");
        deploy(&world, &site).await.succeeds();
        let stale = world.stale().await;
        assert!(stale.is_empty(), "{body}: {stale:#?}");
    }
}

/// The behavior is chosen by what the viewer asked for, the copy is kept under what the function makes of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_origins_behavior_would_answer_is_purged_all_the_same() {
    let code = include_str!("../../fixtures/functions/docs.js");
    let world = World::with(|setup| {
        let distribution = &mut setup.distribution;
        distribution.origins.push(Origin {
            id: "api".into(),
            path: String::new(),
            kind: OriginKind::Fixed {
                domain: "api.example.com".into(),
                status: 200,
                headers: Vec::new(),
                body: "api".into(),
            },
        });
        let mut behavior = Behavior::new("docs/*", "site");
        behavior.function = Some("rewrite".to_owned());
        distribution.behaviors = vec![behavior];
        distribution.default.origin = "api".to_owned();
        distribution.root = None;
        distribution.errors.clear();
    })
    .await
    .with_function(Some(function(code, docs)));
    // Asked for itself it is the API's to answer, from the same copy: only viewers of the folder come first here.
    let site = Site::of(&[("about.html", "<p>1"), ("a/index.html", "<p>1")]);
    let deploy = || deploy(&world, &site);
    deploy().await.succeeds();
    world.warm_urls(["/docs/about.html", "/docs/a/"]).await;
    site.write("about.html", "<p>2");
    site.write("a/index.html", "<p>2");
    world.forget();
    deploy().await.succeeds();
    let purged = [
        "/a/index.html",
        "/about.html",
        "/docs/a/",
        "/docs/a/index.html",
        "/docs/about.html",
    ];
    assert_eq!(world.purged(), purged);
    let stale = world.stale().await;
    assert!(stale.is_empty(), "{stale:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_function_shows_it_everywhere_owes_its_page_alone() {
    let code = include_str!("../../fixtures/functions/spa.js");
    let world = world(Some(function(code, spa)), None, false).await;
    let told = edited(&world, &site(), &["index.html", "about.html"], "read").await;
    assert_eq!(told.lines().next(), Some("/ /about.html /index.html"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_said_with_the_way_out() {
    let code = include_str!("../../fixtures/functions/segments.js");
    let moved = |uri: &str| match uri {
        "/any/route" => "/about.html".to_owned(),
        uri => uri.to_owned(),
    };
    let unknown = || world(Some(function(code, moved)), None, false);
    let (blind, spared) = (unknown().await, unknown().await);
    let told = edited(&blind, &site(), &["about.html"], "read").await;
    assert_eq!(told.lines().next(), Some("/*"));
    for words in [
        "the function rewrite does",
        "`request.uri = newUri;`",
        "functions = \"rewrite\"",
    ] {
        let words = words.replace(' ', "");
        assert!(
            told.split_whitespace().collect::<String>().contains(&words),
            "{told}"
        );
    }
    let site = site();
    let told = edited(&spared, &site, &["about.html"], "rewrite").await;
    assert_eq!(told.lines().next(), Some("/about.html"));
    assert!(!told.contains("not known what"), "{told}");
    let plan = || spared.plan(&site).env("UNSTALE_FUNCTIONS", "rewrite");
    let idle = plan().await.succeeds();
    assert!(!idle.stdout.contains("On your word"), "{}", idle.stdout);
    site.write("about.html", "<p>3");
    let planned = plan().await.succeeds();
    assert!(
        planned.stdout.contains("On your word"),
        "{}",
        planned.stdout
    );
    assert!(planned.stdout.contains("newUri"), "{}", planned.stdout);
    let json = plan().with("--json").await.succeeds();
    assert!(
        json.stdout
            .contains("\"trusted-functions\":[\"On your word"),
        "{}",
        json.stdout
    );
    // Without the word, the configuration is another.
    let planned = spared.plan(&site).await.succeeds();
    assert!(planned.stdout.contains("/*"), "{}", planned.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lambda_is_spared_by_its_owner_before_viewers_requests_alone() {
    let lambda = |event, does: Rewrite| Lambda {
        name: "pretty".to_owned(),
        event,
        does: LambdaKind::Uri(Arc::new(does)),
    };
    let pages = ["about.html", "posts/index.html"];
    for (event, does, trust, purged, word) in [
        (
            LambdaEvent::ViewerRequest,
            html as Rewrite,
            "read",
            "/*",
            "functions =",
        ),
        (
            LambdaEvent::ViewerRequest,
            html,
            "rewrite",
            "/about /about.html /posts /posts/ /posts/index /posts/index.html",
            "",
        ),
        (
            LambdaEvent::ViewerRequest,
            index,
            "rewrite",
            "/about /about.html /posts /posts/ /posts/index /posts/index.html",
            "",
        ),
        (
            LambdaEvent::OriginRequest,
            html,
            "read",
            "/*",
            "pretty:1 does before the origin",
        ),
        (
            LambdaEvent::OriginRequest,
            html,
            "rewrite",
            "/*",
            "pretty:1 does before the origin",
        ),
    ] {
        let by_viewers: &[bool] = match event {
            LambdaEvent::ViewerRequest => &[false, true],
            _ => &[false],
        };
        for by_viewer in by_viewers {
            let world = world(None, Some(lambda(event, does)), *by_viewer).await;
            let told = edited(&world, &site(), &pages, trust).await;
            assert_eq!(told.lines().next(), Some(purged), "{event:?} {trust}");
            assert_eq!(told.contains("not known what"), purged == "/*", "{told}");
            let told: String = told.split_whitespace().collect();
            assert!(told.contains(&word.replace(' ', "")), "{told}");
        }
    }
}
