//! Pages: objects that name assets and other pages; and the assets.

use crate::object::headers::essence;
use crate::object::key::file_name;

/// Tells whether an object of this Content-Type is a page, which is HTML.
pub fn is_page(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence.eq_ignore_ascii_case("text/html")
        || essence.eq_ignore_ascii_case("application/xhtml+xml")
}

/// Tells whether an object of this Content-Type is a script, a style sheet, a font or an image.
pub fn is_asset(content_type: &str) -> bool {
    let essence = essence(content_type).to_ascii_lowercase();
    let (sort, kind) = essence.split_once('/').unwrap_or((&essence, ""));
    matches!(sort, "font" | "image")
        || matches!(kind, "javascript" | "css" | "wasm" | "vnd.ms-fontobject")
}

/// Tells whether readers keep the URL of an object: of a page, a PDF or a feed, not of what pages load. Generators call feeds by a few
/// names, whose type is that of any XML or JSON.
pub fn is_bookmarked(key: &str, content_type: &str) -> bool {
    let essence = essence(content_type).to_ascii_lowercase();
    let name = file_name(key);
    let by_name = || {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        matches!(
            (stem, ending),
            ("feed" | "rss" | "atom" | "index", "xml") | ("feed", "json")
        )
    };
    is_page(&essence)
        || matches!(
            essence.as_str(),
            "application/pdf"
                | "application/rss+xml"
                | "application/atom+xml"
                | "application/feed+json"
        )
        || by_name()
}

/// Returns the folder, with its final `/`, of which the key is the index document; `""` is the root.
pub fn folder_of_index(key: &str) -> Option<&str> {
    let name = file_name(key);
    let is_index = matches!(name, "" | "index.html" | "index.htm");
    key.strip_suffix(name).filter(|_| is_index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pages_load_is_an_asset() {
        for (content_type, asset) in [
            ("text/javascript; charset=utf-8", true),
            ("application/javascript", true),
            ("Text/CSS", true),
            ("font/woff2", true),
            ("application/vnd.ms-fontobject", true),
            ("image/svg+xml", true),
            ("application/wasm", true),
            ("text/html", false),
            ("application/json", false),
            ("application/pdf", false),
            ("video/mp4", false),
            ("", false),
        ] {
            assert_eq!(is_asset(content_type), asset, "{content_type}");
        }
    }

    #[test]
    fn readers_keep_the_urls_of_pages_papers_and_feeds() {
        for (key, content_type, kept) in [
            ("about/index.html", "text/html; charset=utf-8", true),
            ("about", "text/html", true),
            ("cv.pdf", "application/pdf", true),
            ("blog/feed.xml", "application/xml; charset=utf-8", true),
            ("index.xml", "text/xml", true),
            ("feed.json", "application/json", true),
            ("posts.rss", "application/rss+xml; charset=utf-8", true),
            ("sitemap.xml", "application/xml", false),
            ("search.json", "application/json", false),
            ("app.js", "text/javascript", false),
            ("me.png", "image/png", false),
            ("robots.txt", "text/plain", false),
        ] {
            assert_eq!(is_bookmarked(key, content_type), kept, "{key}");
        }
    }

    #[test]
    fn html_is_a_page() {
        for (content_type, page) in [
            ("text/html; charset=utf-8", true),
            ("TEXT/HTML", true),
            ("application/xhtml+xml", true),
            ("text/htmlx", false),
            ("text/plain", false),
            ("", false),
        ] {
            assert_eq!(is_page(content_type), page, "{content_type}");
        }
    }
}
