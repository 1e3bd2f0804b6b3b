//! Writes a function down as JavaScript, and reads it back.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::packed::{ExactGroup, pack};
use super::text::literal;
use super::{EdgeFunction, LEFT_ALONE, MAX_FUNCTION_BYTES, PathRewrite, RUNTIME};
use crate::rules::redirect::{Redirect, normal_path};

/// How the first line of the code goes on after whose it is, where it is ours to change.
const MARK: &str = ", written by unstale";
pub(super) const FOLDER: &str = "(last === '') request.uri += ";
pub(super) const BARE_FOLDER: &str = "last.indexOf('.') < 0) request.uri += ";
/// What is left out of the handler where no page is shown under many URLs.
const SPARED: &str = " || (rule[2] === 200 && !rule[5] && !may(viewed))";
/// The most bytes of a key and of a value in a key value store (CloudFront Developer Guide, "Quotas on key value stores").
const MAX_KEY_BYTES: usize = 512;
const MAX_VALUE_BYTES: usize = 1024;
const MAX_STORE_BYTES: usize = 5 << 20;

/// Why there is no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    #[error(
        "the function has {bytes} bytes of code, and CloudFront takes {MAX_FUNCTION_BYTES}: it holds {redirects} redirects and names {pages} pages; join some with \"/folder/* /new/:splat\", or show an app for a folder alone, as in \"/app/* /app/index.html 200\""
    )]
    TooLarge {
        bytes: usize,
        /// Redirects and pages that stand in the code.
        redirects: usize,
        pages: usize,
    },
    #[error(
        "{redirects} redirects have {bytes} bytes, and a key value store takes {MAX_STORE_BYTES}: join some with \"/folder/* /new/:splat\""
    )]
    TooMany { redirects: usize, bytes: usize },
    #[error(
        "the redirect of {from} is too long for a key value store, which takes paths of {MAX_KEY_BYTES} bytes and targets of about {MAX_VALUE_BYTES}"
    )]
    TooLong { from: String },
}

/// Redirects as the function has them.
struct SortedRedirects<'a> {
    /// Those with wildcards or conditions, in their order.
    listed: Vec<&'a Redirect>,
    /// All others, by normal path.
    exact: BTreeMap<ExactGroup, BTreeMap<String, String>>,
}

impl<'a> SortedRedirects<'a> {
    fn of(redirects: &'a [Redirect]) -> Self {
        let mut sorted = Self {
            listed: Vec::new(),
            exact: BTreeMap::new(),
        };
        let mut paths_seen = HashSet::new();
        for redirect in redirects {
            if !redirect.is_plain() {
                sorted.listed.push(redirect);
                continue;
            }
            let path = normal_path(redirect.path());
            // The first for a path answers always.
            if !paths_seen.insert(path.clone()) {
                continue;
            }
            // Of those before it, only ones with conditions may be for its path too.
            let before = sorted
                .listed
                .iter()
                .rposition(|listed| listed.values(redirect.path()).is_some());
            let group = (redirect.status, before.map_or(0, |last| last + 1));
            let paths = sorted.exact.entry(group).or_default();
            paths.insert(path, redirect.to.clone());
        }
        sorted
    }
}

impl EdgeFunction {
    /// Writes the code, for the events `viewer-request` and, if it [sees answers](Self::sees_answers), `viewer-response`. The
    /// same function gives the same bytes.
    pub fn code(&self) -> Result<String, FunctionError> {
        let code = self.written();
        let bytes = code.len();
        if bytes > MAX_FUNCTION_BYTES {
            let is_held = |redirect: &&Redirect| !(self.stored && redirect.is_plain());
            let held = self.redirects.iter().filter(is_held);
            let (pages, redirects): (Vec<_>, Vec<_>) =
                held.partition(|redirect| redirect.status == LEFT_ALONE);
            return Err(FunctionError::TooLarge {
                bytes,
                redirects: redirects.len(),
                pages: pages.len() + self.rewrite.kept.len(),
            });
        }
        if !self.stored {
            return Ok(code);
        }
        let store = self.store();
        let sizes = store.iter().map(|(key, value)| key.len() + value.len());
        let bytes = sizes.sum();
        if bytes > MAX_STORE_BYTES {
            let redirects = store.len();
            return Err(FunctionError::TooMany { redirects, bytes });
        }
        let is_long = |(key, value): &(String, String)| {
            key.len() > MAX_KEY_BYTES || value.len() > MAX_VALUE_BYTES
        };
        match store.into_iter().find(is_long) {
            Some((from, _)) => Err(FunctionError::TooLong { from }),
            None => Ok(code),
        }
    }

