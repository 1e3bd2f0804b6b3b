//! Redirects: what is wrong with them before they are live, and who can answer with them.

use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// The most bytes of a redirect's target that S3 keeps beside an object (S3 User Guide, "Working with object metadata").
pub const MAX_LOCATION_BYTES: usize = 2048;
/// Browsers give up after about 20.
const MAX_HOPS: usize = 20;

/// One `[[redirects]]` table of deploy.toml, or a line of `_redirects`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Redirect {
    /// A path as in a URL, with its leading `/`; `:name` stands for one segment, a last `*` for all that is left.
    pub from: String,
    /// A path or an `http(s)` URL; `:name` and `:splat` are filled in from `from`.
    pub to: String,
    /// 301, 302, 303, 307 or 308.
    #[serde(default = "moved_permanently")]
    pub status: u16,
    /// Even where the build has a file of that name.
    #[serde(default)]
    pub force: bool,
}

fn moved_permanently() -> u16 {
    301
}

/// A redirect that cannot be followed. The caller knows the file and the line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct RedirectError {
    /// Its index, from 0.
    pub redirect: usize,
    /// The key of its table.
    pub field: &'static str,
    pub problem: Problem,
}

/// What is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("{path:?} has to begin with \"/\"; write {:?}", format!("/{path}"))]
    NoSlash { path: String },
    #[error("{path:?} names a host, and one bucket cannot tell hosts apart; write the path alone")]
    Host { path: String },
    #[error("{path:?} asks for a query or a fragment, which no key has; write the path alone")]
    Query { path: String },
    #[error(
        "{path:?} has a \"*\" that is not its last segment; write it last, or \":name\" for one segment"
    )]
    Splat { path: String },
    #[error(
        "{path:?} has a \":\" without a name behind it, or the name twice; write \":name\" as a whole segment"
    )]
    Placeholder { path: String },
    #[error("{to:?} uses \":{name}\", which {from:?} does not have")]
    Unfilled {
        to: String,
        from: String,
        name: String,
    },
    #[error("{to:?} is neither a path nor a URL; begin it with \"/\" or \"https://\"")]
    Target { to: String },
    #[error("{text:?} holds {character:?}, which a URL has percent-encoded")]
    Character { text: String, character: char },
    #[error("the target has {bytes} bytes, and S3 takes {MAX_LOCATION_BYTES}; write a shorter one")]
    TooLong { bytes: usize },
    #[error(
        "200 would serve one page under another URL, which S3 cannot do; store the page under that key as well, or for a single-page app let the distribution answer 403 and 404 with /index.html"
    )]
    Rewrite,
    #[error("{status} is no redirect; write 301 or 308 for good, 302 or 307 for now")]
    Status { status: u16 },
    #[error("{from:?} is redirected already by redirect {first}; leave one of them out", first = .first + 1)]
    Duplicate { from: String, first: usize },
    #[error("{from:?} is never reached, since redirect {first} before it takes all of it; put it before that one", first = .first + 1)]
    Unreachable { from: String, first: usize },
    #[error("it leads round in a loop: {}; let one of them lead somewhere else", .path.join(" -> "))]
    Loop { path: Vec<String> },
}

/// Why a redirect cannot be an object on a website endpoint; a function can answer all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnObject {
    #[error("it stands for many paths, and an object has one key")]
    Pattern,
    #[error("S3 answers every redirect with 301")]
    Status,
}

/// Redirects that hold together, in their order: the first that matches a path answers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirects {
    all: Vec<Redirect>,
}

impl Redirects {
    /// Checks each and all of them together: duplicates, ones that are never reached, loops over any number of steps.
    pub fn compile(all: Vec<Redirect>) -> Result<Self, RedirectError> {
        for (at, redirect) in all.iter().enumerate() {
            check(redirect).map_err(|(field, problem)| RedirectError {
                redirect: at,
                field,
                problem,
            })?;
            if let Some(problem) = hidden(&all, at) {
                return Err(RedirectError {
                    redirect: at,
                    field: "from",
                    problem,
                });
            }
        }
        let redirects = Self { all };
        for (at, redirect) in redirects.all.iter().enumerate() {
            if let Some(path) = redirects.find_loop(redirect) {
                return Err(RedirectError {
                    redirect: at,
                    field: "to",
                    problem: Problem::Loop { path },
                });
            }
        }
        Ok(redirects)
    }

