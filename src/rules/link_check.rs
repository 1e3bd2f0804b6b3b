//! Judges the links of all pages of a site. A link is judged once for all pages that have it, or once a folder where it is relative.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use percent_encoding::percent_decode_str;

use super::link_report::{LinkProblem, LinkReport, ProblemSort};
use super::link_site::{LinkSite, PathFinding, split_port};
use super::links::{Reference, plain};
use super::page_facts::LinkSort;
use super::page_table::{PageTable, TabledPage, TextId};
use crate::object::{Key, Md5};

/// A page or style sheet of the build.
#[derive(Clone, Copy, Debug)]
pub struct CheckedPage<'a> {
    pub key: &'a Key,
    pub content: Md5,
    /// Whether it is a page, and no style sheet.
    pub page: bool,
}

/// Returns what is wrong with the links of these pages.
pub fn check_links(pages: &[CheckedPage], table: &PageTable, site: &LinkSite) -> LinkReport {
    let contents = pages.iter().map(|page| (page.key.as_str(), page.content));
    let mut checker = LinkChecker {
        site,
        table,
        contents: contents.collect(),
        judged: vec![None; table.texts()],
        told: HashMap::new(),
        report: LinkReport::default(),
    };
    for page in pages {
        if let Some(facts) = table.page(&page.content) {
            checker.page(page, facts);
        }
    }
    let mut report = checker.report;
    report.titles = titles(pages, table);
    let problems = &mut report.problems;
    problems.sort_by(|one, other| (one.sort, one.page()).cmp(&(other.sort, other.page())));
    report
}

/// Returns the titles that one page alone has.
fn titles(pages: &[CheckedPage], table: &PageTable) -> HashMap<Box<str>, Key> {
    let mut titles: HashMap<&str, Option<&Key>> = HashMap::new();
    for page in pages {
        let facts = table.page(&page.content);
        if let Some(title) = facts.and_then(|facts| table.title(facts)) {
            titles
                .entry(title)
                .and_modify(|page| *page = None)
                .or_insert(Some(page.key));
        }
    }
    let sole = titles.into_iter();
    sole.filter_map(|(title, page)| Some((title.into(), page?.clone())))
        .collect()
}

/// What is wrong with a link, whoever follows it.
#[derive(Debug)]
struct LinkFault {
    sort: ProblemSort,
    suggestion: Option<String>,
    /// Where nothing is: a path below the site's root.
    nothing: Option<String>,
    /// Whether another site is visited, of which is not known here whether it takes https:.
    elsewhere: bool,
}

impl LinkFault {
    fn new(sort: ProblemSort, suggestion: Option<String>) -> Self {
        Self {
            sort,
            suggestion,
            nothing: None,
            elsewhere: false,
        }
    }
}

/// A link's text as it was judged last: in which folder, if it depends on that, and what is wrong with it.
#[derive(Clone)]
struct JudgedLink {
    folder: Option<Rc<str>>,
    fault: Option<Rc<LinkFault>>,
}

struct LinkChecker<'a> {
    site: &'a LinkSite<'a>,
    table: &'a PageTable,
    /// The content of each page, by its key.
    contents: HashMap<&'a str, Md5>,
    /// By the number of the link's text. Pages of a folder mostly stand together.
    judged: Vec<Option<JudgedLink>>,
    /// The number of the problem that a link's text has.
    told: HashMap<(ProblemSort, TextId), usize>,
    report: LinkReport,
}

impl<'a> LinkChecker<'a> {
    fn page(&mut self, page: &CheckedPage, facts: &TabledPage) {
        self.report.pages += u64::from(page.page);
        let href = facts.base().map(|base| self.table.text(base));
        let base = self.site.base(page.key.as_str(), href);
        let folder = base.as_deref().and_then(|base| base.rsplit_once('/'));
        let folder: Option<Rc<str>> = folder.map(|(folder, _)| folder.into());
        for (sort, text) in facts.links.iter().copied() {
            if matches!(sort, LinkSort::Mention | LinkSort::Base) {
                continue;
            }
            self.report.links += 1;
            let plain = plain(self.table.text(text));
            let Some(reference) = Reference::read(&plain) else {
                continue;
            };
            let fault = if reference.stays() {
                if sort != LinkSort::Visit {
                    continue;
                }
                let fault = self.place(facts, base.as_deref(), reference.fragment);
                fault.map(Rc::new)
            } else {
                let folder = folder.clone().filter(|_| reference.is_relative());
                self.fault(base.as_deref(), folder, (text, reference))
            };
            if let Some(fault) = fault {
                self.tell(page, sort, (text, &fault));
            }
        }
    }

