//! Reads a page as a browser's tokenizer does (WHATWG HTML, "Tokenization"), without a tree.

use html5gum::{Emitter, Error, State, Tokenizer, naive_next_state};

use super::page_facts::PageFacts;
use super::page_tag::PageTag;
use super::style_links::add_style_links;

/// A page with scripts and fewer bytes of text than this is made by them.
const LEAST_TEXT: usize = 200;

/// Returns what is known of a page. Whatever its bytes are, something is.
pub fn read_page(html: &[u8]) -> PageFacts {
    let mut reader = PageReader::default();
    // Of UTF-16 nothing is read.
    reader.facts.scripted = html.starts_with(b"\xff\xfe") || html.starts_with(b"\xfe\xff");
    let Ok(()) = Tokenizer::new_with_emitter(html, &mut reader).finish();
    reader.finish()
}

/// Takes what the tokenizer finds.
#[derive(Debug, Default)]
struct PageReader {
    facts: PageFacts,
    tag: PageTag,
    is_end_tag: bool,
    last_start_tag: Vec<u8>,
    /// What the element that is open says, where that is kept.
    text: Vec<u8>,
    within: TextPlace,
    /// How many `<template>`s are open, whose content is no part of the page yet.
    templates: usize,
    /// How many `<svg>`s and `<math>`s are open.
    foreign: usize,
    /// Bytes of text that a reader sees.
    seen: usize,
    has_scripts: bool,
}

/// Where text stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum TextPlace {
    #[default]
    Page,
    Title,
    Style,
    Script,
}

impl PageReader {
    fn finish(mut self) -> PageFacts {
        self.end_text();
        self.facts.scripted |= self.has_scripts && self.seen < LEAST_TEXT;
        self.facts.once()
    }

    fn take_text(&mut self, text: &[u8]) {
        match self.within {
            TextPlace::Title | TextPlace::Style => self.text.extend(text),
            TextPlace::Page => self.seen += text.trim_ascii().len(),
            TextPlace::Script => {}
        }
    }

    /// Takes the text of the element that ends.
    fn end_text(&mut self) {
        match std::mem::take(&mut self.within) {
            TextPlace::Title => {
                let text = String::from_utf8_lossy(&self.text);
                let words: Vec<&str> = text.split_whitespace().collect();
                // Another encoding's letters all read alike.
                let is_read = !words.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER);
                if self.facts.title.is_none() && is_read {
                    self.facts.title = Some(words.join(" ").into());
                }
            }
            TextPlace::Style => add_style_links(&self.text, &mut self.facts),
            _ => {}
        }
        self.text.clear();
    }

    fn start_tag(&mut self) -> Option<State> {
        self.last_start_tag.clone_from(&self.tag.name);
        let name = self.tag.name.as_slice();
        let closed = self.tag.self_closing && self.foreign > 0;
        match name {
            b"template" if self.tag.attribute("shadowrootmode").is_none() || self.templates > 0 => {
                self.templates += 1
            }
            b"svg" | b"math" if !self.tag.self_closing => self.foreign += 1,
            b"script" => self.has_scripts = true,
            _ => {}
        }
        if self.templates == 0 {
            self.tag.add_to(&mut self.facts);
        }
        if closed {
            return None;
        }
        self.within = match name {
            _ if self.templates > 0 => TextPlace::Script,
            b"title" if self.foreign == 0 => TextPlace::Title,
            b"style" => TextPlace::Style,
            b"script" => TextPlace::Script,
            _ => self.within,
        };
        // A reader without scripts follows what stands there.
        naive_next_state(name).filter(|_| name != b"noscript")
    }

    fn end_tag(&mut self) {
        match self.tag.name.as_slice() {
            b"template" => self.templates = self.templates.saturating_sub(1),
            b"svg" | b"math" => self.foreign = self.foreign.saturating_sub(1),
            b"title" | b"style" | b"script" => {}
            _ => return,
        }
        self.end_text();
    }
}

impl Emitter for &mut PageReader {
    type Token = std::convert::Infallible;

    fn set_last_start_tag(&mut self, name: Option<&[u8]>) {
        self.last_start_tag = name.unwrap_or_default().to_owned();
    }

    fn pop_token(&mut self) -> Option<Self::Token> {
        None
    }

    fn emit_string(&mut self, text: &[u8]) {
        self.take_text(text);
    }

    fn init_start_tag(&mut self) {
        self.tag = PageTag::default();
        self.is_end_tag = false;
    }

    fn init_end_tag(&mut self) {
        self.tag = PageTag::default();
        self.is_end_tag = true;
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        if self.is_end_tag {
            self.end_tag();
            return None;
        }
        self.start_tag()
    }

    fn set_self_closing(&mut self) {
        self.tag.self_closing = true;
    }

    fn push_tag_name(&mut self, text: &[u8]) {
        self.tag.name.extend(text);
    }

    fn init_attribute(&mut self) {
        self.tag.attributes.push(Default::default());
    }

    fn push_attribute_name(&mut self, text: &[u8]) {
        if let Some((name, _)) = self.tag.attributes.last_mut() {
            name.extend(text);
        }
    }

