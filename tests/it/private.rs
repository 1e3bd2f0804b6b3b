//! What is no part of a site: secrets are refused, droppings named, homes and projects' sources told from builds.

use super::support::{Site, World};

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n";

#[tokio::test]
async fn what_looks_private_is_refused_by_name_unless_allowed() {
    let world = World::new().await;
    let site = Site::of(&[
        ("index.html", "<p>"),
        ("certs/ca.pem", "-----BEGIN CERTIFICATE-----\n"),
        (".well-known/security.txt", "Contact: a"),
    ]);
    world.deploy(&site).await.succeeds();
    world.assert_deployed(&site, "");
    world.forget();
    for (path, content) in [
        ("id_rsa", ""),
        ("certs/server.pem", KEY),
        (".aws/credentials", ""),
        (".npmrc", ""),
        ("db/dump.sql", ""),
        ("wp-config.php", ""),
        ("node_modules/a/package.json", "{}"),
    ] {
        site.write(path, content);
    }
    for command in [world.deploy(&site), world.plan(&site)] {
        let ran = command.await.exits(2).says("holds what looks private");
        let ran = ran
            .says("id_rsa: an SSH key")
            .says(".aws/: credentials of a cloud");
        let ran = ran
            .says("certs/server.pem: a private key")
            .says("--allow PATTERN");
        ran.says("node_modules/: installed packages")
            .never_says("ca.pem");
    }
    assert_eq!(world.writes(), [""; 0]);
    let some =
        "--allow id_rsa --allow *.pem --exclude .aws/ --exclude .npmrc --exclude node_modules/";
    let ran = world.deploy(&site).with(some).await.exits(2);
    let ran = ran.says("db/dump.sql: a dump").says("wp-config.php");
    ran.never_says("id_rsa").never_says(".npmrc");
    // The flag adds to the setting.
    let settings = "allow = [\"*.sql\", \"wp-config.php\"]\n";
    std::fs::write(site.project().join("deploy.toml"), settings).unwrap();
    let allowed = world.deploy(&site).with(some).within(site.project());
    allowed.await.succeeds();
    assert_eq!(world.body("site", "certs/server.pem").unwrap(), KEY);
    assert!(world.object("site", "db/dump.sql").is_some());
    assert!(world.object("site", ".npmrc").is_none());
}

#[tokio::test]
async fn of_many_private_files_the_first_are_named_and_all_counted() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    for number in 10..25 {
        site.write(&format!("dump-{number}.sql"), "");
    }
    let ran = world.deploy(&site).await.exits(2).says("dump-19.sql");
    ran.says("and 5 more, 15 in all").never_says("dump-20.sql");
}

#[tokio::test]
async fn what_is_left_out_is_named_unless_that_was_asked_for() {
    let world = World::new().await;
    let site = Site::of(&[
        ("index.html", "<p>"),
        (".env", "A=1"),
        (".DS_Store", ""),
        ("a/.DS_Store", ""),
        ("a/.git/config", ""),
        ("a/draft.html", "<p>"),
    ]);
    let line = "Left out: 2 of .DS_Store, .env, a/.git/\n";
    for command in [world.plan(&site), world.deploy(&site)] {
        command
            .with("--exclude draft.html")
            .await
            .succeeds()
            .says(line);
    }
    let asked = "--exclude .DS_Store --exclude .env* --exclude .git";
    world
        .deploy(&site)
        .with(asked)
        .await
        .succeeds()
        .never_says("Left out");
    let ran = world.plan(&site).with("--json").await.succeeds();
    let told = ran
        .json()
        .into_iter()
        .find(|line| line["type"] == "left-out");
    let paths = serde_json::json!([".DS_Store", ".env", "a/.DS_Store", "a/.git/"]);
    assert_eq!(told.unwrap()["paths"], paths);
    // Variables go up only where both are said.
    let included = || world.deploy(&site).with("--include .env");
    included()
        .await
        .exits(2)
        .says(".env: variables, which may be secret");
    included().with("--allow .env").await.succeeds();
    assert_eq!(world.body("site", ".env").unwrap(), "A=1");
}

#[tokio::test]
async fn a_home_is_refused_before_anything_is_read() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    let at_home = |dir: &std::path::Path| {
        let deploy = world.unstale("deploy").arg(dir);
        deploy.env("HOME", site.dir())
    };
    let ran = at_home(&site.dir())
        .await
        .exits(2)
        .says("is your home folder, not a build");
    ran.says("--allow-project-root");
    let ran = at_home(site.project()).await.exits(2);
    ran.says("holds your home folder");
    assert_eq!(world.log().len(), 0);
    at_home(&site.dir())
        .with("--allow-project-root")
        .await
        .succeeds();
}

#[tokio::test]
async fn a_build_without_a_page_at_its_root_is_deployed_with_a_warning() {
    let world = World::new().await;
    let site = Site::of(&[("app/browser/index.html", "<p>"), ("robots.txt", "")]);
    for command in [world.plan(&site), world.deploy(&site)] {
        let ran = command.await.succeeds().says("has no index.html: is ");
        ran.says("public/app/browser the build instead?");
    }
    // Another build of the project.
    let vite = Site::of(&[("favicon.ico", "")]);
    for (path, content) in [
        ("vite.config.js", ""),
        ("dist/index.html", "<p>"),
        ("deploy.toml", "dir = 'public'"),
    ] {
        vite.write(&format!("../{path}"), content);
    }
    let plan = world
        .unstale("plan")
        .within(vite.project())
        .await
        .succeeds();
    plan.says("public has no index.html: is dist the build instead?");
    site.write("_redirects", "/ /app/browser/\n");
    world
        .plan(&site)
        .await
        .succeeds()
        .never_says("no index.html");
    site.remove("_redirects");
    site.write("index.html", "<p>");
    world
        .plan(&site)
        .await
        .succeeds()
        .never_says("no index.html");
}

#[tokio::test]
async fn rules_of_a_file_that_is_left_out_do_not_hold() {
    let world = World::new().await;
    let site = Site::of(&[
        ("index.html", "<p>"),
        ("_headers", "/*\n  Cache-Control: max-age=7\n"),
        ("_redirects", "no line\n"),
    ]);
    world.deploy(&site).await.exits(2).says("_redirects:1");
    let deploy = || world.deploy(&site).with("--exclude /_redirects");
    deploy().await.succeeds();
    let cached = || {
        let object = world.object("site", "index.html").unwrap();
        object.headers.cache_control.clone().unwrap()
    };
    assert_eq!(cached(), "max-age=7");
    deploy().with("--exclude _headers").await.succeeds();
    assert!(cached().contains("s-maxage"), "{}", cached());
    assert_eq!(
        world.objects("").into_keys().collect::<Vec<_>>(),
        ["index.html"]
    );
    assert!(world.object("site", "_headers").is_none());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_as_private_as_its_target() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    let home = site.project().join("home");
    std::fs::create_dir_all(home.join(".ssh")).unwrap();
    std::fs::write(home.join("id_rsa"), KEY).unwrap();
    for (target, link) in [("id_rsa", "notes.txt"), (".ssh", "keys")] {
        std::os::unix::fs::symlink(home.join(target), site.dir().join(link)).unwrap();
    }
    let deploy = world.deploy(&site).with("--symlinks follow");
    let ran = deploy.await.exits(2).says("notes.txt: an SSH key");
    ran.says("keys/: private keys");
    assert_eq!(world.writes(), [""; 0]);
}
