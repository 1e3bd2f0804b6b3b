//! The layers over each other, the errors of a settings file, and the example.

use clap::Parser;

use super::values::{Period, Price};
use super::*;
use crate::cli::Cli;
use crate::edge::PurgeMode;

fn resolve(text: Option<&str>, env: &[(&str, &str)], line: &str) -> Result<Settings, Error> {
    let file = text.map(|text| (PathBuf::from(FILE), text.to_owned()));
    let env = env
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    let words = ["unstale"].into_iter().chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).expect("flags");
    Settings::resolve(file, &env.collect(), &cli.settings()?)
}

#[test]
fn each_layer_overrules_those_below() {
    let file = "bucket = \"file\"\n[env.live]\nbucket = \"live\"";
    let none: &[(&str, &str)] = &[];
    let variable: &[(&str, &str)] = &[("UNSTALE_BUCKET", "variable")];
    let named: &[(&str, &str)] = &[("UNSTALE_ENV", "live")];
    for (text, env, line, bucket) in [
        (None, none, "deploy", None),
        (None, none, "deploy --local", Some("site")),
        (Some(file), none, "deploy --local", Some("file")),
        (Some(file), none, "deploy", Some("file")),
        (Some(file), none, "deploy --env live", Some("live")),
        (Some(file), named, "deploy", Some("live")),
        (Some(file), variable, "deploy --env live", Some("variable")),
        (
            Some(file),
            &[("UNSTALE_BUCKET", "")],
            "deploy",
            Some("file"),
        ),
        (
            Some(file),
            variable,
            "deploy --env live --bucket flag",
            Some("flag"),
        ),
    ] {
        let settings = resolve(text, env, line).unwrap();
        assert_eq!(settings.bucket().ok(), bucket, "{line} {env:?}");
    }
}

#[test]
fn each_kind_of_key_comes_through() {
    let file = r#"
dir = "public"
bucket = "s3://b/docs"
distribution = ["E1", "www.example.com", "E1"]
exclude = "drafts/"
retain = "1d"
delete = false
quiet = true
[[headers]]
match = "*.pdf"
preset = "media"
[purge]
path-price = 1
free-paths-per-month = 5
[env.x]
exclude = ["a", "b"]
headers = []
[env.x.purge]
mode = "all"
"#;
    let plain = resolve(Some(file), &[], "deploy").unwrap();
    assert_eq!((plain.prefix.0.as_str(), plain.delete), ("docs/", false));
    assert_eq!(plain.distribution.0.len(), 2);
    assert_eq!(plain.headers.len(), 1);
    assert_eq!(plain.headers[0].line, 9);
    assert_eq!(plain.purge.path_price, Price(1.0));
    let line = "deploy --env x --exclude c --retain 0s -v dist --no-wait";
    let env = [("UNSTALE_DELETE", "true"), ("UNSTALE_DISTRIBUTION", "none")];
    let other = resolve(Some(file), &env, line).unwrap();
    assert_eq!(other.exclude.texts(), ["a", "b", "c"]);
    assert_eq!(other.headers, []);
    assert_eq!(other.distribution.0, [DistributionSetting::None]);
    assert_eq!(other.dir.as_deref(), Some(Path::new("dist")));
    assert_eq!((other.delete, other.wait), (true, false));
    assert_eq!((other.quiet, other.verbose), (false, true));
    assert_eq!(other.retain, Period::seconds(0));
    assert_eq!(
        other.purge,
        PurgeSettings {
            mode: PurgeMode::All,
            free_paths_per_month: 5,
            path_price: Price(1.0),
            ..PurgeSettings::default()
        }
    );
}

#[test]
fn paths_of_a_file_are_relative_to_it() {
    let text = "dir = \"public\"\nca-bundle = \"/etc/ca.pem\"".to_owned();
    let cli = Cli::parse_from(["unstale", "plan"]);
    let file = Some((PathBuf::from("sites/a.toml"), text));
    let settings = Settings::resolve(file, &BTreeMap::new(), &cli.settings().unwrap()).unwrap();
    assert_eq!(settings.dir.unwrap(), Path::new("sites/public"));
    assert_eq!(settings.ca_bundle.unwrap(), Path::new("/etc/ca.pem"));
}

