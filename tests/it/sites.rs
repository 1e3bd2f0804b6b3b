//! Real built sites, version after version. Small parts of three of them come with the project; UNSTALE_SITES names a folder
//! of whole ones, each a folder of versions v1, v2, ...

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Site, World, fixture, url_of};

/// What is left out of a build unless asked for, among the names that the sites have.
const LEFT_OUT: [&str; 2] = [".env", ".DS_Store"];

/// Deploys these folders one after the other, and looks each time whether the bucket is the build, whether any edge that was
/// asked for every URL before answers otherwise than the origin, and whether deploying again does nothing.
async fn deploy_in_turn(versions: &[PathBuf]) {
    let (world, site) = (World::new().await, Site::empty());
    for version in versions {
        site.becomes(version);
        // Assets that left the build go at once, and a whole rebuild is no accident here.
        let deploy = || {
            world
                .deploy(&site)
                .with("--retain 0s --max-delete 10000 --json")
        };
        world.forget();
        let ran = deploy().await.succeeds();
        let summary = ran.summary();
        println!(
            "{}: {} uploaded, {} deleted, {} unchanged, {} paths",
            version.display(),
            summary["uploaded"],
            summary["deleted"],
            summary["unchanged"],
            world.purged().len()
        );
        for name in LEFT_OUT {
            let _ = fs::remove_file(site.dir().join(name));
        }
        world.assert_deployed(&site, "");
        world.assert_fresh(&site, "").await;
        world.warm(&site).await;
        world.assert_idle(deploy()).await;
    }
}

async fn there_and_back(name: &str) {
    let [v1, v2] = ["v1", "v2"].map(|version| fixture(name, version));
    deploy_in_turn(&[v1.clone(), v2, v1]).await;
}

#[tokio::test]
async fn a_hexo_blog() {
    there_and_back("hexo").await;
}

#[tokio::test]
async fn a_jekyll_blog() {
    there_and_back("jekyll").await;
}

#[tokio::test]
async fn a_vite_app() {
    there_and_back("vite").await;
}

/// The whole sites, if any are named.
pub fn whole_sites() -> Vec<PathBuf> {
    let Some(folder) = std::env::var_os("UNSTALE_SITES") else {
        println!("skipped: UNSTALE_SITES names no folder of sites");
        return Vec::new();
    };
    let mut sites = folders_in(Path::new(&folder));
    sites.retain(|site| site.join("v1").is_dir());
    assert!(!sites.is_empty(), "no SITE/v1 in {}", folder.display());
    sites
}

/// A changed rule lands on exactly the objects that it is for, by copying them in place, with the purge that it owes.
async fn change_one_rule(folder: &Path) {
    let (world, site) = (World::new().await, Site::copy_of(folder));
    for name in LEFT_OUT {
        let _ = fs::remove_file(site.dir().join(name));
    }
    for (ending, value) in [
        (".html", "max-age=61"),
        (".css", "no-store"),
        (".png", "max-age=62"),
    ] {
        let rule = |value: &str| {
            // Copies of an error page that edges keep would owe everything.
            let rule = format!(
                "[[headers]]\nmatch = \"*{ending}\"\ncache-control = \"{value}\"\n\
                 [[headers]]\nmatch = \"404.html\"\ncache-control = \"no-cache\"\n"
            );
            fs::write(site.project().join("deploy.toml"), rule).unwrap();
        };
        let deploy = || {
            world
                .deploy(&site)
                .within(site.project())
                .with("--purge exact")
        };
        rule("max-age=60");
        deploy().await.succeeds();
        world.warm(&site).await;
        world.forget();
        rule(value);
        deploy().await.succeeds();
        let files = site.files();
        let is_meant = |path: &&String| path.ends_with(ending) && *path != "404.html";
        let mut wanted: Vec<String> = files
            .keys()
            .filter(is_meant)
            .map(|path| format!("CopyObject {path}"))
            .collect();
        let mut writes = world.site_writes();
        writes.retain(|one| one != "CreateInvalidation");
        wanted.sort();
        writes.sort();
        assert_eq!(writes, wanted);
        let purged = world.purged();
        let takes = |url: &String| {
            let by = |pattern: &String| match pattern.strip_suffix('*') {
                Some(prefix) => url.starts_with(prefix),
                None => pattern == url,
            };
            purged.iter().any(by)
        };
        let taken = |meant: bool| {
            // What holds a `~` can only be purged with all that begins like what is before it.
            let before = files
                .keys()
                .filter(is_meant)
                .filter_map(|path| path.split_once('~'));
            let before: Vec<&str> = before.map(|(before, _)| before).collect();
            let free = |path: &&String| meant || !before.iter().any(|it| path.starts_with(it));
            let paths = files.keys().filter(free);
            let paths = paths.filter(move |path| is_meant(path) == meant);
            paths.map(|path| purge_form(path)).filter(takes).count()
        };
        let exact = (wanted.len(), 0);
        assert_eq!(
            (taken(true), taken(false)),
            exact,
            "{}: {purged:?}",
            folder.display()
        );
        assert_eq!(takes(&"/".to_owned()), ending == ".html");
        world.assert_fresh(&site, "").await;
        world.assert_idle(deploy()).await;
    }
}

/// A path as it is purged: browsers escape less than CloudFront wants escaped, but for `~` and `'`.
fn purge_form(path: &str) -> String {
    let escaped = url_of(path);
    ["[", "]"].iter().fold(escaped, |url, raw| {
        url.replace(raw, &format!("%{:02X}", raw.as_bytes()[0]))
    })
}

#[tokio::test]
async fn one_rule_of_small_sites() {
    for name in ["hexo", "jekyll", "vite"] {
        change_one_rule(&fixture(name, "v1")).await;
    }
}

#[tokio::test]
async fn one_rule_of_whole_sites() {
    for site in whole_sites() {
        change_one_rule(&site.join("v1")).await;
    }
}

#[tokio::test]
async fn all_versions_of_whole_sites() {
    for site in whole_sites() {
        deploy_in_turn(&versions_of(&site)).await;
    }
}

/// The versions of a site, the first one first.
pub fn versions_of(site: &Path) -> Vec<PathBuf> {
    let mut versions = folders_in(site);
    versions.sort_by_key(|path| path.as_os_str().len());
    versions
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}
