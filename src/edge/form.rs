//! The ways in which functions turn the path that a viewer asks for into an object's, and back.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// One way. What a function may do is a list of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UriForm {
    /// What begins and ends with `taken` begins and ends with `put` instead.
    Edit {
        taken: (String, String),
        put: (String, String),
    },
    /// It becomes this, whatever it was.
    Literal(String),
    /// Somehow: nobody but the distribution's owner says that it is the URI alone that changes.
    Any,
}

impl UriForm {
    pub(super) fn same() -> Self {
        Self::ending("", "")
    }

    /// Returns the form that puts one ending in the place of another.
    pub fn ending(taken: &str, put: &str) -> Self {
        let only_end = |end: &str| (String::new(), end.to_owned());
        Self::Edit {
            taken: only_end(taken),
            put: only_end(put),
        }
    }

    /// Returns the form that yields this one's text followed by the other's.
    pub(super) fn then(&self, next: &Self) -> Option<Self> {
        match (self.clone(), next.clone()) {
            (Self::Edit { taken, mut put }, Self::Literal(text)) => {
                put.1 += &text;
                Some(Self::Edit { taken, put }.shortest())
            }
            (Self::Literal(text), Self::Edit { taken, mut put }) => {
                put.0.insert_str(0, &text);
                Some(Self::Edit { taken, put }.shortest())
            }
            (Self::Literal(first), Self::Literal(text)) => Some(Self::Literal(first + &text)),
            _ => None,
        }
    }

    /// Returns the form that takes `start` and `end` from what this one yields, one of them empty; none where it yields no such.
    pub(super) fn without(&self, start: &str, end: &str) -> Option<Self> {
        match self {
            Self::Literal(text) => {
                let rest = text.strip_prefix(start)?.strip_suffix(end)?;
                Some(Self::Literal(rest.to_owned()))
            }
            Self::Edit { taken, put } => {
                let (mut taken, mut put) = (taken.clone(), put.clone());
                if let Some(rest) = put.0.strip_prefix(start) {
                    put.0 = rest.to_owned();
                } else {
                    taken.0 += start.strip_prefix(put.0.as_str())?;
                    put.0.clear();
                }
                if let Some(rest) = put.1.strip_suffix(end) {
                    put.1 = rest.to_owned();
                } else {
                    taken.1.insert_str(0, end.strip_suffix(put.1.as_str())?);
                    put.1.clear();
                }
                Some(Self::Edit { taken, put }.shortest())
            }
            Self::Any => None,
        }
    }

    /// Returns whether the text may be found where the part that the viewer named is too short for the whole of it.
    fn is_across(&self, search: &AnchoredText) -> bool {
        let Self::Edit { put, .. } = self else {
            return false;
        };
        // Whether a later part of the one, less what it begins with of itself, begins the other.
        let meets = |left: &str, right: &str| {
            let mut rests = left.char_indices().map(|(at, _)| left.split_at(at).1);
            rests.any(|rest| right.starts_with(rest))
        };
        let start = search.start.strip_prefix(put.0.as_str());
        let end = search.end.strip_suffix(put.1.as_str());
        let starts = |start: &str| !put.1.is_empty() && meets(start, &put.1);
        let ends = |end: &str| !put.0.is_empty() && meets(&put.0, end);
        start.is_some_and(starts) || end.is_some_and(|end| !end.is_empty() && ends(end))
    }

    /// Leaves alone the slash that is taken and put again: `/` that becomes `/index.html` gets `index.html`.
    fn shortest(mut self) -> Self {
        if let Self::Edit { taken, put } = &mut self {
            if taken.0.ends_with('/') && put.0.ends_with('/') {
                taken.0.pop();
                put.0.pop();
            }
            if taken.1.starts_with('/') && put.1.starts_with('/') {
                taken.1.remove(0);
                put.1.remove(0);
            }
        }
        self
    }

