//! The distributions: that they are there and deployed, lead to the site, and what of their configuration defeats it.

use std::collections::BTreeSet;

use super::access::{ReadAccess, hides, read_access};
use super::bucket::ReadableBucket;
use super::finding::CheckUp;
use crate::aws::{AwsClients, AwsErrorKind};
use crate::edge::critic::{DistributionCritic, unknown_functions};
use crate::edge::distribution::is_access_point;
use crate::edge::{ShownSite, request_paths};
use crate::error::Error;
use crate::job::Job;
use crate::state::ObservedState;
use crate::survey::targets::{ResolvedDistribution, ResolvedTargets};
use crate::survey::{find_recorded, find_targets};

pub(super) const DISTRIBUTION: &str = "distribution";

/// Seconds that an edge may keep a page whatever it says: CloudFront's own policies have 1.
const TOLERATED: u64 = 10;

/// Finds the distributions that the settings ask for, and looks at each.
pub(super) async fn examine(
    check: &mut CheckUp,
    aws: &AwsClients,
    (job, bucket): (&Job, &ReadableBucket),
    state: Option<&ObservedState>,
) -> Vec<ResolvedDistribution> {
    if job.wishes.is_empty() && job.settings.distribution_tenant.is_none() {
        check.fine(DISTRIBUTION, "none is asked for, and nothing is purged");
        return Vec::new();
    }
    let targets = match find(aws, job, state).await {
        Ok(targets) => targets,
        Err(error) => {
            check.problem(DISTRIBUTION, explained(error, job));
            return Vec::new();
        }
    };
    if targets.found.is_empty() {
        let why = match targets.unlisted {
            Some(error) => Error::from(error),
            None => Error::failed(targets.warnings.join("; ")),
        };
        let way_out = "name one (`distribution = \"ID\"`), have `unstale setup` make one, or say `distribution = \"none\"`";
        check.problem(DISTRIBUTION, why.hint(way_out));
        return Vec::new();
    }
    for warning in targets.warnings {
        check.warn(DISTRIBUTION, warning, "");
    }
    for target in &targets.found {
        configuration(check, aws, (target, job, bucket)).await;
        look(check, target, (job, bucket)).await;
    }
    targets.found
}

/// Says what to do where a tenant is not there.
fn explained(error: Error, job: &Job) -> Error {
    match (&job.settings.distribution_tenant, &error.kind) {
        (Some(_), Some(AwsErrorKind::NotFound)) => error.hint(
            "check `distribution-tenant` in deploy.toml: the id of a tenant of this account, or its domain",
        ),
        _ => error,
    }
}

async fn find(
    aws: &AwsClients,
    job: &Job,
    state: Option<&ObservedState>,
) -> Result<ResolvedTargets, Error> {
    let mut targets = find_targets(aws, job).await?;
    if let Some(state) = state {
        find_recorded(aws, job, &state.object.told, &mut targets).await?;
    }
    Ok(targets)
}

/// Looks at what is of no account to a plan: whether it answers at all, and signs what it asks a private bucket.
async fn configuration(
    check: &mut CheckUp,
    aws: &AwsClients,
    (target, job, bucket): (&ResolvedDistribution, &Job, &ReadableBucket),
) {
    let Some(distribution) = target.readable() else {
        return;
    };
    let Ok(described) = aws.cloudfront().describe(&distribution.id).await else {
        return;
    };
    let id = target.id();
    if !described.config.enabled {
        let text = format!("{id} is disabled: it answers nobody");
        let hint = "enable it in the CloudFront console, or name another in `distribution`";
        check.problem(DISTRIBUTION, Error::failed(text).hint(hint));
    }
    // Edges of other servers read as they like, and a policy that nobody may read may open the bucket.
    let is_closed = job.official
        && bucket.policy_is_known
        && read_access_of(bucket, &distribution.id) != ReadAccess::Public;
    let ours = distribution.bucket_origins(&job.bucket, &job.endpoints);
    let mut unsigned = described.unsigned_origins().into_iter();
    let unsigned = unsigned.find(|origin| ours.iter().any(|ours| ours == origin));
    if let Some(origin) = unsigned.filter(|_| is_closed) {
        let text = format!("{id}: its origin {origin} signs no request: viewers get 403");
        let hint = "give the origin an origin access control, in the CloudFront console";
        check.problem(DISTRIBUTION, Error::failed(text).hint(hint));
    }
}

fn read_access_of(bucket: &ReadableBucket, distribution: &str) -> ReadAccess {
    let name = bucket.place.bucket.name();
    let page = format!("{name}/{}index.html", bucket.place.prefix);
    let policy = bucket.policy.as_deref().unwrap_or_default();
    read_access(policy, distribution, &page)
}

