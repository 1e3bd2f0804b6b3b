//! Texts as JavaScript has them.

use sha2::{Digest, Sha256};

/// Returns SHA-256 of salt and password, whose bytes count as Latin-1 as `atob` has them, in hexadecimal digits.
pub(super) fn digest(salt: &str, password: &[u8]) -> String {
    let password: String = password.iter().map(|byte| char::from(*byte)).collect();
    let digest = Sha256::digest(format!("{salt}{password}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a string literal of JavaScript, in ASCII.
pub(super) fn literal(text: &str) -> String {
    let mut quoted = String::from("\"");
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\')) => quoted.extend(['\\', char::from(byte)]),
            Ok(byte @ b' '..=b'~') => quoted.push(char::from(byte)),
            _ => quoted += &format!("\\u{unit:04x}"),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_literal_reads_back(text in "(?s).{0,30}") {
            let quoted = literal(&text);
            proptest::prop_assert!(quoted.is_ascii());
            // JSON's strings are JavaScript's.
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }
    }
}
