//! `unstale redirects`, and the redirects that deploys write.

use serde_json::json;

use super::changes::more;
use super::printer::Printer;
use super::text::{count, counted, shown};
use crate::rules::edge_function::{MAX_FUNCTION_BYTES, RUNTIME};
use crate::rules::redirect::{NotAnObject, Redirect};
use crate::settings::WrittenRedirects;

/// Written lines that are shown where not all are asked for.
const MAX_SHOWN: usize = 10;

/// A redirect, and where it works.
#[derive(Debug)]
pub struct ListedRedirect {
    pub redirect: Redirect,
    /// File and line.
    pub place: String,
    /// The key by which a website endpoint answers it.
    pub key: Result<String, NotAnObject>,
}

/// The CloudFront Function that answers redirects.
#[derive(Debug)]
pub struct RedirectFunction {
    pub code: String,
    pub redirects: usize,
    /// Whether folders find their index.html by it.
    pub index: bool,
}

impl Printer {
    pub fn redirects(&self, redirects: &[ListedRedirect]) {
        if redirects.is_empty() {
            let text = "There are no redirects, neither [[redirects]] in deploy.toml nor _redirects in the build.";
            return self.line(&self.wrapped(text, "", ""));
        }
        for ListedRedirect {
            redirect,
            place,
            key,
        } in redirects
        {
            let works = match key {
                Ok(key) => format!("website endpoint (as {key}), function"),
                Err(why) => format!("function alone: {why}"),
            };
            let Redirect {
                from,
                to,
                status,
                force,
                query,
            } = redirect;
            self.result(
                &format!("{from} -> {to}  {status}  ({place})\n  {works}"),
                &json!({
                    "type": "redirect", "from": from, "to": to, "status": status, "force": force, "query": query,
                    "place": place, "website-endpoint": key.is_ok(), "function": true,
                }),
            );
        }
        self.note(
            "A website endpoint as the origin answers the exact ones itself: deploy stores them. Before a REST origin (OAC) a \
             function answers all of them: `redirect-function` in deploy.toml has deploys write it, `unstale redirects --function` \
             prints it.",
        );
    }

    pub fn redirect_function(&self, function: &RedirectFunction) {
        let (code, redirects) = (&function.code, function.redirects);
        self.line(code.trim_end());
        let folders = if function.index {
            ", and folders find their index.html"
        } else {
            ""
        };
        self.note(&format!(
            "Make it a CloudFront Function ({RUNTIME}) and associate it with the behavior's viewer requests, where it takes the \
             place of another; with `redirect-function = \"NAME\"` in deploy.toml, deploys do. {} of {} bytes, {}{folders}.",
            count(code.len() as u64),
            count(MAX_FUNCTION_BYTES as u64),
            counted(redirects as u64, "redirect"),
        ));
        self.object(&json!({
            "type": "function", "runtime": RUNTIME, "event": "viewer-request", "redirects": redirects, "code": code,
        }));
    }

    /// Tells which redirects were written, and where.
    pub(crate) fn wrote_redirects(&self, written: &WrittenRedirects) {
        for (redirect, why) in &written.refused {
            let Redirect { from, to, .. } = redirect;
            self.warn(&format!(
                "no redirect from {from} to {to} was written: {why}"
            ));
        }
        if written.redirects.is_empty() {
            return;
        }
        let lines = written.redirects.iter();
        let lines: Vec<String> = lines
            .map(|it| format!("{} {} {}", it.from, it.to, it.status))
            .collect();
        let files = written.files.iter().map(|path| path.display().to_string());
        let files: Vec<String> = files.collect();
        let number = counted(lines.len() as u64, "redirect");
        self.note(&format!(
            "Wrote {number} to {}:",
            shown(&files.join(" and to "))
        ));
        let most = self.options.out.most(MAX_SHOWN);
        let some = lines.iter().take(most);
        some.for_each(|line| self.note(&shown(line)));
        let rest = more(lines.len().saturating_sub(most), self.options.err);
        rest.iter().for_each(|rest| self.note(rest));
        self.object(&json!({"type": "redirects-written", "files": files, "lines": lines}));
        if let Some(generator) = written.lost_with {
            self.warn(&format!(
                "the next build by {generator} will not have {}: copy the lines to where {generator} takes it from, or write them as \
                 [[redirects]] in deploy.toml",
                files.join(" and ")
            ));
        }
    }
}
