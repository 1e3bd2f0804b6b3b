//! Settings reach the binary through deploy.toml, variables and flags; what it prints is for people or for programs.

use std::fs;

use crate::support::{BUCKET, Site, Unstale, World};

fn site() -> Site {
    Site::of(&[("index.html", "<p>1"), ("app.css", "p{}")])
}

/// In the site's project folder, without any flag of ours.
fn bare(site: &Site, command: &str) -> Unstale {
    Unstale::new(command).within(site.project())
}

#[tokio::test]
async fn deploy_toml_is_enough() {
    let (world, site) = (World::new().await, site());
    let toml = format!(
        "dir = \"public\"\nbucket = \"{BUCKET}\"\nendpoint-url = \"{}\"\n[[headers]]\nmatch = \"*.css\"\ncache-control = \"max-age=7\"\n[env.staging]\nprefix = \"staging\"",
        world.endpoint()
    );
    fs::write(site.project().join("deploy.toml"), toml).unwrap();
    bare(&site, "deploy").await.succeeds();
    world.assert_deployed(&site, "");
    let css = world.object(BUCKET, "app.css").unwrap();
    assert_eq!(css.headers.cache_control.as_deref(), Some("max-age=7"));

    bare(&site, "deploy --env staging").await.succeeds();
    world.assert_deployed(&site, "staging/");
}

#[tokio::test]
async fn flags_overrule_variables_and_variables_the_file() {
    let (world, site) = (World::new().await, site());
    let toml = format!(
        "dir = \"public\"\nbucket = \"{BUCKET}\"\nprefix = \"by-file\"\nendpoint-url = \"{}\"",
        world.endpoint()
    );
    fs::write(site.project().join("deploy.toml"), toml).unwrap();
    let variable = || bare(&site, "deploy").env("UNSTALE_PREFIX", "by-variable");
    variable().await.succeeds();
    world.assert_deployed(&site, "by-variable/");
    variable().with("--prefix by-flag").await.succeeds();
    world.assert_deployed(&site, "by-flag/");
    bare(&site, "deploy").await.succeeds();
    world.assert_deployed(&site, "by-file/");
}

#[tokio::test]
async fn a_folder_is_named_by_a_variable() {
    let (world, site) = (World::new().await, site());
    let toml = format!(
        "dir = \"public\"\nbucket = \"{BUCKET}\"\nendpoint-url = \"{}\"\nprefix = \"previews/${{PR}}\"",
        world.endpoint()
    );
    fs::write(site.project().join("deploy.toml"), toml).unwrap();
    for pull in ["", "/", "../x"] {
        let ran = bare(&site, "deploy").env("PR", pull).await.exits(2);
        ran.says("deploy.toml:4:10: `");
    }
    assert!(world.writes().is_empty());
    bare(&site, "deploy").env("PR", "12").await.succeeds();
    world.assert_deployed(&site, "previews/12/");
}

#[tokio::test]
async fn the_standard_variables_name_the_endpoint() {
    let (world, site) = (World::new().await, site());
    let ran = bare(&site, "deploy public --bucket site").env("AWS_ENDPOINT_URL", world.endpoint());
    ran.await.succeeds();
    world.assert_deployed(&site, "");
    site.write("index.html", "<p>2");
    let ran = bare(&site, "deploy public --bucket site")
        .env("AWS_ENDPOINT_URL_S3", world.endpoint())
        .env("AWS_ENDPOINT_URL_CLOUDFRONT", world.endpoint());
    ran.await.succeeds();
    world.assert_deployed(&site, "");
}

#[tokio::test]
async fn a_profile_gives_keys_and_region() {
    let world = World::with(|setup| {
        setup.bucket.region = "eu-central-1".into();
        setup.bucket.strict_region = true;
    });
    let (world, site) = (world.await, site());
    let aws = site.project().join("config");
    let profile = format!(
        "[profile work]\nregion = eu-central-1\naws_access_key_id = AKIDWORK\naws_secret_access_key = secret\nendpoint_url = {}\n",
        world.endpoint()
    );
    fs::write(&aws, profile).unwrap();
    let ran = bare(&site, "deploy public --bucket site --profile work")
        .without_env("AWS_ACCESS_KEY_ID")
        .without_env("AWS_SECRET_ACCESS_KEY")
        .without_env("AWS_REGION")
        .env("AWS_CONFIG_FILE", &aws);
    ran.await.succeeds();
    world.assert_deployed(&site, "");
    let wrong = world.log();
    assert!(wrong.iter().all(|entry| entry.status != Some(301)));
}

