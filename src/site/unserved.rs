//! Tells what a site asks for and nobody serves: a warning for each kind, which names the lines. Pure.

use crate::edge::Distribution;
use crate::error::Error;
use crate::rules::redirect::Redirect;
use crate::rules::unserved::{
    HeaderScope, UnkeptHeader, UnsentReason, UnservedReason, UnservedRedirect,
};
use crate::settings::{UnservedLine, UnservedRules};
use crate::survey::targets::ResolvedTargets;

/// Lines of a file that are named before the others are counted.
const NAMED_LINES: usize = 2;
/// Headers and paths that are.
const NAMED_TEXTS: usize = 8;
/// What would answer a redirect that a function can.
const WRITTEN: &str =
    "`redirect-function = \"NAME\"` in deploy.toml has deploys write a function that does";

/// Returns the warnings of a site. `unsent`: why no viewer gets a header; `is_answered`: somebody else answers this redirect.
pub(crate) fn warnings(
    unserved: &UnservedRules,
    unsent: impl Fn(&UnkeptHeader) -> Option<UnsentReason>,
    is_answered: impl Fn(&Redirect) -> bool,
) -> Vec<String> {
    let headers = unserved.headers.iter();
    let (hosts, unkept): (Vec<_>, Vec<_>) = headers.partition(|line| line.asked.scope.has_host());
    let mut warnings = Vec::new();
    for reason in UnsentReason::ALL {
        let lines = unkept.iter().copied();
        let lines: Vec<_> = lines
            .filter(|line| unsent(&line.asked) == Some(reason))
            .collect();
        warnings.extend(unsent_warning(reason, &lines));
    }
    warnings.extend(host_warning(&hosts));
    for reason in UnservedReason::ALL {
        let redirects = unserved.redirects.iter();
        let lines: Vec<_> = redirects
            .filter(|line| line.asked.reason == reason && !is_answered(&line.asked.redirect))
            .collect();
        warnings.extend(redirect_warning(reason, &lines));
    }
    warnings
}

/// Returns the error that `strict` makes of what nobody serves.
///
/// # Errors
/// `Exit::Usage` with all of it, if there is any.
pub(crate) fn refuse(warnings: &[String]) -> Result<(), Error> {
    if warnings.is_empty() {
        return Ok(());
    }
    let mut error = Error::usage("the site asks for what nobody serves, and `strict` refuses that")
        .hint(
            "leave the lines out, or deploy without `strict`: they are told then, and do nothing",
        );
    error.causes = warnings.to_vec();
    Err(error)
}

/// Tells whether the error pages of all distributions do what a line for all paths asks for, as a single-page app has it.
pub(crate) fn is_answered_by_errors(redirect: &Redirect, targets: &ResolvedTargets) -> bool {
    let answers = |distribution: &Distribution| {
        distribution.error_responses.iter().any(|response| {
            matches!(response.code, 403 | 404)
                && response.page.as_deref() == Some(&redirect.to)
                && response.response_code.unwrap_or(response.code) == redirect.status
        })
    };
    let mut found = targets.found.iter();
    redirect.from == "/*"
        && !targets.found.is_empty()
        && found.all(|target| target.readable().is_some_and(answers))
}

fn unsent_warning(reason: UnsentReason, lines: &[&UnservedLine<UnkeptHeader>]) -> Option<String> {
    let names = names(lines)?;
    let them = if names.contains(", ") { "them" } else { "it" };
    let told = match reason {
        UnsentReason::Policy => format!(
            "no viewer gets {them}, unless a response headers policy of the distribution sends {them}; \
             `headers-policy = \"NAME\"` in deploy.toml has deploys write a response headers policy that does"
        ),
        UnsentReason::Function => format!(
            "a headers policy cannot send {them} for these paths alone, or so, and no viewer gets {them}; {WRITTEN}"
        ),
        UnsentReason::Pattern => format!(
            "no policy and no function can tell the paths that {them} is for, and no viewer gets {them}; write plain paths, and leave \"!\" out"
        ),
        UnsentReason::Reserved => format!("CloudFront lets nobody set {them}; leave the lines out"),
        UnsentReason::Waiting => {
            format!("no viewer gets {them} before a headers policy is written")
        }
    };
    Some(format!(
        "{}: S3 does not keep {names}: {told}",
        places(lines)
    ))
}

fn host_warning(lines: &[&UnservedLine<UnkeptHeader>]) -> Option<String> {
    let names = names(lines)?;
    let scopes = lines.iter().filter_map(|line| match &line.asked.scope {
        HeaderScope::Path(path) => Some(path.as_str()),
        HeaderScope::Globs(_) => None,
    });
    Some(format!(
        "{}: one bucket does not tell hosts apart: no viewer gets {names} for {}",
        places(lines),
        listed(scopes)
    ))
}

fn names(lines: &[&UnservedLine<UnkeptHeader>]) -> Option<String> {
    let names = lines.iter().map(|line| line.asked.name.as_str());
    (!lines.is_empty()).then(|| listed(names))
}

