//! What a style sheet refers to: `url()`, `@import` and fonts. Forgiving, and no more of CSS than that takes.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::page_facts::{LinkSort, PageFacts};

/// The most bytes of a URL: a longer one is a data URL, or no URL at all.
const MAX_URL_BYTES: usize = 4096;

/// What counts in a style sheet: comments, at-rules, texts in quotes, URLs, and what ends a rule. A namespace is a name that looks
/// like a URL.
static MARK: LazyLock<Regex> = LazyLock::new(|| {
    let marks = [
        r"/\*.*?(?:\*/|\z)",
        r"@namespace[^;]*",
        r"(?<import>@import)",
        r"(?<font>@font-face)",
        r#"(?<url>url\(\s*)?(?:"(?<double>(?:\\.?|[^"\\])*)"?|'(?<single>(?:\\.?|[^'\\])*)'?)"#,
        r"url\((?<bare>[^)]*)",
        r"[;}]",
    ];
    Regex::new(&format!("(?is-u){}", marks.join("|"))).expect("constant")
});

/// Returns what is known of a style sheet.
pub fn read_style_sheet(css: &[u8]) -> PageFacts {
    let mut facts = PageFacts::default();
    add_style_links(css, &mut facts);
    facts.once()
}

/// Adds what a style sheet, or an attribute `style`, refers to. A style sheet that is imported is loaded, and of a font the first
/// source; all else is loaded where a rule for it applies.
pub(super) fn add_style_links(css: &[u8], facts: &mut PageFacts) {
    // An `@import` has begun, or a `@font-face` of which no source was seen.
    let (mut imports, mut sourceless) = (false, false);
    for mark in MARK.captures_iter(css) {
        let is = |name: &str| mark.name(name).is_some();
        imports = (imports || is("import")) && &mark[0] != b";";
        sourceless = (sourceless || is("font")) && &mark[0] != b"}";
        let texts = ["double", "single", "bare"].into_iter();
        let text = texts.filter_map(|name| mark.name(name)).next();
        let Some(url) = text.filter(|_| imports || is("url") || is("bare")) else {
            continue;
        };
        let sort = if imports || sourceless {
            LinkSort::Load
        } else {
            LinkSort::Offer
        };
        (imports, sourceless) = (false, false);
        let url = String::from_utf8_lossy(url.as_bytes().trim_ascii());
        if url.len() <= MAX_URL_BYTES && !url.is_empty() && !url.contains(['\\', '\n']) {
            facts.refer(sort, &url);
        }
    }
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
