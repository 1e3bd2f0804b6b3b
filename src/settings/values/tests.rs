//! Values that are read, and values that are refused.

use super::*;

#[test]
fn durations() {
    for (text, seconds) in [
        ("0s", 0),
        ("90s", 90),
        ("10m", 600),
        ("12h", 43_200),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("1h30m", 5_400),
        (" 5s ", 5),
    ] {
        let period = read::<Period>(text).map(|period| period.0);
        assert_eq!(period, Ok(Duration::from_secs(seconds)), "{text}");
    }
    for text in [
        "",
        " ",
        "7",
        "d",
        "-1s",
        "1.5h",
        "7 d",
        "7y",
        "1h30",
        "99999999999999999999s",
        "18446744073709551615d",
        "999999w",
        "७d",
    ] {
        assert!(read::<Period>(text).is_err(), "{text}");
    }
}

#[test]
fn sizes() {
    for (text, bytes) in [
        ("256MiB", 256 << 20),
        ("1GiB", 1 << 30),
        ("64 mb", 64_000_000),
        ("17000000B", 17_000_000),
    ] {
        assert_eq!(read::<MemorySize>(text), Ok(MemorySize(bytes)), "{text}");
    }
    for text in ["", "256", "MiB", "1KiB", "-1MiB", "99999999TiB", "1.5GiB"] {
        assert!(read::<MemorySize>(text).is_err(), "{text}");
    }
}

#[test]
fn buckets_and_prefixes() {
    for (text, name, prefix) in [
        ("my-site", "my-site", None),
        ("s3://my-site", "my-site", Some("")),
        ("s3://my-site/", "my-site", Some("")),
        ("s3://my-site/a/b", "my-site", Some("a/b/")),
        ("s3://my-site//a/b//", "my-site", Some("a/b/")),
    ] {
        let bucket = read::<BucketAddress>(text).unwrap();
        assert_eq!(bucket.name, name, "{text}");
        assert_eq!(
            bucket.prefix.map(|prefix| prefix.0).as_deref(),
            prefix,
            "{text}"
        );
    }
    for text in [
        "",
        "a b",
        "a/b",
        "s3://",
        "s3:///x",
        "https://b",
        "s3://b/../c",
    ] {
        assert!(read::<BucketAddress>(text).is_err(), "{text}");
    }
    for (text, prefix) in [("", ""), ("/", ""), ("docs", "docs/"), ("/a/b/", "a/b/")] {
        assert_eq!(
            read::<SitePrefix>(text),
            Ok(SitePrefix(prefix.to_owned())),
            "{text}"
        );
    }
    for text in [".", "a/./b", "../a", "a//b", "a\nb", "a/.unstale"] {
        assert!(read::<SitePrefix>(text).is_err(), "{text:?}");
    }
    assert!(read::<StatePlace>("bucket").is_err());
    assert_eq!(read::<StatePlace>("s3://b/x").unwrap().prefix, "x/");
}

#[test]
fn other_values() {
    assert!(read::<GlobPattern>("posts/**/*.html").is_ok());
    assert!(read::<GlobPattern>("a[").is_err());
    assert!(read::<GlobPattern>("").is_err());
    assert!(read::<FieldValue>("max-age=60").is_ok());
    assert!(read::<FieldValue>("a\nb").is_err());
    assert!(read::<FieldValue>("ä").is_err());
    assert!(read::<EndpointUrl>("http://127.0.0.1:9000").is_ok());
    assert!(read::<EndpointUrl>("127.0.0.1:9000").is_err());
    assert!(read::<EndpointUrl>("http://").is_err());
    assert!(read::<AccountId>("123456789012").is_ok());
    assert!(read::<AccountId>("12345678901").is_err());
    assert!(read::<FileExtension>(".html").is_ok());
    assert!(read::<FileExtension>("html").is_err());
    let price = |text: &str| Price::try_from(PriceText::Text(text.to_owned()));
    assert!(price("0.005").is_ok());
    assert!(price("-1").is_err());
    assert!(price("nan").is_err());
    assert!(read::<DistributionSetting>("").is_err());
}

#[test]
fn numbers_of_deploys() {
    for (text, number) in [("0 deploys", 0), ("1 deploy", 1), (" 99  deploys", 99)] {
        let read = read::<KeptDeploys>(text).map(|kept| kept.0);
        assert_eq!(read, Ok(number), "{text}");
    }
    for text in [
        "",
        "3",
        "deploys",
        "-1 deploys",
        "3deploys",
        "3 days",
        "100 deploys",
    ] {
        assert!(read::<KeptDeploys>(text).is_err(), "{text}");
    }
}
