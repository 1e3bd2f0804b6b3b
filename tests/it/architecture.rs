//! The code keeps to the order of rooms in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rooms in the order of the table: each may use those before it.
fn rooms() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| Some(row.split_once("` |")?.0.to_owned()));
    names.collect()
}

/// What each room of `src/` names as `crate::ROOM`, with a file that does; tests do not count.
fn used() -> BTreeMap<(String, String), String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut used = BTreeMap::new();
    for entry in walkdir::WalkDir::new(&src) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(&src).unwrap();
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        let is_test = |part: &&str| {
            let stem = part.trim_end_matches(".rs");
            stem == "tests" || stem.ends_with("_tests")
        };
        let source = path.extension().is_some_and(|ending| ending == "rs");
        if !source || parts.iter().any(is_test) || parts.len() == 1 && is_map(path) {
            continue;
        }
        let room = parts[0].trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(entry.path()).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for line in code.lines().filter(|line| !line.trim().starts_with("//")) {
            for after in line.split("crate::").skip(1) {
                assert!(
                    !after.starts_with('{'),
                    "{}: one room a line",
                    path.display()
                );
                let end = |byte: char| !byte.is_alphanumeric() && byte != '_';
                let other = after.split(end).next().unwrap_or_default();
                if other != room {
                    let key = (room.clone(), other.to_owned());
                    used.insert(key, path.display().to_string());
                }
            }
        }
    }
    used
}

fn is_map(path: &Path) -> bool {
    path == Path::new("lib.rs") || path == Path::new("main.rs")
}

#[test]
fn a_room_uses_only_those_above_it() {
    let rooms = rooms();
    let place = |room: &String| rooms.iter().position(|name| name == room);
    let used = used();
    let breaks = used.iter().filter(|((room, other), _)| {
        let (from, to) = (place(room), place(other));
        from.is_none() || to.is_none() || to > from
    });
    assert_eq!(breaks.collect::<Vec<_>>(), [], "against ARCHITECTURE.md");
    assert!(used.len() > 50, "{}", used.len());
}

#[test]
fn the_emulator_is_started_by_app_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut users = BTreeSet::new();
    for entry in walkdir::WalkDir::new(&src) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(&src).unwrap();
        let is_test = path.iter().any(|part| part == "tests");
        if entry.file_type().is_file() && !is_test {
            let text = fs::read_to_string(entry.path()).unwrap();
            let uses = text.contains("local_cloudfront");
            users.extend(uses.then(|| path.iter().next().unwrap().to_owned()));
        }
    }
    assert_eq!(users, BTreeSet::from(["app".into()]));
}

#[test]
fn every_room_is_in_the_table() {
    let rooms: BTreeSet<String> = rooms().into_iter().collect();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = fs::read_dir(src)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| name.to_string_lossy().trim_end_matches(".rs").to_owned());
    let names: BTreeSet<String> = names
        .filter(|name| name != "lib" && name != "main")
        .collect();
    assert_eq!(rooms, names);
}
