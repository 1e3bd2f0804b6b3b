//! What a page comes to with all that it loads.

use std::collections::{HashMap, HashSet};

use super::link_check::CheckedPage;
use super::link_site::LinkSite;
use super::page_facts::LinkSort;
use super::page_table::PageTable;
use crate::object::{Key, Md5};

/// Returns the page that comes to the most bytes with what it loads from the site itself, each file once, and how many these are.
/// `size` tells the bytes of a key.
pub fn heaviest_page<'a>(
    pages: &[CheckedPage<'a>],
    table: &'a PageTable,
    site: &'a LinkSite<'a>,
    size: &dyn Fn(&str) -> u64,
) -> Option<(&'a Key, u64)> {
    let contents = pages.iter().map(|page| (page.key.as_str(), page.content));
    let mut scale = PageScale {
        table,
        site,
        contents: contents.collect(),
        loads: HashMap::new(),
    };
    let weighed = pages.iter().filter(|page| page.page).map(|page| {
        let loaded = scale.load(page.key.as_str());
        (page.key, loaded.into_iter().map(size).sum())
    });
    // Of several the first.
    weighed.reduce(|heavy, page| if page.1 > heavy.1 { page } else { heavy })
}

struct PageScale<'a> {
    table: &'a PageTable,
    site: &'a LinkSite<'a>,
    contents: HashMap<&'a str, Md5>,
    /// What each page and style sheet loads by itself.
    loads: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> PageScale<'a> {
    /// Returns a file and all that it loads, style sheets' imports among it.
    fn load(&mut self, key: &'a str) -> HashSet<&'a str> {
        let mut loaded = HashSet::new();
        let mut open = vec![key];
        while let Some(key) = open.pop() {
            if loaded.insert(key) {
                let loads = self
                    .loads
                    .remove(key)
                    .unwrap_or_else(|| self.own_loads(key));
                open.extend(&loads);
                self.loads.insert(key, loads);
            }
        }
        loaded
    }

    fn own_loads(&self, key: &str) -> Vec<&'a str> {
        let content = self.contents.get(key);
        let Some(facts) = content.and_then(|content| self.table.page(content)) else {
            return Vec::new();
        };
        let href = facts.base().map(|base| self.table.text(base));
        let base = self.site.base(key, href);
        let links = facts.links.iter();
        let links = links.filter(|(sort, _)| *sort == LinkSort::Load);
        let texts = links.map(|(_, text)| self.table.text(*text));
        let loads = texts.filter_map(|text| self.site.loaded(base.as_deref(), text));
        loads.collect()
    }
}