    /// Judges a link that leads to another page, unless that was just done.
    fn fault(
        &mut self,
        base: Option<&str>,
        folder: Option<Rc<str>>,
        (text, reference): (TextId, Reference),
    ) -> Option<Rc<LinkFault>> {
        let known = self.judged.get(text as usize).cloned().flatten();
        if let Some(known) = known.filter(|known| known.folder == folder) {
            return known.fault;
        }
        let fault = self.judge(base, reference).map(Rc::new);
        if let Some(known) = self.judged.get_mut(text as usize) {
            let fault = fault.clone();
            *known = Some(JudgedLink { folder, fault });
        }
        fault
    }

    fn judge(&self, base: Option<&str>, reference: Reference) -> Option<LinkFault> {
        let host = reference.host.unwrap_or_default();
        if reference.host.is_some() && (self.site.is_bucket)(host, reference.path) {
            return Some(LinkFault::new(ProblemSort::Bucket, None));
        }
        let target = self.site.target(base, &reference);
        let fault = target.and_then(|path| self.path(&path, reference.fragment));
        let is_open = reference.insecure && !is_private(host);
        fault.or_else(|| {
            is_open.then(|| LinkFault {
                elsewhere: !self.site.is_own(host),
                ..LinkFault::new(ProblemSort::Insecure, None)
            })
        })
    }

    /// Judges a link to a place of the page, or of what its `<base href>` names.
    fn place(
        &self,
        facts: &TabledPage,
        base: Option<&str>,
        fragment: Option<&str>,
    ) -> Option<LinkFault> {
        let fragment = fragment?;
        if facts.base().is_none() {
            return self.anchor(facts, fragment);
        }
        let base = base.filter(|_| !fragment.is_empty())?;
        self.path(base, Some(fragment))
    }

    fn path(&self, path: &str, fragment: Option<&str>) -> Option<LinkFault> {
        match self.site.find(path) {
            PathFinding::Unknown => None,
            PathFinding::Nothing {
                case: Some(case), ..
            } => Some(LinkFault::new(ProblemSort::Case, Some(case))),
            PathFinding::Nothing {
                path: nothing,
                suggestion,
                ..
            } => {
                // A name that holds a `#` has it encoded.
                let whole = fragment.map(|fragment| format!("{path}%23{fragment}"));
                let encoded =
                    whole.filter(|path| matches!(self.site.find(path), PathFinding::Key(_)));
                Some(LinkFault {
                    nothing: Some(nothing),
                    ..LinkFault::new(ProblemSort::Dead, encoded.or(suggestion))
                })
            }
            PathFinding::Key(key) => {
                let facts = self.table.page(self.contents.get(key)?)?;
                self.anchor(facts, fragment?)
            }
        }
    }

    /// Judges the place in a page that a fragment names (WHATWG HTML, "Scrolling to a fragment").
    fn anchor(&self, facts: &TabledPage, fragment: &str) -> Option<LinkFault> {
        // What browsers look for in the text is no anchor, and a path is for the router of an application.
        let (fragment, _) = fragment.split_once(":~:").unwrap_or((fragment, ""));
        let is_everywhere = fragment.is_empty()
            || fragment.eq_ignore_ascii_case("top")
            || fragment.starts_with(['/', '!']);
        if is_everywhere || self.site.routes || facts.scripted {
            return None;
        }
        let decoded = percent_decode_str(fragment).decode_utf8_lossy();
        // Of several lines of code scripts mark all.
        let is_line = |text: &str| text.trim_start_matches('L').parse::<u32>().is_ok();
        let lines = decoded.split_once('-');
        let lines = lines.filter(|(first, last)| is_line(first) && is_line(last));
        let first = lines.map_or(fragment, |(first, _)| first);
        let names = || facts.anchors.iter().map(|id| self.table.text(*id));
        if names().any(|name| name == fragment || name == decoded || name == first) {
            return None;
        }
        let same = names().find(|name| name.eq_ignore_ascii_case(&decoded));
        let suggestion = same.map(|name| format!("#{name}"));
        Some(LinkFault::new(ProblemSort::Anchor, suggestion))
    }

