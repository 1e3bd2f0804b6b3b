//! CloudFront Functions, and the distributions that run them.

use hyper::HeaderMap;

use super::headers_policies::no_such_policy;
use super::{Done, Failed, distribution, missing, parameter, tag, whole};
use crate::clock::iso_date;
use crate::content::unbase64;
use crate::distribution::{Behavior, Distribution, code_of};
use crate::function::{Function, Stages, function_arn};
use crate::http::header;
use crate::world::Shared;
use crate::xml::{Element, leaf, node};

/// The most bytes of code (Developer Guide, "Quotas on CloudFront Functions").
const MOST_BYTES: usize = 10 * 1024;

fn etag(function: &Function) -> String {
    format!("ETV{}", code_of(&function.code))
}

fn refused<T>(status: u16, code: &'static str, said: &str) -> Result<T, Failed> {
    Err(Failed(status, code, said.to_owned()))
}

fn stages(shared: &Shared, name: &str) -> Result<Stages, Failed> {
    let stages = shared.cloud.stages(name);
    stages.ok_or_else(|| missing("NoSuchFunctionExists", "function"))
}

/// The function in the stage that the query names.
fn staged(shared: &Shared, name: &str, query: &str) -> Result<(Stages, Function), Failed> {
    let stages = stages(shared, name)?;
    let function = match parameter(query, "Stage").as_deref() {
        Some("LIVE") => stages.live.clone(),
        _ => Some(stages.development.clone()),
    };
    let function = function.ok_or_else(|| missing("NoSuchFunctionExists", "function"))?;
    Ok((stages, function))
}

pub(super) fn describe(shared: &Shared, name: &str, query: &str) -> Result<Done, Failed> {
    let (stages, function) = staged(shared, name, query)?;
    let stage = parameter(query, "Stage").unwrap_or_else(|| "DEVELOPMENT".to_owned());
    Ok(Done::ok(summary(shared, name, &stage, &stages)).with("etag", etag(&function)))
}

pub(super) fn get(shared: &Shared, name: &str, query: &str) -> Result<Done, Failed> {
    let (_, function) = staged(shared, name, query)?;
    let tag = etag(&function);
    let done = Done {
        status: 200,
        document: None,
        raw: function.code.into_bytes(),
        headers: vec![("content-type", "application/octet-stream".to_owned())],
    };
    Ok(done.with("etag", tag))
}

pub(super) fn create(shared: &Shared, body: &str) -> Result<Done, Failed> {
    let request = Element::parse(body).unwrap_or_default();
    let name = request.text_at("Name");
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(named) {
        return refused(400, "InvalidArgument", "The function's name is not valid.");
    }
    let (code, comment) = sent(&request)?;
    let stages = shared.cloud.alter_function(name, |stages| match stages {
        Some(_) => refused(409, "FunctionAlreadyExists", "There is one of that name."),
        None => Ok(Stages {
            development: Function::of(code),
            live: None,
            comment,
        }),
    })?;
    let mut done = Done::ok(summary(shared, name, "DEVELOPMENT", &stages));
    done.status = 201;
    let place = format!("https://cloudfront.amazonaws.com/2020-05-31/function/{name}");
    Ok(done
        .with("etag", etag(&stages.development))
        .with("location", place))
}

pub(super) fn update(
    shared: &Shared,
    name: &str,
    headers: &HeaderMap,
    body: &str,
) -> Result<Done, Failed> {
    let (code, comment) = sent(&Element::parse(body).unwrap_or_default())?;
    let stages = shared.cloud.alter_function(name, |before| {
        matching(before, headers).map(|before| Stages {
            development: Function::of(code),
            comment,
            ..before
        })
    })?;
    let done = Done::ok(summary(shared, name, "DEVELOPMENT", &stages));
    // That is how the service spells it.
    Ok(done.with("ettag", etag(&stages.development)))
}

pub(super) fn publish(shared: &Shared, name: &str, headers: &HeaderMap) -> Result<Done, Failed> {
    let stages = shared.cloud.alter_function(name, |before| {
        matching(before, headers).map(|before| Stages {
            live: Some(before.development.clone()),
            ..before
        })
    })?;
    Ok(Done::ok(summary(shared, name, "LIVE", &stages)))
}

/// Code and comment of a request.
fn sent(request: &Element) -> Result<(String, String), Failed> {
    if request.text_at("FunctionConfig/Runtime") != "cloudfront-js-2.0" {
        return refused(400, "InvalidArgument", "The runtime is not supported.");
    }
    let code = unbase64(request.text_at("FunctionCode"));
    let code = code.and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(code) = code.filter(|code| !code.is_empty()) else {
        return refused(400, "InvalidArgument", "There is no code.");
    };
    if code.len() > MOST_BYTES {
        return refused(413, "FunctionSizeLimitExceeded", "The code is too long.");
    }
    Ok((code, request.text_at("FunctionConfig/Comment").to_owned()))
}

