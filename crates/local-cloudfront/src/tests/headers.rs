//! Response headers policies: the API, and what edges make of them.

use super::*;

const POLICIES: &str = "/2020-05-31/response-headers-policy";

/// A config of this name with more in it.
fn config(name: &str, more: &str) -> String {
    format!(
        "<ResponseHeadersPolicyConfig xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Comment>c</Comment><Name>{name}</Name>{more}</ResponseHeadersPolicyConfig>"
    )
}

fn custom(headers: &[(&str, &str)]) -> String {
    let items: String = headers
        .iter()
        .map(|(name, value)| {
            format!("<ResponseHeadersPolicyCustomHeader><Header>{name}</Header><Value>{value}</Value><Override>true</Override></ResponseHeadersPolicyCustomHeader>")
        })
        .collect();
    let count = headers.len();
    format!(
        "<CustomHeadersConfig><Quantity>{count}</Quantity><Items>{items}</Items></CustomHeadersConfig>"
    )
}

fn removed(names: &[&str]) -> String {
    let items: String = names
        .iter()
        .map(|name| {
            format!("<ResponseHeadersPolicyRemoveHeader><Header>{name}</Header></ResponseHeadersPolicyRemoveHeader>")
        })
        .collect();
    let count = names.len();
    format!(
        "<RemoveHeadersConfig><Quantity>{count}</Quantity><Items>{items}</Items></RemoveHeadersConfig>"
    )
}

fn security(settings: &str) -> String {
    format!("<SecurityHeadersConfig>{settings}</SecurityHeadersConfig>")
}

fn cors(credentials: bool, headers: &str) -> String {
    format!(
        "<CorsConfig><AccessControlAllowOrigins><Quantity>1</Quantity><Items><Origin>https://a.example</Origin></Items></AccessControlAllowOrigins><AccessControlAllowHeaders><Quantity>1</Quantity><Items><Header>{headers}</Header></Items></AccessControlAllowHeaders><AccessControlAllowMethods><Quantity>1</Quantity><Items><Method>GET</Method></Items></AccessControlAllowMethods><AccessControlAllowCredentials>{credentials}</AccessControlAllowCredentials><OriginOverride>true</OriginOverride></CorsConfig>"
    )
}

async fn create(world: &World, config: &str) -> Reply {
    send(world, &format!("POST {POLICIES}"), config.as_bytes()).await
}

/// The id and the ETag of a new policy.
async fn created(world: &World, config: &str) -> (String, String) {
    let reply = create(world, config).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let id = xml::Element::parse(&reply.text()).unwrap();
    let etag = reply.header("etag").unwrap().to_owned();
    (id.text_at("Id").to_owned(), etag)
}

/// The status and the code of a refusal.
fn code(reply: &Reply) -> (u16, String) {
    let error = xml::Element::parse(&reply.text()).unwrap_or_default();
    (reply.status, error.text_at("Error/Code").to_owned())
}

/// Sends a distribution's configuration back with a text in it replaced.
async fn replace_in_config(world: &World, id: &str, text: &str, by: &str) -> Reply {
    let path = format!("/2020-05-31/distribution/{id}/config");
    let config = send(world, &format!("GET {path}"), b"").await;
    assert!(config.text().contains(text), "{}", config.text());
    let etag = config.header("etag").unwrap();
    let changed = config.text().replace(text, by);
    let request = format!("PUT {path}\nif-match: {etag}");
    send(world, &request, changed.as_bytes()).await
}

fn with_policy(site: &Distribution, id: &str) -> Distribution {
    let mut site = site.clone();
    site.default.headers_policy = Some(id.to_owned());
    site
}