    pub fn all(&self) -> &[Redirect] {
        &self.all
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The redirect that answers a request path, percent-encoded as a viewer sends it, and its Location.
    pub fn answer(&self, path: &str) -> Option<(&Redirect, String)> {
        self.all
            .iter()
            .find_map(|redirect| Some((redirect, redirect.location(path)?)))
    }

    fn find_loop(&self, redirect: &Redirect) -> Option<Vec<String>> {
        let mut path = vec![redirect.sample()];
        while path.len() <= MAX_HOPS {
            let here = path.last()?;
            let (_, to) = self.answer(here)?;
            if !to.starts_with('/') || to.starts_with("//") {
                return None;
            }
            let next = to.split(['?', '#']).next().unwrap_or_default().to_owned();
            let round = path.contains(&next);
            path.push(next);
            if round {
                return Some(path);
            }
        }
        // It grows at each step: the first few tell enough.
        path.truncate(4);
        Some(path)
    }
}

impl Redirect {
    /// Whether it stands for one path.
    pub fn is_exact(&self) -> bool {
        !segments(&self.from).any(|segment| segment == "*" || segment.starts_with(':'))
    }

    /// What paths that it matches begin with, decoded: one that [is exact](Redirect::is_exact) is all of it.
    pub fn literal_prefix(&self) -> String {
        let is_open = |segment: &&str| *segment == "*" || segment.starts_with(':');
        let fixed: Vec<&str> = segments(&self.from)
            .take_while(|segment| !is_open(segment))
            .collect();
        let end = if self.is_exact() || fixed.is_empty() {
            ""
        } else {
            "/"
        };
        format!("/{}{end}", decoded(&fixed.join("/")))
    }

    /// The key of the object that answers with this redirect on a website endpoint, and its `redirect` header.
    /// `index` is the endpoint's index document, which answers for a folder.
    pub fn as_object(&self, index: &str) -> Result<(String, String), NotAnObject> {
        if !self.is_exact() {
            return Err(NotAnObject::Pattern);
        }
        if self.status != 301 {
            return Err(NotAnObject::Status);
        }
        let mut key = decoded(&self.from).trim_start_matches('/').to_owned();
        if key.is_empty() || key.ends_with('/') {
            key.push_str(index);
        }
        Ok((key, self.to.clone()))
    }

    /// Where it sends a request path, or `None` where it does not match.
    pub fn location(&self, path: &str) -> Option<String> {
        let mut filled: Vec<(&str, &str)> = Vec::new();
        let mut rest = Some(path.strip_prefix('/')?);
        for pattern in segments(&self.from) {
            if pattern == "*" {
                // A slash at its start would make another host of "/:splat".
                filled.push(("splat", rest.unwrap_or_default().trim_start_matches('/')));
                rest = None;
                break;
            }
            let here = rest?;
            let (segment, left) = match here.split_once('/') {
                Some((segment, left)) => (segment, Some(left)),
                None => (here, None),
            };
            match pattern.strip_prefix(':') {
                Some(_) if segment.is_empty() => return None,
                Some(name) => filled.push((name, segment)),
                None if decoded(pattern) == decoded(segment) => {}
                None => return None,
            }
            rest = left;
        }
        match rest {
            Some(_) => None,
            None => Some(fill(&self.to, &filled)),
        }
    }

    /// A path that it matches.
    fn sample(&self) -> String {
        let parts: Vec<&str> = segments(&self.from)
            .map(|segment| match segment {
                "*" => "any",
                other => other.strip_prefix(':').unwrap_or(other),
            })
            .collect();
        format!("/{}", parts.join("/"))
    }
}

/// The segments of a path; `/` has one, which is empty.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Puts values in place of `:name`; the longest name that fits.
fn fill(to: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = to;
    while let Some(at) = rest.find(':') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let name = placeholder(from);
        match values
            .iter()
            .find(|(known, _)| !name.is_empty() && *known == name)
        {
            Some((_, value)) => text.push_str(value),
            None => text.push_str(from.get(..1 + name.len()).unwrap_or_default()),
        }
        rest = from.get(1 + name.len()..).unwrap_or_default();
    }
    text + rest
}

/// The name behind a `:`.
fn placeholder(from: &str) -> &str {
    let name = from.strip_prefix(':').unwrap_or_default();
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let end = name
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(name.len());
    if starts {
        name.get(..end).unwrap_or_default()
    } else {
        ""
    }
}

