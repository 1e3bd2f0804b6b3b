//! Which names hold a hash of their content, so that the content under a name can never change.
//!
//! A wrong yes lets browsers keep an asset for a year, a wrong no costs one purged path: in doubt, no.

mod oddness;

use oddness::{oddness, pieces};

/// Whether the file's name, as bundlers and site generators write it, holds a hash of its content.
///
/// Known are webpack (Create React App, Vue CLI, Gatsby, Docusaurus, Angular), Rollup and Vite (VitePress, Astro,
/// Nuxt, SvelteKit), Next, esbuild, Parcel, Hugo, mdBook, rustdoc, Trunk, Sprockets and Django. Pages, feeds, data
/// and downloads never are, whatever their names. Source maps, extracted licences and compressed copies go with the
/// file that they belong to.
pub fn is_fingerprinted(key: &str) -> bool {
    let (folders, name) = key.rsplit_once('/').unwrap_or(("", key));
    let name = without_companion(name);
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    let Some(kind) = kind_of(extension) else {
        return false;
    };
    if is_immutable_folder(folders) {
        return true;
    }
    if stem.is_empty() || holds_uuid(stem) {
        return false;
    }
    let place = Place {
        kind,
        code_folder: folders.split('/').any(is_output_folder),
        direct: is_output_folder(folders.rsplit('/').next().unwrap_or_default()),
        framework: folders
            .split('/')
            .any(|folder| matches!(folder, "_astro" | "_nuxt")),
    };
    let stem = without_suffixes(stem);
    place.has_hex(stem) || place.has_base64(stem) || is_hugo_image(stem, kind)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Written by a bundler more often than by hand.
    Code,
    /// As often somebody's upload, whose name may hold a random id.
    Media,
}

struct Place {
    kind: Kind,
    /// Somewhere under a folder that bundlers write to.
    code_folder: bool,
    /// Directly in such a folder.
    direct: bool,
    /// In a folder that holds nothing but hashed names.
    framework: bool,
}

