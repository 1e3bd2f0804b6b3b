//! Texts as JavaScript has them.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Returns SHA-256 of salt and password, whose bytes count as Latin-1 as `atob` has them, in hexadecimal digits.
pub(super) fn digest(salt: &str, password: &[u8]) -> String {
    let password: String = password.iter().map(|byte| char::from(*byte)).collect();
    let digest = Sha256::digest(format!("{salt}{password}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a value as JavaScript, in ASCII: JSON is JavaScript, but for its letters here.
pub(super) fn literal(value: &Value) -> String {
    let mut text = String::new();
    for unit in value.to_string().encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => text.push(char::from(byte)),
            _ => text += &format!("\\u{unit:04x}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_literal_reads_back(text in "(?s).{0,30}") {
            let quoted = literal(&text.as_str().into());
            proptest::prop_assert!(quoted.is_ascii());
            // JSON's strings are JavaScript's.
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }
    }
}
