//! Request paths as edges keep them.

use percent_encoding::{AsciiSet, CONTROLS};

/// What CloudFront wants encoded in a path: RFC 1738's unsafe characters and what is not ASCII (Developer Guide,
/// "Specify files to invalidate").
pub(crate) const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'<')
    .add(b'>')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'\\')
    .add(b'^')
    .add(b'[')
    .add(b']')
    .add(b'`')
    .add(b'?');

/// The one form of a path that entries are kept under: escapes in upper case, unsafe characters escaped, letters, digits,
/// `-`, `.` and `_` not. Other escapes stay as the viewer wrote them.
pub(crate) fn normal_path(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut normal = String::new();
    let mut position = 0;
    while position < bytes.len() {
        let byte = bytes[position];
        let digit = |index: usize| Some(char::from(*bytes.get(index)?).to_digit(16)? as u8);
        if byte == b'%'
            && let (Some(high), Some(low)) = (digit(position + 1), digit(position + 2))
        {
            let value = high * 16 + low;
            match value {
                b'-' | b'.' | b'_' => normal.push(char::from(value)),
                _ if value.is_ascii_alphanumeric() => normal.push(char::from(value)),
                _ => normal.push_str(&format!("%{value:02X}")),
            }
            position += 3;
            continue;
        }
        let piece = [byte];
        normal.extend(percent_encoding::percent_encode(&piece, UNSAFE));
        position += 1;
    }
    if !normal.starts_with('/') {
        normal.insert(0, '/');
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_form() {
        for (path, normal) in [
            ("/%c3%a9", "/%C3%A9"),
            ("/é", "/%C3%A9"),
            ("/%41%2e", "/A."),
            ("/a+b%2Bc%2a*~%7E", "/a+b%2Bc%2A*~%7E"),
            ("/a b[1]", "/a%20b%5B1%5D"),
            ("/100%", "/100%25"),
            ("", "/"),
        ] {
            assert_eq!(normal_path(path), normal, "{path}");
        }
    }
}
