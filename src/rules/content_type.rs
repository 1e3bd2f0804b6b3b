//! The Content-Type of a file by its name: `mime_guess`, with what it gets wrong for the web put right.

use std::borrow::Cow;

use super::media::StreamPart;
use crate::object::key::file_name;

/// The type of a file of which nothing is known.
const OCTET_STREAM: &str = "application/octet-stream";
const HTML: &str = "text/html; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Returns the Content-Type by the name alone, or `None` for a name without an extension, of which [`sniff`] has to tell.
///
/// `.ts` is TypeScript where it is no `part` of a stream. Text is UTF-8, as every generator writes it.
fn by_name(key: &str, part: Option<StreamPart>) -> Option<Cow<'static, str>> {
    let name = file_name(key);
    if let Some(whole) = by_whole_name(key, name) {
        return Some(whole.into());
    }
    let (stem, extension) = name.rsplit_once('.')?;
    if stem.is_empty() || extension.is_empty() {
        // A dot file such as `.nojekyll`, or a name that ends in a dot.
        return None;
    }
    let extension = extension.to_ascii_lowercase();
    if extension == "ts" && part.is_some() {
        return Some("video/mp2t".into());
    }
    if let Some(right) = put_right(&extension) {
        return Some(right.into());
    }
    let guess = mime_guess::from_ext(&extension)
        .first_raw()
        .unwrap_or(OCTET_STREAM);
    if guess.starts_with("text/") {
        return Some(format!("{guess}; charset=utf-8").into());
    }
    Some(guess.into())
}

/// Returns the Content-Type by the name, and by the file's first bytes where the name does not tell.
pub fn content_type(key: &str, part: Option<StreamPart>, first_bytes: &[u8]) -> Cow<'static, str> {
    by_name(key, part).unwrap_or_else(|| sniff(first_bytes).into())
}

/// Returns HTML's type for bytes that begin as a page does; anything else is `application/octet-stream`. 1,024 bytes are enough.
///
/// After the WHATWG MIME Sniffing Standard, "Identifying a resource with an unknown MIME type", for HTML alone.
fn sniff(first_bytes: &[u8]) -> &'static str {
    const TAGS: &str =
        "!doctype html,html,head,script,iframe,h1,div,font,table,a,style,title,b,body,br,p,meta";
    let mut rest = first_bytes
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(first_bytes)
        .trim_ascii_start();
    // Some generators begin a page with a comment.
    while let Some(comment) = rest.strip_prefix(b"<!--") {
        let Some(end) = comment.windows(3).position(|end| end == b"-->") else {
            return HTML;
        };
        rest = comment.split_at(end + 3).1.trim_ascii_start();
    }
    let begins = |tag: &str| {
        let split = rest.split_at_checked(1 + tag.len());
        split.is_some_and(|(head, after)| {
            let named = head.strip_prefix(b"<");
            named.is_some_and(|name| name.eq_ignore_ascii_case(tag.as_bytes()))
                && matches!(after.first(), Some(b'>' | b' ' | b'\t' | b'\n' | b'\r'))
        })
    };
    if TAGS.split(',').any(begins) {
        HTML
    } else {
        OCTET_STREAM
    }
}

/// Returns the type of names that stand for one whatever their extension.
fn by_whole_name(key: &str, name: &str) -> Option<&'static str> {
    let at_root = |path: &str| key == path || key.ends_with(&format!("/{path}"));
    Some(match name {
        // Apple's "Supporting associated domains"; served without an extension.
        "apple-app-site-association" => "application/json",
        // RFC 8615 names without an extension that are JSON or text.
        "openid-configuration"
        | "oauth-authorization-server"
        | "webfinger"
        | "host-meta.json"
        | "nodeinfo"
            if key.contains(".well-known/") =>
        {
            "application/json"
        }
        "host-meta" if at_root(".well-known/host-meta") => "application/xrd+xml",
        "change-password" if at_root(".well-known/change-password") => HTML,
        "api-catalog" if at_root(".well-known/api-catalog") => "application/linkset+json",
        "CNAME" | "LICENSE" | "LICENCE" | "COPYING" | "NOTICE" | "AUTHORS" | "CONTRIBUTORS"
        | "README" | "CHANGELOG" | "VERSION" | "Makefile" | "Dockerfile" | "_headers"
        | "_redirects" | ".nojekyll" | ".htaccess" | "_routes.json" => PLAIN,
        _ => return None,
    })
}

