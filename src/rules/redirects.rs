//! Redirects together: what is wrong with them before they are live, and which of them answers a path.

use std::collections::{HashMap, HashSet};

use super::redirect::{Redirect, decoded, normal_path, placeholder, segments};
use super::rule_check::{FieldProblem, RuleError};
use super::unserved::UnservedRedirect;

/// The most bytes of a redirect's target that S3 keeps beside an object (S3 User Guide, "Working with object metadata").
const MAX_LOCATION_BYTES: usize = 2048;
/// Browsers give up after about 20.
const MAX_HOPS: usize = 20;

/// A redirect's fault, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectProblem {
    #[error("{path:?} has to begin with \"/\"; write {:?}", format!("/{path}"))]
    NoSlash { path: String },
    #[error(
        "{path:?} has no host's name behind \"://\"; write \"https://www.example.com/path\", or the path alone"
    )]
    Host { path: String },
    #[error(
        "{path:?} asks for a query or a fragment; write the path, and `query = {{ id = \":id\" }}` or, in _redirects, \"id=:id\" behind it"
    )]
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
    #[error("{status} is not a redirect; write 301 or 308 for good, 302 or 307 for now")]
    Status { status: u16 },
    #[error(
        "{to:?} is to be shown under another URL (status 200), and has to be a path of the site without a query"
    )]
    Shown { to: String },
    #[error("{from:?} is redirected already by redirect {first}; leave one of them out", first = .first + 1)]
    Duplicate { from: String, first: usize },
    #[error("{from:?} is never reached, since redirect {first} before it takes all of it; put it before that one", first = .first + 1)]
    Unreachable { from: String, first: usize },
    #[error("it leads round in a loop: {}; let one of them lead somewhere else", .path.join(" -> "))]
    Loop { path: Vec<String> },
}

/// Redirects that hold together, in their order: the first that matches a path answers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirects {
    all: Vec<Redirect>,
    /// The first plain one of each normal path, by its index.
    plain: HashMap<String, usize>,
    /// The others, by their indexes.
    open: Vec<usize>,
}

impl Redirects {
    /// Checks each and all of them together: duplicates, ones that are never reached, loops over any number of steps.
    pub fn compile(all: Vec<Redirect>) -> Result<Self, RuleError<RedirectProblem>> {
        let mut redirects = Self::default();
        for (index, redirect) in all.into_iter().enumerate() {
            let added = check(&redirect).and_then(|()| redirects.add(redirect));
            added.map_err(RuleError::of(index))?;
        }
        for (index, redirect) in redirects.all.iter().enumerate() {
            if let Some(path) = redirects.find_loop(redirect) {
                let problem = RedirectProblem::Loop { path };
                return Err(RuleError::of(index)(("to", problem)));
            }
        }
        Ok(redirects)
    }

    /// Adds one at the end, if those before it leave it anything.
    fn add(&mut self, redirect: Redirect) -> Result<(), FieldProblem<RedirectProblem>> {
        let index = self.all.len();
        let path = redirect.is_exact().then(|| normal_path(redirect.path()));
        let same = path.as_ref().and_then(|path| self.plain.get(path));
        let earlier = same.iter().copied().chain(&self.open);
        let mut earlier = earlier.filter_map(|first| Some((*first, self.all.get(*first)?)));
        let hidden = earlier.find_map(|(first, earlier)| hides(earlier, &redirect, first));
        if let Some(problem) = hidden {
            return Err(("from", problem));
        }
        if let Some(path) = path.filter(|_| redirect.is_plain()) {
            self.plain.insert(path, index);
        } else {
            self.open.push(index);
        }
        self.all.push(redirect);
        Ok(())
    }

