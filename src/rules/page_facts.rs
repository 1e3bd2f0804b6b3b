//! What a page says of itself and what it refers to, as far as links are concerned.

/// What is known of one page or style sheet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageFacts {
    /// The text of its `<title>`, white space joined; none where it is empty.
    pub title: Option<Box<str>>,
    /// What fragments may name in it: `id`s, and `name`s of `<a>`.
    pub anchors: Vec<Box<str>>,
    /// In the order of the page, each once.
    pub links: Vec<PageLink>,
}

/// One reference of a page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageLink {
    pub sort: LinkSort,
    /// As the page writes it, character references read; not yet resolved against `<base>` or the page's own URL.
    pub to: Box<str>,
}

/// What a browser does with a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkSort {
    /// Goes there when the reader asks for it.
    Visit,
    /// Loads it to show the page.
    Load,
    /// Does neither by itself: a canonical URL, a hint, a feed.
    Mention,
    /// Resolves the others against it: `<base href>`.
    Base,
}
