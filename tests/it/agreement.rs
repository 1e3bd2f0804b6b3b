//! The function's JavaScript, run by an engine, against the same function in Rust, on functions and requests that are drawn.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use local_cloudfront::{Distribution, Function, Options, OriginKind, World};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use unstale::rules::edge_function::{
    EdgeFunction, FunctionAnswer, FunctionHeader, PasswordDigest, PathRewrite, ViewerRequest,
    left_alone,
};
use unstale::rules::redirect::Redirect;
use unstale::rules::redirects::Redirects;

/// Functions that are drawn, and requests to each.
const FUNCTIONS: usize = 120;
const REQUESTS: usize = 40;

fn redirect() -> impl Strategy<Value = Redirect> {
    let status = prop::sample::select(vec![301_u16, 302, 303, 307, 308, 200]);
    let query = prop::collection::btree_map("[a-c]", "(:v|x|%C3%A9)", 0..2);
    let host = option::weighted(0.2, "(a|b)\\.example");
    let from = "(/(a|b|c%20d|é|x\\.html|:n)){1,3}(/|/\\*)?";
    let to = prop::sample::select(vec![
        "/a/:n/:splat",
        "/b/:splat",
        "/c",
        "/x.html",
        "https://c.example/:v/:splat?q=1",
        "/d/",
    ]);
    (from, to, status, query, host, any::<bool>()).prop_map(
        |(path, to, status, query, host, force)| {
            let from = host.map_or(path.clone(), |host| format!("https://{host}{path}"));
            Redirect {
                status,
                query,
                force: force && status == 200,
                ..Redirect::new(from, to)
            }
        },
    )
}

/// Draws a function whose redirects hold together.
fn function() -> impl Strategy<Value = EdgeFunction> {
    let rewrite = (
        option::of(Just("index.html".to_owned())),
        any::<bool>(),
        vec("\\.html?", 0..2),
    )
        .prop_map(|(index, bare, endings)| PathRewrite {
            bare_folders: bare && index.is_some(),
            kept: if index.is_none() && endings.is_empty() {
                Vec::new()
            } else {
                vec!["/x.html".to_owned(), "/a".to_owned()]
            },
            index,
            endings,
        });
    let headers = vec(
        (
            prop::sample::select(vec!["^", "^/a/.*$"]),
            "x-(a|b)",
            "(|y\"z)",
        ),
        0..3,
    )
    .prop_map(|rows| {
        let header = |(pattern, name, value): (&str, String, String)| FunctionHeader {
            pattern: pattern.to_owned(),
            name,
            value,
        };
        rows.into_iter().map(header).collect()
    });
    (
        vec(redirect(), 0..6),
        prop::collection::btree_set("/(a|b|é|c/)", 0..3),
        option::weighted(0.2, Just("a.example".to_owned())),
        option::weighted(0.1, "[a-z]{1,4}"),
        rewrite,
        headers,
    )
        .prop_map(|(drawn, own, canonical_host, password, rewrite, headers)| {
            let mut redirects: Vec<Redirect> = Vec::new();
            for redirect in drawn {
                redirects.push(redirect);
                if Redirects::compile(redirects.clone()).is_err() {
                    redirects.pop();
                }
            }
            if let Some(at) = redirects.iter().position(Redirect::spares_pages) {
                let after = redirects.split_off(at);
                redirects.extend(own.iter().map(|path| left_alone(path)));
                redirects.extend(after);
            }
            EdgeFunction {
                site: "s3://b/é/".to_owned(),
                password: password.map(|password| PasswordDigest::of(&password, "s3://b/é/")),
                redirects,
                stored: false,
                canonical_host,
                rewrite,
                headers,
            }
        })
}

