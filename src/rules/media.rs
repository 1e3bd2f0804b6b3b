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

/// The folders that hold playlists or manifests.
#[derive(Clone, Debug, Default)]
pub struct StreamFolders<'a>(HashSet<&'a str>);

impl<'a> StreamFolders<'a> {
    /// Returns those among all keys of a build.
    pub fn of(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let playlists = keys.into_iter().filter(|key| is_playlist(key));
        Self(playlists.map(folder).collect())
    }

    /// Returns what a key is to a stream. Most endings of segments are other things too: they count beside a playlist and below
    /// it, though not below the root, where everything lies.
    pub fn part(&self, key: &str) -> Option<StreamPart> {
        match extension(key).as_str() {
            "m3u8" | "mpd" => Some(StreamPart::Playlist),
            "m4s" | "cmfv" | "cmfa" | "cmft" => Some(StreamPart::Segment),
            "ts" | "mp4" | "m4v" | "m4a" | "aac" | "ac3" | "ec3" | "mp3" | "vtt" | "webvtt" => {
                self.reach(folder(key)).then_some(StreamPart::Segment)
            }
            _ => None,
        }
    }

    fn reach(&self, folder: &str) -> bool {
        let above = folder.match_indices('/').map(|(slash, _)| slash);
        let mut above = above.filter_map(|slash| folder.get(..slash));
        self.0.contains(folder) || above.any(|folder| self.0.contains(folder))
    }
}

/// Tells whether it is a playlist of HLS (RFC 8216, section 4) or a manifest of DASH.
pub fn is_playlist(key: &str) -> bool {
    matches!(extension(key).as_str(), "m3u8" | "mpd")
}

fn folder(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns the ending in small letters; empty where there is none.
fn extension(key: &str) -> String {
    match file_name(key).rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension.to_ascii_lowercase(),
        _ => String::new(),
    }
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