    fn push_attribute_value(&mut self, text: &[u8]) {
        if let Some((_, value)) = self.tag.attributes.last_mut() {
            value.extend(text);
        }
    }

    fn current_is_appropriate_end_tag_token(&mut self) -> bool {
        self.is_end_tag && self.tag.name == self.last_start_tag
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&mut self) -> bool {
        self.foreign > 0
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn emit_eof(&mut self) {}
    fn emit_error(&mut self, _: Error) {}
    fn init_comment(&mut self) {}
    fn emit_current_comment(&mut self) {}
    fn push_comment(&mut self, _: &[u8]) {}
    fn init_doctype(&mut self) {}
    fn emit_current_doctype(&mut self) {}
    fn set_force_quirks(&mut self) {}
    fn push_doctype_name(&mut self, _: &[u8]) {}
    fn set_doctype_public_identifier(&mut self, _: &[u8]) {}
    fn set_doctype_system_identifier(&mut self, _: &[u8]) {}
    fn push_doctype_public_identifier(&mut self, _: &[u8]) {}
    fn push_doctype_system_identifier(&mut self, _: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::page_facts::LinkSort;

    fn links(html: &str) -> Vec<(LinkSort, String)> {
        let links = read_page(html.as_bytes()).links.into_iter();
        links.map(|link| (link.sort, link.to.into())).collect()
    }

    #[test]
    fn a_page_says_what_it_is_and_what_may_be_named_in_it() {
        let facts = read_page(
            "<!doctype html><svg><title>icon</title></svg><title> A\n &amp; B </title><title>C</title>\
             <h1 id=one>x<a name='two'>y<p id=one><template><p id=three></template>"
                .as_bytes(),
        );
        assert_eq!(facts.title.as_deref(), Some("A & B"));
        assert_eq!(facts.anchors, ["one", "two"].map(Box::<str>::from));
        assert!(!facts.scripted);
        for untitled in [&b"<title> </title>"[..], b"<title>\x93\xfa\x96\x7b</title>"] {
            assert_eq!(read_page(untitled).title, None);
        }
    }

    #[test]
    fn a_page_that_scripts_make_is_known_by_its_emptiness() {
        let text = "a word ".repeat(LEAST_TEXT);
        for (html, scripted) in [
            (
                "<div id=root></div><script src=/main.js></script>".to_owned(),
                true,
            ),
            (
                format!("<script>{text}</script><style>{text}</style>"),
                true,
            ),
            (
                format!("<p>{text}</p><script src=/main.js></script>"),
                false,
            ),
            ("<p>short</p>".to_owned(), false),
        ] {
            assert_eq!(read_page(html.as_bytes()).scripted, scripted, "{html}");
        }
        // Neither are places known whose names are not UTF-8.
        for html in [
            b"<p id=gr\xfc\xdfe>",
            &b"\xff\xfe<\0p\0 \0i\0d\0=\0x\0>\0"[..],
        ] {
            assert!(read_page(html).scripted);
        }
    }

    #[test]
    fn references_are_told_apart_by_what_a_browser_does() {
        use LinkSort::{Base, Load, Mention, Offer, Visit};
        for (html, expected) in [
            ("<A HREF=' /a\n'>", vec![(Visit, "/a")]),
            (
                "<script src=a.js></script><script nomodule src=b.js></script>",
                vec![(Load, "a.js"), (Offer, "b.js")],
            ),
            (
                "<link rel='Stylesheet' href=a.css><link rel=stylesheet media=print href=b.css>",
                vec![(Load, "a.css"), (Offer, "b.css")],
            ),
            (
                "<link rel='shortcut icon' href=i.png><link rel=next href=2>",
                vec![(Offer, "i.png"), (Mention, "2")],
            ),
            (
                "<img src=a.png srcset='a,b.png 1x, c.png'>",
                vec![(Load, "a.png"), (Offer, "a,b.png"), (Offer, "c.png")],
            ),
            (
                "<style>@import 'a.css'; b{c:url(d.png)}</style>",
                vec![(Load, "a.css"), (Offer, "d.png")],
            ),
            (
                "<video src=v.mp4 poster=p.png></video><base href=/x/>",
                vec![(Offer, "v.mp4"), (Offer, "p.png"), (Base, "/x/")],
            ),
            (
                "<svg><style/><image href=i.png /><a xlink:href=/b></svg>",
                vec![(Load, "i.png"), (Visit, "/b")],
            ),
            (
                "<template shadowrootmode=open><a href=/a></template><template><template></template><a href=/b></template>",
                vec![(Visit, "/a")],
            ),
            (
                "<a href=/a><a href=/a><img src=/a>",
                vec![(Visit, "/a"), (Load, "/a")],
            ),
            (
                "<textarea><a href=/a></textarea><title><a href=/b></title>",
                vec![],
            ),
            ("<a href=/a href=/b x", vec![]),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(sort, to)| (sort, to.to_owned()))
                .collect();
            assert_eq!(links(html), expected, "{html}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes: Vec<u8>, html in "(</?(a|svg|title|style|script|template|textarea|base)|[<>= \"'/!-]|href=|srcset=|id=x|&#x|é){0,40}") {
            read_page(&bytes);
            read_page(html.as_bytes());
        }
    }
}
