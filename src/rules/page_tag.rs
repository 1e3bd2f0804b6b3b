//! What each element of a page refers to, by the WHATWG's list of attributes ("Attributes", HTML Standard).

use super::page_facts::{LinkSort, PageFacts};
use super::style_links::add_style_links;

/// A tag with its attributes.
#[derive(Debug, Default)]
pub(super) struct PageTag {
    pub(super) name: Vec<u8>,
    /// Names and values; of several with the same name the first counts.
    pub(super) attributes: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) self_closing: bool,
}

impl PageTag {
    /// Returns the value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        let (_, value) = all.find(|(own, _)| own == name.as_bytes())?;
        std::str::from_utf8(value).ok()
    }

    fn attribute_is(&self, name: &str, text: &str) -> bool {
        self.attribute(name)
            .is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(text))
    }

    /// Adds the place that fragments may name, and what the element refers to.
    pub(super) fn add_to(&self, facts: &mut PageFacts) {
        for (name, value) in &self.attributes {
            let name = name.as_slice();
            let Ok(value) = std::str::from_utf8(value) else {
                // A place whose name is in some other encoding.
                facts.scripted |= matches!(name, b"id" | b"name");
                continue;
            };
            match name {
                b"id" if !value.is_empty() => facts.anchors.push(value.into()),
                b"name" if self.name == b"a" && !value.is_empty() => {
                    facts.anchors.push(value.into())
                }
                b"style" => add_style_links(value.as_bytes(), facts),
                b"srcset" | b"imagesrcset" => add_candidates(value, facts),
                b"content" if self.name == b"meta" => self.add_refresh(value, facts),
                b"href" | b"src" | b"poster" | b"data" | b"action" | b"xlink:href" => {
                    facts.refer(self.sort(name), value)
                }
                _ => {}
            }
        }
    }

    /// Returns what a browser does with the URL in this attribute.
    fn sort(&self, attribute: &[u8]) -> LinkSort {
        match (self.name.as_slice(), attribute) {
            // A button that a script answers.
            (b"a", b"href") if self.names_place() && self.attribute("onclick").is_some() => {
                LinkSort::Mention
            }
            (b"a" | b"area", b"href" | b"xlink:href") => LinkSort::Visit,
            (b"base", b"href") => LinkSort::Base,
            (b"link", b"href") => self.link_sort(),
            // Old browsers alone load it.
            (b"script", b"src") if self.attribute("nomodule").is_some() => LinkSort::Offer,
            (b"script", b"src" | b"href" | b"xlink:href") => LinkSort::Load,
            (b"img" | b"input", b"src") => LinkSort::Load,
            (b"image" | b"use" | b"feimage", b"href" | b"xlink:href") => LinkSort::Load,
            (
                b"iframe" | b"frame" | b"embed" | b"video" | b"audio" | b"source" | b"track",
                b"src",
            ) => LinkSort::Offer,
            (b"video", b"poster") | (b"object", b"data") => LinkSort::Offer,
            // What is posted goes to a server that is not S3.
            (b"form", b"action") if !self.attribute_is("method", "post") => LinkSort::Visit,
            _ => LinkSort::Mention,
        }
    }

    fn names_place(&self) -> bool {
        self.attribute("href")
            .is_some_and(|href| href.trim_ascii_start().starts_with('#'))
    }

    fn link_sort(&self) -> LinkSort {
        let rel = self.attribute("rel").unwrap_or_default();
        let is = |name: &str| {
            let mut words = rel.split_ascii_whitespace();
            words.any(|word| word.eq_ignore_ascii_case(name))
        };
        let is_feed = |kind: &str| self.attribute_is("type", kind);
        if is("stylesheet") {
            let later = is("alternate") || self.attribute_is("media", "print");
            return if later {
                LinkSort::Offer
            } else {
                LinkSort::Load
            };
        }
        let loads = [
            "icon",
            "apple-touch-icon",
            "mask-icon",
            "manifest",
            "preload",
            "modulepreload",
        ];
        if loads.into_iter().any(is) {
            return LinkSort::Offer;
        }
        // A reader subscribes to it.
        let feeds = [
            "application/rss+xml",
            "application/atom+xml",
            "application/feed+json",
        ];
        if is("alternate") && feeds.into_iter().any(is_feed) {
            return LinkSort::Visit;
        }
        LinkSort::Mention
    }

    fn add_refresh(&self, content: &str, facts: &mut PageFacts) {
        if !self.attribute_is("http-equiv", "refresh") {
            return;
        }
        let after = content
            .split_once([';', ','])
            .map(|(_, after)| after.trim_ascii());
        let Some((name, url)) = after.and_then(|after| after.split_once('=')) else {
            return;
        };
        if name.trim_ascii().eq_ignore_ascii_case("url") {
            facts.refer(LinkSort::Visit, url.trim_matches(['\'', '"', ' ']));
        }
    }
}

/// Adds the URLs of a `srcset`: each ends at white space, or at a comma that white space follows.
fn add_candidates(value: &str, facts: &mut PageFacts) {
    let mut rest = value;
    loop {
        rest =
            rest.trim_start_matches(|letter: char| letter.is_ascii_whitespace() || letter == ',');
        let end = rest.find(|letter: char| letter.is_ascii_whitespace());
        let (url, after) = rest.split_at(end.unwrap_or(rest.len()));
        if url.is_empty() {
            return;
        }
        facts.refer(LinkSort::Offer, url.trim_end_matches(','));
        rest = if url.ends_with(',') {
            after
        } else {
            // A comma in parentheses would be no end, but no descriptor has any yet.
            after.split_once(',').map_or("", |(_, next)| next)
        };
    }
}
