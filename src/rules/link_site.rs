//! What answers at the paths of a site, as far as its links are judged by it. Hosts differ in what they show at a path: whatever one
//! of them shows is there.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};

use percent_encoding::percent_decode_str;

use super::links::{Reference, joined, key_path, plain};

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
    /// Paths that are there, in lower case, and as they are, `None` where several differ by case alone; made where it is first asked
    /// for.
    pub forms: OnceCell<HashMap<String, Option<String>>>,
}

/// What is at a path.
#[derive(Debug, PartialEq, Eq)]
pub enum PathFinding<'a> {
    Key(&'a str),
    /// Nobody here can tell.
    Unknown,
    /// Where nothing is, relative to the site, and what was meant if it differs by case alone.
    Nothing {
        path: String,
        case: Option<String>,
        suggestion: Option<String>,
    },
}

impl<'a> LinkSite<'a> {
    /// Finds what is at a request path, percent-encoded as a viewer asks for it.
    pub fn find(&self, path: &str) -> PathFinding<'a> {
        let Some(below) = self.below(path) else {
            return PathFinding::Unknown;
        };
        let Ok(below) = percent_decode_str(below).decode_utf8() else {
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
        let same = |path: &str| {
            let form = self.forms().get(&path.to_lowercase())?.as_ref()?;
            Some(format!("{}{form}", self.mount.as_deref().unwrap_or("/")))
        };
        PathFinding::Nothing {
            case: same(&below),
            suggestion: same(&toggled),
            path: below.into_owned(),
        }
    }

    /// Returns the path that relative references of a page start from, by its `<base href>` if it has one; `None` where that is on
    /// another host.
    pub fn base(&self, key: &str, href: Option<&str>) -> Option<String> {
        let own = key_path(self.mount.as_deref().unwrap_or("/"), key);
        let href = plain(href.unwrap_or_default());
        match Reference::read(&href).filter(|href| !href.stays()) {
            Some(href) => self.target(Some(&own), &href),
            None => Some(own),
        }
    }

    /// Returns whether viewers find the site under a host's name.
    pub fn is_own(&self, host: &str) -> bool {
        let (name, port) = split_port(host);
        matches!(port, None | Some("80" | "443")) && self.hosts.contains(&name.to_ascii_lowercase())
    }

    /// Returns the path that a reference leads to from a page at `base`; `None` where that is not the site's, or not known to be.
    pub fn target(&self, base: Option<&str>, reference: &Reference) -> Option<String> {
        if reference.is_relative() {
            return Some(joined(base?, reference.path));
        }
        let is_own = reference.host.is_none_or(|host| self.is_own(host));
        let is_judged = is_own && self.mount.is_some();
        is_judged.then(|| joined("/", reference.path))
    }

    /// Returns the key that a page at `base` loads by a reference; `None` where that is not the site's.
    pub fn loaded(&self, base: Option<&str>, reference: &str) -> Option<&'a str> {
        let reference = plain(reference);
        let reference = Reference::read(&reference).filter(|reference| !reference.stays())?;
        match self.find(&self.target(base, &reference)?) {
            PathFinding::Key(key) => Some(key),
            _ => None,
        }
    }

    /// Returns what a path is below the site's root; `None` where it is not the site's.
    fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mount = self.mount.as_deref().unwrap_or("/");
        let root = mount.strip_suffix('/').unwrap_or(mount);
        path.strip_prefix(mount)
            .or_else(|| (path == root).then_some(""))
    }

    fn key(&self, path: &str) -> Option<&'a str> {
        let has = |key: &str| self.keys.get(key).copied();
        if path.is_empty() || path.ends_with('/') {
            return has(&format!("{path}{}", self.index)).or_else(|| has(path));
        }
        has(path)
            .or_else(|| has(&format!("{path}.html")))
            .or_else(|| has(&format!("{path}/{}", self.index)))
            .or_else(|| has(&format!("{path}/")))
    }

    fn forms(&self) -> &HashMap<String, Option<String>> {
        self.forms.get_or_init(|| {
            let mut forms = HashMap::new();
            for key in &self.keys {
                let folder = key.strip_suffix(self.index);
                let folder = folder.filter(|folder| folder.is_empty() || folder.ends_with('/'));
                let stem = key.strip_suffix(".html");
                for form in [Some(*key), folder, stem].into_iter().flatten() {
                    forms
                        .entry(form.to_lowercase())
                        .and_modify(|known| *known = None)
                        .or_insert_with(|| Some(form.to_owned()));
                }
            }
            forms
        })
    }
}

/// Splits a host's name from its port.
pub(super) fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, Some(port)),
        _ => (host, None),
    }
}
