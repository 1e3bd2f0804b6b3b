//! How numbers, sizes, times and keys are written for people, and how text is laid into columns. Pure.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(super) use crate::object::plural::{count, counted};

/// Writes `12 of 1,234 files`.
pub(super) fn of(done: u64, total: u64, noun: &str) -> String {
    format!("{} of {}", count(done), counted(total, noun))
}

/// Writes a size in SI units: `0 B`, `999 B`, `1.3 MB`, `12 GB`.
pub(super) fn bytes(size: u64) -> String {
    const LARGER: [&str; 5] = ["MB", "GB", "TB", "PB", "EB"];
    if size < 1000 {
        return format!("{size} B");
    }
    let (mut amount, mut unit) = (size as f64 / 1000.0, "kB");
    for larger in LARGER {
        // What rounds to 1,000 is 1.0 of the next unit.
        if amount >= 999.5 {
            (amount, unit) = (amount / 1000.0, larger);
        }
    }
    if amount < 99.95 {
        format!("{amount:.1} {unit}")
    } else {
        format!("{amount:.0} {unit}")
    }
}

/// Writes a time: `35 ms`, `2.1 s`, `45 s`, `1 m 12 s`, `2 h 5 m`.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if time.as_millis() < 1000 {
        return format!("{} ms", time.as_millis());
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} m {} s", whole / 60, whole % 60),
        _ => format!("{} h {} m", whole / 3600, whole % 3600 / 60),
    }
}

/// Writes a time in whole seconds, for what ticks: `3 s`, `1 m 12 s`.
pub(super) fn ticking(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => duration(Duration::from_secs(seconds)),
    }
}

/// Writes seconds as [`duration`] does; negative and unreadable ones are 0.
pub(super) fn seconds(amount: f64) -> String {
    duration(Duration::try_from_secs_f64(amount).unwrap_or_default())
}

/// Writes a time, in unix seconds, as it is in Greenwich, in strftime's format.
pub(super) fn utc(at: i64, format: &str) -> String {
    let time = jiff::Timestamp::from_second(at).unwrap_or_default();
    time.strftime(format).to_string()
}

/// Writes seconds in the largest unit that `fits`, given its length: `5 minutes`.
pub(super) fn in_unit(seconds: u64, fits: impl Fn(u64) -> bool) -> Option<String> {
    let units = [
        (31_536_000, "year"),
        (86_400, "day"),
        (3600, "hour"),
        (60, "minute"),
    ];
    let (length, unit) = units.into_iter().find(|(length, _)| fits(*length))?;
    Some(counted(seconds / length, unit))
}

/// Writes where objects go: `s3://bucket/prefix/`, without a slash at the end where there is no prefix.
pub(super) fn destination(bucket: &str, prefix: &str) -> String {
    match prefix.trim_matches('/') {
        "" => format!("s3://{bucket}"),
        prefix => format!("s3://{bucket}/{}/", shown(prefix)),
    }
}

/// Writes a time, in unix seconds, by the local clock: `2026-11-22 05:18`.
pub(super) fn local_time(at: i64) -> String {
    let time = jiff::Timestamp::from_second(at).unwrap_or_default();
    let local = time.to_zoned(jiff::tz::TimeZone::system());
    local.strftime("%Y-%m-%d %H:%M").to_string()
}

/// Writes the day of a time, in unix seconds, by the local clock: `2026-11-22`.
pub(super) fn local_day(at: i64) -> String {
    let mut day = local_time(at);
    day.truncate("2026-11-22".len());
    day
}

/// Escapes in a key or a message what a terminal must not be shown: control characters, and those that turn the writing direction.
pub(super) fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || is_invisible(letter) {
            safe.extend(letter.escape_default());
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// Escapes as [`shown`] does all but line breaks.
pub(super) fn shown_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(shown).collect();
    lines.join("\n")
}

/// Writes the first few names, and how many more there are.
pub(super) fn first_names<'a>(
    names: impl ExactSizeIterator<Item = &'a str>,
    most: usize,
) -> String {
    let left_out = names.len().saturating_sub(most);
    let names: Vec<String> = names.take(most).map(shown).collect();
    let names = names.join(", ");
    match left_out {
        0 => names,
        more => format!("{names} and {} more", count(more as u64)),
    }
}

fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Counts the columns that a terminal gives a text: East Asian letters and emoji take two, combining marks and the parts of a
/// Hangul syllable, as macOS writes them (NFD), none.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// Fills up with spaces on the right.
pub(super) fn padded(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(columns(text));
    format!("{text}{}", " ".repeat(missing))
}

/// Shortens to at most `width` columns by leaving out the middle, where nothing else fits; the end, with the file's name, keeps more.
pub(super) fn elided(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let head = fitting(text.chars(), room / 3);
    let tail = fitting(text.chars().rev(), room - columns(&head));
    let tail: String = tail.chars().rev().collect();
    // A mark goes with the letter that it stands on.
    let tail = tail.trim_start_matches(|letter: char| letter.width() == Some(0));
    format!("{head}…{tail}")
}

