//! Bad input: a clear error, the right exit status, nothing changed in the bucket, no panic. Odd names that are no error.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use local_cloudfront::{Fault, Gate};

use crate::support::{BUCKET, Site, World};

/// Spoils a build and says what is then to be deployed.
type Spoil = fn(&Path) -> PathBuf;

#[tokio::test]
async fn a_build_that_cannot_be_deployed_is_refused_by_name() {
    let cases: [(&str, Spoil, i32, &[&str]); 14] = [
        (
            "missing",
            |dir| dir.join("dist"),
            2,
            &["there is no", "dist"],
        ),
        (
            "a file",
            |dir| dir.join("index.html"),
            2,
            &["index.html", "not a folder"],
        ),
        (
            "a project's root",
            |dir| {
                fs::create_dir(dir.join(".git")).unwrap();
                dir.to_owned()
            },
            2,
            &["--allow-project-root"],
        ),
        (
            "our own state's name",
            |dir| {
                fs::create_dir(dir.join(".unstale")).unwrap();
                fs::write(dir.join(".unstale/x"), "").unwrap();
                dir.to_owned()
            },
            2,
            &[".unstale"],
        ),
        (
            "a link out of it",
            |dir| {
                symlink("/etc/hostname", dir.join("out.txt")).unwrap();
                dir.to_owned()
            },
            1,
            &["out.txt", "symlinks"],
        ),
        (
            "a link to nothing",
            |dir| {
                symlink("nothing", dir.join("dangling")).unwrap();
                dir.to_owned()
            },
            1,
            &["dangling", "does not exist"],
        ),
        (
            "a loop",
            |dir| {
                symlink(".", dir.join("loop")).unwrap();
                dir.to_owned()
            },
            1,
            &["loop", "leads back"],
        ),
        (
            "a link to itself",
            |dir| {
                symlink("itself", dir.join("itself")).unwrap();
                dir.to_owned()
            },
            1,
            &["itself"],
        ),
        (
            "a socket",
            |dir| {
                UnixListener::bind(dir.join("s")).unwrap();
                dir.to_owned()
            },
            1,
            &["socket"],
        ),
        (
            "a name that is not UTF-8",
            |dir| {
                fs::write(dir.join(OsStr::from_bytes(b"caf\xe9.html")), "").unwrap();
                dir.to_owned()
            },
            1,
            &["UTF-8", r"caf\xE9.html"],
        ),
        (
            "a key that is too long",
            |dir| {
                let long = (0..5).fold(dir.to_owned(), |path, _| path.join("x".repeat(220)));
                fs::create_dir_all(&long).unwrap();
                fs::write(long.join("index.html"), "").unwrap();
                dir.to_owned()
            },
            1,
            &["1024"],
        ),
        (
            "an unreadable file",
            |dir| {
                fs::write(dir.join("secret.txt"), "").unwrap();
                lock(&dir.join("secret.txt"));
                dir.to_owned()
            },
            1,
            &["secret.txt", "cannot read"],
        ),
        (
            "an unreadable folder",
            |dir| {
                fs::create_dir(dir.join("private")).unwrap();
                lock(&dir.join("private"));
                dir.to_owned()
            },
            1,
            &["private", "cannot read"],
        ),
        (
            "a folder that nobody may enter",
            |dir| {
                fs::create_dir_all(dir.join("closed/public")).unwrap();
                lock(&dir.join("closed"));
                dir.join("closed/public")
            },
            2,
            &["closed"],
        ),
    ];
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>1")]));
    world.deploy(&site).await.succeeds();
    world.forget();
    for (case, spoil, exit, words) in cases {
        let spoilt = Site::of(&[("index.html", "<p>2")]);
        let dir = spoil(&spoilt.dir());
        if words.contains(&"cannot read") || case.contains("nobody") {
            let readable = fs::read(spoilt.dir().join("secret.txt")).is_ok()
                || fs::read_dir(spoilt.dir().join("private")).is_ok()
                || fs::read_dir(spoilt.dir().join("closed")).is_ok();
            if readable {
                println!("{case}: this user may read everything");
                continue;
            }
        }
        let ran = world.unstale("deploy").arg(dir).await.exits(exit);
        let ran = words.iter().fold(ran, |ran, word| ran.says(word));
        assert!(ran.stderr.starts_with("error: "), "{case}: {ran}");
        assert_eq!(world.writes(), [""; 0], "{case}");
        let _ = fs::set_permissions(
            spoilt.dir().join("closed"),
            fs::Permissions::from_mode(0o700),
        );
    }
    world.assert_deployed(&site, "");
}

fn lock(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o0)).unwrap();
}

#[tokio::test]
async fn links_are_followed_or_skipped_as_told() {
    let world = World::new().await;
    let (site, elsewhere) = (
        Site::of(&[("index.html", "<p>"), ("a/x.txt", "x")]),
        Site::of(&[("y.txt", "y")]),
    );
    symlink("a/x.txt", site.dir().join("inside.txt")).unwrap();
    world.deploy(&site).await.succeeds();
    assert_eq!(world.body(BUCKET, "inside.txt").unwrap(), "x");
    symlink(elsewhere.dir(), site.dir().join("out")).unwrap();
    world.deploy(&site).await.exits(1);
    world
        .deploy(&site)
        .with("--symlinks follow")
        .await
        .succeeds();
    assert_eq!(world.body(BUCKET, "out/y.txt").unwrap(), "y");
    world.deploy(&site).with("--symlinks skip").await.succeeds();
    assert!(world.object(BUCKET, "out/y.txt").is_none());
}

