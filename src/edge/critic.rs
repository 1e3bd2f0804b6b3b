//! Where a distribution defeats what objects are served with: what `plan` warns of.

use std::collections::{BTreeMap, HashMap};

use super::distribution::Behavior;
use super::ttl::CacheControl;
use super::urls::{Kind, Site};
use crate::domain::Headers;

/// Seconds that a page may be kept whatever it says: CloudFront's own policy CachingOptimized has 1.
const TOLERATED: u64 = 10;
/// Seconds from which on an app's page kept for errors is a matter of hours.
const HOUR: u64 = 3600;
/// Bytes that CloudFront compresses (Developer Guide, "Serve compressed files").
const COMPRESSED: std::ops::RangeInclusive<u64> = 1_000..=10_000_000;

/// Looks at each object under the behavior that it falls to. Costs next to nothing where no behavior can be at fault.
#[derive(Debug)]
pub struct Critic<'s, 'a> {
    site: &'s Site<'a>,
    /// Positions of behaviors that could defeat some header.
    suspects: Vec<usize>,
    controls: HashMap<String, CacheControl>,
    found: BTreeMap<(usize, Fault), Example>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KeptDespite,
    CutShort,
    Uncompressed,
}

/// How many objects, and the first of them.
#[derive(Debug)]
struct Example {
    count: usize,
    key: String,
    header: String,
}

impl<'s, 'a> Critic<'s, 'a> {
    pub fn new(site: &'s Site<'a>) -> Self {
        let suspect = |behavior: &Behavior| {
            behavior.min_ttl > TOLERATED || behavior.max_ttl < 31_536_000 || !behavior.compress
        };
        let behaviors = site.distribution.behaviors.iter().enumerate();
        let suspects = behaviors.filter(|(_, one)| site.is_ours(one) && suspect(one));
        Self {
            suspects: suspects.map(|(at, _)| at).collect(),
            site,
            controls: HashMap::new(),
            found: BTreeMap::new(),
        }
    }

    /// Takes an object into account.
    pub fn note(&mut self, key: &str, size: u64, headers: &Headers) {
        if self.suspects.is_empty() {
            return;
        }
        let mut under = None;
        let site = self.site;
        site.visit_paths(key, &mut |_, kind, behavior| {
            if kind == Kind::Own {
                under = Some(behavior);
            }
        });
        let Some(at) = under.filter(|at| self.suspects.contains(at)) else {
            return;
        };
        let Some(behavior) = site.behavior(at) else {
            return;
        };
        let header = headers.cache_control.as_deref().unwrap_or_default();
        let control = match self.controls.get(header) {
            Some(control) => *control,
            None => {
                let control = CacheControl::parse(header);
                self.controls.insert(header.to_owned(), control);
                control
            }
        };
        let long = control.s_maxage.filter(|_| !control.uncached);
        for (fault, is) in [
            (
                Fault::KeptDespite,
                behavior.min_ttl > TOLERATED && control.uncached,
            ),
            (
                Fault::CutShort,
                long.is_some_and(|ttl| ttl > behavior.max_ttl),
            ),
            (
                Fault::Uncompressed,
                !behavior.compress && COMPRESSED.contains(&size) && is_text(headers),
            ),
        ] {
            if is {
                let example = self.found.entry((at, fault)).or_insert_with(|| Example {
                    count: 0,
                    key: key.to_owned(),
                    header: header.to_owned(),
                });
                example.count += 1;
            }
        }
    }

    /// What there is to say, a sentence each; the distribution's name is the caller's to add.
    pub fn warnings(self) -> Vec<String> {
        let mut warnings = Vec::new();
        for ((at, fault), example) in &self.found {
            let Some(behavior) = self.site.behavior(*at) else {
                continue;
            };
            let Example { count, key, header } = example;
            let of = match count {
                1 => key.clone(),
                more => format!("{more} objects, such as {key}"),
            };
            let pattern = &behavior.pattern;
            warnings.push(match fault {
                Fault::KeptDespite => format!(
                    "edges keep {of} for {} s in spite of `{header}`, since the minimum TTL of the behavior {pattern} goes before it: \
                     a cache policy with a minimum TTL of 0 heeds it",
                    behavior.min_ttl
                ),
                Fault::CutShort => format!(
                    "edges keep {of} for {} s at most, less than `{header}` asks for, since that is the maximum TTL of the behavior \
                     {pattern}: a cache policy with a longer one saves requests to S3",
                    behavior.max_ttl
                ),
                Fault::Uncompressed => format!(
                    "{of} go to viewers as they are: the behavior {pattern} does not compress, and they are stored plain"
                ),
            });
        }
        warnings.extend(self.long_errors());
        warnings
    }

