//! The `_redirects` file of Netlify and Cloudflare Pages, read into redirects.
//!
//! A line without a status is a 301, as Netlify has it; Cloudflare Pages would answer 302.

use super::headers_file::LineError;
use super::redirect::Redirect;

/// Reads the redirects with their lines. All that is wrong with the lines themselves is told at once; what is wrong
/// among them, [`super::redirects::Redirects::compile`] finds.
pub fn parse(text: &str) -> Result<Vec<(usize, Redirect)>, Vec<LineError>> {
    let mut redirects = Vec::new();
    let mut errors = Vec::new();
    for (line, content) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let words: Vec<&str> = content
            .split_ascii_whitespace()
            .take_while(|word| !word.starts_with('#'))
            .collect();
        let Some((from, rest)) = words.split_first() else {
            continue;
        };
        match redirect(from, rest) {
            Ok(redirect) => redirects.push((line, redirect)),
            Err(problem) => errors.push(LineError { line, problem }),
        }
    }
    if errors.is_empty() {
        Ok(redirects)
    } else {
        Err(errors)
    }
}

/// Reads `FROM [NAME=VALUE...] TO [STATUS[!]] [CONDITION=VALUE...]`, of which `rest` is what follows `FROM`.
fn redirect(from: &str, rest: &[&str]) -> Result<Redirect, String> {
    let is_target = |word: &str| word.starts_with('/') || word.contains("://");
    if let Some(parameter) = rest.first()
        && !is_target(parameter)
        && parameter.contains('=')
    {
        return Err(format!(
            "\"{parameter}\" asks for a query parameter, which no key has; leave it out"
        ));
    }
    let Some((to, options)) = rest.split_first() else {
        return Err(format!(
            "{from:?} leads nowhere; write where, as in \"{from} /new 301\""
        ));
    };
    let mut redirect = Redirect {
        from: from.to_owned(),
        to: (*to).to_owned(),
        status: 301,
        force: false,
    };
    for option in options {
        set(&mut redirect, option)?;
    }
    match redirect.status {
        200 => Err(rewrite_problem(&redirect)),
        404 | 410 => Err(format!(
            "{} is no redirect; let the distribution's custom error response answer with {:?}, and leave the line out",
            redirect.status, redirect.to
        )),
        301 | 302 | 303 | 307 | 308 => Ok(redirect),
        status => Err(format!(
            "{status} is no redirect; write 301 or 308 for good, 302 or 307 for now"
        )),
    }
}

fn set(redirect: &mut Redirect, option: &str) -> Result<(), String> {
    if let Some((name, _)) = option.split_once('=') {
        return Err(match name.to_ascii_lowercase().as_str() {
            "country" | "language" | "role" | "cookie" => format!(
                "\"{option}\" depends on who asks, which S3 and the written function do not know; write one redirect for all, \
                 or a CloudFront Function of your own"
            ),
            _ => format!("\"{option}\" is no condition that is known; leave it out"),
        });
    }
    let (digits, force) = match option.strip_suffix('!') {
        Some(digits) => (digits, true),
        None => (option, false),
    };
    match digits.parse() {
        Ok(status) => {
            redirect.status = status;
            redirect.force = force;
            Ok(())
        }
        Err(_) => Err(format!(
            "\"{option}\" is no status; write 301, 302, 303, 307 or 308, and spaces in paths as \"%20\""
        )),
    }
}

fn rewrite_problem(redirect: &Redirect) -> String {
    if redirect.from != "/*" {
        return "200 would serve one page under another URL, which S3 cannot do; store the page under that key as well, or write \
                301"
            .to_owned();
    }
    format!(
        "a single-page app's 200 is the distribution's work: let its custom error responses answer 403 and 404 with {:?} and \
         status 200, and leave the line out",
        redirect.to
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_redirect() {
        let text = "\u{feff}# old paths\n\n/old /archive/ 301\n/a\thttps://x.example/b?c=d   # moved\r\n/c /d 302!\n/e/* /f/:splat 308";
        let read = parse(text).unwrap();
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
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, told) in [
            ("/a", 1, "/new"),
            ("\n/a id=:id /b/:id", 2, "query parameter"),
            ("/a id=1", 1, "query parameter"),
            ("/* /index.html 200", 1, "custom error responses"),
            ("/a /b 200", 1, "cannot"),
            ("/en/* /en/404.html 404", 1, "custom error response"),
            ("/ /anz 302 Country=au,nz", 1, "who asks"),
            ("/ /de 302 Language=de", 1, "who asks"),
            ("/a /b 302 Foo=bar", 1, "leave it out"),
            ("/a b /c", 1, "%20"),
            ("/a /b 999", 1, "301 or 308"),
            ("/a /b 99999999", 1, "no status"),
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
                if let Ok(read) = parse(&text) {
                    let _ = super::super::redirects::Redirects::compile(read.into_iter().map(|(_, redirect)| redirect).collect());
                }
            }
        }
    }
}