/// Returns the type that `mime_guess` does not know, or answers as no browser wants it.
fn put_right(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "html" | "htm" | "shtml" => HTML,
        // WHATWG HTML and RFC 9239: JavaScript is text/javascript, modules too.
        "js" | "mjs" | "cjs" => "text/javascript; charset=utf-8",
        // RFC 8259: JSON is always UTF-8 and has no charset.
        "map" | "json" | "topojson" => "application/json",
        "jsonl" | "ndjson" => "application/x-ndjson",
        "webmanifest" => "application/manifest+json",
        "xml" | "xsl" | "xslt" | "xsd" | "dtd" => "application/xml; charset=utf-8",
        "rss" => "application/rss+xml; charset=utf-8",
        "atom" => "application/atom+xml; charset=utf-8",
        "xhtml" | "xht" => "application/xhtml+xml; charset=utf-8",
        "svg" => "image/svg+xml",
        // RFC 8216, section 4, and what iOS insists on.
        "m3u8" | "m3u" => "application/vnd.apple.mpegurl",
        "m4s" => "video/iso.segment",
        // CMAF (ISO/IEC 23000-19).
        "cmfv" | "m4v" => "video/mp4",
        "cmfa" => "audio/mp4",
        "cmft" => "application/mp4",
        "ec3" => "audio/eac3",
        "webvtt" => "text/vtt; charset=utf-8",
        "mpd" => "application/dash+xml",
        // Where they are no part of a stream: TypeScript.
        "ts" | "mts" | "cts" | "tsx" | "jsx" => PLAIN,
        "m4a" => "audio/mp4",
        "wav" => "audio/wav",
        "mka" => "audio/x-matroska",
        "mid" | "midi" => "audio/midi",
        "woff" => "font/woff",
        "otf" => "font/otf",
        "cur" => "image/x-icon",
        "psd" => "image/vnd.adobe.photoshop",
        "vcf" => "text/vcard; charset=utf-8",
        // RFC 9512; TOML since 2024 by IANA.
        "yaml" | "yml" => "application/yaml",
        "toml" => "application/toml",
        "srt" => "application/x-subrip; charset=utf-8",
        "usdz" => "model/vnd.usdz+zip",
        "stl" => "model/stl",
        "obj" => "model/obj",
        "zst" => "application/zstd",
        "rpm" => "application/x-rpm",
        "deb" => "application/vnd.debian.binary-package",
        "dmg" => "application/x-apple-diskimage",
        "pbf" | "mvt" => "application/vnd.mapbox-vector-tile",
        "pmtiles" => "application/vnd.pmtiles",
        "pem" => "application/x-pem-file",
        // To be read, not run: source files.
        "rs" | "py" | "sh" | "c" | "h" | "go" | "java" | "rb" | "kt" | "swift" | "cpp" | "hpp"
        | "zig" | "lua" | "php" | "sql" | "diff" | "patch" | "bib" | "tex" | "lock"
        | "properties" | "graphql" | "proto" | "vue" | "svelte" | "scss" | "sass" | "less"
        | "hbs" | "ejs" | "sha256" | "sha512" | "md5" | "env" | "conf" | "ini" | "log" | "pl"
        | "r" | "dart" | "nim" | "wat" => PLAIN,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_type() {
        for (key, beside_playlist, expected) in [
            ("index.html", false, HTML),
            ("INDEX.HTM", false, HTML),
            ("a.b/c.css", false, "text/css; charset=utf-8"),
            ("main.JS", false, "text/javascript; charset=utf-8"),
            ("main.mjs", false, "text/javascript; charset=utf-8"),
            ("main.8f3a2b1c.js.map", false, "application/json"),
            ("main.js.LICENSE.txt", false, PLAIN),
            ("assets/sql-wasm-CXIAVl5-.wasm", false, "application/wasm"),
            ("manifest.webmanifest", false, "application/manifest+json"),
            (".vite/manifest.json", false, "application/json"),
            ("content.json", false, "application/json"),
            ("x.jsonld", false, "application/ld+json"),
            ("x.geojson", false, "application/geo+json"),
            ("x.gltf", false, "model/gltf+json"),
            ("x.glb", false, "model/gltf-binary"),
            ("x.pbf", false, "application/vnd.mapbox-vector-tile"),
            ("x.pmtiles", false, "application/vnd.pmtiles"),
            ("atom.xml", false, "application/xml; charset=utf-8"),
            ("index.rss", false, "application/rss+xml; charset=utf-8"),
            ("index.atom", false, "application/atom+xml; charset=utf-8"),
            ("favicon.svg", false, "image/svg+xml"),
            ("favicon.ico", false, "image/x-icon"),
            ("x.avif", false, "image/avif"),
            ("x.webp", false, "image/webp"),
            ("x.jxl", false, "image/jxl"),
            ("x.heic", false, "image/heic"),
            ("img/fig 1 (draft).png", false, "image/png"),
            ("css/images/banner.jpg", false, "image/jpeg"),
            ("x.woff2", false, "font/woff2"),
            ("x.woff", false, "font/woff"),
            ("x.ttf", false, "font/ttf"),
            ("x.otf", false, "font/otf"),
            (
                "videos/hls/master.m3u8",
                true,
                "application/vnd.apple.mpegurl",
            ),
            ("videos/hls/360p/seg00000.ts", true, "video/mp2t"),
            ("videos/hls/360p/SEG00000.TS", true, "video/mp2t"),
            ("src/app.ts", false, PLAIN),
            ("videos/intro video (final).mp4", false, "video/mp4"),
            ("dash/manifest.MPD", false, "application/dash+xml"),
            ("dash/0.m4s", true, "video/iso.segment"),
            ("dash/init.mp4", true, "video/mp4"),
            ("dash/0.m4v", true, "video/mp4"),
            ("hls/0.aac", true, "audio/aac"),
            ("hls/0.ac3", true, "audio/ac3"),
            ("hls/0.webvtt", true, "text/vtt; charset=utf-8"),
            ("x.opus", false, "audio/ogg"),
            ("x.m4a", false, "audio/mp4"),
            ("x.vtt", false, "text/vtt; charset=utf-8"),
            ("x.txt", false, PLAIN),
            ("files/UPPER.TXT", false, PLAIN),
            ("files/[draft] v1.txt", false, PLAIN),
            ("files/사용 설명서.txt", false, PLAIN),
            ("x.md", false, "text/markdown; charset=utf-8"),
            ("x.csv", false, "text/csv; charset=utf-8"),
            ("x.ics", false, "text/calendar; charset=utf-8"),
            ("x.vcf", false, "text/vcard; charset=utf-8"),
            ("x.yaml", false, "application/yaml"),
            ("x.toml", false, "application/toml"),
            ("x.pdf", false, "application/pdf"),
            ("x.zip", false, "application/zip"),
            ("x.tar.gz", false, "application/gzip"),
            ("x.apk", false, "application/vnd.android.package-archive"),
            ("x.neverheardof", false, OCTET_STREAM),
            ("CNAME", false, PLAIN),
            ("LICENSE", false, PLAIN),
            (".nojekyll", false, PLAIN),
            (
                ".well-known/apple-app-site-association",
                false,
                "application/json",
            ),
            (".well-known/assetlinks.json", false, "application/json"),
            (".well-known/security.txt", false, PLAIN),
            (
                ".well-known/openid-configuration",
                false,
                "application/json",
            ),
        ] {
            let part = beside_playlist.then_some(StreamPart::Segment);
            assert_eq!(by_name(key, part).as_deref(), Some(expected), "{key}");
        }
    }

    #[test]
    fn a_name_without_an_extension_tells_nothing() {
        for key in [
            "version",
            "files/who",
            "a.b/about",
            ".DS_Store",
            ".env",
            "x.",
            "",
            "dir/",
            "webfinger",
        ] {
            assert_eq!(by_name(key, Some(StreamPart::Segment)), None, "{key}");
        }
        assert_eq!(content_type("about", None, b"<!DOCTYPE html>"), HTML);
        assert_eq!(content_type("version", None, b"1.2.3\n"), OCTET_STREAM);
        assert_eq!(
            content_type("a.css", None, b"<html>"),
            "text/css; charset=utf-8"
        );
    }

    #[test]
    fn html_is_known_by_how_it_begins() {
        for page in [
            "<!doctype html>",
            "\u{feff}\n <!DOCTYPE HTML >",
            "<html lang=\"en\">",
            "<!-- made by x -->\n<html>",
            "<!-- a --><!-- b --><head>",
            "<p>x",
            "<!-- never closed",
            "<body\nclass=x>",
        ] {
            assert_eq!(sniff(page.as_bytes()), HTML, "{page}");
        }
        for other in [
            "",
            " ",
            "<",
            "<!doctype svg>",
            "<?xml version=\"1.0\"?>",
            "<htmlx>",
            "<html",
            "{}",
            "text <p>",
            "<!-- x -->",
        ] {
            assert_eq!(sniff(other.as_bytes()), OCTET_STREAM, "{other}");
        }
    }

    #[test]
    fn every_correction_is_needed() {
        // So that the table shrinks when `mime_guess` learns.
        for extension in [
            "mjs", "map", "m3u8", "m4v", "ts", "woff", "otf", "xml", "yaml", "toml", "m4a", "vcf",
            "cjs", "rpm",
        ] {
            let guess = mime_guess::from_ext(extension)
                .first_raw()
                .unwrap_or_default();
            let right = put_right(extension).unwrap();
            assert_ne!(right.split(';').next(), Some(guess), "{extension}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_and_no_bytes_are_too_odd(key in "(?s).{0,40}", bytes: Vec<u8>, playlist: bool) {
            let answer = content_type(&key, playlist.then_some(StreamPart::Segment), &bytes);
            // It is sent as a header.
            proptest::prop_assert!(answer.bytes().all(|byte| (32..127).contains(&byte)));
        }
    }
}
