use super::*;

fn redirect(from: &str, to: &str, status: u16) -> Redirect {
    Redirect {
        status,
        ..Redirect::new(from, to)
    }
}

fn numbered(count: usize) -> EdgeFunction {
    EdgeFunction {
        site: "s3://b/".to_owned(),
        redirects: (0..count)
            .map(|n| {
                redirect(
                    &format!("/old/posts/page-{n}/"),
                    &format!("/new/articles/page-{n}/"),
                    301,
                )
            })
            .collect(),
        rewrite: PathRewrite {
            index: Some("index.html".to_owned()),
            bare_folders: true,
            ..PathRewrite::default()
        },
        ..EdgeFunction::default()
    }
}

#[test]
fn hundreds_of_redirects_fit_and_more_go_to_a_store() {
    let bytes = numbered(400).code().unwrap().len();
    assert!(bytes < MAX_FUNCTION_BYTES * 2 / 3, "{bytes}");
    let many = numbered(4000);
    let error = many.code().unwrap_err();
    assert!(
        matches!(
            error,
            FunctionError::TooLarge {
                redirects: 4000,
                ..
            }
        ),
        "{error}"
    );
    let stored = EdgeFunction {
        stored: true,
        ..many
    };
    let code = stored.code().unwrap();
    assert!(
        code.starts_with("// ") && code.contains("await store.get"),
        "{code}"
    );
    assert_eq!(stored.store().len(), 4000);
    assert_eq!(
        stored.store()["/old/posts/page-7/"],
        "301 0 /new/articles/page-7/"
    );
    let read = EdgeFunction {
        redirects: Vec::new(),
        ..stored
    };
    assert_eq!(EdgeFunction::read(&code), Some(read));
}

#[test]
fn what_is_too_much_says_what_to_reduce() {
    let patterns = (0..400).map(|n| redirect(&format!("/old/section-{n}/*"), "/new/:splat", 301));
    let function = EdgeFunction {
        redirects: patterns.collect(),
        stored: true,
        ..EdgeFunction::default()
    };
    let told = function.code().unwrap_err().to_string();
    assert!(
        told.contains("400 redirects") && told.contains(":splat"),
        "{told}"
    );
    let long = redirect(&format!("/{}", "a".repeat(600)), "/b", 301);
    let function = EdgeFunction {
        redirects: vec![long],
        stored: true,
        ..EdgeFunction::default()
    };
    assert!(
        function
            .code()
            .unwrap_err()
            .to_string()
            .contains("512 bytes")
    );
}

#[test]
fn a_function_is_ours_by_its_first_line() {
    let code = |site: &str| {
        EdgeFunction {
            site: site.to_owned(),
            ..EdgeFunction::default()
        }
        .code()
        .unwrap()
    };
    for (code, ours) in [
        (code(""), true),
        (code("s3://b/"), true),
        (code("s3://b/docs/"), false),
        (
            "function handler(event) { return event.request; }\n".to_owned(),
            false,
        ),
        (String::new(), false),
    ] {
        assert_eq!(is_ours(&code, "s3://b/"), ours, "{code}");
    }
    let changed = code("s3://b/").replace("return request", "return  request");
    assert!(is_ours(&changed, "s3://b/"));
    assert_eq!(EdgeFunction::read(&changed), None);
}

#[test]
fn what_stands_before_an_exact_one_with_conditions_goes_first() {
    let function = EdgeFunction {
        redirects: vec![
            redirect("https://old.example/*", "https://new.example/:splat", 301),
            redirect("/a", "/b", 302),
            redirect("/x/*", "/y/:splat", 301),
        ],
        ..EdgeFunction::default()
    };
    let ask = |host: &str, uri: &str| {
        function.answer(&ViewerRequest {
            uri: uri.to_owned(),
            host: host.to_owned(),
            ..ViewerRequest::default()
        })
    };
    let to = |status, location: &str| FunctionAnswer::Redirect {
        status,
        location: location.to_owned(),
    };
    assert_eq!(ask("old.example", "/a"), to(301, "https://new.example/a"));
    assert_eq!(ask("new.example", "/a"), to(302, "/b"));
    assert_eq!(ask("new.example", "/x/1"), to(301, "/y/1"));
    assert_eq!(
        EdgeFunction {
            stored: true,
            ..function.clone()
        }
        .store()["/a"],
        "302 1 /b"
    );
    let read = EdgeFunction::read(&function.code().unwrap());
    assert_eq!(read, Some(function));
}

#[test]
fn the_password_opens_for_any_name() {
    use FunctionAnswer::{AskPassword, Pass};
    let ask = |password: &str, header: Option<&str>| {
        let function = EdgeFunction {
            password: Some(PasswordDigest::of(password, "s3://b/")),
            ..EdgeFunction::default()
        };
        let code = function.code().unwrap();
        assert!(!code.contains(password), "{code}");
        assert_eq!(EdgeFunction::read(&code).as_ref(), Some(&function));
        function.answer(&ViewerRequest {
            uri: "/a".to_owned(),
            authorization: header.map(str::to_owned),
            ..ViewerRequest::default()
        })
    };
    let pass = || Pass("/a".to_owned());
    for (password, header, answer) in [
        ("secret", None, AskPassword),
        // any:secret
        ("secret", Some("Basic YW55OnNlY3JldA=="), pass()),
        ("secret", Some("basic YW55OnNlY3JldA=="), pass()),
        ("any:secret", Some("Basic YW55OnNlY3JldA=="), pass()),
        ("other", Some("Basic YW55OnNlY3JldA=="), AskPassword),
        ("secret", Some("Bearer YW55OnNlY3JldA=="), AskPassword),
        ("secret", Some("Basic ?"), AskPassword),
    ] {
        assert_eq!(ask(password, header), answer, "{password} {header:?}");
    }
}

#[test]
fn a_comment_is_cut_between_letters() {
    assert_eq!(comment("s3://b/"), "Written by unstale for s3://b/");
    let long = comment(&"é".repeat(100));
    assert!(
        long.len() <= 128 && long.len() > 125 && long.ends_with('é'),
        "{long}"
    );
}
