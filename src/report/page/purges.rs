//! What CloudFront is sent: paths, the URLs that each takes, and what else it could have been.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};

use super::html::{code, data, escaped, list, quoted, table};
use crate::edge::{Cover, Money, OwedReason, PurgeChoice};
use crate::object::plural::{count, counted};
use crate::plan::{DistributionPurge, Plan};
use crate::report::fitting::widest;
use crate::report::plan::PlanContext;
use crate::report::purge::{expected_seconds, named, refetch_cost, takes};
use crate::report::text::shown;

/// Bytes of the paths and URLs of all purges.
const BUDGET: usize = 75_000;
/// URLs of one wildcard or tag, at most, and URLs purged by themselves.
const MAX_URLS: usize = 8192;
/// Bytes of the paths that are listed where no script runs, of one purge.
const LIST_BUDGET: usize = 4_000;
/// Purges with a part of their own, at most: a distribution with many tenants has one for each.
const MAX_PURGES: usize = 20;

/// One purge of one distribution, with what it is called.
pub(super) struct TitledPurge<'a> {
    pub(super) title: String,
    pub(super) choice: &'a PurgeChoice,
}

/// Returns the purges that send something or owe something, in the order in which they are sent.
pub(super) fn titled<'a>(plan: &'a Plan, context: &PlanContext) -> Vec<TitledPurge<'a>> {
    let phases = |purge: &'a DistributionPurge| {
        let title = context.title(&purge.target);
        let late = format!("{title}, once removed assets are gone");
        [(title, &purge.purge), (late, &purge.after)]
    };
    let purges = plan.purges.iter().flat_map(phases);
    purges
        .filter(|(_, choice)| !choice.cover.patterns.is_empty() || !choice.stale.owed.is_empty())
        .map(|(title, choice)| TitledPurge { title, choice })
        .collect()
}

/// Writes each purge: its price beside the others', and a place for its paths and URLs, which are data.
pub(super) fn html(purges: &[TitledPurge<'_>]) -> String {
    let shown = purges.iter().take(MAX_PURGES).enumerate();
    let mut text: String = shown.map(|(at, purge)| purge_html(at, purge)).collect();
    let left_out = purges.len().saturating_sub(MAX_PURGES);
    if left_out > 0 {
        let more = counted(left_out as u64, "more purge");
        text.push_str(&format!("<p class=\"more\">and {more}</p>\n"));
    }
    text
}

/// Writes the data of all purges that [`html`] shows, as a JSON list.
pub(super) fn json(purges: &[TitledPurge<'_>]) -> String {
    let maps = purges.iter().take(MAX_PURGES);
    let maps: Vec<UrlMap<'_>> = maps.map(|purge| UrlMap::of(purge.choice)).collect();
    widest(MAX_URLS, BUDGET, |most| {
        let mut out = String::from("[");
        for (at, map) in maps.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { "," });
            map.write(&mut out, most);
        }
        out.push(']');
        out
    })
}

fn purge_html(at: usize, purge: &TitledPurge<'_>) -> String {
    let choice = purge.choice;
    let title = escaped(&purge.title);
    let whole = choice.stale.whole().map(|reason| {
        let reason = escaped(&reason.to_string());
        format!("<p>Everything is purged: {reason}.</p>\n")
    });
    let whole = whole.unwrap_or_default();
    let paths = list(&choice.cover.patterns, LIST_BUDGET, |pattern| {
        let takes = takes(&choice.cover, pattern);
        format!("{} {}", code(&named(pattern)), escaped(takes.trim()))
    });
    let unsent = if choice.cover.patterns.is_empty() {
        "<p>Nothing is sent: purging is off, and what is owed stays owed.</p>\n"
    } else {
        ""
    };
    format!(
        "<article class=\"purge\" aria-labelledby=\"purge-{at}\">\n<h3 id=\"purge-{at}\">{title}</h3>\n{}{whole}{unsent}<div class=\"map\" data-purge=\"{at}\">\n{paths}</div>\n</article>\n",
        comparison(choice)
    )
}

/// Writes what is sent beside exact paths and `/*`.
fn comparison(choice: &PurgeChoice) -> String {
    let row = |(name, cover): (&str, &Cover)| {
        let refetched = match refetch_cost(cover, &cover.patterns) {
            Money(0) => count(cover.unchanged()),
            cost => format!("{} ({cost})", count(cover.unchanged())),
        };
        vec![
            name.to_owned(),
            count(cover.paths()),
            cover.path_cost.to_string(),
            format!("about {} s", count(expected_seconds(cover))),
            refetched,
        ]
    };
    let ways = [
        ("Chosen", &choice.cover),
        ("Exact paths", &choice.exact),
        ("<code>/*</code>", &choice.all),
    ];
    let ways = ways
        .into_iter()
        .filter(|(_, cover)| !cover.patterns.is_empty());
    let heads = [
        "Purge",
        "Paths",
        "Price",
        "Time",
        "Fetched again needlessly",
    ];
    table(
        ("What it costs, and what else would", &heads),
        ways,
        usize::MAX,
        row,
    )
}

/// Why a URL is listed, and what takes it.
struct ListedUrl<'a> {
    /// None where a wildcard or a tag takes it though it did not change.
    reason: Option<&'a OwedReason>,
    /// Wildcards and tags, by their place among the patterns; none where it is a path itself.
    by: Option<Vec<usize>>,
}

/// The URLs of one purge, and what takes them.
struct UrlMap<'a> {
    cover: &'a Cover,
    urls: BTreeMap<&'a str, ListedUrl<'a>>,
    /// Reasons in the order of their first URL.
    reasons: Vec<&'a OwedReason>,
}

