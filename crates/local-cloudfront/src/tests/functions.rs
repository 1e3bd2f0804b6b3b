//! Functions that are run by their source.

use super::*;

/// Has a function of this source see the requests of the default behavior.
fn associate(world: &World, site: &mut Distribution, code: &str) {
    world.set_function("f", Function::of(code.to_owned()));
    site.default.function = Some("f".to_owned());
    world.set_distribution(site.clone());
}

#[cfg(not(feature = "javascript"))]
#[tokio::test]
async fn without_an_engine_an_interpreter_is_asked() {
    use std::sync::Arc;

    let (_, mut site) = site().await;
    let interpreter = |code: &str, request: &FunctionRequest| {
        let mut changed = request.clone();
        match code {
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
    associate(&world, &mut site, "strange");
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
                "v2ZtdWwY3nibGKmGqIm9szJz3+w=",
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
            ("await Promise.resolve(2) ** 3", "8"),
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
        let begun = Instant::now();
        for row in 0..100 {
            let answer = edge.get(&format!("/old/{row}")).await;
            assert_eq!(
                answer.header("location"),
                Some(format!("/new/{row}").as_str())
            );
        }
        let each = begun.elapsed() / 100;
        eprintln!("{} bytes, {each:?}", code.len());
        assert!(each < Duration::from_millis(100), "{each:?}");
    }
}
