//! Headers are the same after a move: rules of which the first match decides, asked by their own expressions.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use super::read;
use super::value::{ForeignValue, plain_name};
use crate::rules::fingerprinted::siblings::NameVerdict;
use crate::rules::header_rules::{MatchedRules, ObjectFacts};
use crate::settings::{FlagSettings, Settings};

const KEYS: [&str; 14] = [
    "index.html",
    "posts/a.html",
    "app.js",
    "css/site.css",
    "img/a.png",
    "img/b.jpeg",
    "fonts/x.woff2",
    "sitemap.xml",
    "de/sitemap.xml",
    "search.json",
    "robots.txt",
    "CNAME",
    "a.html.bak",
    "js/notes.txt",
];

/// The Cache-Control, the Content-Type and whether it is compressed, as far as rules say so.
type SaidHeaders = (Option<String>, Option<String>, bool);

/// Says what the tool itself would: the first expression that finds the key decides.
fn theirs(rules: &[ForeignValue], expression: &str, key: &str) -> SaidHeaders {
    let finds = |rule: &&ForeignValue| {
        let expression = rule.get(expression).unwrap().as_text().unwrap();
        Regex::new(&expression).unwrap().is_match(key)
    };
    let Some(rule) = rules.iter().find(finds) else {
        return (None, None, false);
    };
    let headers = rule.get("headers").unwrap_or(rule);
    let header = |name: &str| headers.get(name).and_then(ForeignValue::as_text);
    let gzip = rule.get("gzip").is_some_and(|gzip| gzip.is(true));
    (header("cache-control"), header("content-type"), gzip)
}

fn ours(settings: &Settings, key: &str) -> SaidHeaders {
    let rules = settings.header_rules().unwrap();
    let facts = ObjectFacts {
        content_type: "application/by-name",
        error_document: false,
        part: None,
        name: NameVerdict::Plain,
    };
    let ruled = rules.headers_for(key, &facts, &mut MatchedRules::default());
    let is_said = |value: &String| value != "application/by-name" && !value.contains("s-maxage");
    (
        ruled.headers.cache_control.filter(is_said),
        ruled.headers.content_type.filter(is_said),
        !ruled.compress.is_empty(),
    )
}

#[test]
fn keys_have_the_headers_that_they_had() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/moved");
    for (file, table, expression, left) in [
        ("s3deploy-plain/.s3deploy.yml", "routes", "route", 0),
        ("hugo-plain/config.toml", "matchers", "pattern", 0),
        // The last one, which no key here meets, is left.
        ("hugo-targets/hugo.yaml", "matchers", "pattern", 1),
    ] {
        let path = fixtures.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let file = super::parsed(file, &text).unwrap();
        let tables = file.get("deployment").unwrap_or(&file);
        let rules = tables.get(table).unwrap().items();
        let (_, carried) = read(&path).unwrap();
        let unsaid = carried
            .left
            .iter()
            .filter(|(_, why)| why.starts_with("no glob"));
        assert_eq!(unsaid.count(), left, "{path:?}");
        let written = Some(("deploy.toml".into(), carried.text("x")));
        let settings = Settings::resolve(written, &BTreeMap::new(), &FlagSettings::default());
        let settings = settings.unwrap();
        for key in KEYS {
            assert_eq!(
                ours(&settings, key),
                theirs(rules, expression, key),
                "{path:?} {key}"
            );
        }
    }
}

#[test]
fn names_are_compared_without_case_and_dashes() {
    assert_eq!(plain_name("Cache-Control"), plain_name("cacheControl"));
    let table = ForeignValue::Table(vec![(
        "cacheControl".into(),
        ForeignValue::Single(Value::Null),
    )]);
    assert!(table.get("cache_control").is_some() && table.get("cache").is_none());
}

#[test]
fn files_that_end_anywhere_are_an_error_or_come_to_settings() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/moved");
    let files = walkdir::WalkDir::new(fixtures).into_iter();
    let files = files.map(|entry| entry.unwrap().into_path());
    for path in files.filter(|path| path.is_file() && !path.ends_with("deploy.toml")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        for end in (0..text.len())
            .step_by(53)
            .filter(|end| text.is_char_boundary(*end))
        {
            let Ok(Some((_, carried))) = super::of_text(name, &text[..end]) else {
                continue;
            };
            let written: Result<toml::Table, _> = carried.text("x").parse();
            assert!(written.is_ok(), "{path:?} {end} {written:?}");
        }
    }
    // What is odd is left, or wrong, and nothing worse.
    for (name, text) in [
        (
            "s3_website.yml",
            "s3_bucket: a\nredirects: [1]\ngzip: x\nmax_age: {}\n".to_owned(),
        ),
        (
            "serverless.yml",
            "custom: {client: {bucketName: a, objectHeaders: {a: [{name: XAmzMeta, value: b}]}}}"
                .to_owned(),
        ),
        (
            "gatsby-config.js",
            format!("'gatsby-plugin-s3', options: {}", "{a: [".repeat(9000)),
        ),
        (
            "hugo.yaml",
            format!(
                "deployment: {{matchers: [{{pattern: '{}'}}]}}",
                "(".repeat(9000)
            ),
        ),
        (
            "a.sh",
            "aws s3 sync a s3://b --exclude '\u{7f}' --cache-control '\u{7f}\u{1}'\naws".to_owned(),
        ),
    ] {
        let carried = super::of_text(name, &text);
        if let Ok(Some((_, carried))) = carried {
            assert!(carried.text("x").parse::<toml::Table>().is_ok(), "{name}");
        }
    }
}
