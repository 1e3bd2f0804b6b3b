//! Buckets as websites.

use super::*;

/// A world whose distribution is in front of the bucket's website endpoint.
async fn website(configuration: Option<WebsiteConfiguration>) -> (World, EdgeHandle) {
    let (world, mut site) = site().await;
    site.origins[0].kind = OriginKind::Website {
        bucket: BUCKET.to_owned(),
    };
    site.root = None;
    site.errors.clear();
    if let Some(configuration) = configuration {
        world.website(BUCKET, configuration).unwrap();
    }
    world.set_distribution(site.clone());
    let edge = world.edge(&site.id, 0);
    (world, edge)
}

fn rule(change: impl FnOnce(&mut RoutingRule)) -> RoutingRule {
    let mut rule = RoutingRule::default();
    change(&mut rule);
    rule
}

#[tokio::test]
async fn routing_rules_redirect_by_prefix_and_by_error() {
    let prefix = |rule: &mut RoutingRule, from: &str| rule.key_prefix = Some(from.to_owned());
    let rules = vec![
        rule(|rule| {
            prefix(rule, "docs/");
            rule.replace_prefix = Some("documents/".to_owned());
        }),
        rule(|rule| {
            prefix(rule, "folder/");
            rule.replace_key = Some("deleted page.html".to_owned());
            rule.status = 302;
            rule.protocol = Some("https".to_owned());
        }),
        rule(|rule| {
            prefix(rule, "images/");
            rule.error_code = Some(404);
            rule.host = Some("other.example".to_owned());
            rule.replace_prefix = Some("lost/".to_owned());
        }),
    ];
    let (world, edge) = website(Some(WebsiteConfiguration {
        error: Some("error.html".to_owned()),
        rules,
        ..WebsiteConfiguration::new("default.htm")
    }))
    .await;
    for key in ["docs/a", "images/here", "a/default.htm", "a/index.html"] {
        put(&world, key, key, "max-age=5").await;
    }
    put(&world, "error.html", "sorry", "max-age=86400").await;
    let own = "bucket.s3-website-us-east-1.amazonaws.com";
    for (path, status, said) in [
        ("/docs/a", 301, format!("http://{own}/documents/a")),
        (
            "/folder/x",
            302,
            format!("https://{own}/deleted%20page.html"),
        ),
        ("/images/here", 200, "images/here".to_owned()),
        (
            "/images/gone",
            301,
            "http://other.example/lost/gone".to_owned(),
        ),
        ("/a/", 200, "a/default.htm".to_owned()),
        ("/a", 302, "/a/".to_owned()),
        ("/none", 404, "sorry".to_owned()),
    ] {
        let answer = edge.get(path).await;
        let text = answer.text();
        let told = answer.header("location").unwrap_or(&text);
        assert_eq!((answer.status, told), (status, said.as_str()), "{path}");
        let redirects = (300..400).contains(&status);
        assert_eq!(
            answer.header("cache-control").is_none(),
            redirects,
            "{path}"
        );
    }
    // What the error document says of itself holds for every URL that fails.
    put(&world, "none", "here", "").await;
    later(&world, 3600);
    assert_eq!(edge.get("/none").await.status, 404);
}

#[tokio::test]
async fn a_bucket_is_no_website_until_it_is_made_one() {
    let (world, edge) = website(None).await;
    put(&world, "index.html", "home", "").await;
    let answer = edge.get("/").await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("NoSuchWebsiteConfiguration"));
    world
        .website(BUCKET, WebsiteConfiguration::new("index.html"))
        .unwrap();
    edge.chill();
    assert_eq!(edge.get("/").await.text(), "home");
    world
        .website(
            BUCKET,
            WebsiteConfiguration {
                redirect_all: Some("https://new.example".to_owned()),
                ..WebsiteConfiguration::new("index.html")
            },
        )
        .unwrap();
    edge.chill();
    let moved = edge.get("/a/b%20c").await;
    assert_eq!(
        (moved.status, moved.header("location")),
        (301, Some("https://new.example/a/b%20c"))
    );
}

/// The order of elements says nothing.
fn sorted(mut element: xml::Element) -> xml::Element {
    element.children = element.children.into_iter().map(sorted).collect();
    element
        .children
        .sort_by_key(|child| (child.name.clone(), child.text.clone()));
    element
}

#[tokio::test]
async fn a_website_configuration_is_put_read_and_deleted() {
    let (world, _) = website(None).await;
    let get = "GET /bucket?website";
    let none = send(&world, get, b"").await;
    assert_eq!(none.status, 404);
    assert!(none.text().contains("NoSuchWebsiteConfiguration"));
    let configuration = "<IndexDocument><Suffix>i.html</Suffix></IndexDocument>\
        <ErrorDocument><Key>e.html</Key></ErrorDocument>\
        <RoutingRules><RoutingRule><Condition><KeyPrefixEquals>a/</KeyPrefixEquals>\
        <HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition>\
        <Redirect><HostName>x.example</HostName><HttpRedirectCode>307</HttpRedirectCode>\
        <Protocol>https</Protocol><ReplaceKeyPrefixWith>b/</ReplaceKeyPrefixWith></Redirect>\
        </RoutingRule></RoutingRules>";
    let all = "<RedirectAllRequestsTo><HostName>x.example</HostName>\
        <Protocol>https</Protocol></RedirectAllRequestsTo>";
    for configuration in [configuration, all] {
        let body = format!(
            "<WebsiteConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{configuration}</WebsiteConfiguration>"
        );
        let put = send(&world, "PUT /bucket?website", body.as_bytes()).await;
        assert_eq!(put.status, 200, "{}", put.text());
        let read = send(&world, get, b"").await.text();
        let [read, sent] = [read, body].map(|text| sorted(xml::Element::parse(&text).unwrap()));
        assert_eq!(read, sent);
    }
    let both = format!("<WebsiteConfiguration>{configuration}{all}</WebsiteConfiguration>");
    let both = send(&world, "PUT /bucket?website", both.as_bytes()).await;
    assert_eq!(both.status, 400);
    assert_eq!(status(&world, "DELETE /bucket?website").await, 204);
    assert_eq!(send(&world, get, b"").await.status, 404);
    let operations = world.log();
    let operations = operations.iter().map(|entry| entry.request.operation);
    let last: Vec<_> = operations.rev().take(3).collect();
    assert_eq!(
        last,
        [
            "GetBucketWebsite",
            "DeleteBucketWebsite",
            "PutBucketWebsite"
        ]
    );
}
