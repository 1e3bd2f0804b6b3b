//! The scan as a whole, on folders made for it.

mod digests;
mod links;
mod remembered;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;
use crate::object::ETag;

const HELLO: &str = "5d41402abc4b2a76b9719d911017c592"; // md5sum of `hello`

fn folder(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in files {
        write(folder.path(), file, b"hello");
    }
    folder
}

fn write(root: &Path, key: &str, content: &[u8]) {
    let path = root.join(key);
    fs::create_dir_all(path.parent().expect("below the root")).expect("folders");
    fs::write(path, content).expect("a file");
}

fn run(root: &Path, options: &ScanOptions) -> Result<ScannedBuild, ScanError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .expect("a runtime")
        .block_on(scan(root, options, |_| {}))
}

fn keys(build: &ScannedBuild) -> Vec<&str> {
    build.files.iter().map(|file| file.key.as_str()).collect()
}

fn with(symlinks: SymlinkPolicy) -> ScanOptions {
    ScanOptions {
        symlinks,
        ..ScanOptions::default()
    }
}

#[test]
fn keys_are_the_paths_as_they_are_sorted_by_bytes() {
    let names = [
        "a b",
        "a%2Fb",
        "a'\"~*",
        "a+b",
        "a.html",
        "a/b",
        "a?b#c&d",
        "line\nbreak",
        "nfc-\u{e9}",
        "nfd-e\u{301}",
        "\\back",
        "글/안녕.html",
        "🎉.html",
    ];
    let dir = folder(&names);
    let build = run(dir.path(), &ScanOptions::default()).expect("a build");
    let mut sorted = names;
    sorted.sort_by_key(|name| name.as_bytes());
    assert_eq!(keys(&build), sorted);
    assert!(
        build
            .files
            .iter()
            .all(|file| file.md5.to_string() == HELLO && file.size == 5)
    );
    assert_eq!(build.bytes, 5 * names.len() as u64);
    assert!(build.kept.is_empty());
}

#[test]
fn an_empty_folder_and_an_empty_file_are_no_errors() {
    let dir = folder(&[]);
    assert!(
        run(dir.path(), &ScanOptions::default())
            .expect("a build")
            .files
            .is_empty()
    );
    fs::create_dir(dir.path().join("empty")).expect("a folder");
    write(dir.path(), "zero", b"");
    let build = run(dir.path(), &ScanOptions::default()).expect("a build");
    assert_eq!(keys(&build), ["zero"]);
    assert_eq!(
        build.files[0].md5.to_string(),
        "d41d8cd98f00b204e9800998ecf8427e"
    );
}

#[test]
fn a_root_that_is_no_folder_is_named() {
    let dir = folder(&["file"]);
    let missing = run(&dir.path().join("none"), &ScanOptions::default()).unwrap_err();
    assert!(
        matches!(&missing, ScanError::Missing { path } if path.ends_with("none")),
        "{missing}"
    );
    let file = run(&dir.path().join("file"), &ScanOptions::default()).unwrap_err();
    assert!(
        matches!(&file, ScanError::NotAFolder { path } if path.ends_with("file")),
        "{file}"
    );
    assert!(missing.hint().is_some() && file.hint().is_some());
}

#[test]
fn a_root_may_be_a_link() {
    let dir = folder(&["v1/a", "v1/b/c"]);
    symlink("v1", dir.path().join("current")).expect("a link");
    symlink("a", dir.path().join("v1/link")).expect("a link");
    let build = run(&dir.path().join("current"), &ScanOptions::default()).expect("a build");
    assert_eq!(keys(&build), ["a", "b/c", "link"]);
}

#[test]
fn what_patterns_name_is_left_out() {
    let dir = folder(&[
        "index.html",
        "a.map",
        "b/c.map",
        ".DS_Store",
        ".git/config",
        ".git/HEAD",
        ".well-known/x",
        "drafts/a",
        "drafts/b",
    ]);
    let options = ScanOptions {
        exclude: vec!["*.map".into(), "drafts/ ".into()],
        include: vec!["drafts/b".into()],
        ..ScanOptions::default()
    };
    let build = run(dir.path(), &options).expect("a build");
    assert_eq!(keys(&build), [".well-known/x", "drafts/b", "index.html"]);
}