type Found = (&'static str, Problem);

fn check(redirect: &Redirect) -> Result<(), Found> {
    check_from(&redirect.from).map_err(|problem| ("from", problem))?;
    check_to(redirect).map_err(|problem| ("to", problem))?;
    match redirect.status {
        301 | 302 | 303 | 307 | 308 => Ok(()),
        200 => Err(("status", Problem::Rewrite)),
        status => Err(("status", Problem::Status { status })),
    }
}

fn check_from(from: &str) -> Result<(), Problem> {
    let path = || from.to_owned();
    if from.contains("://") || from.starts_with("//") {
        return Err(Problem::Host { path: path() });
    }
    if !from.starts_with('/') {
        return Err(Problem::NoSlash { path: path() });
    }
    if from.contains(['?', '#']) {
        return Err(Problem::Query { path: path() });
    }
    if let Some(character) = from.chars().find(|c| c.is_control()) {
        return Err(Problem::Character {
            text: path(),
            character,
        });
    }
    let mut names = Vec::new();
    let mut segments = segments(from).peekable();
    while let Some(segment) = segments.next() {
        if segment.contains('*') && (segment != "*" || segments.peek().is_some()) {
            return Err(Problem::Splat { path: path() });
        }
        let Some(name) = segment.strip_prefix(':') else {
            continue;
        };
        if placeholder(segment) != name
            || name.is_empty()
            || name == "splat"
            || names.contains(&name)
        {
            return Err(Problem::Placeholder { path: path() });
        }
        names.push(name);
    }
    Ok(())
}

fn check_to(redirect: &Redirect) -> Result<(), Problem> {
    let to = &redirect.to;
    let url = to
        .strip_prefix("https://")
        .or_else(|| to.strip_prefix("http://"));
    if url.map_or(!to.starts_with('/') || to.starts_with("//"), |rest| {
        rest.is_empty() || rest.starts_with('/')
    }) {
        return Err(Problem::Target { to: to.clone() });
    }
    if let Some(character) = to.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(Problem::Character {
            text: to.clone(),
            character,
        });
    }
    if to.len() > MAX_LOCATION_BYTES {
        return Err(Problem::TooLong { bytes: to.len() });
    }
    let known = |name: &str| {
        let splat = name == "splat" && redirect.from.ends_with("/*");
        splat || segments(&redirect.from).any(|segment| segment.strip_prefix(':') == Some(name))
    };
    // Past the host, whose port is no placeholder.
    let path = url.map_or(to.as_str(), |rest| {
        rest.find('/')
            .and_then(|at| rest.get(at..))
            .unwrap_or_default()
    });
    let used = path
        .match_indices(':')
        .filter_map(|(at, _)| path.get(at..))
        .map(placeholder);
    match used
        .into_iter()
        .find(|name| !name.is_empty() && !known(name))
    {
        Some(name) => {
            let name = name.to_owned();
            Err(Problem::Unfilled {
                to: to.clone(),
                from: redirect.from.clone(),
                name,
            })
        }
        None => Ok(()),
    }
}

/// Whether an earlier redirect answers all that this one would.
fn hidden(all: &[Redirect], at: usize) -> Option<Problem> {
    let redirect = all.get(at)?;
    let from = || redirect.from.clone();
    all.iter()
        .take(at)
        .enumerate()
        .find_map(|(first, earlier)| {
            if decoded(&earlier.from) == decoded(&redirect.from) {
                return Some(Problem::Duplicate {
                    from: from(),
                    first,
                });
            }
            let takes_all = covers(&earlier.from, &redirect.from);
            takes_all.then(|| Problem::Unreachable {
                from: from(),
                first,
            })
        })
}