#[tokio::test]
async fn junk_stays_here_and_well_known_files_go() {
    let world = World::new().await;
    let files = [
        "index.html",
        ".well-known/security.txt",
        ".env",
        ".env.local",
        ".DS_Store",
        "img/Thumbs.db",
        "page.html~",
        ".page.html.swp",
    ];
    let site = Site::of(&files.map(|path| (path, "x")));
    world.deploy(&site).await.succeeds();
    let keys: Vec<String> = world.objects("").into_keys().collect();
    assert_eq!(keys, [".well-known/security.txt", "index.html"]);
    world
        .deploy(&site)
        .with("--include *.db --exclude /.well-known/")
        .await
        .succeeds();
    let keys: Vec<String> = world.objects("").into_keys().collect();
    assert_eq!(keys, ["img/Thumbs.db", "index.html"]);
}

#[tokio::test]
async fn any_name_that_is_a_key_is_deployed_and_purged() {
    let names = [
        "with space.html",
        "plus+plus.html",
        "100%.html",
        "percent%20encoded.html",
        "hash#tag.html",
        "what?.html",
        "r&d.html",
        "it's.html",
        "quote\".html",
        "tilde~/index.html",
        "~root.html",
        "star*.html",
        "star*",
        "new\nline.html",
        "tab\t.html",
        "back\\slash.html",
        "pipe|.html",
        "caret^.html",
        "grave`.html",
        "<angle>.html",
        "{brace}[bracket].html",
        "(a)!$,;:@=.html",
        "한국어/소개.html",
        "\u{1f680}/\u{1f9d1}\u{200d}\u{1f680}.html",
        "Ünïcödé.html",
        "U\u{308}nicode-nfd.html",
        "-dash.html",
        "empty.html",
        ".hidden/x.html",
        "a/b/c/d/e/f/g/h.html",
        "CON.html",
        "con.html",
    ];
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    let write = |version: &str| {
        for name in names {
            let body = format!("<p>{version}");
            let empty = name.starts_with("empty") && version == "1";
            site.write(name, if empty { "" } else { &body });
        }
    };
    write("1");
    world.deploy(&site).await.succeeds();
    world.assert_deployed(&site, "");
    world.warm(&site).await;
    write("2");
    for mode in ["cheapest", "exact"] {
        world.forget();
        let deploy = world.deploy(&site).with("--purge").arg(mode);
        deploy.await.succeeds();
        world.assert_deployed(&site, "");
        world.assert_fresh(&site, "").await;
        world.assert_settled(&site).await;
        write("3");
    }
    for name in names {
        site.remove(name);
    }
    world
        .deploy(&site)
        .with("--max-delete 100")
        .await
        .succeeds();
    world.assert_deployed(&site, "");
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn a_file_that_changes_under_the_deploy_is_not_published_half() {
    let (world, site) = (
        World::new().await,
        Site::of(&[("index.html", "<p>1"), ("app.css", "p{}"), ("a.html", "1")]),
    );
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    for name in ["index.html", "app.css", "a.html"] {
        site.write(name, "<p>second");
    }
    // Too large to stay in memory, so that it is read once more.
    let large = |text: &str| text.repeat(10_000);
    site.write("a.html", large("<p>second"));
    let gate = Gate::new();
    let held = gate.clone();
    world.set_rule(move |request| match request.key.as_str() {
        "app.css" => Fault::HoldBefore(held.clone()),
        _ => Fault::None,
    });
    let running = tokio::spawn(world.deploy(&site).into_future());
    gate.arrived().await;
    site.write("a.html", large("<p>thirds"));
    gate.open();
    let ran = running.await.unwrap().exits(4);
    ran.says("a.html").says("changed");
    world.clear_rule();
    assert_eq!(world.body(BUCKET, "a.html").unwrap(), "1");
    assert_eq!(world.body(BUCKET, "index.html").unwrap(), "<p>1");
    world.deploy(&site).await.succeeds();
    world.assert_deployed(&site, "");
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn bad_settings_are_refused_by_line_or_name() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    for (toml, words) in [
        ("bucket = ", &["deploy.toml", "1"][..]),
        ("\nbuckett = \"x\"", &["deploy.toml:2:1", "buckett"]),
        (
            "[[headers]]\nmatch = \"*.css\"\npreset = \"imutable\"",
            &["imutable"],
        ),
        (
            "[[headers]]\nmatch = \"a{\"\npreset = \"page\"",
            &["deploy.toml:1"],
        ),
        ("cache-control = \"a\\nb\"", &["deploy.toml:1:17", "header"]),
        ("retain = \"seven\"", &["deploy.toml:1:10", "7d"]),
        (
            "[purge]\nmode = \"some\"",
            &["deploy.toml:2:8", "is none of cheapest, exact"],
        ),
        ("prefix = \"../up\"", &["deploy.toml:1:10"]),
        ("dir = 7", &["deploy.toml:1:7"]),
    ] {
        fs::write(site.project().join("deploy.toml"), toml).unwrap();
        let ran = world.deploy(&site).within(site.project()).await.exits(2);
        words.iter().fold(ran, |ran, word| ran.says(word));
    }
    fs::remove_file(site.project().join("deploy.toml")).unwrap();
    for (flags, word) in [
        ("--bukket x", "--bukket"),
        ("--retain soon", "--retain"),
        ("--env production", "production"),
        ("--config nowhere.toml", "nowhere.toml"),
        ("--expected-bucket-owner me", "--expected-bucket-owner"),
        ("--exclude a{b", "--exclude"),
        ("--ca-bundle nowhere.pem", "nowhere.pem"),
    ] {
        let ran = world.deploy(&site).with(flags).within(site.project());
        ran.await.exits(2).says(word);
    }
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn without_a_folder_those_that_are_there_are_named() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    let ran = world.unstale("deploy").within(site.project());
    ran.await.exits(2).says("name `public`");
    assert_eq!(world.writes(), [""; 0]);
}
