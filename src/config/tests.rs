//! The layers over each other, the errors of a settings file, and the example.

use clap::Parser;

use super::*;

fn resolve(text: Option<&str>, env: &[(&str, &str)], line: &str) -> Result<Settings, Error> {
    let file = text.map(|text| (PathBuf::from(FILE), text.to_owned()));
    let env = env
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    let words = ["unstale"].into_iter().chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).expect("flags");
    Settings::resolve(file, &env.collect(), &cli)
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
        assert_eq!(settings.bucket.as_deref(), bucket, "{line} {env:?}");
    }
}
