//! In how many steps the pages of an edit go live: what leads to a new page follows it, and all else goes at once.

use std::collections::{BTreeSet, HashMap};

use super::page::Rank;

/// More steps than these are no longer worth their round trips: then names alone give the order.
const MOST: u16 = 4;

/// A page that is to go live.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    pub key: &'a str,
    /// Its rank by its name: of a new page where it is a step, else of one that is live.
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
        .map(|(at, page)| match &page.links {
            Some(links) => {
                let links = links.iter().filter_map(|link| names.get(link.as_str()));
                links.copied().filter(|to| *to != at).collect()
            }
            None if page.is_new() => BTreeSet::new(),
            None => names.values().copied().collect(),
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
    use super::super::page::{Stage, rank};
    use super::*;

    /// Ranks of pages given as `+key` where new, `key` where live, with what they lead to.
    fn ranks(pages: &[(&str, &[&str])]) -> Option<Vec<String>> {
        let pages: Vec<Page> = (pages.iter())
            .map(|(name, links)| {
                let key = name.trim_start_matches('+');
                Page {
                    key,
                    rank: rank(key, Stage::Page, key != *name),
                    links: (*links != ["?"])
                        .then(|| links.iter().map(|&link| link.to_owned()).collect()),
                }
            })
            .collect();
        let ranks = waves(&pages)?;
        Some(ranks.iter().map(|rank| format!("{rank:?}")).collect())
    }

    #[test]
    fn what_leads_to_a_new_page_follows_it() {
        for (pages, expected) in [
            // Nobody leads there: at once.
            (&[("+a.html", &[][..]), ("b.html", &["c.html"])][..], "0 0"),
            (
                &[("+p/a/index.html", &[]), ("index2.html", &["p/a/"])],
                "0 Live",
            ),
            (
                &[
                    ("+p/a/index.html", &[]),
                    ("b.html", &["p/a"]),
                    ("c.html", &[]),
                ],
                "0 Live 0",
            ),
            (&[("+p/a.html", &[]), ("b.html", &["p/a"])], "0 Live"),
            // By what leads where, not by depth.
            (&[("+a.html", &[]), ("+x/y/b.html", &["a.html"])], "0 1"),
            (
                &[
                    ("+a.html", &[]),
                    ("+b.html", &["a.html"]),
                    ("c.html", &["a.html"]),
                ],
                "0 1 1",
            ),
            (
                &[
                    ("+a.html", &[]),
                    ("+b.html", &["a.html"]),
                    ("c.html", &["b.html"]),
                ],
                "0 1 Live",
            ),
            // To itself, in a circle at one depth, and at two.
            (&[("+a.html", &["a.html"]), ("b.html", &[])], "0 0"),
            (
                &[
                    ("+a.html", &["b.html"]),
                    ("+b.html", &["a.html"]),
                    ("c.html", &["a"]),
                ],
                "0 0 Live",
            ),
            (
                &[("+p/a.html", &["b.html"]), ("+b.html", &["p/a.html"])],
                "0 1",
            ),
            // Unknown links may lead anywhere.
            (&[("+a.html", &[]), ("b.html", &["?"])], "0 Live"),
            (&[("+a.html", &["?"]), ("b.html", &["a.html"])], "0 Live"),
        ] {
            let ranks = ranks(pages).unwrap().join(" ");
            let short = ranks.replace("Page(", "").replace(')', "");
            assert_eq!(short, expected, "{pages:?}");
        }
    }

    #[test]
    fn a_long_chain_goes_by_names() {
        let chain: Vec<(String, String)> = (0..6)
            .map(|at| (format!("+{at}.html"), format!("{}.html", at + 1)))
            .collect();
        let links: Vec<[&str; 1]> = chain.iter().map(|(_, to)| [to.as_str()]).collect();
        let pages: Vec<(&str, &[&str])> = (chain.iter().zip(&links))
            .map(|((from, _), to)| (from.as_str(), to.as_slice()))
            .collect();
        assert_eq!(ranks(&pages[..4]).map(|ranks| ranks.len()), Some(4));
        assert_eq!(ranks(&pages), None);
    }
}
