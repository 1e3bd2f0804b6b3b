//! Reads the pages of an edit for what leads where, so that they go live in as few steps as keep visits whole.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::source::Source;
use crate::domain::links::{html_links, resolve};
use crate::domain::page::{Rank, is_page};
use crate::domain::waves::{Page, waves};
use crate::plan::{Change, Plan};

/// With more new pages, or more changed ones, or none that is live, it is no longer an edit: names alone give the order.
const MOST_NEW: usize = 200;
const MOST: usize = 1_000;
/// Bytes past which a page is not read; it may lead anywhere.
const LONG: u64 = 1 << 20;

/// A page to be read.
struct Unread {
    at: usize,
    /// Its path in the build: links lead there, and start from there.
    name: String,
    rank: Rank,
    /// Where a redirect leads.
    redirect: Option<String>,
    file: Option<PathBuf>,
}

/// Orders the plan's pages by their links.
pub async fn order(plan: &mut Plan, source: &Source, prefix: &str) {
    let pages = (plan.changes.iter().enumerate()).filter(|(_, change)| is_step(change));
    let pages: Vec<Unread> = pages
        .map(|(at, change)| unread(at, change, source))
        .take(MOST + 1)
        .collect();
    let new = (pages.iter()).filter(|page| matches!(page.rank, Rank::Page(_)));
    let new = new.count();
    if new == 0 || new == pages.len() || new > MOST_NEW || pages.len() > MOST {
        return;
    }
    let prefix = prefix.to_owned();
    let ranks = spawn_blocking(move || {
        let read: Vec<Page> = pages.iter().map(|page| read(page, &prefix)).collect();
        let ranks = waves(&read)?;
        let at = pages.iter().map(|page| page.at);
        Some(at.zip(ranks).collect::<Vec<_>>())
    });
    for (at, rank) in ranks.await.ok().flatten().unwrap_or_default() {
        if let Some(change) = plan.changes.get_mut(at) {
            change.rank = rank;
        }
    }
    plan.sort();
}

/// Whether it is a page, but not the root.
fn is_step(change: &Change) -> bool {
    match change.rank {
        Rank::Page(_) => true,
        Rank::Live => (change.headers.content_type.as_deref()).is_some_and(is_page),
        Rank::Asset | Rank::Linking | Rank::Root => false,
    }
}

fn unread(at: usize, change: &Change, source: &Source) -> Unread {
    let file = source.file(change.key.as_str());
    let name = file.map_or(&change.key, |file| file.name());
    let short = file.filter(|file| file.size <= LONG);
    Unread {
        at,
        name: name.to_string(),
        rank: change.rank,
        redirect: change.headers.redirect.clone(),
        file: short.map(|file| file.path(source.root())),
    }
}

fn read<'a>(page: &'a Unread, prefix: &str) -> Page<'a> {
    let any = ["*"];
    let links = match (&page.redirect, &page.file) {
        (Some(to), _) => Some(resolve(&page.name, to, &any).into_iter().collect()),
        (None, Some(file)) => links(file, &page.name, &any),
        (None, None) => None,
    };
    // The build's links may be meant from the root of the host or of the site.
    let links = links.map(|links: BTreeSet<String>| {
        let bare = |link: String| match link.strip_prefix(prefix) {
            Some(bare) => bare.to_owned(),
            None => link,
        };
        links.into_iter().map(bare).collect()
    });
    Page {
        key: &page.name,
        rank: page.rank,
        links,
    }
}

fn links(file: &Path, name: &str, hosts: &[&str]) -> Option<BTreeSet<String>> {
    // Unreadable now, it fails by name when it is uploaded.
    let html = std::fs::read(file).ok()?;
    Some(html_links(name, &html, hosts))
}
