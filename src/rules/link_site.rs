//! What answers at the paths of a site, as far as its links are judged by it. Hosts differ in what they show at a path: whatever one
//! of them shows is there.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::links::decoded_key;

/// The site that links are judged against.
pub struct LinkSite<'a> {
    /// The path at which its keys begin: `/` or `/docs/`; `None`: that is not known, and relative links alone are judged.
    pub mount: Option<String>,
    /// The names under which viewers find it, in lower case.
    pub hosts: BTreeSet<String>,
    /// All that is there once the deploy is done.
    pub keys: HashSet<&'a str>,
    /// The document that folders show.
    pub index: &'a str,
    /// Tells whether something else may answer a request path: a redirect, another origin, an application.
    pub may_answer: &'a dyn Fn(&str) -> bool,
    /// Tells whether a host name with a path leads to the bucket itself.
    pub is_bucket: &'a dyn Fn(&str, &str) -> bool,
    /// Whether pages route by themselves, so that no place in them is known.
    pub routes: bool,
    /// Paths that are there, in lower case, and as they are; made where it is first asked for.
    pub forms: OnceCell<HashMap<String, PathForm>>,
}

/// A path that some key answers, or several whose paths differ by case alone.
#[derive(Debug, PartialEq, Eq)]
pub enum PathForm {
    Sole(String),
    Several,
}

/// What is at a path.
#[derive(Debug, PartialEq, Eq)]
pub enum PathFinding {
    Key(String),
    /// Nobody here can tell.
    Unknown,
    /// Where nothing is, relative to the site, and what was meant if it differs by case alone.
    Nothing {
        path: String,
        case: Option<String>,
        suggestion: Option<String>,
    },
}

impl LinkSite<'_> {
    /// Finds what is at a request path, percent-encoded as a viewer asks for it.
    pub fn find(&self, path: &str) -> PathFinding {
        let Some(below) = self.below(path) else {
            return PathFinding::Unknown;
        };
        let Some(below) = decoded_key(&format!("/{below}")) else {
            return PathFinding::Unknown;
        };
        if let Some(key) = self.key(&below) {
            return PathFinding::Key(key);
        }
        if (self.may_answer)(path) {
            return PathFinding::Unknown;
        }
        let toggled = match below.strip_suffix('/') {
            Some(file) => file.to_owned(),
            None => format!("{below}/"),
        };
        let same = |path: &str| match self.forms().get(&path.to_lowercase()) {
            Some(PathForm::Sole(form)) => Some(self.url(form)),
            _ => None,
        };
        PathFinding::Nothing {
            case: same(&below),
            suggestion: same(&toggled),
            path: below,
        }
    }

    /// Returns what a path is below the site's root; `None` where it is not the site's.
    fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mount = self.mount.as_deref().unwrap_or("/");
        let root = mount.strip_suffix('/').unwrap_or(mount);
        path.strip_prefix(mount)
            .or_else(|| (path == root).then_some(""))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.mount.as_deref().unwrap_or("/"))
    }

    fn key(&self, path: &str) -> Option<String> {
        let has = |key: String| self.keys.contains(key.as_str()).then_some(key);
        let index = self.index;
        if path.is_empty() || path.ends_with('/') {
            return has(format!("{path}{index}")).or_else(|| has(path.to_owned()));
        }
        has(path.to_owned())
            .or_else(|| has(format!("{path}.html")))
            .or_else(|| has(format!("{path}/{index}")))
            .or_else(|| has(format!("{path}/")))
    }

    fn forms(&self) -> &HashMap<String, PathForm> {
        self.forms.get_or_init(|| {
            let mut forms = HashMap::new();
            for key in &self.keys {
                let folder = key.strip_suffix(self.index);
                let folder = folder.filter(|folder| folder.is_empty() || folder.ends_with('/'));
                let stem = key.strip_suffix(".html");
                for form in [Some(*key), folder, stem].into_iter().flatten() {
                    forms
                        .entry(form.to_lowercase())
                        .and_modify(|known| *known = PathForm::Several)
                        .or_insert_with(|| PathForm::Sole(form.to_owned()));
                }
            }
            forms
        })
    }
}
