//! Finds the distributions in front of the bucket and reads their configuration into the model of [`crate::edge`].

use std::collections::HashMap;

use aws_sdk_cloudfront::types::{
    CacheBehavior, CachePolicyConfig, CachePolicyQueryStringBehavior, DefaultCacheBehavior,
    DistributionConfig, DistributionSummary, EventType, ForwardedValues, FunctionAssociations,
    LambdaFunctionAssociations,
};

use super::function::Function;
use crate::aws::cloudfront::PurgeTarget;
use crate::aws::{AwsError, CloudFront, Kind};
use crate::domain::tags;
use crate::edge::distribution::is_bucket_domain;
use crate::edge::{
    Behavior, Distribution, ErrorResponse, Index, Origin, QueryKey, Rewrite, rewrite_of,
};
use crate::error::Error;

/// Which distribution the settings ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// The one whose origin is the bucket.
    Auto,
    /// An id or an alias.
    Named(String),
}

/// A distribution, or a tenant of one, as it was found.
#[derive(Debug, Clone)]
pub struct Found {
    pub target: PurgeTarget,
    /// `Err`: why its configuration could not be read.
    pub distribution: Result<Distribution, String>,
    /// The ids of its origins that are the bucket.
    pub ours: Vec<String>,
}

impl Found {
    pub fn id(&self) -> &str {
        self.target.id()
    }

    /// Whether it is to purge by cache tags: they are wanted, and it reads them from where an object in S3 has them.
    pub fn takes_tags(&self, wanted: bool) -> bool {
        let distribution = self.distribution.as_ref().ok();
        let header = distribution.and_then(|it| it.cache_tag_header.as_deref());
        wanted && header.is_some_and(|header| header.eq_ignore_ascii_case(tags::HEADER))
    }

    /// Where a viewer finds it.
    pub fn domain(&self) -> Option<&str> {
        let distribution = self.distribution.as_ref().ok()?;
        let alias = distribution
            .aliases
            .iter()
            .find(|alias| !alias.starts_with('*'));
        alias
            .or(Some(&distribution.domain_name))
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    }
}

/// The wished-for distributions, with what people should be warned of.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    pub found: Vec<Found>,
    pub warnings: Vec<String>,
    /// The function that is to answer redirects; `found` is as if that were done.
    pub function: Option<Function>,
}

/// What the search is for.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    pub wishes: &'a [Wish],
    pub tenant: Option<&'a str>,
    pub bucket: &'a str,
    /// Host names, besides S3's own, by which the bucket is known.
    pub endpoints: &'a [String],
    pub index: Index,
    /// Functions are read whatever `index` says, since redirects are theirs to answer.
    pub redirects: bool,
}

/// Finds and reads them.
pub async fn find(cloudfront: &CloudFront, search: &Search<'_>) -> Result<Targets, Error> {
    let mut targets = Targets::default();
    if let Some(name) = search.tenant {
        let (id, distribution, domains) = cloudfront.tenant(name).await?;
        let mut found = match distribution {
            Some(distribution) => {
                read(cloudfront, &distribution, search, &mut targets.warnings).await?
            }
            None => Found {
                target: PurgeTarget::Tenant(id.clone()),
                distribution: Err("it has no distribution".into()),
                ours: Vec::new(),
            },
        };
        found.target = PurgeTarget::Tenant(id);
        if let Ok(distribution) = &mut found.distribution {
            distribution.aliases = domains;
        }
        targets.found.push(found);
        return Ok(targets);
    }
    let mut summaries = None;
    for wish in search.wishes {
        let id = match wish {
            Wish::Named(name) if is_id(name) => Some(name.clone()),
            Wish::Named(alias) => {
                let list = listed(cloudfront, &mut summaries).await?;
                Some(by_alias(list, alias)?)
            }
            Wish::Auto => match listed(cloudfront, &mut summaries).await {
                Ok(list) => by_bucket(list, search, &mut targets.warnings)?,
                Err(error) if error.is(&Kind::AccessDenied) || error.is(&Kind::NotImplemented) => {
                    targets.warnings.push(format!(
                        "no distribution is purged: {error}; name it with --distribution, or say --distribution none"
                    ));
                    None
                }
                Err(error) => return Err(error.into()),
            },
        };
        if let Some(id) = id
            && !targets.found.iter().any(|found| found.id() == id)
        {
            targets
                .found
                .push(read(cloudfront, &id, search, &mut targets.warnings).await?);
        }
    }
    Ok(targets)
}