/// Tells whether all origins of a distribution are other buckets, by their names.
fn shows_others(target: &ResolvedDistribution, job: &Job) -> bool {
    let is_s3 = |domain: &str| {
        let domain = domain.to_ascii_lowercase();
        domain.ends_with(".amazonaws.com") && domain.contains(".s3") && !is_access_point(&domain)
    };
    job.settings.origin_domains.0.is_empty()
        && target.readable().is_some_and(|distribution| {
            let mut origins = distribution.origins.iter();
            let ours = distribution.bucket_origins(&job.bucket, &job.endpoints);
            ours.is_empty() && origins.all(|origin| is_s3(&origin.domain))
        })
}

async fn look(
    check: &mut CheckUp,
    target: &ResolvedDistribution,
    (job, bucket): (&Job, &ReadableBucket),
) {
    let id = target.id();
    if let Err(why) = &target.distribution {
        return check.warn(
            DISTRIBUTION,
            format!("{id}: {why}, so that every change purges /*"),
            "",
        );
    }
    let domain = target.domain().unwrap_or("no domain");
    if target.in_progress {
        check.warn(
            DISTRIBUTION,
            format!(
                "{id} ({domain}) is being deployed: some edges answer by its old configuration"
            ),
            "deploys wait for it; that takes minutes",
        );
    } else {
        check.fine(DISTRIBUTION, format!("{id} ({domain}) is deployed"));
    }
    let site = target.site(job).filter(|site| !site.ours.is_empty());
    let Some(site) = site.filter(|_| !shows_others(target, job)) else {
        let text = format!("{id}: none of its origins is the bucket {}", job.bucket);
        let hint = "name the distribution that shows the bucket, or the origin's domain in `origin-domains`";
        return check.problem(DISTRIBUTION, Error::failed(text).hint(hint));
    };
    paths(check, (&site, id), (job, bucket)).await;
    errors(check, (target, &site), (job, bucket)).await;
    headers(check, &site, id);
    if target.has_website() {
        website(check, target, bucket).await;
    } else {
        access(check, target, (job, bucket));
    }
}

/// Looks at whether a website endpoint answers: it does for what is configured and anybody may read.
async fn website(check: &mut CheckUp, target: &ResolvedDistribution, bucket: &ReadableBucket) {
    let (id, name) = (target.id(), bucket.place.bucket.name());
    let mut problem = |text: &str, hint: &str| {
        let text = format!("{id}: its origin is the website endpoint of {name}, {text}");
        check.problem(DISTRIBUTION, Error::failed(text).hint(hint));
    };
    if matches!(bucket.place.bucket.website().await, Ok(None)) {
        problem(
            "which has no website configuration: viewers get 404",
            "`aws s3 website s3://NAME --index-document index.html`, or the bucket's REST name as the origin",
        );
    }
    if matches!(bucket.place.bucket.blocks_the_public().await, Ok(true)) {
        problem(
            "which is closed to the public: viewers get 403",
            "the bucket's REST name as the origin, with an origin access control; or open the bucket",
        );
    }
}

