//! Functions that are run by their source.

use super::*;

/// Has a function of this source see the requests of the default behavior.
fn associate(world: &World, site: &mut Distribution, code: &str) {
    world.set_function("f", Function::of(code.to_owned()));
    site.default.function = Some("f".to_owned());
    world.set_distribution(site.clone());
}

#[tokio::test]
async fn functions_of_both_events_are_associated_by_update_distribution() {
    let (world, site) = site().await;
    world.set_function("f", Function::of("x".to_owned()));
    let path = format!("/2020-05-31/distribution/{}/config", site.id);
    let association = |event: &str| {
        let arn = "arn:aws:cloudfront::111122223333:function/f";
        format!(
            "<FunctionAssociation><FunctionARN>{arn}</FunctionARN><EventType>{event}</EventType></FunctionAssociation>"
        )
    };
    let none = "<FunctionAssociations><Quantity>0</Quantity></FunctionAssociations>";
    let first = send(&world, &format!("GET {path}"), b"").await.text();
    for (events, expected) in [
        (
            &["viewer-request", "viewer-response"][..],
            Some([true, true]),
        ),
        (&["viewer-response"], Some([false, true])),
        (&["viewer-response", "viewer-response"], None),
        (&["origin-request"], None),
        (&["viewer-request"], Some([true, false])),
        (&[], Some([false, false])),
    ] {
        let known = send(&world, &format!("GET {path}"), b"").await;
        let items: String = events.iter().map(|event| association(event)).collect();
        let sent = format!(
            "<FunctionAssociations><Quantity>{}</Quantity><Items>{items}</Items></FunctionAssociations>",
            events.len()
        );
        let body = first.replace(none, &sent);
        let update = format!("PUT {path}\nif-match: {}", known.header("etag").unwrap());
        let updated = send(&world, &update, body.as_bytes()).await;
        let Some(expected) = expected else {
            assert_eq!(updated.status, 400, "{events:?}");
            continue;
        };
        assert_eq!(updated.status, 200, "{events:?} {}", updated.text());
        let now = world.distribution(&site.id).unwrap().default;
        assert_eq!(
            [now.function.is_some(), now.response_function.is_some()],
            expected
        );
        let shown = send(&world, &format!("GET {path}"), b"").await.text();
        let shown = xml::Element::parse(&shown).unwrap();
        let shown = shown
            .items("DefaultCacheBehavior/FunctionAssociations")
            .iter();
        assert!(
            shown
                .map(|shown| shown.text_at("EventType"))
                .eq(events.iter().copied())
        );
    }
}

#[tokio::test]
async fn an_interpreter_is_asked_before_an_engine() {
    use std::sync::Arc;

    let (_, mut site) = site().await;
    let interpreter = |call: &FunctionCall<'_>| {
        let request = call.request;
        let mut changed = request.clone();
        match call.code {
            "headers" => {
                let names = request
                    .headers
                    .iter()
                    .map(|(name, value)| [name, "=", value].concat());
                changed.uri = format!("/{}/{}", request.host, names.collect::<String>());
                Some(FunctionOutcome::Request(changed))
            }
            "fails" => Some(FunctionOutcome::Failed("it does".to_owned())),
            _ => None,
        }
    };
    let world = world_with(Options {
        interpreter: Some(Arc::new(interpreter)),
        ..Options::default()
    })
    .await;
    associate(&world, &mut site, "headers");
    let edge = world.edge(&site.id, 0);
    edge.get("/a").await;
    edge.request("/a", &[("HOST", "www.example"), ("X-Seen", "yes")])
        .await;
    site.aliases = vec!["alias.example".to_owned()];
    world.set_distribution(site.clone());
    edge.get("/a").await;
    let url = world.serve_edge(&site.id, 0, 0).await.unwrap();
    try_send(&url, "GET /a\naccept: b", b"").await.unwrap();
    let kept = [
        "/alias.example/".to_owned(),
        format!("/{}/", site.domain),
        "/www.example/x-seen=yes".to_owned(),
        "/x/connection=closecontent-length=0accept=b".to_owned(),
    ];
    assert_eq!(edge.entries(), kept);
    associate(&world, &mut site, "fails");
    let failed = edge.get("/a").await;
    assert_eq!(
        (failed.status, failed.x_cache),
        (503, "FunctionExecutionError from cloudfront")
    );
    put(&world, "a", "passed", "").await;
    // Not understood, and passed by an engine.
    associate(
        &world,
        &mut site,
        "function handler(event) { return event.request; }",
    );
    assert_eq!(edge.get("/a").await.text(), "passed");
}