fn request() -> impl Strategy<Value = ViewerRequest> {
    let uri = "(/(a|b|c%20d|%C3%A9|x\\.html|x|index|q\\.b)){0,4}(/|\\.html)?";
    let query = vec(("[a-d]", "(x|%C3%A9|1|)"), 0..4);
    // any:abc, a:b, and what is no base64
    let authorization = option::weighted(
        0.5,
        prop::sample::select(vec![
            "Basic YW55OmFiYw==",
            "basic YTpi",
            "Basic ?",
            "Bearer x",
            "Basic Og==",
        ]),
    );
    let host = prop::sample::select(vec!["a.example", "b.example", "c.example"]);
    (uri, query, host, authorization).prop_map(|(path, query, host, authorization)| ViewerRequest {
        uri: if path.starts_with('/') {
            path
        } else {
            format!("/{path}")
        },
        query,
        host: host.to_owned(),
        authorization: authorization.map(str::to_owned),
    })
}

/// Says what became of a request: where it leads, or where it went on.
fn told(answer: &FunctionAnswer) -> String {
    match answer {
        FunctionAnswer::Pass(uri) => format!("pass {uri}"),
        FunctionAnswer::Redirect { status, location } => format!("{status} {location}"),
        FunctionAnswer::AskPassword => "401".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_does_what_the_table_says() {
    let world = World::start(Options::default()).await.unwrap();
    let mut distribution = Distribution::for_bucket("site");
    distribution.root = None;
    for origin in &mut distribution.origins {
        origin.kind = OriginKind::Fixed {
            domain: "any.example".to_owned(),
            status: 200,
            headers: Vec::new(),
            body: String::new(),
        };
    }
    distribution.default.function = Some("f".to_owned());
    world.set_distribution(distribution.clone());
    let edge = world.edge(&distribution.id, 0);
    let mut runner = TestRunner::deterministic();
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..FUNCTIONS {
        let function = function().new_tree(&mut runner).unwrap().current();
        let Ok(code) = function.code() else { continue };
        world.set_function("f", Function::of(code.clone()));
        let drawn = (0..REQUESTS).map(|_| request().new_tree(&mut runner).unwrap().current());
        let drawn: Vec<ViewerRequest> = drawn.collect();
        for request in drawn.into_iter().chain(function.samples()) {
            let expected = function.answer(&request);
            let seen = ask(&edge, &request).await;
            assert_eq!(seen, told(&expected), "{request:?}\n{code}");
            let kind = seen.split(' ').next().unwrap_or_default().to_owned();
            *kinds.entry(kind).or_default() += 1;
        }
    }
    // Every kind of answer came up.
    for kind in ["pass", "301", "302", "303", "307", "308", "401"] {
        assert!(
            kinds.get(kind).is_some_and(|count| *count > 10),
            "{kinds:?}"
        );
    }
}

/// Asks an edge, and says what the function made of it. The URI that went on is the one that the origin was asked for.
async fn ask(edge: &local_cloudfront::EdgeHandle, request: &ViewerRequest) -> String {
    let parts = request
        .query
        .iter()
        .map(|(name, value)| match value.as_str() {
            "" => name.clone(),
            value => format!("{name}={value}"),
        });
    let query = parts.collect::<Vec<_>>().join("&");
    let target = if query.is_empty() {
        request.uri.clone()
    } else {
        format!("{}?{query}", request.uri)
    };
    let mut headers = vec![("host", request.host.as_str())];
    headers.extend(
        request
            .authorization
            .as_deref()
            .map(|value| ("authorization", value)),
    );
    edge.chill();
    let answer = edge.request(&target, &headers).await;
    if answer.x_cache.starts_with("FunctionGenerated") {
        return match answer.header("location") {
            Some(location) => format!("{} {location}", answer.status),
            None => answer.status.to_string(),
        };
    }
    assert!(
        !answer.x_cache.starts_with("FunctionExecution"),
        "{target} {answer:?}"
    );
    let kept = edge.entries();
    format!("pass {}", kept.first().cloned().unwrap_or_default())
}

proptest! {
    #[test]
    fn a_function_reads_back(function in function()) {
        if let Ok(code) = function.code() {
            prop_assert!(code.is_ascii());
            let read = EdgeFunction::read(&code);
            prop_assert!(read.is_some(), "{}", code);
            let read = read.unwrap();
            prop_assert_eq!(read.code(), Ok(code));
            for redirect in &function.redirects {
                prop_assert!(read.holds(redirect), "{:?}", redirect);
            }
        }
    }
}