#[tokio::test]
async fn a_policy_is_written_read_changed_and_deleted() {
    let world = world().await;
    let settings = security(
        "<XSSProtection><Override>true</Override><Protection>true</Protection><ReportUri>/r</ReportUri></XSSProtection><StrictTransportSecurity><Override>true</Override><IncludeSubdomains>true</IncludeSubdomains><Preload>true</Preload><AccessControlMaxAgeSec>60</AccessControlMaxAgeSec></StrictTransportSecurity>",
    );
    let all = [
        settings,
        cors(true, "X-A"),
        custom(&[("X-B", "b &amp; c"), ("X-C", "")]),
        removed(&["X-Powered-By"]),
    ];
    let (id, etag) = created(&world, &config("one", &all.concat())).await;
    let (_, policy) = &world.headers_policies()[0];
    let sent: Vec<String> = policy
        .sent(Some("https://a.example"))
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    assert_eq!(
        sent,
        [
            "access-control-allow-origin: https://a.example",
            "access-control-allow-credentials: true",
            "x-xss-protection: 1; report=/r",
            "strict-transport-security: max-age=60; includeSubDomains; preload",
            "x-b: b & c",
            "x-c: ",
        ]
    );
    assert_eq!(policy.sent(Some("https://b.example")).len(), 4);
    assert_eq!(policy.removed, ["X-Powered-By"]);

    // What is read can be written back, and is the same.
    let one = format!("{POLICIES}/{id}");
    let read = send(&world, &format!("GET {one}/config"), b"").await;
    assert_eq!(read.header("etag"), Some(etag.as_str()));
    let put = format!("PUT {one}\nif-match: {etag}");
    let same = send(&world, &put, read.text().as_bytes()).await;
    assert_eq!(
        (same.status, same.header("etag")),
        (200, Some(etag.as_str()))
    );
    assert_eq!(world.headers_policies()[0].1, *policy);

    let change = config("one", &custom(&[("X-B", "other")]));
    let changed = send(&world, &put, change.as_bytes()).await;
    assert_eq!(changed.status, 200);
    let fresh = changed.header("etag").unwrap().to_owned();
    assert_ne!(fresh, etag);
    let whole = send(&world, &format!("GET {one}"), b"").await;
    assert_eq!(whole.header("etag"), Some(fresh.as_str()));
    assert!(whole.text().contains("<Value>other</Value>"));
    for (request, expected) in [
        (put, (412, "PreconditionFailed")),
        (format!("PUT {one}"), (400, "InvalidIfMatchVersion")),
        (
            format!("DELETE {one}\nif-match: x"),
            (412, "PreconditionFailed"),
        ),
        (
            format!("PUT {POLICIES}/x\nif-match: x"),
            (404, "NoSuchResponseHeadersPolicy"),
        ),
        (
            format!("GET {POLICIES}/x"),
            (404, "NoSuchResponseHeadersPolicy"),
        ),
    ] {
        let refusal = code(&send(&world, &request, change.as_bytes()).await);
        assert_eq!((refusal.0, refusal.1.as_str()), expected, "{request}");
    }
    let delete = format!("DELETE {one}\nif-match: {fresh}");
    assert_eq!(send(&world, &delete, b"").await.status, 204);
    assert_eq!(world.headers_policies(), []);
}

