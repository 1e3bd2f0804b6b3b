//! What purging real sites costs: `cargo run --release --example year -- FOLDER`, where FOLDER/SITE/v1, v2, ... are builds of sites.
//!
//! Prints, in Markdown, every transition of every site by several ways of purging, and a year of daily deploys of each site,
//! the kinds of transition in turn, by several ways of spending the month's free paths.
#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use unstale::domain::content_type::content_type;
use unstale::domain::rules::{Facts, HeaderRules, Matched};
use unstale::domain::{Headers, Key};
use unstale::edge::price::{FREE_PATHS, share};
use unstale::edge::{
    Behavior, Change, Content, Cover, Distribution, Mode, Money, Origin, Prices, Purge, Served,
    Site, purge,
};
use unstale::scan::{Options, scan};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// An object of a build: how it is served, and whether its name holds a hash of its content.
type Objects = BTreeMap<String, (Served, bool)>;

const DAYS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// A deploy: what changes, and all keys before and after.
struct Step {
    name: String,
    changes: Vec<Change>,
    keys: Vec<String>,
}

/// Patterns, what they take needlessly, and what that costs.
#[derive(Clone, Copy, Default)]
struct Bill {
    paths: u64,
    needless: u64,
    cost: Money,
}

fn main() -> Result<()> {
    let Some(folder) = std::env::args().nth(1) else {
        return Err("usage: year FOLDER, which holds SITE/v1, SITE/v2, ...".into());
    };
    let mut sites = Vec::new();
    for site in folders_in(Path::new(&folder))? {
        let name = site.file_name().unwrap_or_default().to_string_lossy();
        sites.push((name.into_owned(), steps(&site)?));
    }
    let distribution = distribution();
    let shown = Site::new(&distribution, vec!["bucket".to_owned()]);
    transitions(&shown, &sites);
    println!();
    years(&shown, &sites);
    Ok(())
}

/// A bucket's website endpoint behind CloudFront, as blogs are mostly set up.
fn distribution() -> Distribution {
    Distribution {
        default_root_object: Some("index.html".to_owned()),
        origins: vec![Origin {
            id: "bucket".to_owned(),
            website: true,
            ..Origin::default()
        }],
        behaviors: vec![Behavior {
            origins: vec!["bucket".to_owned()],
            ..Behavior::default()
        }],
        ..Distribution::default()
    }
}

fn folders_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    Ok(folders)
}

fn steps(site: &Path) -> Result<Vec<Step>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let versions = folders_in(site)?;
    let mut builds = Vec::new();
    for version in &versions {
        builds.push(runtime.block_on(objects(version))?);
    }
    let names: Vec<_> = versions
        .iter()
        .filter_map(|path| path.file_name())
        .collect();
    let pairs = builds.windows(2).zip(names.windows(2));
    let step = |(builds, names): (&[Objects], &[&std::ffi::OsStr])| match (builds, names) {
        ([before, after], [from, to]) => Some(Step {
            name: format!("{} to {}", from.to_string_lossy(), to.to_string_lossy()),
            ..difference(before, after)
        }),
        _ => None,
    };
    Ok(pairs.filter_map(step).collect())
}

/// The objects of a build, with the headers that nobody asked for otherwise.
async fn objects(version: &Path) -> Result<Objects> {
    let build = scan(version, &Options::default(), |_| ()).await?;
    let (rules, mut matched) = (HeaderRules::compile(Vec::new())?, Matched::default());
    let mut objects = Objects::new();
    for file in &build.files {
        let key = file.key.as_str();
        let facts = Facts {
            content_type: &content_type(key, false, &[]),
            error_document: false,
        };
        let served = rules.headers_for(key, &facts, &mut matched);
        let headers: &Headers = &served.headers;
        let object = Served {
            content: Content::Digest(file.md5),
            headers: headers.fingerprint(),
            cache_control: headers.cache_control.as_deref().map(Into::into),
            redirect: None,
            tags: None,
        };
        objects.insert(key.to_owned(), (object, served.fingerprinted));
    }
    Ok(objects)
}

fn difference(before: &Objects, after: &Objects) -> Step {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut changes = Vec::new();
    for key in &keys {
        let (old, new) = (before.get(*key), after.get(*key));
        if old != new {
            changes.push(Change {
                key: Key::new(key.as_str()),
                before: old.map(|(served, _)| served.clone()),
                after: new.map(|(served, _)| served.clone()),
                fingerprinted: new.or(old).is_some_and(|(_, fingerprinted)| *fingerprinted),
            });
        }
    }
    Step {
        name: String::new(),
        changes,
        keys: keys.into_iter().cloned().collect(),
    }
}

fn solve(site: &Site<'_>, step: &Step, mode: Mode, free: u64) -> Purge {
    let prices = Prices {
        mode,
        free,
        ..Prices::default()
    };
    let keys = step.keys.iter().map(|key| (key.as_str(), None));
    purge(site, &step.changes, &[], keys, &[], &prices)
}

fn bill(cover: &Cover) -> Bill {
    Bill {
        paths: cover.paths(),
        needless: cover.unchanged(),
        cost: cover.total(),
    }
}