/// Whether every path that `narrow` matches is matched by `wide`.
fn covers(wide: &str, narrow: &str) -> bool {
    let mut left = segments(narrow);
    for pattern in segments(wide) {
        if pattern == "*" {
            return true;
        }
        match left.next() {
            None | Some("*") => return false,
            Some("") if pattern.starts_with(':') => return false,
            Some(_) if pattern.starts_with(':') => {}
            Some(segment) if segment.starts_with(':') || decoded(segment) != decoded(pattern) => {
                return false;
            }
            Some(_) => {}
        }
    }
    left.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(line: &str) -> Redirect {
        let mut parts = line.split(' ');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (from, to, status) = (next(), next(), next());
        Redirect {
            from,
            to,
            status: status.parse().unwrap_or(301),
            force: false,
        }
    }

    fn compile(text: &str) -> Result<Redirects, RedirectError> {
        Redirects::compile(text.lines().map(redirect).collect())
    }

    #[test]
    fn a_path_goes_where_its_redirect_says() {
        let redirects = compile(
            "/old /new\n/o%C3%A9 /oe\n/news/:year/:slug/ /blog/:year-:slug.html 302\n/docs/* https://d.example:8443/v2/:splat\n\
             /api/* /v1\n/x/* /:splat",
        )
        .unwrap();
        for (path, expected) in [
            ("/old", Some("/new")),
            ("/old/", None),
            ("/oé", Some("/oe")),
            ("/o%c3%a9", Some("/oe")),
            ("/news/2024/a%20b/", Some("/blog/2024-a%20b.html")),
            ("/news/2024/a", None),
            ("/news//a/", None),
            ("/docs/a/b", Some("https://d.example:8443/v2/a/b")),
            ("/docs/", Some("https://d.example:8443/v2/")),
            ("/docs", Some("https://d.example:8443/v2/")),
            ("/api/x", Some("/v1")),
            ("/x//evil.example/", Some("/evil.example/")),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(
                redirects.answer(path).map(|(_, to)| to).as_deref(),
                expected,
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, index, field, told) in [
            ("old /new", 0, "from", "\"/old\""),
            ("https://a.b/x /new", 0, "from", "path alone"),
            ("/a?b=c /new", 0, "from", "query"),
            ("/a/*/b /new", 0, "from", ":name"),
            ("/a* /new", 0, "from", ":name"),
            ("/:/b /new", 0, "from", "whole segment"),
            ("/:a/:a /new", 0, "from", "whole segment"),
            ("/a new", 0, "to", "https://"),
            ("/a //evil", 0, "to", "https://"),
            ("/a https://", 0, "to", "https://"),
            ("/a /é", 0, "to", "percent-encoded"),
            ("/a /b/:splat", 0, "to", ":splat"),
            ("/:a /b/:c", 0, "to", ":c"),
            ("/a /b 200", 0, "status", "S3 cannot"),
            ("/a /b 404", 0, "status", "301"),
            ("/a /b\n/a /c", 1, "from", "redirect 1"),
            ("/a/* /b\n/a/x /c", 1, "from", "never reached"),
            ("/:x/y /b\n/a/y /c", 1, "from", "never reached"),
            ("/a /a", 0, "to", "/a -> /a"),
            (
                "/x /y\n/a /b\n/b /c\n/c /a?again",
                1,
                "to",
                "/a -> /b -> /c -> /a",
            ),
            ("/a/* /a/b/:splat", 0, "to", "loop"),
            ("/* /new/:splat", 0, "to", "loop"),
            ("/a /b\n/:any /a", 0, "to", "loop"),
        ] {
            let error = compile(text).expect_err(text);
            assert_eq!(
                (error.redirect, error.field),
                (index, field),
                "{text}: {error}"
            );
            assert!(error.to_string().contains(told), "{text}: {error}");
        }
        for fine in [
            "/a/x /c\n/a/* /b",
            "/a /b\n/b /c",
            "/a /a/",
            "/a https://a.example/a",
            "/a/* /b/:splat",
            "/:x /a/:x",
        ] {
            assert_eq!(compile(fine).map(|_| ()), Ok(()), "{fine}");
        }
    }

    #[test]
    fn what_a_redirect_is_for_begins_alike() {
        for (from, prefix) in [
            ("/a", "/a"),
            ("/a/", "/a/"),
            ("/", "/"),
            ("/*", "/"),
            ("/%C3%A9/*", "/é/"),
            ("/a/:b/c", "/a/"),
        ] {
            assert_eq!(redirect(from).literal_prefix(), prefix, "{from}");
        }
    }

    #[test]
    fn an_exact_and_lasting_redirect_can_be_an_object() {
        let ok = |key: &str, to: &str| Ok((key.to_owned(), to.to_owned()));
        for (line, expected) in [
            ("/old /new", ok("old", "/new")),
            ("/old/ /new", ok("old/index.html", "/new")),
            ("/ /new", ok("index.html", "/new")),
            ("/a%20b https://x.example/", ok("a b", "https://x.example/")),
            ("/a/* /b", Err(NotAnObject::Pattern)),
            ("/:a /b", Err(NotAnObject::Pattern)),
            ("/a /b 302", Err(NotAnObject::Status)),
        ] {
            assert_eq!(redirect(line).as_object("index.html"), expected, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_compiles_never_leads_round(
            lines in proptest::collection::vec(("(/[ab]|/:x|/\\*){1,3}", "(/[ab]){1,3}(/:splat|/:x)?"), 1..5),
            path in "(/[abc]?){1,4}",
        ) {
            let all = lines.into_iter().map(|(from, to)| Redirect { from, to, status: 301, force: false });
            if let Ok(redirects) = Redirects::compile(all.collect()) {
                let mut here = path;
                for _ in 0..=2 * MAX_HOPS {
                    match redirects.answer(&here) {
                        Some((_, to)) => here = to,
                        None => return Ok(()),
                    }
                }
                proptest::prop_assert!(false, "{} still goes round in {:?}", here, redirects);
            }
        }

        #[test]
        fn nothing_is_too_odd(from in "(?s).{0,20}", to in "(?s).{0,20}", path in "(?s).{0,20}") {
            let one = Redirect { from, to, status: 301, force: false };
            one.location(&path);
            let _ = one.as_object("i");
            let _ = Redirects::compile(vec![one]);
        }
    }
}