#[test]
fn names_that_cannot_be_keys_are_errors_unless_left_out() {
    let bad = std::ffi::OsStr::from_bytes(b"bad\xff.html");
    let dir = folder(&["ok"]);
    fs::write(dir.path().join(bad), "x").expect("a file");
    let error = run(dir.path(), &ScanOptions::default()).unwrap_err();
    assert!(matches!(error, ScanError::NotUtf8 { .. }), "{error}");
    assert!(error.to_string().contains(r"bad\xFF.html"), "{error}");
    let without = ScanOptions {
        exclude: vec!["bad*".into()],
        ..ScanOptions::default()
    };
    assert_eq!(keys(&run(dir.path(), &without).expect("a build")), ["ok"]);

    let long = format!(
        "{}/{}",
        ["x".repeat(250).as_str(); 4].join("/"),
        "y".repeat(20)
    );
    let dir = folder(&[&long]);
    assert_eq!(long.len(), 1024);
    assert_eq!(
        keys(&run(dir.path(), &ScanOptions::default()).expect("a build")),
        [&long]
    );
    let shorter = ScanOptions {
        max_key_bytes: 1023,
        ..ScanOptions::default()
    };
    let error = run(dir.path(), &shorter).unwrap_err();
    assert!(
        matches!(
            error,
            ScanError::KeyTooLong {
                bytes: 1024,
                max: 1023,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn state_in_the_build_is_an_error_at_any_depth() {
    for key in [".unstale/head", "docs/.unstale/lock"] {
        let error = run(folder(&[key]).path(), &ScanOptions::default()).unwrap_err();
        assert!(
            matches!(error, ScanError::Reserved { .. }),
            "{key}: {error}"
        );
    }
    assert!(
        run(
            folder(&["unstale/a", ".unstale-x"]).path(),
            &ScanOptions::default()
        )
        .is_ok()
    );
}

#[test]
fn what_is_no_file_is_an_error_by_name() {
    let dir = folder(&["a"]);
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).expect("a socket");
    let error = run(dir.path(), &ScanOptions::default()).unwrap_err();
    assert!(
        matches!(&error, ScanError::NotAFile { path, kind: "socket" } if path.ends_with("s")),
        "{error}"
    );
    assert_eq!(
        keys(&run(dir.path(), &with(SymlinkPolicy::Skip)).expect("a build")),
        ["a"]
    );

    let dir = folder(&["a"]);
    let made = std::process::Command::new("mkfifo")
        .arg(dir.path().join("p"))
        .status();
    assert!(made.expect("mkfifo").success());
    let error = run(dir.path(), &ScanOptions::default()).unwrap_err();
    assert!(
        matches!(&error, ScanError::NotAFile { path, kind: "named pipe" } if path.ends_with("p")),
        "{error}"
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    for (locked, key) in [("d", "d/x"), ("f", "f")] {
        let dir = folder(&["a", key]);
        let path = dir.path().join(locked);
        let mode =
            |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
        mode(0o000);
        let locked_out = fs::File::open(&path).is_err();
        let result = run(dir.path(), &ScanOptions::default());
        mode(0o755);
        match (locked_out, result) {
            (true, Err(ScanError::Unreadable { path: named, .. })) => assert_eq!(named, path),
            (false, Ok(build)) => assert_eq!(keys(&build), ["a", key]), // root reads anything
            (_, other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_went_meanwhile_is_waited_for_rather_than_made_readable() {
    let hint = |kind: std::io::ErrorKind| {
        let (path, source) = ("a".into(), kind.into());
        ScanError::Unreadable { path, source }.hint().unwrap()
    };
    assert!(hint(std::io::ErrorKind::NotFound).contains("wait until"));
    assert!(hint(std::io::ErrorKind::PermissionDenied).contains("readable"));
}

/// Opens, but every read fails.
#[cfg(target_os = "linux")]
#[test]
fn a_read_that_fails_names_the_file() {
    let dir = folder(&["a"]);
    symlink("/proc/self/mem", dir.path().join("bad")).expect("a link");
    let error = run(dir.path(), &with(SymlinkPolicy::Follow)).unwrap_err();
    assert!(
        matches!(&error, ScanError::Unreadable { path, .. } if path.ends_with("bad")),
        "{error}"
    );
}

/// The kernel says that it is empty, and it is not: what was hashed would not be what is uploaded.
#[cfg(target_os = "linux")]
#[test]
fn a_file_of_another_length_than_it_says_is_not_taken() {
    let dir = folder(&["a"]);
    symlink("/proc/self/status", dir.path().join("bad")).expect("a link");
    let error = run(dir.path(), &with(SymlinkPolicy::Follow)).unwrap_err();
    assert!(
        matches!(&error, ScanError::KeepsChanging { path } if path.ends_with("bad")),
        "{error}"
    );
}

#[test]
fn many_files_of_all_sizes_are_all_hashed_once() {
    let dir = folder(&[]);
    for number in 0..300_usize {
        write(
            dir.path(),
            &format!("{}/{number}", number % 7),
            &vec![b'x'; number * 1000],
        );
    }
    for name in ["large1", "large2"] {
        write(dir.path(), name, &vec![b'y'; 20 * 1024 * 1024 + 1]);
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let report = seen.clone();
    let options = ScanOptions::default();
    let scan = scan(dir.path(), &options, move |progress| {
        report.lock().expect("alone").push(progress)
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let build = runtime.block_on(scan).expect("a build");
    assert_eq!(build.files.len(), 302);
    for file in &build.files {
        let content = fs::read(file.path(&build.root)).expect("content");
        assert_eq!(file.md5, md5_of(&content), "{}", file.key);
        let parts = (file.size >= MULTIPART_FROM).then(|| parts_of(&content, 8 * 1024 * 1024));
        assert_eq!(file.parts.as_deref(), parts.as_ref(), "{}", file.key);
    }
    let seen = seen.lock().expect("alone");
    assert!(seen.contains(&ScanProgress::Walked(302)), "{seen:?}");
    let all = ScanProgress::Hashed {
        files: 302,
        bytes: build.bytes,
    };
    assert!(seen.contains(&all), "{seen:?}");
}

fn md5_of(content: &[u8]) -> crate::object::Md5 {
    use md5::Digest;
    crate::object::Md5(md5::Md5::digest(content).into())
}

fn parts_of(content: &[u8], size: usize) -> ETag {
    let digests: Vec<u8> = content
        .chunks(size)
        .flat_map(|part| md5_of(part).0)
        .collect();
    ETag::Multipart(md5_of(&digests), content.chunks(size).count() as u32)
}

#[test]
fn small_contents_are_kept_within_the_budget() {
    let dir = folder(&["a", "b", "c"]);
    write(dir.path(), "zero", b"");
    write(dir.path(), "edge", &[1; 64 * 1024]);
    write(dir.path(), "over", &[1; 64 * 1024 + 1]);
    let kept = |budget| {
        let options = ScanOptions {
            keep_small: budget,
            ..ScanOptions::default()
        };
        run(dir.path(), &options).expect("a build").kept
    };
    let all = kept(Some(1 << 20));
    assert_eq!(all.len(), 5);
    assert!(!all.contains_key("over"));
    for (key, content) in &all {
        assert_eq!(
            content[..],
            fs::read(dir.path().join(key.as_str())).expect("content"),
            "{key}"
        );
    }
    let bytes = |kept: &HashMap<Key, Bytes>| kept.values().map(Bytes::len).sum::<usize>();
    assert_eq!(bytes(&kept(Some(12))), 10);
    assert!(kept(None).values().all(Bytes::is_empty));
}

#[test]
fn each_folder_has_its_own_verdict() {
    let mut files = Vec::new();
    for folder in 0..20 {
        for rest in [
            "drafts/x",
            "drafts/keep/a",
            "drafts/keep/deep/b",
            "page",
            "z/page",
        ] {
            files.push(format!("{folder}/{rest}"));
            files.push(format!("all-{folder}/drafts/x"));
            files.push(format!("all-{folder}/{folder}"));
        }
    }
    let dir = folder(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let options = ScanOptions {
        exclude: vec!["drafts/".into()],
        include: vec!["/*/drafts/keep/".into()],
        ..ScanOptions::default()
    };
    files.retain(|key| !key.ends_with("/drafts/x"));
    files.sort_unstable();
    files.dedup();
    assert_eq!(keys(&run(dir.path(), &options).expect("a build")), files);
}

#[test]
fn so_many_files_need_a_page_above_them() {
    let names: Vec<String> = (0..200).map(|number| format!("a/{number}.txt")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let dir = folder(&names);
    let at_most = |max| ScanOptions {
        max_without_index: Some(max),
        ..ScanOptions::default()
    };
    let error = run(dir.path(), &at_most(100)).expect_err("too many");
    assert!(matches!(error, ScanError::TooManyFiles { max: 100, .. }));
    assert!(run(dir.path(), &at_most(200)).is_ok());
    write(dir.path(), "index.html", b"hello");
    assert!(run(dir.path(), &at_most(100)).is_ok());
}

#[test]
fn what_a_link_takes_from_a_private_folder_is_private() {
    let (home, dir) = (folder(&[".aws/credentials", ".kube/a/b"]), folder(&["x"]));
    let link = |to: &str, name: &str| symlink(home.path().join(to), dir.path().join(name));
    link(".aws/credentials", "c").expect("a link");
    link(".kube/a", "folder").expect("a link");
    let error = run(dir.path(), &with(SymlinkPolicy::Follow)).expect_err("private");
    let told = [
        "c: credentials of a cloud",
        "folder/: credentials of a cloud",
    ];
    assert_eq!(error.causes(), told);
    // Left out, too, it is no source of what goes out.
    let dir = folder(&["x", ".ssh/config"]);
    symlink(".ssh/config", dir.path().join("c")).expect("a link");
    let options = ScanOptions {
        exclude: vec![".ssh/".to_owned()],
        ..ScanOptions::default()
    };
    let error = run(dir.path(), &options).expect_err("private");
    assert_eq!(error.causes(), ["c: private keys"]);
}

#[test]
fn private_folders_are_told_whole_and_what_is_left_out_is_not_looked_at() {
    let dir = folder(&[
        "index.html",
        ".ssh/id_rsa",
        "a/id_rsa",
        "b/.env",
        "c/.npmrc",
    ]);
    let options = ScanOptions {
        exclude: vec!["c/".to_owned()],
        ..ScanOptions::default()
    };
    let error = run(dir.path(), &options).expect_err("private");
    assert_eq!(
        error.causes(),
        [".ssh/: private keys", "a/id_rsa: an SSH key"]
    );
    let allowed = ScanOptions {
        allow: vec![".ssh/".to_owned(), "id_rsa".to_owned()],
        ..options
    };
    let build = run(dir.path(), &allowed).expect("a build");
    assert_eq!(keys(&build), [".ssh/id_rsa", "a/id_rsa", "index.html"]);
    assert_eq!(build.left_out, ["b/.env"]);
}