/// Returns what is there, if the request's If-Match says so.
fn matching(stages: Option<Stages>, headers: &HeaderMap) -> Result<Stages, Failed> {
    let stages = stages.ok_or_else(|| missing("NoSuchFunctionExists", "function"))?;
    match header(headers, "if-match") {
        None => refused(
            400,
            "InvalidIfMatchVersion",
            "The If-Match version is missing.",
        ),
        Some(tag) if tag == etag(&stages.development) => Ok(stages),
        Some(_) => refused(412, "PreconditionFailed", "The function was changed."),
    }
}

fn summary(shared: &Shared, name: &str, stage: &str, stages: &Stages) -> Element {
    let time = iso_date(shared.begun);
    let status = match &stages.live {
        None => "UNPUBLISHED",
        Some(_) => "DEPLOYED",
    };
    node(
        "FunctionSummary",
        [
            leaf("Name", name),
            leaf("Status", status),
            node(
                "FunctionConfig",
                [
                    leaf("Comment", &stages.comment),
                    leaf("Runtime", "cloudfront-js-2.0"),
                ],
            ),
            node(
                "FunctionMetadata",
                [
                    leaf("FunctionARN", function_arn(name)),
                    leaf("Stage", stage),
                    leaf("CreatedTime", &time),
                    leaf("LastModifiedTime", &time),
                ],
            ),
        ],
    )
}

/// UpdateDistribution, as far as it changes which functions see requests and which policies send headers. All else has to be sent back as it was.
pub(super) fn update_distribution(
    shared: &Shared,
    id: &str,
    headers: &HeaderMap,
    body: &str,
) -> Result<Done, Failed> {
    let Some(config) = Element::parse(body).filter(|element| element.name == "DistributionConfig")
    else {
        return refused(400, "MalformedXML", "The XML is not well formed.");
    };
    let condition = header(headers, "if-match");
    let now = shared.clock.now();
    let updated = shared.cloud.update(id, now, |cloud, known| {
        match condition {
            None => {
                return refused(
                    400,
                    "InvalidIfMatchVersion",
                    "The If-Match version is missing.",
                );
            }
            Some(known_tag) if known_tag != tag(known) => {
                return refused(412, "PreconditionFailed", "The distribution was changed.");
            }
            Some(_) => {}
        }
        let changed = with_functions(known, &config)?;
        let behaviors = changed.behaviors.iter().chain([&changed.default]);
        let functions: Vec<&str> = behaviors
            .filter_map(|behavior| behavior.function.as_deref())
            .collect();
        if functions.into_iter().any(|name| !cloud.is_live(name)) {
            let said = "The function does not exist or was never published.";
            return refused(400, "InvalidFunctionAssociation", said);
        }
        let mut policies = changed.headers_policies().into_iter();
        if policies.any(|id| !cloud.has_headers_policy(id)) {
            return Err(no_such_policy());
        }
        let (wanted, sent) = (leaves(&changed.config()), leaves(&config));
        match wanted.iter().find(|leaf| !sent.contains(leaf)) {
            None => Ok(changed),
            Some((path, text)) => Err(Failed(
                400,
                "InvalidArgument",
                format!("Only functions and headers policies can be changed here, and {path} was {text}."),
            )),
        }
    });
    updated.ok_or(super::Refusal::NoSuchDistribution)??;
    let updated = distribution(shared, id)?;
    Ok(Done::ok(whole(shared, &updated)).with("etag", tag(&updated)))
}

/// The distribution with the functions that a configuration associates with viewer requests, and its headers policies.
fn with_functions(known: &Distribution, config: &Element) -> Result<Distribution, Failed> {
    let mut changed = known.clone();
    let default = config.at("DefaultCacheBehavior");
    let behaviors = config.items("CacheBehaviors").iter();
    let pairs = changed.behaviors.iter_mut().zip(behaviors);
    let pairs = pairs.chain(default.map(|sent| (&mut changed.default, sent)));
    for (behavior, sent) in pairs {
        set_function(behavior, sent)?;
        let policy = sent.text_at("ResponseHeadersPolicyId");
        behavior.headers_policy = (!policy.is_empty()).then(|| policy.to_owned());
    }
    Ok(changed)
}

fn set_function(behavior: &mut Behavior, sent: &Element) -> Result<(), Failed> {
    let mut associations = sent.items("FunctionAssociations").iter();
    let wanted = associations.next();
    if associations.next().is_some()
        || wanted.is_some_and(|association| association.text_at("EventType") != "viewer-request")
    {
        return refused(
            400,
            "InvalidFunctionAssociation",
            "One viewer-request function at most.",
        );
    }
    let arn = wanted.map(|association| association.text_at("FunctionARN"));
    behavior.function = arn
        .and_then(|arn| arn.rsplit('/').next())
        .map(str::to_owned);
    Ok(())
}

/// All texts with their paths. What is empty may as well be absent.
fn leaves(element: &Element) -> Vec<(String, String)> {
    let text = element.text.trim();
    let own = (!text.is_empty()).then(|| (element.name.clone(), text.to_owned()));
    let below = element.children.iter().flat_map(leaves);
    let below = below.map(|(path, text)| (format!("{}/{path}", element.name), text));
    own.into_iter().chain(below).collect()
}
