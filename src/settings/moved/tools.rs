//! Tools whose settings are tables: what takes more than a row in `tables`.

use std::fmt::Display;

use serde_json::{Value, json};

use super::carried::{CarriedKeys, CarriedSettings, FirstMatch};
use super::pattern;
use super::tables::{ACL, FINCH, GATSBY, KeyTable, PURGED, S3_WEBSITE, S3DEPLOY, STAYS, row};
use super::value::{ForeignValue, literal, plain_name};

/// Keys that are read by themselves, entry by entry.
const TABLES: [&str; 3] = ["redirects", "objectHeaders", "params"];

/// Keys of s3_website whose values go by the names of objects, with the prefix.
const BY_KEY: [&str; 4] = [
    "max_age",
    "cache_control",
    "content_type",
    "exclude_from_upload",
];

/// Reads s3_website.yml.
pub(super) fn s3_website(file: &ForeignValue, carried: &mut CarriedSettings) {
    carry(file.entries(), S3_WEBSITE, carried);
    error_document(file, carried);
    let has_prefix = file.get("s3_key_prefix").is_some();
    // What comes later counts: `cache_control` goes before `max_age` wherever both match.
    let (last, first): (Vec<_>, Vec<_>) =
        (file.entries().iter()).partition(|(name, _)| name == "cache_control");
    for (name, value) in first.into_iter().chain(last) {
        let is_by_name = BY_KEY.contains(&name.as_str())
            && (name == "exclude_from_upload" || value.as_text().is_none());
        if has_prefix && is_by_name {
            carried.leave(
                name,
                "its names begin with s3_key_prefix, and those here do not: write them without",
            );
            continue;
        }
        match name.as_str() {
            "max_age" | "cache_control" => by_glob(name, "cache-control", value, carried),
            "content_type" => by_glob(name, "content-type", value, carried),
            "gzip" if value.is(true) => gzip([".html", ".css", ".js", ".txt"], carried),
            "gzip" => {
                let endings = value.items().iter().filter_map(ForeignValue::as_text);
                let endings: Vec<_> = endings.filter(|end| end.starts_with('.')).collect();
                if endings.is_empty() && !value.is(false) {
                    carried.leave(name, "it names no endings such as .html");
                }
                gzip(endings, carried);
            }
            "exclude_from_upload" => exclude(name, value, carried),
            _ => {}
        }
    }
    for (from, to) in file.entries_of("redirects") {
        let what = format!("redirects, {from}");
        if let Some(Value::String(to)) = carried.known(&what, to) {
            carried.redirect(&what, (from, &to), 301);
        }
    }
    routing_rules(file, carried);
}

/// Reads .s3deploy.yml.
pub(super) fn s3deploy(file: &ForeignValue, carried: &mut CarriedSettings) {
    carry(file.entries(), S3DEPLOY, carried);
    for name in ["ignore", "skip-local-files"] {
        if let Some(value) = file.get(name) {
            exclude(name, value, carried);
        }
    }
    let mut rules = Vec::new();
    for (number, route) in file.items_of("routes").iter().enumerate() {
        let what = format!("routes, number {}", number + 1);
        let is_ignored = route.get("ignore").is_some_and(|ignore| ignore.is(true));
        if let Some(expression) = route.get("route").filter(|_| is_ignored) {
            exclude(&what, expression, carried);
            carried.leave(&what, STAYS);
            continue;
        }
        let headers = route.entries_of("headers");
        rules.extend(first_match(&what, "route", (route, headers), carried));
        for (key, _) in route.entries() {
            if !["route", "headers", "gzip", "ignore"].contains(&key.as_str()) {
                carried.leave(&format!("{what}, {key}"), "this key is not known here");
            }
        }
    }
    carried.first_matches(rules);
}

