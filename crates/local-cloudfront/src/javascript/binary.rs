//! Bytes as the functions have them in hand: encodings and digests. Here they are texts of one character a byte.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

use crate::content::{base64, unbase64};

fn bytes(binary: &str) -> Vec<u8> {
    binary.chars().map(|letter| letter as u8).collect()
}

fn binary(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().copied().map(char::from).collect()
}

/// Reads a text in an encoding.
pub(super) fn encode(text: &str, encoding: &str) -> Result<String, &'static str> {
    match encoding {
        "utf8" | "utf-8" => Ok(binary(text)),
        "latin1" if text.chars().all(|letter| u32::from(letter) < 256) => Ok(text.to_owned()),
        "hex" if text.len().is_multiple_of(2) && text.is_ascii() => {
            let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16);
            let bytes = (0..text.len()).step_by(2).map(digits);
            bytes
                .collect::<Result<Vec<u8>, _>>()
                .map(binary)
                .map_err(|_| "not hex")
        }
        "base64" | "base64url" => {
            let bare = text
                .trim_end_matches('=')
                .replace('-', "+")
                .replace('_', "/");
            let padding = "=".repeat(bare.len().wrapping_neg() % 4);
            unbase64(&format!("{bare}{padding}"))
                .map(binary)
                .ok_or("not base64")
        }
        _ => Err("The text is not of that encoding."),
    }
}

/// Writes bytes in an encoding.
pub(super) fn decode(text: &str, encoding: &str) -> Result<String, &'static str> {
    let bytes = bytes(text);
    match encoding {
        "utf8" | "utf-8" => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        "latin1" => Ok(text.to_owned()),
        "hex" => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        "base64" => Ok(base64(&bytes)),
        "base64url" => {
            let text = base64(&bytes).replace('+', "-").replace('/', "_");
            Ok(text.trim_end_matches('=').to_owned())
        }
        _ => Err("There is no such encoding."),
    }
}

pub(super) fn hash(algorithm: &str, data: &str) -> Result<String, &'static str> {
    let data = bytes(data);
    match algorithm {
        "md5" => Ok(binary(Md5::digest(data))),
        "sha1" => Ok(binary(Sha1::digest(data))),
        "sha256" => Ok(binary(Sha256::digest(data))),
        _ => Err("There is no such algorithm."),
    }
}

pub(super) fn hmac(algorithm: &str, data: &str, key: &str) -> Result<String, &'static str> {
    fn mac<M: Mac + KeyInit>(data: &[u8], key: &[u8]) -> Result<String, &'static str> {
        let mac = <M as KeyInit>::new_from_slice(key).map_err(|_| "The key is too long.")?;
        Ok(binary(mac.chain_update(data).finalize().into_bytes()))
    }
    let (data, key) = (bytes(data), bytes(key));
    match algorithm {
        "md5" => mac::<Hmac<Md5>>(&data, &key),
        "sha1" => mac::<Hmac<Sha1>>(&data, &key),
        "sha256" => mac::<Hmac<Sha256>>(&data, &key),
        _ => Err("There is no such algorithm."),
    }
}
