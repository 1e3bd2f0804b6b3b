//! What the code keeps to so that the next person finds his way: names that stand for one thing, short files and functions, no
//! circles. Unit tests and the emulator do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Longer than 400 lines, each for its reason.
const LONG_FILES: &[(&str, &str)] = &[
    (
        "cli.rs",
        "a table of commands and flags, each with its help",
    ),
    (
        "deploy/run.rs",
        "the rounds of one deploy, and what each hands to the next",
    ),
    (
        "settings/values.rs",
        "single values as people write them, each with its reader",
    ),
];
/// Longer than 60 lines, each for its reason.
const LONG_FUNCTIONS: &[(&str, &str)] = &[
    (
        "app/connect.rs: job_for",
        "every field of a job, with where it comes from",
    ),
    (
        "setup/rights.rs: purging",
        "a statement for each right that a purge needs",
    ),
    (
        "deploy/plan_inputs.rs: make",
        "the inputs of a plan, one by one",
    ),
    ("report/bars.rs: event", "one match over all events"),
    ("report/plan.rs: notes", "a table of what may be noted"),
    ("report/event.rs: json", "one match over all events"),
    (
        "settings/table.rs: default",
        "every setting with its default",
    ),
];

/// A file of `src/`: its module path, as `crate::plan::order`, its name and its lines without tests, comments and texts.
struct SourceFile {
    module: String,
    name: String,
    lines: Vec<String>,
}

fn source_files() -> Vec<SourceFile> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(&src).sort_by_file_name() {
        let entry = entry.unwrap();
        let name = entry.path().strip_prefix(&src).unwrap();
        let name = name.to_string_lossy().replace('\\', "/");
        let is_test = |part: &str| {
            let stem = part.trim_end_matches(".rs");
            stem == "tests" || stem.ends_with("_tests") || stem.ends_with("oracle")
        };
        if !name.ends_with(".rs") || name.split('/').any(is_test) {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let module = name.trim_end_matches(".rs").trim_end_matches("/mod");
        files.push(SourceFile {
            module: format!("crate::{}", module.replace('/', "::")),
            lines: code.lines().map(bare).collect(),
            name,
        });
    }
    files
}

/// A line without its comment and without what stands in its texts.
fn bare(line: &str) -> String {
    let mut bare = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for (index, letter) in line.char_indices() {
        if !quoted && line[index..].starts_with("//") {
            break;
        }
        if letter == '"' && !escaped && !line[..index].ends_with('\'') {
            quoted = !quoted;
        } else if !quoted {
            bare.push(letter);
        }
        escaped = letter == '\\' && !escaped;
    }
    bare
}

#[test]
fn no_type_has_the_name_of_another() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in source_files() {
        for line in &file.lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let words = match words.as_slice() {
                [visible, rest @ ..] if visible.starts_with("pub") => rest,
                words => words,
            };
            if let ["struct" | "enum" | "trait" | "type" | "union", name, ..] = words
                && !line.starts_with(' ')
            {
                let name = name.split(|letter: char| !letter.is_alphanumeric()).next();
                let places = places.entry(name.unwrap().to_owned()).or_default();
                places.push(file.name.clone());
            }
        }
    }
    assert!(places.len() > 300, "{}", places.len());
    places.retain(|_, places| places.len() > 1);
    assert_eq!(places, BTreeMap::new());
}

#[test]
fn files_and_functions_are_short() {
    let (mut files, mut functions) = (BTreeSet::new(), BTreeSet::new());
    for file in source_files() {
        if file.lines.len() > 400 {
            files.insert(file.name.clone());
        }
        let mut begun: Option<(usize, usize, String)> = None;
        for (number, line) in file.lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let mut words = line.split_whitespace().skip_while(|word| *word != "fn");
            if let (None, Some("fn"), Some(name)) = (&begun, words.next(), words.next()) {
                let end = |letter: char| !letter.is_alphanumeric() && letter != '_';
                let name = name.split(end).next().unwrap();
                begun = Some((number, indent, format!("{}: {name}", file.name)));
            }
            let ended = line.trim() == "}" || line.trim_end().ends_with(['}', ';']);
            if let Some((_, _, name)) = begun
                .take_if(|(from, depth, _)| ended && indent == *depth && number >= *from)
                .filter(|(from, ..)| number - from >= 60)
            {
                functions.insert(name);
            }
        }
    }
    let named = |list: &[(&str, &str)]| -> BTreeSet<String> {
        assert!(list.iter().all(|(_, reason)| !reason.is_empty()));
        list.iter().map(|(name, _)| (*name).to_owned()).collect()
    };
    assert_eq!(files, named(LONG_FILES), "files past 400 lines");
    assert_eq!(functions, named(LONG_FUNCTIONS), "functions past 60 lines");
}

