//! Finds the names of a build that hold a hash of their content, where a name alone does not tell: siblings decide together.

use std::collections::HashMap;
use std::fmt;

use super::evidence::NameEvidence;
use super::readable::{is_readable, pieces, written_bits};
use super::{BASE32_BITS, FileKind, SplitName, holds_uuid, is_base32, is_hex_length, is_lower_hex};

/// Names of one folder that a bundler may have written with one template.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct NamePattern<'a> {
    folders: &'a str,
    /// Before the hash; `None` where the name is nothing else.
    separator: Option<u8>,
    /// Hex digits, and not base64url.
    hex: bool,
    length: usize,
}

/// The scripts, styles and fonts of one pattern, but for those that people wrote.
#[derive(Clone, Copy, Default)]
struct SiblingCount<'a> {
    all: usize,
    /// Those whose hash is certain.
    sure: usize,
    /// Those of them that are written in base32, as esbuild does.
    base32: usize,
    /// One of the certain.
    example: &'a str,
}

/// The names of a build, by what they tell of each other.
#[derive(Default)]
pub struct FingerprintedNames<'a> {
    patterns: HashMap<NamePattern<'a>, SiblingCount<'a>>,
    evidence: NameEvidence,
}

/// Whether a name counts as one that holds a hash of its content, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameVerdict<'a> {
    /// It has nothing like a hash.
    Plain,
    /// It has a hash, or lies where everything has.
    Hashed,
    Listed,
    /// Its last part may be chance or words, but so many siblings have certain hashes there.
    Siblings {
        count: usize,
        example: &'a str,
    },
    /// What stands in the hash's place are words, a number, a date or a size.
    Readable(&'a str),
    /// What stands in the hash's place is no word, and nothing says that it is a hash.
    Doubtful(&'a str),
}

impl<'a> FingerprintedNames<'a> {
    /// Returns what these keys tell of each other.
    pub fn of(keys: impl Iterator<Item = &'a str>, evidence: NameEvidence) -> Self {
        let mut names = Self {
            patterns: HashMap::new(),
            evidence,
        };
        for key in keys {
            names.count(key);
        }
        names
    }

    fn count(&mut self, key: &'a str) {
        // A companion is no further sibling.
        let counts = |name: &SplitName| name.kind == FileKind::Code && key.ends_with(name.file);
        let Some(name) = SplitName::of(key).filter(counts) else {
            return;
        };
        let Some(tail) = tail_of(&name) else {
            return;
        };
        let base32 = is_base32(tail.text);
        if tail.is_readable(base32) {
            return;
        }
        let NameEvidence { listed, referenced } = &self.evidence;
        let is_sure = name.is_sure() || listed.contains(name.file) || referenced.contains(key);
        let siblings = self.patterns.entry(tail.pattern).or_default();
        siblings.all += 1;
        if is_sure {
            siblings.sure += 1;
            siblings.base32 += usize::from(base32);
            siblings.example = name.file;
        }
    }

    /// Tells whether a key's name holds a hash of its content, as far as the build tells.
    pub fn judge<'n>(&'n self, key: &'n str) -> NameVerdict<'n> {
        let Some(name) = SplitName::of(key) else {
            return NameVerdict::Plain;
        };
        if name.is_immutable() || name.is_sure() {
            return NameVerdict::Hashed;
        }
        if self.evidence.listed.contains(name.file) {
            return NameVerdict::Listed;
        }
        let Some(tail) = tail_of(&name) else {
            return NameVerdict::Plain;
        };
        let siblings = self
            .patterns
            .get(&tail.pattern)
            .copied()
            .unwrap_or_default();
        let base32 = siblings.base32 > 0 && siblings.base32 == siblings.sure;
        if tail.is_readable(base32) {
            NameVerdict::Readable(tail.text)
        } else if siblings.sure > 0 && siblings.sure * 2 >= siblings.all {
            NameVerdict::Siblings {
                count: siblings.sure,
                example: siblings.example,
            }
        } else {
            NameVerdict::Doubtful(tail.text)
        }
    }
}

impl NameVerdict<'_> {
    pub fn is_fingerprinted(self) -> bool {
        matches!(self, Self::Hashed | Self::Listed | Self::Siblings { .. })
    }
}