/// Distribution ids are 13 or 14 capitals and digits that begin with an E; imitations have shorter ones.
fn is_id(name: &str) -> bool {
    !name.contains('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

async fn listed<'a>(
    cloudfront: &CloudFront,
    summaries: &'a mut Option<Vec<DistributionSummary>>,
) -> Result<&'a [DistributionSummary], AwsError> {
    if summaries.is_none() {
        *summaries = Some(cloudfront.distributions().await?);
    }
    Ok(summaries.as_deref().unwrap_or_default())
}

fn aliases(summary: &DistributionSummary) -> &[String] {
    summary
        .aliases
        .as_ref()
        .map(|aliases| aliases.items())
        .unwrap_or_default()
}

fn by_alias(list: &[DistributionSummary], alias: &str) -> Result<String, Error> {
    let named = |summary: &&DistributionSummary| {
        aliases(summary)
            .iter()
            .any(|one| one.eq_ignore_ascii_case(alias))
            || summary.domain_name.eq_ignore_ascii_case(alias)
    };
    let found = list.iter().find(named).map(|summary| summary.id.clone());
    found.ok_or_else(|| {
        Error::usage(format!("no distribution of this account has the alias {alias}"))
            .hint("`unstale distributions` lists them; --distribution takes an id, an alias, auto or none")
    })
}

