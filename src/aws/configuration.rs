//! Reads a distribution's configuration, with the policies and functions that it names, into the model of [`crate::edge`].

use std::collections::HashMap;

use aws_sdk_cloudfront::types::{
    CachePolicyConfig, CachePolicyQueryStringBehavior, CustomErrorResponse, EventType,
    ForwardedValues, FunctionAssociations, LambdaFunctionAssociations, OriginGroups,
};

use super::cloudfront::DescribedDistribution;
use super::{AwsError, CloudFront};
use crate::edge::{
    Behavior, Distribution, ErrorResponse, FunctionTrust, IndexLookup, Origin, QueryKey,
    UnreadFunction, UriForm, UriRewrite, rewrite_of,
};

/// Seconds that objects are kept where neither they nor the configuration say otherwise (CloudFront API Reference,
/// "CachePolicyConfig").
const DEFAULT_TTL: u64 = 86_400;
const MAX_TTL: u64 = 31_536_000;

/// The members of each origin group, by its id, and whether it goes on to the next where an object is missing.
type OriginGroupMembers = HashMap<String, (Vec<String>, bool)>;

/// The settings that the default behavior and the others have in common.
struct BehaviorSettings {
    pattern: String,
    origin: String,
    compress: bool,
    policy: Option<String>,
    forwarded: Option<ForwardedValues>,
    ttls: [Option<i64>; 3],
    functions: Option<FunctionAssociations>,
    lambdas: Option<LambdaFunctionAssociations>,
    headers_policy: Option<String>,
}

/// Reads the same fields of CloudFront's two types of behaviors.
macro_rules! settings {
    ($behavior:expr, $pattern:expr) => {{
        let (behavior, pattern) = ($behavior, $pattern);
        #[allow(deprecated)]
        BehaviorSettings {
            pattern,
            origin: behavior.target_origin_id,
            compress: behavior.compress.unwrap_or_default(),
            policy: behavior.cache_policy_id.filter(|id| !id.is_empty()),
            forwarded: behavior.forwarded_values,
            ttls: [behavior.min_ttl, behavior.default_ttl, behavior.max_ttl],
            functions: behavior.function_associations,
            lambdas: behavior.lambda_function_associations,
            headers_policy: (behavior.response_headers_policy_id).filter(|id| !id.is_empty()),
        }
    }};
}

/// What of a distribution's functions matters.
#[derive(Debug, Clone, Copy)]
pub struct FunctionReading {
    /// The code is read where it alone tells how index documents are found.
    pub index: IndexLookup,
    /// There are redirects, which functions may answer.
    pub redirects: bool,
    pub trust: FunctionTrust,
}

/// Reads a configuration.
///
/// # Errors
/// Where a cache policy or a function cannot be read. A function that may not be is a rewrite that nobody knows.
pub async fn read(
    cloudfront: &CloudFront,
    described: DescribedDistribution,
    reading: FunctionReading,
) -> Result<Distribution, AwsError> {
    let config = described.config;
    let mut reader = ConfigurationReader {
        cloudfront,
        reading,
        groups: config.origin_groups.map(members).unwrap_or_default(),
        policies: HashMap::new(),
        functions: HashMap::new(),
    };
    let listed = config.cache_behaviors.and_then(|list| list.items);
    let mut behaviors = Vec::new();
    for mut behavior in listed.unwrap_or_default() {
        let pattern = std::mem::take(&mut behavior.path_pattern);
        let settings = settings!(behavior, pattern);
        behaviors.push(reader.behavior(settings).await?);
    }
    if let Some(default) = config.default_cache_behavior {
        let settings = settings!(default, "*".to_owned());
        behaviors.push(reader.behavior(settings).await?);
    }
    let aliases = config.aliases.and_then(|aliases| aliases.items);
    let origins = config.origins.map(|origins| origins.items);
    let origins = origins.unwrap_or_default().into_iter();
    let errors = config.custom_error_responses.and_then(|list| list.items);
    let errors = errors.unwrap_or_default().into_iter();
    Ok(Distribution {
        id: described.id,
        domain_name: described.domain_name.unwrap_or_default(),
        aliases: aliases.unwrap_or_default(),
        default_root_object: config.default_root_object.filter(|key| !key.is_empty()),
        origins: origins.map(origin).collect(),
        behaviors,
        error_responses: errors.map(error_response).collect(),
        cache_tag_header: config.cache_tag_config.map(|tags| tags.header_name),
        website: None,
    })
}