#[tokio::test]
async fn what_cloudfront_refuses_is_refused() {
    let world = world().await;
    let names: Vec<String> = (0..11).map(|number| format!("x-{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let policy = |length: usize| {
        let value = "a".repeat(length);
        security(&format!(
            "<ContentSecurityPolicy><Override>true</Override><ContentSecurityPolicy>{value}</ContentSecurityPolicy></ContentSecurityPolicy>"
        ))
    };
    let invalid = "InvalidArgument";
    for (more, expected) in [
        (custom(&many), "TooManyCustomHeadersInResponseHeadersPolicy"),
        (
            removed(&names),
            "TooManyRemoveHeadersInResponseHeadersPolicy",
        ),
        (policy(1784), "TooLongCSPInResponseHeadersPolicy"),
        (
            custom(&many[..1]).replace(">1<", ">2<"),
            "InconsistentQuantities",
        ),
        (String::new(), invalid),
        (custom(&[("X-Frame-Options", "DENY")]), invalid),
        (custom(&[("Access-Control-Allow-Origin", "*")]), invalid),
        (custom(&[("Content-Length", "1")]), invalid),
        (custom(&[("X-Edge-Location", "1")]), invalid),
        (custom(&[("x a", "1")]), invalid),
        (custom(&[("x-a", "1"), ("X-A", "2")]), invalid),
        (removed(&["Via"]), invalid),
        (removed(&["x-amz-cf-pop"]), invalid),
        (cors(true, "*"), invalid),
        (
            security(
                "<FrameOptions><Override>true</Override><FrameOption>ALLOW-FROM x</FrameOption></FrameOptions>",
            ),
            invalid,
        ),
        (
            security(
                "<XSSProtection><Override>true</Override><Protection>true</Protection><ModeBlock>true</ModeBlock><ReportUri>/r</ReportUri></XSSProtection>",
            ),
            invalid,
        ),
    ] {
        let refusal = code(&create(&world, &config("bad", &more)).await);
        assert_eq!(refusal, (400, expected.to_owned()), "{more}");
    }
    assert_eq!(world.headers_policies(), []);
    for taken in [
        custom(&many[..10]),
        removed(&names[..10]),
        policy(1783),
        removed(&["x-amz-meta-cache-tag", "Server"]),
    ] {
        let name = format!("good-{}", taken.len());
        created(&world, &config(&name, &taken)).await;
    }
}

#[tokio::test]
async fn a_name_is_taken_once_and_an_account_has_twenty() {
    let world = world().await;
    for number in 0..20 {
        let config = config(&format!("policy-{number}"), &removed(&["x-a"]));
        created(&world, &config).await;
    }
    let again = create(&world, &config("policy-3", &removed(&["x-b"]))).await;
    let taken = (409, "ResponseHeadersPolicyAlreadyExists".to_owned());
    assert_eq!(code(&again), taken);
    let (id, _) = world.headers_policies().remove(0);
    let (_, other) = world.headers_policies().remove(1);
    let read = send(&world, &format!("GET {POLICIES}/{id}"), b"").await;
    let put = format!(
        "PUT {POLICIES}/{id}\nif-match: {}",
        read.header("etag").unwrap()
    );
    let renamed = config(&other.name, &removed(&["x-a"]));
    assert_eq!(code(&send(&world, &put, renamed.as_bytes()).await), taken);
    let more = create(&world, &config("more", &removed(&["x-a"]))).await;
    assert_eq!(
        code(&more),
        (400, "TooManyResponseHeadersPolicies".to_owned())
    );
}

#[tokio::test]
async fn policies_are_listed_page_by_page_and_by_their_kind() {
    let world = world().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(created(&world, &config(name, &removed(&["x-a"]))).await.0);
    }
    ids.sort();
    let list = |query: String| {
        let world = world.clone();
        async move {
            let reply = send(&world, &format!("GET {POLICIES}?{query}"), b"").await;
            let list = xml::Element::parse(&reply.text()).unwrap();
            let items = list.at("Items").unwrap().children.clone();
            let ids: Vec<String> = items
                .iter()
                .map(|item| item.text_at("ResponseHeadersPolicy/Id").to_owned())
                .collect();
            (ids, list.text_at("NextMarker").to_owned())
        }
    };
    let (first, marker) = list("Type=custom&MaxItems=2".to_owned()).await;
    assert_eq!(first, ids[..2]);
    let (rest, end) = list(format!("Type=custom&MaxItems=2&Marker={marker}")).await;
    assert_eq!((rest.as_slice(), end.as_str()), (&ids[2..], ""));
    let (managed, _) = list("Type=managed".to_owned()).await;
    assert!(managed.contains(&headers_policy::SECURITY_HEADERS_POLICY.to_owned()));
    let (all, _) = list(String::new()).await;
    assert_eq!(all.len(), ids.len() + managed.len());

    let one = format!("{POLICIES}/{}", managed[0]);
    let read = send(&world, &format!("GET {one}"), b"").await;
    let matched = format!("{one}\nif-match: {}", read.header("etag").unwrap());
    let change = config("ours", &removed(&["x-a"]));
    let put = send(&world, &format!("PUT {matched}"), change.as_bytes()).await;
    assert_eq!(code(&put), (400, "IllegalUpdate".to_owned()));
    let delete = send(&world, &format!("DELETE {matched}"), b"").await;
    assert_eq!(code(&delete), (400, "IllegalDelete".to_owned()));
}