impl fmt::Display for NameVerdict<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain | Self::Hashed => out.write_str("by name"),
            Self::Listed => out.write_str("as the bundler's manifest lists it"),
            Self::Siblings { count: 1, example } => write!(out, "as its sibling `{example}`"),
            Self::Siblings { count, example } => {
                write!(out, "as {count} siblings like `{example}`")
            }
            Self::Readable(tail) => write!(out, "`{tail}` is no random text"),
            Self::Doubtful(tail) if !tail.contains(|c: char| c.is_ascii_digit()) => {
                write!(out, "`{tail}` has no digit")
            }
            Self::Doubtful(tail) => write!(out, "`{tail}` may be chance"),
        }
    }
}

/// What stands where a bundler writes the hash.
struct NameTail<'a> {
    pattern: NamePattern<'a>,
    text: &'a str,
}

fn tail_of<'a>(name: &SplitName<'a>) -> Option<NameTail<'a>> {
    if holds_uuid(name.stem) {
        return None;
    }
    let last = name.stem.rfind(['.', '-', '_', '~']);
    let last = last.map(|index| name.stem.split_at(index + 1));
    let hex = last.filter(|(before, text)| {
        before.ends_with(['.', '-']) && is_hex_length(text.len()) && is_lower_hex(text)
    });
    let (before, text) = hex.or_else(|| name.split_base64())?;
    let pattern = NamePattern {
        folders: name.folders,
        separator: before.bytes().next_back(),
        hex: hex.is_some(),
        length: text.len(),
    };
    Some(NameTail { pattern, text })
}

impl NameTail<'_> {
    /// Tells whether somebody may have written it by hand; `base32`: all siblings' hashes are of capitals and digits.
    fn is_readable(&self, base32: bool) -> bool {
        if self.pattern.hex {
            return reads_as_hex(self.text);
        }
        if base32 && is_base32(self.text) {
            let letters = self.text.matches(|c: char| c.is_ascii_alphabetic()).count();
            return letters > 3 && written_bits(self.text) <= BASE32_BITS + 4;
        }
        is_readable(self.text)
    }
}