fn members(groups: OriginGroups) -> OriginGroupMembers {
    let groups = groups.items.unwrap_or_default().into_iter();
    let groups = groups.map(|group| {
        let members = group.members.map(|members| members.items);
        let members = members.unwrap_or_default().into_iter();
        let members = members.map(|member| member.origin_id).collect();
        let criteria = group.failover_criteria.and_then(|it| it.status_codes);
        let codes = criteria.map(|codes| codes.items).unwrap_or_default();
        let fails_over = codes.iter().any(|code| matches!(code, 403 | 404));
        (group.id, (members, fails_over))
    });
    groups.collect()
}

fn origin(origin: aws_sdk_cloudfront::types::Origin) -> Origin {
    let path = origin.origin_path.unwrap_or_default();
    let domain = origin.domain_name;
    Origin {
        website: domain.contains(".s3-website-") || domain.contains(".s3-website."),
        path: path.trim_end_matches('/').to_owned(),
        id: origin.id,
        domain,
    }
}

fn error_response(response: CustomErrorResponse) -> ErrorResponse {
    let ttl = response.error_caching_min_ttl;
    ErrorResponse {
        code: u16::try_from(response.error_code).unwrap_or_default(),
        page: response.response_page_path.filter(|page| !page.is_empty()),
        response_code: response.response_code.and_then(|code| code.parse().ok()),
        caching_min_ttl: ttl.and_then(|ttl| u64::try_from(ttl).ok()),
    }
}

/// What a cache policy, or the settings from before there were policies, say of a behavior.
#[derive(Clone)]
struct CacheSettings {
    /// The minimum, the default and the maximum, in seconds.
    ttls: [u64; 3],
    query: QueryKey,
}

/// Reads behaviors, and each policy and function that they name once.
struct ConfigurationReader<'a> {
    cloudfront: &'a CloudFront,
    reading: FunctionReading,
    groups: OriginGroupMembers,
    policies: HashMap<String, CacheSettings>,
    /// Their code, where it may be read.
    functions: HashMap<String, Option<String>>,
}

