//! CloudFront's REST API of 2020-05-31, as far as a deploy calls it.

use hyper::header::HeaderValue;
use hyper::{HeaderMap, Response};
use s3s::Body;

use super::clock::iso_date;
use super::distribution::Distribution;
use super::http::{decode, failure, parameter, xml};
use super::invalidation::{Invalidation, Refusal};
use super::request::{RequestInfo, Service};
use super::world::Shared;
use super::xml::{Element, leaf, list, node};

mod config;
mod function_tests;
mod functions;
mod headers_policies;
mod key_value_stores;
mod reading;
mod tenants;

pub(crate) use headers_policies::read_headers_policy;
pub(crate) use reading::read_distribution;

/// The operation that a request is for; empty for an unknown one.
pub(super) fn operation(method: &str, path: &str) -> &'static str {
    match (method, segments(path).as_slice()) {
        ("POST", ["distribution", _, "invalidation"]) => "CreateInvalidation",
        ("GET", ["distribution", _, "invalidation"]) => "ListInvalidations",
        ("GET", ["distribution", _, "invalidation", _]) => "GetInvalidation",
        ("GET", ["distribution"]) => "ListDistributions",
        ("GET", ["distribution", _]) => "GetDistribution",
        ("GET", ["distribution", _, "config"]) => "GetDistributionConfig",
        ("GET", ["cache-policy", _]) => "GetCachePolicy",
        ("POST", ["response-headers-policy"]) => "CreateResponseHeadersPolicy",
        ("GET", ["response-headers-policy"]) => "ListResponseHeadersPolicies",
        ("GET", ["response-headers-policy", _]) => "GetResponseHeadersPolicy",
        ("GET", ["response-headers-policy", _, "config"]) => "GetResponseHeadersPolicyConfig",
        ("PUT", ["response-headers-policy", _]) => "UpdateResponseHeadersPolicy",
        ("DELETE", ["response-headers-policy", _]) => "DeleteResponseHeadersPolicy",
        ("GET", ["continuous-deployment-policy", _]) => "GetContinuousDeploymentPolicy",
        ("GET", ["function", _, "describe"]) => "DescribeFunction",
        ("GET", ["function", _]) => "GetFunction",
        ("POST", ["function"]) => "CreateFunction",
        ("PUT", ["function", _]) => "UpdateFunction",
        ("POST", ["function", _, "publish"]) => "PublishFunction",
        ("POST", ["function", _, "test"]) => "TestFunction",
        ("DELETE", ["function", _]) => "DeleteFunction",
        ("POST", ["key-value-store"]) => "CreateKeyValueStore",
        ("GET", ["key-value-store"]) => "ListKeyValueStores",
        ("GET", ["key-value-store", _]) => "DescribeKeyValueStore",
        ("DELETE", ["key-value-store", _]) => "DeleteKeyValueStore",
        ("PUT", ["distribution", _, "config"]) => "UpdateDistribution",
        ("POST", ["distribution-tenant", _, "invalidation"]) => {
            "CreateInvalidationForDistributionTenant"
        }
        ("GET", ["distribution-tenant", _, "invalidation"]) => {
            "ListInvalidationsForDistributionTenant"
        }
        ("GET", ["distribution-tenant", _, "invalidation", _]) => {
            "GetInvalidationForDistributionTenant"
        }
        ("GET", ["distribution-tenant"]) => "GetDistributionTenantByDomain",
        ("GET", ["distribution-tenant", _]) => "GetDistributionTenant",
        ("POST", ["distribution-tenants"]) => "ListDistributionTenants",
        _ => "",
    }
}

fn segments(path: &str) -> Vec<&str> {
    let rest = path.strip_prefix("/2020-05-31/").unwrap_or_default();
    rest.split('/').collect()
}

struct Failed(u16, &'static str, String);

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match refusal {
            Refusal::NoSuchDistribution => (404, "NoSuchDistribution"),
            Refusal::InvalidArgument => (400, "InvalidArgument"),
            Refusal::BatchTooLarge => (413, "BatchTooLarge"),
            Refusal::TooManyInProgress => (400, "TooManyInvalidationsInProgress"),
            Refusal::Throttling => (400, "Throttling"),
            Refusal::BatchAlreadyExists => (400, "InvalidationBatchAlreadyExists"),
        };
        Self(status, code, refusal.to_string())
    }
}