fn by_bucket(
    list: &[DistributionSummary],
    search: &Search<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<String>, Error> {
    let leads_here = |summary: &&DistributionSummary| {
        let origins = summary
            .origins
            .as_ref()
            .map(|origins| origins.items())
            .unwrap_or_default();
        !summary.staging
            && origins
                .iter()
                .any(|origin| is_bucket(&origin.domain_name, search))
    };
    let found: Vec<_> = list.iter().filter(leads_here).collect();
    match found.as_slice() {
        [] => {
            warnings.push(format!(
                "no distribution has the bucket {} as its origin: nothing is purged (name one with --distribution, or say none)",
                search.bucket
            ));
            Ok(None)
        }
        [one] => Ok(Some(one.id.clone())),
        several => {
            let names = several.iter().map(|one| match aliases(one) {
                [] => format!("{} ({})", one.id, one.domain_name),
                aliases => format!("{} ({})", one.id, aliases.join(", ")),
            });
            let mut error = Error::usage(format!(
                "{} distributions have the bucket {} as their origin",
                several.len(),
                search.bucket
            ))
            .hint("name those to purge with --distribution, once for each");
            error.causes = names.collect();
            Err(error)
        }
    }
}

fn is_bucket(domain: &str, search: &Search<'_>) -> bool {
    is_bucket_domain(domain, search.bucket) || search.endpoints.iter().any(|host| host == domain)
}

async fn read(
    cloudfront: &CloudFront,
    id: &str,
    search: &Search<'_>,
    warnings: &mut Vec<String>,
) -> Result<Found, Error> {
    let target = PurgeTarget::Distribution(id.to_owned());
    let unreadable = |why: String| Found {
        target: target.clone(),
        distribution: Err(why),
        ours: Vec::new(),
    };
    let described = match cloudfront.describe(id).await {
        Ok(described) => described,
        Err(error) if may_be_denied(&error) => {
            return Ok(unreadable(format!(
                "its configuration cannot be read ({error}; allow {} on it)",
                error.action
            )));
        }
        Err(error) => return Err(error.into()),
    };
    let distribution = model(
        cloudfront,
        described.id,
        described.domain_name,
        described.config,
        search,
    )
    .await;
    let distribution = match distribution {
        Ok(distribution) => distribution,
        Err(error) => {
            return Ok(unreadable(format!(
                "its cache policy cannot be read ({error}; allow {} on it)",
                error.action
            )));
        }
    };
    let mut ours = distribution.bucket_origins(search.bucket, search.endpoints);
    if ours.is_empty() {
        // Named by hand, so it is the site's, whatever its origin is called.
        ours = distribution
            .behaviors
            .last()
            .map(|last| last.origins.clone())
            .unwrap_or_default();
        let domains = distribution
            .origins
            .iter()
            .map(|origin| origin.domain.as_str())
            .collect::<Vec<_>>();
        warnings.push(format!(
            "no origin of {id} is known to be the bucket {} ({}): its default behavior's is taken for it",
            search.bucket,
            domains.join(", ")
        ));
    }
    Ok(Found {
        target,
        distribution: Ok(distribution),
        ours,
    })
}

fn may_be_denied(error: &AwsError) -> bool {
    matches!(error.kind, Kind::AccessDenied | Kind::NotImplemented)
}

/// Reads a configuration, and the policies and functions that it names.
async fn model(
    cloudfront: &CloudFront,
    id: String,
    domain_name: Option<String>,
    config: DistributionConfig,
    search: &Search<'_>,
) -> Result<Distribution, AwsError> {
    let mut reader = Reader {
        cloudfront,
        index: search.index,
        redirects: search.redirects,
        policies: HashMap::new(),
        functions: HashMap::new(),
    };
    let origins = config
        .origins
        .map(|origins| origins.items)
        .unwrap_or_default();
    let groups: HashMap<String, Vec<String>> = config
        .origin_groups
        .and_then(|groups| groups.items)
        .unwrap_or_default()
        .into_iter()
        .map(|group| {
            let members = group
                .members
                .map(|members| members.items)
                .unwrap_or_default();
            (
                group.id,
                members.into_iter().map(|member| member.origin_id).collect(),
            )
        })
        .collect();
    let mut behaviors = Vec::new();
    for behavior in config
        .cache_behaviors
        .and_then(|list| list.items)
        .unwrap_or_default()
    {
        behaviors.push(reader.behavior(Common::from(behavior), &groups).await?);
    }
    if let Some(default) = config.default_cache_behavior {
        behaviors.push(reader.behavior(Common::from(default), &groups).await?);
    }
    let errors = config
        .custom_error_responses
        .and_then(|list| list.items)
        .unwrap_or_default();
    Ok(Distribution {
        id,
        domain_name: domain_name.unwrap_or_default(),
        aliases: config
            .aliases
            .and_then(|aliases| aliases.items)
            .unwrap_or_default(),
        default_root_object: config.default_root_object.filter(|key| !key.is_empty()),
        origins: origins
            .into_iter()
            .map(|origin| Origin {
                website: is_website(&origin.domain_name),
                path: origin
                    .origin_path
                    .unwrap_or_default()
                    .trim_end_matches('/')
                    .to_owned(),
                id: origin.id,
                domain: origin.domain_name,
            })
            .collect(),
        behaviors,
        error_responses: errors
            .into_iter()
            .map(|response| ErrorResponse {
                code: u16::try_from(response.error_code).unwrap_or_default(),
                page: response.response_page_path.filter(|page| !page.is_empty()),
                response_code: response.response_code.and_then(|code| code.parse().ok()),
                caching_min_ttl: response
                    .error_caching_min_ttl
                    .and_then(|ttl| u64::try_from(ttl).ok()),
            })
            .collect(),
        cache_tag_header: config.cache_tag_config.map(|tags| tags.header_name),
    })
}

fn is_website(domain: &str) -> bool {
    domain.contains(".s3-website-") || domain.contains(".s3-website.")
}

/// What the default behavior and the others have in common.
struct Common {
    pattern: String,
    origin: String,
    compress: bool,
    policy: Option<String>,
    forwarded: Option<ForwardedValues>,
    ttls: [Option<i64>; 3],
    functions: Option<FunctionAssociations>,
    lambdas: Option<LambdaFunctionAssociations>,
}

macro_rules! common {
    ($type:ty, $pattern:expr) => {
        impl From<$type> for Common {
            fn from(behavior: $type) -> Self {
                #[allow(deprecated)]
                Self {
                    pattern: $pattern(&behavior),
                    origin: behavior.target_origin_id,
                    compress: behavior.compress.unwrap_or_default(),
                    policy: behavior.cache_policy_id.filter(|id| !id.is_empty()),
                    forwarded: behavior.forwarded_values,
                    ttls: [behavior.min_ttl, behavior.default_ttl, behavior.max_ttl],
                    functions: behavior.function_associations,
                    lambdas: behavior.lambda_function_associations,
                }
            }
        }
    };
}

common!(DefaultCacheBehavior, |_: &DefaultCacheBehavior| "*"
    .to_owned());
common!(CacheBehavior, |behavior: &CacheBehavior| behavior
    .path_pattern
    .clone());

struct Reader<'a> {
    cloudfront: &'a CloudFront,
    index: Index,
    redirects: bool,
    policies: HashMap<String, Policy>,
    /// Their code, where it may be read.
    functions: HashMap<String, Option<String>>,
}

#[derive(Clone)]
struct Policy {
    ttls: [u64; 3],
    query: QueryKey,
}

/// The managed policies that never change (CloudFront Developer Guide, "Use managed cache policies").
fn managed(id: &str) -> Option<Policy> {
    let ttls = match id {
        // CachingOptimized, CachingOptimizedForUncompressedObjects
        "658327ea-f89d-4fab-a63d-7e88639e58f6" | "b2884449-e4de-46a7-ac36-70bc7f1ddd6d" => {
            [1, 86_400, 31_536_000]
        }
        // CachingDisabled
        "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" => [0, 0, 0],
        _ => return None,
    };
    Some(Policy {
        ttls,
        query: QueryKey::None,
    })
}

