//! What Lambda@Edge and functions that tests make up do at edges.

use std::sync::Arc;

use super::*;

fn lambda(event: LambdaEvent, does: LambdaKind) -> Lambda {
    Lambda {
        name: "changes".to_owned(),
        event,
        does,
    }
}

#[tokio::test]
async fn a_request_is_kept_under_what_a_viewer_request_makes_of_it() {
    let (world, mut site) = site().await;
    put(&world, "dir/index.html", "index", "").await;
    for (event, entry) in [
        (LambdaEvent::ViewerRequest, "/dir/index.html"),
        (LambdaEvent::OriginRequest, "/dir/"),
    ] {
        let index = |uri: &str| {
            let document = if uri.ends_with('/') { "index.html" } else { "" };
            format!("{uri}{document}")
        };
        site.default.lambdas = vec![lambda(event, LambdaKind::Uri(Arc::new(index)))];
        world.set_distribution(site.clone());
        let edge = world.edge(&site.id, 0);
        edge.chill();
        assert_eq!(edge.get("/dir/").await.text(), "index");
        assert_eq!(edge.entries(), [entry]);
        let config = format!("GET /2020-05-31/distribution/{}/config", site.id);
        let config = xml::Element::parse(&send(&world, &config, b"").await.text()).unwrap();
        let shown = &config
            .items("DefaultCacheBehavior/LambdaFunctionAssociations")
            .first()
            .unwrap();
        assert_eq!(shown.text_at("EventType"), event.name());
        assert_eq!(
            shown.text_at("LambdaFunctionARN"),
            "arn:aws:lambda:us-east-1:111122223333:function:changes:1"
        );
    }
}

#[tokio::test]
async fn an_origin_response_is_kept_as_a_lambda_changed_it() {
    let (world, mut site) = site().await;
    let change = |response: &mut LambdaResponse| {
        if response.status == 404 {
            response.status = 200;
            response.body = "made up".into();
        }
        let long = ("cache-control".to_owned(), "max-age=3600".to_owned());
        response.headers.retain(|(name, _)| *name != long.0);
        response.headers.push(long);
    };
    let does = LambdaKind::Response(Arc::new(change));
    site.default.lambdas = vec![lambda(LambdaEvent::OriginResponse, does)];
    world.set_distribution(site.clone());
    put(&world, "a", "one", "max-age=1").await;
    let edge = world.edge(&site.id, 0);
    assert_eq!(edge.get("/a").await.text(), "one");
    let none = edge.get("/none").await;
    assert_eq!(
        (none.status, none.text().as_str(), none.x_cache),
        (200, "made up", "Miss from cloudfront")
    );
    put(&world, "a", "two", "max-age=1").await;
    put(&world, "none", "here", "").await;
    later(&world, 3599);
    assert_eq!(edge.get("/a").await.text(), "one");
    assert_eq!(edge.get("/none").await.text(), "made up");
    later(&world, 1);
    assert_eq!(edge.get("/a").await.text(), "two");
    assert_eq!(edge.get("/none").await.text(), "here");
}

#[tokio::test]
async fn a_viewer_response_is_changed_for_viewers_alone_and_never_an_error() {
    let (world, mut site) = site().await;
    let change = |response: &mut LambdaResponse| {
        let header = ("x-seen".to_owned(), "yes".to_owned());
        response.headers.push(header);
    };
    let does = LambdaKind::Response(Arc::new(change));
    site.default.lambdas = vec![lambda(LambdaEvent::ViewerResponse, does)];
    world.set_distribution(site.clone());
    put(&world, "a", "one", "").await;
    let edge = world.edge(&site.id, 0);
    for _ in 0..2 {
        let answer = edge.get("/a").await;
        let seen = answer.headers.iter().filter(|(name, _)| name == "x-seen");
        assert_eq!(seen.count(), 1);
        assert_eq!(edge.get("/none").await.header("x-seen"), None);
    }
}

#[tokio::test]
async fn a_function_shows_its_source_and_does_what_a_closure_says() {
    let (world, mut site) = site().await;
    let does = |uri: &str, query: &str| match uri {
        "/old" => FunctionOutcome::Redirect(302, format!("/new?{query}")),
        _ => FunctionOutcome::Uri(format!("{uri}.html")),
    };
    let code = "function handler(event) { /* as above */ }";
    let function = Function {
        code: code.to_owned(),
        does: FunctionKind::Custom(Arc::new(does)),
    };
    world.set_function("pretty", function);
    site.default.function = Some("pretty".to_owned());
    world.set_distribution(site.clone());
    put(&world, "about.html", "about", "").await;
    let edge = world.edge(&site.id, 0);
    assert_eq!(edge.get("/about").await.text(), "about");
    assert_eq!(edge.entries(), ["/about.html"]);
    let moved = edge.get("/old?a=b").await;
    assert_eq!(
        (moved.status, moved.header("location")),
        (302, Some("/new?a=b"))
    );
    let get = "GET /2020-05-31/function/pretty?Stage=LIVE";
    assert_eq!(send(&world, get, b"").await.text(), code);
}