    /// Returns the path that a viewer asked for where the function made it `own`; both as they stand in URLs.
    pub(super) fn viewer(&self, own: &str) -> Option<String> {
        match self {
            Self::Edit { taken, put } => {
                let rest = own.strip_prefix(put.0.as_str())?;
                let rest = rest.strip_suffix(put.1.as_str())?;
                // This name is put behind a slash alone.
                let is_joined = put.1 != "index.html" || rest.ends_with('/');
                let viewer = format!("{}{rest}{}", taken.0, taken.1);
                (is_joined && viewer.starts_with('/') && viewer != own).then_some(viewer)
            }
            // Viewers' paths are no finite set here. What CloudFront keeps is kept under the rewritten URI, so that this one and
            // `/` are enough.
            Self::Literal(text) => (text == own).then(|| "/".to_owned()),
            Self::Any => None,
        }
    }

    /// Returns what the function makes of a path, if this form fits it: [`viewer`](Self::viewer) backwards.
    pub(super) fn made(&self, path: &str) -> Option<String> {
        match self {
            Self::Edit { taken, put } => {
                let rest = path.strip_prefix(taken.0.as_str())?;
                let rest = rest.strip_suffix(taken.1.as_str())?;
                let is_doubled = rest.ends_with('/') && put.1.starts_with('/');
                let made = format!("{}{rest}{}", put.0, put.1);
                let is_undone = self.viewer(&made).as_deref() == Some(path);
                (is_undone && !is_doubled).then_some(made)
            }
            Self::Literal(text) => Some(text.clone()),
            Self::Any => None,
        }
    }

    /// Returns whether it is for paths with a certain text alone.
    pub(super) fn takes_text(&self) -> bool {
        matches!(self, Self::Edit { taken, .. } if *taken != (String::new(), String::new()))
    }

    /// Returns whether it may yield this path, whatever was asked for.
    pub(super) fn is_open(&self, own: &str) -> bool {
        match self {
            Self::Edit { .. } => false,
            Self::Literal(text) => text == own,
            Self::Any => true,
        }
    }
}

/// Returns the forms in which `/dir/` and `/dir` become `/dir/index.html`.
pub(super) fn index_forms() -> &'static [UriForm] {
    static FORMS: LazyLock<[UriForm; 2]> =
        LazyLock::new(|| ["index.html", "/index.html"].map(|end| UriForm::ending("", end)));
    &*FORMS
}

/// Returns the forms that yield one of the first followed by one of the next; none where that is not known.
pub(super) fn joined(
    first: &BTreeSet<UriForm>,
    next: &BTreeSet<UriForm>,
) -> Option<BTreeSet<UriForm>> {
    let pairs = first
        .iter()
        .flat_map(|form| next.iter().map(move |next| form.then(next)));
    pairs.collect()
}

/// What a regular expression finds at the beginning or at the end of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AnchoredText {
    pub(super) start: String,
    pub(super) end: String,
    /// It matches where the text is missing too.
    pub(super) optional: bool,
}

/// Reads a regular expression that is a plain text at the beginning or at the end.
pub(super) fn anchored(regex: &str) -> Option<AnchoredText> {
    let (body, is_start) = match (regex.strip_prefix('^'), regex.strip_suffix('$')) {
        (Some(body), None) => (body, true),
        (None, Some(body)) => (body, false),
        _ => return None,
    };
    let counted = body.strip_suffix('?').filter(|rest| !rest.ends_with('\\'));
    let mut text = String::new();
    let mut letters = counted.unwrap_or(body).chars();
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '\\' => letters.next().filter(|letter| !letter.is_alphanumeric())?,
            letter if ".[](){}|*+?^$".contains(letter) => return None,
            letter => letter,
        });
    }
    let optional = counted.is_some();
    // Of several characters the last alone would be optional, and nothing is found anywhere.
    if text.is_empty() || optional && text.chars().count() != 1 {
        return None;
    }
    let (start, end) = if is_start {
        (text, String::new())
    } else {
        (String::new(), text)
    };
    Some(AnchoredText {
        start,
        end,
        optional,
    })
}