/// Looks at where the site's first page answers.
async fn paths(
    check: &mut CheckUp,
    (site, id): (&ShownSite<'_>, &str),
    scene: (&Job, &ReadableBucket),
) {
    let paths = request_paths(site, &site.index_document);
    if paths.is_empty() {
        let origins: Vec<String> = site
            .origins()
            .map(|origin| format!("{}{}", origin.domain, origin.path))
            .collect();
        let text = format!(
            "{id}: no URL leads to /{}{}: its origin is {}",
            site.prefix,
            site.index_document,
            origins.join(", ")
        );
        let hint =
            "let OriginPath and `prefix` name the same folder, and a behavior lead to that origin";
        return check.problem(DISTRIBUTION, Error::failed(text).hint(hint));
    }
    let root = paths.iter().min_by_key(|path| path.text.len());
    let root = root.map_or("", |path| path.text.trim_end_matches('?'));
    let index = &site.index_document;
    let why = match &site.distribution.default_root_object {
        _ if root.ends_with('/') => None,
        None => Some("it has no default root object".to_owned()),
        // A site in a folder shows nothing at the distribution's root.
        Some(page) if !site.prefix.is_empty() || is_there(page, scene).await => None,
        Some(page) => Some(format!("there is no {page}, its default root object")),
    };
    match why {
        None => check.fine(DISTRIBUTION, format!("{id}: {root} shows {index}")),
        Some(why) => check.warn(
            DISTRIBUTION,
            format!("{id}: / shows no page, since {why}"),
            format!("`unstale setup --distribution {id} --root {index}`"),
        ),
    }
}

/// Tells whether a key, whole, is in the bucket, or is put there by the next deploy.
async fn is_there(key: &str, (job, bucket): (&Job, &ReadableBucket)) -> bool {
    let is_file = |file| !job.dir.as_os_str().is_empty() && job.dir.join(file).is_file();
    let is_built = key.strip_prefix(&bucket.place.prefix).is_some_and(is_file);
    is_built || !matches!(bucket.place.bucket.head(key, None).await, Ok(None))
}

/// Looks at what is answered for what is not there.
async fn errors(
    check: &mut CheckUp,
    (target, site): (&ResolvedDistribution, &ShownSite<'_>),
    (job, bucket): (&Job, &ReadableBucket),
) {
    let id = target.id();
    let responses = site.distribution.error_responses.iter();
    let pages = responses.filter(|response| matches!(response.code, 403 | 404));
    let pages: BTreeSet<&str> = pages
        .filter_map(|response| response.page.as_deref())
        .collect();
    if pages.is_empty() && !target.has_website() {
        return check.warn(
            DISTRIBUTION,
            format!("{id}: what is not there is answered with S3's own error in XML"),
            missing_page_advice(id, job.settings.spa),
        );
    }
    // An app's root is answered for every URL by design.
    let root = site.distribution.default_root_object.as_deref();
    let is_root = |page: &str| root == Some(page.trim_start_matches('/'));
    let mut responses = site.distribution.error_responses.iter();
    let hiding = responses.find_map(|response| {
        let page = response.page.as_deref().filter(|page| !is_root(page))?;
        let hides = matches!(response.code, 403 | 404) && response.response_code == Some(200);
        hides.then_some((response.code, page))
    });
    if let Some((code, page)) = hiding {
        check.warn(
            DISTRIBUTION,
            format!(
                "{id}: what is not there is answered with {page} and 200, as if it were a page"
            ),
            format!("`unstale setup --distribution {id} --error-page {code}={page}:404`"),
        );
    }
    for page in pages {
        for key in site.keys_of_page(page) {
            if !is_there(&key, (job, bucket)).await {
                check.warn(
                    DISTRIBUTION,
                    format!("{id}: its error page {page} is not in the bucket"),
                    "deploy one, or name another in the custom error responses",
                );
            }
        }
    }
}

/// Says how an error page comes about. An app is shown by its function, in the place of error pages.
fn missing_page_advice(id: &str, is_app: bool) -> String {
    let more = if is_app {
        "once the build has that page"
    } else {
        "or --spa for an app"
    };
    format!(
        "`unstale setup --error-page 404=/404.html`, {more}; with `--distribution {id}` where no stack made it or that changes nothing"
    )
}

/// Looks at what goes before the headers of objects, and at functions that are not understood.
fn headers(check: &mut CheckUp, site: &ShownSite<'_>, id: &str) {
    let behaviors = site.distribution.behaviors.iter();
    for behavior in behaviors.filter(|behavior| site.is_ours(behavior)) {
        if behavior.min_ttl > TOLERATED {
            check.warn(
                DISTRIBUTION,
                format!(
                    "{id}: the behavior {} keeps everything for {} s at least, whatever Cache-Control says",
                    behavior.pattern, behavior.min_ttl
                ),
                "give it a cache policy with a minimum TTL of 0 or 1, such as CachingOptimized",
            );
        }
    }
    let defeats = DistributionCritic::new(site).warnings();
    for text in defeats.into_iter().chain(unknown_functions(site)) {
        check.warn(DISTRIBUTION, format!("{id}: {text}"), "");
    }
}

/// Looks at whether the bucket lets the distribution read the site, and keeps the state to itself.
fn access(
    check: &mut CheckUp,
    target: &ResolvedDistribution,
    (job, bucket): (&Job, &ReadableBucket),
) {
    let id = target.id();
    if !bucket.policy_is_known {
        return;
    }
    let name = bucket.place.bucket.name();
    let policy = bucket.policy.as_deref().unwrap_or_default();
    let distribution = target.readable().map_or(id, |read| read.id.as_str());
    match read_access_of(bucket, distribution) {
        ReadAccess::Allowed => check.fine(DISTRIBUTION, format!("{id}: the bucket lets it read")),
        ReadAccess::Public => check.warn(
            DISTRIBUTION,
            format!("{id}: the policy of {name} lets anybody read, past the distribution too"),
            "let cloudfront.amazonaws.com read, on the condition that AWS:SourceArn is the distribution's",
        ),
        ReadAccess::Missing => check.problem(
            DISTRIBUTION,
            Error::failed(format!("{id}: the policy of {name} does not let it read: viewers get 403"))
                .hint("allow s3:GetObject to cloudfront.amazonaws.com, on the condition that AWS:SourceArn is the distribution's"),
        ),
    }
    if bucket.place.store.bucket.name() != name {
        return;
    }
    let root = &bucket.place.store.root;
    let state = format!("{name}/{root}state");
    if hides(policy, distribution, &state) {
        check.fine(
            "state",
            format!("the policy of {name} hides {root} from viewers"),
        );
    } else if !job.official && read_access(policy, distribution, &state) != ReadAccess::Missing {
        // AWS's own edges are asked instead.
        check.warn(
            "state",
            format!("the policy of {name} lets viewers read {root}"),
            "deny cloudfront.amazonaws.com s3:GetObject of it, as what `unstale setup --print` prints does",
        );
    }
}
