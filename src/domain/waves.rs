//! In how many steps pages go live: what leads to a new page follows it, and all else goes at once. A folder's index is taken to
//! lead to all pages beneath it.

use std::collections::{BTreeSet, HashMap};

use super::page::{Rank, folder_of_index};

/// More steps than these are no longer worth their round trips: then names alone give the order.
const MOST: u16 = 4;

/// The steps of new pages by their names alone: an index follows the pages beneath it. Keys come sorted, and steps in their order.
pub fn heights<'a>(keys: impl IntoIterator<Item = &'a str>) -> Vec<u16> {
    let mut heights = Vec::new();
    // The folders that the last key lies in.
    let mut open = vec![Folder::default()];
    for (at, key) in keys.into_iter().enumerate() {
        heights.push(0);
        while let Some(folder) = open.pop_if(|folder| !key.starts_with(folder.name)) {
            close(folder, &mut open, &mut heights);
        }
        let known = open.last().map_or(0, |folder| folder.name.len());
        let ends = key.match_indices('/').map(|(at, _)| at + 1);
        let names = ends.filter_map(|end| key.get(..end));
        open.extend(names.filter(|name| name.len() > known).map(|name| Folder {
            name,
            ..Folder::default()
        }));
        if let Some(folder) = open.last_mut() {
            match folder_of_index(key) {
                Some(_) => folder.index = Some(at),
                None => folder.next = folder.next.max(1),
            }
        }
    }
    while let Some(folder) = open.pop() {
        close(folder, &mut open, &mut heights);
    }
    heights
}

/// A folder some of whose pages were seen.
#[derive(Default)]
struct Folder<'a> {
    /// With its final `/`; the root's is empty.
    name: &'a str,
    /// The place of its index.
    index: Option<usize>,
    /// The step after all pages that lie in it and beneath.
    next: u16,
}

/// All of a folder was seen: its index has its step.
fn close(folder: Folder, open: &mut [Folder], heights: &mut [u16]) {
    let mut next = folder.next;
    if let Some(height) = folder.index.and_then(|at| heights.get_mut(at)) {
        *height = next;
        next += 1;
    }
    if let Some(parent) = open.last_mut() {
        parent.next = parent.next.max(next);
    }
}

/// A page that is to go live.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    pub key: &'a str,
    /// Its rank by its name: a new page's is a step, after [`heights`].
    pub rank: Rank,
    /// Request paths that it leads to, as [`super::links::html_links`] gives them; `None`: unknown, so that it may lead anywhere.
    pub links: Option<BTreeSet<String>>,
}

impl Page<'_> {
    fn is_new(&self) -> bool {
        matches!(self.rank, Rank::Page(_))
    }
}

/// The ranks of these pages, one each, by what leads where; `None`: they would take too many steps.
///
/// Where new pages lead to each other in a circle, the first of them by name break it.
pub fn waves(pages: &[Page]) -> Option<Vec<Rank>> {
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (at, page) in pages.iter().enumerate().filter(|(_, page)| page.is_new()) {
        names.extend(request_paths(page.key).into_iter().map(|path| (path, at)));
    }
    let leads_to: Vec<BTreeSet<usize>> = (pages.iter().enumerate())
        .map(|(at, page)| {
            let mut to: BTreeSet<usize> = match &page.links {
                Some(links) => (links.iter())
                    .filter_map(|link| names.get(link.as_str()).copied())
                    .collect(),
                None if page.is_new() => BTreeSet::new(),
                None => names.values().copied().collect(),
            };
            if let Some(folder) = folder_of_index(page.key) {
                let beneath = pages.iter().enumerate();
                let beneath = beneath.filter(|(_, it)| it.is_new() && it.key.starts_with(folder));
                to.extend(beneath.map(|(at, _)| at));
            }
            to.remove(&at);
            to
        })
        .collect();
    let mut steps: HashMap<usize, u16> = HashMap::new();
    let mut left: BTreeSet<usize> = names.values().copied().collect();
    let mut step = 0;
    while !left.is_empty() {
        if step == MOST {
            return None;
        }
        let free = |at: &usize| leads_to.get(*at).is_some_and(|to| to.is_disjoint(&left));
        let mut next: Vec<usize> = left.iter().copied().filter(free).collect();
        if next.is_empty() {
            let rank = |at: &usize| pages.get(*at).map(|page| page.rank);
            let first = left.iter().map(rank).min();
            next = (left.iter().copied())
                .filter(|at| Some(rank(at)) == first)
                .collect();
        }
        for at in next {
            left.remove(&at);
            steps.insert(at, step);
        }
        step += 1;
    }
    let rank = |(at, to): (usize, &BTreeSet<usize>)| match steps.get(&at) {
        Some(step) => Rank::Page(*step),
        None => match to.iter().filter_map(|at| steps.get(at)).max() {
            None => Rank::Page(0),
            Some(last) if last + 1 == step => Rank::Live,
            Some(last) => Rank::Page(last + 1),
        },
    };
    Some(leads_to.iter().enumerate().map(rank).collect())
}