    fn tell(&mut self, page: &CheckedPage, sort: LinkSort, (text, fault): (TextId, &LinkFault)) {
        let visits = sort == LinkSort::Visit;
        let sort = match fault.sort {
            ProblemSort::Dead if !visits => ProblemSort::Missing,
            // Nobody is led to a place of what is loaded.
            ProblemSort::Anchor if !visits => return,
            sort => sort,
        };
        if let Some(nothing) = &fault.nothing {
            add(
                self.report.dead.entry(nothing.clone()).or_default(),
                page.key,
            );
        }
        let problems = &mut self.report.problems;
        let number = *self.told.entry((sort, text)).or_insert(problems.len());
        if let Some(known) = problems.get_mut(number) {
            add(&mut known.pages, page.key);
            return;
        }
        problems.push(LinkProblem {
            sort,
            to: self.table.text(text).to_owned(),
            suggestion: fault.suggestion.clone(),
            refused: !(visits && fault.elsewhere),
            pages: vec![page.key.clone()],
        });
    }
}

/// Adds a page to those that have a link; they come one after the other.
fn add(pages: &mut Vec<Key>, page: &Key) {
    if pages.last() != Some(page) {
        pages.push(page.clone());
    }
}

/// Returns whether a host is this machine, or one of a network that is not public: nobody has certificates for those (RFC 1918,
/// RFC 6761, RFC 6762).
fn is_private(host: &str) -> bool {
    let (name, _) = split_port(host);
    let name = name.trim_matches(['[', ']']).to_ascii_lowercase();
    let by_number = match name.parse() {
        Ok(IpAddr::V4(ip)) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        Ok(IpAddr::V6(ip)) => ip.is_loopback(),
        Err(_) => false,
    };
    let (_, last) = name.rsplit_once('.').unwrap_or(("", &name));
    by_number
        || !name.contains('.') && !name.contains(':')
        || matches!(
            last,
            "localhost" | "local" | "internal" | "test" | "invalid" | "onion"
        )
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;
    use std::collections::{BTreeSet, HashSet};

    use super::*;
    use crate::rules::page_reader::read_page;
    use crate::rules::page_table::PageTableBuilder;
    use ProblemSort::{Anchor, Bucket, Case, Dead, Insecure, Missing};

    const KEYS: [&str; 10] = [
        "index.html",
        "about.html",
        "posts/a/index.html",
        "posts/C#/index.html",
        "café.html",
        "100%.html",
        "style.css",
        "Logo.png",
        "app",
        "page.html",
    ];

    /// Returns what is told of the links of one page, which has the places `here` and `Ort`. Without `mount` it is not known.
    fn told(mount: &str, key: &str, html: &str) -> Vec<(ProblemSort, String, bool)> {
        let mut builder = PageTableBuilder::default();
        let html = format!("<p id=here><a name=Ort><i id=7>{html}");
        builder.add(Md5([1; 16]), &read_page(html.as_bytes()));
        builder.add(
            Md5([2; 16]),
            &read_page(b"<script>build()</script><div id=app>"),
        );
        let own = Key::new(key);
        let scripted = Key::new("app");
        let page = |key, content| CheckedPage {
            key,
            content: Md5([content; 16]),
            page: true,
        };
        let site = LinkSite {
            mount: Some(mount.to_owned()).filter(|mount| !mount.is_empty()),
            hosts: BTreeSet::from(["www.example.com".to_owned()]),
            keys: HashSet::from(KEYS),
            index: "index.html",
            may_answer: &|path| path.starts_with("/api/"),
            is_bucket: &|host, _| host == "b.s3.amazonaws.com",
            routes: false,
            forms: OnceCell::new(),
        };
        let pages = [page(&own, 1), page(&scripted, 2)];
        let report = check_links(&pages, &builder.finish(), &site);
        let problems = report.problems.into_iter();
        let text = |problem: LinkProblem| {
            let right = problem
                .suggestion
                .map(|right| format!("{} -> {right}", problem.to));
            (problem.sort, right.unwrap_or(problem.to), problem.refused)
        };
        problems.map(text).collect()
    }

    #[test]
    fn a_link_that_leads_somewhere_is_not_told() {
        for html in [
            "<a href=/><a href=''><a href=about><a href=/about.html><a href=about?x=y#>",
            "<a href=/posts/a><a href=/posts/a/><a href=posts/a/index.html><a href=posts/C%23/>",
            "<a href=/caf%C3%A9.html><a href=café><a href=/100%25.html>",
            "<a href=#here><a href=#Ort><a href=#top><a href='#TOP'><a href=#:~:text=x><a href='#here:~:text=y'>",
            "<a href=page.html#here><a href=/page#%68ere><a href=/app#unknown><a href='/page#/route'><a href='#!x'>",
            "<a href='?x=y'><a href='?x#here'><base href=page><a href='#here'>",
            "<a href='#7-12'><a href='#next' onclick='next()'><a href=posts/%2e%2E/about>",
            "<a href=mailto:a@b><a href=tel:1><a href='javascript:void(0)'><a href=data:,x><a href=whatever:x>",
            "<a href=https://other.example/x><a href=//other.example/x>",
            "<a href=https://www.example.com/about><a href=https://WWW.example.com>",
            "<a href=http://localhost:3000><a href=http://127.0.0.1/><a href=http://192.168.1.1><a href=http://nas.local/x>",
            "<a href=/api/x><form action=/post method=post><link rel=canonical href=/gone><link rel=preconnect href=/x>",
            "<!-- <a href=/gone> --><template><a href='{{ url }}'></template><script>'<a href=/gone>'</script>",
            "<link rel=stylesheet href=/style.css><img src=Logo.png srcset='/Logo.png 1x, Logo.png 2x'>",
            "<svg><title>x</title><use href='#shape'/><a href=/about></svg>",
        ] {
            assert_eq!(told("/", "page.html", html), [], "{html}");
        }
    }

    #[test]
    fn a_link_that_leads_nowhere_is_told_with_its_reason() {
        for (html, sort, text, refused) in [
            ("<a href=/gone>", Dead, "/gone", true),
            ("<a href=/gone><a href=/gone>", Dead, "/gone", true),
            ("<noscript><a href=/gone></noscript>", Dead, "/gone", true),
            ("<area href=../gone.html>", Dead, "../gone.html", true),
            ("<a href=about/>", Dead, "about/ -> /about", true),
            (
                "<a href=/posts/C#/>",
                Dead,
                "/posts/C#/ -> /posts/C%23/",
                true,
            ),
            (
                "<a href=//www.example.com/gone>",
                Dead,
                "//www.example.com/gone",
                true,
            ),
            ("<form action=/search>", Dead, "/search", true),
            (
                "<meta http-equiv=refresh content='0; URL=/gone'>",
                Dead,
                "/gone",
                true,
            ),
            (
                "<link rel=alternate type=application/rss+xml href=/feed.xml>",
                Dead,
                "/feed.xml",
                true,
            ),
            ("<base href=/posts/><a href=about>", Dead, "about", true),
            ("<script src=/a.js></script>", Missing, "/a.js", true),
            (
                "<link rel=icon href=/favicon.ico>",
                Missing,
                "/favicon.ico",
                true,
            ),
            (
                "<img srcset='/a.png 1x,/Logo.png 2x'>",
                Missing,
                "/a.png",
                true,
            ),
            ("<p style='background: url(x.png)'>", Missing, "x.png", true),
            (
                "<iframe src=/frame.html></iframe>",
                Missing,
                "/frame.html",
                true,
            ),
            ("<a href=/About>", Case, "/About -> /about", true),
            ("<img src=logo.png>", Case, "logo.png -> /Logo.png", true),
            ("<a href=#gone>", Anchor, "#gone", true),
            ("<a href=#8-12>", Anchor, "#8-12", true),
            ("<a href=/page#ORT>", Anchor, "/page#ORT -> #Ort", true),
            (
                "<img src=https://b.s3.amazonaws.com/x>",
                Bucket,
                "https://b.s3.amazonaws.com/x",
                true,
            ),
            (
                "<img src=http://cdn.example/x>",
                Insecure,
                "http://cdn.example/x",
                true,
            ),
            (
                "<a href=http://www.example.com/about>",
                Insecure,
                "http://www.example.com/about",
                true,
            ),
            (
                "<a href=http://other.example/>",
                Insecure,
                "http://other.example/",
                false,
            ),
        ] {
            let expected = vec![(sort, text.to_owned(), refused)];
            assert_eq!(told("/", "page.html", html), expected, "{html}");
        }
    }

    #[test]
    fn a_site_may_lie_in_a_folder() {
        for (key, html, expected) in [
            (
                "page.html",
                "<a href=/docs/about><a href=/docs><a href=/><a href=/other/>",
                None,
            ),
            ("page.html", "<a href=/docs/gone>", Some("/docs/gone")),
            ("posts/a/index.html", "<a href=../../about>", None),
            ("posts/a/index.html", "<a href=../about>", Some("../about")),
            ("100%.html", "<a href=about>", None),
        ] {
            let told: Vec<String> = told("/docs/", key, html)
                .into_iter()
                .map(|told| told.1)
                .collect();
            assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{html}");
        }
    }

    #[test]
    fn where_the_folder_is_not_known_relative_links_alone_are_judged() {
        for (html, count) in [
            ("<a href=gone>", 1),
            ("<a href=/gone>", 0),
            ("<base href=/docs/><a href=gone>", 0),
            ("<base href=docs/><a href=gone>", 1),
        ] {
            assert_eq!(told("", "page.html", html).len(), count, "{html}");
        }
    }
}
