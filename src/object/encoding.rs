//! Compression of whole bodies: the same bytes in give the same bytes out, so that ETags stay.

use std::io::{self, Read, Write};

use serde::Deserialize;

use super::headers::essence;

/// The least bytes that are worth another encoding.
const MIN_BYTES: u64 = 256;
/// The most bytes that are compressed: a body has to be in memory whole.
const MAX_BYTES: u64 = 64 << 20;
/// Bytes from which on the best levels take too long for what they gain.
const LARGE: usize = 1 << 20;

/// An encoding to store objects in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    Br,
    Gzip,
    Zstd,
}

impl Encoding {
    /// Returns the encoding that Content-Encoding names, if it is one of these alone.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Br, Self::Gzip, Self::Zstd];
        all.into_iter()
            .find(|encoding| encoding.name().eq_ignore_ascii_case(name))
    }

    /// Returns its name in Content-Encoding.
    pub fn name(self) -> &'static str {
        match self {
            Self::Br => "br",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Types that are like text, besides `text/*` and the structured ones of `application/*`.
const TYPES: &str = "application/ecmascript application/graphql application/javascript application/json application/json5 \
    application/ndjson application/rtf application/sql application/toml application/typescript \
    application/vnd.apple.mpegurl application/vnd.ms-fontobject application/wasm application/x-font-otf \
    application/x-font-ttf application/x-javascript application/x-mpegurl application/x-ndjson application/xml \
    application/yaml font/collection font/otf font/sfnt font/ttf image/bmp image/svg+xml image/vnd.microsoft.icon \
    image/x-icon image/x-ms-bmp model/gltf+json model/mtl model/obj model/stl";

/// Tells whether bodies of this Content-Type and size are worth a try: text and what is like it, never what is compressed by
/// itself.
pub fn is_compressible(content_type: &str, size: u64) -> bool {
    let essence = essence(content_type).to_ascii_lowercase();
    let structured = ["+json", "+xml", "+text"]
        .iter()
        .any(|end| essence.ends_with(end));
    let worth = essence == "text"
        || essence.starts_with("text/")
        || essence.starts_with("application/") && structured
        || TYPES.split(' ').any(|listed| listed == essence);
    worth && (MIN_BYTES..=MAX_BYTES).contains(&size)
}

/// Compresses the whole body by one call at a fixed level: the result depends on the bytes and on the compressor's version
/// alone.
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

/// Returns the body that [`compress`] was given. Refuses more than `MAX_BYTES`.
///
/// # Errors
/// When it is damaged or too large.
pub fn decompress(body: &[u8], encoding: Encoding) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    decoder(body, encoding)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut out)?;
    if out.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it is too large"));
    }
    Ok(out)
}

/// Returns what the first bytes of a compressed body tell of the body that [`compress`] was given, `most` bytes of it at most.
pub fn decompress_start(body: &[u8], encoding: Encoding, most: u64) -> Vec<u8> {
    let mut out = Vec::new();
    if let Ok(decoder) = decoder(body, encoding) {
        // It breaks off where the bytes do.
        let _ = decoder.take(most).read_to_end(&mut out);
    }
    out
}

fn decoder(body: &[u8], encoding: Encoding) -> io::Result<Box<dyn Read + '_>> {
    Ok(match encoding {
        Encoding::Br => Box::new(brotli::Decompressor::new(body, 4096)),
        Encoding::Gzip => Box::new(flate2::read::GzDecoder::new(body)),
        Encoding::Zstd => Box::new(zstd::Decoder::new(body)?),
    })
}

/// Compresses the body with the first of the encodings that makes it smaller by a twentieth at least.
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

    #[test]
    fn the_start_of_a_compressed_body_tells_its_start() {
        // Of zstd the first block has to be there whole, 128 KB of the body.
        for (encoding, lines) in [
            (Encoding::Br, 2_000),
            (Encoding::Gzip, 2_000),
            (Encoding::Zstd, 20_000),
        ] {
            let line = |number: u64| format!("{:x}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let lines: String = (0..lines).map(line).collect();
            let body = format!("<title>About</title>\n{lines}");
            let packed = compress(body.as_bytes(), encoding).unwrap();
            let start = &packed[..packed.len() * 3 / 4];
            assert!(decompress(start, encoding).is_err());
            let told = decompress_start(start, encoding, 1000);
            assert!(told == body.as_bytes()[..1000], "{encoding:?}");
            assert_eq!(Encoding::named(encoding.name()), Some(encoding));
        }
        assert_eq!(Encoding::named("aws-chunked"), None);
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