impl ConfigurationReader<'_> {
    async fn behavior(&mut self, settings: BehaviorSettings) -> Result<Behavior, AwsError> {
        let cache = match &settings.policy {
            Some(id) => self.policy(id).await?,
            None => legacy(&settings),
        };
        let associated = associated(&settings);
        let resource = associated.as_ref().map(|(resource, _)| resource.as_str());
        let function = self.function(resource).await?;
        let reading = match &associated {
            Some((resource, event)) if self.reading.index == IndexLookup::Auto => {
                self.reading.of(resource, event, function.as_deref())
            }
            _ => RewriteReading::default(),
        };
        let answered_by = function_on(&settings, &EventType::ViewerResponse);
        let origin_response = lambda_on(&settings, &EventType::OriginResponse);
        let group = self.groups.get(&settings.origin).cloned();
        let (origins, fails_over) = group.unwrap_or_else(|| (vec![settings.origin], false));
        let [min_ttl, default_ttl, max_ttl] = cache.ttls;
        Ok(Behavior {
            origins,
            fails_over,
            origin_response,
            answered_by,
            pattern: settings.pattern,
            query: cache.query,
            min_ttl,
            default_ttl,
            max_ttl,
            compress: settings.compress,
            headers_policy: settings.headers_policy,
            rewrite: reading.rewrite,
            unread: reading.unread,
            associated: associated.map(|(resource, _)| resource),
            function,
        })
    }

    async fn policy(&mut self, id: &str) -> Result<CacheSettings, AwsError> {
        if let Some(policy) = managed(id) {
            return Ok(policy);
        }
        if let Some(policy) = self.policies.get(id) {
            return Ok(policy.clone());
        }
        let policy = from_policy(self.cloudfront.cache_policy(id).await?);
        self.policies.insert(id.to_owned(), policy.clone());
        Ok(policy)
    }

    /// Reads the code of a function, where it is of use and may be read; Lambdas have none that is.
    async fn function(&mut self, associated: Option<&str>) -> Result<Option<String>, AwsError> {
        let name = associated.and_then(|resource| resource.strip_prefix("function/"));
        let is_of_use = self.reading.index == IndexLookup::Auto || self.reading.redirects;
        let Some(name) = name.filter(|_| is_of_use) else {
            return Ok(None);
        };
        if let Some(code) = self.functions.get(name) {
            return Ok(code.clone());
        }
        let code = match self.cloudfront.function(name, true).await {
            Ok(code) => code.map(|code| code.text),
            Err(error) if error.is_denied() => None,
            Err(error) => return Err(error),
        };
        self.functions.insert(name.to_owned(), code.clone());
        Ok(code)
    }
}

/// What is known of a function or Lambda, and what of it is not understood.
#[derive(Default)]
struct RewriteReading {
    rewrite: UriRewrite,
    unread: Option<UnreadFunction>,
}

impl FunctionReading {
    /// Reads what the function or Lambda of this event does to the URI.
    fn of(self, resource: &str, event: &EventType, code: Option<&str>) -> RewriteReading {
        let is_lambda = !resource.starts_with("function/");
        let read = match (code, event) {
            (Some(code), _) => rewrite_of(code).map_err(UnreadFunction::Piece),
            (None, _) if !is_lambda => Err(UnreadFunction::Denied),
            (None, EventType::ViewerRequest) => Err(UnreadFunction::Lambda),
            (None, _) => Err(UnreadFunction::OriginLambda),
        };
        let unread = read.as_ref().err().cloned();
        let rewrite = read.unwrap_or_else(|why| match self.trust {
            FunctionTrust::Rewrite if why != UnreadFunction::OriginLambda => {
                let mut forms = vec![UriForm::Any];
                if is_lambda {
                    // Of both URIs AWS advises to purge the viewer's as well ("Invalidate files").
                    let usual = ["index.html", "/index.html", ".html"];
                    forms.extend(usual.map(|end| UriForm::ending("", end)));
                }
                UriRewrite::Forms(forms)
            }
            _ => UriRewrite::Unknown,
        });
        RewriteReading { rewrite, unread }
    }
}

/// Returns what sees requests before the origin does, a Lambda or else a function, as the end of its ARN, with its event: the
/// origin's where there are several.
fn associated(settings: &BehaviorSettings) -> Option<(String, EventType)> {
    let lambdas = settings.lambdas.iter().flat_map(|list| list.items());
    let lambdas = lambdas.map(|lambda| (&lambda.lambda_function_arn, &lambda.event_type));
    let functions = settings.functions.iter().flat_map(|list| list.items());
    let functions = functions.map(|function| (&function.function_arn, &function.event_type));
    let on_request =
        |event: &EventType| matches!(event, EventType::ViewerRequest | EventType::OriginRequest);
    let mut all = lambdas
        .chain(functions)
        .filter(|(_, event)| on_request(event));
    let (arn, event) = all.next()?;
    // Two Lambdas, or a function and a Lambda.
    let mut on_origin = || all.any(|(_, event)| *event == EventType::OriginRequest);
    let event = if on_origin() {
        &EventType::OriginRequest
    } else {
        event
    };
    Some((end_of(arn)?, event.clone()))
}

