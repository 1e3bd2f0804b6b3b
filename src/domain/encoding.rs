//! Compression of whole bodies: the same bytes in give the same bytes out, so that ETags stay.

use std::io::{self, Read, Write};

use super::rules::Encoding;

/// What is smaller gains too little to be worth another encoding, in bytes.
pub const MIN_BYTES: u64 = 256;
/// What is larger is stored as it is, in bytes: it has to be in memory whole.
pub const MAX_BYTES: u64 = 64 << 20;
/// Bytes from which on the best levels take too long for what they gain.
const LARGE: usize = 1 << 20;

/// Whether bodies of this Content-Type and size are worth a try: text and what is like it, never what is compressed by itself.
pub fn is_compressible(content_type: &str, size: u64) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let (major, minor) = essence.split_once('/').unwrap_or((&essence, ""));
    let structured = ["+json", "+xml", "+text"];
    let by_type = match major {
        "text" => true,
        "image" => matches!(
            minor,
            "svg+xml" | "bmp" | "x-icon" | "vnd.microsoft.icon" | "x-ms-bmp"
        ),
        "font" => matches!(minor, "ttf" | "otf" | "sfnt" | "collection"),
        "application" => {
            structured.iter().any(|end| minor.ends_with(end))
                || matches!(
                    minor,
                    "json"
                        | "javascript"
                        | "x-javascript"
                        | "ecmascript"
                        | "typescript"
                        | "xml"
                        | "wasm"
                        | "json5"
                        | "x-ndjson"
                        | "ndjson"
                        | "rtf"
                        | "yaml"
                        | "toml"
                        | "sql"
                        | "graphql"
                        | "vnd.ms-fontobject"
                        | "x-font-ttf"
                        | "x-font-otf"
                        | "vnd.apple.mpegurl"
                        | "x-mpegurl"
                )
        }
        "model" => matches!(minor, "gltf+json" | "obj" | "mtl" | "stl"),
        _ => false,
    };
    by_type && (MIN_BYTES..=MAX_BYTES).contains(&size)
}

/// The whole body in this encoding, by one call at a fixed level: it depends on the bytes alone, and on the compressor's version.
///
/// # Errors
/// When memory does not suffice.
pub fn compress(body: &[u8], encoding: Encoding) -> io::Result<Vec<u8>> {
    let large = body.len() > LARGE;
    match encoding {
        Encoding::Br => {
            let params = brotli::enc::BrotliEncoderParams {
                quality: if large { 9 } else { 11 },
                lgwin: 22,
                size_hint: body.len(),
                ..Default::default()
            };
            let mut out = Vec::new();
            brotli::BrotliCompress(&mut &*body, &mut out, &params)?;
            Ok(out)
        }
        Encoding::Gzip => {
            // The header has neither name nor time.
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            out.write_all(body)?;
            out.finish()
        }
        Encoding::Zstd => {
            // A browser takes windows of 8 MB at most (RFC 9659), which level 19 does not exceed.
            zstd::bulk::compress(body, if large { 12 } else { 19 })
        }
    }
}

/// The body that [`compress`] was given. Refuses more than [`MAX_BYTES`].
///
/// # Errors
/// When it is damaged or too large.
pub fn decompress(body: &[u8], encoding: Encoding) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let reader: Box<dyn Read + '_> = match encoding {
        Encoding::Br => Box::new(brotli::Decompressor::new(body, 4096)),
        Encoding::Gzip => Box::new(flate2::read::GzDecoder::new(body)),
        Encoding::Zstd => Box::new(zstd::Decoder::new(body)?),
    };
    reader.take(MAX_BYTES + 1).read_to_end(&mut out)?;
    match out.len() as u64 > MAX_BYTES {
        true => Err(io::Error::other("it is too large")),
        false => Ok(out),
    }
}

/// The body in the first of the encodings in which it is smaller by a twentieth at least.
///
/// # Errors
/// Those of [`compress`].
pub fn first_that_gains(
    body: &[u8],
    encodings: &[Encoding],
) -> io::Result<Option<(Encoding, Vec<u8>)>> {
    for encoding in encodings {
        let out = compress(body, *encoding)?;
        if out.len() <= body.len() - body.len() / 20 && out.len() < body.len() {
            return Ok(Some((*encoding, out)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Encoding; 3] = [Encoding::Br, Encoding::Gzip, Encoding::Zstd];

    #[test]
    fn only_what_may_gain_is_tried() {
        for (content_type, size, expected) in [
            ("text/html; charset=utf-8", 1000, true),
            ("TEXT/CSS", 1000, true),
            ("application/rss+xml", 1000, true),
            ("image/svg+xml", 1000, true),
            ("application/wasm", 1000, true),
            ("text/html", MIN_BYTES - 1, false),
            ("text/html", MAX_BYTES + 1, false),
            ("image/png", 1000, false),
            ("video/mp4", 1000, false),
            ("font/woff2", 1000, false),
            ("application/zip", 1000, false),
            ("application/pdf", 1000, false),
            ("application/octet-stream", 1000, false),
            ("", 1000, false),
        ] {
            assert_eq!(
                is_compressible(content_type, size),
                expected,
                "{content_type} {size}"
            );
        }
    }

    #[test]
    fn noise_is_left_as_it_is() {
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .take(5000)
        .collect();
        assert!(first_that_gains(&noise, &ALL).unwrap().is_none());
        let text = b"again and ".repeat(500);
        let (encoding, out) = first_that_gains(&text, &ALL).unwrap().unwrap();
        assert!(encoding == Encoding::Br && out.len() < 100);
    }

    proptest::proptest! {
        #[test]
        fn what_is_compressed_comes_back(body: Vec<u8>, times in 1_usize..50) {
            let body = body.repeat(times);
            for encoding in ALL {
                let out = compress(&body, encoding).unwrap();
                proptest::prop_assert_eq!(&out, &compress(&body, encoding).unwrap());
                proptest::prop_assert_eq!(&decompress(&out, encoding).unwrap(), &body);
            }
        }
    }
}
