//! What the function that this tool writes does to the URI, by the tables in its code.

use super::distribution::UriRewrite;
use super::form::{UriForm, index_forms};
use crate::rules::edge_function::EdgeFunction;
use crate::rules::redirect::Redirect;

/// Returns what these forms come to.
pub(super) fn of_forms(forms: Vec<UriForm>) -> UriRewrite {
    if forms.is_empty() {
        UriRewrite::None
    } else if forms.iter().all(|form| index_forms().contains(form)) {
        UriRewrite::IndexDirectory
    } else {
        UriRewrite::Forms(forms)
    }
}

/// Tells what a function does to the URI that this tool wrote.
pub(super) fn written(function: &EdgeFunction) -> UriRewrite {
    let shown = function
        .redirects
        .iter()
        .filter(|redirect| redirect.status == 200);
    let index = function.rewrite.index.as_deref();
    let mut forms: Vec<UriForm> = shown
        .flat_map(|redirect| shown_forms(redirect, index))
        .collect();
    if let Some(index) = index {
        forms.push(UriForm::ending("", index));
        if function.rewrite.bare_folders {
            forms.push(UriForm::ending("", &format!("/{index}")));
        }
    }
    forms.dedup();
    of_forms(forms)
}

/// Returns the forms of a redirect that shows a page under other URLs.
fn shown_forms(redirect: &Redirect, index: Option<&str>) -> Vec<UriForm> {
    let to = redirect.to.as_str();
    let ends = ["", index.unwrap_or_default()];
    let splat = (redirect.path().strip_suffix('*')).zip(to.strip_suffix(":splat"));
    match splat {
        Some((before, head)) if !before.contains(':') && !head.contains(':') => {
            let form = |end: &str| UriForm::Edit {
                taken: (before.to_owned(), String::new()),
                put: (head.to_owned(), end.to_owned()),
            };
            ends.into_iter().map(form).collect()
        }
        _ if to.contains(':') => vec![UriForm::Any],
        _ if to.ends_with('/') => ends
            .into_iter()
            .map(|end| UriForm::Literal(format!("{to}{end}")))
            .collect(),
        _ => vec![UriForm::Literal(to.to_owned())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_that_we_write_is_understood() {
        use crate::rules::edge_function::PathRewrite;
        let redirect = |from: &str, to: &str, status| Redirect {
            status,
            ..Redirect::new(from, to)
        };
        let ends = |put: &str| UriForm::ending("", put);
        let moved = |end: &str| UriForm::Edit {
            taken: ("/news/".to_owned(), String::new()),
            put: ("/blog/".to_owned(), end.to_owned()),
        };
        let index = Some("index.html".to_owned());
        for (redirect, index, right) in [
            (
                redirect("/é/:b/*", "https://x.example/:b/:splat", 302),
                index.clone(),
                UriRewrite::IndexDirectory,
            ),
            (redirect("/a", "/b", 301), None, UriRewrite::None),
            (
                redirect("/*", "/index.html", 200),
                index.clone(),
                UriRewrite::Forms(vec![
                    UriForm::Literal("/index.html".into()),
                    ends("index.html"),
                    ends("/index.html"),
                ]),
            ),
            (
                redirect("/news/*", "/blog/:splat", 200),
                index,
                UriRewrite::Forms(vec![
                    moved(""),
                    moved("index.html"),
                    ends("index.html"),
                    ends("/index.html"),
                ]),
            ),
            (
                redirect("/:a/b", "/:a.html", 200),
                None,
                UriRewrite::Forms(vec![UriForm::Any]),
            ),
        ] {
            let function = EdgeFunction {
                redirects: vec![redirect],
                rewrite: PathRewrite {
                    bare_folders: index.is_some(),
                    index,
                    endings: vec![".html".into()],
                    kept: vec!["/404.html".into()],
                },
                site: "s3://b/".into(),
                ..EdgeFunction::default()
            };
            let read = EdgeFunction::read(&function.code().unwrap());
            assert_eq!(read.map(|function| written(&function)), Some(right));
        }
    }
}
