//! Real built sites, version after version. Small parts of three of them come with the project; UNSTALE_SITES names a folder
//! of whole ones, each a folder of versions v1, v2, ...

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Site, World, fixture};

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

#[tokio::test]
async fn all_versions_of_whole_sites() {
    let Some(folder) = std::env::var_os("UNSTALE_SITES") else {
        println!("skipped: UNSTALE_SITES names no folder of sites");
        return;
    };
    let mut sites = folders_in(Path::new(&folder));
    sites.retain(|site| site.join("v1").is_dir());
    assert!(!sites.is_empty(), "no SITE/v1 in {}", folder.display());
    for site in sites {
        let mut versions = folders_in(&site);
        versions.sort_by_key(|path| path.as_os_str().len());
        deploy_in_turn(&versions).await;
    }
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}
