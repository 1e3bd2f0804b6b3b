//! A glob on keys as sequences of bytes and gaps, so that it can be asked for the request paths behind those keys. It takes
//! what [`super::globs::Globs`] takes.

use std::array;

/// The most sequences that the braces and `**` of a glob may come to.
const MAX_SEQUENCES: usize = 64;
/// The most tokens of a sequence: no key has more bytes (S3 User Guide, "Naming Amazon S3 objects").
const MAX_TOKENS: usize = 1024;

/// Which bytes may stand somewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ByteSet([bool; 256]);

impl ByteSet {
    pub(super) fn all() -> Self {
        Self([true; 256])
    }

    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(array::from_fn(|byte| bytes.contains(&(byte as u8))))
    }

    pub(super) fn without(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            self.0[usize::from(*byte)] = false;
        }
        self
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    /// Returns them in their order.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(|byte| self.has(*byte))
    }

    pub(super) fn is_disjoint(&self, other: &Self) -> bool {
        !self.bytes().any(|byte| other.has(byte))
    }
}

/// How many bytes a token takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ByteCount {
    One,
    /// None, too.
    Any,
    /// One or more.
    Some,
}

/// Bytes of a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PathToken {
    pub bytes: ByteSet,
    pub count: ByteCount,
}

impl PathToken {
    pub(super) fn one(bytes: ByteSet) -> Self {
        let count = ByteCount::One;
        Self { bytes, count }
    }

    fn any(bytes: ByteSet) -> Self {
        let count = ByteCount::Any;
        Self { bytes, count }
    }

    pub(super) fn may_be_empty(&self) -> bool {
        self.count == ByteCount::Any
    }

    pub(super) fn byte(byte: u8) -> Self {
        Self::one(ByteSet::of(&[byte]))
    }

    /// Any text at all.
    pub(super) fn anything() -> Self {
        Self::any(ByteSet::all())
    }

    fn in_segment() -> ByteSet {
        ByteSet::all().without(b"/")
    }
}

/// Tokens that take a path, its leading `/` included.
pub(super) type TokenSequence = Vec<PathToken>;

/// Returns the sequences for what a glob names, not for what lies below it. `None`: it is an exclusion, or cannot be written.
pub(super) fn named(glob: &str) -> Option<Vec<TokenSequence>> {
    let line = GlobLine::of(glob)?;
    if line.is_folder {
        return Some(Vec::new());
    }
    line.sequences()
}

/// Returns the sequences for all that a glob takes: what it names, and what lies in folders that it names.
pub(super) fn taken(glob: &str) -> Option<Vec<TokenSequence>> {
    let line = GlobLine::of(glob)?;
    let named = line.sequences()?;
    let mut taken = Vec::new();
    for sequence in named {
        // What names the root, which is the empty path, takes all.
        let root = before(&sequence, b"/");
        if root
            .iter()
            .any(|rest| rest.iter().all(PathToken::may_be_empty))
        {
            return Some(vec![vec![PathToken::anything()]]);
        }
        let below = [PathToken::byte(b'/'), PathToken::anything()];
        taken.push([sequence.as_slice(), &below].concat());
        if !line.is_folder {
            taken.push(sequence);
        }
    }
    Some(taken)
}

/// Returns what may stand before an ending in what a sequence takes.
pub(super) fn before(sequence: &[PathToken], ending: &[u8]) -> Vec<TokenSequence> {
    let Some((byte, ending_rest)) = ending.split_last() else {
        return vec![sequence.to_vec()];
    };
    let Some((token, rest)) = sequence.split_last() else {
        return Vec::new();
    };
    let takes = token.bytes.has(*byte);
    let mut found = Vec::new();
    if token.may_be_empty() {
        found.extend(before(rest, ending));
    }
    if takes {
        let left = if token.may_be_empty() { sequence } else { rest };
        found.extend(before(left, ending_rest));
    }
    found
}

/// A glob without its anchor and its last `/` (git's documentation, "gitignore", PATTERN FORMAT).
struct GlobLine {
    text: String,
    is_folder: bool,
}

impl GlobLine {
    fn of(glob: &str) -> Option<Self> {
        let mut line = glob;
        if !line.ends_with("\\ ") {
            line = line.trim_end();
        }
        if line.is_empty() || line.starts_with(['!', '#']) {
            return None;
        }
        let anchored = line.strip_prefix('/');
        line = anchored.unwrap_or(line);
        if line.starts_with("\\!") || line.starts_with("\\#") {
            line = line.split_at(1).1;
        }
        let folder = line.strip_suffix('/');
        line = folder.map_or(line, |folder| folder.strip_suffix('\\').unwrap_or(folder));
        let anywhere = anchored.is_none() && !line.contains('/') && line != "**";
        Some(Self {
            text: format!("{}{line}", if anywhere { "**/" } else { "" }),
            is_folder: folder.is_some(),
        })
    }

