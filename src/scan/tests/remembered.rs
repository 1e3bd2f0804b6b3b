//! What the hash cache spares and what it must not.

use super::*;

/// A cache folder that holds what is known of a build, as if its files had been hashed long after they were written.
fn remembered(build: &ScannedBuild) -> (TempDir, ScanOptions) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = build.root.canonicalize().expect("a root");
    let mut store = CacheStore::begin(folder.path(), &root).expect("a store");
    store.began_ns += 3600 * 1_000_000_000;
    store.write(&build.files).expect("written");
    let options = ScanOptions {
        cache: Some(folder.path().to_owned()),
        keep_small: Some(1 << 20), // what is kept was read
        ..ScanOptions::default()
    };
    (folder, options)
}

fn read(build: &ScannedBuild) -> Vec<&str> {
    let mut keys: Vec<_> = build.kept.keys().map(Key::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn an_unchanged_file_is_not_read_again() {
    let dir = folder(&["a", "b/c", "d"]);
    write(dir.path(), "large", &vec![b'x'; MULTIPART_FROM as usize]);
    let first = run(dir.path(), &ScanOptions::default()).expect("a build");
    let (_cache, options) = remembered(&first);
    let second = run(dir.path(), &options).expect("a build");
    assert_eq!(second.files, first.files);
    assert_eq!(read(&second), [""; 0]);

    fs::write(dir.path().join("a"), "HELLO").expect("same size");
    fs::remove_file(dir.path().join("d")).expect("gone");
    write(dir.path(), "new", b"new");
    let (_cache, options) = remembered(&first);
    let third = run(dir.path(), &options).expect("a build");
    assert_eq!(keys(&third), ["a", "b/c", "large", "new"]);
    assert_eq!(read(&third), ["a", "new"]);
    assert_eq!(third.files[0].md5, md5_of(b"HELLO"));
}

#[test]
fn files_as_young_as_the_cache_are_read_again() {
    let dir = folder(&["a"]);
    let file = fs::File::options()
        .append(true)
        .open(dir.path().join("a"))
        .expect("a");
    file.set_modified(SystemTime::now() + Duration::from_secs(3600))
        .expect("an mtime");
    let cache = tempfile::tempdir().expect("a folder");
    let options = ScanOptions {
        cache: Some(cache.path().join("deep/er")),
        keep_small: Some(100),
        ..ScanOptions::default()
    };
    for _ in 0..2 {
        assert_eq!(read(&run(dir.path(), &options).expect("a build")), ["a"]);
    }
    let left: Vec<_> = fs::read_dir(cache.path().join("deep/er"))
        .expect("made")
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_cache_that_is_no_good_is_as_none() {
    let dir = folder(&["a", "b"]);
    let good = run(dir.path(), &ScanOptions::default()).expect("a build");
    let (cache, options) = remembered(&good);
    let own = fs::read_dir(cache.path())
        .expect("a folder")
        .next()
        .expect("a cache")
        .expect("an entry")
        .path();
    let other = folder(&["a", "b"]);
    let (foreign, _) = remembered(&run(other.path(), &ScanOptions::default()).expect("a build"));
    let foreign = fs::read_dir(foreign.path())
        .expect("a folder")
        .next()
        .expect("a cache")
        .expect("an entry")
        .path();
    let whole = fs::read(&own).expect("a cache");
    for content in [
        fs::read(foreign).expect("a cache"),
        whole[..whole.len() - 1].to_vec(),
        vec![],
        b"garbage".to_vec(),
    ] {
        fs::write(&own, &content).expect("overwritten");
        let build = run(dir.path(), &options).expect("a build");
        assert_eq!(build.files, good.files);
        assert_eq!(read(&build), ["a", "b"]);
    }
    let blocked = ScanOptions {
        cache: Some(dir.path().join("a/cache")),
        ..options
    };
    assert_eq!(
        run(dir.path(), &blocked).expect("a build").files,
        good.files
    );
}

#[test]
fn two_scans_at_once_do_no_harm() {
    let dir = folder(
        &(0..200)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    let good = run(dir.path(), &ScanOptions::default()).expect("a build");
    let cache = tempfile::tempdir().expect("a folder");
    let options = ScanOptions {
        cache: Some(cache.path().to_owned()),
        ..ScanOptions::default()
    };
    std::thread::scope(|threads| {
        let scans: Vec<_> = (0..4)
            .map(|_| threads.spawn(|| run(dir.path(), &options)))
            .collect();
        for scan in scans {
            assert_eq!(
                scan.join().expect("no panic").expect("a build").files,
                good.files
            );
        }
    });
    assert_eq!(fs::read_dir(cache.path()).expect("a folder").count(), 1);
}
