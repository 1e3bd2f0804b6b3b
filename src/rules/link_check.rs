//! Judges the links of all pages of a site. A link is judged once for all pages that have it, or once a folder where it is relative.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use super::link_report::{LinkProblem, LinkReport, ProblemSort};
use super::link_site::{LinkSite, PathFinding, split_port};
use super::links::{Reference, joined, plain};
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
        ids: HashMap::new(),
        reaches: vec![None; table.texts()],
        fates: vec![LinkFate::Fine],
        relative: vec![(usize::MAX, 0); table.texts()],
        folders: HashMap::new(),
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
    for fate in checker.fates {
        if let LinkFate::Nothing { path, pages, .. } = fate {
            report.dead.entry(path).or_default().extend(pages);
        }
    }
    let problems = &mut report.problems;
    problems.sort_by(|one, other| (one.sort, one.page()).cmp(&(other.sort, other.page())));
    report
}

/// Returns the titles that one page alone has.
fn titles(pages: &[CheckedPage], table: &PageTable) -> HashMap<Box<str>, Key> {
    let mut titles: HashMap<&str, Option<&Key>> = HashMap::new();
    for page in pages {
        if let Some(title) = table.page(&page.content).and_then(|facts| facts.title) {
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

/// What a link's text alone tells of where it leads.
#[derive(Clone, Copy)]
enum LinkReach {
    /// A place in the page that it stands in.
    Page,
    /// It depends on the page's folder.
    Folder,
    /// The same from wherever: the fate of this number.
    Anywhere(usize),
}

/// What becomes of somebody who follows a link.
#[derive(Clone, Debug)]
enum LinkFate {
    Fine,
    /// Nothing is there: a path below the site's root.
    Nothing {
        path: String,
        suggestion: Option<String>,
        /// Which link there.
        pages: Vec<Key>,
    },
    Case(String),
    /// The place in the page is not there.
    NoAnchor(Option<String>),
    Bucket,
    Insecure {
        /// Whether it leads to the site itself.
        own: bool,
    },
}

struct LinkChecker<'a> {
    site: &'a LinkSite<'a>,
    table: &'a PageTable,
    /// The content of each page, by its key.
    contents: HashMap<&'a str, Md5>,
    /// The number of each text, where that is asked for.
    ids: HashMap<&'a str, TextId>,
    /// By the number of the link's text.
    reaches: Vec<Option<LinkReach>>,
    fates: Vec<LinkFate>,
    /// By the number of the text, the folder that it was last judged in and its fate there: pages of a folder mostly stand together.
    relative: Vec<(usize, usize)>,
    folders: HashMap<String, usize>,
    /// The number of the problem that a link's text has.
    told: HashMap<(ProblemSort, TextId), usize>,
    report: LinkReport,
}

impl<'a> LinkChecker<'a> {
    fn page(&mut self, page: &CheckedPage, facts: TabledPage<'a>) {
        self.report.pages += u64::from(page.page);
        let href = facts.base().map(|base| self.table.text(base));
        let base = self.site.base(page.key.as_str(), href);
        let folder = base.as_deref().and_then(|base| base.rsplit_once('/'));
        let folder = folder.map(|(folder, _)| {
            let new = self.folders.len();
            *self.folders.entry(folder.to_owned()).or_insert(new)
        });
        for (sort, text) in facts.links() {
            if matches!(sort, LinkSort::Mention | LinkSort::Base) {
                continue;
            }
            self.report.links += 1;
            let fate = match (self.reach(text), base.as_deref(), folder) {
                (LinkReach::Anywhere(fate), ..) => fate,
                (LinkReach::Page, ..) if sort != LinkSort::Visit => 0,
                (LinkReach::Page, base, _) => {
                    let fate = self.place(facts, base, text);
                    self.keep(fate)
                }
                (LinkReach::Folder, Some(base), Some(folder)) => {
                    self.in_folder(base, (folder, text))
                }
                // Another host's.
                (LinkReach::Folder, ..) => 0,
            };
            if fate > 0 {
                self.tell(page, sort, (text, fate));
            }
        }
    }

    fn reach(&mut self, text: TextId) -> LinkReach {
        let index = text as usize;
        if let Some(reach) = self.reaches.get(index).copied().flatten() {
            return reach;
        }
        let reach = match Reference::read(&plain(self.table.text(text))) {
            Reference::Path { path: "", .. } => LinkReach::Page,
            Reference::Path { path, fragment } if path.starts_with('/') => {
                let fate = match self.site.mount {
                    Some(_) => self.path(&joined("/", path), fragment),
                    None => LinkFate::Fine,
                };
                LinkReach::Anywhere(self.keep(fate))
            }
            Reference::Path { .. } => LinkReach::Folder,
            Reference::Host { .. } => {
                let fate = self.elsewhere(text);
                LinkReach::Anywhere(self.keep(fate))
            }
            Reference::Other => LinkReach::Anywhere(0),
        };
        if let Some(known) = self.reaches.get_mut(index) {
            *known = Some(reach);
        }
        reach
    }

    /// Judges a link to a place of the page, or of what its `<base href>` names.
    fn place(&mut self, facts: TabledPage<'a>, base: Option<&str>, text: TextId) -> LinkFate {
        let text = plain(self.table.text(text));
        let Reference::Path {
            fragment: Some(fragment),
            ..
        } = Reference::read(&text)
        else {
            return LinkFate::Fine;
        };
        match base {
            _ if facts.base().is_none() => self.anchor(facts, fragment),
            Some(base) if !fragment.is_empty() => self.path(base, Some(fragment)),
            _ => LinkFate::Fine,
        }
    }

    fn in_folder(&mut self, base: &str, (folder, text): (usize, TextId)) -> usize {
        match self.relative.get(text as usize) {
            Some((known, fate)) if *known == folder => return *fate,
            _ => {}
        }
        let fate = match Reference::read(&plain(self.table.text(text))) {
            Reference::Path { path, fragment } => self.path(&joined(base, path), fragment),
            _ => LinkFate::Fine,
        };
        let fate = self.keep(fate);
        if let Some(known) = self.relative.get_mut(text as usize) {
            *known = (folder, fate);
        }
        fate
    }

    /// Judges a link that names a host.
    fn elsewhere(&mut self, text: TextId) -> LinkFate {
        let text = plain(self.table.text(text));
        let Reference::Host {
            insecure,
            host,
            path,
            fragment,
        } = Reference::read(&text)
        else {
            return LinkFate::Fine;
        };
        if (self.site.is_bucket)(host, path) {
            return LinkFate::Bucket;
        }
        let own = self.site.is_own(host);
        let fate = match own && self.site.mount.is_some() {
            true => self.path(&joined("/", path), fragment),
            false => LinkFate::Fine,
        };
        match fate {
            LinkFate::Fine if insecure && !is_private(host) => LinkFate::Insecure { own },
            fate => fate,
        }
    }

    fn path(&mut self, path: &str, fragment: Option<&str>) -> LinkFate {
        match self.site.find(path) {
            PathFinding::Unknown => LinkFate::Fine,
            PathFinding::Nothing {
                case: Some(case), ..
            } => LinkFate::Case(case),
            PathFinding::Nothing {
                path: nothing,
                suggestion,
                ..
            } => {
                // A name that holds a `#` has it encoded.
                let whole = fragment.map(|fragment| format!("{path}%23{fragment}"));
                let encoded =
                    whole.filter(|path| matches!(self.site.find(path), PathFinding::Key(_)));
                LinkFate::Nothing {
                    path: nothing,
                    suggestion: encoded.or(suggestion),
                    pages: Vec::new(),
                }
            }
            PathFinding::Key(key) => fragment
                .and_then(|fragment| {
                    let facts = self.table.page(self.contents.get(key)?)?;
                    Some(self.anchor(facts, fragment))
                })
                .unwrap_or(LinkFate::Fine),
        }
    }

    /// Judges the place in a page that a fragment names (WHATWG HTML, "Scrolling to a fragment").
    fn anchor(&mut self, facts: TabledPage, fragment: &str) -> LinkFate {
        // What browsers look for in the text is no anchor, and a path is for the router of an application.
        let (fragment, _) = fragment.split_once(":~:").unwrap_or((fragment, ""));
        let is_everywhere = fragment.is_empty()
            || fragment.eq_ignore_ascii_case("top")
            || fragment.starts_with(['/', '!']);
        if is_everywhere || self.site.routes || facts.scripted {
            return LinkFate::Fine;
        }
        let decoded = percent_decode_str(fragment).decode_utf8_lossy();
        let mut is_there = |name: &str| {
            let id = self.ids().get(name).copied();
            id.is_some_and(|id| facts.anchors.contains(&id))
        };
        // Of several lines of code scripts mark all.
        let is_line = |text: &str| text.trim_start_matches('L').parse::<u32>().is_ok();
        let lines = decoded.split_once('-');
        let lines = lines.filter(|(first, last)| is_line(first) && is_line(last));
        if is_there(fragment)
            || is_there(&decoded)
            || lines.is_some_and(|(first, _)| is_there(first))
        {
            return LinkFate::Fine;
        }
        let anchors = facts.anchors.iter().map(|id| self.table.text(*id));
        let mut same = anchors.filter(|name| name.eq_ignore_ascii_case(&decoded));
        let suggestion = same.next().map(|name| format!("#{name}"));
        LinkFate::NoAnchor(suggestion)
    }

    /// Returns the number of each text of the table.
    fn ids(&mut self) -> &HashMap<&'a str, TextId> {
        if self.ids.is_empty() {
            let ids = 0..self.table.texts() as TextId;
            self.ids = ids.map(|id| (self.table.text(id), id)).collect();
        }
        &self.ids
    }

    fn keep(&mut self, fate: LinkFate) -> usize {
        if let LinkFate::Fine = fate {
            return 0;
        }
        self.fates.push(fate);
        self.fates.len() - 1
    }

    fn tell(&mut self, page: &CheckedPage, sort: LinkSort, (text, fate): (TextId, usize)) {
        let visits = sort == LinkSort::Visit;
        let (problem, suggestion, refused) = match self.fates.get_mut(fate) {
            None | Some(LinkFate::Fine) => return,
            Some(LinkFate::Nothing {
                suggestion, pages, ..
            }) => {
                add(pages, page.key);
                let problem = if visits {
                    ProblemSort::Dead
                } else {
                    ProblemSort::Missing
                };
                (problem, suggestion.as_ref(), true)
            }
            Some(LinkFate::Case(right)) => (ProblemSort::Case, Some(&*right), true),
            Some(LinkFate::NoAnchor(_)) if !visits => return,
            Some(LinkFate::NoAnchor(right)) => (ProblemSort::Anchor, right.as_ref(), true),
            Some(LinkFate::Bucket) => (ProblemSort::Bucket, None, true),
            // Whether the other site takes https: is not known here.
            Some(LinkFate::Insecure { own }) => (ProblemSort::Insecure, None, *own || !visits),
        };
        let problems = &mut self.report.problems;
        let number = *self.told.entry((problem, text)).or_insert(problems.len());
        if let Some(known) = problems.get_mut(number) {
            add(&mut known.pages, page.key);
        } else {
            problems.push(LinkProblem {
                sort: problem,
                to: self.table.text(text).to_owned(),
                suggestion: suggestion.cloned(),
                refused,
                pages: vec![page.key.clone()],
            });
        }
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
    let numbers: Vec<Option<u8>> = name.split('.').map(|part| part.parse().ok()).collect();
    let by_number = match numbers.as_slice() {
        [Some(127 | 10 | 0), Some(_), Some(_), Some(_)] => true,
        [Some(192), Some(168), Some(_), Some(_)] => true,
        [Some(169), Some(254), Some(_), Some(_)] => true,
        [Some(172), Some(second), Some(_), Some(_)] => (16..32).contains(second),
        _ => false,
    };
    let (_, last) = name.rsplit_once('.').unwrap_or(("", &name));
    by_number
        || name == "::1"
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

    /// Returns what is told of the links of one page, which has the places `here` and `Ort`.
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
            mount: Some(mount.to_owned()),
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
}
