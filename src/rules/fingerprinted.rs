//! Recognizes names that hold a hash of their content, so that the content under a name can never change.
//!
//! A wrong yes lets browsers keep an asset for a year, a wrong no costs one purged path: in doubt, no.

use std::sync::LazyLock;

use regex::Regex;

use crate::object::key::file_name;

pub mod evidence;
mod readable;
pub mod siblings;

use self::readable::{RANDOM_BITS, is_readable, pieces, written_bits};

/// Bits that 8 random characters of base32 take.
const BASE32_BITS: usize = 40;

/// Tells whether the file's name, as bundlers and site generators write it, holds a hash of its content for sure.
///
/// Known are webpack (Create React App, Vue CLI, Gatsby, Docusaurus, Angular), Rollup and Vite (VitePress, Astro,
/// Nuxt, SvelteKit), Next, esbuild, Parcel, Hugo, mdBook, rustdoc, Trunk, Sprockets and Django. Pages, feeds, data
/// and downloads never are, whatever their names. Source maps, extracted licences and compressed copies go with the
/// file that they belong to.
pub fn is_fingerprinted(key: &str) -> bool {
    SplitName::of(key).is_some_and(|name| name.is_immutable() || name.is_sure())
}

/// The name of a file that may hold a hash, taken apart.
struct SplitName<'a> {
    folders: &'a str,
    /// Without what a companion adds.
    file: &'a str,
    /// Without what stands behind a hash.
    stem: &'a str,
    kind: FileKind,
    /// Somewhere under a folder that bundlers write to.
    code_folder: bool,
    /// Directly in such a folder.
    direct: bool,
    /// In a folder that holds nothing but hashed names.
    framework: bool,
}

impl<'a> SplitName<'a> {
    fn of(key: &'a str) -> Option<Self> {
        let (folders, name) = key.rsplit_once('/').unwrap_or(("", key));
        let file = without_companion(name);
        let (stem, extension) = file.rsplit_once('.')?;
        let is_output = |folder: &str| matches!(folder, "_astro" | "_nuxt");
        Some(Self {
            folders,
            file,
            stem: without_suffixes(stem),
            kind: kind_of(extension)?,
            code_folder: folders.split('/').any(is_output_folder),
            direct: is_output_folder(file_name(folders)),
            framework: folders.split('/').any(is_output),
        })
    }

    /// Tells whether its folder says all.
    fn is_immutable(&self) -> bool {
        is_immutable_folder(self.folders)
    }

    /// Tells whether its name alone says that it holds a hash.
    fn is_sure(&self) -> bool {
        !holds_uuid(self.stem) && (self.has_hex() || self.has_base64() || self.is_hugo_image())
    }

    /// Tells whether the last word of the stem is a hash in hex digits.
    fn has_hex(&self) -> bool {
        let stem = self.stem;
        let (before, hash, separator) = match stem.rfind(['.', '-', '_', '~']) {
            Some(index) => (&stem[..index], &stem[index + 1..], stem.as_bytes()[index]),
            None => ("", stem, b' '),
        };
        if !is_hex_length(hash.len()) || !is_lower_hex(hash) {
            return false;
        }
        let media_elsewhere = self.kind == FileKind::Media && !self.code_folder;
        match (hash.len(), separator) {
            // A name that is nothing but a hash: 20 and 32 digits are webpack's; elsewhere it may be anybody's id.
            (_, b' ') => hash.len() >= 16 && !media_elsewhere && is_hex_hash(hash),
            // webpack's chunks are called `[id].[hash]`, the id itself a number or 8 hex digits.
            (8, b'.') if self.kind == FileKind::Code && is_chunk_id(before) => {
                has_digit(hash) && has_letter(hash)
            }
            (_, b'.') => is_hex_hash(hash),
            (..16, b'-') if media_elsewhere => before == "favicon" && is_hex_hash(hash),
            (_, b'-') => is_hex_hash(hash),
            // Words joined by `_` are more often written by hand.
            (16.., b'_') => self.kind == FileKind::Code && is_hex_hash(hash),
            _ => false,
        }
    }

    /// Splits a stem before what may be a hash as Rollup, Vite and esbuild write it.
    fn split_base64(&self) -> Option<(&'a str, &'a str)> {
        if !self.framework {
            return split_last(self.stem).filter(|(before, _)| !before.is_empty());
        }
        split_last(self.stem).or_else(|| split_last(without_transform(self.stem)))
    }

