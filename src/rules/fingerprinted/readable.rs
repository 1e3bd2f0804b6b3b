//! Tells texts that people may have written from random ones, by what it takes to write them in words.

/// Bits that 8 random characters of base64url take.
pub(super) const RANDOM_BITS: usize = 48;

/// What a pair of letters takes in half bits, `a` for 0: a row for the start of a word and for each letter, in it a column for each letter
/// that may follow and for the word's end. Counted over English words and the file names of icon sets, script libraries and
/// documentation.
const PAIRS: [&[u8; 27]; 27] = [
    b"iihijjkkkonkilkhpjgikmltqqz",
    b"rjijnnkqkvngjgujugiglmopmpk",
    b"gknngotsgpwfqqgtzhkohtttnzj",
    b"gqmqhqzgitijtufutimijytzmyi",
    b"ioolfonrfrwlpoirzjjtlqpwnxe",
    b"jnkhlnnqnsrjkhnmrffjpnomptg",
    b"hnmnghwvfsyhqsgyzinkizwzlzi",
    b"irwtgtkjhzyiokitzhirkyszmye",
    b"fqtresutgzzmonfrykmjkzqzizh",
    b"jmhkimkuuwojkeilskghplxqwkn",
    b"euqqftxsiuxxuufqnrgtfuuttxq",
    b"inrqeoqnfuqknlkpunhnmtowlzf",
    b"gqpmfpqufzphpqhovsklkqtziyh",
    b"fjrqfstvfuvpkogixvjtjstznzh",
    b"iqjignfqhsnpqmiotphgmorvpth",
    b"mmjkonjslsniifjjugjiilknqrl",
    b"gqrqftuhhxuhqqhjzgkjkyswmzj",
    b"nuxsqsuuoxxnuusxrkrraurxxuk",
    b"gnllfpmpgvmnlmgnwlijlpqzlvh",
    b"kskthsvjjxnnlokkqtiglupznzd",
    b"hqnrfqtifuumqqhrzhikkupzltg",
    b"kjkkknkujwphifojwgghvryqtrn",
    b"gvttczpzeztsttiqznrxmszzpzl",
    b"fmsnfpsifvplqigozkjpqzryquh",
    b"iqiogqtmfzwomwjhwrmglutwjzf",
    b"kmklkqnqkwsjjklizlikpsquyqc",
    b"fssudvwnfzvlstgvwzuvnwsvlim",
];

/// Short forms that no table of letters expects.
const SHORTHANDS: [&str; 64] = [
    "js", "ts", "db", "md", "fs", "vm", "rx", "px", "css", "xml", "svg", "pdf", "sql", "btn",
    "cfg", "msg", "ctx", "src", "dst", "img", "tmp", "cdn", "dns", "tls", "mp", "std", "ptr",
    "cmd", "fmt", "html", "wasm", "npm", "api", "url", "http", "ui", "ux", "id", "faq", "seo",
    "json", "php", "ios", "mdx", "jsx", "tsx", "vpn", "usb", "gpu", "cpu", "tv", "pc", "bg", "fx",
    "ok", "kb", "mb", "gb", "rss", "utf", "ascii", "cpp", "epsg", "os",
];
const SHORTHAND_BITS: usize = 9;

/// Tells whether somebody may have written a text of 8 letters, digits, `-` and `_`: words in any of the ways in which files are called,
/// a date, a size, a version. Of random texts that is one in 150, of names that people gave nearly all.
pub(super) fn is_readable(text: &str) -> bool {
    let is_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'x' | b'X');
    if text.bytes().all(is_number) {
        return true;
    }
    let has_capital = text.bytes().any(|byte| byte.is_ascii_uppercase());
    if !has_capital && text.contains(['-', '_']) {
        return text.split(['-', '_']).all(is_slug_part) && written_bits(text) <= RANDOM_BITS + 10;
    }
    let pieces: Vec<&str> = pieces(text).collect();
    let is_apart = text.split(['-', '_']).all(|part| !part.is_empty());
    if !is_apart || !pieces_fit(&pieces) {
        return false;
    }
    let (number, words) = (pieces.iter()).partition::<Vec<&str>, _>(|piece| is_digits(piece));
    let most = match (number.first(), words.len()) {
        (Some(number), _) if has_capital && text.starts_with(number) => RANDOM_BITS - 8,
        (_, 1) if text.bytes().any(|byte| byte.is_ascii_lowercase()) => RANDOM_BITS + 8,
        _ => RANDOM_BITS + 5,
    };
    written_bits(text) <= most
}

