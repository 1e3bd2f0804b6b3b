//! Functions and requests, drawn for tests.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::rules::redirects::Redirects;

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
pub(super) fn function() -> impl Strategy<Value = EdgeFunction> {
    let rewrite = (
        option::of(Just("index.html".to_owned())),
        any::<bool>(),
        vec("\\.html?", 0..2),
    )
        .prop_map(|(index, bare, endings)| PathRewrite {
            bare_folders: bare && index.is_some(),
            kept: if endings.is_empty() {
                Vec::new()
            } else {
                vec!["/x.html".to_owned()]
            },
            index,
            endings,
        });
    let headers = vec(("(\\^|\\^/a/.*\\$)", "x-(a|b)", "(|y\"z)"), 0..3).prop_map(|rows| {
        let header = |(pattern, name, value)| FunctionHeader {
            pattern,
            name,
            value,
        };
        rows.into_iter().map(header).collect()
    });
    (
        vec(redirect(), 0..6),
        vec("/(a|b|é)", 0..3),
        option::of(Just("a.example".to_owned())),
        option::weighted(0.3, "[a-z]{1,4}"),
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
            EdgeFunction {
                site: "s3://b/é/".to_owned(),
                password: password.map(|password| PasswordDigest::of(&password, "s3://b/é/")),
                own: if redirects.iter().any(Redirect::spares_pages) {
                    own
                } else {
                    Vec::new()
                },
                redirects,
                stored: false,
                canonical_host,
                rewrite,
                headers,
            }
        })
}