/// Reads serverless-finch's part of serverless.yml.
pub(super) fn finch(file: &ForeignValue, carried: &mut CarriedSettings) {
    let client = file.get("custom").and_then(|custom| custom.get("client"));
    let Some(client) = client else { return };
    carry(client.entries(), FINCH, carried);
    if client.get("distributionFolder").is_none() {
        let usual = ForeignValue::text("client/dist");
        carried.carry("distributionFolder", "dir", &usual);
    }
    let provider = file.get("provider");
    if let Some(region) = provider.and_then(|provider| provider.get("region")) {
        carried.carry("provider, region", "region", region);
    }
    error_document(client, carried);
    let mut headers: Vec<_> = client.entries_of("objectHeaders").iter().collect();
    // What is said of all is weaker than globs, those than folders, and those than files.
    let strength = |name: &str| match name {
        "ALL_OBJECTS" => 0,
        name if name.contains('*') => 1,
        name if name.ends_with('/') => 2,
        _ => 3,
    };
    headers.sort_by_key(|(name, _)| strength(name));
    for (name, list) in headers {
        let what = format!("objectHeaders, {name}");
        let pairs = list.items().iter();
        let pairs =
            pairs.filter_map(|pair| Some((pair.text_of("name")?, pair.get("value")?.clone())));
        let fields = carried.fields(&what, &pairs.collect::<Vec<_>>());
        let globs = match name.as_str() {
            "ALL_OBJECTS" => Some(vec!["*".to_owned()]),
            folder if folder.ends_with('/') => {
                Some(vec![format!("/{}", folder.trim_start_matches('/'))])
            }
            // A glob without a folder is for all of them.
            name if name.contains('*') && !name.contains('/') => {
                pattern::of_path_glob(&format!("**/{name}"))
            }
            name => pattern::of_path_glob(name),
        };
        rule(&what, name, (globs, fields), carried);
    }
    routing_rules(client, carried);
}

/// Reads the options of gatsby-plugin-s3.
pub(super) fn gatsby(options: &ForeignValue, carried: &mut CarriedSettings) {
    carry(options.entries(), GATSBY, carried);
    carried.carry("gatsby", "dir", &ForeignValue::text("public"));
    let removes = options.get("removeNonexistentObjects");
    if let Some(value) = removes.filter(|value| !value.is(true)) {
        carried.carry("removeNonexistentObjects", "delete", value);
    }
    if options.get("acl").is_none() {
        carried.leave("acl", &format!("it is public-read unless it is set: {ACL}"));
    }
    for (name, params) in options.entries_of("params") {
        let what = format!("params, {name}");
        let fields = carried.fields(&what, params.entries());
        rule(&what, name, (pattern::of_path_glob(name), fields), carried);
    }
}

/// Goes through a tool's keys by its table.
pub(super) fn carry(
    entries: &[(String, ForeignValue)],
    table: KeyTable,
    carried: &mut CarriedSettings,
) {
    for (key, value) in entries {
        match row(table, key) {
            Some("") if TABLES.contains(&key.as_str()) && value.entries().is_empty() => {
                carried.leave(key, "it is not a table, or an empty one");
            }
            Some("") => {}
            // What is switched off asks for nothing.
            Some(_) if *value == ForeignValue::Single(Value::Null) => {}
            Some(ours) => match ours.strip_prefix('=') {
                Some(ours) => carried.carry(key, ours, value),
                None if value.is(false) && ours != PURGED => {
                    carried.leave(key, "it is off there, and nothing is done for it here");
                }
                None => carried.leave(key, ours),
            },
            None => carried.leave(key, "this key is not known here"),
        }
    }
}

/// Sets headers of what globs name, where they are known.
fn rule(
    what: &str,
    name: &str,
    (globs, fields): (Option<Vec<String>>, CarriedKeys),
    carried: &mut CarriedSettings,
) {
    let rule = FirstMatch {
        what: what.to_owned(),
        pattern: name.to_owned(),
        globs,
        fields,
    };
    // Alone, it comes after none.
    carried.first_matches(vec![rule]);
}

/// Reads a route or matcher: an expression, its headers and whether gzip is asked for.
pub(super) fn first_match(
    what: &str,
    key: &str,
    (table, headers): (&ForeignValue, &[(String, ForeignValue)]),
    carried: &mut CarriedSettings,
) -> Option<FirstMatch> {
    let Some(pattern) = table.text_of(key) else {
        carried.leave(what, &format!("it has no {key}"));
        return None;
    };
    let mut fields = carried.fields(what, headers);
    if table.get("gzip").is_some_and(|gzip| gzip.is(true)) {
        fields.push(("compress".to_owned(), json!(["gzip"])));
    }
    let globs = literal(&pattern).and_then(|pattern| pattern::of_regex(&pattern));
    Some(FirstMatch {
        what: what.to_owned(),
        pattern,
        globs,
        fields,
    })
}