/// The best that wildcards at folder boundaries alone can do, for paths at this price.
fn by_folders(site: &Site<'_>, step: &Step, path: Money) -> Bill {
    let stale = solve(site, step, Mode::Exact, FREE_PATHS).stale;
    let mut paths: BTreeMap<String, bool> = BTreeMap::new();
    for key in &step.keys {
        site.visit_paths(key, &mut |text, _, _| {
            paths.insert(text.to_owned(), stale.owed.contains_key(text));
        });
    }
    let paths: Vec<(&str, bool)> = paths.iter().map(|(text, owed)| (&**text, *owed)).collect();
    best_below(&paths, 1, path)
}

/// Of sorted paths that have their first `depth` bytes, a folder's name, in common.
fn best_below(paths: &[(&str, bool)], depth: usize, path: Money) -> Bill {
    let owed = paths.iter().filter(|(_, owed)| *owed).count() as u64;
    if owed == 0 {
        return Bill::default();
    }
    let mut parts = Bill::default();
    let folder = |text: &str| {
        let rest = text.get(depth..).unwrap_or_default();
        rest.find('/').map(|at| depth + at + 1)
    };
    for part in paths.chunk_by(|(one, _), (other, _)| {
        let below = folder(one);
        below.is_some()
            && below.and_then(|end| one.get(..end))
                == folder(other).and_then(|end| other.get(..end))
    }) {
        let bill = match part {
            [(first, _), ..] if folder(first).is_some() => {
                best_below(part, folder(first).unwrap_or(depth), path)
            }
            _ => Bill {
                paths: part.iter().filter(|(_, owed)| *owed).count() as u64,
                cost: path * part.iter().filter(|(_, owed)| *owed).count() as u64,
                needless: 0,
            },
        };
        parts.paths += bill.paths;
        parts.needless += bill.needless;
        parts.cost = parts.cost + bill.cost;
    }
    let needless = paths.len() as u64 - owed;
    let whole = Bill {
        paths: 1,
        needless,
        cost: path + Prices::default().refetch * needless,
    };
    if (whole.cost, whole.paths) < (parts.cost, parts.paths) {
        whole
    } else {
        parts
    }
}

/// Every transition: what is sent while paths are free, and once they are paid for.
fn transitions(site: &Site<'_>, sites: &[(String, Vec<Step>)]) {
    println!(
        "| site | transition | objects changed | paths stale | sent, free | needless | folders only, free | `/*`: needless | sent, paid | needless | dollars | folders only, paid | needless | dollars |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let paid = Prices::default().path;
    for (name, steps) in sites {
        for step in steps {
            let free = solve(site, step, Mode::Cheapest, FREE_PATHS);
            let dear = solve(site, step, Mode::Cheapest, 0);
            let (ours, dear) = (bill(&free.cover), bill(&dear.cover));
            let folders = by_folders(site, step, Money(0));
            let folders_paid = by_folders(site, step, paid);
            println!(
                "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.4} | {} | {} | {:.4} |",
                step.name,
                step.changes.len(),
                free.stale.owed.len(),
                ours.paths,
                ours.needless,
                folders.paths,
                free.all.unchanged(),
                dear.paths,
                dear.needless,
                dear.cost.dollars(),
                folders_paid.paths,
                folders_paid.needless,
                folders_paid.cost.dollars(),
            );
        }
    }
}

/// How the free paths of a month are spent.
#[derive(Clone, Copy)]
enum Spending {
    /// Whatever is left, first come first served.
    Greedy,
    /// This deploy's share of what is left.
    Budgeted,
    Exact,
    All,
}

/// A year of daily deploys: paths and needless purges by the year, dollars for both.
fn years(site: &Site<'_>, sites: &[(String, Vec<Step>)]) {
    println!("| site | way | paths | needless | dollars for paths | dollars in all |");
    println!("|---|---|--:|--:|--:|--:|");
    for (name, steps) in sites {
        for (way, spending) in [
            ("budgeted", Spending::Budgeted),
            ("greedy", Spending::Greedy),
            ("exact", Spending::Exact),
            ("`/*`", Spending::All),
        ] {
            let (bill, paths) = year(site, steps, spending);
            println!(
                "| {name} | {way} | {} | {} | {:.2} | {:.2} |",
                bill.paths,
                bill.needless,
                paths.dollars(),
                bill.cost.dollars()
            );
        }
    }
}

fn year(site: &Site<'_>, steps: &[Step], spending: Spending) -> (Bill, Money) {
    let (mut year, mut path_cost) = (Bill::default(), Money(0));
    let mut kinds = steps.iter().cycle();
    for days in DAYS {
        let mut left = FREE_PATHS;
        for day in 1..=days {
            let Some(step) = kinds.next() else { continue };
            let (mode, free) = match spending {
                Spending::Greedy => (Mode::Cheapest, left),
                Spending::Budgeted => (Mode::Cheapest, share(left, day, days, 30)),
                Spending::Exact => (Mode::Exact, left),
                Spending::All => (Mode::All, left),
            };
            let cover = solve(site, step, mode, free).cover;
            // What the share did not pay for, the rest of the month's free paths do.
            let charged = cover.paths().saturating_sub(left);
            left = left.saturating_sub(cover.paths());
            let paths = Prices::default().path * charged;
            year.paths += cover.paths();
            year.needless += cover.unchanged();
            year.cost = year.cost + paths + cover.refetch_cost;
            path_cost = path_cost + paths;
        }
    }
    (year, path_cost)
}