    /// Returns what its key value store holds: exact redirects without conditions.
    pub fn store(&self) -> BTreeMap<String, String> {
        let groups = SortedRedirects::of(&self.redirects).exact.into_iter();
        let entries = groups.flat_map(|((status, before), paths)| {
            let paths = paths.into_iter();
            paths.map(move |(from, to)| (from, format!("{status} {before} {to}")))
        });
        entries.collect()
    }

    /// Tells whether a redirect shows one page under many URLs, and leaves those of others alone.
    pub(super) fn shows_many(&self) -> bool {
        self.redirects
            .iter()
            .any(|redirect| redirect.spares_pages())
    }

    pub(super) fn written(&self) -> String {
        let sorted = SortedRedirects::of(&self.redirects);
        let mut code = head(&self.site);
        code += &self.tables(&sorted);
        code += &self.functions(&sorted);
        code += &self.handler(&sorted);
        code
    }

    /// Tells whether it looks exact redirects up.
    fn finds(&self, sorted: &SortedRedirects<'_>) -> bool {
        self.stored || !sorted.exact.is_empty()
    }

    /// Writes the data, a constant a line.
    fn tables(&self, sorted: &SortedRedirects<'_>) -> String {
        let exact = sorted.exact.iter();
        let exact = exact.flat_map(|(place, paths)| pack(*place, paths));
        let exact = exact.map(|group| {
            let (status, before, cut) = (group.status, group.before, group.cut);
            json!([status, before, cut, group.tail, group.heads, group.words])
        });
        let headers = self.headers.iter();
        let headers = headers.map(|header| json!([header.pattern, header.name, header.value]));
        let rewrite = &self.rewrite;
        let tables = [
            self.stored
                .then(|| "import cf from 'cloudfront';\n".to_owned()),
            self.password.as_ref().map(|password| {
                let constant = constant("password", &json!([password.salt, password.digest]));
                format!("const crypto = require('crypto');\n{constant}")
            }),
            self.canonical_host
                .as_ref()
                .map(|host| constant("canonical", &json!(host))),
            (!sorted.listed.is_empty())
                .then(|| constant("rules", &sorted.listed.iter().copied().map(row).collect())),
            self.stored.then(|| "const store = cf.kvs();\n".to_owned()),
            (!self.stored && !sorted.exact.is_empty()).then(|| constant("exact", &exact.collect())),
            (!rewrite.endings.is_empty()).then(|| constant("endings", &json!(rewrite.endings))),
            self.keeps().then(|| constant("kept", &json!(rewrite.kept))),
            (!self.headers.is_empty()).then(|| constant("headers", &headers.collect())),
        ];
        tables.into_iter().flatten().collect()
    }

    fn functions(&self, sorted: &SortedRedirects<'_>) -> String {
        let (listed, exact) = (!sorted.listed.is_empty(), self.finds(sorted));
        // What is read back from code has none of those in its store.
        let redirects = self.stored
            || !self.redirects.is_empty()
            || self.canonical_host.is_some()
            || !self.rewrite.endings.is_empty();
        let pieces = [
            (listed || exact, include_str!("js/decode.js")),
            (exact, include_str!("js/exact.js")),
            (exact && !self.stored, include_str!("js/packed.js")),
            (exact && self.stored, include_str!("js/stored.js")),
            (
                listed || self.canonical_host.is_some(),
                include_str!("js/host.js"),
            ),
            (listed, include_str!("js/match.js")),
            (self.shows_many(), include_str!("js/may.js")),
            (redirects, include_str!("js/redirect.js")),
            (self.password.is_some(), include_str!("js/password.js")),
            (!self.headers.is_empty(), include_str!("js/dress.js")),
        ];
        needed(&pieces)
    }