/// Returns what names a function: arn:aws:cloudfront::ACCOUNT:function/NAME, arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION.
fn end_of(arn: &str) -> Option<String> {
    arn.splitn(6, ':').last().map(str::to_owned)
}

/// Returns the function that runs on an event, as the end of its ARN.
fn function_on(settings: &BehaviorSettings, event: &EventType) -> Option<String> {
    let mut functions = settings.functions.iter().flat_map(|list| list.items());
    let function = functions.find(|function| function.event_type == *event)?;
    end_of(&function.function_arn)
}

/// Returns the Lambda that runs on an event, as the end of its ARN.
fn lambda_on(settings: &BehaviorSettings, event: &EventType) -> Option<String> {
    let mut lambdas = settings.lambdas.iter().flat_map(|list| list.items());
    let lambda = lambdas.find(|lambda| lambda.event_type == *event)?;
    end_of(&lambda.lambda_function_arn)
}

/// Returns the managed policies that never change (CloudFront Developer Guide, "Use managed cache policies").
fn managed(id: &str) -> Option<CacheSettings> {
    let (ttls, query) = match id {
        // CachingOptimized, CachingOptimizedForUncompressedObjects
        "658327ea-f89d-4fab-a63d-7e88639e58f6" | "b2884449-e4de-46a7-ac36-70bc7f1ddd6d" => {
            ([1, DEFAULT_TTL, MAX_TTL], QueryKey::None)
        }
        // CachingDisabled
        "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" => ([0, 0, 0], QueryKey::None),
        // UseOriginCacheControlHeaders, and with query strings
        "83da9c7e-98b4-4e11-a168-04f0df8e2c65" => ([0, 0, MAX_TTL], QueryKey::None),
        "4cc15a8a-d715-48a4-82b8-cc0b614638fe" => ([0, 0, MAX_TTL], QueryKey::All),
        _ => return None,
    };
    Some(CacheSettings { ttls, query })
}

/// Returns the minimum, the default and the maximum, with CloudFront's defaults where nothing is said.
fn ttls([min, default, max]: [Option<i64>; 3]) -> [u64; 3] {
    let seconds = |ttl: Option<i64>, default: u64| {
        ttl.and_then(|ttl| u64::try_from(ttl).ok())
            .unwrap_or(default)
    };
    let min = seconds(min, 0);
    [
        min,
        seconds(default, DEFAULT_TTL.max(min)),
        seconds(max, MAX_TTL.max(min)),
    ]
}

fn from_policy(config: CachePolicyConfig) -> CacheSettings {
    let parameters = config.parameters_in_cache_key_and_forwarded_to_origin;
    let strings = parameters.and_then(|parameters| parameters.query_strings_config);
    let query = match strings {
        None => QueryKey::None,
        Some(strings) => match strings.query_string_behavior {
            CachePolicyQueryStringBehavior::None => QueryKey::None,
            CachePolicyQueryStringBehavior::Whitelist => {
                let names = strings.query_strings.and_then(|names| names.items);
                QueryKey::Some(names.unwrap_or_default())
            }
            _ => QueryKey::All,
        },
    };
    let ttls = ttls([Some(config.min_ttl), config.default_ttl, config.max_ttl]);
    CacheSettings { ttls, query }
}

/// Reads ForwardedValues, MinTTL and their like, as they were before there were policies.
fn legacy(settings: &BehaviorSettings) -> CacheSettings {
    let query = match &settings.forwarded {
        Some(forwarded) if forwarded.query_string => match &forwarded.query_string_cache_keys {
            Some(keys) if keys.quantity > 0 => {
                QueryKey::Some(keys.items.clone().unwrap_or_default())
            }
            _ => QueryKey::All,
        },
        _ => QueryKey::None,
    };
    let ttls = ttls(settings.ttls);
    CacheSettings { ttls, query }
}