#[cfg(unix)]
#[test]
fn paths_need_not_be_utf_8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let odd = Path::new(OsStr::from_bytes(b"p\xff"));
    let words = [OsStr::new("unstale"), OsStr::new("plan"), odd.as_os_str()];
    let cli = Cli::try_parse_from(words).unwrap();
    let settings = Settings::resolve(None, &BTreeMap::new(), &cli.settings().unwrap()).unwrap();
    assert_eq!(settings.dir.as_deref(), Some(odd));
    let file = Some((odd.join("a.toml"), "dir = \"public\"".to_owned()));
    let flags = FlagSettings::default();
    let settings = Settings::resolve(file, &BTreeMap::new(), &flags).unwrap();
    assert_eq!(settings.dir, Some(odd.join("public")));
}

#[test]
fn the_folder_of_the_bucket_is_said_once() {
    for (text, env, line, prefix) in [
        ("bucket = \"s3://b/x\"", "", "deploy", Some("x/")),
        ("bucket = \"s3://b/x\"", "", "deploy --prefix y", Some("y/")),
        ("bucket = \"s3://b/x\"", "s3://c", "deploy", Some("")),
        ("bucket = \"s3://b/x\"", "c", "deploy", Some("x/")),
        (
            "bucket = \"s3://b/x\"\nprefix = \"x\"",
            "",
            "deploy",
            Some("x/"),
        ),
        ("bucket = \"s3://b/x\"\nprefix = \"y\"", "", "deploy", None),
        (
            "prefix = \"x\"",
            "",
            "deploy --bucket s3://b/x --prefix y",
            None,
        ),
    ] {
        let settings = resolve(Some(text), &[("UNSTALE_BUCKET", env)], line);
        let found = settings.ok().map(|settings| settings.prefix.0);
        assert_eq!(found.as_deref(), prefix, "{text} {env} {line}");
    }
}

