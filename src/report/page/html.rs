//! Pieces of HTML. Whatever comes from outside passes through [`escaped`] or [`data`].

use serde_json::Value;

use crate::report::fitting::fitting;
use crate::report::text::{count, shown};

/// Items that are seen of a list that unfolds.
const MAX_UNFOLDED: usize = 10;

/// Escapes a text so that it may stand between tags or in a quoted attribute, and nothing in it is hidden.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in shown(text).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// Writes JSON that may stand in a `script` element: no tag begins in it, whatever its texts say.
pub(super) fn data(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

/// Writes a text as [`data`] does.
pub(super) fn quoted(text: &str) -> String {
    let text = shown(text);
    // What is plain needs no second look, and that is nearly all.
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'<');
    if text.bytes().all(is_plain) {
        return format!("\"{text}\"");
    }
    data(&Value::from(text))
}

/// Writes a key, a path or another name that may be long.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// Writes a section with its heading, or nothing where it has no content.
pub(super) fn section(id: &str, title: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    let title = escaped(title);
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n{content}</section>\n"
    )
}

/// Writes a table with a row for each item; cells are HTML, and the first of each row is its heading. Rows past `budget` bytes are
/// counted.
pub(super) fn table<T>(
    (caption, heads): (&str, &[&str]),
    items: impl IntoIterator<Item = T>,
    budget: usize,
    cells: impl Fn(T) -> Vec<String>,
) -> String {
    let row = |item: T| {
        let cells = heads.iter().zip(cells(item)).enumerate();
        let cells = cells.map(|(column, (head, cell))| match column {
            0 => format!("<th scope=\"row\">{cell}</th>"),
            // On a phone the cells stand below each other, each with its head.
            _ if !head.is_empty() => format!("<td data-of=\"{head}\">{cell}</td>"),
            _ => format!("<td>{cell}</td>"),
        });
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let (rows, left_out) = fitting(items, budget, row);
    let heads = heads.iter();
    let heads: String = heads
        .map(|head| format!("<th scope=\"col\">{head}</th>"))
        .collect();
    format!(
        "<table>\n<caption>{caption}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n{}",
        more(left_out)
    )
}

/// Writes a list with HTML for each item; what is past `budget` bytes is counted.
pub(super) fn list<T>(
    items: impl IntoIterator<Item = T>,
    budget: usize,
    write: impl Fn(T) -> String,
) -> String {
    let (items, left_out) = fitting(items, budget, |item| format!("<li>{}</li>\n", write(item)));
    if items.is_empty() {
        return more(left_out);
    }
    format!("<ul>\n{items}</ul>\n{}", more(left_out))
}

/// Writes a list as [`list`] does, of which what comes after the first few unfolds.
pub(super) fn folding_list<T>(
    mut items: Vec<T>,
    budget: usize,
    write: impl Fn(T) -> String,
) -> String {
    let rest = items.split_off(items.len().min(MAX_UNFOLDED));
    let first = list(items, budget, &write);
    if rest.is_empty() {
        return first;
    }
    let title = format!("and {} more", count(rest.len() as u64));
    let rest = list(rest, budget, write);
    format!("{first}<details><summary>{title}</summary>\n{rest}</details>\n")
}

/// Says how many are not listed.
pub(super) fn more(left_out: usize) -> String {
    if left_out == 0 {
        return String::new();
    }
    format!(
        "<p class=\"more\">and {} more</p>\n",
        count(left_out as u64)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        let hostile = "</script><img src=\"x\" onerror='alert(1)'>&\u{202e}\n";
        assert_eq!(
            escaped(hostile),
            "&lt;/script&gt;&lt;img src=&quot;x&quot; onerror=&#39;alert(1)&#39;&gt;&amp;\\u{202e}\\n"
        );
        let written = quoted(hostile);
        assert!(!written.contains('<'), "{written}");
        let read: String = serde_json::from_str(&written).unwrap();
        assert_eq!(read, shown(hostile));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let items = ["a", "b"];
        assert_eq!(
            list(items, 100, escaped),
            "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"
        );
        assert_eq!(
            list(items, 12, escaped),
            "<ul>\n<li>a</li>\n</ul>\n<p class=\"more\">and 1 more</p>\n"
        );
        assert_eq!(list([], 12, escaped), "");
        assert_eq!(section("a", "A", ""), "");
    }
}
