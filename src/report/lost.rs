//! URLs that are lost, and the redirects that keep them. Pure.

use serde_json::Value;

use super::changes::more;
use super::json::typed;
use super::options::TextLook;
use super::text::{count, counted, local_day, shown, wrapped};
use crate::plan::lost::{LostUrl, PageSameness};

/// URLs shown where not all are asked for.
const MAX_SHOWN: usize = 10;

/// Writes `1 URL will be gone: /about/ (live since 2026-05-03, linked from 2 pages); /me/ has the same content`, and below it the line
/// of `_redirects` that keeps it; several one below the other.
pub(super) fn text(lost: &[LostUrl], look: TextLook) -> Option<String> {
    let most = look.most(MAX_SHOWN);
    let going = going(lost);
    let head = format!("{} will be gone:", counted(going, "URL"));
    let mut lines = Vec::new();
    if going > 1 {
        lines.push(look.paint.yellow(&head));
    }
    for url in lost.iter().take(most) {
        let (text, first) = match going {
            1 if url.gone_since.is_none() => (format!("{head} {}", sentence(url)), ""),
            2.. if url.gone_since.is_none() => (sentence(url), "  "),
            _ => (sentence(url), ""),
        };
        lines.push(wrapped(&text, look.width, first, &format!("{first}  ")));
        // To be copied whole.
        let redirect = url.redirect();
        lines.extend(redirect.map(|line| format!("{first}  {}", look.paint.green(&shown(&line)))));
    }
    lines.extend(more(lost.len().saturating_sub(most), look));
    lines.extend(hint(lost).map(|hint| wrapped(hint, look.width, "", "  ")));
    (!lost.is_empty()).then(|| lines.join("\n"))
}

/// Says how many URLs are lost: `2 URLs will be gone, 1 is gone already`.
pub(super) fn title(lost: &[LostUrl]) -> String {
    let going = going(lost);
    let gone = lost.len() as u64 - going;
    let is = if gone == 1 { "is" } else { "are" };
    match (going, gone) {
        (_, 0) => format!("{} will be gone", counted(going, "URL")),
        (0, _) => format!("{} {is} gone already", counted(gone, "URL")),
        _ => {
            let (going, gone) = (counted(going, "URL"), count(gone));
            format!("{going} will be gone, {gone} {is} gone already")
        }
    }
}

/// Says how the lines of `_redirects` are used that keep URLs, where there are any.
pub(super) fn hint(lost: &[LostUrl]) -> Option<&'static str> {
    match lost.iter().filter_map(LostUrl::redirect).take(2).count() {
        0 => None,
        1 => Some("That line in _redirects keeps it: `deploy --accept-redirects` writes it."),
        _ => Some("Those lines in _redirects keep them: `deploy --accept-redirects` writes them."),
    }
}

fn going(lost: &[LostUrl]) -> u64 {
    lost.iter().filter(|url| url.gone_since.is_none()).count() as u64
}

/// Returns `lost-url` objects, with the line of `_redirects` that keeps each.
pub(super) fn json(lost: &[LostUrl]) -> impl Iterator<Item = Value> {
    lost.iter().map(|url| {
        let mut object = typed("lost-url", url);
        if let Some(line) = url.redirect() {
            object["redirect"] = Value::from(line);
        }
        object
    })
}

/// Says what a URL was and what it may become, to stand behind its path: ` (live since 2026-05-03, linked from 2 pages); /me/ has the
/// same content`.
pub(super) fn fate(url: &LostUrl) -> String {
    let links = counted(url.linked_from, "page");
    let links = (url.linked_from > 0).then(|| format!("linked from {links}"));
    let since = url.live_since.filter(|_| url.gone_since.is_none());
    let since = since.map(|at| format!("live since {}", local_day(at)));
    let gone = url.gone_since;
    let gone = gone.map(|at| format!(" is gone since {}", local_day(at)));
    let known = gone.iter().chain(&since).chain(&links);
    let known = known.map(String::as_str).collect::<Vec<_>>().join(", ");
    let mut text = match gone {
        None if !known.is_empty() => format!(" ({known})"),
        _ => known,
    };
    if let Some(successor) = &url.successor {
        let same = match successor.sameness {
            PageSameness::Content => "the same content",
            PageSameness::Title => "its title",
        };
        text.push_str(&format!("; {} has {same}", successor.path));
    }
    text
}

