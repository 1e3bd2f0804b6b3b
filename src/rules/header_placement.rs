//! Where the headers go that S3 does not keep: into the response headers policies of a distribution's behaviors, or into a
//! function that adds them on the way out. Of several rules for a path the later one wins, as among all rules.

use std::collections::{BTreeMap, BTreeSet};

use super::edge_function::{FunctionHeader, PathRewrite};
use super::headers_file::join;
use super::path_pattern::PathPattern;
use super::security_preset::SECURITY_HEADERS;
use super::unserved::{HeaderScope, UnkeptHeader};

/// The most headers that a policy sends besides security and CORS, and the most that it takes away (CloudFront Developer Guide,
/// "Quotas on response headers policies").
const MAX_CUSTOM: usize = 10;
const MAX_REMOVED: usize = 10;

/// Where the headers go that S3 does not keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderPlacement {
    /// By the path pattern of a behavior (`*` is the default one). Every behavior has one if any has.
    pub policies: BTreeMap<String, PolicyHeaders>,
    /// What a function does after the policies, in order; later ones win.
    pub function: Vec<FunctionHeader>,
    /// The indexes of those that neither can send: for a host, or for globs that no expression on paths stands for.
    pub unserved: Vec<usize>,
}

/// What a policy sends and takes away. Names are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyHeaders {
    pub sent: BTreeMap<String, String>,
    pub removed: BTreeSet<String>,
}

impl PolicyHeaders {
    /// Tells whether a header finds room beside the others.
    fn has_room(&self, name: &str, value: &str) -> bool {
        let custom = self.sent.keys().filter(|name| is_custom(name)).count();
        match value {
            "" => self.removed.len() < MAX_REMOVED,
            _ => !is_custom(name) || custom < MAX_CUSTOM,
        }
    }

    fn add(&mut self, name: &str, value: String) {
        if !value.is_empty() {
            self.sent.insert(name.to_owned(), value);
        } else if !SECURITY_HEADERS.contains(&name) {
            self.removed.insert(name.to_owned());
        }
    }
}

/// What one rule says of one header.
struct PatternValue {
    paths: PathPattern,
    value: String,
}

/// Where one header goes.
#[derive(Default)]
struct SettledHeader {
    /// By the index of a behavior.
    policies: BTreeMap<usize, String>,
    function: Vec<PatternValue>,
}

/// Places headers, given in the order that counts. `behaviors` are the path patterns of the site's, in CloudFront's order, `*`
/// last; `rewrite` is how request paths become keys. `fits` tells whether a policy can send a header, named in lower case, with
/// a value, or take it away (an empty one).
pub fn place(
    headers: &[UnkeptHeader],
    behaviors: &[String],
    rewrite: &PathRewrite,
    fits: impl Fn(&str, &str) -> bool,
) -> HeaderPlacement {
    let (rules, unserved) = by_name(headers, rewrite);
    let patterns: Vec<_> = behaviors
        .iter()
        .map(|pattern| PathPattern::of_behavior(pattern))
        .collect();
    let mut policies: Vec<PolicyHeaders> = behaviors.iter().map(|_| Default::default()).collect();
    let mut function = Vec::new();
    for (name, rules) in &rules {
        let mut settled = settle(rules, &patterns, |value| fits(name, value));
        let has_room = |(at, value): (&usize, &String)| {
            policies
                .get(*at)
                .is_some_and(|policy| policy.has_room(name, value))
        };
        if !settled.policies.iter().all(has_room) {
            settled = settle(rules, &patterns, |_| false);
        }
        for (at, value) in settled.policies {
            if let Some(policy) = policies.get_mut(at) {
                policy.add(name, value);
            }
        }
        let added = settled.function.into_iter().map(|rule| FunctionHeader {
            pattern: rule.paths.regex(),
            name: name.clone(),
            value: rule.value,
        });
        function.extend(added);
    }
    if policies
        .iter()
        .all(|policy| *policy == PolicyHeaders::default())
    {
        policies.clear();
    }
    HeaderPlacement {
        policies: behaviors.iter().cloned().zip(policies).collect(),
        function,
        unserved,
    }
}