    /// A single-page app's page that is kept for hours under URLs that nobody can list.
    fn long_errors(&self) -> Option<String> {
        let responses = &self.site.distribution.error_responses;
        let is_app = |page: &Option<String>| page.as_ref().is_some_and(|page| page != "/404.html");
        let response = responses
            .iter()
            .find(|one| one.response_code == Some(200) && is_app(&one.page) && one.ttl() >= HOUR)?;
        Some(format!(
            "edges keep the answer to error {} ({}) for {} s under every URL of the app, so that each change of it has to purge them \
             all: an error caching minimum TTL of 10 s or less spares that",
            response.code,
            response.page.as_deref().unwrap_or_default(),
            response.ttl()
        ))
    }
}

/// Whether CloudFront would compress it.
fn is_text(headers: &Headers) -> bool {
    let kind = headers.content_type.as_deref().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    headers.content_encoding.is_none()
        && (kind.starts_with("text/")
            || ["javascript", "json", "xml", "svg+xml", "wasm"]
                .iter()
                .any(|end| kind.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::super::distribution::{Distribution, ErrorResponse, Origin};
    use super::*;

    fn told(
        behavior: Behavior,
        errors: Vec<ErrorResponse>,
        objects: &[(&str, u64, &str)],
    ) -> String {
        let distribution = Distribution {
            origins: vec![Origin {
                id: "o".into(),
                ..Origin::default()
            }],
            behaviors: vec![
                Behavior {
                    pattern: "/api/*".into(),
                    origins: vec!["other".into()],
                    min_ttl: 99,
                    ..Behavior::default()
                },
                Behavior {
                    origins: vec!["o".into()],
                    ..behavior
                },
            ],
            error_responses: errors,
            ..Distribution::default()
        };
        let site = Site::new(&distribution, vec!["o".into()]);
        let mut critic = Critic::new(&site);
        for (key, size, control) in objects {
            let headers = Headers {
                cache_control: Some((*control).to_owned()),
                content_type: Some("text/html; charset=utf-8".into()),
                ..Headers::default()
            };
            critic.note(key, *size, &headers);
        }
        critic.warnings().join("\n")
    }

    fn usual() -> Behavior {
        Behavior {
            min_ttl: 1,
            compress: true,
            ..Behavior::default()
        }
    }

    const OBJECTS: [(&str, u64, &str); 4] = [
        ("a.html", 5_000, "no-cache"),
        ("api/b.html", 5_000, "no-cache"),
        ("c.html", 10, "max-age=0, s-maxage=86400"),
        ("d.html", 10, "max-age=31536000"),
    ];

    #[test]
    fn a_usual_distribution_is_fine() {
        assert_eq!(told(usual(), Vec::new(), &OBJECTS), "");
    }

    #[test]
    fn what_defeats_a_header_is_told_once_with_an_example() {
        let min_ttl = 11;
        let kept = told(Behavior { min_ttl, ..usual() }, Vec::new(), &OBJECTS);
        assert!(kept.contains("keep a.html for 11 s"), "{kept}");
        assert_eq!(kept.lines().count(), 1, "{kept}");
        let min_ttl = 10;
        assert_eq!(
            told(Behavior { min_ttl, ..usual() }, Vec::new(), &OBJECTS),
            ""
        );
        let max_ttl = 3600;
        let short = told(Behavior { max_ttl, ..usual() }, Vec::new(), &OBJECTS);
        assert!(short.contains("keep c.html for 3600 s at most"), "{short}");
        assert_eq!(short.lines().count(), 1, "{short}");
        let compress = false;
        let plain = told(
            Behavior {
                compress,
                ..usual()
            },
            Vec::new(),
            &OBJECTS,
        );
        assert!(
            plain.starts_with("a.html go to viewers as they are"),
            "{plain}"
        );
        assert_eq!(plain.lines().count(), 1, "{plain}");
        let many = [("x/1.html", 2_000, ""), ("x/2.html", 2_000, "")];
        let plain = told(
            Behavior {
                compress,
                ..usual()
            },
            Vec::new(),
            &many,
        );
        assert!(plain.starts_with("2 objects, such as x/1.html"), "{plain}");
    }

    #[test]
    fn an_app_kept_for_hours_under_failing_urls_is_told() {
        let error = |page: &str, code, ttl| ErrorResponse {
            code: 403,
            page: Some(page.into()),
            response_code: Some(code),
            caching_min_ttl: ttl,
        };
        for (error, is_told) in [
            (error("/index.html", 200, Some(7200)), true),
            (error("/index.html", 200, Some(300)), false),
            (error("/index.html", 200, None), false),
            (error("/404.html", 404, Some(7200)), false),
        ] {
            let told = told(usual(), vec![error], &[]);
            assert_eq!(told.contains("error 403"), is_told, "{told}");
        }
    }
}
