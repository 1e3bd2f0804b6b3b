//! What a site asks for and nobody serves is told in one warning a kind, and the site is deployed all the same.

use local_cloudfront::ErrorResponse;

use super::support::{BUCKET, Ran, Site, World};

/// The examples of Netlify's and Cloudflare Pages' documentation of `_headers`, one after the other.
pub const HEADERS: &str = "\
# a path:
/templates/index.html
  # headers for that path:
  X-Frame-Options: DENY
  X-XSS-Protection: 1; mode=block
# another path:
/templates/index2.html
  # headers for that path:
  X-Frame-Options: SAMEORIGIN

/*
  cache-control: max-age=0
  cache-control: no-cache
  cache-control: no-store
  cache-control: must-revalidate

/secure/page
  X-Frame-Options: DENY
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer

/static/*
  Access-Control-Allow-Origin: *
  X-Robots-Tag: nosnippet
  Cache-Control: public, max-age=31556952, immutable

https://myproject.pages.dev/*
  X-Robots-Tag: noindex

https://:version.:project.pages.dev/*
  X-Robots-Tag: noindex

/*.jpg
  ! Content-Security-Policy

/movies/:title
  x-movie-name: You are watching \":title\"

/about/faq/*
  Link: </about/faqs>; rel=\"canonical\"
";

/// Those of `_redirects`.
pub const NETLIFY: &str = "\
# Redirects from what the browser requests to what we serve
/home              /
/blog/my-post.php  /blog/my-post
/news              /blog
/cuties            https://www.petsofnetlify.com
/authors/c%C3%A9line /authors/about-c%C3%A9line
/my-redirect  /              302
/ecommerce    /store-closed  404
/pass-through /index.html    200
/en/*  /en/404.html  404
/best-pets/dogs /best-pets/cats.html 200!
/news/:month/:date/:year/:slug  /blog/:year/:month/:date/:slug
/news/*  /blog/:splat
/store id=:id  /blog/:id  301
/articles id=:id tag=:tag /posts/:tag/:id 301
/  /anz     302  Country=au,nz
/israel/*  /israel/he/:splat  302  Language=he
/legacy/* /legacy/:splat 200 Cookie=is_legacy,my_other_cookie
/admin/*  200!  Role=admin
http://blog.yoursite.com/* https://www.yoursite.com/blog/:splat 301!
https://blog.yoursite.com/* https://www.yoursite.com/blog/:splat 301!
/api/*  https://api.example.com/:splat  200
/*  /index.html  200
";
pub const CLOUDFLARE: &str = "\
/home301 / 301
/home302 / 302
/querystrings /?query=string 301
/twitch https://twitch.tv
/trailing /trailing/ 301
/notrailing/ /nottrailing 301
/page/ /page2/#fragment 301
/blog/* https://blog.my.domain/:splat
/products/:code/:name /products?code=:code&name=:name
/a /b 200
/b /c 200
";

fn site() -> Site {
    Site::of(&[
        ("index.html", "<p>"),
        ("static/a.css", "p{}"),
        ("templates/index.html", "<p>"),
    ])
}

/// The warnings about lines that nobody serves.
fn told(ran: &Ran) -> Vec<String> {
    let objects = ran.json().into_iter();
    let warnings = objects.filter(|object| object["type"] == "warning");
    let texts = warnings.filter_map(|object| Some(object["message"].as_str()?.to_owned()));
    texts
        .filter(|text| text.contains("/_headers:") || text.contains("/_redirects:"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn documented_headers_are_deployed_as_they_are() {
    let (world, site) = (World::new().await, site());
    site.write("_headers", HEADERS);
    let planned = told(&world.plan(&site).with("--json").await.succeeds());
    let warnings = told(&world.deploy(&site).with("--json").await.succeeds());
    assert_eq!(planned, warnings);
    let [unkept, hosts] = warnings.as_slice() else {
        panic!("{warnings:#?}");
    };
    assert!(
        unkept.contains(
            "_headers:4, 5 and 9 more: S3 does not keep X-Frame-Options, X-XSS-Protection, X-Content-Type-Options, \
             Referrer-Policy, Access-Control-Allow-Origin, X-Robots-Tag, Content-Security-Policy, x-movie-name and 1 more: no \
             viewer gets them"
        ),
        "{unkept}"
    );
    assert!(
        hosts.contains("_headers:28, 31: one bucket does not tell hosts apart"),
        "{hosts}"
    );
    let of = async |path: &str| {
        world
            .cold(path)
            .await
            .header("cache-control")
            .map(str::to_owned)
    };
    let never = "max-age=0, no-cache, no-store, must-revalidate";
    assert_eq!(of("/templates/index.html").await.as_deref(), Some(never));
    let long = "public, max-age=31556952, immutable";
    assert_eq!(of("/static/a.css").await.as_deref(), Some(long));
    world.assert_idle(world.deploy(&site)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documented_redirects_are_deployed_as_they_are() {
    for (text, kinds) in [(NETLIFY, 4), (CLOUDFLARE, 0)] {
        let (world, site) = (World::new().await, site());
        site.write("_redirects", text);
        let deploy = world.deploy(&site).with("--json").arg("--config");
        let settings = site.project().join("deploy.toml");
        std::fs::write(&settings, "redirect-function = \"f\"\n").unwrap();
        let warnings = told(&deploy.arg(&settings).await.succeeds());
        assert_eq!(warnings.len(), kinds, "{warnings:#?}");
        // What can be served is.
        let moved = if kinds == 0 {
            ("/twitch", "https://twitch.tv")
        } else {
            ("/news", "/blog")
        };
        let answer = world.cold(moved.0).await;
        assert_eq!(answer.header("location"), Some(moved.1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_errors_are_its_page_needs_no_line() {
    let world = World::with(|setup| {
        setup.distribution.errors = vec![ErrorResponse {
            code: 404,
            page: Some("/index.html".into()),
            response: Some(200),
            min_ttl: 0,
        }];
    })
    .await;
    let site = site();
    site.write("_redirects", "/*  /index.html  200\n");
    let ran = world.deploy(&site).with("--strict").await.succeeds();
    ran.never_says("_redirects");
    assert_eq!(world.cold("/some/route").await.status, 200);
    site.write("_redirects", "/*  /app.html  200\n");
    world
        .plan(&site)
        .await
        .succeeds()
        .says("_redirects:1: S3 shows no page under another URL");
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_refuses_what_nobody_serves() {
    let (world, site) = (World::new().await, site());
    site.write("_headers", "/*\n  X-Frame-Options: DENY\n");
    site.write("_redirects", "/api/* https://api.example.com/:splat 200\n");
    let settings =
        "[[headers]]\nmatch = \"*.html\"\nothers = { Link = \"</a.css>; rel=preload\" }\n";
    std::fs::write(site.project().join("deploy.toml"), settings).unwrap();
    for command in [world.deploy(&site), world.plan(&site)] {
        let ran = command
            .with("--strict")
            .within(site.project())
            .await
            .exits(2);
        ran.says("_headers:2; deploy.toml:1: S3 does not keep X-Frame-Options, Link")
            .says("_redirects:1: S3 hands no request on");
    }
    assert!(world.writes().is_empty());
    let strict = format!("strict = true\n{settings}");
    std::fs::write(site.project().join("deploy.toml"), strict).unwrap();
    world.deploy(&site).within(site.project()).await.exits(2);
    std::fs::write(site.project().join("deploy.toml"), settings).unwrap();
    world.deploy(&site).within(site.project()).await.succeeds();
    assert!(world.object(BUCKET, "index.html").is_some());
}