/// Returns as many letters as fit.
fn fitting(letters: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    letters
        .take_while(|letter| {
            used += letter.width().unwrap_or(0);
            used <= room
        })
        .collect()
}

/// Breaks a text at its spaces into lines of at most `width` columns, `first` before the first line and `rest` before the
/// others; line breaks in it stay, and words longer than a line are left whole, to be copied.
pub(super) fn wrapped(text: &str, width: usize, first: &str, rest: &str) -> String {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let (mut line, mut used) = (String::new(), 0);
        for word in paragraph.split(' ') {
            let indent = if lines.is_empty() { first } else { rest };
            let wide = columns(word);
            if !line.is_empty() && columns(indent) + used + 1 + wide > width {
                lines.push(format!("{indent}{line}"));
                line.clear();
                used = 0;
            } else if !line.is_empty() {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += wide;
        }
        let indent = if lines.is_empty() { first } else { rest };
        lines.push(format!("{indent}{line}").trim_end().to_owned());
    }
    lines.join("\n")
}

/// Writes a text behind its label, and further lines below the text.
pub(super) fn labelled(label: &str, text: &str, width: usize) -> String {
    wrapped(text, width, label, &" ".repeat(columns(label)))
}

/// Joins what is said in one line with ` · `, going to the next line where the width ends; each line is indented.
pub(super) fn joined(parts: &[String], width: usize, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if columns(line) + 3 + columns(part) <= width => {
                line.push_str(" · ");
                line.push_str(part);
            }
            _ => lines.push(format!("{indent}{part}")),
        }
    }
    lines.join("\n")
}

/// Colours for a terminal, or none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paint(pub(super) bool);

impl Paint {
    pub(super) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    pub(super) fn cyan(self, text: &str) -> String {
        self.with("36", text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_si_units() {
        for (size, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (4200, "4.2 kB"),
            (99_949, "99.9 kB"),
            (99_950, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (1_300_000, "1.3 MB"),
            (5_368_709_120, "5.4 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(size), text, "{size}");
        }
    }

    #[test]
    fn times_have_two_parts_at_most() {
        for (time, text) in [
            (0.0, "0 ms"),
            (0.0354, "35 ms"),
            (1.0, "1.0 s"),
            (2.14, "2.1 s"),
            (9.96, "10 s"),
            (59.4, "59 s"),
            (59.6, "1 m 0 s"),
            (72.0, "1 m 12 s"),
            (7500.0, "2 h 5 m"),
            (-1.0, "0 ms"),
            (f64::NAN, "0 ms"),
        ] {
            assert_eq!(seconds(time), text, "{time}");
        }
        assert_eq!(ticking(Duration::from_millis(3900)), "3 s");
        assert_eq!(ticking(Duration::from_millis(72_900)), "1 m 12 s");
    }

    #[test]
    fn nothing_shown_can_steer_a_terminal() {
        for (text, safe) in [
            ("a/b c.html", "a/b c.html"),
            ("한글/é.html", "한글/é.html"),
            ("a\nb\tc", "a\\nb\\tc"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\u{202e}lmth", "a\\u{202e}lmth"),
            ("\u{9b}x\u{7f}", "\\u{9b}x\\u{7f}"),
        ] {
            assert_eq!(shown(text), safe);
        }
    }

    #[test]
    fn long_names_lose_their_middle() {
        for (text, width, short) in [
            ("short.html", 10, "short.html"),
            ("posts/2024/a-long-name.html", 16, "posts…-name.html"),
            ("한글한글한글.html", 12, "한…한글.html"),
            // The same, decomposed.
            (
                "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}.html",
                9,
                "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}.html",
            ),
            (
                "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}.html",
                8,
                "\u{1112}\u{1161}\u{11ab}….html",
            ),
        ] {
            let elided = elided(text, width);
            assert_eq!(elided, short);
            assert!(columns(&elided) <= width);
        }
    }

    #[test]
    fn text_is_broken_at_spaces() {
        assert_eq!(
            wrapped("one two three four\nfive", 12, "> ", "  "),
            "> one two\n  three four\n  five"
        );
        assert_eq!(
            wrapped("a waytoolongword b", 6, "", ""),
            "a\nwaytoolongword\nb"
        );
        assert_eq!(wrapped("a", 6, "x ", ""), "x a");
        let parts = ["12 to upload", "1 to delete", "5 unchanged"].map(str::to_owned);
        assert_eq!(
            joined(&parts, 28, "  "),
            "  12 to upload · 1 to delete\n  5 unchanged"
        );
        // Were the line counted again at each word, this would take minutes.
        let long = ["a"; 500_000].join(" ");
        let begun = std::time::Instant::now();
        assert_eq!(wrapped(&long, usize::MAX, "", ""), long);
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}