/// Carries over a value for all, or for each of some globs, of which the longest decides.
fn by_glob(what: &str, header: &str, value: &ForeignValue, carried: &mut CarriedSettings) {
    let header_of = |value: &ForeignValue| match value.as_text() {
        Some(age) if age == "0" => ForeignValue::text("no-cache, max-age=0"),
        Some(age) if age.bytes().all(|byte| byte.is_ascii_digit()) => {
            ForeignValue::text(format!("max-age={age}"))
        }
        _ => value.clone(),
    };
    let ForeignValue::Table(globs) = value else {
        let fields = carried.fields(what, &[(header.to_owned(), header_of(value))]);
        return carried.rule(what, vec!["*".to_owned()], fields);
    };
    let mut globs: Vec<_> = globs.iter().collect();
    globs.sort_by_key(|(glob, _)| glob.len());
    for (glob, value) in globs {
        let what = format!("{what}, {glob}");
        let fields = carried.fields(&what, &[(header.to_owned(), header_of(value))]);
        let globs = pattern::of_flat_glob(glob).map(|glob| vec![glob]);
        rule(&what, glob, (globs, fields), carried);
    }
}

fn gzip(endings: impl IntoIterator<Item: Display>, carried: &mut CarriedSettings) {
    let globs = endings.into_iter().map(|ending| format!("*{ending}"));
    let fields = vec![("compress".to_owned(), json!(["gzip"]))];
    carried.rule("gzip", globs.collect(), fields);
}

/// Leaves out what expressions find.
fn exclude(what: &str, expressions: &ForeignValue, carried: &mut CarriedSettings) {
    for expression in expressions.items().iter().filter_map(ForeignValue::as_text) {
        match literal(&expression).and_then(|expression| pattern::of_regex(&expression)) {
            Some(globs) => carried.exclude(globs),
            None => carried.leave(what, &format!("no glob says `{expression}`: see `exclude`")),
        }
    }
}

fn error_document(table: &ForeignValue, carried: &mut CarriedSettings) {
    let document = table.get("error_document").or(table.get("errorDocument"));
    if let Some(document) = document {
        let documents = ForeignValue::List(vec![document.clone()]);
        carried.carry("error_document", "error-documents", &documents);
    }
}

/// Carries over S3's routing rules for a prefix of keys, and what redirects need.
fn routing_rules(table: &ForeignValue, carried: &mut CarriedSettings) {
    for rule in table.items_of("routing_rules") {
        let shown = rule.json().to_string();
        match route(rule).filter(|_| literal(&shown).is_some()) {
            Some((from, to, status)) => carried.redirect("routing_rules", (&from, &to), status),
            None => {
                // With spaces, so that its line can be broken.
                let shown = shown.replace("\":", "\": ").replace(",\"", ", \"");
                let why = format!("write it as [[redirects]]: {shown}");
                carried.leave("routing_rules", &why);
            }
        }
    }
    if !carried.redirects.is_empty() {
        let why = "a website endpoint answers them by objects; where CloudFront reads the bucket itself, `redirect-function` has \
            deploys write a function for them";
        carried.leave("redirects", why);
    }
}

/// Returns the redirect of a routing rule, where it is for all keys of a folder.
fn route(rule: &ForeignValue) -> Option<(String, String, u16)> {
    let (condition, target) = (rule.get("condition")?, rule.get("redirect")?);
    let text = |name: &str| target.text_of(name);
    let folder = condition.text_of("key_prefix_equals")?;
    let known = [
        "hostname",
        "protocol",
        "replacekeyprefixwith",
        "httpredirectcode",
    ];
    let is_known = |(name, _): &(String, ForeignValue)| known.contains(&plain_name(name).as_str());
    if condition.entries().len() != 1
        || !target.entries().iter().all(is_known)
        || !folder.ends_with('/')
    {
        return None;
    }
    let new = text("replace_key_prefix_with").unwrap_or_else(|| folder.clone());
    if !new.is_empty() && !new.ends_with('/') {
        return None;
    }
    let protocol = text("protocol").unwrap_or_else(|| "https".to_owned());
    let host = text("host_name").map(|host| format!("{protocol}://{host}"));
    let status = text("http_redirect_code").map_or(Ok(301), |code| code.parse());
    let to = format!("{}/{new}:splat", host.unwrap_or_default());
    Some((format!("/{folder}*"), to, status.ok()?))
}
