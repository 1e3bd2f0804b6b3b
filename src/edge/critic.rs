//! Where a distribution defeats what objects are served with: what `plan` warns of.

use std::collections::{BTreeMap, BTreeSet};

use super::distribution::{Behavior, UnreadFunction, UriRewrite};
use super::form::UriForm;
use super::ttl::CacheControl;
use super::urls::{PathKind, ShownSite, request_paths};
use crate::object::Headers;

/// Seconds that a page may be kept whatever it says: CloudFront's own policy CachingOptimized has 1.
const TOLERATED: u64 = 10;
/// Bytes that CloudFront compresses (Developer Guide, "Serve compressed files").
const COMPRESSED: std::ops::RangeInclusive<u64> = 1_000..=10_000_000;

/// Looks at each object under the behavior that it falls to. Costs next to nothing where no behavior can be at fault.
#[derive(Debug)]
pub struct DistributionCritic<'s, 'a> {
    site: &'s ShownSite<'a>,
    /// The behaviors that could defeat some header, and the objects of which they do.
    suspects: Vec<(&'a Behavior, BTreeMap<Defeat, Example>)>,
}

/// How a behavior defeats what an object is served with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Defeat {
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

impl<'s, 'a> DistributionCritic<'s, 'a> {
    pub fn new(site: &'s ShownSite<'a>) -> Self {
        let is_suspect = |behavior: &&Behavior| {
            let heeds = behavior.min_ttl <= TOLERATED && behavior.max_ttl >= 31_536_000;
            site.is_ours(behavior) && !(heeds && behavior.compress)
        };
        let suspects = site.distribution.behaviors.iter().filter(is_suspect);
        Self {
            suspects: suspects.map(|it| (it, BTreeMap::new())).collect(),
            site,
        }
    }

    /// Takes an object into account.
    pub fn note(&mut self, key: &str, size: u64, headers: &Headers) {
        if self.suspects.is_empty() {
            return;
        }
        let paths = request_paths(self.site, key);
        let own = paths.iter().rfind(|path| path.kind == PathKind::Own);
        let mut suspects = self.suspects.iter_mut();
        let suspect = suspects
            .find(|(behavior, _)| own.is_some_and(|own| std::ptr::eq(own.behavior, *behavior)));
        let Some((behavior, defeats)) = suspect else {
            return;
        };
        let header = headers.cache_control.as_deref().unwrap_or_default();
        let control = CacheControl::parse(header);
        let mut note = |defeat: Defeat| {
            let example = defeats.entry(defeat).or_insert_with(|| Example {
                count: 0,
                key: key.to_owned(),
                header: header.to_owned(),
            });
            example.count += 1;
        };
        if behavior.min_ttl > TOLERATED && control.uncached {
            note(Defeat::KeptDespite);
        }
        let long = control.s_maxage.filter(|_| !control.uncached);
        if long.is_some_and(|ttl| ttl > behavior.max_ttl) {
            note(Defeat::CutShort);
        }
        if !behavior.compress && COMPRESSED.contains(&size) && is_text(headers) {
            note(Defeat::Uncompressed);
        }
    }

    /// Returns what there is to say, a sentence each; the distribution's name is the caller's to add.
    pub fn warnings(self) -> Vec<String> {
        let suspects = self.suspects.iter();
        let warnings = suspects.flat_map(|(behavior, defeats)| {
            let defeats = defeats.iter();
            defeats.map(|(defeat, example)| example.warning(*defeat, behavior))
        });
        let lambdas = self.lambdas();
        let warnings = warnings.chain(lambdas).chain(self.long_errors());
        warnings.chain(self.shadowed_app()).collect()
    }

    /// Warns of an error page that does for an app what its function does: it stands before the errors of everything else, too.
    fn shadowed_app(&self) -> Option<String> {
        let default = self.site.distribution.behaviors.last()?;
        let UriRewrite::Forms(forms) = &default.rewrite else {
            return None;
        };
        let shows = |page: &str| forms.contains(&UriForm::Literal(page.to_owned()));
        let responses = self.site.distribution.error_responses.iter();
        let shadows = responses.filter(|response| {
            matches!(response.code, 403 | 404)
                && response.response_code == Some(200)
                && response.page.as_deref().is_some_and(shows)
        });
        let codes: Vec<String> = shadows.map(|response| response.code.to_string()).collect();
        (!codes.is_empty()).then(|| {
            format!(
                "its function shows the app's page under the app's URLs; take the custom error response for {} off, which answers every \
                 missing file, and other origins' errors, with that page and status 200",
                codes.join(" and ")
            )
        })
    }

    /// Warns of Lambdas that see what the origin answers before edges keep it.
    fn lambdas(&self) -> impl Iterator<Item = String> {
        let behaviors = self.site.distribution.behaviors.iter();
        let behaviors = behaviors.filter(|behavior| self.site.is_ours(behavior));
        behaviors.filter_map(|behavior| {
            let lambda = behavior.origin_response.as_ref()?;
            Some(format!(
                "{lambda} may change the headers and statuses of what the behavior {} keeps, in ways that nothing tells: all that changes \
                 is purged there, new pages too",
                behavior.pattern
            ))
        })
    }

