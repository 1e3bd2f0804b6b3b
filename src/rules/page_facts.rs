//! What a page says of itself and what it refers to, as far as links are concerned.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// What is known of one page or style sheet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageFacts {
    /// The text of its `<title>`, white space joined; none where it is empty.
    pub title: Option<Box<str>>,
    /// What fragments may name in it: `id`s, and `name`s of `<a>`.
    pub anchors: Vec<Box<str>>,
    /// In the order of the page, each once.
    pub links: Vec<PageLink>,
    /// Whether its anchors are not known: next to nothing stands in it before its scripts run, or it is in some other encoding.
    pub scripted: bool,
}

/// One reference of a page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageLink {
    pub sort: LinkSort,
    /// As the page writes it, character references read; not yet resolved against `<base>` or the page's own URL.
    pub to: Box<str>,
}

/// What a browser does with a reference. One letter each where many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LinkSort {
    /// Goes there when the reader asks for it.
    #[serde(rename = "v")]
    Visit,
    /// Loads it to show the page.
    #[serde(rename = "l")]
    Load,
    /// Loads it perhaps: one of several, or later. A candidate of `srcset`, a background, a frame, an icon.
    #[serde(rename = "o")]
    Offer,
    /// Does neither by itself: a canonical URL, a hint, a form that is posted.
    #[serde(rename = "m")]
    Mention,
    /// Resolves the others against it: `<base href>`.
    #[serde(rename = "b")]
    Base,
}

impl PageFacts {
    /// Notes a reference; white space around it counts for nothing (WHATWG URL, "basic URL parser").
    pub(super) fn refer(&mut self, sort: LinkSort, to: &str) {
        let to = to.trim_matches(|letter: char| letter <= ' ');
        self.links.push(PageLink {
            sort,
            to: to.into(),
        });
    }

    /// Leaves each reference and anchor once.
    pub(super) fn once(mut self) -> Self {
        distinct(&mut self.links);
        distinct(&mut self.anchors);
        self
    }
}

fn distinct<T: Clone + Eq + std::hash::Hash>(list: &mut Vec<T>) {
    let mut seen = HashSet::with_capacity(list.len());
    list.retain(|item| seen.insert(item.clone()));
}