#[test]
fn mistakes_are_shown_where_they_are() {
    for (text, message) in [
        (
            "\n\nbuket = \"x\"",
            "3:1: unknown key `buket`: did you mean `bucket`?",
        ),
        (
            "\n  max_delete = 3",
            "2:3: unknown key `max_delete`: did you mean `max-delete`?",
        ),
        ("zzzzzzzz = 1", "1:1: unknown key `zzzzzzzz`"),
        (
            "[purge]\nretain = '1d'",
            "2:1: `retain` stands above the first [table] of the file, not here",
        ),
        (
            "free-paths-per-month = 1",
            "1:1: `free-paths-per-month` stands in the table [purge], not here",
        ),
        ("dir = public", "1:7: a text stands in quotes"),
        ("dir: 'public'", "1:6: a key and its value have a `=`"),
        ("dir = \"public", "1:14: invalid basic string: expected"),
        ("bucket = 3", "1:10: `3` is not a text in quotes"),
        ("delete = \"no\"", "1:10: `no` is not true or false"),
        ("retain = \"7\"", "1:10: `7` is not a duration"),
        ("retain = 7", "1:10: `7` is not a text in quotes"),
        ("keep = \"3\"", "1:8: `3` is no number of deploys"),
        ("keep = \"100 deploys\"", "1:8: `100 deploys` is too many"),
        (
            "max-memory = \"1kb\"",
            "1:14: `1kb` is too little: 16MiB or more",
        ),
        (
            "symlinks = \"skipp\"",
            "1:12: `skipp` is none of inside, follow, skip",
        ),
        (
            "index = \"wrong\"",
            "1:9: `wrong` is none of auto, directory, none",
        ),
        (
            "exclude = [\"ok\", \"a[\"]",
            "1:11: `a[` is not a pattern: ",
        ),
        ("é = 1", "1:1: "),
        ("bucket = \"é\"\nx = ", "2:5: "),
        ("concurrency = 0", "1:15: `0` is not a whole number from 1"),
        (
            "concurrency = 99999999999999999999",
            "1:15: `99999999999999999999` is not a whole number from 1",
        ),
        ("dir = []", "1:7: a list is not a text in quotes"),
        (
            "[noise]\nmatch = \"*\"\nregex = \"a\"",
            "1:1: a table is not a list of tables: [[NAME]] for each",
        ),
        ("max-delete = -1", "1:14: `-1` is not a whole number from 0"),
        (
            "redirect-function = \"my site\"",
            "1:21: `my site` is not a function's name",
        ),
        (
            "headers-policy = \"my.site\"",
            "1:18: `my.site` is not a policy's name",
        ),
        ("security = \"strikt\"", "1:12: `strikt` is none of "),
        (
            "\n[[headers]]\nmatch = \"a\"\nothers = { \"X A\" = \"b\" }",
            "deploy.toml:2: others: \"X A\" is not a header's name",
        ),
        (
            "\n[[headers]]\nmatch = \"a\"\nothers = { X-A = \"b\\nc\" }",
            "deploy.toml:2: others: \"b\\nc\" holds a line break",
        ),
        (
            "strip-extension = \"html\"",
            "1:19: `html` is not an extension",
        ),
        (
            "distribution = [\"auto\", \"E1\"]",
            "`auto` and `none` stand alone",
        ),
        (
            "[purge]\nmod = \"all\"",
            "2:1: unknown key `mod`: did you mean `mode`?",
        ),
        ("[purge]\npath-price = -1", "2:14: `-1` is not a price"),
        (
            "[env.a]\nbuckt = \"x\"",
            "2:1: unknown key `buckt`: did you mean `bucket`?",
        ),
        (
            "[env.a.env.b]\nbucket = \"x\"",
            "[env.a] cannot hold another [env]",
        ),
        (
            "[[headers]]\nmatch = \"a\"\ncache = 1",
            "3:1: unknown key `cache`",
        ),
        (
            "[[headers]]\nmatch = \"a\"\nx-frame-options = \"DENY\"",
            "3:1: unknown key `x-frame-options`: other headers stand in `others = { x-frame-options = ",
        ),
        ("[[headers]]\npage = true", "1:1: missing field `match`"),
        (
            "\n[[headers]]\nmatch = \"a\"\npreset = \"imutable\"",
            "2: preset: there is no preset",
        ),
        ("pages = \"!a\"", "`pages`: match: every glob begins with"),
        (
            "[[redirects]]\nfrom = \"a\"\nto = \"/\"",
            "deploy.toml:1: from: ",
        ),
        (
            "[[redirects]]\nfrom = \"/a\"\nto = \"b\"",
            "deploy.toml:1: to: ",
        ),
        (
            "[[redirects]]\nfrom = \"/a\"\nto = \"/b\"\nstatus = 999",
            "deploy.toml:1: status: ",
        ),
        (
            "[[noise]]\nmatch = []\nregex = 1",
            "3:9: `1` is not a text in quotes",
        ),
        ("bucket = \"a\"\nbucket = \"b\"", "2:1: duplicate key"),
        ("bucket = ", "1:10: "),
        ("distribution = []", "empty list"),
        ("\u{feff}x = 1", "1:"),
        ("region = \"\\u0001\"", "is not a region"),
        ("purge = 1", "1:9: `1` is not a table"),
    ] {
        let error = resolve(Some(text), &[], "deploy").unwrap_err();
        assert_eq!(error.exit, crate::error::Exit::Usage, "{text}");
        let found = error.message.contains(message);
        assert!(
            found,
            "{text}\n  wanted: {message}\n  found:  {}",
            error.message
        );
    }
}