/// Returns what is said of each header, names in the order in which they come up; and the indexes of what cannot be placed.
fn by_name(
    headers: &[UnkeptHeader],
    rewrite: &PathRewrite,
) -> (Vec<(String, Vec<PatternValue>)>, Vec<usize>) {
    let mut rules: Vec<(String, Vec<PatternValue>)> = Vec::new();
    let mut unserved = Vec::new();
    // The block of `_headers` that is read, and what it said of each header.
    let mut block: (Option<&HeaderScope>, BTreeSet<String>) = Default::default();
    for (index, header) in headers.iter().enumerate() {
        if block.0 != Some(&header.scope) || matches!(header.scope, HeaderScope::Globs(_)) {
            block = (Some(&header.scope), BTreeSet::new());
        }
        let Some(paths) = PathPattern::of_scope(&header.scope, rewrite) else {
            unserved.push(index);
            continue;
        };
        let name = header.name.to_ascii_lowercase();
        let value = header.value.clone();
        let is_again = !block.1.insert(name.clone());
        let known = rules.iter().position(|(known, _)| *known == name);
        let known = known.unwrap_or(rules.len());
        if known == rules.len() {
            rules.push((name, Vec::new()));
        }
        let Some((_, said)) = rules.get_mut(known) else {
            continue;
        };
        match said.last_mut() {
            // As `Name: value` and `! Name` of one block join where S3 keeps the header.
            Some(last) if is_again => last.value = join(&last.value, &value),
            _ => said.push(PatternValue { paths, value }),
        }
    }
    (rules, unserved)
}

/// Settles one header. A policy stands for all paths of a behavior, and a function has the last word: so that what a later
/// rule says for fewer paths may stand in the function, but not what an earlier one says.
fn settle(
    rules: &[PatternValue],
    behaviors: &[PathPattern],
    fits: impl Fn(&str) -> bool,
) -> SettledHeader {
    let mut settled = SettledHeader::default();
    for PatternValue { paths, value } in rules {
        if paths.takes_all() {
            settled = SettledHeader::default();
        }
        let mut rest = paths.clone();
        for (at, behavior) in behaviors.iter().enumerate() {
            // No path of a behavior may fall to one before it, unless the rule is for that one too.
            let mut before = behaviors.iter().take(at);
            let is_whole = paths.takes_all()
                || paths.has(behavior) && before.all(|earlier| earlier.is_disjoint(behavior));
            if is_whole && settled.function.is_empty() && fits(value) {
                settled.policies.insert(at, value.clone());
                rest = rest.without(behavior);
            }
        }
        settled.function.retain(|earlier| earlier.paths != rest);
        if !rest.is_empty() {
            settled.function.push(PatternValue {
                paths: rest,
                value: value.clone(),
            });
        }
    }
    settled
}

/// Tells whether a policy sends the header as a custom one.
fn is_custom(name: &str) -> bool {
    !SECURITY_HEADERS.contains(&name) && !name.starts_with("access-control-")
}

#[cfg(test)]
mod tests {
    use super::super::headers_file;
    use super::super::security_preset::{SecurityPreset, taken_away};
    use super::*;