    /// Writes what runs first, step by step in the order of [`EdgeFunction`]'s fields.
    fn handler(&self, sorted: &SortedRedirects<'_>) -> String {
        let (listed, exact) = (!sorted.listed.is_empty(), self.finds(sorted));
        let answers = listed || exact;
        let canonical = self.canonical_host.is_some();
        let rules = include_str!("js/handler/rules.js");
        let few = rules.replace(SPARED, "");
        let pieces = [
            (self.stored, "async "),
            (true, "function handler(event) {\n"),
            (true, "  const request = event.request;\n"),
            // Edges that still run it on answers get them back.
            (
                self.headers.is_empty(),
                "  if (event.response) return event.response;\n",
            ),
            (
                !self.headers.is_empty(),
                "  if (event.response) return dress(event.response, request.uri);\n",
            ),
            (
                self.password.is_some(),
                include_str!("js/handler/password.js"),
            ),
            (answers || canonical, "  const viewed = request.uri;\n"),
            (answers, "  let answer = "),
            (exact && self.stored, "await "),
            (exact, "find(normal(viewed));\n"),
            (answers && !exact, "null;\n"),
            (listed, if self.shows_many() { rules } else { &few }),
            (answers, include_str!("js/handler/answer.js")),
            (canonical, include_str!("js/handler/canonical.js")),
            // The other hosts are sent away first: they show no page of the site.
            (answers, include_str!("js/handler/show.js")),
            (true, &self.rewriting(answers)),
            (true, "  return request;\n}\n"),
        ];
        needed(&pieces)
    }

    /// Tells whether some paths are left as they are.
    fn keeps(&self) -> bool {
        !self.rewrite.kept.is_empty() || !self.rewrite.endings.is_empty()
    }

    fn rewriting(&self, answers: bool) -> String {
        let PathRewrite {
            index,
            bare_folders,
            endings,
            ..
        } = &self.rewrite;
        let mut code = String::new();
        if index.is_some() || !endings.is_empty() {
            code += "  const last = request.uri.slice(request.uri.lastIndexOf('/') + 1);\n";
        }
        if !endings.is_empty() {
            let strip = include_str!("js/handler/strip.js");
            let rewritten = if answers { "!answer && " } else { "" };
            code += &strip.replace("UNLESS ", rewritten);
        }
        if let Some(index) = index {
            code += &format!("  if {FOLDER}{};\n", literal(&json!(index)));
            if *bare_folders {
                let bare = literal(&json!(format!("/{index}")));
                let kept = if self.keeps() {
                    "kept.indexOf(request.uri) < 0 && "
                } else {
                    ""
                };
                code += &format!("  else if ({kept}{BARE_FOLDER}{bare};\n");
            }
        }
        code
    }
}

/// Joins the pieces that are needed.
fn needed(pieces: &[(bool, &str)]) -> String {
    let needed = pieces.iter().filter(|(is_needed, _)| *is_needed);
    needed.map(|(_, piece)| *piece).collect()
}

/// Tells whether the code is one that this tool wrote for this site, or for nobody in particular; changed by hand or not.
pub fn is_ours(code: &str, site: &str) -> bool {
    let whose = code.lines().next().and_then(owner);
    whose.is_some_and(|whose| whose.is_empty() || whose == site)
}

/// Writes the comments that the code begins with.
fn head(site: &str) -> String {
    let whose = match site {
        "" => "this site".to_owned(),
        site => literal(&json!(site)),
    };
    format!(
        "// The edge function of {whose}{MARK} from its settings, _redirects and _headers: change those.\n// Runtime {RUNTIME}.\n"
    )
}

/// Reads whose a function is from its first line.
pub(super) fn owner(line: &str) -> Option<String> {
    let (whose, _) = line
        .strip_prefix("// The edge function of ")?
        .split_once(MARK)?;
    if whose == "this site" {
        return Some(String::new());
    }
    serde_json::from_str(whose).ok()
}

fn constant(name: &str, value: &Value) -> String {
    format!("const {name} = {};\n", literal(value))
}

/// Writes a redirect as `rules` has it.
fn row(redirect: &Redirect) -> Value {
    let host = redirect.host().unwrap_or_default().to_ascii_lowercase();
    let Redirect {
        to,
        status,
        query,
        force,
        ..
    } = redirect;
    let mut row = vec![json!(redirect.path()), json!(to), json!(status)];
    let more = [json!(host), json!(query), json!(i32::from(*force))];
    let is_default =
        |value: &Value| *value == json!("") || *value == json!({}) || *value == json!(0);
    let kept = more.iter().rposition(|value| !is_default(value));
    row.extend(more.into_iter().take(kept.map_or(0, |last| last + 1)));
    Value::Array(row)
}