#[tokio::test]
async fn json_is_a_line_for_each_thing_and_the_summary_last() {
    let (world, site) = (World::new().await, site());
    let ran = world.deploy(&site).with("--json").await.succeeds();
    let summary = ran.summary();
    for (name, value) in [
        ("outcome", "done".into()),
        ("bucket", BUCKET.into()),
        ("uploaded", 2.into()),
        ("uploaded-bytes", serde_json::json!(7)),
        ("deleted", 0.into()),
        ("unchanged", 0.into()),
        ("paths-purged", 1.into()),
    ] {
        assert_eq!(summary[name], value, "{name} in {ran}");
    }
    assert_eq!(ran.stderr, "", "nothing beside it");

    site.write("index.html", "<p>2");
    let planned = world.plan(&site).with("--json").await.succeeds();
    let change = planned.json().into_iter().find(|it| it["type"] == "change");
    let change = change.unwrap();
    assert_eq!(
        (&change["key"], &change["reason"], &change["action"]),
        (&"index.html".into(), &"content".into(), &"upload".into())
    );
    assert_eq!(planned.summary()["paths"], 2, "{planned}");

    let ran = world.deploy(&site).with("--json").await.succeeds();
    let summary = ran.summary();
    assert_eq!(summary["paths-purged"], 2, "{ran}");
    let told = &summary["invalidations"][0];
    let sent = &world.invalidations(&world.distribution)[1];
    assert_eq!(told["id"], sent.id.as_str(), "as AWS shows it");
    assert_eq!(told["status"], "Completed", "{ran}");

    let again = world.deploy(&site).with("--json").await.succeeds();
    assert_eq!(again.summary()["outcome"], "nothing to do", "{again}");
}

#[tokio::test]
async fn output_is_as_the_settings_say_wherever_they_stand() {
    let (world, site) = (World::new().await, site());
    let settings = format!(
        "dir = \"public\"\nbucket = \"{BUCKET}\"\nendpoint-url = \"{}\"\n",
        world.endpoint()
    );
    let file = site.project().join("deploy.toml");
    fs::write(&file, format!("{settings}json = true\n")).unwrap();
    bare(&site, "plan").await.succeeds().summary();
    fs::write(&file, format!("{settings}quiet = true\n")).unwrap();
    let ran = bare(&site, "deploy").await.succeeds();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let ran = bare(&site, "plan").env("UNSTALE_JSON", "true");
    ran.await.succeeds().summary();
    site.write("index.html", "<p>2");
    let ran = bare(&site, "deploy --verbose").await.succeeds();
    ran.says("index.html");
}

#[tokio::test]
async fn errors_are_json_too() {
    let (world, site) = (World::new().await, site());
    let ran = world.deploy(&site).with("--json --bucket nowhere");
    let ran = ran.await;
    // The last of two --bucket flags is refused by the parser, or counts.
    assert_ne!(ran.exit, Some(0), "{ran}");
    let ran = Unstale::new("deploy --json --bucket nowhere --endpoint-url")
        .arg(world.endpoint())
        .arg(site.dir())
        .await
        .exits(1);
    let last = ran.told("error");
    assert_eq!(
        (&last["type"], &last["exit"]),
        (&"error".into(), &1.into()),
        "{ran}"
    );
}

#[tokio::test]
async fn quiet_says_nothing_when_all_is_well() {
    let (world, site) = (World::new().await, site());
    let ran = world.deploy(&site).with("--quiet").await.succeeds();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let ran = world.unstale("deploy --quiet nowhere").await.exits(2);
    ran.says("error:");
}

#[tokio::test]
async fn verbose_names_every_key() {
    let (world, site) = (World::new().await, site());
    let ran = world.deploy(&site).with("--verbose").await.succeeds();
    ran.says("index.html").says("app.css");
}

#[tokio::test]
async fn a_summary_tells_what_was_done() {
    let (world, site) = (World::new().await, site());
    world.deploy(&site).await.succeeds();
    site.write("index.html", "<p>2");
    let ran = world.deploy(&site).await.succeeds();
    let id = world.invalidations(&world.distribution)[1].id.clone();
    ran.says(&id).never_says("\u{1b}[");
}

#[tokio::test]
async fn plan_changes_nothing_and_check_tells_by_its_status() {
    let (world, site) = (World::new().await, site());
    let plan = |flags: &str| world.plan(&site).with(flags);
    plan("").await.succeeds().says("index.html");
    plan("--check").await.exits(3);
    plan("--check --json").await.exits(3).summary();
    assert_eq!(world.writes(), [""; 0]);
    assert_eq!(world.objects("").len(), 0);

    world.deploy(&site).await.succeeds();
    world.forget();
    plan("--check").await.exits(0);
    site.write("app.css", "p{color:red}");
    site.remove("index.html");
    let ran = plan("--check").await.exits(3);
    ran.says("~ app.css").says("- index.html").says("/*");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn plan_and_deploy_agree() {
    let (world, site) = (World::new().await, site());
    world.deploy(&site).await.succeeds();
    site.write("index.html", "<p>2");
    site.write("new.html", "<p>3");
    let planned = world.plan(&site).with("--json").await.succeeds();
    let mut promised: Vec<String> = Vec::new();
    for line in planned.json() {
        for pattern in line["patterns"].as_array().into_iter().flatten() {
            promised.push(pattern["path"].as_str().unwrap().to_owned());
        }
    }
    promised.sort();
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(world.purged(), promised);
    assert_eq!(planned.summary()["uploads"], 2, "{planned}");
}
