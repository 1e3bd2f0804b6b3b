//! How far a text is from words and numbers.

use super::has_digit;

/// How little a text looks like words and a number: its pieces, but for a number at its end, and what no word has.
/// `Overview` and `Chapter1` are 1, `MyAppFoo` 3, `DiwrgTda` 4, `Bc0AJmxD` 5.
pub fn oddness(text: &str) -> usize {
    let trailing = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let oddness = pieces(trailing).map(|piece| 1 + oddities(piece)).sum();
    match trailing.bytes().any(|byte| byte.is_ascii_lowercase()) || has_digit(trailing) {
        true => oddness,
        // Capitals alone are an acronym or a shouted word.
        false => 1,
    }
}

/// What a piece has that no word has: consonants that begin or end none, and pairs within.
fn oddities(piece: &str) -> usize {
    const SHORTHANDS: [&str; 29] = [
        "js", "ts", "db", "md", "fs", "vm", "rx", "px", "css", "xml", "svg", "pdf", "sql", "btn",
        "cfg", "msg", "ctx", "src", "dst", "img", "tmp", "cdn", "dns", "tls", "mp", "std", "ptr",
        "cmd", "fmt",
    ];
    let word = piece.to_ascii_lowercase();
    // A single letter or an acronym has no shape to judge.
    if piece.len() < 2
        || !piece.bytes().any(|byte| byte.is_ascii_lowercase())
        || SHORTHANDS.contains(&&*word)
    {
        return 0;
    }
    let consonant = |byte: &u8| !is_vowel(*byte);
    let bytes = word.as_bytes();
    let head = bytes.iter().take_while(|byte| consonant(byte)).count();
    let tail = bytes
        .iter()
        .rev()
        .take_while(|byte| consonant(byte))
        .count();
    let strange = |part: &[u8], known: &str| {
        let pair_known = |pair: &[u8]| {
            known
                .as_bytes()
                .chunks(3)
                .any(|entry| entry.starts_with(pair))
        };
        usize::from(!part.windows(2).all(pair_known))
    };
    let ends = match head == bytes.len() {
        true => 1,
        false => strange(&bytes[..head], ONSETS) + strange(&bytes[bytes.len() - tail..], CODAS),
    };
    ends + bytes.windows(2).filter(|pair| is_odd_pair(pair)).count()
}

/// Pairs of consonants that begin words.
const ONSETS: &str = "bl br ch cl cr cz dr dw dz dj fj fl fr gh gl gn gr gw hr hl hw kh kl kn kr kw ll mc mn mb ng nd \
    ph pl pn pr ps pt rh sc sh sk sl sm sn sp sq sr st sv sw sz th tr ts tw tz tl vl vr wh wr zh zl";

/// Pairs of consonants that end words.
const CODAS: &str = "bb bs bt ch ck cs ct dd dg ds dt ff fs ft gg gh gn gs hl hm hn hs ht ks lb lc ld lf lg lk ll lm ln \
    lp ls lt lv mb mm mn mp ms nc nd ng nk nn ns nt nx nz ph pp ps pt rb rc rd rf rg rh rk rl rm rn rp rr rs rt rv rx \
    sc sh sk sm sp ss st tc th ts tt tz wd wk wl wn ws xt zz";

fn is_vowel(byte: u8) -> bool {
    matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

/// The words, capitals and numbers that a text is made of, as one would read `camelCase`.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while bytes
            .get(at)
            .is_some_and(|byte| !byte.is_ascii_alphanumeric())
        {
            at += 1;
        }
        let start = at;
        let first = *bytes.get(at)?;
        let run = |from: usize, is: fn(&u8) -> bool| {
            from + bytes[from..].iter().take_while(|byte| is(byte)).count()
        };
        at = if first.is_ascii_digit() {
            run(at, u8::is_ascii_digit)
        } else if first.is_ascii_lowercase() {
            run(at, u8::is_ascii_lowercase)
        } else {
            let capitals = run(at, u8::is_ascii_uppercase);
            let word = run(capitals, u8::is_ascii_lowercase);
            match (capitals - at, word > capitals) {
                (1, true) => word,
                // The last capital begins the next word: `HTMLPage` is `HTML`, `Page`.
                (_, true) => capitals - 1,
                (_, false) => capitals,
            }
        };
        text.get(start..at)
    })
}

/// Two letters within one word that no word has beside each other.
fn is_odd_pair(pair: &[u8]) -> bool {
    let [first, second] = pair else {
        return false;
    };
    let (first, second, vowel) = (*first, *second, is_vowel);
    if vowel(second) {
        return first == b'q' && second != b'u';
    }
    match first {
        b'j' => true,
        b'q' => true,
        b'v' => !matches!(second, b'r' | b'l' | b's'),
        b'x' => !matches!(second, b'c' | b'h' | b'p' | b't'),
        b'z' => !matches!(second, b'z' | b'h' | b'l' | b'w'),
        _ => match second {
            b'j' => !(vowel(first) || matches!(first, b'b' | b'd' | b'n')),
            b'q' => !(vowel(first) || matches!(first, b'c' | b'n' | b's')),
            b'x' => !(vowel(first) || matches!(first, b'n' | b'r')),
            b'z' => {
                !(vowel(first) || matches!(first, b't' | b'l' | b'n' | b'r' | b'd' | b'c' | b's'))
            }
            _ => false,
        },
    }
}
