//! Streamed video and audio (HLS, DASH): playlists and manifests, and the segments that lie beside them.

use std::collections::HashSet;

use crate::object::key::file_name;

/// What a file is to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamPart {
    /// A playlist of HLS or a manifest of DASH, which names playlists and segments.
    Playlist,
    /// A piece of video, audio or subtitles.
    Segment,
}

const PLAYLISTS: [&str; 2] = ["m3u8", "mpd"];
const SEGMENTS: [&str; 4] = ["m4s", "cmfv", "cmfa", "cmft"];
/// Segments beside a playlist, and other things elsewhere.
const SEGMENTS_BESIDE: [&str; 10] = [
    "ts", "mp4", "m4v", "m4a", "aac", "ac3", "ec3", "mp3", "vtt", "webvtt",
];

/// The folders that hold playlists or manifests.
#[derive(Clone, Debug, Default)]
pub struct StreamFolders<'a>(HashSet<&'a str>);

impl<'a> StreamFolders<'a> {
    /// Returns those among all keys of a build.
    pub fn of(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let playlists = keys.into_iter().filter(|key| is_playlist(key));
        Self(playlists.map(folder).collect())
    }

    /// Returns what a key is to a stream. What is a segment beside a playlist alone is one below it too, though not below the
    /// root, where everything lies.
    pub fn part(&self, key: &str) -> Option<StreamPart> {
        if is_playlist(key) {
            return Some(StreamPart::Playlist);
        }
        let is_segment = has_extension(key, &SEGMENTS)
            || has_extension(key, &SEGMENTS_BESIDE) && self.reach(folder(key));
        is_segment.then_some(StreamPart::Segment)
    }

    fn reach(&self, folder: &str) -> bool {
        let above = folder.match_indices('/').map(|(slash, _)| slash);
        let mut above = above.filter_map(|slash| folder.get(..slash));
        self.0.contains(folder) || above.any(|folder| self.0.contains(folder))
    }
}

/// Tells whether it is a playlist of HLS (RFC 8216, section 4) or a manifest of DASH.
pub fn is_playlist(key: &str) -> bool {
    has_extension(key, &PLAYLISTS)
}

fn folder(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Tells whether the name ends so, in small letters or large ones.
fn has_extension(key: &str, extensions: &[&str]) -> bool {
    let Some((stem, extension)) = file_name(key).rsplit_once('.') else {
        return false;
    };
    let mut extensions = extensions.iter();
    !stem.is_empty() && extensions.any(|other| other.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_lies_beside_a_playlist_or_below() {
        let folders = StreamFolders::of(["hls/master.m3u8", "dash/a.MPD", "radio.m3u8", "a.css"]);
        const SEGMENT: Option<StreamPart> = Some(StreamPart::Segment);
        for (key, part) in [
            ("hls/master.m3u8", Some(StreamPart::Playlist)),
            ("else/a.mpd", Some(StreamPart::Playlist)),
            ("hls/0.ts", SEGMENT),
            ("hls/360p/0.TS", SEGMENT),
            ("dash/init.mp4", SEGMENT),
            ("dash/de/0.vtt", SEGMENT),
            ("dash/poster.jpg", None),
            ("radio.aac", SEGMENT),
            ("src/app.ts", None),
            ("hls2/0.ts", None),
            ("videos/intro.mp4", None),
            ("anywhere/0.m4s", SEGMENT),
            (".m4s", None),
            ("hls", None),
        ] {
            assert_eq!(folders.part(key), part, "{key}");
        }
    }
}