#[test]
fn variables_are_checked_and_strange_ones_noticed() {
    for (name, value) in [
        ("UNSTALE_RETAIN", "soon"),
        ("UNSTALE_WAIT", "yes"),
        ("UNSTALE_INDEX", "Auto"),
        ("UNSTALE_CONCURRENCY", "0"),
        ("UNSTALE_DISTRIBUTION", "E1,,E2"),
        ("UNSTALE_PURGE_PATH_PRICE", "free"),
    ] {
        let error = resolve(None, &[(name, value)], "deploy").unwrap_err();
        assert!(error.message.starts_with(name), "{}", error.message);
    }
    let settings = resolve(None, &[("UNSTALE_BUCKT", "x")], "deploy").unwrap();
    assert_eq!(
        settings.warnings,
        ["UNSTALE_BUCKT is not a setting: did you mean UNSTALE_BUCKET?"]
    );
    let settings = resolve(None, &[("UNSTALE_RETIAN", "x")], "deploy").unwrap();
    assert!(settings.warnings[0].ends_with("UNSTALE_RETAIN?"));
    for (name, meant) in [
        ("UNSTALE_bucket", "UNSTALE_BUCKET"),
        ("UNSTALE_MAX-DELETE", "UNSTALE_MAX_DELETE"),
        ("UNSTALE_PURGEMODE", "UNSTALE_PURGE_MODE"),
        ("UNSTALE_CONFI", "UNSTALE_CONFIG"),
    ] {
        let settings = resolve(None, &[(name, "3")], "deploy").unwrap();
        let wanted = format!("{name} is not a setting: did you mean {meant}?");
        assert_eq!(settings.warnings, [wanted]);
        assert_eq!(settings.max_delete, None);
    }
    for (name, text, wanted) in [
        ("UNSTALE_MAX_DELETE", "007", Some("max-delete = 7")),
        ("UNSTALE_MAX_DELETE", "1_0", None),
        ("UNSTALE_MAX_DELETE", "0x10", None),
        ("UNSTALE_CONCURRENCY", " 10", None),
        ("UNSTALE_TAGS", "1", Some("tags = true")),
        ("UNSTALE_TAGS", " true", None),
        (
            "UNSTALE_PURGE_PATH_PRICE",
            ".5",
            Some("[purge]\npath-price = 0.5"),
        ),
        ("UNSTALE_PURGE_PATH_PRICE", "-1", None),
    ] {
        let from_variable = resolve(None, &[(name, text)], "deploy").ok();
        let from_file = wanted.map(|text| Settings {
            file: None,
            ..resolve(Some(text), &[], "deploy").unwrap()
        });
        assert_eq!(from_variable, from_file, "{name}={text}");
    }
    let named = [("UNSTALE_REGION", "my_site.east")];
    let settings = resolve(None, &named, "deploy").unwrap();
    assert_eq!(settings.region.as_deref(), Some("my_site.east"));
    let bundle = [("AWS_CA_BUNDLE", "/ca.pem")];
    let settings = resolve(None, &bundle, "deploy").unwrap();
    assert_eq!(settings.ca_bundle.as_deref(), Some(Path::new("/ca.pem")));
    let settings = resolve(None, &bundle, "deploy --ca-bundle x").unwrap();
    assert_eq!(settings.ca_bundle.as_deref(), Some(Path::new("x")));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
    let text = "\u{feff}bucket = \"b\"\r\ndelete = false\r\n";
    let settings = resolve(Some(text), &[], "deploy").unwrap();
    assert_eq!(
        (settings.bucket().ok(), settings.delete),
        (Some("b"), false)
    );
}

#[test]
fn an_env_must_be_there() {
    let error = resolve(Some("[env.a]\n[env.b]"), &[], "plan --env c").unwrap_err();
    assert_eq!(error.message, "deploy.toml has no [env.c]");
    assert_eq!(error.hint.as_deref(), Some("it has a, b"));
    assert!(resolve(None, &[], "plan --env c").is_err());
}

#[test]
fn a_policy_has_a_name_of_its_own_where_a_preset_needs_one() {
    for (text, name) in [
        ("", None),
        ("headers-policy = 'a-{id}'", Some("a-{id}")),
        ("security = 'strict'", Some("unstale-{id}")),
        ("security = 'strict'\nheaders-policy = 'a'", Some("a")),
    ] {
        let settings = resolve(Some(text), &[], "deploy").unwrap();
        let policy = settings.headers_policy().map(|policy| policy.0);
        assert_eq!(policy.as_deref(), name, "{text}");
    }
    let long = |length: usize| "a".repeat(length) + "{id}";
    assert!(PolicyName::try_from(long(114)).is_ok());
    assert!(PolicyName::try_from(long(115)).is_err());
}

#[test]
fn local_leaves_other_endpoints_alone() {
    let file = Some("endpoint-url = \"http://x\"\nprofile = \"p\"");
    let settings = resolve(file, &[], "deploy --local").unwrap();
    assert_eq!((settings.endpoint_url, settings.profile), (None, None));
    assert_eq!(settings.local.as_deref(), Some(Path::new(LOCAL_DIR)));
}

