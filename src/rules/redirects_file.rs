//! The `_redirects` file of Netlify and Cloudflare Pages, read into redirects.
//!
//! A line without a status is a 301, as Netlify has it; Cloudflare Pages would answer 302.

use super::headers_file::{LineError, read_lines};
use super::redirect::Redirect;
use super::unserved::{UnservedReason, UnservedRedirect};

/// What a `_redirects` file says, with the lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedirectsFile {
    pub redirects: Vec<(usize, Redirect)>,
    pub unserved: Vec<(usize, UnservedRedirect)>,
}

/// Reads the redirects. All that is wrong with the lines themselves is told at once; what is wrong among them,
/// [`super::redirects::Redirects::compile`] finds.
pub fn parse(text: &str) -> Result<RedirectsFile, Vec<LineError>> {
    let mut file = RedirectsFile::default();
    read_lines(text, |line, content| {
        let words = content.split_ascii_whitespace();
        let words: Vec<&str> = words.take_while(|word| !word.starts_with('#')).collect();
        match words.split_first() {
            Some((from, rest)) => file.add(line, from, rest),
            None => Ok(()),
        }
    })?;
    Ok(file)
}

impl RedirectsFile {
    /// Adds `FROM [NAME=VALUE...] TO [STATUS[!]] [CONDITION=VALUE...]`, of which `rest` is what follows `FROM`.
    fn add(&mut self, line: usize, from: &str, rest: &[&str]) -> Result<(), String> {
        let is_target = |word: &&str| word.starts_with('/') || word.contains("://");
        let is_query = |word: &&str| !is_target(word) && word.contains('=');
        let query: Vec<&str> = rest.iter().copied().take_while(is_query).collect();
        let mut rest = rest.iter().copied().skip(query.len()).peekable();
        // Netlify has `/admin/* 200! Role=admin`: the path itself, for some.
        let is_itself = rest.peek().is_some_and(|word| word.starts_with("200"));
        let to = if is_itself { Some(from) } else { rest.next() };
        let to = to.ok_or_else(|| {
            format!("{from:?} leads nowhere; write where, as in \"{from} /new 301\"")
        })?;
        let mut redirect = Redirect::new(from, to);
        let query = query.into_iter().filter_map(|word| word.split_once('='));
        redirect.query = query
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut reasons = Vec::new();
        for option in rest {
            if option.contains('=') {
                reasons.push(UnservedReason::of_condition(option).ok_or_else(|| {
                    format!("\"{option}\" is not a known condition; leave it out")
                })?);
            } else {
                set_status(&mut redirect, option)?;
            }
        }
        reasons.extend(UnservedReason::of(&redirect));
        let Some(reason) = reasons.into_iter().min() else {
            self.redirects.push((line, redirect));
            return Ok(());
        };
        self.unserved
            .push((line, UnservedRedirect { redirect, reason }));
        Ok(())
    }
}

fn set_status(redirect: &mut Redirect, option: &str) -> Result<(), String> {
    let (digits, force) = match option.strip_suffix('!') {
        Some(digits) => (digits, true),
        None => (option, false),
    };
    redirect.status = digits.parse().map_err(|_| {
        format!(
            "\"{option}\" is not a status; write 301, 302, 303, 307 or 308, and spaces in paths as \"%20\""
        )
    })?;
    redirect.force = force;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_redirect() {
        let text = "\u{feff}# old paths\n\n/old /archive/ 301\n/a\thttps://x.example/b?c=d   # moved\r\n/c /d 302!\n/e/* /f/:splat 308";
        let read = parse(text).unwrap().redirects;
        let shown: Vec<_> = read
            .iter()
            .map(|(line, redirect)| {
                format!(
                    "{line} {} {} {} {}",
                    redirect.from, redirect.to, redirect.status, redirect.force
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "3 /old /archive/ 301 false",
                "4 /a https://x.example/b?c=d 301 false",
                "5 /c /d 302 true",
                "6 /e/* /f/:splat 308 false",
            ]
        );
        assert_eq!(parse(""), Ok(RedirectsFile::default()));
    }

    #[test]
    fn a_function_answers_what_asks_for_more_than_a_path() {
        use UnservedReason::{Host, Query, Rewrite};
        for (line, reason, query) in [
            ("/* /index.html 200", Rewrite, [].as_slice()),
            ("/a /b 200!", Rewrite, &[]),
            (
                "/store id=:id tag=x /blog/:id 301",
                Query,
                &[("id", ":id"), ("tag", "x")],
            ),
            (
                "https://a.example/* https://b.example/:splat 301!",
                Host,
                &[],
            ),
        ] {
            let file = parse(line).expect(line);
            let [(1, redirect)] = file.redirects.as_slice() else {
                panic!("{line}: {file:?}");
            };
            assert_eq!(
                UnservedReason::without_function(redirect),
                Some(reason),
                "{line}"
            );
            let asked = redirect
                .query
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()));
            assert_eq!(asked.collect::<Vec<_>>(), query, "{line}");
            assert_eq!(
                super::super::redirects::Redirects::compile(vec![redirect.clone()]).err(),
                None,
                "{line}"
            );
        }
    }

    #[test]
    fn what_asks_for_more_than_a_path_is_remembered() {
        use UnservedReason::{ErrorPage, Proxy, Role, Visitor};
        for (line, reason) in [
            ("/api/* https://api.example.com/:splat 200", Proxy),
            ("/en/* /en/404.html 404", ErrorPage),
            ("/ /anz 302 Country=au,nz", Visitor),
            ("/ /de 302 Language=de Country=de", Visitor),
            ("/ /in 302 Cookie=is_in", Visitor),
            ("/admin/* /admin/:splat 200! Role=admin", Role),
            ("/admin/* 200! Role=admin", Role),
        ] {
            let file = parse(line).expect(line);
            assert!(file.redirects.is_empty(), "{line}");
            let [(1, unserved)] = file.unserved.as_slice() else {
                panic!("{line}: {file:?}");
            };
            assert_eq!(unserved.reason, reason, "{line}");
            assert_eq!(
                super::super::redirects::check_unserved(unserved),
                Ok(()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, told) in [
            ("/a", 1, "/new"),
            ("/a id=1", 1, "/new"),
            ("/a /b 302 Foo=bar", 1, "leave it out"),
            ("/a b /c", 1, "%20"),
            ("/a /b 99999999", 1, "not a status"),
        ] {
            let errors = parse(text).expect_err(text);
            let [error] = errors.as_slice() else {
                panic!("{text}: {errors:?}");
            };
            assert_eq!(error.line, line, "{text}: {error}");
            assert!(error.to_string().contains(told), "{text}: {error}");
        }
        assert_eq!(parse("/a\n/b\n").map_err(|errors| errors.len()), Err(2));
    }

    proptest::proptest! {
        #[test]
        fn no_file_is_too_odd(text in "(?s).{0,80}", lines in "([/a-z:*=!# 0-9.]{0,20}\n){0,4}") {
            for text in [text, lines] {
                if let Ok(file) = parse(&text) {
                    let _ = super::super::redirects::Redirects::compile(file.redirects.into_iter().map(|(_, redirect)| redirect).collect());
                }
            }
        }
    }
}