fn sentence(url: &LostUrl) -> String {
    shown(&format!("{}{}", url.path, fate(url)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::text::columns;
    use super::*;
    use crate::object::Key;
    use crate::plan::lost::SuccessorPage;

    fn url(path: &str, to: Option<(&str, PageSameness)>) -> LostUrl {
        LostUrl {
            path: path.to_owned(),
            key: Key::new(format!("{}index.html", &path[1..])),
            live_since: Some(1_777_809_600),
            gone_since: None,
            linked_from: 2,
            successor: to.map(|(path, sameness)| SuccessorPage {
                path: path.to_owned(),
                sameness,
            }),
        }
    }

    fn told(lost: &[LostUrl], verbose: bool) -> String {
        let look = TextLook {
            width: 80,
            verbose,
            ..TextLook::default()
        };
        let text = text(lost, look).unwrap_or_default();
        assert!(text.lines().all(|line| columns(line) <= 80), "{text}");
        text
    }

    #[test]
    fn one_url_is_a_sentence_and_the_line_that_keeps_it() {
        let about = url("/about/", Some(("/me/", PageSameness::Content)));
        insta::assert_snapshot!(told(&[about], false), @r"
        1 URL will be gone: /about/ (live since 2026-05-03, linked from 2 pages); /me/
          has the same content
          /about/ /me/ 301
        That line in _redirects keeps it: `deploy --accept-redirects` writes it.
        ");
        assert_eq!(told(&[], false), "");
    }

    #[test]
    fn several_stand_one_below_the_other_and_those_that_left_earlier_after_them() {
        let earlier = LostUrl {
            gone_since: Some(1_780_574_400),
            ..url("/old/", Some(("/new/", PageSameness::Title)))
        };
        assert_eq!(
            title(std::slice::from_ref(&earlier)),
            "1 URL is gone already"
        );
        let bare = LostUrl {
            live_since: None,
            linked_from: 0,
            ..url("/plain/", None)
        };
        let about = url("/about/", Some(("/me/", PageSameness::Content)));
        let lost = [about, bare, earlier];
        assert_eq!(title(&lost), "2 URLs will be gone, 1 is gone already");
        insta::assert_snapshot!(told(&lost, false), @r"
        2 URLs will be gone:
          /about/ (live since 2026-05-03, linked from 2 pages); /me/ has the same
            content
            /about/ /me/ 301
          /plain/
        /old/ is gone since 2026-06-04, linked from 2 pages; /new/ has its title
          /old/ /new/ 301
        Those lines in _redirects keep them: `deploy --accept-redirects` writes them.
        ");
    }

    #[test]
    fn ten_are_shown_and_all_if_asked_for() {
        let many: Vec<LostUrl> = (0..12)
            .map(|number| url(&format!("/{number}/"), None))
            .collect();
        assert!(told(&many, false).ends_with("... and 2 more (--verbose shows all)"));
        assert_eq!(told(&many, true).lines().count(), 13);
    }

    #[test]
    fn an_object_has_the_line_too() {
        let objects: Vec<Value> =
            json(&[url("/about/", Some(("/me/", PageSameness::Content)))]).collect();
        let expected = json!({
            "type": "lost-url", "path": "/about/", "key": "about/index.html", "live-since": 1_777_809_600,
            "linked-from": 2, "successor": {"path": "/me/", "sameness": "content"}, "redirect": "/about/ /me/ 301",
        });
        assert_eq!(objects, [expected]);
    }
}