#[tokio::test]
async fn edges_go_by_a_policy_on_the_way_out_whatever_they_answer() {
    let (world, site) = site().await;
    let mut site = with_policy(&site, "p");
    let redirects = [("/old".to_owned(), "/a".to_owned())];
    let does = FunctionKind::Redirects(redirects.into());
    let code = String::new();
    world.set_function("f", Function { code, does });
    site.default.function = Some("f".to_owned());
    site.behaviors = vec![Behavior::new("/plain/*", "site")];
    let seen = |response: &mut LambdaResponse| {
        let policy = response.headers.iter().find(|(name, _)| name == "x-a");
        let policy = policy.map_or("nothing".to_owned(), |(_, value)| value.clone());
        response.headers.push(("x-seen".to_owned(), policy));
    };
    site.default.lambdas = vec![Lambda {
        name: "l".to_owned(),
        event: LambdaEvent::ViewerResponse,
        does: LambdaKind::Response(std::sync::Arc::new(seen)),
    }];
    world.set_distribution(site.clone());
    let policy = |value: &str| HeadersPolicy {
        name: "p".to_owned(),
        custom: vec![
            PolicyHeader::new("X-A", value),
            PolicyHeader::new("Cache-Control", "no-cache"),
        ],
        removed: vec!["ETag".to_owned()],
        ..HeadersPolicy::default()
    };
    world.set_headers_policy("p", policy("one"));
    put(&world, "a", "body", "max-age=60").await;
    put(&world, "plain/a", "body", "max-age=60").await;
    let edge = world.edge(&site.id, 0);
    for (path, status, x_cache) in [
        ("/a", 200, "Miss from cloudfront"),
        ("/a", 200, "Hit from cloudfront"),
        ("/none", 404, "Error from cloudfront"),
        ("/none", 404, "Error from cloudfront"),
        ("/old", 301, "FunctionGeneratedResponse from cloudfront"),
    ] {
        let answer = edge.get(path).await;
        assert_eq!((answer.status, answer.x_cache), (status, x_cache), "{path}");
        assert_eq!(answer.header("x-a"), Some("one"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{path}");
        assert_eq!(answer.header("etag"), None, "{path}");
    }
    // A function on the way out sees what the policy sent.
    assert_eq!(edge.get("/a").await.header("x-seen"), Some("one"));
    let plain = edge.get("/plain/a").await;
    assert_eq!(plain.header("x-a"), None);
    assert_eq!(plain.header("cache-control"), Some("max-age=60"));

    // Cached answers show a changed policy at once, and are kept by the origin's Cache-Control.
    world.set_headers_policy("p", policy("two"));
    let cached = edge.get("/a").await;
    assert_eq!(cached.x_cache, "Hit from cloudfront");
    assert_eq!(cached.header("x-a"), Some("two"));
    site.default.headers_policy = None;
    world.set_distribution(site.clone());
    let cached = edge.get("/a").await;
    assert_eq!(cached.header("x-a"), None);
    assert!(cached.header("etag").is_some());
}

#[tokio::test]
async fn update_distribution_attaches_policies_and_changes_nothing_else() {
    let (world, mut site) = site().await;
    site.behaviors = vec![Behavior::new("/images/*", "site")];
    world.set_distribution(site.clone());
    let (id, etag) = created(&world, &config("p", &custom(&[("x-a", "1")]))).await;
    let fields = "<FieldLevelEncryptionId></FieldLevelEncryptionId>";
    let attached = format!("<ResponseHeadersPolicyId>{id}</ResponseHeadersPolicyId>");
    let unknown = attached.replace(&id, "unknown");
    let refusal = replace_in_config(&world, &site.id, fields, &unknown).await;
    let none = (404, "NoSuchResponseHeadersPolicy".to_owned());
    assert_eq!(code(&refusal), none);
    let done = replace_in_config(&world, &site.id, fields, &attached).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let after = world.distribution(&site.id).unwrap();
    let policies = [&after.default, &after.behaviors[0]].map(|it| it.headers_policy.clone());
    assert_eq!(policies, [Some(id.clone()), Some(id.clone())]);
    put(&world, "images/a", "body", "").await;
    let answer = world.edge(&site.id, 0).get("/images/a").await;
    assert_eq!(answer.header("x-a"), Some("1"));

    let one = format!("{POLICIES}/{id}\nif-match: {etag}");
    let refusal = send(&world, &format!("DELETE {one}"), b"").await;
    assert_eq!(
        code(&refusal),
        (409, "ResponseHeadersPolicyInUse".to_owned())
    );
    let both = format!(
        "{attached}<CachePolicyId>{}</CachePolicyId>",
        policy::CACHING_OPTIMIZED
    );
    let other = format!(
        "<CachePolicyId>{}</CachePolicyId>",
        policy::CACHING_DISABLED
    );
    let refusal = replace_in_config(&world, &site.id, &both, &other).await;
    assert_eq!(code(&refusal), (400, "InvalidArgument".to_owned()));
    let done = replace_in_config(&world, &site.id, &attached, "").await;
    assert_eq!(done.status, 200);
    assert_eq!(
        send(&world, &format!("DELETE {one}"), b"").await.status,
        204
    );
}

#[tokio::test]
async fn a_folder_keeps_policies_and_where_they_are_attached() {
    let dir = tempfile::tempdir().unwrap();
    let open = || open_or_attach(dir.path(), FolderOptions::new(BUCKET));
    let first = open().await.unwrap();
    let world = first.world.clone().unwrap();
    let (id, _) = created(&world, &config("p", &custom(&[("x-a", "1")]))).await;
    let site = world
        .distribution(first.distribution.as_ref().unwrap())
        .unwrap();
    let fields = "<FieldLevelEncryptionId></FieldLevelEncryptionId>";
    let attached = format!("<ResponseHeadersPolicyId>{id}</ResponseHeadersPolicyId>");
    let done = replace_in_config(&world, &site.id, fields, &attached).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let policies = world.headers_policies();
    world.stop();
    drop((first, world));
    let second = open().await.unwrap().world.unwrap();
    assert_eq!(second.headers_policies(), policies);
    let site = second.distribution(&site.id).unwrap();
    assert_eq!(site.default.headers_policy, Some(id));
}
