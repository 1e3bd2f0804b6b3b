//! What a style sheet refers to: `url()`, `@import` and fonts. Forgiving, and no more of CSS than that takes.

use super::page_facts::{LinkSort, PageFacts};

/// The most bytes of a URL: a longer one is a data URL, or no URL at all.
const MAX_URL_BYTES: usize = 4096;

/// Returns what is known of a style sheet.
pub fn read_style_sheet(css: &[u8]) -> PageFacts {
    let mut facts = PageFacts::default();
    add_style_links(css, &mut facts);
    facts.once()
}

/// Adds what a style sheet, or an attribute `style`, refers to. A style sheet that is imported is loaded, and of a font the first
/// source; all else is loaded where a rule for it applies.
pub(super) fn add_style_links(css: &[u8], facts: &mut PageFacts) {
    let mut reader = StyleReader {
        rest: css,
        imports: false,
        font: FontSource::None,
    };
    while let Some((sort, url)) = reader.next_url() {
        let url = String::from_utf8_lossy(url.trim_ascii());
        if url.len() <= MAX_URL_BYTES && !url.is_empty() && !url.contains(['\\', '\n']) {
            facts.refer(sort, &url);
        }
    }
}

struct StyleReader<'a> {
    rest: &'a [u8],
    /// An `@import` has begun.
    imports: bool,
    font: FontSource,
}

/// Where in a `@font-face` the reader is.
#[derive(PartialEq)]
enum FontSource {
    None,
    /// No source yet.
    First,
    Later,
}

impl<'a> StyleReader<'a> {
    /// Returns the next URL and how it is loaded.
    fn next_url(&mut self) -> Option<(LinkSort, &'a [u8])> {
        loop {
            let marks =
                |byte: &u8| matches!(byte, b'/' | b'@' | b'u' | b'U' | b'"' | b'\'' | b'}' | b';');
            let start = self.rest.iter().position(marks)?;
            let rest = self.rest.get(start..)?;
            if let Some(comment) = rest.strip_prefix(b"/*") {
                self.rest = split_once(comment, b"*/").map_or(&[], |(_, after)| after);
            } else if let Some(after) = strip_word(rest, b"@import") {
                (self.rest, self.imports) = (after, true);
            } else if let Some(after) = strip_word(rest, b"@namespace") {
                // A name that looks like a URL.
                self.rest = split_once(after, b";").map_or(&[], |(_, after)| after);
            } else if let Some(after) = strip_word(rest, b"@font-face") {
                (self.rest, self.font) = (after, FontSource::First);
            } else if let Some(after) = strip_word(rest, b"url(") {
                let url = self.function(after.trim_ascii_start());
                return Some((self.sort(), url));
            } else if let Some((url, after)) = quoted(rest) {
                self.rest = after;
                if self.imports {
                    return Some((self.sort(), url));
                }
            } else {
                let (mark, after) = rest.split_first()?;
                self.rest = after;
                match mark {
                    b';' => self.imports = false,
                    b'}' => self.font = FontSource::None,
                    _ => {}
                }
            }
        }
    }

    /// Reads what stands in the parentheses of `url()`.
    fn function(&mut self, text: &'a [u8]) -> &'a [u8] {
        let (url, after) = quoted(text)
            .or_else(|| split_once(text, b")"))
            .unwrap_or((text, &[]));
        self.rest = after;
        url
    }

    fn sort(&mut self) -> LinkSort {
        let first = self.font == FontSource::First;
        if first {
            self.font = FontSource::Later;
        }
        if std::mem::take(&mut self.imports) || first {
            LinkSort::Load
        } else {
            LinkSort::Offer
        }
    }
}

/// Returns what follows a word, in whichever case it is written.
fn strip_word<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (head, after) = text.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then_some(after)
}

/// Splits a text into what its quotes hold and what follows them; `None` where it begins with none.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (quote, inner) = text.split_first()?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let mut escaped = false;
    let end = inner.iter().position(|byte| {
        let ends = byte == quote && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    let (value, after) = inner.split_at(end.unwrap_or(inner.len()));
    Some((value, after.get(1..).unwrap_or_default()))
}

/// Splits a text around the first place at which it holds `mark`.
fn split_once<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = text.windows(mark.len()).position(|window| window == mark)?;
    let (before, rest) = text.split_at(start);
    Some((before, rest.strip_prefix(mark)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use LinkSort::{Load, Offer};

    #[test]
    fn a_style_sheet_says_what_it_loads() {
        for (css, expected) in [
            (
                "@import 'a.css'; b { background: url( \"/i.png\" ) }",
                vec![(Load, "a.css"), (Offer, "/i.png")],
            ),
            (
                "@IMPORT URL(x.css) screen; p { content: 'url' }",
                vec![(Load, "x.css")],
            ),
            (
                "@font-face { src: url('../f.woff2?v=1') format('woff2'), url(f.woff) } b { c: url(d.png)",
                vec![
                    (Load, "../f.woff2?v=1"),
                    (Offer, "f.woff"),
                    (Offer, "d.png"),
                ],
            ),
            (
                "/* url(no.png) */ a { b: url(yes.png) }",
                vec![(Offer, "yes.png")],
            ),
            (
                "a { content: \"url(no.png) \\\" /*\"; b: url(yes.png) }",
                vec![(Offer, "yes.png")],
            ),
            (
                "@namespace svg url(http://www.w3.org/2000/svg); b { c: url(d.png) }",
                vec![(Offer, "d.png")],
            ),
            ("b { c: url(", vec![]),
            ("b { c: url('x", vec![(Offer, "x")]),
            ("@import", vec![]),
            (
                "a { b: url(data:image/png;base64,xx) }",
                vec![(Offer, "data:image/png;base64,xx")],
            ),
        ] {
            let facts = read_style_sheet(css.as_bytes());
            let links = facts.links.iter().map(|link| (link.sort, &*link.to));
            assert_eq!(links.collect::<Vec<_>>(), expected, "{css}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes: Vec<u8>, css in "(@import|url\\(|@font-face|['\"(){};/* a@u\\\\]){0,30}") {
            read_style_sheet(&bytes);
            read_style_sheet(css.as_bytes());
        }
    }
}
