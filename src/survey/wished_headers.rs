//! Where the headers that S3 does not keep go at one distribution: what its policies send, what its function adds, and what nobody
//! does. Pure.

use super::site_function::{rewrite, unindexed};
use super::targets::ResolvedDistribution;
use crate::edge::added_headers::AddedHeaders;
use crate::edge::{HeadersPolicy, Unfit};
use crate::job::request::Job;
use crate::object::tags;
use crate::rules::edge_function::PathRewrite;
use crate::rules::header_placement::{HeaderPlacement, PolicyHeaders, place};
use crate::rules::security_preset::taken_away;
use crate::rules::unserved::{HeaderScope, UnkeptHeader, UnsentReason};

/// Where the headers of a site go at one distribution.
pub(crate) struct WishedHeaders {
    pub placement: HeaderPlacement,
    /// How many headers were put before those of the site's own rules.
    put_before: usize,
}

impl WishedHeaders {
    pub(crate) fn of(job: &Job, target: &ResolvedDistribution) -> Self {
        let settings = &job.settings;
        let mut headers = settings
            .security
            .map(|preset| preset.headers())
            .unwrap_or_default();
        if settings.tags {
            headers.push(taken_away(tags::HEADER));
        }
        let put_before = headers.len();
        // A host takes the place of what nobody may send, so that it goes nowhere, too.
        let asked = job.unserved.headers.iter().map(|line| {
            if is_reserved(&line.asked) {
                UnkeptHeader {
                    scope: HeaderScope::Path("https://reserved".to_owned()),
                    ..line.asked.clone()
                }
            } else {
                line.asked.clone()
            }
        });
        headers.extend(asked);
        let patterns: Vec<String> = target
            .site_behaviors()
            .map(|behavior| behavior.pattern.clone())
            .collect();
        let rewrite = match job.function {
            Some(_) => rewrite(settings.index, &job.strip_extension, Vec::new()),
            None => PathRewrite::default(),
        };
        Self {
            placement: place(&headers, &patterns, &rewrite, fits),
            put_before,
        }
    }

    /// Returns what viewers are to get besides the objects' own headers.
    pub(super) fn added(job: &Job, target: &ResolvedDistribution) -> AddedHeaders {
        let wished = job.headers_policy.as_ref();
        let HeaderPlacement {
            policies, function, ..
        } = wished.map_or_else(HeaderPlacement::default, |_| {
            Self::of(job, target).placement
        });
        let function = function.into_iter().chain(unindexed(job));
        let function = function.filter(|_| job.function.is_some());
        AddedHeaders::of(&policies, function.collect())
    }

    /// Returns the headers of the site's rules that are not sent for want of a function, or by anybody.
    pub(super) fn unsent(&self, job: &Job) -> Vec<(UnkeptHeader, UnsentReason)> {
        let placement = &self.placement;
        let mut unsent = Vec::new();
        for (index, line) in job.unserved.headers.iter().enumerate() {
            let header = &line.asked;
            let name = header.name.to_ascii_lowercase();
            let in_policy = |policy: &PolicyHeaders| {
                policy.sent.contains_key(&name) || policy.removed.contains(&name)
            };
            let in_function = placement.function.iter().any(|added| added.name == name);
            if is_reserved(header) {
                unsent.push((header.clone(), UnsentReason::Reserved));
            } else if placement.unserved.contains(&(index + self.put_before)) {
                unsent.push((header.clone(), UnsentReason::Pattern));
            } else if in_function
                && job.function.is_none()
                && (needs_function(header, placement)
                    || !placement.policies.values().any(in_policy))
            {
                unsent.push((header.clone(), UnsentReason::Function));
            }
        }
        unsent
    }
}

/// Tells whether a header by itself would go into a function.
fn needs_function(header: &UnkeptHeader, placement: &HeaderPlacement) -> bool {
    let patterns: Vec<String> = placement.policies.keys().cloned().collect();
    let alone = place(
        std::slice::from_ref(header),
        &patterns,
        &PathRewrite::default(),
        fits,
    );
    !alone.function.is_empty()
}

/// Tells whether CloudFront lets nobody send or take away a header.
fn is_reserved(header: &UnkeptHeader) -> bool {
    let fits = HeadersPolicy::fits(&header.name.to_ascii_lowercase(), &header.value);
    matches!(fits, Err(Unfit::Untouchable(_)))
}

fn fits(name: &str, value: &str) -> bool {
    HeadersPolicy::fits(name, value).is_ok()
}