/// The paths that a file names, whole: `crate::plan::order::rank`.
fn paths(file: &SourceFile) -> Vec<String> {
    let text = file.lines.join(" ");
    let mut paths = Vec::new();
    for root in ["crate::", "super::"] {
        for (index, _) in text.match_indices(root) {
            let before = text[..index].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || letter == ':') {
                continue;
            }
            let mut base = match (root, file.name.ends_with("/mod.rs")) {
                ("crate::", _) => "crate".to_owned(),
                (_, true) => file.module.rsplit_once("::").unwrap().0.to_owned(),
                (_, false) => file.module.rsplit_once("::").unwrap().0.to_owned(),
            };
            let mut rest = &text[index + root.len()..];
            while let Some(after) = rest.strip_prefix("super::") {
                base = base.rsplit_once("::").unwrap().0.to_owned();
                rest = after;
            }
            expand(&base, rest, &mut paths);
        }
    }
    paths
}

/// Takes a tree of imports apart: `a::{b, c::d}`.
fn expand(base: &str, tree: &str, paths: &mut Vec<String>) {
    let end = tree.find(|letter: char| !letter.is_alphanumeric() && !"_:".contains(letter));
    let (path, rest) = tree.split_at(end.unwrap_or(tree.len()));
    let path = format!("{base}::{}", path.trim_end_matches("::"));
    let Some(rest) = rest.strip_prefix('{') else {
        paths.push(path);
        return;
    };
    let (mut depth, mut item) = (0, 0);
    for (index, letter) in rest.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let part = rest[item..index].trim();
                if !part.is_empty() {
                    expand(path.trim_end_matches("::"), part, paths);
                }
                item = index + 1;
                if letter == '}' {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// Names that a `mod.rs` takes from its own files for others: `crate::edge::Index` is `crate::edge::urls::Index`.
fn reexports(files: &[SourceFile]) -> BTreeMap<String, String> {
    let mut reexports = BTreeMap::new();
    for file in files.iter().filter(|file| file.name.ends_with("/mod.rs")) {
        let text = file.lines.join(" ");
        for (index, _) in text.match_indices("pub") {
            let Some((_, tree)) = text[index..].split_once(" use ") else {
                continue;
            };
            if !text[index..].starts_with("pub use ") && !text[index..].starts_with("pub(") {
                continue;
            }
            let mut paths = Vec::new();
            expand(&file.module, tree.trim_start_matches("self::"), &mut paths);
            for path in paths {
                let name = path.rsplit("::").next().unwrap().to_owned();
                reexports.insert(format!("{}::{name}", file.module), path);
            }
        }
    }
    reexports
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let files = source_files();
    let reexports = reexports(&files);
    let modules: BTreeMap<&str, &SourceFile> = files
        .iter()
        .map(|file| (file.module.as_str(), file))
        .collect();
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in &files {
        for mut path in paths(file) {
            while let Some(whole) = reexports.get(&path) {
                path = whole.clone();
            }
            let mut module = path.as_str();
            while !modules.contains_key(module) {
                let Some((parent, _)) = module.rsplit_once("::") else {
                    break;
                };
                module = parent;
            }
            // A map of its room takes nothing for itself.
            let is_map = file.name.ends_with("/mod.rs") && module.starts_with(&file.module);
            if let Some(used) = modules.get(module)
                && used.module != file.module
                && !is_map
            {
                uses.entry(&file.module).or_default().insert(&used.module);
            }
        }
    }
    assert!(uses.len() > 100, "{}", uses.len());
    // Whatever uses nothing that is left goes, until only circles are left.
    loop {
        let before = uses.len();
        let left: BTreeSet<&str> = uses.keys().copied().collect();
        uses.retain(|_, used| {
            used.retain(|module| left.contains(module));
            !used.is_empty()
        });
        if uses.len() == before {
            break;
        }
    }
    assert_eq!(uses, BTreeMap::new());
}

#[test]
fn every_row_of_the_table_of_purges_names_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/purging.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let mut named = 0;
    for row in rows.skip(1) {
        let tests: Vec<&str> = row
            .split('`')
            .filter(|piece| piece.contains("::"))
            .collect();
        assert!(!tests.is_empty(), "no test: {row}");
        for test in tests {
            let (module, function) = test.split_once("::").unwrap();
            let file = root.join(format!("tests/it/{module}.rs"));
            let code = fs::read_to_string(&file).unwrap_or_default();
            assert!(code.contains(&format!("async fn {function}()")), "{test}");
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}