    /// Warns of an error page that is kept under URLs that nobody can list.
    fn long_errors(&self) -> Option<String> {
        let mut responses = self.site.distribution.error_responses.iter();
        let response = responses.find(|response| {
            let is_missing = matches!(response.code, 403 | 404);
            is_missing && response.page.is_some() && response.ttl() > TOLERATED
        })?;
        Some(format!(
            "edges keep the answer to error {} ({}) for {} s under every URL that fails, so that each new page is purged, and everything \
             where that page changes: an error caching minimum TTL of {TOLERATED} s or less spares that",
            response.code,
            response.page.as_deref().unwrap_or_default(),
            response.ttl()
        ))
    }
}

/// Says, a sentence for each function before our objects of which it is not known what it does to URLs, what that costs.
pub fn unknown_functions(site: &ShownSite<'_>) -> BTreeSet<String> {
    let unknown = unread(site).filter(|(behavior, _)| behavior.rewrite == UriRewrite::Unknown);
    let told = unknown.map(|(behavior, why)| {
        let way_out = match why {
            UnreadFunction::OriginLambda => {
                "no setting but `index` speaks for what runs behind the cache; before viewers' requests, it can be spared"
            }
            _ => {
                "if it changes the URI and nothing else, `functions = \"rewrite\"` in deploy.toml spares that"
            }
        };
        let function = named(behavior, why);
        format!("it is not known what {function}, so that every edit purges /*: {way_out}")
    });
    told.collect()
}

/// Says, a sentence for each, which functions are taken at the owner's word to change the URI and nothing else.
pub fn trusted_functions(site: &ShownSite<'_>) -> BTreeSet<String> {
    let trusted = unread(site).filter(|(behavior, _)| behavior.rewrite != UriRewrite::Unknown);
    let told = trusted.map(|(behavior, why)| {
        let function = named(behavior, why);
        format!(
            "On your word (`functions = \"rewrite\"`), requests get another URI and nothing else, whatever {function}"
        )
    });
    told.collect()
}

fn unread<'a>(site: &ShownSite<'a>) -> impl Iterator<Item = (&'a Behavior, &'a UnreadFunction)> {
    let behaviors = site.distribution.behaviors.iter();
    let ours = behaviors.filter(|behavior| site.is_ours(behavior));
    ours.filter_map(|behavior| Some((behavior, behavior.unread.as_ref()?)))
}

/// Writes `the function NAME does (PIECE is not understood)`.
fn named(behavior: &Behavior, why: &UnreadFunction) -> String {
    let resource = behavior.associated.as_deref().unwrap_or_default();
    let name = resource.trim_start_matches("function");
    let name = name.trim_start_matches(['/', ':']);
    match why {
        UnreadFunction::Piece(piece) => {
            format!("the function {name} does (not understood: `{piece}`)")
        }
        UnreadFunction::Denied => {
            format!("the function {name} does (allow cloudfront:GetFunction to read it)")
        }
        UnreadFunction::Lambda => format!("the Lambda {name} does (its code is not read)"),
        UnreadFunction::OriginLambda => {
            format!("the Lambda {name} does before the origin (its code is not read)")
        }
    }
}

impl Example {
    fn warning(&self, defeat: Defeat, behavior: &Behavior) -> String {
        let Self { count, key, header } = self;
        let objects = match count {
            1 => key.clone(),
            more => format!("{more} objects, such as {key}"),
        };
        let pattern = &behavior.pattern;
        match defeat {
            Defeat::KeptDespite => format!(
                "edges keep {objects} for {} s in spite of `{header}`, since the minimum TTL of the behavior {pattern} goes before it: \
                 a cache policy with a minimum TTL of 0 heeds it",
                behavior.min_ttl
            ),
            Defeat::CutShort => format!(
                "edges keep {objects} for {} s at most, less than `{header}` asks for, since that is the maximum TTL of the behavior \
                 {pattern}: a cache policy with a longer one saves requests to S3",
                behavior.max_ttl
            ),
            Defeat::Uncompressed => format!(
                "{objects} go to viewers as they are: the behavior {pattern} does not compress, and they are stored plain"
            ),
        }
    }
}

/// Returns whether CloudFront would compress it.
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
        let site = ShownSite::new(&distribution, vec!["o".into()]);
        let mut critic = DistributionCritic::new(&site);
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
    fn an_error_page_kept_for_long_under_failing_urls_is_told() {
        let error = |page: &str, code, ttl| ErrorResponse {
            code: 403,
            page: Some(page.into()),
            response_code: Some(code),
            caching_min_ttl: ttl,
        };
        for (error, is_told) in [
            (error("/index.html", 200, Some(11)), true),
            (error("/index.html", 200, Some(10)), false),
            (error("/index.html", 200, None), false),
            (error("/404.html", 404, Some(300)), true),
        ] {
            let told = told(usual(), vec![error], &[]);
            assert_eq!(told.contains("error 403"), is_told, "{told}");
        }
    }
}
