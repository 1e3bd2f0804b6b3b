//! `unstale init --from FILE`: what other tools' settings come to. fixtures/moved/ has settings as public sites have them, each with
//! the deploy.toml that it is to become; `UNSTALE_WRITE_DOCS=1` writes those anew.

use std::fs;
use std::path::{Path, PathBuf};

use local_cloudfront::Headers;

use crate::support::{BUCKET, Ran, Site, Unstale, World};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/moved");
    let entries = fs::read_dir(folder).unwrap();
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// Returns the other tool's file, from the fixture's folder on.
fn source(fixture: &Path) -> PathBuf {
    let files = walkdir::WalkDir::new(fixture).into_iter();
    let mut files = files.map(|entry| entry.unwrap().into_path());
    let is_source = |path: &PathBuf| path.is_file() && !path.ends_with("deploy.toml");
    let source = files.find(is_source).unwrap();
    source.strip_prefix(fixture).unwrap().to_owned()
}

/// A project with a build and a file of another tool.
fn project(name: &Path, text: &str) -> Site {
    let site = Site::of(&[("index.html", "<p>")]);
    let path = site.project().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    site
}

async fn init(site: &Site, from: &Path) -> Ran {
    let init = Unstale::new("init --from").arg(from);
    init.within(site.project()).await
}

#[tokio::test]
async fn settings_of_public_sites_become_settings_that_deploy_reads() {
    for fixture in fixtures() {
        let name = source(&fixture);
        let site = project(&name, &fs::read_to_string(fixture.join(&name)).unwrap());
        let ran = init(&site, &name).await.succeeds();
        let written = fs::read_to_string(site.project().join("deploy.toml")).unwrap();
        let golden = fixture.join("deploy.toml");
        if std::env::var_os("UNSTALE_WRITE_DOCS").is_some() {
            fs::write(&golden, &written).unwrap();
        }
        assert_eq!(
            written,
            fs::read_to_string(&golden).unwrap_or_default(),
            "{golden:?}"
        );
        assert!(
            written
                .lines()
                .all(|line| !line.starts_with('#') || line.chars().count() <= 78),
            "{written}"
        );
        ran.never_says("0123456789abcdef");
        // Wherever it says that the build is, there it is, and whatever variable it names is set.
        let settings: toml::Table = written.parse().unwrap();
        let dir = site.project().join(settings["dir"].as_str().unwrap());
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("index.html"), "<p>").unwrap();
        let mut plan = Unstale::new("plan --local").within(site.project());
        for (_, rest) in written
            .match_indices("${")
            .map(|(at, _)| written.split_at(at))
        {
            let name = rest[2..].split('}').next().unwrap();
            plan = plan.env(name, "letters");
        }
        plan.await.succeeds();
    }
}

#[tokio::test]
async fn a_file_without_anything_of_the_kind_is_an_error_and_nothing_is_written() {
    for (name, text, said) in [
        (
            "s3_website.yml",
            "s3_bucket: a\n  b: [\n",
            "s3_website.yml:",
        ),
        ("hugo.toml", "title = 'x'\n[deployment\n", "hugo.toml:2:"),
        ("package.json", "{\n\"scripts\": {\n}", "package.json:3:"),
        (
            "gatsby-config.js",
            "a\n'gatsby-plugin-s3', options: {\n",
            "gatsby-config.js:",
        ),
        (
            "deploy.yml",
            "on: push\n",
            "deploy.yml has no settings of a deploy",
        ),
        (
            "Makefile",
            "all:\n\taws s3 sync s3://a b\n",
            "Makefile has no settings",
        ),
        ("s3_website.yml", "", "s3_website.yml has no settings"),
        ("hugo.toml", "title = 'x'\n", "hugo.toml has no settings"),
    ] {
        let site = project(Path::new(name), text);
        init(&site, Path::new(name)).await.exits(2).says(said);
        assert!(!site.project().join("deploy.toml").exists(), "{name}");
    }
    let site = Site::of(&[("index.html", "<p>")]);
    init(&site, Path::new("none.yml"))
        .await
        .exits(2)
        .says("cannot read none.yml");
    init(&site, Path::new("/dev/null"))
        .await
        .exits(2)
        .says("no regular file");
}

#[tokio::test]
async fn flags_overrule_what_was_carried_over_and_no_file_is_written_twice() {
    let name = Path::new("s3_website.yml");
    let site = project(name, "s3_bucket: old\ncloudfront_distribution_id: E1\n");
    let init = || Unstale::new("init --from s3_website.yml").within(site.project());
    init()
        .with("public --bucket new --distribution E2")
        .await
        .succeeds();
    let path = site.project().join("deploy.toml");
    let written = fs::read_to_string(&path).unwrap();
    let expected = "# Taken over from s3_website.yml (s3_website).\ndir = \"public\"\nbucket = \"new\"\ndistribution = \"E2\"\n";
    assert_eq!(written, expected);
    init().await.exits(2).says("left as it is");
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
}

/// A bucket as `aws s3 sync --cache-control max-age=300` leaves it: types without their charset, and a page of long ago.
async fn synced(world: &World, site: &Site) {
    let old = [("old.html".to_owned(), b"<p>old".to_vec())];
    for (key, body) in site.files().into_iter().chain(old) {
        let content_type = match key.as_str() {
            "app.css" => "text/css; charset=utf-8",
            _ => "text/html",
        };
        let headers = Headers {
            cache_control: Some("max-age=300".into()),
            content_type: Some(content_type.into()),
            ..Headers::default()
        };
        world.put_object(BUCKET, &key, body, headers).await.unwrap();
    }
}

