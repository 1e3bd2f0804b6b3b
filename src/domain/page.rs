//! What is a page, and in which order files go live: never before what they refer to.

/// Whether an object of this Content-Type is a page: HTML, which names assets and other pages.
pub fn is_page(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("text/html")
        || essence.eq_ignore_ascii_case("application/xhtml+xml")
}

/// The stages of a deploy: all of one are live before the next begins. Removal goes the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Names nothing else, or is named by nothing that is live yet: images, fonts, data, and everything fingerprinted.
    Asset,
    /// May name assets and is named by live pages already: style sheets, scripts and manifests under lasting names.
    Linking,
    /// HTML.
    Page,
    /// Names pages and is asked for from outside the site: feeds, sitemaps, search indexes, service workers, which must
    /// not cache the pages of a moment ago.
    Index,
    /// The root document, where most visits begin.
    Root,
}

/// The stage of a key. `page` is what [`is_page`] or a rule says, `root` the default root object's key.
///
/// A fingerprinted script may name other fingerprinted ones, but none of them is reachable before a page is.
pub fn stage(key: &str, page: bool, fingerprinted: bool, root: &str) -> Stage {
    let name = key.rsplit('/').next().unwrap_or_default();
    if key == root {
        Stage::Root
    } else if page {
        Stage::Page
    } else if fingerprinted {
        Stage::Asset
    } else if is_index(key, name) {
        Stage::Index
    } else if is_linking(name) {
        Stage::Linking
    } else {
        Stage::Asset
    }
}

/// The folder, with its final `/`, of which the key is the index document; `""` is the root.
pub fn folder_of_index(key: &str) -> Option<&str> {
    let name = key.rsplit('/').next().unwrap_or_default();
    let is_index = matches!(name, "" | "index.html" | "index.htm");
    key.strip_suffix(name).filter(|_| is_index)
}

/// When an object goes live: all of one rank are live before the next begins, those of a rank at once.
///
/// Assets; then lasting scripts and styles that change under live pages; new pages, in steps; then everything live that may
/// link to them; the root last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    Asset,
    Linking,
    /// New pages, and pages that lead to none, step by step ([`super::waves`]).
    Page(u16),
    Live,
    Root,
}

/// The rank by name and stage alone. `new`: there is nothing under the key yet.
pub fn rank(stage: Stage, new: bool) -> Rank {
    match stage {
        Stage::Asset => Rank::Asset,
        Stage::Linking if new => Rank::Asset,
        Stage::Linking => Rank::Linking,
        Stage::Page if new => Rank::Page(0),
        Stage::Page | Stage::Index => Rank::Live,
        Stage::Root => Rank::Root,
    }
}

/// What lists pages, by the names that generators give it.
fn is_index(key: &str, name: &str) -> bool {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let has = |words: &[&str]| words.iter().any(|word| stem.contains(word));
    match extension {
        "xml" | "rss" | "atom" => true,
        "json" => {
            has(&["search", "feed"])
                || matches!(key, "content.json" | "index.json" | "sitemap.json")
                || stem == "version"
        }
        "txt" => matches!(stem, "sitemap" | "llms" | "llms-full"),
        "js" | "mjs" => {
            matches!(
                stem,
                "sw" | "serviceworker" | "service-worker" | "firebase-messaging-sw" | "ngsw-worker"
            ) || has(&["searchindex", "search_index", "search-index"])
        }
        _ => name == "version",
    }
}

/// What may name assets.
fn is_linking(name: &str) -> bool {
    let extension = name
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    matches!(
        extension.as_str(),
        "js" | "mjs" | "cjs" | "css" | "webmanifest" | "json" | "m3u8" | "mpd" | "svg" | "map"
    )
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

    #[test]
    fn a_key_has_its_stage() {
        for (key, expected) in [
            ("img/a.png", Stage::Asset),
            ("robots.txt", Stage::Asset),
            ("assets/index-DiwrgTda.js", Stage::Asset),
            ("css/style.css", Stage::Linking),
            ("manifest.webmanifest", Stage::Linking),
            ("videos/hls/master.m3u8", Stage::Linking),
            ("404.html", Stage::Page),
            ("posts/index.html", Stage::Page),
            ("feed.xml", Stage::Index),
            ("blog/atom.xml", Stage::Index),
            ("sitemap.txt", Stage::Index),
            ("search.json", Stage::Index),
            ("content.json", Stage::Index),
            ("sw.js", Stage::Index),
            ("version", Stage::Index),
            ("_app/version.json", Stage::Index),
            ("index.html", Stage::Root),
        ] {
            let page = key.ends_with(".html");
            let fingerprinted = super::super::fingerprinted::is_fingerprinted(key);
            assert_eq!(
                stage(key, page, fingerprinted, "index.html"),
                expected,
                "{key}"
            );
        }
    }

    #[test]
    fn what_is_live_changes_after_what_is_new() {
        let at = |key: &str, new| {
            let stage = stage(key, key.ends_with(".html"), false, "index.html");
            rank(stage, new)
        };
        for (first, then) in [
            (at("new.css", true), at("style.css", false)),
            (at("style.css", false), at("new/index.html", true)),
            (at("new/index.html", true), at("posts/index.html", false)),
            (at("new.html", true), at("feed.xml", false)),
            (at("posts/index.html", false), at("index.html", false)),
            (at("new.html", true), at("index.html", true)),
        ] {
            assert!(first < then, "{first:?} {then:?}");
        }
        assert_eq!(
            at("a/b.html", false),
            at("c.html", false),
            "live pages change at once"
        );
    }

    #[test]
    fn an_index_has_a_folder() {
        for (key, folder) in [
            ("index.html", Some("")),
            ("a/b/index.htm", Some("a/b/")),
            ("a/", Some("a/")),
            ("a/myindex.html", None),
        ] {
            assert_eq!(folder_of_index(key), folder, "{key}");
        }
    }
}
