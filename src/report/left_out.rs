//! What of a build is not deployed, though nobody asked for that. Pure.

use std::collections::BTreeMap;

use super::text::{count, shown};

/// Names in the line.
const MAX_NAMED: usize = 5;

/// Writes `Left out: .env, .git/, 3 of .DS_Store`: files of one name together, by their paths in the build.
pub(super) fn text(paths: &[String]) -> String {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in paths {
        let folder = path.trim_end_matches('/').rfind('/');
        let name = &path[folder.map_or(0, |slash| slash + 1)..];
        groups.entry(name).or_default().push(path);
    }
    let told = groups.iter().map(|(name, paths)| match paths.as_slice() {
        [path] => shown(path),
        paths => format!("{} of {}", count(paths.len() as u64), shown(name)),
    });
    let mut told: Vec<String> = told.take(MAX_NAMED).collect();
    let rest: usize = groups.values().skip(MAX_NAMED).map(Vec::len).sum();
    if rest > 0 {
        told.push(format!("{} more (-v names them)", count(rest as u64)));
    }
    format!("Left out: {}", told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_name_are_counted_and_the_line_stays_short() {
        let told = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            text(&paths)
        };
        assert_eq!(told(&[".env"]), "Left out: .env");
        assert_eq!(
            told(&[
                ".DS_Store",
                ".env",
                ".git/",
                "a/.DS_Store",
                "a/b/.DS_Store",
                "x/.svn/"
            ]),
            "Left out: 3 of .DS_Store, .env, .git/, x/.svn/"
        );
        let many: Vec<String> = (0..9).map(|number| format!("a/._{number}.png")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(
            told(&many),
            "Left out: a/._0.png, a/._1.png, a/._2.png, a/._3.png, a/._4.png, 4 more (-v names them)"
        );
    }
}