#[cfg(feature = "javascript")]
mod javascript {
    use std::time::Instant;

    use super::*;

    /// What an edge answers to a viewer's request whose function is `code`: status, Location and x-cache.
    async fn asked(code: &str, path: &str) -> (u16, Option<String>, &'static str) {
        let (world, mut site) = site().await;
        associate(&world, &mut site, code);
        let answer = world.edge(&site.id, 0).get(path).await;
        let location = answer.header("location").map(str::to_owned);
        (answer.status, location, answer.x_cache)
    }

    /// What a function that answers `expression` in its Location gives.
    async fn evaluated(expression: &str) -> String {
        let code = format!(
            "import crypto from 'crypto';
             async function handler(event) {{
               const request = event.request;
               const value = {expression};
               return {{ statusCode: 302, headers: {{ location: {{ value: String(value) }} }} }};
             }}"
        );
        let (status, location, _) = asked(&code, "/a%20b?x=1&y=%20&x=2&z").await;
        assert_eq!(status, 302, "{expression}");
        location.unwrap()
    }

    #[tokio::test]
    async fn a_function_finds_what_the_runtime_has() {
        for (expression, expected) in [
            ("request.uri", "/a%20b"),
            ("request.method", "GET"),
            (
                "JSON.stringify(request.querystring)",
                r#"{"x":{"value":"1","multiValue":[{"value":"1"},{"value":"2"}]},"y":{"value":"%20"},"z":{"value":""}}"#,
            ),
            ("request.rawQueryString()", "x=1&y=%20&x=2&z"),
            ("request.headers.host.value.split('.')[1]", "cloudfront"),
            (
                "event.version + event.context.eventType",
                "1.0viewer-request",
            ),
            ("event.context.distributionId.length", "14"),
            (
                "typeof event.context.requestId + typeof event.viewer.ip",
                "stringstring",
            ),
            ("btoa('caf\\xe9')", "Y2Fm6Q=="),
            ("atob('YWI=')", "ab"),
            (
                "crypto.createHash('md5').update('a').update('b').digest('hex')",
                "187ef4436122d1cc2f40dc2b92f0eba0",
            ),
            (
                "crypto.createHash('sha1').update('é').digest('base64')",
                "vxW+cXrBsIC08cRWaSgliR/1Bz0=",
            ),
            (
                "require('crypto').createHash('sha256').update('').digest('base64url')",
                "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
            ),
            (
                "crypto.createHmac('sha256', 'key').update('The quick brown fox jumps over the lazy dog').digest('hex')",
                "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
            ),
            ("crypto.createHash('md5').update('a').digest().length", "16"),
            ("Buffer.from('6869', 'hex').toString()", "hi"),
            ("2 ** await Promise.resolve(3)", "8"),
            (
                "typeof eval + typeof Map + typeof fetch + typeof native",
                "undefinedundefinedundefinedundefined",
            ),
        ] {
            assert_eq!(evaluated(expression).await, expected, "{expression}");
        }
    }