    fn sequences(&self) -> Option<Vec<TokenSequence>> {
        let mut reader = GlobReader {
            letters: self.text.chars().collect(),
            next: 0,
            depth: 0,
        };
        let sequences = reader.alternative()?;
        let whole = reader.next == reader.letters.len();
        // "**/" and "**" at the start take the leading "/" themselves.
        let floats = self.text == "**" || self.text.starts_with("**/");
        let slash = PathToken::byte(b'/');
        let rooted = sequences.into_iter().map(|sequence| {
            let slash = Some(slash.clone()).filter(|_| !floats);
            slash.into_iter().chain(sequence).collect()
        });
        whole.then(|| rooted.collect())
    }
}

/// Reads a glob as the crate globset does, whose folders are apart and whose `\` escapes.
struct GlobReader {
    letters: Vec<char>,
    next: usize,
    /// Of braces.
    depth: usize,
}

impl GlobReader {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.next).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.next += 1;
        Some(letter)
    }

    /// Reads up to the end, or to the `,` or `}` that ends an alternative.
    fn alternative(&mut self) -> Option<Vec<TokenSequence>> {
        let mut open: Vec<TokenSequence> = vec![Vec::new()];
        while let Some(letter) = self.peek() {
            if self.depth > 0 && matches!(letter, ',' | '}') {
                break;
            }
            self.next += 1;
            let added = match letter {
                '*' => self.star()?,
                '?' => vec![vec![PathToken::one(PathToken::in_segment())]],
                '[' => vec![vec![PathToken::one(self.class()?)]],
                '{' => self.braces()?,
                '}' => return None,
                '\\' => vec![literal(self.bump()?)],
                letter => vec![literal(letter)],
            };
            let joined = open.iter().flat_map(|left| {
                let right = added.iter();
                right.map(move |right| [left.as_slice(), right].concat())
            });
            open = joined.collect();
            if open.len() > MAX_SEQUENCES || open.iter().any(|one| one.len() > MAX_TOKENS) {
                return None;
            }
        }
        Some(open)
    }

    /// Reads what follows a `{`. An alternative without a letter is as if it were not there.
    fn braces(&mut self) -> Option<Vec<TokenSequence>> {
        self.depth += 1;
        let mut all = Vec::new();
        loop {
            let alternative = self.alternative()?;
            all.extend(alternative.into_iter().filter(|one| !one.is_empty()));
            if self.bump()? == '}' {
                break;
            }
        }
        self.depth -= 1;
        if all.is_empty() {
            all.push(Vec::new());
        }
        Some(all)
    }

    /// Reads what follows a `*`: a second one makes a text of any folders, where it stands between slashes.
    fn star(&mut self) -> Option<Vec<TokenSequence>> {
        let from = self.next - 1;
        let segment = vec![vec![PathToken::any(PathToken::in_segment())]];
        if self.peek() != Some('*') {
            return Some(segment);
        }
        self.next += 1;
        if self.depth > 0 {
            return None;
        }
        let anything = PathToken::anything();
        let begins = from == 0;
        let follows = begins || self.letters.get(from - 1) == Some(&'/');
        match self.peek() {
            None if follows => Some(vec![vec![anything]]),
            Some('/') if follows => {
                self.next += 1;
                let folders = vec![anything, PathToken::byte(b'/')];
                let none = (!begins).then(Vec::new);
                Some(none.into_iter().chain([folders]).collect())
            }
            _ => Some(segment),
        }
    }

    /// Reads what follows a `[`. Only ASCII has one byte a letter; what a class excludes has to look alike in every URL.
    fn class(&mut self) -> Option<ByteSet> {
        let negated = matches!(self.peek(), Some('!' | '^'));
        self.next += usize::from(negated);
        let mut bytes: Vec<u8> = Vec::new();
        let from = self.next;
        let mut range = false;
        loop {
            let first = self.next == from;
            let letter = self.bump().filter(char::is_ascii)? as u8;
            match letter {
                b']' if !first => break,
                b'-' if !first && !range => range = true,
                _ if range => {
                    let low = bytes.last().copied()?;
                    bytes.extend(low..=letter);
                    range = false;
                }
                _ => bytes.push(letter),
            }
        }
        bytes.extend(range.then_some(b'-'));
        if !negated {
            return Some(ByteSet::of(&bytes));
        }
        let plain = |byte: &u8| is_unreserved(*byte) || *byte == b'/';
        let alike = bytes.iter().all(plain);
        alike.then(|| ByteSet::all().without(&bytes))
    }
}

fn literal(letter: char) -> TokenSequence {
    let mut bytes = [0; 4];
    let bytes = letter.encode_utf8(&mut bytes).bytes();
    bytes.map(PathToken::byte).collect()
}

/// Tells whether a URL has the byte as itself (RFC 3986, section 2.3).
pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}
