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