impl<'a> UrlMap<'a> {
    fn of(choice: &'a PurgeChoice) -> Self {
        let cover = &choice.cover;
        let takers = PatternIndex::of(cover);
        let mut urls = BTreeMap::new();
        let owed = choice.stale.owed.iter();
        let owed = owed.map(|(url, reason)| (url, Some(reason)));
        let tagged = cover
            .patterns
            .iter()
            .filter_map(|pattern| pattern.tag.as_ref());
        let needless = tagged.flat_map(|tag| &tag.takes).chain(&choice.needless);
        for (url, reason) in owed.chain(needless.map(|url| (url, None))) {
            let by = takers.takers(url);
            let listed = ListedUrl { reason, by };
            urls.entry(url.as_str()).or_insert(listed);
        }
        let mut reasons: Vec<&OwedReason> = Vec::new();
        for reason in urls.values().filter_map(|url| url.reason) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        Self {
            cover,
            urls,
            reasons,
        }
    }

    /// Writes `reasons`, `patterns` (wildcards and tags: `[text, changed, unchanged]`, with what a tag stands for), `urls`, and how many of those by
    /// themselves and of all are left `out`. A URL is `[bytes that it has in common with the one before, the rest, reason, by]`; the
    /// reason -1 is needless; `by` is a pattern's place, a list of them, or -1 where purging is off, and is left out of a URL
    /// that is a path itself.
    fn write(&self, out: &mut String, most: usize) {
        let reasons: Vec<String> = self.reasons.iter().map(ToString::to_string).collect();
        out.push_str(&format!(
            "{{\"reasons\":{},\"patterns\":[",
            data(&json!(reasons))
        ));
        let mut places = HashMap::new();
        let patterns = self.cover.patterns.iter().enumerate();
        let wide = patterns.filter(|(_, pattern)| !self.urls.contains_key(pattern.text.as_str()));
        for (place, (at, pattern)) in wide.take(most.max(1)).enumerate() {
            if out.len() > BUDGET {
                return;
            }
            places.insert(at, place);
            let of = pattern.tag.as_ref().map(|tag| shown(&tag.of));
            let row = json!([shown(&pattern.text), pattern.changed, pattern.unchanged, of]);
            out.push_str(if place == 0 { "" } else { "," });
            out.push_str(&data(&row));
        }
        out.push_str("],\"urls\":[");
        let mut listed: HashMap<Option<usize>, usize> = HashMap::new();
        let (mut before, mut left_out, mut left_out_alone) = ("", 0, 0);
        for (url, what) in &self.urls {
            let group = what.by.as_ref().and_then(|by| by.first().copied());
            let taken = listed.entry(group).or_default();
            *taken += 1;
            if *taken > most {
                left_out += 1;
                left_out_alone += usize::from(what.by.is_none());
                continue;
            }
            if out.len() > BUDGET {
                return;
            }
            out.push_str(if before.is_empty() { "" } else { "," });
            self.write_url(out, &places, (before, url, what));
            before = url;
        }
        let (left_out, alone) = (json!(left_out), json!(left_out_alone));
        out.push_str(&format!("],\"out\":[{alone},{left_out}]}}"));
    }

    fn write_url(
        &self,
        out: &mut String,
        places: &HashMap<usize, usize>,
        (before, url, what): (&str, &str, &ListedUrl<'a>),
    ) {
        // URLs are ASCII, so that bytes are what JavaScript counts; where one is not, it stands whole.
        let same = before.bytes().zip(url.bytes());
        let same = same.take_while(|(one, other)| one == other).count();
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let same = if plain(before) && plain(url) { same } else { 0 };
        let reason = what.reason.map_or(Value::from(-1), |reason| {
            json!(self.reasons.iter().position(|other| *other == reason))
        });
        let rest = quoted(url.get(same..).unwrap_or_default());
        out.push_str(&format!("[{same},{rest},{reason}"));
        if let Some(by) = &what.by {
            let by: Vec<&usize> = by.iter().filter_map(|at| places.get(at)).collect();
            let by = match by.as_slice() {
                [] => json!(-1),
                [place] => json!(place),
                places => json!(places),
            };
            out.push_str(&format!(",{by}"));
        }
        out.push(']');
    }
}

/// Finds the patterns that take a URL.
#[derive(Default)]
struct PatternIndex<'a> {
    exact: HashSet<&'a str>,
    /// Wildcards without their star.
    prefixes: HashMap<&'a str, usize>,
    tags: HashMap<&'a str, Vec<usize>>,
}

impl<'a> PatternIndex<'a> {
    fn of(cover: &'a Cover) -> Self {
        let mut index = Self::default();
        for (at, pattern) in cover.patterns.iter().enumerate() {
            if let Some(tag) = &pattern.tag {
                for url in &tag.takes {
                    index.tags.entry(url).or_default().push(at);
                }
                continue;
            }
            index.exact.insert(&pattern.text);
            if let Some(prefix) = pattern.text.strip_suffix('*') {
                index.prefixes.insert(prefix, at);
            }
        }
        index
    }

    /// Returns which wildcards and tags take a URL; none where it is a path itself.
    fn takers(&self, url: &str) -> Option<Vec<usize>> {
        if self.exact.contains(url) {
            return None;
        }
        // A URL that ends in a star stands for all that begin so.
        let begin = url.trim_end_matches('*');
        let mut by = Vec::new();
        if !self.prefixes.is_empty() {
            let begins = (0..=begin.len()).filter_map(|end| begin.get(..end));
            by.extend(begins.filter_map(|begin| self.prefixes.get(begin)));
        }
        by.extend(self.tags.get(url).into_iter().flatten());
        Some(by)
    }
}