    fn globs(glob: &str, name: &str, value: &str) -> UnkeptHeader {
        UnkeptHeader {
            scope: HeaderScope::Globs(vec![glob.to_owned()]),
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    fn of_file(text: &str) -> Vec<UnkeptHeader> {
        let file = headers_file::parse(text).unwrap();
        file.unkept.into_iter().map(|(_, header)| header).collect()
    }

    fn fits(name: &str, value: &str) -> bool {
        name != "connection" && !(name == "x-frame-options" && value == "ALLOWALL")
    }

    /// A line for each policy and each header of the function.
    fn placed(headers: &[UnkeptHeader], behaviors: &[&str]) -> Vec<String> {
        let behaviors: Vec<String> = behaviors.iter().map(|text| text.to_string()).collect();
        let placement = place(headers, &behaviors, &PathRewrite::default(), fits);
        let policies = placement.policies.iter().map(|(pattern, policy)| {
            let sent = policy.sent.iter();
            let sent = sent.map(|(name, value)| format!(" {name}={value}"));
            let removed = policy.removed.iter().map(|name| format!(" -{name}"));
            format!("{pattern}:{}", sent.chain(removed).collect::<String>())
        });
        let function = placement.function.iter();
        let function =
            function.map(|header| format!("{} {}={}", header.pattern, header.name, header.value));
        let unserved = placement.unserved.iter().map(|at| format!("unserved {at}"));
        policies.chain(function).chain(unserved).collect()
    }

    #[test]
    fn a_header_goes_where_its_paths_are() {
        let all = ["/img/*", "/*.js", "*"];
        for (text, behaviors, expected) in [
            ("", &all[..], vec![]),
            // Every behavior has a policy, if any has.
            (
                "/*\n  X-A: 1\n/img/*\n  X-B: 2\n",
                &all,
                vec!["*: x-a=1", "/*.js: x-a=1", "/img/*: x-a=1 x-b=2"],
            ),
            (
                "/img/*\n  X-B: 2\n",
                &["img/*", "*"],
                vec!["*:", "img/*: x-b=2"],
            ),
            // Both ways of asking for a folder.
            (
                "/img/*\n  X-B: 2\n/img/\n  X-B: 3\n",
                &all,
                vec![
                    "*:",
                    "/*.js:",
                    "/img/*: x-b=2",
                    "^/img/(?:index\\.html)?$ x-b=3",
                ],
            ),
            // Paths of a behavior may fall to one before it.
            (
                "/img/*\n  X-B: 2\n",
                &["*.js", "/img/*", "*"],
                vec!["^/img/.*$ x-b=2"],
            ),
            (
                "/img/*\n  X-B: 2\n",
                &["/css/*", "/img/*", "*"],
                vec!["*:", "/css/*:", "/img/*: x-b=2"],
            ),
            // A function has the last word, and later rules win.
            (
                "/*\n  X-A: 1\n/img/a\n  X-A: 2\n",
                &["*"],
                vec!["*: x-a=1", "^/img/a(?:/(?:index\\.html)?|\\.html)?$ x-a=2"],
            ),
            (
                "/img/a.b\n  X-A: 2\n/*\n  x-a: 1\n",
                &["*"],
                vec!["*: x-a=1"],
            ),
            (
                "/img/a.b\n  X-A: 2\n/img/*\n  X-A: 3\n/img/a.b\n  X-A: 4\n",
                &all,
                vec!["^/img/.*$ x-a=3", "^/img/a\\.b$ x-a=4"],
            ),
            // One block joins, and the next sets anew.
            (
                "/*\n  Link: a\n  X-A: 1\n  link: b\n/\n  Link: c\n/*\n  X-A: 2\n",
                &["*"],
                vec!["*: link=a, b x-a=2"],
            ),
            (
                "/*\n  Server: a\n  ! Server\n  ! X-Frame-Options\n",
                &["*"],
                vec!["*: -server"],
            ),
            // What does not fit a policy.
            (
                "/*\n  Connection: a\n  X-Frame-Options: DENY\n/a.b\n  ! Connection\n/*\n  X-Frame-Options: ALLOWALL\n",
                &["*"],
                vec![
                    "^.*$ connection=a",
                    "^/a\\.b$ connection=",
                    "^.*$ x-frame-options=ALLOWALL",
                ],
            ),
            (
                "https://a.b/*\n  X-A: 1\n/*\n  X-A: 2\nhttps://a.b/*\n  X-A: 1\n/*\n  X-A: 3\n",
                &["*"],
                vec!["*: x-a=3", "unserved 0", "unserved 2"],
            ),
            ("/*\n  X-A: 1\n", &[], vec!["^.*$ x-a=1"]),
        ] {
            let mut expected = expected;
            if text.contains("Link: c") {
                expected.push("^/(?:index\\.html)?$ link=c");
            }
            assert_eq!(placed(&of_file(text), behaviors), expected, "{text}");
        }
    }

    #[test]
    fn globs_go_where_their_paths_are() {
        for (glob, expected) in [
            ("**", vec!["*: x-a=1", "/img/*: x-a=1"]),
            ("*", vec!["*: x-a=1", "/img/*: x-a=1"]),
            ("/img/**", vec!["*:", "/img/*: x-a=1"]),
            ("/img/", vec!["*:", "/img/*: x-a=1"]),
            // At any depth.
            ("img/", vec!["^.*/img/.*$ x-a=1"]),
            ("!img/", vec!["unserved 0"]),
        ] {
            let headers = [globs(glob, "X-A", "1")];
            assert_eq!(placed(&headers, &["/img/*", "*"]), expected, "{glob}");
        }
        // A folder's page is asked for without the slash as well, which falls to another behavior.
        let rewrite = PathRewrite {
            bare_folders: true,
            ..PathRewrite::default()
        };
        let headers = [globs("/img/", "X-A", "1")];
        let behaviors = ["/img/*", "*"].map(str::to_owned);
        let placement = place(&headers, &behaviors, &rewrite, fits);
        assert_eq!(placement.policies["/img/*"].sent["x-a"], "1");
        let function = placement.function.iter();
        let patterns: Vec<&str> = function.map(|header| header.pattern.as_str()).collect();
        assert_eq!(patterns, ["^/img$"]);
        // Two tables are two rules, and values of one name are not joined.
        let headers = [globs("**", "X-A", "1"), globs("**", "x-a", "2")];
        assert_eq!(placed(&headers, &["*"]), ["*: x-a=2"]);
    }

    #[test]
    fn rules_win_over_a_preset() {
        let mut headers = SecurityPreset::Strict.headers();
        headers.push(taken_away("x-amz-meta-cache-tag"));
        headers.extend(of_file(
            "/*\n  X-Frame-Options: DENY\n  ! Referrer-Policy\n",
        ));
        let placed = placed(&headers, &["*"]);
        let policy = "*: strict-transport-security=max-age=31536000; includeSubDomains \
                      x-content-type-options=nosniff x-frame-options=DENY -x-amz-meta-cache-tag";
        assert_eq!(placed, [policy]);
    }

    #[test]
    fn what_a_policy_has_no_room_for_goes_into_the_function() {
        let mut text = "/*\n  X-Frame-Options: DENY\n  Access-Control-Allow-Origin: *\n".to_owned();
        for number in 10..22 {
            text += &format!("  X-{number}: a\n  ! Y-{number}\n");
        }
        let behaviors = ["*".to_owned()];
        let placed = place(&of_file(&text), &behaviors, &PathRewrite::default(), fits);
        let policy = &placed.policies["*"];
        assert_eq!((policy.sent.len(), policy.removed.len()), (12, 10));
        let names: Vec<&str> = placed
            .function
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(names, ["x-20", "y-20", "x-21", "y-21"]);
    }

    /// The last rule for a path says it, wherever it went.
    fn shown(placement: &HeaderPlacement, behavior: &str, path: &str) -> Option<String> {
        let policy = placement.policies.get(behavior);
        let mut value = policy.and_then(|policy| policy.sent.get("x-a").cloned());
        for header in &placement.function {
            if regex::Regex::new(&header.pattern).unwrap().is_match(path) {
                value = Some(header.value.clone());
            }
        }
        value.filter(|value| !value.is_empty())
    }

    proptest::proptest! {
        #[test]
        fn the_last_rule_wins_wherever_it_goes(
            rules in proptest::collection::vec(("[/](a/)?([*]|b|a/[*]|:c)?", proptest::bool::ANY), 0..6),
            fitting in 0..8usize,
            path in "/(a/){0,2}[abc]",
        ) {
            let rule = |(index, (path, is_set)): (usize, &(String, bool))| UnkeptHeader {
                scope: HeaderScope::Path(path.clone()),
                name: "X-A".to_owned(),
                // Blocks of one path after each other would be one.
                value: if *is_set { index.to_string() } else { String::new() },
            };
            let mut headers: Vec<_> = rules.iter().enumerate().map(rule).collect();
            headers.dedup_by(|one, other| one.scope == other.scope);
            let behaviors = ["/a/a/*", "/a/*", "*"];
            let fits = |_: &str, value: &str| value.parse::<usize>().is_ok_and(|value| value < fitting);
            let placement = place(&headers, &behaviors.map(str::to_owned), &PathRewrite::default(), fits);
            let behavior = behaviors.iter().find(|pattern| path.starts_with(pattern.trim_end_matches('*')));
            let behavior = behavior.unwrap_or(&"*");
            let matches = |header: &&UnkeptHeader| {
                let paths = PathPattern::of_scope(&header.scope, &PathRewrite::default()).unwrap();
                regex::Regex::new(&paths.regex()).unwrap().is_match(&path)
            };
            let last = headers.iter().rfind(matches).map(|header| header.value.clone());
            let last = last.filter(|value| !value.is_empty());
            proptest::prop_assert_eq!(shown(&placement, behavior, &path), last);
        }
    }
}
