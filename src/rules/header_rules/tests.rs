use serde::Deserialize;

use super::super::fingerprinted::siblings::FingerprintedNames;
use super::*;

fn rules(text: &str) -> Result<HeaderRules, RuleError<HeaderProblem>> {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        headers: Vec<HeaderRule>,
    }
    HeaderRules::compile(toml::from_str::<File>(text).unwrap().headers)
}

const FACTS: ObjectFacts<'static> = ObjectFacts {
    content_type: "text/plain",
    error_document: false,
    part: None,
    name: NameVerdict::Plain,
};

fn cache_control(rules: &HeaderRules, key: &str) -> Option<String> {
    let names = FingerprintedNames::default();
    let facts = ObjectFacts {
        name: names.judge(key),
        ..FACTS
    };
    rules
        .headers_for(key, &facts, &mut MatchedRules::default())
        .headers
        .cache_control
}

#[test]
fn without_rules_the_defaults_count() {
    let none = rules("").unwrap();
    for (key, expected) in [
        (
            "index.html",
            "public, max-age=0, s-maxage=86400, must-revalidate",
        ),
        (
            "css/style.css",
            "public, max-age=0, s-maxage=86400, must-revalidate",
        ),
        (
            "assets/index-DiwrgTda.js",
            "public, max-age=31536000, immutable",
        ),
        ("404.html", "public, max-age=0, s-maxage=0, must-revalidate"),
    ] {
        assert_eq!(
            cache_control(&none, key).as_deref(),
            Some(expected),
            "{key}"
        );
    }
    let facts = ObjectFacts {
        content_type: "text/html; charset=utf-8",
        error_document: true,
        part: None,
        name: NameVerdict::Plain,
    };
    let served = none.headers_for("oops.html", &facts, &mut MatchedRules::default());
    assert_eq!(
        served.headers.cache_control.as_deref(),
        Some("public, max-age=0, s-maxage=0, must-revalidate")
    );
    assert_eq!(
        served.headers.content_type.as_deref(),
        Some("text/html; charset=utf-8")
    );
    assert!(served.page && !served.fingerprinted && served.compress.is_empty());
}