fn redirect_warning(
    reason: UnservedReason,
    lines: &[&UnservedLine<UnservedRedirect>],
) -> Option<String> {
    if lines.is_empty() {
        return None;
    }
    let paths = listed(lines.iter().map(|line| line.asked.redirect.from.as_str()));
    let told = match reason {
        UnservedReason::Role => {
            format!("nobody asks visitors for a role: everybody sees what lies at {paths}")
        }
        UnservedReason::Visitor => format!(
            "neither S3 nor the function that deploys write looks at country, language or cookies: left out for {paths}"
        ),
        UnservedReason::Query => {
            format!("no redirect goes by the query of a URL: left out for {paths}; {WRITTEN}")
        }
        UnservedReason::Host => {
            format!("one bucket does not tell hosts apart: left out for {paths}; {WRITTEN}")
        }
        UnservedReason::Proxy => format!(
            "S3 hands no request on to another server (status 200): left out for {paths}; a behavior of the distribution with \
             that origin would answer"
        ),
        UnservedReason::Rewrite => format!(
            "S3 shows no page under another URL (status 200): left out for {paths}; for a single-page app let the \
             distribution's custom error responses answer 403 and 404 with its page and status 200; {WRITTEN}"
        ),
        UnservedReason::ErrorPage => format!(
            "S3 has no status and no error page for some URLs alone: left out for {paths}; let the distribution's custom error \
             responses name the page"
        ),
    };
    Some(format!("{}: {told}", places(lines)))
}

/// Names the lines by their files: `public/_headers:2, 5 and 3 more; deploy.toml:7`.
fn places<T>(lines: &[&UnservedLine<T>]) -> String {
    let files = distinct(lines.iter().map(|line| line.file.as_str()));
    let place = |file: &&str| {
        let own = lines.iter().filter(|line| line.file == *file);
        let mut numbers: Vec<usize> = own.map(|line| line.line).collect();
        numbers.dedup();
        let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
        let numbers = shortened(&numbers, NAMED_LINES);
        format!("{file}:{numbers}")
    };
    files.iter().map(place).collect::<Vec<_>>().join("; ")
}

fn listed<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    shortened(&distinct(texts), NAMED_TEXTS)
}

fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for text in texts {
        if !distinct.contains(&text) {
            distinct.push(text);
        }
    }
    distinct
}

/// Joins the first few, and counts the others.
fn shortened<T: AsRef<str>>(texts: &[T], most: usize) -> String {
    let named: Vec<&str> = texts.iter().take(most).map(AsRef::as_ref).collect();
    let named = named.join(", ");
    match texts.len().saturating_sub(most) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{headers_file, redirects_file};

    fn lines<T>(file: &str, asked: Vec<(usize, T)>) -> Vec<UnservedLine<T>> {
        let line = |(line, asked)| UnservedLine {
            file: file.to_owned(),
            line,
            asked,
        };
        asked.into_iter().map(line).collect()
    }

    #[test]
    fn one_warning_a_kind_names_the_lines() {
        let headers = "/*\n  X-Frame-Options: DENY\n  Vary: a\n  Vary: b\n/a\n  X-Frame-Options: x\n\
                       https://a.b/*\n  Cache-Control: x\n";
        let redirects = "/* /index.html 200\n/a/* /b 200\n/api/* https://x.y/:splat 200\n/ /de 302 Language=de\n/x id=:id /y/:id\n\
                         /in /me 302 Role=a\nhttps://a.b/* /c\n/en/* /en/404.html 404\n/one /two\n";
        let read = redirects_file::parse(redirects).unwrap();
        let mut asked = read.unserved;
        asked.extend(read.redirects.into_iter().filter_map(|(line, redirect)| {
            let reason = UnservedReason::without_function(&redirect)?;
            Some((line, UnservedRedirect { redirect, reason }))
        }));
        let unserved = UnservedRules {
            headers: lines("_headers", headers_file::parse(headers).unwrap().unkept),
            redirects: lines("_redirects", asked),
        };
        let none = |_: &UnkeptHeader| Some(UnsentReason::Policy);
        let told = warnings(&unserved, none, |redirect| redirect.from == "/*");
        let begins = [
            "_headers:2, 3 and 2 more: S3 does not keep X-Frame-Options, Vary: no viewer gets them",
            "_headers:8: one bucket does not tell hosts apart: no viewer gets Cache-Control for https://a.b/*",
            "_redirects:6: nobody asks visitors for a role: everybody sees what lies at /in",
            "_redirects:4: neither S3",
            "_redirects:5: no redirect goes by the query of a URL: left out for /x",
            "_redirects:7: one bucket does not tell hosts apart: left out for https://a.b/*",
            "_redirects:3: S3 hands no request on",
            "_redirects:2: S3 shows no page under another URL (status 200): left out for /a/*;",
            "_redirects:8: S3 has no status",
        ];
        assert_eq!(told.len(), begins.len(), "{told:#?}");
        for (warning, begin) in told.iter().zip(begins) {
            assert!(warning.starts_with(begin), "{warning}\n{begin}");
        }
        // The setting that serves them is named where there is one.
        let settings = [
            (0, "`headers-policy = "),
            (4, "`redirect-function = "),
            (5, "`redirect-function = "),
            (7, "`redirect-function = "),
        ];
        for (index, warning) in told.iter().enumerate() {
            let named = settings.iter().find(|(at, _)| *at == index);
            let (_, text) = named.unwrap_or(&(0, " = "));
            assert_eq!(warning.contains(text), named.is_some(), "{warning}");
        }
        // A policy sends what is for no host.
        let vary = |header: &UnkeptHeader| (header.name == "Vary").then_some(UnsentReason::Policy);
        let left = warnings(&unserved, vary, |_| true);
        assert_eq!(left.len(), 2, "{left:#?}");
        assert!(left[0].starts_with("_headers:3, 4: S3 does not keep Vary: no viewer gets it"));
        assert!(left[1].starts_with(begins[1]));
        assert_eq!(refuse(&told).unwrap_err().causes, told);
        assert!(refuse(&[]).is_ok());
    }
}