    /// Tells whether the stem ends in a hash as Rollup, Vite and esbuild write it: 8 characters, mostly of base64url.
    fn has_base64(&self) -> bool {
        let Some((before, hash)) = self.split_base64() else {
            return false;
        };
        if before == "chunk-" && self.kind == FileKind::Code {
            return is_base32(hash);
        }
        // `main-QWRTYPSD.js`: esbuild, and so Angular, where no word is written so.
        if self.kind == FileKind::Code && before.ends_with('-') && is_base32(hash) {
            return written_bits(hash) >= BASE32_BITS + 12;
        }
        let enough = match self.kind {
            _ if self.framework => RANDOM_BITS - 6,
            FileKind::Code if self.code_folder => RANDOM_BITS + 2,
            FileKind::Code => RANDOM_BITS + 10,
            FileKind::Media if self.direct => RANDOM_BITS + 2,
            FileKind::Media => return false,
        };
        written_bits(hash) >= enough && !is_readable(hash)
    }

    /// Recognizes Hugo's resized images: `photo_hu_8f3a….webp`, earlier `photo_hu8f3a…_12345_600x0_resize_q75_box.jpg`.
    fn is_hugo_image(&self) -> bool {
        let mut behind = self.stem.split("_hu").skip(1);
        self.kind == FileKind::Media
            && behind.any(|rest| {
                let rest = rest.trim_start_matches('_');
                let (hash, _) = rest.split_once('_').unwrap_or((rest, ""));
                matches!(hash.len(), 16 | 32) && is_hex_hash(hash)
            })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FileKind {
    /// Written by a bundler more often than by hand.
    Code,
    /// As often somebody's upload, whose name may hold a random id.
    Media,
}

/// Cuts off what a companion's name adds: `main.1f2e.js.map`, `main.1f2e.js.LICENSE.txt` and `main.1f2e.js.gz` are asked for
/// by, or instead of, `main.1f2e.js`.
fn without_companion(name: &str) -> &str {
    [".map", ".LICENSE.txt", ".gz", ".br", ".zst"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .filter(|rest| rest.contains('.'))
        .unwrap_or(name)
}

fn kind_of(extension: &str) -> Option<FileKind> {
    match extension {
        "js" | "mjs" | "cjs" | "css" | "wasm" | "woff2" | "woff" | "ttf" | "otf" | "eot" => {
            Some(FileKind::Code)
        }
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "svg" | "ico" | "jxl" | "bmp"
        | "mp4" | "webm" | "ogv" | "mp3" | "ogg" | "opus" | "wav" | "m4a" | "aac" | "flac"
        | "ts" | "m4s" | "m4v" | "cmfv" | "cmfa" | "cmft" | "ac3" | "ec3" | "vtt" | "webvtt" => {
            Some(FileKind::Media)
        }
        _ => None,
    }
}

/// Tells whether one of the folders is one of which its generator says that all it holds is immutable (Next and SvelteKit serve
/// them so themselves; Gatsby's `static/MD5/`).
fn is_immutable_folder(folders: &str) -> bool {
    let parents = [""].into_iter().chain(folders.split('/'));
    let mut nested = parents.zip(folders.split('/'));
    nested.any(|(parent, folder)| match parent {
        "_next" => folder == "static",
        "_app" => folder == "immutable",
        "static" => folder.len() == 32 && is_hex_hash(folder),
        _ => false,
    })
}

fn is_output_folder(folder: &str) -> bool {
    const FOLDERS: &str =
        "assets static _assets _astro _nuxt _shared chunks build bundles dist media static.files";
    FOLDERS.split(' ').any(|listed| listed == folder)
}

/// Cuts off what bundlers write between the hash and the extension: `x.1f2e.chunk.css`, `x-1f2e.min.js`.
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

/// Splits a stem before 8 last characters of base64url that stand alone.
fn split_last(stem: &str) -> Option<(&str, &str)> {
    let (before, hash) = stem.split_at_checked(stem.len().checked_sub(8)?)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let fits = before.is_empty() || before.ends_with(['-', '.']);
    let fits = fits && hash.bytes().all(allowed) && !hash.strip_prefix("0x").is_some_and(is_number);
    fits.then_some((before, hash))
}

/// Cuts off the second hash that Astro adds for what it did to an image: `hero.BW95FD7l_1zNb9S.webp`.
fn without_transform(stem: &str) -> &str {
    let is_hash = |word: &str| {
        (5..=7).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    match stem.rsplit_once('_') {
        Some((before, after)) if is_hash(after) => before,
        _ => stem,
    }
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

/// Recognizes hex digits that are neither a number or date, nor a word (`deadbeef`), nor one beside the other (`facade01`).
fn is_hex_hash(text: &str) -> bool {
    is_lower_hex(text) && pieces(text).count() >= 3
}

fn is_chunk_id(before: &str) -> bool {
    let (_, id) = before.rsplit_once('~').unwrap_or(("", before));
    id.len() == 8 && is_lower_hex(id) && has_digit(id)
        || (1..=5).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// Tells whether it is written as esbuild writes hashes.
fn is_base32(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
}

/// Tells whether a UUID is in the stem, which names an upload and not a content.
fn holds_uuid(stem: &str) -> bool {
    static UUID: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new("(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}").expect("constant")
    });
    UUID.is_match(stem)
}

#[cfg(test)]
mod tests;