    pub fn all(&self) -> &[Redirect] {
        &self.all
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns where the first redirect that answers a request path, percent-encoded as a viewer sends it, leads. Ones with
    /// conditions answer no path for sure.
    fn answer(&self, path: &str) -> Option<String> {
        let plain = self.plain.get(&normal_path(path)).into_iter();
        let sure = plain
            .chain(&self.open)
            .filter_map(|index| self.all.get(*index));
        let mut sure = sure.filter(|redirect| !redirect.has_conditions());
        let (redirect, to) =
            sure.find_map(|redirect| Some((redirect, redirect.location(path)?)))?;
        // A page is shown, and nobody is sent on.
        Some(to).filter(|_| redirect.status != 200)
    }

    fn find_loop(&self, redirect: &Redirect) -> Option<Vec<String>> {
        if redirect.has_conditions() {
            return redirect.leads_to_itself();
        }
        let mut path = Vec::new();
        let mut here = redirect.sample();
        while path.len() < MAX_HOPS {
            let to = self.answer(&here)?;
            if !to.starts_with('/') || to.starts_with("//") {
                return None;
            }
            path.push(here);
            let end = to.find(['?', '#']).unwrap_or(to.len());
            here = to.split_at(end).0.to_owned();
            if path.contains(&here) {
                path.push(here);
                return Some(path);
            }
        }
        // It grows at each step: the first few tell enough.
        path.truncate(4);
        Some(path)
    }
}

impl Redirect {
    /// Returns the way from a path that it answers to itself, on the same host.
    fn leads_to_itself(&self) -> Option<Vec<String>> {
        let to = Redirect::new(self.location(&self.sample())?, "/");
        let own = self.host().unwrap_or_default();
        let is_here = to.host().is_none_or(|host| own.eq_ignore_ascii_case(host));
        let path = to.path().split(['?', '#']).next().unwrap_or_default();
        // What its query used is not passed on.
        let is_again =
            self.query.is_empty() && self.status != 200 && is_here && self.location(path).is_some();
        is_again.then(|| vec![self.from.clone(), self.to.clone(), self.from.clone()])
    }
}

/// Checks the form of a redirect that nobody answers.
pub fn check_unserved(unserved: &UnservedRedirect) -> Result<(), FieldProblem<RedirectProblem>> {
    check(&Redirect {
        status: 301,
        ..unserved.redirect.clone()
    })
}

fn check(redirect: &Redirect) -> Result<(), FieldProblem<RedirectProblem>> {
    check_from(redirect).map_err(|problem| ("from", problem))?;
    check_to(redirect).map_err(|problem| ("to", problem))?;
    match redirect.status {
        200 if redirect.to.starts_with('/') && !redirect.to.contains(['?', '#']) => Ok(()),
        200 => {
            let to = redirect.to.clone();
            Err(("to", RedirectProblem::Shown { to }))
        }
        301 | 302 | 303 | 307 | 308 => Ok(()),
        status => Err(("status", RedirectProblem::Status { status })),
    }
}

fn check_from(redirect: &Redirect) -> Result<(), RedirectProblem> {
    let (whole, from) = (&redirect.from, redirect.path());
    let path = whole.clone();
    let is_name = |host: &str| {
        let mut letters = host.chars();
        !host.is_empty()
            && letters.all(|letter| letter.is_ascii_alphanumeric() || ".-".contains(letter))
    };
    let is_url = whole.starts_with("https://") || whole.starts_with("http://");
    let is_host = redirect.host().is_none_or(|host| is_url && is_name(host));
    let before_last = from.strip_suffix("/*").unwrap_or(from);
    let names = segments(from).filter_map(|segment| segment.strip_prefix(':'));
    let names: Vec<&str> = names.collect();
    let is_placeholder =
        |name: &&str| !name.is_empty() && placeholder(name) == *name && *name != "splat";
    let distinct: HashSet<&&str> = names.iter().filter(|name| is_placeholder(name)).collect();
    Err(if !is_host || from.starts_with("//") {
        RedirectProblem::Host { path }
    } else if !from.starts_with('/') {
        RedirectProblem::NoSlash { path }
    } else if from.contains(['?', '#']) {
        RedirectProblem::Query { path }
    } else if let Some(character) = from.chars().find(|c| c.is_control()) {
        let text = path;
        RedirectProblem::Character { text, character }
    } else if before_last.contains('*') {
        RedirectProblem::Splat { path }
    } else if distinct.len() < names.len() {
        RedirectProblem::Placeholder { path }
    } else {
        return Ok(());
    })
}

fn check_to(redirect: &Redirect) -> Result<(), RedirectProblem> {
    let to = &redirect.to;
    let url = to
        .strip_prefix("https://")
        .or_else(|| to.strip_prefix("http://"));
    let is_target = match url {
        Some(rest) => !rest.is_empty() && !rest.starts_with('/'),
        None => to.starts_with('/') && !to.starts_with("//"),
    };
    if !is_target {
        return Err(RedirectProblem::Target { to: to.clone() });
    }
    if let Some(character) = to.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(RedirectProblem::Character {
            text: to.clone(),
            character,
        });
    }
    if to.len() > MAX_LOCATION_BYTES {
        return Err(RedirectProblem::TooLong { bytes: to.len() });
    }
    let is_filled = |name: &str| {
        let splat = name == "splat" && redirect.from.ends_with("/*");
        let mut given =
            segments(redirect.path()).chain(redirect.query.values().map(String::as_str));
        splat || given.any(|text| text.strip_prefix(':') == Some(name))
    };
    // Past the host, whose port is no placeholder.
    let path = url.map_or(to.as_str(), |rest| {
        rest.split_once('/').map_or("", |(_, path)| path)
    });
    let mut names = path.split(':').skip(1).map(placeholder);
    match names.find(|name| !name.is_empty() && !is_filled(name)) {
        Some(name) => Err(RedirectProblem::Unfilled {
            to: to.clone(),
            from: redirect.from.clone(),
            name: name.to_owned(),
        }),
        None => Ok(()),
    }
}

