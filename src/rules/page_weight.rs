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
    table: &PageTable,
    site: &LinkSite,
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
        let mut loaded = HashSet::new();
        scale.load(page.key.as_str(), &mut loaded);
        let bytes = loaded.iter().map(|key| size(key)).sum();
        (page.key, bytes)
    });
    // Of several the first.
    weighed.reduce(|heavy, page| if page.1 > heavy.1 { page } else { heavy })
}

struct PageScale<'a> {
    table: &'a PageTable,
    site: &'a LinkSite<'a>,
    contents: HashMap<&'a str, Md5>,
    /// What each page and style sheet loads by itself.
    loads: HashMap<String, Vec<String>>,
}

impl PageScale<'_> {
    /// Adds a file and all that it loads, style sheets' imports among it.
    fn load(&mut self, key: &str, loaded: &mut HashSet<String>) {
        let mut open = vec![key.to_owned()];
        while let Some(key) = open.pop() {
            if loaded.insert(key.clone()) {
                open.extend(self.own_loads(&key));
            }
        }
    }

    fn own_loads(&mut self, key: &str) -> Vec<String> {
        if let Some(loads) = self.loads.get(key) {
            return loads.clone();
        }
        let content = self.contents.get(key);
        let Some(facts) = content.and_then(|content| self.table.page(content)) else {
            return Vec::new();
        };
        let href = facts.base().map(|base| self.table.text(base));
        let base = self.site.base(key, href);
        let links = facts.links().filter(|(sort, _)| *sort == LinkSort::Load);
        let loads =
            links.filter_map(|(_, text)| self.site.loaded(base.as_deref(), self.table.text(text)));
        let loads: Vec<String> = loads.map(str::to_owned).collect();
        self.loads.insert(key.to_owned(), loads.clone());
        loads
    }
}