    #[tokio::test]
    async fn what_a_function_returns_goes_on_or_is_the_answer() {
        let (world, mut site) = site().await;
        let policy = CachePolicy {
            query: QueryKey::All,
            ..CachePolicy::optimized()
        };
        site.default.caching = Caching::Legacy(policy);
        let code = "function handler(event) {
          const request = event.request;
          if (request.cookies.who) request.uri = '/' + request.cookies.who.value;
          if (request.headers['x-two']) request.uri += request.headers['x-two'].multiValue.length;
          delete request.querystring.gone;
          console.log(request);
          return request;
        }";
        associate(&world, &mut site, code);
        let edge = world.edge(&site.id, 0);
        edge.request(
            "/a?b&gone=1&c=%2f&b=2",
            &[("Cookie", "x=1; who=me"), ("x-two", "a"), ("X-Two", "b")],
        )
        .await;
        edge.get("/a?b").await;
        assert_eq!(edge.entries(), ["/a?b", "/me2?b=&b=2&c=%2f"]);
        let code = "function handler() {
          return {
            statusCode: 410, statusDescription: 'Gone',
            headers: { 'cache-control': { value: 'max-age=1' } },
            cookies: { a: { value: 'b', attributes: 'Path=/' } },
            body: { encoding: 'base64', data: btoa('gone') },
          };
        }";
        associate(&world, &mut site, code);
        let answer = edge.get("/a").await;
        assert_eq!((answer.status, answer.text().as_str()), (410, "gone"));
        assert_eq!(answer.header("cache-control"), Some("max-age=1"));
        assert_eq!(answer.header("set-cookie"), Some("a=b; Path=/"));
        assert_eq!(answer.x_cache, "FunctionGeneratedResponse from cloudfront");
    }

    #[tokio::test]
    async fn a_function_that_fails_is_answered_for_with_503() {
        for code in [
            "function handler(event) { throw new Error('no'); }",
            "function handler(event) { return event.request",
            "function handler(event) { while (true) {} }",
            "async function handler(event) { while (true) await 0; }",
            "async function handler(event) { await new Promise(function () {}); }",
            "function handler(event) { return handler(event); }",
            "function handler(event) {}",
            "function handler(event) { return 'x'; }",
            "function handler(event) { return { statusCode: '200' }; }",
            "function handler(event) { return { statusCode: 302, headers: { Location: { value: '/' } } }; }",
            "function handler(event) { return { statusCode: 302, headers: { location: '/' } }; }",
            "function handler(event) { event.request.uri = 'x'; return event.request; }",
            "function handler(event) { event.request.headers.host.value = 'x'; return event.request; }",
            "function handler(event) { return eval('event.request'); }",
            "async function handler(event) { throw 1; }",
            "import fs from 'fs';\nfunction handler(event) { return event.request; }",
            "import cf from 'cloudfront';\nconst kvs = cf.kvs();\nfunction handler(event) { return event.request; }",
            "const handle = function (event) { return event.request; };",
        ] {
            let failed = (503, None, "FunctionExecutionError from cloudfront");
            assert_eq!(asked(code, "/a").await, failed, "{code}");
        }
    }

    #[tokio::test]
    async fn a_large_function_is_run_fast_enough() {
        let rows: String = (0..300)
            .map(|row| format!("'/old/{row}': '/new/{row}',\n"))
            .collect();
        let code = format!(
            "const rows = {{\n{rows}}};\nfunction handler(event) {{
              const to = rows[event.request.uri];
              return to ? {{ statusCode: 301, headers: {{ location: {{ value: to }} }} }} : event.request;
            }}"
        );
        let (world, mut site) = site().await;
        associate(&world, &mut site, &code);
        let edge = world.edge(&site.id, 0);
        edge.get("/old/0").await;
        let mut fastest = Duration::MAX;
        for row in 0..100 {
            let begun = Instant::now();
            let answer = edge.get(&format!("/old/{row}")).await;
            fastest = fastest.min(begun.elapsed());
            assert_eq!(
                answer.header("location"),
                Some(format!("/new/{row}").as_str())
            );
        }
        assert!(fastest < Duration::from_millis(10), "{fastest:?}");
    }

    #[tokio::test]
    async fn a_function_on_answers_sees_no_error_and_changes_what_viewers_get() {
        let (world, mut site) = site().await;
        let code = "function handler(event) {
          const response = event.response;
          if (event.request.uri === '/moved') {
            return { statusCode: 302, headers: { location: { value: '/a' } } };
          }
          if (event.request.uri === '/fails') return event.request;
          response.headers['x-seen'] = { value: event.request.headers.who.value + response.statusCode };
          delete response.headers['x-amz-storage-class'];
          response.headers['content-type'] = { value: response.headers['content-type'].value + '; x' };
          return response;
        }";
        world.set_function("f", Function::of(code.to_owned()));
        site.default.response_function = Some("f".to_owned());
        world.set_distribution(site.clone());
        let edge = world.edge(&site.id, 0);
        for name in ["a", "moved", "fails"] {
            put(&world, name, "body", "").await;
        }
        for x_cache in ["Miss from cloudfront", "Hit from cloudfront"] {
            let answer = edge.request("/a", &[("who", "me")]).await;
            assert_eq!((answer.text().as_str(), answer.x_cache), ("body", x_cache));
            assert_eq!(answer.header("x-seen"), Some("me200"));
            let kind = answer.header("content-type");
            assert_eq!(kind, Some("binary/octet-stream; x"));
            assert_eq!(answer.header("x-cache"), Some(x_cache));
        }
        let moved = edge.get("/moved").await;
        assert_eq!((moved.status, moved.header("location")), (302, Some("/a")));
        assert_eq!(edge.get("/fails").await.status, 503);
        // It would fail without the header.
        assert_eq!(edge.get("/none").await.status, 404);
        let code = "function handler() { return { statusCode: 200 }; }";
        associate(&world, &mut site, code);
        site.default.response_function = Some("f".to_owned());
        world.set_distribution(site);
        assert_eq!(
            edge.get("/a").await.x_cache,
            "FunctionGeneratedResponse from cloudfront"
        );
    }

    #[tokio::test]
    async fn a_function_reads_the_store_that_it_is_associated_with() {
        let code = "import cf from 'cloudfront';
            const kvs = cf.kvs();
            async function handler(event) {
              const key = event.request.uri.substring(1);
              console.log('asked for', { key: key });
              if (key === 'list') return { statusCode: 302, headers: { location: { value: (await kvs.get(key, { format: 'json' }))[1] } } };
              if (key !== 'fails' && !(await kvs.exists(key))) return event.request;
              const to = await kvs.get(key);
              return { statusCode: 301, headers: { location: { value: to } } };
            }";
        let (world, mut site) = site().await;
        let create = "<CreateKeyValueStoreRequest><Name>s</Name></CreateKeyValueStoreRequest>";
        let store = send(
            &world,
            "POST /2020-05-31/key-value-store",
            create.as_bytes(),
        )
        .await;
        let store = xml::Element::parse(&store.text()).unwrap();
        let arn = store.text_at("ARN");
        let path = format!("/key-value-stores/{}", arn.replace('/', "%2F"));
        let etag = send(&world, &format!("GET {path}"), b"").await;
        let etag = etag.header("etag").unwrap();
        let keys = r#"{"Puts":[{"Key":"old","Value":"/new"},{"Key":"list","Value":"[1,\"/2\"]"}]}"#;
        let put = send(
            &world,
            &format!("POST {path}/keys\nif-match: {etag}"),
            keys.as_bytes(),
        )
        .await;
        assert_eq!(put.status, 200, "{}", put.text());
        let encoded = crate::content::base64(code.as_bytes());
        let body = format!(
            "<CreateFunctionRequest><Name>f</Name><FunctionConfig><Runtime>cloudfront-js-2.0</Runtime>\
             <KeyValueStoreAssociations><Items><KeyValueStoreAssociation><KeyValueStoreARN>{arn}</KeyValueStoreARN>\
             </KeyValueStoreAssociation></Items></KeyValueStoreAssociations></FunctionConfig>\
             <FunctionCode>{encoded}</FunctionCode></CreateFunctionRequest>"
        );
        let made = send(&world, "POST /2020-05-31/function", body.as_bytes()).await;
        let etag = made.header("etag").unwrap();
        let publish = format!("POST /2020-05-31/function/f/publish\nif-match: {etag}");
        assert_eq!(send(&world, &publish, b"").await.status, 200);
        site.default.function = Some("f".to_owned());
        world.set_distribution(site.clone());
        let edge = world.edge(&site.id, 0);
        assert_eq!(edge.get("/old").await.header("location"), Some("/new"));
        assert_eq!(edge.get("/list").await.header("location"), Some("/2"));
        assert_eq!(edge.get("/other").await.status, 404);
        assert_eq!(edge.get("/fails").await.status, 503);

        let test = |event: &str, stage: &str| {
            let event = crate::content::base64(event.as_bytes());
            format!(
                "<TestFunctionRequest><EventObject>{event}</EventObject><Stage>{stage}</Stage></TestFunctionRequest>"
            )
        };
        let request = format!("POST /2020-05-31/function/f/test\nif-match: {etag}");
        let event = r#"{"request":{"method":"GET","uri":"/other","querystring":{}}}"#;
        let tested = send(&world, &request, test(event, "LIVE").as_bytes()).await;
        let told = xml::Element::parse(&tested.text()).unwrap();
        assert_eq!(told.text_at("FunctionOutput"), event);
        assert_eq!(
            told.text_at("FunctionExecutionLogs/member"),
            r#"asked for {"key":"other"}"#
        );
        assert_eq!(
            told.text_at("FunctionSummary/FunctionMetadata/Stage"),
            "LIVE"
        );
        let event = r#"{"request":{"uri":"/old"}}"#;
        let tested = send(&world, &request, test(event, "DEVELOPMENT").as_bytes()).await;
        let told = xml::Element::parse(&tested.text()).unwrap();
        let expected = r#"{"response":{"statusCode":301,"headers":{"location":{"value":"/new"}}}}"#;
        assert_eq!(told.text_at("FunctionOutput"), expected);
        let tested = send(
            &world,
            &request,
            test(r#"{"request":{"uri":"/fails"}}"#, "LIVE").as_bytes(),
        )
        .await;
        let told = xml::Element::parse(&tested.text()).unwrap();
        assert!(told.text_at("FunctionErrorMessage").contains("KeyNotFound"));
        assert_eq!(told.text_at("FunctionOutput"), "");
        let bad = send(&world, &request, test("{", "LIVE").as_bytes()).await;
        assert_eq!(bad.status, 400);
        let stale = request.replace(etag, "other");
        assert_eq!(
            send(&world, &stale, test(event, "LIVE").as_bytes())
                .await
                .status,
            412
        );
        let used = format!("DELETE /2020-05-31/function/f\nif-match: {etag}");
        let used = send(&world, &used, b"").await;
        assert_eq!(used.status, 409);
        assert!(used.text().contains("<Code>FunctionInUse</Code>"));
    }

    #[tokio::test]
    async fn a_function_of_unstale_uses_nothing_that_the_runtime_lacks() {
        let (world, _) = site().await;
        for (index, (code, lacking)) in [
            ("let a = 1, b = { a, c: (x) => `${x}`, d(...all) { return all; } }; x: for (const i in b) { if (i) continue x; }", ""),
            ("import cf from 'cloudfront'; async function g() { const v = await g(); return /[?.]/.test('?? class ...'); }", ""),
            ("class A {}", "class"),
            ("eval('1')", "eval"),
            ("new Function('1')", "Function"),
            ("setTimeout(1)", "setTimeout"),
            ("fetch('x')", "fetch"),
            ("new Proxy({}, {})", "Proxy"),
            ("new Map()", "Map"),
            ("function* a() {}", "generator"),
            ("const a = {}?.b;", "?."),
            ("const a = null ?? 1;", "??"),
            ("let a; a ||= 1;", "logical assignment"),
            ("const a = { ...{} };", "spread"),
            ("const a = [...'ab'];", "spread"),
            ("const { a } = {};", "destructuring"),
            ("function f([a]) {}", "destructuring"),
            ("function f(a = 1) {}", "default of a parameter"),
            ("const a = 1n;", "BigInt"),
            ("for (const a of []) {}", "for of"),
            ("async function f() { for await (const a of []) {} }", "for of"),
            ("async function f() { f(await 1); }", "await in arguments"),
            ("const f = async () => 1;", "async closure"),
            ("const a = f`x`;", "tagged template"),
            ("function f( {", "abrupt end"),
        ]
        .into_iter()
        .enumerate()
        {
            for (first, refuses) in [("// written by unstale for s3://a/", !lacking.is_empty()), ("// theirs", false)] {
                let code = crate::content::base64(format!("{first}\n{code}\n").as_bytes());
                let name = format!("f{index}{refuses}");
                let body = format!(
                    "<CreateFunctionRequest><Name>{name}</Name><FunctionConfig><Runtime>cloudfront-js-2.0</Runtime>\
                     </FunctionConfig><FunctionCode>{code}</FunctionCode></CreateFunctionRequest>"
                );
                let made = send(&world, "POST /2020-05-31/function", body.as_bytes()).await;
                if refuses {
                    assert_eq!(made.status, 400, "{index} {lacking}");
                    assert!(made.text().contains(lacking), "{lacking}: {}", made.text());
                }
                // The second of the two may be there already.
                assert!(refuses || [201, 409].contains(&made.status), "{index}: {}", made.text());
            }
        }
    }
}