/// `main.1f2e.js.map`, `main.1f2e.js.LICENSE.txt` and `main.1f2e.js.gz` are asked for by, or instead of, `main.1f2e.js`.
fn without_companion(name: &str) -> &str {
    [".map", ".LICENSE.txt", ".gz", ".br", ".zst"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .filter(|rest| rest.contains('.'))
        .unwrap_or(name)
}

fn kind_of(extension: &str) -> Option<Kind> {
    match extension {
        "js" | "mjs" | "cjs" | "css" | "wasm" | "woff2" | "woff" | "ttf" | "otf" | "eot" => {
            Some(Kind::Code)
        }
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "svg" | "ico" | "jxl" | "bmp"
        | "mp4" | "webm" | "ogv" | "mp3" | "ogg" | "opus" | "wav" | "m4a" | "aac" | "flac" => {
            Some(Kind::Media)
        }
        _ => None,
    }
}

/// Folders of which their generators say that all they hold is immutable (Next and SvelteKit serve them so themselves;
/// Gatsby's `static/MD5/`).
fn is_immutable_folder(folders: &str) -> bool {
    let mut before = "";
    for folder in folders.split('/') {
        let known = match before {
            "_next" => folder == "static",
            "_app" => folder == "immutable",
            "static" => folder.len() == 32 && is_hex_hash(folder),
            _ => false,
        };
        if known {
            return true;
        }
        before = folder;
    }
    false
}

fn is_output_folder(folder: &str) -> bool {
    matches!(
        folder,
        "assets"
            | "static"
            | "_assets"
            | "_astro"
            | "_nuxt"
            | "_shared"
            | "chunks"
            | "build"
            | "bundles"
            | "dist"
            | "media"
            | "static.files"
    )
}

/// Without what bundlers write between the hash and the extension: `x.1f2e.chunk.css`, `x-1f2e.min.js`.
fn without_suffixes(mut stem: &str) -> &str {
    const SUFFIXES: [&str; 12] = [
        ".min", ".chunk", ".bundle", ".lean", ".iframe", ".module", ".esm", ".async", ".worker",
        ".rtl", ".ltr", "_bg",
    ];
    while let Some(rest) = SUFFIXES.iter().find_map(|suffix| stem.strip_suffix(suffix)) {
        stem = rest;
    }
    stem
}

impl Place {
    /// The last word of the stem is a hash in hex digits.
    fn has_hex(&self, stem: &str) -> bool {
        let (before, hash, separator) = match stem.rfind(['.', '-', '_', '~']) {
            Some(at) => (&stem[..at], &stem[at + 1..], stem.as_bytes()[at]),
            None => ("", stem, b' '),
        };
        if !is_hex_length(hash.len()) || !is_lower_hex(hash) {
            return false;
        }
        let media_elsewhere = self.kind == Kind::Media && !self.code_folder;
        match (hash.len(), separator) {
            // A name that is nothing but a hash: 20 and 32 digits are webpack's; elsewhere it may be anybody's id.
            (_, b' ') => hash.len() >= 16 && !media_elsewhere && is_hex_hash(hash),
            // webpack's chunks are called `[id].[hash]`, the id itself a number or 8 hex digits.
            (8, b'.') if self.kind == Kind::Code && is_chunk_id(before) => {
                has_digit(hash) && has_letter(hash)
            }
            (_, b'.') => is_hex_hash(hash),
            (..16, b'-') if media_elsewhere => before == "favicon" && is_hex_hash(hash),
            (..16, b'-') => is_hex_hash(hash),
            (_, b'-') => is_hex_hash(hash),
            // Words joined by `_` are more often written by hand.
            (16.., b'_') => self.kind == Kind::Code && is_hex_hash(hash),
            _ => false,
        }
    }

    /// The stem ends in a hash as Rollup, Vite and esbuild write it: 8 characters, mostly of base64url.
    fn has_base64(&self, stem: &str) -> bool {
        let stem = match self.framework {
            true => without_transform(stem),
            false => stem,
        };
        let Some(at) = stem
            .len()
            .checked_sub(8)
            .filter(|at| stem.is_char_boundary(*at))
        else {
            return false;
        };
        let (before, hash) = stem.split_at(at);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !hash.bytes().all(allowed) || hash.starts_with("0x") {
            return false;
        }
        if before.is_empty() {
            return self.framework && oddness(hash) >= 3;
        }
        if before == "chunk-" && self.kind == Kind::Code {
            return is_base32(hash);
        }
        if !before.ends_with(['-', '.']) {
            return false;
        }
        let enough = match self.kind {
            _ if self.framework => 3,
            Kind::Code if self.code_folder => 4,
            Kind::Code => 5,
            Kind::Media if self.direct => 4,
            Kind::Media => return false,
        };
        oddness(hash) >= enough
    }
}

/// Astro adds a second hash for what it did to an image: `hero.BW95FD7l_1zNb9S.webp`.
fn without_transform(stem: &str) -> &str {
    match stem.rsplit_once('_') {
        Some((before, after))
            if (5..=7).contains(&after.len())
                && after.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            before
        }
        _ => stem,
    }
}

/// Hugo's resized images: `photo_hu_8f3a….webp`, earlier `photo_hu8f3a…_12345_600x0_resize_q75_box.jpg`.
fn is_hugo_image(stem: &str, kind: Kind) -> bool {
    kind == Kind::Media
        && stem.split("_hu").skip(1).any(|rest| {
            let hash = rest
                .trim_start_matches('_')
                .split('_')
                .next()
                .unwrap_or_default();
            matches!(hash.len(), 16 | 32) && is_hex_hash(hash)
        })
}

fn is_hex_length(length: usize) -> bool {
    matches!(
        length,
        8 | 10 | 12 | 16 | 20 | 24 | 32 | 40 | 56 | 64 | 96 | 128
    )
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

fn has_letter(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Hex digits that are neither a number or date, nor a word (`deadbeef`), nor one beside the other (`facade01`).
fn is_hex_hash(text: &str) -> bool {
    is_lower_hex(text) && pieces(text).count() >= 3
}

fn is_chunk_id(before: &str) -> bool {
    let id = before.rsplit(['/', '~']).next().unwrap_or_default();
    id.len() == 8 && is_lower_hex(id) && has_digit(id)
        || (1..=5).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// As esbuild writes hashes.
fn is_base32(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
}

/// A UUID names an upload, not a content.
fn holds_uuid(stem: &str) -> bool {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    stem.as_bytes().windows(36).any(|window| {
        window
            .iter()
            .enumerate()
            .all(|(at, byte)| match DASHES.contains(&at) {
                true => *byte == b'-',
                false => byte.is_ascii_hexdigit(),
            })
    })
}

#[cfg(test)]
mod tests;