#[tokio::test]
async fn the_plan_of_taking_over_shows_what_becomes_ours_which_headers_change_and_the_one_purge() {
    let site = Site::of(&[
        ("index.html", "<p>1"),
        ("about.html", "<p>"),
        ("app.css", "p{}"),
    ]);
    let world = World::new().await;
    synced(&world, &site).await;
    let script = format!(
        "#!/bin/sh\naws s3 sync public s3://{BUCKET} --delete --acl public-read \\\n  --cache-control max-age=300\n\
         aws cloudfront create-invalidation --distribution-id {} --paths '/*'\n",
        world.distribution
    );
    fs::write(site.project().join("deploy.sh"), script).unwrap();
    let ran = init(&site, Path::new("deploy.sh")).await.succeeds();
    ran.says("Next: `unstale plan --adopt`")
        .says("objects get no ACL");
    let command = |words: &str| {
        let command = Unstale::new(words)
            .arg("--endpoint-url")
            .arg(world.endpoint());
        command.within(site.project())
    };
    // What a build has becomes ours without being asked; --adopt is for the rest.
    let ran = command("plan").await.succeeds();
    ran.says("1 object is not ours and stays (--adopt takes it over): old.html");
    let ran = command("plan --adopt").await.succeeds();
    let ran = ran.says("1 object is as wanted already and will be remembered as ours");
    ran.says("= about.html            headers")
        .says("- old.html              removed")
        .says("Everything is purged");
    assert_eq!(world.site_writes(), [""; 0]);
    command("deploy --adopt").await.succeeds();
    assert_eq!(world.purged(), ["/*"]);
    assert_eq!(
        world
            .objects("")
            .into_iter()
            .filter(|(key, _)| !key.starts_with(".unstale/"))
            .count(),
        3
    );
    world.assert_idle(command("deploy")).await;
}

#[tokio::test]
async fn what_commands_leave_out_and_purge_is_carried_over_only_where_it_is_certain() {
    const SYNC: &str = "aws s3 sync dist s3://b --delete";
    const PURGE: &str = "aws cloudfront create-invalidation --distribution-id";
    for (name, text, says, never) in [
        (
            "a.sh",
            format!("{SYNC} --exclude index.html\naws s3 cp dist/index.html s3://b/index.html\n"),
            "dir = \"dist\"",
            "exclude =",
        ),
        (
            "a.sh",
            format!("{SYNC} --exclude a.html\naws s3 cp $f s3://b/\n"),
            "it is not certain what of a.html",
            "exclude =",
        ),
        (
            "a.sh",
            format!("{SYNC} --exclude '*.map'\n"),
            "exclude = [\"*.map\"]",
            "distribution =",
        ),
        (
            "a.sh",
            format!("{SYNC} --exclude '*.json' --include m.json\n"),
            "exclude = [\"*.json\",\"!/m.json\"]",
            "x = ",
        ),
        (
            "a.sh",
            format!("{SYNC} --exclude '*' --include '*.html'\n"),
            "only *.html was uploaded",
            "exclude =",
        ),
        (
            "a.sh",
            "aws s3 sync dist s3://b\naws s3 sync dist/a s3://b/a --delete\n".to_owned(),
            "delete = false",
            "x = ",
        ),
        (
            "a.sh",
            format!("{SYNC}\n{PURGE} A\n{PURGE} B\n"),
            "distribution = [\"A\",\"B\"]",
            "x = ",
        ),
        (
            "a.sh",
            "cd x\naws s3 sync . s3://b --delete\n".to_owned(),
            "it is the project's own folder",
            "x = ",
        ),
        (
            "a.sh",
            "(cd web && aws s3 sync dist s3://b --delete)\naws s3 rm s3://b/old --recursive\n"
                .to_owned(),
            "- cd, working-directory: ",
            "project's own folder",
        ),
        (
            "deploy.yml",
            format!("jobs:\n  a:\n    steps:\n    - working-directory: ./web\n      run: {SYNC}\n"),
            "- cd, working-directory: ",
            "x = ",
        ),
        (
            "a.sh",
            format!("{SYNC}\naws s3 rm s3://b/old --recursive\n"),
            "line 2, aws s3 rm: a deploy removes",
            "working-directory",
        ),
        (
            "s3_website.yml",
            "s3_bucket: b\nmax_age: 0\n".to_owned(),
            "cache-control = \"no-cache, max-age=0\"",
            "x = ",
        ),
        (
            "s3_website.yml",
            "s3_bucket: b\ns3_key_prefix: blog\nexclude_from_upload: [^blog/secret/]\n".to_owned(),
            "its names begin with s3_key_prefix",
            "exclude = ",
        ),
        (
            "Makefile",
            format!("live:\n\t@{SYNC}\ntest:\n\t@{PURGE} T\n"),
            "it is not where the upload is",
            "distribution =",
        ),
    ] {
        let site = project(Path::new(name), &text);
        init(&site, Path::new(name)).await.succeeds();
        let written = fs::read_to_string(site.project().join("deploy.toml")).unwrap();
        assert!(written.contains(says), "{text}\n{written}");
        assert!(!written.contains(never), "{text}\n{written}");
        assert_eq!(
            written.contains("--adopt"),
            written.contains("exclude ="),
            "{written}"
        );
    }
}
