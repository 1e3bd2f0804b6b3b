//! `--local` and `preview`: the whole job without AWS, in a folder that several processes share.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Site, Started, Unstale};

fn site() -> Site {
    Site::of(&[("index.html", "<p>one"), ("app.css", "p{}")])
}

pub fn local(command: &str, folder: &TempDir, site: &Site) -> Unstale {
    let flag = format!("--local={}", folder.path().join("store").display());
    Unstale::new(command).arg(flag).arg(site.dir())
}

#[tokio::test]
async fn a_newcomer_needs_no_account() {
    let (folder, site) = (TempDir::new().unwrap(), site());
    let deploy = || {
        let deploy = local("deploy --json", &folder, &site);
        deploy
            .without_env("AWS_ACCESS_KEY_ID")
            .without_env("AWS_SECRET_ACCESS_KEY")
            .without_env("AWS_REGION")
    };
    let first = deploy().await.succeeds().summary();
    assert_eq!(first["uploaded"], 2);
    let again = deploy().await.succeeds().summary();
    assert_eq!(again["outcome"], "nothing to do", "the store is kept");
    site.write("index.html", "<p>two");
    let changed = deploy().await.succeeds().summary();
    assert_eq!(changed["uploaded"], 1);
    assert_eq!(changed["paths-purged"], 2);
    assert_eq!(changed["cost-usd"], 0.0);
}

#[tokio::test]
async fn tags_can_be_tried() {
    let (folder, site) = (TempDir::new().unwrap(), site());
    let deploy = || local("deploy --json", &folder, &site).env("UNSTALE_TAGS", "true");
    deploy().await.succeeds().never_says("no effect");
    site.write("index.html", "<p>two");
    let plan = local("plan", &folder, &site).env("UNSTALE_TAGS", "true");
    plan.await.succeeds().says("#k-");
    assert_eq!(deploy().await.succeeds().summary()["paths-purged"], 1);
    let again = deploy().await.succeeds().summary();
    assert_eq!(again["outcome"], "nothing to do");
}

#[tokio::test]
async fn cloudfront_is_kept_too() {
    let (folder, site) = (TempDir::new().unwrap(), site());
    local("deploy", &folder, &site).await.succeeds();
    site.write("index.html", "<p>two");
    let purge = local("deploy --json", &folder, &site).await.succeeds();
    let purge = purge.summary()["invalidations"][0]["id"].clone();
    let flag = format!("--local={}", folder.path().join("store").display());
    let asked = |command| Unstale::new(command).arg(&flag);
    let listed = asked("invalidations").await.succeeds();
    listed.says(purge.as_str().unwrap());
    asked("quota").await.succeeds().says("997 left");

    let redirecting = || {
        site.write("_redirects", "/old /new\n");
        local("deploy --json", &folder, &site).env("UNSTALE_REDIRECT_FUNCTION", "ours")
    };
    assert_eq!(redirecting().await.succeeds().summary()["outcome"], "done");
    let again = redirecting().await.succeeds().summary();
    assert_eq!(again["outcome"], "nothing to do", "the function is kept");
}

#[tokio::test]
async fn a_deploy_can_be_rolled_back() {
    let (folder, site) = (TempDir::new().unwrap(), site());
    local("deploy", &folder, &site).await.succeeds();
    site.write("index.html", "<p>two");
    site.remove("app.css");
    site.write("new.html", "<p>new");
    local("deploy", &folder, &site).await.succeeds();
    let flag = format!("--local={}", folder.path().join("store").display());
    let rollback = Unstale::new("rollback --json").arg(&flag).await.succeeds();
    assert_eq!(rollback.summary()["outcome"], "done");
    assert!(rollback.summary()["url"].is_null(), "nobody serves it");
    // The bucket is as the first build was.
    site.write("index.html", "<p>one");
    site.write("app.css", "p{}");
    site.remove("new.html");
    let again = local("deploy --json", &folder, &site).await.succeeds();
    assert_eq!(again.summary()["outcome"], "nothing to do");
    local("verify", &folder, &site).await.succeeds();
}

#[tokio::test]
async fn folders_are_answered() {
    let folder = TempDir::new().unwrap();
    let site = Site::of(&[("index.html", "<p>one"), ("a/index.html", "<p>a")]);
    let (preview, url) = preview(&folder, &site).await;
    let (head, body) = tokio::task::spawn_blocking(move || get(&url, "/a/"))
        .await
        .unwrap();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(body, "<p>a");
    let deploy = local("deploy", &folder, &site).await.succeeds();
    deploy.never_says("nothing shows");
    preview.killed().await;
}

