//! What files are served as by their names: those of fixtures/types.tsv, where every kind and every odd one of four real sites
//! stands with its Content-Type, and every single one of the sites in UNSTALE_SITES.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::{BUCKET, Site, World};

/// Type and path; `-` is for what is not uploaded.
fn table() -> Vec<(String, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/types.tsv");
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().map(|line| line.split_once('\t').unwrap());
    rows.map(|(right, path)| (right.to_owned(), path.to_owned()))
        .collect()
}

/// What tells the type: the extension, or the whole name where there is none.
fn kind(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!(".{}", extension.to_lowercase()),
        _ => name.to_owned(),
    }
}

/// Deploys files of these names, and answers what each is served as; `-` where it is not there.
async fn served(paths: impl IntoIterator<Item = &String> + Clone) -> BTreeMap<String, String> {
    let (world, site) = (World::new().await, Site::empty());
    for path in paths.clone() {
        // Instructions are read, so that they have to be some.
        let content = if path == "_redirects" { "" } else { "x" };
        site.write(path, content);
    }
    world.deploy(&site).await.succeeds();
    let of = |path: &String| {
        let object = world.object(BUCKET, path);
        let right = object.map_or(Some("-".to_owned()), |it| it.headers.content_type.clone());
        (path.clone(), right.unwrap_or_default())
    };
    paths.into_iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_and_every_odd_name_of_real_sites() {
    let table = table();
    let served = served(table.iter().map(|(_, path)| path)).await;
    assert!(table.len() > 200);
    for (right, path) in &table {
        assert_eq!(&served[path], right, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_name_of_whole_sites() {
    let Some(folder) = std::env::var_os("UNSTALE_SITES") else {
        println!("skipped: UNSTALE_SITES names no folder of sites");
        return;
    };
    let kinds: BTreeMap<String, String> = table()
        .into_iter()
        .map(|(right, path)| (kind(&path), right))
        .collect();
    for site in std::fs::read_dir(folder).unwrap() {
        let site = site.unwrap().path();
        let mut paths = BTreeSet::new();
        for version in std::fs::read_dir(&site).unwrap() {
            let version = version.unwrap().path();
            for entry in walkdir::WalkDir::new(&version) {
                let entry = entry.unwrap();
                if entry.path().is_file() {
                    let path = entry.path().strip_prefix(&version).unwrap();
                    paths.insert(path.to_str().unwrap().to_owned());
                }
            }
        }
        for (path, served) in served(&paths).await {
            let right = kinds.get(&kind(&path));
            let right = right.unwrap_or_else(|| panic!("{path} belongs in fixtures/types.tsv"));
            assert_eq!(&served, right, "{path}");
        }
        println!("{}: {} names", site.display(), paths.len());
    }
}