/// Finds whether an earlier redirect, the one of index `first`, answers all that this one would.
fn hides(earlier: &Redirect, redirect: &Redirect, first: usize) -> Option<RedirectProblem> {
    let from = redirect.from.clone();
    // One for HTTP beside one for HTTPS is usual; hosts count here, and these two are the same.
    let scheme = |redirect: &Redirect| redirect.host().map(|_| redirect.from.starts_with("https"));
    if scheme(earlier)
        .zip(scheme(redirect))
        .is_some_and(|(one, other)| one != other)
        && earlier.to == redirect.to
    {
        return None;
    }
    let same_host = earlier
        .host()
        .is_none_or(|host| Some(host) == redirect.host());
    let is_file = redirect
        .path()
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains('.'));
    let is_spared =
        earlier.spares_pages() && !redirect.spares_pages() && (is_file || !redirect.is_exact());
    let mut asked = earlier.query.iter();
    if !same_host
        || is_spared
        || !asked.all(|(name, value)| redirect.query.get(name) == Some(value))
    {
        return None;
    }
    let is_same = decoded(earlier.path()) == decoded(redirect.path());
    if is_same && (earlier.host(), &earlier.query) == (redirect.host(), &redirect.query) {
        return Some(RedirectProblem::Duplicate { from, first });
    }
    covers(earlier.path(), redirect.path()).then_some(RedirectProblem::Unreachable { from, first })
}

/// Tells whether every path that `narrow` matches is matched by `wide`.
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
            status: status.parse().unwrap_or(301),
            ..Redirect::new(from, to)
        }
    }

    fn compile(text: &str) -> Result<Redirects, RuleError<RedirectProblem>> {
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
            assert_eq!(redirects.answer(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, index, field, told) in [
            ("old /new", 0, "from", "\"/old\""),
            ("https://:a.b/x /new", 0, "from", "path alone"),
            ("/a /b?c 200", 0, "to", "status 200"),
            ("https://a.b/x /x", 0, "to", "loop"),
            ("https://a.b/* https://a.b/y/:splat", 0, "to", "loop"),
            ("/* /index.html 200\n/a /b", 1, "from", "never reached"),
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
            assert_eq!((error.rule, error.field), (index, field), "{text}: {error}");
            assert!(error.to_string().contains(told), "{text}: {error}");
        }
        for fine in [
            "/a/x /c\n/a/* /b",
            "/a /b\n/b /c",
            "/a /a/",
            "/a https://a.example/a",
            "/a/* /b/:splat",
            "/:x /a/:x",
            "https://a.b/* https://c.d/:splat\n/a /b",
            "/* /index.html 200\n/a.html /b\n/x/* /y/:splat",
            "/a /a 200",
        ] {
            assert_eq!(compile(fine).map(|_| ()), Ok(()), "{fine}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_compiles_never_leads_round(
            lines in proptest::collection::vec(("(/[ab]|/:x|/\\*){1,3}", "(/[ab]){1,3}(/:splat|/:x)?"), 1..5),
            path in "(/[abc]?){1,4}",
        ) {
            let redirects = lines.into_iter().map(|(from, to)| Redirect::new(from, to));
            if let Ok(redirects) = Redirects::compile(redirects.collect()) {
                let mut here = path;
                for _ in 0..=2 * MAX_HOPS {
                    match redirects.answer(&here) {
                        Some(to) => here = to,
                        None => return Ok(()),
                    }
                }
                proptest::prop_assert!(false, "{} still goes round in {:?}", here, redirects);
            }
        }

        #[test]
        fn nothing_is_too_odd(from in "(?s).{0,20}", to in "(?s).{0,20}", path in "(?s).{0,20}") {
            let redirect = Redirect::new(from, to);
            redirect.location(&path);
            let _ = redirect.as_object("i");
            let _ = Redirects::compile(vec![redirect]);
        }
    }
}
