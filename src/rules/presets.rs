//! Presets: Cache-Control by name, what objects are served with where no rule says otherwise and what rules can ask for.

use super::media::StreamPart;
use crate::object::key::file_name;

/// A named Cache-Control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Its content can never change under its name: browsers and edges keep it for a year and never ask again.
    Immutable,
    /// Browsers ask each time; the edge keeps it for a day, or until it is purged.
    Page,
    /// Served from caches for a minute, and for five more while it is fetched anew.
    Swr,
    /// Images, fonts, video under lasting names: browsers keep them for a day, the edge for 30 or until it is purged.
    Media,
    /// Playlists and manifests of streams: the edge keeps them as pages, browsers for the 5 seconds in which a player may ask
    /// again. New segments are of no use to who has an old playlist.
    Playlist,
    /// Segments under lasting names. Browsers, which no purge reaches, keep them for an hour: to seek back within a sitting, and
    /// not so long that pieces of an old encoding are played to a new playlist the day after. The edge as media.
    Segment,
    /// No Cache-Control at all: the distribution's default TTL counts, and browsers guess.
    None,
    /// Error documents, whose copies sit under URLs that nobody can list: no edge keeps them.
    Error,
}

impl Preset {
    /// The presets that rules can name.
    pub const NAMED: [Self; 7] = [
        Self::Immutable,
        Self::Page,
        Self::Swr,
        Self::Media,
        Self::Playlist,
        Self::Segment,
        Self::None,
    ];

    /// Finds a preset that rules can name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|preset| preset.name() == name)
    }

    pub fn name(self) -> &'static str {
        self.said().0
    }

    /// Returns the header's value; `None` sends none.
    pub fn cache_control(self) -> Option<&'static str> {
        Some(self.said().1).filter(|value| !value.is_empty())
    }

    /// Returns its name, and the value of the header.
    fn said(self) -> (&'static str, &'static str) {
        match self {
            Self::Immutable => ("immutable", "public, max-age=31536000, immutable"),
            Self::Page => ("page", "public, max-age=0, s-maxage=86400, must-revalidate"),
            Self::Swr => ("swr", "max-age=60, stale-while-revalidate=300"),
            Self::Media => ("media", "public, max-age=86400, s-maxage=2592000"),
            Self::Playlist => ("playlist", "public, max-age=5, s-maxage=86400"),
            Self::Segment => ("segment", "public, max-age=3600, s-maxage=2592000"),
            Self::None => ("none", ""),
            Self::Error => (
                "error document",
                "public, max-age=0, s-maxage=0, must-revalidate",
            ),
        }
    }

    /// Returns what an object gets where no rule says otherwise; `part`: what it is to a stream.
    ///
    /// An error document is one that the distribution names, or by its own name: S3 and most generators call it
    /// `404.html`.
    pub fn default_for(
        key: &str,
        fingerprinted: bool,
        error_document: bool,
        part: Option<StreamPart>,
    ) -> Self {
        if error_document || is_error_name(file_name(key)) {
            return Self::Error;
        }
        if fingerprinted {
            return Self::Immutable;
        }
        match part {
            Some(StreamPart::Playlist) => Self::Playlist,
            Some(StreamPart::Segment) => Self::Segment,
            None => Self::Page,
        }
    }
}

/// Tells whether it is `404.html`, `500.htm`, `404` or the like. `404/index.html` is none, since nothing serves it as such by
/// itself.
fn is_error_name(name: &str) -> bool {
    let stem = name
        .strip_suffix(".html")
        .or_else(|| name.strip_suffix(".htm"))
        .unwrap_or(name);
    stem.len() == 3
        && stem.starts_with(['4', '5'])
        && stem.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the name that somebody who wrote `word` most likely meant.
pub(super) fn closest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names.into_iter().map(|name| (distance(word, name), name));
    let (edits, name) = scored.min()?;
    (edits <= 2 && edits < name.len()).then_some(name)
}

/// Counts the edits between two texts (Levenshtein's distance over lower-case bytes).
fn distance(word: &str, name: &str) -> usize {
    let name = name.to_ascii_lowercase();
    let mut row: Vec<usize> = (0..=name.len()).collect();
    let mut last = name.len();
    for (index, byte) in word.to_ascii_lowercase().bytes().enumerate() {
        let mut diagonal = index;
        last = index + 1;
        for (other, above) in name.bytes().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(byte != other);
            diagonal = *above;
            last = changed.min(last + 1).min(*above + 1);
            *above = last;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::super::media::StreamFolders;
    use super::*;

    #[test]
    fn defaults_go_by_what_an_object_is() {
        for (key, fingerprinted, error_document, expected) in [
            ("index.html", false, false, Preset::Page),
            ("css/style.css", false, false, Preset::Page),
            ("assets/a-DiwrgTda.js", true, false, Preset::Immutable),
            ("404.html", false, false, Preset::Error),
            ("fr/404.html", false, false, Preset::Error),
            ("503.html", false, false, Preset::Error),
            ("1404.html", false, false, Preset::Page),
            ("204.html", false, false, Preset::Page),
            ("oops.html", false, true, Preset::Error),
            ("videos/master.m3u8", false, false, Preset::Playlist),
            ("videos/master.mpd", false, false, Preset::Playlist),
            ("videos/0.ts", false, false, Preset::Segment),
            ("videos/de/0.vtt", false, false, Preset::Segment),
            ("videos/0.8f3a2b1c.ts", true, false, Preset::Immutable),
            ("intro.mp4", false, false, Preset::Page),
        ] {
            let part = StreamFolders::of(["videos/master.m3u8"]).part(key);
            let preset = Preset::default_for(key, fingerprinted, error_document, part);
            assert_eq!(preset, expected, "{key}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        let names = || Preset::NAMED.iter().map(|preset| preset.name());
        for (word, meant) in [
            ("imutable", Some("immutable")),
            ("Page", Some("page")),
            ("pages", Some("page")),
            ("srw", Some("swr")),
            ("forever", None),
            ("", None),
        ] {
            assert_eq!(closest(word, names()), meant, "{word}");
        }
    }

    #[test]
    fn the_distance_counts_slips() {
        for (word, name, expected) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("same", "SAME", 0),
        ] {
            assert_eq!(distance(word, name), expected, "{word} {name}");
        }
    }
}