struct Done {
    status: u16,
    document: Option<Element>,
    raw: Vec<u8>,
    headers: Vec<(&'static str, String)>,
}

impl Done {
    fn ok(document: Element) -> Self {
        Self {
            status: 200,
            document: Some(document),
            raw: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// 204.
    fn nothing() -> Self {
        Self {
            status: 204,
            document: None,
            raw: Vec::new(),
            headers: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Answers one request of the API.
pub(super) fn answer(
    shared: &Shared,
    info: &RequestInfo,
    headers: &HeaderMap,
    body: &str,
) -> Response<Body> {
    match route(shared, info, headers, body) {
        Ok(done) => {
            let bytes = match &done.document {
                Some(document) => document.document(Service::CloudFront.namespace()),
                None => done.raw,
            };
            let mut answer = xml(done.status, bytes);
            for (name, value) in done.headers {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    answer.headers_mut().insert(name, value);
                }
            }
            answer
        }
        Err(Failed(status, code, message)) => {
            failure(Service::CloudFront, status, code, &message, false)
        }
    }
}

fn route(
    shared: &Shared,
    info: &RequestInfo,
    headers: &HeaderMap,
    body: &str,
) -> Result<Done, Failed> {
    let path = decode(&info.path);
    let parts = segments(&path);
    let id = parts.get(1).copied().unwrap_or_default();
    let last = parts.get(3).copied().unwrap_or_default();
    match info.operation {
        "CreateInvalidation" => create(shared, &distribution(shared, id)?.id, body),
        "ListInvalidations" => {
            list_invalidations(shared, &distribution(shared, id)?.id, &info.query)
        }
        "GetInvalidation" => get_invalidation(shared, &distribution(shared, id)?.id, last),
        "CreateInvalidationForDistributionTenant" => {
            create(shared, &tenants::tenant(shared, id)?.id, body)
        }
        "ListInvalidationsForDistributionTenant" => {
            list_invalidations(shared, &tenants::tenant(shared, id)?.id, &info.query)
        }
        "GetInvalidationForDistributionTenant" => {
            get_invalidation(shared, &tenants::tenant(shared, id)?.id, last)
        }
        "GetDistributionTenant" => tenants::get(shared, id),
        "GetDistributionTenantByDomain" => tenants::by_domain(shared, &info.query),
        "ListDistributionTenants" => Ok(tenants::list(shared, body)),
        "ListDistributions" => Ok(list_distributions(shared, &info.query)),
        "GetDistribution" => {
            let distribution = distribution(shared, id)?;
            Ok(Done::ok(whole(shared, &distribution)).with("etag", tag(&distribution)))
        }
        "GetDistributionConfig" => {
            let distribution = distribution(shared, id)?;
            Ok(Done::ok(distribution.config()).with("etag", tag(&distribution)))
        }
        "GetCachePolicy" => match shared.cloud.policy_by_id(id) {
            Some(policy) => {
                let document = policy.element(id, &iso_date(shared.begun));
                Ok(Done::ok(document).with("etag", "E23ZP02F085DFQ"))
            }
            None => Err(missing("NoSuchCachePolicy", "cache policy")),
        },
        "GetContinuousDeploymentPolicy" => match shared.cloud.deployment(id) {
            Some(policy) => {
                let document = policy.element(id, &iso_date(shared.begun));
                Ok(Done::ok(document).with("etag", "E23ZP02F085DFQ"))
            }
            None => Err(missing(
                "NoSuchContinuousDeploymentPolicy",
                "continuous deployment policy",
            )),
        },
        "CreateResponseHeadersPolicy" => headers_policies::create(shared, body),
        "ListResponseHeadersPolicies" => Ok(headers_policies::list_policies(shared, &info.query)),
        "GetResponseHeadersPolicy" => headers_policies::get(shared, id),
        "GetResponseHeadersPolicyConfig" => headers_policies::get_config(shared, id),
        "UpdateResponseHeadersPolicy" => headers_policies::update(shared, id, headers, body),
        "DeleteResponseHeadersPolicy" => headers_policies::delete(shared, id, headers),
        "DescribeFunction" => functions::describe(shared, id, &info.query),
        "GetFunction" => functions::get(shared, id, &info.query),
        "CreateFunction" => functions::create(shared, body),
        "UpdateFunction" => functions::update(shared, id, headers, body),
        "PublishFunction" => functions::publish(shared, id, headers),
        "TestFunction" => function_tests::test(shared, id, headers, body),
        "DeleteFunction" => functions::delete(shared, id, headers),
        "CreateKeyValueStore" => key_value_stores::create(shared, body),
        "ListKeyValueStores" => Ok(key_value_stores::list(shared, &info.query)),
        "DescribeKeyValueStore" => key_value_stores::describe(shared, id),
        "DeleteKeyValueStore" => key_value_stores::delete(shared, id, headers),
        "UpdateDistribution" => functions::update_distribution(shared, id, headers, body),
        _ => Err(Failed(
            501,
            "NotImplemented",
            format!("{} {} is not served here", info.method, info.path),
        )),
    }
}

fn missing(code: &'static str, what: &str) -> Failed {
    Failed(404, code, format!("The specified {what} does not exist."))
}

fn distribution(shared: &Shared, id: &str) -> Result<Distribution, Failed> {
    let distribution = shared.cloud.distribution(id);
    distribution.ok_or_else(|| Refusal::NoSuchDistribution.into())
}

/// Changes whenever the distribution does.
fn tag(distribution: &Distribution) -> String {
    let config = distribution.config().document("");
    format!(
        "E{}",
        super::distribution::code_of(&String::from_utf8_lossy(&config))
    )
}

fn whole(shared: &Shared, distribution: &Distribution) -> Element {
    let invalidations = shared
        .cloud
        .invalidations(&distribution.id)
        .unwrap_or_default();
    let now = shared.clock.now();
    let running = invalidations
        .iter()
        .filter(|invalidation| invalidation.completes > now)
        .count();
    let untrusted = |name: &str| node(name, [leaf("Enabled", false), leaf("Quantity", 0)]);
    node(
        "Distribution",
        [
            leaf("Id", &distribution.id),
            leaf("ARN", distribution.arn()),
            leaf("Status", shared.cloud.status(distribution, now)),
            leaf("LastModifiedTime", iso_date(shared.begun)),
            leaf("InProgressInvalidationBatches", running),
            leaf("DomainName", &distribution.domain),
            untrusted("ActiveTrustedSigners"),
            untrusted("ActiveTrustedKeyGroups"),
            distribution.config(),
        ],
    )
}

fn create(shared: &Shared, id: &str, body: &str) -> Result<Done, Failed> {
    let refused = |code, said: &str| Failed(400, code, said.to_owned());
    if body.trim().is_empty() {
        return Err(refused("MissingBody", "This operation requires a body."));
    }
    let batch = Element::parse(body).filter(|batch| batch.name == "InvalidationBatch");
    let batch = batch.ok_or_else(|| refused("MalformedXML", "The XML is not well formed."))?;
    let items: Vec<String> = batch
        .items("Paths")
        .iter()
        .map(|item| item.text.clone())
        .collect();
    let quantity = batch.text_at("Paths/Quantity").trim().parse::<usize>().ok();
    if quantity != Some(items.len()) {
        let said = "The value of Quantity and the size of Items don't match.";
        return Err(refused("InconsistentQuantities", said));
    }
    let reference = batch.text_at("CallerReference");
    if reference.is_empty() {
        return Err(refused(
            "InvalidArgument",
            "The caller reference is missing.",
        ));
    }
    let now = shared.clock.now();
    let done = shared.cloud.invalidate(id, reference, items, now)?;
    let place = format!(
        "https://cloudfront.amazonaws.com/2020-05-31/distribution/{id}/invalidation/{}",
        done.id
    );
    let mut answer = Done::ok(invalidation(shared, &done)).with("location", place);
    answer.status = 201;
    Ok(answer)
}

fn status(shared: &Shared, invalidation: &Invalidation) -> Element {
    let done = invalidation.completes <= shared.clock.now();
    leaf("Status", if done { "Completed" } else { "InProgress" })
}

fn invalidation(shared: &Shared, invalidation: &Invalidation) -> Element {
    let batch = node(
        "InvalidationBatch",
        [
            list(
                "Paths",
                invalidation.items.iter().map(|item| leaf("Path", item)),
            ),
            leaf("CallerReference", &invalidation.caller_reference),
        ],
    );
    let time = leaf("CreateTime", iso_date(invalidation.accepted));
    node(
        "Invalidation",
        [
            leaf("Id", &invalidation.id),
            status(shared, invalidation),
            time,
            batch,
        ],
    )
}

fn get_invalidation(shared: &Shared, id: &str, wanted: &str) -> Result<Done, Failed> {
    let invalidations = shared
        .cloud
        .invalidations(id)
        .ok_or(Refusal::NoSuchDistribution)?;
    let found = invalidations
        .iter()
        .find(|invalidation| invalidation.id == wanted);
    let found = found.ok_or_else(|| missing("NoSuchInvalidation", "invalidation"))?;
    Ok(Done::ok(invalidation(shared, found)))
}

/// One page by the Marker and MaxItems of a query.
fn queried<T>(
    items: Vec<T>,
    id: impl Fn(&T) -> &str,
    query: &str,
    most: usize,
) -> (Vec<T>, Element) {
    let marker = parameter(query, "Marker").unwrap_or_default();
    let asked = parameter(query, "MaxItems").and_then(|text| text.parse().ok());
    page(items, id, &marker, asked, most)
}

/// One page out of what is to be listed: after the marker, at most as many as are asked for.
fn page<T>(
    items: Vec<T>,
    id: impl Fn(&T) -> &str,
    marker: &str,
    asked: Option<usize>,
    most: usize,
) -> (Vec<T>, Element) {
    let most = asked.unwrap_or(most).min(most).max(1);
    let from = items
        .iter()
        .position(|item| id(item) == marker)
        .map_or(0, |position| position + 1);
    let left = items.len() - from;
    let shown: Vec<T> = items.into_iter().skip(from).take(most).collect();
    let mut head = node("Head", [leaf("Marker", marker)]);
    if left > most {
        let next = shown.last().map(&id).unwrap_or_default();
        head.children.push(leaf("NextMarker", next));
    }
    head.children.push(leaf("MaxItems", most));
    head.children.push(leaf("IsTruncated", left > most));
    (shown, head)
}

fn listed(name: &str, head: Element, items: Vec<Element>) -> Element {
    let items = list(name, items);
    node(name, head.children.into_iter().chain(items.children))
}

/// The newest first.
fn list_invalidations(shared: &Shared, id: &str, query: &str) -> Result<Done, Failed> {
    let mut invalidations = shared
        .cloud
        .invalidations(id)
        .ok_or(Refusal::NoSuchDistribution)?;
    invalidations.reverse();
    let (shown, head) = queried(
        invalidations,
        |invalidation| invalidation.id.as_str(),
        query,
        shared.cloud.page(),
    );
    let items = shown.iter().map(|invalidation| {
        let time = leaf("CreateTime", iso_date(invalidation.accepted));
        node(
            "InvalidationSummary",
            [
                leaf("Id", &invalidation.id),
                time,
                status(shared, invalidation),
            ],
        )
    });
    Ok(Done::ok(listed("InvalidationList", head, items.collect())))
}

fn list_distributions(shared: &Shared, query: &str) -> Done {
    let distributions = shared.cloud.distributions();
    let (shown, head) = queried(
        distributions,
        |distribution| distribution.id.as_str(),
        query,
        shared.cloud.page(),
    );
    let time = iso_date(shared.begun);
    let now = shared.clock.now();
    let items = shown.iter().map(|distribution| {
        let status = shared.cloud.status(distribution, now);
        distribution.summary(&status, &time)
    });
    let items = items.collect();
    Done::ok(listed("DistributionList", head, items))
}
