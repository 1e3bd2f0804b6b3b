//! The names of the profiles that the shared files of the AWS tools hold.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// Returns the profiles of the configuration and the credentials file, as AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name them.
pub fn names() -> BTreeSet<String> {
    let read = |variable: &str, usual: &str| {
        let path = variable_path(variable).or_else(|| Some(variable_path("HOME")?.join(usual)));
        path.and_then(|path| std::fs::read_to_string(path).ok())
            .unwrap_or_default()
    };
    let config = read("AWS_CONFIG_FILE", ".aws/config");
    let credentials = read("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
    let configured = sections(&config).filter_map(|section| match section.split_once(' ') {
        Some(("profile", name)) => Some(name.trim().trim_matches(['"', '\'']).to_owned()),
        Some(_) => None,
        None => (section == "default").then(|| section.to_owned()),
    });
    configured
        .chain(sections(&credentials).map(str::to_owned))
        .collect()
}

fn variable_path(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    value.map(PathBuf::from)
}

fn sections(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter_map(|line| Some(line.strip_prefix('[')?.split(']').next()?.trim()))
}
