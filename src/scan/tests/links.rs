//! Symbolic links, good and bad.

use super::*;

#[test]
fn links_inside_the_build_are_followed() {
    let dir = folder(&["a", "d/x", "d/e/y"]);
    symlink("a", dir.path().join("b")).expect("a link");
    symlink("../d/e", dir.path().join("d/f")).expect("a link");
    symlink(dir.path().join("d"), dir.path().join("z")).expect("a link");
    let followed = ["a", "b", "d/e/y", "d/f/y", "d/x", "z/e/y", "z/f/y", "z/x"];
    for symlinks in [SymlinkPolicy::Inside, SymlinkPolicy::Follow] {
        assert_eq!(
            keys(&run(dir.path(), &with(symlinks)).expect("a build")),
            followed
        );
    }
    let build = run(dir.path(), &with(SymlinkPolicy::Skip)).expect("a build");
    assert_eq!(keys(&build), ["a", "d/e/y", "d/x"]);
}

#[test]
fn links_into_a_repository_publish_none_of_it() {
    let dir = folder(&["a", "sub/.git/config", "sub/.git/annex/x"]);
    symlink("sub/.git/annex/x", dir.path().join("annexed")).expect("a link");
    let build = run(dir.path(), &ScanOptions::default()).expect("a build");
    assert_eq!(keys(&build), ["a", "annexed"]);
    for (target, named) in [("sub/.git", "b/"), ("sub/.git/config", "b")] {
        let link = dir.path().join("b");
        symlink(target, &link).expect("a link");
        let error = run(dir.path(), &ScanOptions::default()).unwrap_err();
        assert!(
            matches!(&error, ScanError::Private { entries, .. } if entries[0].path == named),
            "{error}"
        );
        fs::remove_file(link).expect("gone");
    }
}

#[test]
fn links_that_lead_nowhere_good_are_errors_by_name() {
    type Check = fn(&ScanError) -> bool;
    let leaves: Check =
        |error| matches!(error, ScanError::LeavesBuild { path, .. } if path.ends_with("link"));
    let dangling: Check =
        |error| matches!(error, ScanError::Dangling { path, .. } if path.ends_with("link"));
    let looping: Check =
        |error| matches!(error, ScanError::Loop { path, .. } if path.ends_with("link"));
    let special: Check =
        |error| matches!(error, ScanError::NotAFile { path, .. } if path.ends_with("link"));
    let outside = folder(&["x", "sub/y"]);
    let out = |name: &str| outside.path().join(name).to_string_lossy().into_owned();
    for (target, inside, follow) in [
        (out("x"), Some(leaves), None),
        (out("sub"), Some(leaves), None),
        ("../..".into(), Some(leaves), Some(looping)),
        ("..".into(), Some(looping), Some(looping)),
        (".".into(), Some(looping), Some(looping)),
        ("link".into(), Some(looping), Some(looping)),
        ("none".into(), Some(dangling), Some(dangling)),
        (out("none"), Some(dangling), Some(dangling)),
        ("/dev/null".into(), Some(leaves), Some(special)),
    ] {
        let dir = folder(&["build/d/a", "build/page"]);
        let root = dir.path().join("build");
        symlink(&target, root.join("d/link")).expect("a link");
        for (symlinks, check) in [
            (SymlinkPolicy::Inside, inside),
            (SymlinkPolicy::Follow, follow),
            (SymlinkPolicy::Skip, None),
        ] {
            match (run(&root, &with(symlinks)), check) {
                (Err(error), Some(check)) => {
                    assert!(check(&error), "{target} {symlinks:?}: {error}")
                }
                (Ok(build), None) => {
                    assert!(keys(&build).contains(&"d/a"), "{target} {symlinks:?}")
                }
                (other, _) => panic!("{target} {symlinks:?}: {other:?}"),
            }
        }
        let without = ScanOptions {
            exclude: vec!["link".into()],
            ..ScanOptions::default()
        };
        assert_eq!(
            keys(&run(&root, &without).expect("a build")),
            ["d/a", "page"],
            "{target}"
        );
    }
}