/// Tells whether a part of `kebab-case` is one: `menu`, `part2`, `v1`, `3d`, `16x9`.
fn is_slug_part(part: &str) -> bool {
    let mut pieces = pieces(part).map(is_digits);
    match [pieces.next(), pieces.next(), pieces.next(), pieces.next()] {
        [Some(_), _, None, _] => true,
        [Some(true), Some(false), Some(true), None] => part.contains('x'),
        _ => false,
    }
}

/// Tells whether words, short forms and at most one number at an end are written as people do: `HTMLPage`, `iPhone15`, `userInfo`.
fn pieces_fit(pieces: &[&str]) -> bool {
    let is_number = |place: &usize| pieces.get(*place).is_some_and(|piece| is_digits(piece));
    let numbers: Vec<usize> = (0..pieces.len()).filter(is_number).collect();
    // `HTML5App`
    let ends_short = |place: usize| {
        pieces
            .get(place - 1)
            .is_some_and(|piece| is_shorthand(piece))
    };
    // `cinema4d`
    let is_model = |place: usize| {
        let (number, unit) = (pieces.get(place), pieces.get(place + 1));
        place + 2 == pieces.len()
            && number.is_some_and(|number| number.len() == 1)
            && unit.is_some_and(|unit| matches!(*unit, "d" | "t" | "k" | "x" | "D"))
    };
    let is_placed = match numbers[..] {
        [] => true,
        [place] => place == 0 || place + 1 == pieces.len() || ends_short(place) || is_model(place),
        _ => false,
    };
    let words = pieces.len() - numbers.len();
    let fits = |(place, piece): (usize, &&str)| {
        let is_capital = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase());
        match piece.len() {
            _ if is_digits(piece) => true,
            1 if place > 0 && is_number(&(place - 1)) => is_placed,
            1 => place == 0 && pieces.len() > 1 && !is_capital(piece),
            _ => words == 1 || !is_capital(piece) || is_shorthand(piece),
        }
    };
    is_placed && words <= 3 && pieces.iter().enumerate().all(fits)
}

/// Counts the bits that it takes to write a text in words, numbers and separators.
pub(super) fn written_bits(text: &str) -> usize {
    let separators = text.matches(['-', '_']).count() * 3;
    pieces(text).map(piece_bits).sum::<usize>() + separators
}

fn piece_bits(piece: &str) -> usize {
    if is_digits(piece) {
        return 2 + piece.len() * 10 / 3;
    }
    if is_shorthand(piece) {
        return SHORTHAND_BITS;
    }
    let letters = piece
        .bytes()
        .map(|byte| usize::from(byte.to_ascii_lowercase() - b'a'));
    let ends = letters.clone().chain([26]);
    let starts = [0].into_iter().chain(letters.map(|letter| letter + 1));
    let taken = |(start, end): (usize, usize)| {
        let row = PAIRS.get(start)?;
        Some(usize::from(row.get(end)? - b'a'))
    };
    let shouted = piece.len() > 1 && !piece.bytes().any(|byte| byte.is_ascii_lowercase());
    let style = if shouted { 4 } else { 2 };
    starts.zip(ends).filter_map(taken).sum::<usize>() / 2 + style
}

fn is_shorthand(piece: &str) -> bool {
    SHORTHANDS
        .iter()
        .any(|short| short.eq_ignore_ascii_case(piece))
}

fn is_digits(piece: &str) -> bool {
    piece.bytes().all(|byte| byte.is_ascii_digit())
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