#[test]
fn general_keys_are_rules_below_the_file_s_own() {
    let file = "cache-control = \"no-cache\"\npages = [\"*.json\"]\n[[headers]]\nmatch = \"b.json\"\ncache-control = \"max-age=1\"";
    let settings = resolve(Some(file), &[], "deploy").unwrap();
    let rules = settings.header_rules().unwrap();
    let facts = crate::rules::header_rules::ObjectFacts {
        content_type: "application/json",
        error_document: false,
        part: None,
        name: crate::rules::fingerprinted::siblings::NameVerdict::Plain,
    };
    let mut matched = Default::default();
    for (key, cache_control) in [("a.json", "no-cache"), ("b.json", "max-age=1")] {
        let served = rules.headers_for(key, &facts, &mut matched);
        assert_eq!(served.headers.cache_control.as_deref(), Some(cache_control));
        assert!(served.page, "{key}");
    }
    let names = settings.rule_places(&SiteFiles::default());
    assert_eq!(names, ["`cache-control`", "`pages`", "deploy.toml:3"]);
}

const EXAMPLE: &str = include_str!("../../deploy.example.toml");

/// The example with every setting that is commented out (`#key = ...`, `#[table]`) brought in.
fn whole_example() -> String {
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The keys of a table, as its own error about a key that it does not know lists them.
fn keys_of(table: &str) -> Vec<String> {
    let text = format!("{table}\nno-such-key = 1");
    let error = toml::from_str::<Settings>(&text).unwrap_err();
    let names = error.message().split('`').skip(3).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn the_example_says_what_the_defaults_are() {
    let settings = resolve(Some(EXAMPLE), &[], "deploy").unwrap();
    let defaults = Settings {
        file: Some(FILE.into()),
        ..Settings::default()
    };
    assert_eq!(settings, defaults);
    assert_eq!(resolve(None, &[], "deploy").unwrap(), Settings::default());
}

#[test]
fn the_example_has_every_key() {
    let whole = whole_example();
    resolve(Some(&whole), &[], "deploy").unwrap();
    resolve(Some(&whole), &[], "deploy --env production").unwrap();
    let example: toml::Table = toml::from_str(&whole).unwrap();
    let top = keys_of("");
    assert!(top.len() > 40, "{top:?}");
    for key in top {
        assert!(example.contains_key(&key), "{key}");
    }
    for (table, head) in [
        ("purge", "[purge]"),
        ("budget", "[budget]"),
        ("headers", "[[headers]]"),
        ("redirects", "[[redirects]]"),
        ("noise", "[[noise]]"),
    ] {
        let keys = keys_of(head);
        assert!(keys.len() > 1, "{table}");
        for key in keys {
            let within = match &example[table] {
                toml::Value::Array(rules) => rules.iter().any(|rule| rule.get(&key).is_some()),
                other => other.get(&key).is_some(),
            };
            assert!(within, "{table}: {key}");
        }
    }
}

/// Another value for a key than its default, as a file and as a variable have it.
fn another(key: &str, value: &toml::Value) -> Option<(String, String)> {
    let text = match (key, value) {
        (_, toml::Value::Boolean(flag)) if key != "path-style" => (!flag).to_string(),
        (_, toml::Value::Boolean(flag)) => flag.to_string(),
        (_, toml::Value::Integer(number)) => (number + 1).to_string(),
        (_, toml::Value::Float(number)) => (number + 1.0).to_string(),
        ("retain" | "timeout" | "lock-wait", _) => "3s".to_owned(),
        ("keep", _) => "3 deploys".to_owned(),
        ("max-memory", _) => "17MiB".to_owned(),
        ("symlinks", _) => "skip".to_owned(),
        ("index" | "distribution", _) => "none".to_owned(),
        ("functions", _) => "rewrite".to_owned(),
        ("links", _) => "deny".to_owned(),
        ("purge-mode", _) => "all".to_owned(),
        ("purge-plan", _) => "flat-rate".to_owned(),
        ("prefix", _) => "docs".to_owned(),
        (_, toml::Value::String(text)) => text.clone(),
        _ => return None,
    };
    Some(if value.is_str() {
        (format!("{text:?}"), text)
    } else {
        (text.clone(), text)
    })
}

#[test]
fn every_scalar_key_has_a_variable_that_does_the_same() {
    let example: toml::Table = toml::from_str(&whole_example()).unwrap();
    let purge = example["purge"].as_table().unwrap().iter();
    let purge = purge.map(|(key, value)| (format!("purge-{key}"), value));
    let top = example.iter().map(|(key, value)| (key.clone(), value));
    let mut seen = 0;
    for (key, value) in top.chain(purge) {
        let Some((in_file, in_variable)) = another(&key, value) else {
            continue;
        };
        let name = format!("UNSTALE_{}", key.to_uppercase().replace('-', "_"));
        let from_variable = resolve(None, &[(&name, &in_variable)], "deploy").unwrap();
        assert_ne!(from_variable, Settings::default(), "{name}");
        let text = match key.strip_prefix("purge-") {
            Some(key) => format!("[env.x.purge]\n{key} = {in_file}"),
            None => format!("[env.x]\n{key} = {in_file}"),
        };
        let from_file = Settings {
            file: None,
            site_flags: Vec::new(),
            ..resolve(Some(&text), &[], "deploy --env x").unwrap()
        };
        assert_eq!(from_variable, from_file, "{name}");
        seen += 1;
    }
    assert!(seen > 38, "{seen}");
}

#[test]
fn flags_do_what_their_keys_do() {
    for (flags, text) in [
        ("deploy x", "dir = 'x'"),
        ("deploy --allow-project-root", "allow-project-root = true"),
        ("quota --bucket s3://b/c", "bucket = 'b'\nprefix = 'c'"),
        ("quota --state s3://b/c", "state = 's3://b/c'"),
        (
            "quota --distribution a --distribution b",
            "distribution = ['a', 'b']",
        ),
        ("quota --distribution-tenant a", "distribution-tenant = 'a'"),
        ("quota --local=x", "local = 'x'"),
        ("quota --profile x", "profile = 'x'"),
        ("quota --region x", "region = 'x'"),
        ("quota --endpoint-url http://x", "endpoint-url = 'http://x'"),
        ("quota --path-style", "path-style = true"),
        ("quota --ca-bundle x", "ca-bundle = 'x'"),
        (
            "quota --expected-bucket-owner 123456789012",
            "expected-bucket-owner = '123456789012'",
        ),
        ("quota --json", "json = true"),
        ("quota -q", "quiet = true"),
        ("quota -v", "verbose = true"),
        ("preview --exclude a", "exclude = 'a'"),
        ("verify --include a --include b", "include = ['a', 'b']"),
        ("plan --symlinks follow", "symlinks = 'follow'"),
        (
            "plan --cache-control no-store",
            "cache-control = 'no-store'",
        ),
        ("plan --no-cache", "cache = false"),
        ("plan --no-delete", "delete = false"),
        ("plan --max-delete 3", "max-delete = 3"),
        ("plan --adopt", "adopt = true"),
        ("plan --retain 3s", "retain = '3s'"),
        ("rollback --purge exact", "[purge]\nmode = 'exact'"),
        ("rollback --no-wait", "wait = false"),
        ("invalidate / --no-wait", "wait = false"),
        ("invalidate / --timeout 3s", "timeout = '3s'"),
        ("invalidations --timeout 3s", "timeout = '3s'"),
        ("deploy --timeout 3s", "timeout = '3s'"),
        ("deploy --verify", "verify = true"),
        ("deploy --strict", "strict = true"),
        ("plan --links deny", "links = 'deny'"),
        ("plan --strict", "strict = true"),
        ("verify --concurrency 3", "concurrency = 3"),
        ("deploy --max-memory 17MiB", "max-memory = '17MiB'"),
        ("rollback --lock-wait 3s", "lock-wait = '3s'"),
    ] {
        let from_flags = Settings {
            site_flags: Vec::new(),
            ..resolve(None, &[], flags).unwrap()
        };
        assert_ne!(from_flags, Settings::default(), "{flags}");
        let from_file = Settings {
            file: None,
            ..resolve(Some(text), &[], "deploy").unwrap()
        };
        assert_eq!(from_flags, from_file, "{flags}");
    }
}

#[test]
fn places_name_variables() {
    let env = [
        ("PR", "12"),
        ("BUCKET", "b"),
        ("UP", "../x"),
        ("SLASH", "/"),
    ];
    let bucket = "bucket = \"s3://${BUCKET}/previews/${PR}\"";
    for (text, line, prefix) in [
        ("prefix = \"previews/${PR}\"", "plan", Ok("previews/12/")),
        (bucket, "plan", Ok("previews/12/")),
        (
            "prefix = '${PR'",
            "plan",
            Err("deploy.toml:1:10: `prefix`: a `${` is not closed"),
        ),
        (
            "\nprefix = \"p/${NONE}\"",
            "plan",
            Err("deploy.toml:2:10: `prefix`: the environment variable NONE is not set"),
        ),
        (
            "prefix = \"${UP}\"",
            "plan",
            Err("1:10: `../x` is not a folder of a bucket"),
        ),
        (
            "prefix = \"p/${SLASH}\"",
            "plan",
            Err("variable SLASH is not set, or is empty"),
        ),
        // What overrules it needs it no more, whatever it names.
        ("prefix = \"p/${NONE}\"", "plan --prefix q", Ok("q/")),
        (
            "prefix = \"p/${NONE}\"\n[env.live]\nprefix = \"\"",
            "plan --env live",
            Ok(""),
        ),
        (
            "prefix = \"\"\n[env.live]\nprefix = \"${NONE}\"",
            "plan",
            Ok(""),
        ),
        (
            "[env.live]\nprefix = \"${NONE}\"",
            "plan --env live",
            Err("2:10: `prefix`: "),
        ),
        (
            "[env.live]\nprefix = \"${NONE\"",
            "plan",
            Err("2:10: `prefix`: "),
        ),
        (
            "bucket = \"s3://b/${NONE}\"",
            "plan --bucket s3://c/d",
            Ok("d/"),
        ),
        // The folder would outlive the bucket's name.
        (
            "bucket = \"s3://b/${NONE}\"",
            "plan --bucket c",
            Err("1:10: `bucket`: "),
        ),
        // Flags are the shell's.
        ("", "plan --prefix ${PR}", Ok("${PR}/")),
    ] {
        let found = resolve(Some(text), &env, line);
        match (found, prefix) {
            (Ok(settings), Ok(prefix)) => assert_eq!(settings.prefix.0, prefix, "{text} {line}"),
            (Err(error), Err(told)) => {
                assert_eq!(error.exit, crate::error::Exit::Usage);
                assert!(error.message.contains(told), "{text}: {}", error.message);
            }
            (found, _) => panic!("{text} {line}: {found:?}"),
        }
    }
    let text = "dir = \"out/${PR}\"\nstate = \"s3://${BUCKET}/s\"\ndistribution = [\"E${PR}\", \"www.x.y\"]\n\
                distribution-tenant = \"t${PR}\"\nprofile = \"p${PR}\"\nregion = \"r-${PR}\"\n\
                ca-bundle = \"${PR}.pem\"\nexpected-bucket-owner = \"${PR}3456789012\"\nredirect-function = \"f-${PR}\"\n\
                headers-policy = \"p-${PR}-{id}\"\nwebsite-index = \"${PR}.html\"\n[[headers]]\nmatch = \"a\"\ncache-control = \"${PR}\"\n";
    let settings = resolve(Some(text), &env, "plan").unwrap();
    assert_eq!(settings.dir.as_deref(), Some(Path::new("out/12")));
    assert_eq!(settings.state.unwrap().bucket, "b");
    let named = |name: &str| DistributionSetting::Named(name.to_owned());
    assert_eq!(settings.distribution.0, [named("E12"), named("www.x.y")]);
    assert_eq!(settings.distribution_tenant.as_deref(), Some("t12"));
    assert_eq!(settings.region.as_deref(), Some("r-12"));
    assert_eq!(settings.ca_bundle.as_deref(), Some(Path::new("12.pem")));
    assert_eq!(settings.expected_bucket_owner.unwrap().0, "123456789012");
    assert_eq!(settings.redirect_function.unwrap().0, "f-12");
    assert_eq!(settings.headers_policy.unwrap().0, "p-12-{id}");
    // What names things of an account means nothing where there is none.
    let text = format!("local = \"l${{PR}}\"\n{text}");
    let local = resolve(Some(&text), &env, "plan").unwrap();
    assert_eq!(local.local.as_deref(), Some(Path::new("l12")));
    assert_eq!((local.state, local.profile), (None, None));
    assert_eq!(local.distribution_tenant, None);
    assert_eq!(local.expected_bucket_owner, None);
    assert_eq!(settings.website_index.as_deref(), Some("${PR}.html"));
    let rule = &settings.headers[0].rule;
    assert_eq!(rule.cache_control.as_deref(), Some("${PR}"));
    let reach = "profile = \"p${PR}\"\nendpoint-url = \"http://${PR}\"";
    let settings = resolve(Some(reach), &env, "plan").unwrap();
    assert_eq!(settings.profile.as_deref(), Some("p12"));
    assert_eq!(settings.endpoint_url.unwrap().0, "http://12");
}
