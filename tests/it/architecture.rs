//! The code keeps to the import table of ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Table = BTreeMap<String, BTreeSet<String>>;

/// Each row of the table: a room, and the rooms whose names it may use.
fn allowed() -> Table {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let room = cells.next()?.trim_end_matches('`').to_owned();
        let rooms = cells.next()?.trim_end_matches(" |");
        let rooms = rooms.split(", ").map(|name| name.trim_matches('`'));
        Some((room, rooms.map(str::to_owned).collect()))
    });
    rows.collect()
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
fn rooms_use_only_what_the_table_allows() {
    let (allowed, used) = (allowed(), used());
    let breaks = used.iter().filter(|((room, other), _)| {
        let rooms = allowed.get(room);
        !rooms.is_some_and(|rooms| rooms.contains(other) || rooms.contains("everything"))
    });
    assert_eq!(breaks.collect::<Vec<_>>(), [], "against ARCHITECTURE.md");
}

#[test]
fn the_table_allows_no_more_than_is_used() {
    let used = used();
    for (room, rooms) in allowed() {
        for other in rooms {
            let known = used.contains_key(&(room.clone(), other.clone()));
            let words = ["nothing", "everything"].contains(&other.as_str());
            assert!(known || words, "{room} does not use {other}");
        }
    }
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
    let rooms: BTreeSet<String> = allowed().into_keys().collect();
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