/// Returns the forms after a replacement of the text where it is found. `None`: it may be found across two parts of a form.
pub(super) fn replaced(
    forms: &BTreeSet<UriForm>,
    search: &AnchoredText,
    with: &str,
) -> Option<BTreeSet<UriForm>> {
    if forms.iter().any(|form| form.is_across(search)) {
        return None;
    }
    let with = UriForm::Literal(with.to_owned());
    let put = |form: &UriForm| match search.start.as_str() {
        "" => form.then(&with),
        _ => with.then(form),
    };
    let found = forms
        .iter()
        .filter_map(|form| put(&form.without(&search.start, &search.end)?));
    let missing = forms.iter().filter_map(|form| {
        if search.optional {
            put(form)
        } else {
            Some(form.clone())
        }
    });
    Some(found.chain(missing).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(taken: [&str; 2], put: [&str; 2]) -> UriForm {
        let pair = |[start, end]: [&str; 2]| (start.to_owned(), end.to_owned());
        let (taken, put) = (pair(taken), pair(put));
        UriForm::Edit { taken, put }
    }

    #[test]
    fn a_form_tells_what_viewers_asked_for() {
        for (form, own, viewer) in [
            (UriForm::same(), "/a", None),
            (
                UriForm::ending("", "index.html"),
                "/a/index.html",
                Some("/a/"),
            ),
            (UriForm::ending("", "index.html"), "/index.html", Some("/")),
            (UriForm::ending("", "index.html"), "/xindex.html", None),
            (
                UriForm::ending("", "/index.html"),
                "/a/index.html",
                Some("/a"),
            ),
            (UriForm::ending("", "/index.html"), "/index.html", None),
            (UriForm::ending("", ".html"), "/a.html", Some("/a")),
            (UriForm::ending("", ".html"), "/a.css", None),
            (UriForm::ending("/", ".html"), "/a.html", Some("/a/")),
            (UriForm::ending(".md", ".html"), "/a.html", Some("/a.md")),
            (UriForm::ending("/", ""), "/a", Some("/a/")),
            (UriForm::ending("/", ""), "/a.css", Some("/a.css/")),
            (
                UriForm::ending(".html", "-v2.html"),
                "/a-v2.html",
                Some("/a.html"),
            ),
            (edit(["", ""], ["/site", ""]), "/site/a", Some("/a")),
            (edit(["", ""], ["/site", ""]), "/sites/a", None),
            (edit(["", ""], ["/site", ""]), "/site", None),
            (edit(["/docs", ""], ["", ""]), "/a", Some("/docs/a")),
            (
                edit(["/docs", ""], ["", "index.html"]),
                "/a/index.html",
                Some("/docs/a/"),
            ),
            (UriForm::Literal("/app.html".into()), "/app.html", Some("/")),
            (UriForm::Literal("/app.html".into()), "/a.html", None),
            (UriForm::Any, "/a", None),
        ] {
            assert_eq!(form.viewer(own).as_deref(), viewer, "{form:?} {own}");
        }
    }

    #[test]
    fn what_is_taken_and_put_again_is_left_alone() {
        let cut = UriForm::same().without("", "/").unwrap();
        assert_eq!(cut, UriForm::ending("/", ""));
        let index = cut.then(&UriForm::Literal("/index.html".into()));
        assert_eq!(index.unwrap(), UriForm::ending("", "index.html"));
        let moved = UriForm::same().without("/old/", "").unwrap();
        let moved = UriForm::Literal("/new/".into()).then(&moved).unwrap();
        assert_eq!(moved, edit(["/old", ""], ["/new", ""]));
        let back = UriForm::ending("", "x/").without("", "/").unwrap();
        assert_eq!(back, UriForm::ending("", "x"));
        let deep = UriForm::ending("", "x").without("", "yx").unwrap();
        assert_eq!(deep, UriForm::ending("y", ""));
        assert_eq!(UriForm::ending("", "x").without("", "y"), None);
    }
}