/// Recognizes dates, and words of hex digits with a number: `20240131`, `31012024`, `decade20`.
fn reads_as_hex(text: &str) -> bool {
    const WORDS: &str = " facade decade faced faded added dead beef deadbeef feed feedface face cafe fade babe bead bade deaf abed \
        accede ceded deed defaced effaced beaded dada baba cadca efface deface cede ";
    let is_word = |piece: &str| piece.len() > 3 && WORDS.contains(&format!(" {piece} "));
    let is_year = |text: &str| matches!(text.get(..2), Some("19" | "20"));
    let is_within = |text: Option<&str>, most| {
        text.and_then(|text| text.parse().ok())
            .is_some_and(|number: u8| (1..=most).contains(&number))
    };
    let is_day = |month, day| is_within(text.get(month), 12) && is_within(text.get(day), 31);
    let is_date = text.len() == 8
        && (is_year(text) && is_day(4..6, 6..8)
            || text.get(4..).is_some_and(is_year) && (is_day(0..2, 2..4) || is_day(2..4, 0..2)));
    is_date && text.bytes().all(|byte| byte.is_ascii_digit())
        || pieces(text).count() < 3 && pieces(text).any(is_word)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Numbers that look random and are the same each time (splitmix64).
    struct NameDice(u64);

    impl NameDice {
        fn roll(&mut self, below: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (mixed ^ (mixed >> 31)) as usize % below
        }

        fn text(&mut self, alphabet: &str, length: usize) -> String {
            let letter =
                |dice: &mut Self| char::from(alphabet.as_bytes()[dice.roll(alphabet.len())]);
            (0..length).map(|_| letter(self)).collect()
        }
    }

    const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const HEX: &str = "0123456789abcdef";

    /// How a generator calls its scripts, styles and images: `#` is a number, `*` the hash.
    struct Template {
        names: &'static str,
        alphabet: &'static str,
        length: usize,
    }

    const fn template(names: &'static str, alphabet: &'static str, length: usize) -> Template {
        Template {
            names,
            alphabet,
            length,
        }
    }

    const TEMPLATES: [Template; 14] = [
        // Vite, Astro, Nuxt, SvelteKit
        template("assets/P#-*.css assets/l#-*.svg assets/P#-*.js", BASE64, 8),
        template("_astro/page#.*.css _astro/Card.*.js", BASE64, 8),
        template("_nuxt/*.js _nuxt/page#.*.css", BASE64, 8),
        template(
            "_app/immutable/chunks/*.js _app/immutable/nodes/#.*.js",
            BASE64,
            8,
        ),
        // Create React App, Vue CLI, Docusaurus
        template("static/js/main.*.js static/js/#.*.chunk.js", HEX, 8),
        template("page#.*.js", HEX, 8),
        template(
            "js/chunk-vendors.*.js js/chunk-#.*.js css/app.*.css",
            HEX,
            8,
        ),
        template("assets/js/a#c.*.js assets/js/runtime~main.*.js", HEX, 8),
        // Angular, Remix
        template(
            "main-*.js polyfills-*.js styles-*.css chunk-*.js",
            BASE32,
            8,
        ),
        template("build/route#-*.js", BASE32, 8),
        // Gatsby, Next, Hugo, Sprockets
        template(
            "component---src-pages-#-js-*.js app-*.js styles.*.css",
            HEX,
            20,
        ),
        template("_next/static/chunks/#-*.js framework-*.js", HEX, 16),
        template("css/style.min.*.css js/bundle.*.js", HEX, 64),
        template("app-*.css logo#-*.png", HEX, 32),
    ];

    impl Template {
        fn key(&self, number: usize, dice: &mut NameDice) -> String {
            let names: Vec<&str> = self.names.split(' ').collect();
            let name = names[number % names.len()].replace('#', &number.to_string());
            name.replace('*', &dice.text(self.alphabet, self.length))
        }
    }

    /// Returns those keys of a build that are found. Pages lie beside them.
    fn found(keys: &[String]) -> BTreeSet<&str> {
        let all = keys.iter().map(String::as_str);
        let pages = ["index.html", "favicon.ico"];
        let names = FingerprintedNames::of(all.clone().chain(pages), NameEvidence::default());
        all.filter(|key| names.judge(key).is_fingerprinted())
            .collect()
    }

    /// What reads like words is left out, at the cost of a path each.
    #[test]
    fn random_names_are_found_among_their_siblings() {
        let missed = TEMPLATES.map(|template| {
            let (mut dice, mut missed) = (NameDice(7), 0);
            for _ in 0..100 {
                let size = 1 + dice.roll(100);
                let keys: Vec<String> = (0..size)
                    .map(|number| template.key(number, &mut dice))
                    .collect();
                missed += size - found(&keys).len();
            }
            missed
        });
        // Of some 5,000 each.
        assert_eq!(missed, [33, 34, 34, 0, 0, 0, 2, 0, 51, 59, 0, 0, 0, 0]);
    }

    #[test]
    fn a_name_that_stays_keeps_its_verdict() {
        let flapped = TEMPLATES.map(|template| {
            let (mut dice, mut flapped) = (NameDice(5), 0);
            for _ in 0..100 {
                let size = 1 + dice.roll(40);
                let mut keys: Vec<String> = (0..size)
                    .map(|number| template.key(number, &mut dice))
                    .collect();
                let before = keys.clone();
                for (number, key) in keys.iter_mut().enumerate() {
                    if dice.roll(3) == 0 {
                        *key = template.key(number, &mut dice);
                    }
                }
                keys.push(template.key(size, &mut dice));
                let (old, new) = (found(&before), found(&keys));
                let stays = |key: &&String| keys.contains(key);
                let changed =
                    |key: &&String| old.contains(key.as_str()) != new.contains(key.as_str());
                flapped += before.iter().filter(stays).filter(changed).count();
            }
            flapped
        });
        assert_eq!(flapped, [0; 14]);
    }

    /// What files are called, 8 characters each: names and ends of names out of Bootstrap Icons, Font Awesome, Lucide, Material
    /// Design Icons, Ionicons, Feather, Simple Icons, flag-icons, jQuery UI, TinyMCE, WordPress' blocks, highlight.js, Prism and
    /// Adwaita: those that look most random, and some of the others.
    const WRITTEN: &str = include_str!("written.txt");

    #[test]
    fn words_beside_hashes_are_not_taken_for_them() {
        let (mut dice, mut taken) = (NameDice(11), BTreeSet::new());
        for (folder, before, alphabet) in [
            ("assets/", "app-", BASE64),
            ("_astro/", "app.", BASE64),
            ("_nuxt/", "", BASE64),
            ("", "app-", BASE32),
            ("js/", "app-", BASE64),
            ("static/js/", "app.", HEX),
        ] {
            let hashed = |_| format!("{folder}{before}{}.js", dice.text(alphabet, 8));
            let hashed: Vec<String> = (0..60).map(hashed).collect();
            let hashed = hashed.iter().map(String::as_str);
            let names = FingerprintedNames::of(hashed, NameEvidence::default());
            for written in WRITTEN.split_whitespace() {
                for end in ["js", "css", "svg", "jpg", "woff2"] {
                    let key = format!("{folder}{before}{written}.{end}");
                    if names.judge(&key).is_fingerprinted() {
                        taken.insert(key);
                    }
                }
            }
        }
        assert_eq!(taken, BTreeSet::new());
    }

    #[test]
    fn dates_and_words_of_hex_digits_are_read() {
        for (text, readable) in [
            ("20240131", true),
            ("19991231", true),
            ("31012024", true),
            ("01312024", true),
            ("deadbeef", true),
            ("decade20", true),
            ("2024cafe", true),
            ("07062808", false),
            ("20249931", false),
            ("11111111", false),
            ("abcdefab", false),
            ("1234567a", false),
            ("7647be9e", false),
        ] {
            assert_eq!(reads_as_hex(text), readable, "{text}");
        }
    }

    #[test]
    fn a_verdict_says_why() {
        let mut evidence = NameEvidence::default();
        evidence.read_root(b"<script src=/dist/app-CopprgNT.js></script>");
        evidence.read_manifest(br#"{"src/main.ts": {"file": "out/main-homepage.js"}}"#);
        let keys = [
            "assets/index-DiwrgTda.js",
            "assets/index-DiwrgTda.js.map",
            "assets/Card-C7I-YeB4.css",
            "dist/app-CopprgNT.js",
            "js/one-wordless.js",
            "js/two-settings.js",
        ];
        let names = FingerprintedNames::of(keys.into_iter(), evidence);
        for (key, expected) in [
            ("index.html", "no: by name"),
            ("assets/index-DiwrgTda.js", "yes: by name"),
            (
                "assets/About-CopprgNT.js",
                "yes: as 2 siblings like `Card-C7I-YeB4.css`",
            ),
            (
                "assets/About-CopprgNT.js.map",
                "yes: as 2 siblings like `Card-C7I-YeB4.css`",
            ),
            ("assets/app-settings.js", "no: `settings` is no random text"),
            (
                "dist/app-CopprgNT.js",
                "yes: as its sibling `app-CopprgNT.js`",
            ),
            (
                "out/main-homepage.js",
                "yes: as the bundler's manifest lists it",
            ),
            ("js/app-CopprgNT.js", "no: `CopprgNT` has no digit"),
            ("js/app-Ckk0XYEE.js", "no: `Ckk0XYEE` may be chance"),
            ("uploads/photo-CopprgNT.jpg", "no: `CopprgNT` has no digit"),
            (
                "assets/550e8400-e29b-41d4-a716-446655440000.js",
                "no: by name",
            ),
        ] {
            let verdict = names.judge(key);
            let is = if verdict.is_fingerprinted() {
                "yes"
            } else {
                "no"
            };
            assert_eq!(format!("{is}: {verdict}"), expected, "{key}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_build_is_too_odd(keys in proptest::collection::vec("(assets/|_astro/|é/)?[-._a-zA-Z0-9é]{0,20}[.](js|css|png|html)", 0..12)) {
            let names = FingerprintedNames::of(keys.iter().map(String::as_str), NameEvidence::default());
            for key in &keys {
                names.judge(key);
                // What a name says for itself stays so among others.
                proptest::prop_assert!(!super::super::is_fingerprinted(key) || names.judge(key).is_fingerprinted());
            }
        }
    }
}