#[tokio::test]
async fn a_function_of_ours_takes_the_place_of_the_one_that_a_preview_began_with() {
    let folder = TempDir::new().unwrap();
    let site = Site::of(&[("index.html", "<p>one"), ("a/index.html", "<p>a")]);
    let (preview, url) = preview(&folder, &site).await;
    let asked = || {
        let url = url.clone();
        tokio::task::spawn_blocking(move || get(&url, "/a/").0)
    };
    let deploy = |redirects: &str| {
        site.write("_redirects", redirects);
        local("deploy", &folder, &site).env("UNSTALE_REDIRECT_FUNCTION", "ours")
    };
    deploy("/old /a/\n").await.succeeds();
    let head = asked().await.unwrap();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    local("deploy", &folder, &site).await.succeeds();
    let head = asked().await.unwrap();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    preview.killed().await;
}

#[tokio::test]
async fn a_page_kept_for_noise_is_fresh() {
    let folder = TempDir::new().unwrap();
    let site = Site::of(&[("index.html", "<p id=a1>one")]);
    let rule = "dir = \"public\"\n[[noise]]\nmatch = \"*.html\"\nregex = 'id=[a-z0-9]+'\n";
    std::fs::write(site.project().join("deploy.toml"), rule).unwrap();
    let flag = format!("--local={}", folder.path().join("store").display());
    let run = |command| Unstale::new(command).arg(&flag).within(site.project());
    run("deploy").await.succeeds();
    site.write("index.html", "<p id=b23>one");
    run("deploy").await.succeeds().says("Nothing to do");
    run("verify").await.succeeds();
    site.write("index.html", "<p id=b23>two");
    run("verify").await.exits(5).says("12 bytes instead of 13");
}

#[tokio::test]
async fn the_default_folder_is_here() {
    let site = site();
    let deploy = Unstale::new("deploy public --local").within(site.project());
    deploy.await.succeeds();
    let folder = site.project().join(".unstale-local");
    let ignored = std::fs::read_to_string(folder.join(".gitignore"));
    assert_eq!(ignored.unwrap(), "*\n");
    std::fs::write(folder.join(".gitignore"), "mine\n").unwrap();
    let again = Unstale::new("deploy public --local").within(site.project());
    again.await.succeeds();
    let ignored = std::fs::read_to_string(folder.join(".gitignore"));
    assert_eq!(ignored.unwrap(), "mine\n");
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    let (folder, site) = (TempDir::new().unwrap(), site());
    std::fs::write(folder.path().join("file"), "").unwrap();
    let flag = format!("--local={}", folder.path().join("file/store").display());
    let ran = Unstale::new("deploy").arg(flag).arg(site.dir());
    ran.await.exits(1).says("--local").says("file/store");
}

#[tokio::test]
async fn two_deploys_at_once_share_the_folder() {
    let folder = TempDir::new().unwrap();
    let (preview, _) = preview(&folder, &site()).await;
    let sites = [
        Site::of(&[("index.html", "<p>one"), ("a.html", "<p>")]),
        Site::of(&[("index.html", "<p>other"), ("b.html", "<p>")]),
    ];
    let running = sites.each_ref().map(|site| {
        let deploy = local("deploy", &folder, site);
        tokio::spawn(deploy.into_future())
    });
    for one in running {
        one.await.unwrap().succeeds();
    }
    local("deploy", &folder, &sites[0]).await.succeeds();
    let again = local("deploy --json", &folder, &sites[0]).await;
    assert_eq!(again.succeeds().summary()["outcome"], "nothing to do");
    preview.killed().await;
}

/// Begins to serve on any port, and returns the edge's URL.
async fn preview(folder: &TempDir, site: &Site) -> (Started, String) {
    serving(local("preview --port 0 --json", folder, site)).await
}

/// Begins to serve as JSON tells it, and returns the edge's URL.
async fn serving(preview: Unstale) -> (Started, String) {
    let mut preview = preview.start();
    let stdout = preview.child.stdout.take().unwrap();
    let url = tokio::task::spawn_blocking(move || {
        for line in BufReader::new(stdout).lines() {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if line["type"] == "serving" {
                return line["url"].as_str().unwrap().to_owned();
            }
        }
        panic!("preview ended");
    });
    let url = url.await.unwrap();
    (preview, url)
}

/// The head in lower case, and the body.
pub fn get(url: &str, path: &str) -> (String, String) {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn preview_serves_what_is_deployed_beside_it() {
    let (folder, site) = (TempDir::new().unwrap(), site());
    let (preview, url) = preview(&folder, &site).await;
    let fetch = |path: &'static str| {
        let url = url.clone();
        tokio::task::spawn_blocking(move || get(&url, path))
    };
    for (path, hit) in [("/", "miss"), ("/", "hit"), ("/app.css", "miss")] {
        let (head, _) = fetch(path).await.unwrap();
        assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
        assert!(
            head.contains(&format!("x-cache: {hit} from cloudfront")),
            "{path}: {head}"
        );
        assert_eq!(head.contains("\r\nage: "), hit == "hit", "{path}: {head}");
    }
    assert_eq!(fetch("/").await.unwrap().1, "<p>one");
    assert!(
        fetch("/nowhere")
            .await
            .unwrap()
            .0
            .starts_with("http/1.1 404")
    );

    site.write("index.html", "<p>two");
    local("deploy", &folder, &site).await.succeeds();
    let (head, body) = fetch("/").await.unwrap();
    assert_eq!(body, "<p>two", "{head}");

    let id = preview.child.id().to_string();
    let interrupt = Command::new("kill").args(["-INT", &id]).status();
    assert!(interrupt.unwrap().success());
    preview.ended().await.succeeds().never_says("stopping");
    let again = local("deploy --json", &folder, &site).await.succeeds();
    assert_eq!(again.summary()["outcome"], "nothing to do");
}