impl Reader<'_> {
    async fn behavior(
        &mut self,
        common: Common,
        groups: &HashMap<String, Vec<String>>,
    ) -> Result<Behavior, AwsError> {
        let policy = match &common.policy {
            Some(id) => self.policy(id).await?,
            None => legacy(&common),
        };
        let associated = associated(&common);
        let function = self.function(associated.as_deref()).await;
        let rewrite = match (&associated, &function, self.index) {
            (None, ..) => Rewrite::None,
            (_, _, index) if index != Index::Auto => Rewrite::None,
            (_, Some(code), _) => rewrite_of(code),
            (_, None, _) => Rewrite::Unknown,
        };
        let [min_ttl, default_ttl, max_ttl] = policy.ttls;
        Ok(Behavior {
            origins: groups
                .get(&common.origin)
                .cloned()
                .unwrap_or_else(|| vec![common.origin.clone()]),
            pattern: common.pattern,
            query: policy.query,
            min_ttl,
            default_ttl,
            max_ttl,
            compress: common.compress,
            rewrite,
            associated,
            function,
        })
    }

    async fn policy(&mut self, id: &str) -> Result<Policy, AwsError> {
        if let Some(policy) = managed(id) {
            return Ok(policy);
        }
        if let Some(policy) = self.policies.get(id) {
            return Ok(policy.clone());
        }
        let policy = from_config(self.cloudfront.cache_policy(id).await?);
        self.policies.insert(id.to_owned(), policy.clone());
        Ok(policy)
    }

    /// The code of a function, where it is of use and may be read; Lambdas have none that is.
    async fn function(&mut self, associated: Option<&str>) -> Option<String> {
        let name = associated?.strip_prefix("function/")?;
        if self.index != Index::Auto && !self.redirects {
            return None;
        }
        if let Some(code) = self.functions.get(name) {
            return code.clone();
        }
        let read = self.cloudfront.function(name, true).await;
        let code = read.ok().flatten().map(|code| code.text);
        self.functions.insert(name.to_owned(), code.clone());
        code
    }
}

/// What sees requests before the origin does, a Lambda or else a function, by the end of its ARN.
fn associated(common: &Common) -> Option<String> {
    let on_request =
        |event: &EventType| matches!(event, EventType::ViewerRequest | EventType::OriginRequest);
    let lambdas = common.lambdas.iter().flat_map(|list| list.items());
    let mut lambdas = lambdas.filter(|one| on_request(&one.event_type));
    let functions = common.functions.iter().flat_map(|list| list.items());
    let mut functions = functions.filter(|one| on_request(&one.event_type));
    let lambda = lambdas.next().map(|one| one.lambda_function_arn.clone());
    let arn = lambda.or_else(|| functions.next().map(|one| one.function_arn.clone()))?;
    // arn:aws:cloudfront::ACCOUNT:function/NAME, arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION
    Some(arn.splitn(6, ':').last().unwrap_or(&arn).to_owned())
}

/// Seconds, with CloudFront's defaults where nothing is said.
fn ttls([min, default, max]: [Option<i64>; 3]) -> [u64; 3] {
    let seconds = |ttl: Option<i64>, otherwise: u64| {
        ttl.and_then(|ttl| u64::try_from(ttl).ok())
            .unwrap_or(otherwise)
    };
    let min = seconds(min, 0);
    [
        min,
        seconds(default, 86_400.max(min)),
        seconds(max, 31_536_000.max(min)),
    ]
}

fn from_config(config: CachePolicyConfig) -> Policy {
    let strings = config
        .parameters_in_cache_key_and_forwarded_to_origin
        .and_then(|parameters| parameters.query_strings_config);
    let query = match strings {
        None => QueryKey::None,
        Some(strings) => match strings.query_string_behavior {
            CachePolicyQueryStringBehavior::None => QueryKey::None,
            CachePolicyQueryStringBehavior::Whitelist => QueryKey::Some(
                strings
                    .query_strings
                    .and_then(|names| names.items)
                    .unwrap_or_default(),
            ),
            _ => QueryKey::All,
        },
    };
    Policy {
        ttls: ttls([Some(config.min_ttl), config.default_ttl, config.max_ttl]),
        query,
    }
}

/// ForwardedValues, MinTTL and their like, as they were before there were policies.
fn legacy(common: &Common) -> Policy {
    let query = match &common.forwarded {
        Some(forwarded) if forwarded.query_string => match &forwarded.query_string_cache_keys {
            Some(keys) if keys.quantity > 0 => {
                QueryKey::Some(keys.items.clone().unwrap_or_default())
            }
            _ => QueryKey::All,
        },
        _ => QueryKey::None,
    };
    Policy {
        ttls: ttls(common.ttls),
        query,
    }
}
