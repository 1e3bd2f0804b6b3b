//! The page as a whole.

use base64_simd::STANDARD;
use sha2::{Digest, Sha256};

use super::changes::ChangeTree;
use super::html::{escaped, section};
use super::subject::PageSubject;
use super::{overview, purges, remarks, sizes};
use crate::report::lost;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Writes the page.
pub fn page(subject: &PageSubject<'_>) -> String {
    let mut sections = overview::sections(subject);
    let mut data = "null".to_owned();
    let line = subject.deploy.as_ref().map(|deploy| deploy.line.html());
    let line = section("timeline", "When it happened", &line.unwrap_or_default());
    if let Some(plan) = subject.plan {
        let tree = ChangeTree::of(plan);
        let titled = purges::titled(plan, subject.context);
        let table = if tree.is_empty() {
            String::new()
        } else {
            format!("<div id=\"tree\">\n{}</div>\n", tree.table())
        };
        let price = overview::price(plan, subject.context);
        let parts = [
            section("lost", &lost::title(&plan.lost), &remarks::lost(plan)),
            section("budget", "Budget", &remarks::budget(plan)),
            section("changes", "What changes, and why", &table),
            section("purge", "The purge", &purges::html(&titled)),
            section(
                "sizes",
                "Sizes and price",
                &format!("{}{price}", sizes::html(plan)),
            ),
            line,
            section(
                "links",
                "Links that do not do what they seem to",
                &remarks::links(plan),
            ),
        ];
        sections.push_str(&parts.concat());
        data = format!(
            "{{\"changes\":{},\"purges\":{}}}",
            tree.json(),
            purges::json(&titled)
        );
    } else {
        sections.push_str(&line);
    }
    let title = escaped(&overview::title(subject));
    let head = overview::head(subject);
    let (style, script) = (integrity(STYLE), integrity(SCRIPT));
    filled(&[
        ("title", &title),
        ("style-hash", &style),
        ("script-hash", &script),
        ("style", STYLE),
        ("head", &head),
        ("sections", &sections),
        ("version", env!("CARGO_PKG_VERSION")),
        ("data", &data),
        ("script", SCRIPT),
    ])
}

/// Returns the name under which a Content-Security-Policy admits an inline style or script (CSP Level 3, "hash-source").
fn integrity(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode_to_string(Sha256::digest(text)))
}

/// Fills the template's `{{name}}`. What is filled in is not looked at again.
fn filled(parts: &[(&str, &str)]) -> String {
    let mut pieces = PAGE.split("{{");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or((piece, ""));
        let part = parts.iter().find(|(other, _)| *other == name);
        text.push_str(part.map_or("", |(_, part)| part));
        text.push_str(rest);
    }
    text
}