#[tokio::test]
async fn nothing_that_refuses_a_deploy_refuses_a_preview() {
    let site = Site::of(&[("index.html", "<p>one")]);
    for number in 0..20 {
        site.write(&format!("{number}.html"), "<p>");
    }
    let settings = "dir = \"public\"\nbucket = \"s3://site/docs\"\nstate = \"s3://other/x\"\ndistribution = \"www.example.com\"\n\
        distribution-tenant = \"www.example.org\"\nexpected-bucket-owner = \"999999999999\"\npassword = \"env:NOT_SET\"\nstrict = true\n";
    std::fs::write(site.project().join("deploy.toml"), settings).unwrap();
    site.write("_redirects", "/api/* https://api.example.com/:splat 200\n");
    let preview = || Unstale::new("preview --port 0 --json").within(site.project());
    let (running, url) = serving(preview()).await;
    assert!(url.ends_with("/docs/"), "{url}");
    running.killed().await;
    // More than half goes, and what is left is a project.
    for number in 0..20 {
        site.remove(&format!("{number}.html"));
    }
    site.write("package.json", "{}");
    let (running, url) = serving(preview()).await;
    let host = url.trim_end_matches("docs/").to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        ["/docs/index.html", "/docs/1.html"].map(|path| get(&host, path).0[..12].to_owned())
    });
    assert_eq!(asked.await.unwrap(), ["http/1.1 200", "http/1.1 404"]);
    // The same settings reach it.
    let open = settings.replace("password = \"env:NOT_SET\"\n", "");
    std::fs::write(site.project().join("deploy.toml"), open).unwrap();
    let deploy = Unstale::new("deploy --local --allow-project-root --json")
        .env("UNSTALE_STRICT", "false")
        .within(site.project());
    deploy.await.succeeds();
    running.killed().await;
    for name in ["index.html", "package.json", "_redirects"] {
        site.remove(name);
    }
    serving(preview()).await.0.killed().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let site = site();
    let folders = [(); 3].map(|()| TempDir::new().unwrap());
    let at = |command, folder| local(command, folder, &site);
    let (first, url) = serving(at("preview --json", &folders[0])).await;
    let port = |url: &str| -> u16 {
        let port = url.trim_end_matches('/').rsplit(':').next();
        port.unwrap().parse().unwrap()
    };
    assert!((8080..=8100).contains(&port(&url)), "{url}");
    let mut second = at("preview", &folders[1]).start();
    let stdout = second.child.stdout.take().unwrap();
    let told = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(stdout).lines().map(Result::unwrap);
        lines.find(|line| line.starts_with("Serving")).unwrap()
    });
    let told = told.await.unwrap();
    assert!(told.ends_with("  (port 8080 is taken)"), "{told}");
    assert!(!told.contains(&format!(":{}/", port(&url))), "{told}");
    let named = at(&format!("preview --port {}", port(&url)), &folders[2]);
    let named = named.await.exits(1);
    named.says(&format!("error: port {} is taken", port(&url)));
    first.killed().await;
    second.killed().await;
}

#[tokio::test]
async fn a_browser_is_opened() {
    let (folder, site) = (TempDir::new().unwrap(), site());
    let opened = folder.path().join("opened");
    let script = folder.path().join("browser");
    let text = format!("#!/bin/sh\necho \"$@\" >>{}\n", opened.display());
    std::fs::write(&script, text).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, executable).unwrap();
    for (arguments, expected) in [("", "URL"), (" --new %s end:other", "--new URL end")] {
        let browser = format!("{}{arguments}", script.display());
        let preview = local("preview --port 0 --json --open", &folder, &site);
        let (running, url) = serving(preview.env("BROWSER", browser)).await;
        let told = loop {
            let told = std::fs::read_to_string(&opened).unwrap_or_default();
            if told.ends_with('\n') {
                break told;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        assert_eq!(told.trim_end(), expected.replace("URL", &url));
        std::fs::remove_file(&opened).unwrap();
        running.killed().await;
    }
    let preview = local("preview --port 0 --open", &folder, &site);
    let mut running = preview.env("BROWSER", "/none").start();
    let stderr = running.child.stderr.take().unwrap();
    let told = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(stderr).lines().map(Result::unwrap);
        lines.any(|line| line.starts_with("No browser could be opened"))
    });
    assert!(told.await.unwrap());
    running.killed().await;
}
