//! How a key is written in a URL and in an invalidation path, and which paths CloudFront can be told exactly.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The most characters that CloudFront takes in an invalidation path (CloudFront Developer Guide, "Invalidate files").
pub(super) const MAX_PATH: usize = 4000;

/// What a distribution takes in an invalidation path besides what the guide says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathDialect {
    /// `'` was refused: it is treated as `~` is.
    pub quote_refused: bool,
}

impl PathDialect {
    /// Returns where the first thing stands that cannot be purged by its own text. Nobody knows whether CloudFront takes `%2B`.
    fn forbidden(self, path: &str) -> Option<usize> {
        let is_refused = |letter: char| letter == '~' || letter == '\'' && self.quote_refused;
        let plus = path.find("%2B");
        path.find(is_refused).into_iter().chain(plus).min()
    }
}

/// What is escaped besides control characters and what is not ASCII: all that RFC 1738 calls unsafe, but `~`, since no spelling of
/// that can be purged.
const UNSAFE: &AsciiSet = &CONTROLS
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

/// Returns `text` as CloudFront wants it, with escapes in upper case.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, UNSAFE).to_string()
}

/// Takes the escapes out of a path; what is no escape stays.
pub(super) fn decode(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// Returns whether the path can be purged alone, by its own text.
pub fn is_exact(path: &str, dialect: PathDialect) -> bool {
    path.len() <= MAX_PATH && !path.ends_with('*') && dialect.forbidden(path).is_none()
}

/// Returns the longest length at which a wildcard that takes `path` may be cut: before the first character that cannot be sent, before
/// a final run of `*`, and short enough for the wildcard itself. Always a cut where [`is_cut`] holds.
pub(super) fn reach(path: &str, dialect: PathDialect) -> usize {
    let open = dialect.forbidden(path).unwrap_or(path.len());
    cut_before(path.as_bytes(), open.min(MAX_PATH - 1))
}

/// Returns the last cut at or before `limit`.
pub(super) fn cut_before(path: &[u8], limit: usize) -> usize {
    let mut end = limit.min(path.len());
    while !is_cut(path, end) {
        end -= 1;
    }
    end
}

/// Returns the first cut after `from`, at most `limit`.
pub(super) fn cut_after(path: &[u8], from: usize, limit: usize) -> usize {
    let mut end = (from + 1).min(limit);
    while end < limit && !is_cut(path, end) {
        end += 1;
    }
    end
}

/// Returns whether a wildcard's prefix may end at `end`: not within an escape or a UTF-8 sequence of escapes, and not behind a
/// `*`. This hangs on what stands before `end` alone, so paths agree on it as far as they are alike.
pub(super) fn is_cut(path: &[u8], end: usize) -> bool {
    let Some(head) = path.get(..end) else {
        return false;
    };
    if end <= 1 {
        return true;
    }
    let tail = |back: usize| end.checked_sub(back).and_then(|place| head.get(place));
    if tail(1) == Some(&b'*') || tail(1) == Some(&b'%') || tail(2) == Some(&b'%') {
        return false;
    }
    // A lead byte 1 to 3 escapes back must have all its continuations.
    for escapes in 1..=3 {
        let start = escapes * 3;
        if tail(start) != Some(&b'%') {
            return true;
        }
        let digit = |back| tail(back).and_then(|byte| (*byte as char).to_digit(16));
        let (Some(high), Some(low)) = (digit(start - 1), digit(start - 2)) else {
            return true;
        };
        match high * 16 + low {
            0x80..=0xbf => {}
            0xc0..=0xdf => return escapes >= 2,
            0xe0..=0xef => return escapes >= 3,
            0xf0..=0xff => return false,
            _ => return true,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_escaped_is() {
        for (key, path) in [
            ("/a+&$,;:@=!()'-_.*~b", "/a+&$,;:@=!()'-_.*~b"),
            ("/é x", "/%C3%A9%20x"),
            ("/100%?", "/100%25%3F"),
            ("/<>\"#{}|\\^[]`", "/%3C%3E%22%23%7B%7D%7C%5C%5E%5B%5D%60"),
            ("/\u{7f}\n", "/%7F%0A"),
        ] {
            assert_eq!(encode(key), path);
        }
    }

    #[test]
    fn what_cannot_be_purged_alone() {
        let plain = PathDialect::default();
        let no_quote = PathDialect {
            quote_refused: true,
        };
        let long = format!("/{}", "x".repeat(MAX_PATH));
        for (path, dialect, exact, cut) in [
            ("/a/b", plain, true, 4),
            ("/a/~b/c", plain, false, 3),
            ("/c%2B%2B.html", plain, false, 2),
            ("/c%252B", plain, true, 7),
            ("/a/b*", plain, false, 4),
            ("/a/b**", plain, false, 4),
            ("/a*b", plain, true, 4),
            ("/it's", plain, true, 5),
            ("/it's", no_quote, false, 3),
            (&long, plain, false, MAX_PATH - 1),
        ] {
            assert_eq!(is_exact(path, dialect), exact, "{path:.20}");
            assert_eq!(reach(path, dialect), cut, "{path:.20}");
        }
    }

    #[test]
    fn a_cut_spares_escapes_and_sequences() {
        for text in ["/é", "/日本", "/a😀b", "/ % ", "/*x", "/x"] {
            let path = encode(text);
            let mut allowed: Vec<usize> = text
                .char_indices()
                .map(|(at, _)| encode(&text[..at]).len())
                .chain([path.len()])
                .collect();
            allowed.retain(|at| *at <= 1 || path.as_bytes()[at - 1] != b'*');
            let found: Vec<usize> = (0..=path.len())
                .filter(|at| is_cut(path.as_bytes(), *at))
                .collect();
            assert_eq!(found, allowed, "{path}");
        }
    }
}
