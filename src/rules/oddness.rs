//! Measures how far a text is from words and numbers.

/// Counts what in a text does not look like words and a number: its pieces, but for a number at its end, and what no word has.
/// `Overview` and `Chapter1` are 1, `MyAppFoo` 3, `DiwrgTda` 4, `Bc0AJmxD` 5.
pub(super) fn oddness(text: &str) -> usize {
    let trailing = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let oddness = pieces(trailing).map(|piece| 1 + oddities(piece)).sum();
    // Capitals alone are an acronym or a shouted word.
    let shouted = !trailing.contains(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if shouted { 1 } else { oddness }
}

/// Counts what a piece has that no word has: consonants that begin or end none, and pairs within.
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
    let strange = |part: &[u8], pairs: &str| {
        let mut listed = |pair: &[u8]| pairs.split(' ').any(|entry| entry.as_bytes() == pair);
        usize::from(!part.windows(2).all(&mut listed))
    };
    let ends = if head == bytes.len() {
        1
    } else {
        let (_, coda) = bytes.split_at(bytes.len() - tail);
        strange(bytes.split_at(head).0, ONSETS) + strange(coda, CODAS)
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

/// Splits a text into words, capitals and numbers, as one would read `camelCase`.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let run = |text: &str, is: fn(&u8) -> bool| text.bytes().take_while(is).count();
        let first = rest.bytes().next()?;
        let length = if first.is_ascii_digit() {
            run(rest, u8::is_ascii_digit)
        } else if first.is_ascii_lowercase() {
            run(rest, u8::is_ascii_lowercase)
        } else {
            let capitals = run(rest, u8::is_ascii_uppercase);
            match (
                capitals,
                run(rest.split_at(capitals).1, u8::is_ascii_lowercase),
            ) {
                (_, 0) => capitals,
                (1, word) => 1 + word,
                // The last capital begins the next word: `HTMLPage` is `HTML`, `Page`.
                (_, _) => capitals - 1,
            }
        };
        let (piece, left) = rest.split_at(length);
        rest = left;
        Some(piece)
    })
}

/// Tells whether no word has the two letters beside each other.
fn is_odd_pair(pair: &[u8]) -> bool {
    let [first, second] = pair else {
        return false;
    };
    let (first, second, vowel) = (*first, *second, is_vowel);
    if vowel(second) {
        return first == b'q' && second != b'u';
    }
    match first {
        b'j' | b'q' => true,
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