#[test]
fn globs_match_as_in_a_gitignore() {
    for (patterns, hits, misses) in [
        (
            r#""*.html""#,
            vec!["a.html", "x/y/b.html"],
            vec!["a.htm", "html", "a.html.js"],
        ),
        (r#""/index.html""#, vec!["index.html"], vec!["a/index.html"]),
        (
            r#""posts/""#,
            vec!["posts/a", "x/posts/a/b"],
            vec!["posts", "postsx/a"],
        ),
        (
            r#""/docs/**/*.png""#,
            vec!["docs/a.png", "docs/a/b.png"],
            vec!["a/docs/a.png"],
        ),
        (
            r#"["**", "!*.html"]"#,
            vec!["a.js", "x/y"],
            vec!["a.html", "x/y.html"],
        ),
        (
            r#"["*.js", "*.css"]"#,
            vec!["a.js", "b/a.css"],
            vec!["a.html"],
        ),
        (r#""**""#, vec!["a", "x/y/z", "한글 é.txt"], vec![]),
        (r#""a\\*b""#, vec!["a*b"], vec!["axb"]),
        (r#""[ab].txt""#, vec!["a.txt", "x/b.txt"], vec!["c.txt"]),
    ] {
        let rules = rules(&format!(
            "[[headers]]\nmatch = {patterns}\ncache-control = \"x\""
        ))
        .unwrap();
        for key in hits {
            assert_eq!(
                cache_control(&rules, key).as_deref(),
                Some("x"),
                "{patterns} {key}"
            );
        }
        for key in misses {
            assert_ne!(
                cache_control(&rules, key).as_deref(),
                Some("x"),
                "{patterns} {key}"
            );
        }
    }
}

#[test]
fn later_rules_win_header_by_header() {
    let rules = rules(
        r#"
        [[headers]]
        match = "**"
        cache-control = "max-age=1"
        content-language = "en"
        metadata = { A = "1", b = "2" }
        tags = { t = "1" }
        storage-class = "standard-ia"
        compress = ["br", "gzip"]
        [[headers]]
        match = "*.css"
        preset = "none"
        metadata = { b = "", c = "3" }
        compress = []
        [[headers]]
        match = "*.none"
        preset = "swr"
        "#,
    )
    .unwrap();
    let mut matched = MatchedRules::default();
    let served = rules.headers_for("x.css", &FACTS, &mut matched);
    assert_eq!(
        served.headers,
        Headers {
            content_type: Some("text/plain".into()),
            content_language: Some("en".into()),
            metadata: BTreeMap::from([("a".into(), "1".into()), ("c".into(), "3".into())]),
            tags: BTreeMap::from([("t".into(), "1".into())]),
            storage_class: Some("STANDARD_IA".into()),
            ..Headers::default()
        }
    );
    assert!(served.compress.is_empty());
    let other = rules.headers_for("x.js", &FACTS, &mut matched);
    assert_eq!(other.compress, [Encoding::Br, Encoding::Gzip]);
    assert_eq!(matched.idle(&rules), [2]);
    let mut both = MatchedRules::default();
    rules.headers_for("x.none", &FACTS, &mut both);
    both.merge(&matched);
    assert_eq!(both.idle(&rules), [0; 0]);
}

#[test]
fn a_rule_has_the_last_word_on_what_an_object_is() {
    let rules = rules(
        r#"
        [[headers]]
        match = "lib/*.js"
        fingerprinted = true
        [[headers]]
        match = "photo-*"
        fingerprinted = false
        page = true
        [[headers]]
        match = "about"
        content-type = "text/html"
        "#,
    )
    .unwrap();
    let mut matched = MatchedRules::default();
    let mut kinds = |key: &str| {
        let served = rules.headers_for(key, &FACTS, &mut matched);
        let forever = served
            .headers
            .cache_control
            .is_some_and(|value| value.contains("immutable"));
        assert_eq!(forever, served.fingerprinted, "{key}");
        (served.fingerprinted, served.page)
    };
    assert_eq!(kinds("lib/a.js"), (true, false));
    assert_eq!(kinds("photo-8f3a2b1c.js"), (false, true));
    assert_eq!(kinds("about"), (false, true));
}

#[test]
fn error_documents_keep_their_cache_control_unless_they_are_named() {
    const FIRM: &str = "public, max-age=0, s-maxage=0, must-revalidate";
    const PAGE: ObjectFacts<'static> = ObjectFacts {
        content_type: "text/html; charset=utf-8",
        error_document: true,
        ..FACTS
    };
    for (pattern, key, facts, heeded) in [
        ("**", "404.html", FACTS, false),
        ("*.html", "404.html", FACTS, false),
        ("*404.html", "404.html", FACTS, false),
        ("40?.html", "de/404.html", FACTS, false),
        ("errors/", "errors/404.html", FACTS, false),
        ("*.html", "errors/oops.html", PAGE, false),
        ("*.html", "oops.html", FACTS, true),
        ("404.html", "404.html", FACTS, true),
        ("404.html", "de/404.html", FACTS, true),
        ("/404.html", "404.html", FACTS, true),
        ("/errors/oops.html", "errors/oops.html", PAGE, true),
        ("**/404.html", "de/404.html", FACTS, true),
        ("40\\\\4.html", "404.html", FACTS, true),
    ] {
        for says in [
            "preset = \"swr\"",
            "preset = \"none\"",
            "cache-control = \"max-age=9\"",
        ] {
            let rules = rules(&format!(
                "[[headers]]\nmatch = \"{pattern}\"\n{says}\ncontent-language = \"de\""
            ));
            let rules = rules.unwrap();
            let served = rules.headers_for(key, &facts, &mut MatchedRules::default());
            let is_firm = served.headers.cache_control.as_deref() == Some(FIRM);
            assert_eq!(is_firm, !heeded, "{pattern} {key} {says}");
            // What else it says holds for all.
            assert_eq!(served.headers.content_language.as_deref(), Some("de"));
            let explained = rules.explain(key, &facts);
            let told = explained.first().unwrap();
            assert_eq!(told.header, "cache-control");
            assert_eq!(
                told.value, served.headers.cache_control,
                "{pattern} {key} {says}"
            );
            assert_eq!(
                told.spared,
                (!heeded).then_some(0),
                "{pattern} {key} {says}"
            );
        }
    }
}

#[test]
fn each_header_says_where_it_comes_from() {
    let rules = rules(
        r#"
        [[headers]]
        match = "*.nothing"
        preset = "media"
        [[headers]]
        match = "*.css"
        cache-control = ""
        metadata = { a = "1" }
        "#,
    )
    .unwrap();
    let told = |key: &str| {
        let line = |explanation: HeaderExplanation| {
            let value = explanation.value.unwrap_or_else(|| "-".to_owned());
            format!("{}: {value} ({:?})", explanation.header, explanation.source)
        };
        rules
            .explain(key, &FACTS)
            .into_iter()
            .map(line)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told("a.css"),
        [
            "cache-control: - (Rule(1))",
            "content-type: text/plain (Default(\"type by name\"))",
            "fingerprinted: no (Default(\"by name\"))",
            "metadata.a: 1 (Rule(1))",
            "page: no (Default(\"by content-type\"))",
        ]
    );
    assert_eq!(
        told("404.html").first().map(String::as_str),
        Some(
            "cache-control: public, max-age=0, s-maxage=0, must-revalidate (Default(\"error document\"))"
        )
    );
}

#[test]
fn a_bad_rule_is_told_with_what_to_write_instead() {
    let long = "x".repeat(2048);
    let many: String = (0..11).map(|n| format!("t{n} = \"\", ")).collect();
    for (body, field, told) in [
        ("match = []\npreset = \"page\"", "match", "none is given"),
        (
            "match = \"!a\"\npreset = \"page\"",
            "match",
            "begin with \"**\"",
        ),
        ("match = \"\"\npreset = \"page\"", "match", "is empty"),
        ("match = \"#a\"\npreset = \"page\"", "match", "\\\\#"),
        ("match = \"[a\"\npreset = \"page\"", "match", "[a"),
        ("match = \"{a\"\npreset = \"page\"", "match", "{a"),
        ("match = \"a\"", "match", "sets nothing"),
        (
            "match = \"a\"\npreset = \"imutable\"",
            "preset",
            "did you mean \"immutable\"",
        ),
        (
            "match = \"a\"\npreset = \"forever\"",
            "preset",
            "immutable, page, swr, media, playlist, segment, none",
        ),
        (
            "match = \"a\"\npreset = \"page\"\ncache-control = \"x\"",
            "preset",
            "keep one",
        ),
        (
            "match = \"a\"\ncache-control = \"a\\nb\"",
            "cache-control",
            "line break",
        ),
        (
            "match = \"a\"\ncache-control = \"max-age 60\"",
            "cache-control",
            "max-age=60",
        ),
        (
            "match = \"a\"\ncache-control = \"public, max-age=1h\"",
            "cache-control",
            "seconds",
        ),
        (
            "match = \"a\"\ncontent-language = \" en\"",
            "content-language",
            "space",
        ),
        (
            "match = \"a\"\ncontent-type = \"html\"",
            "content-type",
            "text/html",
        ),
        (
            "match = \"a\"\ncontent-disposition = \"filename=é\"",
            "content-disposition",
            "filename*=UTF-8''",
        ),
        (
            "match = \"a\"\ncontent-encoding = \"br\"\ncompress = [\"br\"]",
            "compress",
            "keep one",
        ),
        (
            "match = \"a\"\nmetadata = { \"x-amz-meta-a\" = \"1\" }",
            "metadata",
            "x-amz-meta-",
        ),
        (
            "match = \"a\"\nmetadata = { a = \"é\" }",
            "metadata",
            "percent-encode",
        ),
        (
            &format!("match = \"a\"\nmetadata = {{ a = \"{long}\" }}"),
            "metadata",
            "2049 bytes",
        ),
        (
            &format!("match = \"a\"\ntags = {{ {many} }}"),
            "tags",
            "11 tags",
        ),
        (
            "match = \"a\"\ntags = { \"aws:x\" = \"\" }",
            "tags",
            "aws:x",
        ),
        (
            "match = \"a\"\nothers = { \"Cache-Control\" = \"x\" }",
            "others",
            "cache-control = ",
        ),
        (
            "match = \"a\"\nothers = { x-amz-meta-a = \"x\" }",
            "others",
            "metadata.a = ",
        ),
        (
            "match = \"a\"\nothers = { \"X Y\" = \"x\" }",
            "others",
            "not a header's name",
        ),
        (
            "match = \"a\"\nothers = { X-Y = \"a\\nb\" }",
            "others",
            "line break",
        ),
        (
            "match = \"a\"\nstorage-class = \"STANDRD_IA\"",
            "storage-class",
            "did you mean \"STANDARD_IA\"",
        ),
        (
            "match = \"a\"\nstorage-class = \"GLACIER\"",
            "storage-class",
            "GLACIER_IR",
        ),
    ] {
        let text = format!("[[headers]]\nmatch = \"ok\"\npreset = \"page\"\n[[headers]]\n{body}");
        let Err(error) = rules(&text) else {
            panic!("{body} was taken");
        };
        assert_eq!((error.rule, error.field), (1, field), "{body}: {error}");
        assert!(error.to_string().contains(told), "{body}: {error}");
    }
}

#[test]
fn an_unknown_key_is_refused() {
    let error = toml::from_str::<HeaderRule>("match = \"a\"\ncache_control = \"x\"").unwrap_err();
    assert!(error.to_string().contains("cache-control"), "{error}");
    assert!(toml::from_str::<HeaderRule>("match = 1").is_err());
    assert!(toml::from_str::<HeaderRule>("preset = \"page\"").is_err());
}

#[test]
fn together_rules_can_exceed_what_s3_takes() {
    let half = "x".repeat(1500);
    let rules = rules(&format!(
        "[[headers]]\nmatch = \"**\"\nmetadata = {{ a = \"{half}\" }}\n[[headers]]\nmatch = \"b\"\nmetadata = {{ b = \"{half}\" }}"
    ))
    .unwrap();
    let mut matched = MatchedRules::default();
    let mut limits =
        |key: &str| check_limits(&rules.headers_for(key, &FACTS, &mut matched).headers);
    assert_eq!(limits("a"), Ok(()));
    let over = HeaderProblem::MetadataSize { bytes: 3002 };
    assert_eq!(limits("b"), Err(("metadata", over)));
}

proptest::proptest! {
    #[test]
    fn no_glob_and_no_key_are_too_odd(pattern in "(?s).{0,20}", key in "(?s).{0,40}", globs in r"[a/*!?{}\\\[\]-]{1,12}") {
        for pattern in [pattern, globs] {
            let rule = HeaderRule {
                patterns: vec![pattern],
                preset: Some("swr".to_owned()),
                ..HeaderRule::default()
            };
            if let Ok(rules) = HeaderRules::compile(vec![rule]) {
                let mut matched = MatchedRules::default();
                let served = rules.headers_for(&key, &FACTS, &mut matched);
                let swr = served.headers.cache_control.as_deref() == Preset::Swr.cache_control();
                proptest::prop_assert_eq!(swr, matched.idle(&rules).is_empty());
                rules.explain(&key, &FACTS);
            }
        }
    }

    #[test]
    fn what_passes_is_a_header(value in "(?s).{0,30}") {
        let rule = HeaderRule {
            patterns: vec!["**".to_owned()],
            content_language: Some(value.clone()),
            metadata: BTreeMap::from([("a".to_owned(), value)]),
            ..HeaderRule::default()
        };
        if let Ok(rules) = HeaderRules::compile(vec![rule]) {
            let served = rules.headers_for("a", &FACTS, &mut MatchedRules::default());
            let values = served.headers.content_language.iter().chain(served.headers.metadata.values());
            for value in values {
                proptest::prop_assert!(value.bytes().all(|byte| (32..127).contains(&byte)), "{:?}", value);
            }
        }
    }
}
