//! In which order objects go live: never before what they refer to. All of it is decided here.

use super::Change;
use crate::object::key::file_name;
use crate::rules::media;
use crate::rules::page::folder_of_index;

/// What an object is to visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LiveStage {
    /// Names nothing else, or is named by nothing that is live yet: images, fonts, data, and everything fingerprinted.
    Asset,
    /// May name assets and is named by live pages already: style sheets, scripts and manifests under lasting names.
    Linking,
    /// Names segments and other playlists, and is named by pages: playlists and manifests of streams.
    Playlist,
    /// HTML.
    Page,
    /// Names pages and is asked for from outside the site: feeds, sitemaps, search indexes, service workers, which must
    /// not cache the pages of a moment ago.
    Feed,
    /// The root document, where most visits begin.
    Root,
}

/// Returns the stage of a key. `page` is what `is_page` or a rule says, `root` the default root object's key.
///
/// A fingerprinted script may name other fingerprinted ones, but none of them is reachable before a page is.
pub fn stage(key: &str, page: bool, fingerprinted: bool, root: &str) -> LiveStage {
    let name = file_name(key);
    if key == root {
        LiveStage::Root
    } else if page {
        LiveStage::Page
    } else if media::is_playlist(name) {
        LiveStage::Playlist
    } else if fingerprinted {
        LiveStage::Asset
    } else if is_feed(key, name) {
        LiveStage::Feed
    } else if is_linking(name) {
        LiveStage::Linking
    } else {
        LiveStage::Asset
    }
}

/// When an object goes live: all of one rank are live before the next begins, those of a rank at once. Removal comes after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UploadRank {
    Asset,
    /// A style sheet or script under a lasting name, which live pages use already: after the assets that it may name.
    LiveAsset,
    /// A playlist that nothing live leads to yet: after all segments.
    NewPlaylist,
    /// A playlist that may name new ones from now on.
    LivePlaylist,
    /// A page that nothing live leads to yet, in steps: the pages of deeper folders first, and a folder's index after its other pages.
    NewPage(u16),
    /// A page that is live already, and may lead to new ones from now on, by a link or by a script.
    LivePage,
    /// After all pages that it may name.
    Feed,
    Root,
}

/// Returns the rank of an object; `new`: there is nothing under its key yet.
pub(super) fn rank(key: &str, stage: LiveStage, new: bool) -> UploadRank {
    match stage {
        LiveStage::Asset => UploadRank::Asset,
        LiveStage::Linking if new => UploadRank::Asset,
        LiveStage::Linking => UploadRank::LiveAsset,
        LiveStage::Playlist if new => UploadRank::NewPlaylist,
        LiveStage::Playlist => UploadRank::LivePlaylist,
        LiveStage::Page if new => UploadRank::NewPage(page_step(key)),
        LiveStage::Page => UploadRank::LivePage,
        LiveStage::Feed => UploadRank::Feed,
        LiveStage::Root => UploadRank::Root,
    }
}

/// Puts changes in the order in which they go live, by key within a rank.
pub(super) fn sort(changes: &mut [Change]) {
    changes.sort_by(|one, other| (one.rank, &one.key).cmp(&(other.rank, &other.key)));
}

/// Returns the step of a new page by its name alone: it goes before the index of each folder that it lies in.
fn page_step(key: &str) -> u16 {
    let depth = key.matches('/').count();
    let ahead = 2 * depth + usize::from(folder_of_index(key).is_none());
    u16::MAX - u16::try_from(ahead).unwrap_or(u16::MAX)
}

/// Returns whether it lists pages, by the names that generators give it.
fn is_feed(key: &str, name: &str) -> bool {
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

/// Returns whether it may name assets.
fn is_linking(name: &str) -> bool {
    let extension = name
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    matches!(
        extension.as_str(),
        "js" | "mjs" | "cjs" | "css" | "webmanifest" | "json" | "svg" | "map"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fingerprinted::is_fingerprinted;

    fn rank_of(key: &str, new: bool) -> UploadRank {
        let page = key.ends_with(".html");
        let stage = stage(key, page, is_fingerprinted(key), "index.html");
        match rank(key, stage, new) {
            UploadRank::NewPage(_) => UploadRank::NewPage(0),
            rank => rank,
        }
    }

    /// The order in which a deploy of all of these goes, one rank after the other.
    #[test]
    fn objects_go_live_after_what_they_may_refer_to() {
        const NEW: bool = true;
        const LIVE: bool = false;
        let table: &[(UploadRank, bool, &[&str])] = &[
            (
                UploadRank::Asset,
                LIVE,
                &["img/a.png", "robots.txt", "assets/index-DiwrgTda.js"],
            ),
            (
                UploadRank::Asset,
                NEW,
                &[
                    "css/style.css",
                    "app.js",
                    "manifest.webmanifest",
                    "img/b.png",
                    "videos/hls/0.ts",
                    "videos/dash/0.m4s",
                ],
            ),
            (
                UploadRank::LiveAsset,
                LIVE,
                &["css/style.css", "app.js", "data.json"],
            ),
            (
                UploadRank::NewPlaylist,
                NEW,
                &["videos/hls/360p.m3u8", "videos/dash.8f3a2b1c.mpd"],
            ),
            (
                UploadRank::LivePlaylist,
                LIVE,
                &["videos/hls/master.m3u8", "videos/dash.mpd"],
            ),
            (
                UploadRank::NewPage(0),
                NEW,
                &["posts/new/index.html", "posts/index.html", "404.html"],
            ),
            (
                UploadRank::LivePage,
                LIVE,
                &["posts/old/index.html", "posts/index.html", "404.html"],
            ),
            (
                UploadRank::Feed,
                LIVE,
                &[
                    "feed.xml",
                    "blog/atom.xml",
                    "sitemap.txt",
                    "search.json",
                    "content.json",
                    "sw.js",
                    "version",
                    "_app/version.json",
                ],
            ),
            (
                UploadRank::Feed,
                NEW,
                &["sitemap.xml", "search.json", "sw.js"],
            ),
            (UploadRank::Root, LIVE, &["index.html"]),
            (UploadRank::Root, NEW, &["index.html"]),
        ];
        for (rank, new, keys) in table {
            for key in *keys {
                assert_eq!(rank_of(key, *new), *rank, "{key}, new: {new}");
            }
        }
        assert!(table.is_sorted_by_key(|(rank, ..)| *rank));
    }

    #[test]
    fn an_index_follows_what_lies_beneath() {
        let pages = [
            "tags/x/page/2/index.html",
            "tags/x/index.html",
            "tags/z.html",
            "tags/index.html",
            "404.html",
            "index.html",
        ];
        assert!(pages.map(page_step).is_sorted_by(|one, other| one < other));
        assert_eq!(page_step("about/index.html"), page_step("tags/index.html"));
        assert!(page_step(&"a/".repeat(512)) < page_step("tags/x/index.html"));
    }

    #[test]
    fn a_root_is_what_the_distribution_says() {
        assert_eq!(
            stage("home.html", true, false, "home.html"),
            LiveStage::Root
        );
        assert_eq!(
            stage("index.html", true, false, "home.html"),
            LiveStage::Page
        );
        assert_eq!(
            stage("a/index.html", true, false, "index.html"),
            LiveStage::Page
        );
    }
}
