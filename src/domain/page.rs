//! What is a page.

/// Whether an object of this Content-Type is a page: HTML, which names assets and other pages.
pub fn is_page(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("text/html")
        || essence.eq_ignore_ascii_case("application/xhtml+xml")
}

/// The folder, with its final `/`, of which the key is the index document; `""` is the root.
pub fn folder_of_index(key: &str) -> Option<&str> {
    let name = key.rsplit('/').next().unwrap_or_default();
    let is_index = matches!(name, "" | "index.html" | "index.htm");
    key.strip_suffix(name).filter(|_| is_index)
}

#[cfg(test)]
mod tests {
    use super::*;

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