/// What a page may be asked for by.
fn request_paths(key: &str) -> Vec<&str> {
    let mut paths = vec![key];
    let (stem, extension) = key.rsplit_once('.').unwrap_or((key, ""));
    if matches!(extension, "html" | "htm") {
        paths.push(stem);
        if let Some(folder) = stem.strip_suffix("index") {
            paths.extend([folder, folder.trim_end_matches('/')]);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_follows_what_lies_beneath() {
        let pages = [
            ("404.html", 0),
            ("about/index.html", 0),
            ("tags/x/page/2/index.html", 0),
            ("tags/x/index.html", 1),
            ("tags/y/index.html", 0),
            ("tags/index.html", 2),
            ("tags/z.html", 0),
            ("tagsandmore/index.html", 0),
            ("index.html", 3),
        ];
        let keys = pages.map(|(key, _)| key);
        assert_eq!(heights(keys), pages.map(|(_, height)| height));
    }

    /// Ranks of pages, given as `key>link,link`, `+key` where they are new.
    fn ranks(pages: &str) -> Option<String> {
        let parsed: Vec<(bool, &str, &str)> = (pages.split(' '))
            .map(|page| {
                let (name, links) = page.split_once('>').unwrap_or((page, ""));
                let key = name.trim_start_matches('+');
                (name != key, key, links)
            })
            .collect();
        let heights = heights(parsed.iter().map(|(_, key, _)| *key));
        let pages: Vec<Page> = (parsed.iter().zip(heights))
            .map(|((new, key, links), height)| Page {
                key,
                rank: match new {
                    true => Rank::Page(height),
                    false => Rank::Live,
                },
                links: (*links != "?").then(|| links.split(',').map(str::to_owned).collect()),
            })
            .collect();
        let ranks = waves(&pages)?;
        let ranks = ranks.iter().map(|rank| match rank {
            Rank::Page(step) => step.to_string(),
            other => format!("{other:?}"),
        });
        Some(ranks.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_leads_to_a_new_page_follows_it() {
        for (pages, expected) in [
            // Nobody leads there: at once.
            ("+a.html b.html>c.html", "0 0"),
            ("+p/a/index.html b.html>p/a/", "0 Live"),
            ("+p/a/index.html b.html>p/a c.html", "0 Live 0"),
            ("+p/a.html b.html>p/a", "0 Live"),
            // By what leads where, not by depth.
            ("+a.html +x/y/b.html>a.html", "0 1"),
            ("+a.html +b.html>a.html c.html>a.html", "0 1 1"),
            ("+a.html +b.html>a.html c.html>b.html", "0 1 Live"),
            // An index may lead to all beneath it, however it does.
            ("+p/a.html p/index.html", "0 Live"),
            ("+p/a/b.html +p/index.html q/index.html", "0 1 0"),
            // To itself, and in circles.
            ("+a.html>a.html b.html", "0 0"),
            ("+a.html>b.html +b.html>a.html c.html>a", "0 0 Live"),
            ("+p/a.html>p/ +p/index.html>p/a.html", "0 1"),
            // Unknown links may lead anywhere.
            ("+a.html b.html>?", "0 Live"),
            ("+a.html>? b.html>a.html", "0 Live"),
        ] {
            assert_eq!(ranks(pages).as_deref(), Some(expected), "{pages}");
        }
    }

    #[test]
    fn a_long_chain_goes_by_names() {
        let chain = [
            "+1.html>2.html",
            "+2.html>3.html",
            "+3.html>4.html",
            "+4.html>5.html",
        ];
        assert_eq!(ranks(&chain.join(" ")).as_deref(), Some("3 2 1 0"));
        assert_eq!(ranks(&(chain.join(" ") + " +5.html")), None);
    }
}
