//! CloudFront Functions, and the distributions that run them.

use hyper::HeaderMap;

use super::headers_policies::no_such_policy;
use super::reading::{set_front, set_functions};
use super::{Done, Failed, distribution, missing, tag, whole};
use crate::clock::iso_date;
use crate::content::unbase64;
use crate::distribution::{Behavior, Distribution, code_of};
use crate::function::{Function, Stages, function_arn};
use crate::http::{header, parameter};
use crate::world::Shared;
use crate::xml::{Element, leaf, list, node};

/// The most bytes of code (Developer Guide, "Quotas on CloudFront Functions").
const MOST_BYTES: usize = 10 * 1024;

/// Of a stage: its code, and the store that it is associated with.
pub(super) fn etag(function: &Function, store: &Option<String>) -> String {
    let store = store.as_deref().unwrap_or_default();
    format!("ETV{}", code_of(&format!("{}{store}", function.code)))
}

pub(super) fn refused<T>(status: u16, code: &'static str, said: &str) -> Result<T, Failed> {
    Err(Failed(status, code, said.to_owned()))
}

pub(super) fn stages(shared: &Shared, name: &str) -> Result<Stages, Failed> {
    let stages = shared.cloud.stages(name);
    stages.ok_or_else(|| missing("NoSuchFunctionExists", "function"))
}

/// The function in the stage that the query names, and its ETag.
fn staged(shared: &Shared, name: &str, query: &str) -> Result<(Function, String), Failed> {
    let stages = stages(shared, name)?;
    let (function, store) = match parameter(query, "Stage").as_deref() {
        Some("LIVE") => (stages.live, stages.live_store),
        _ => (Some(stages.development), stages.development_store),
    };
    let function = function.ok_or_else(|| missing("NoSuchFunctionExists", "function"))?;
    let etag = etag(&function, &store);
    Ok((function, etag))
}

pub(super) fn describe(shared: &Shared, name: &str, query: &str) -> Result<Done, Failed> {
    let (_, etag) = staged(shared, name, query)?;
    let stages = stages(shared, name)?;
    let stage = parameter(query, "Stage").unwrap_or_else(|| "DEVELOPMENT".to_owned());
    Ok(Done::ok(summary(shared, name, &stage, &stages)).with("etag", etag))
}

pub(super) fn get(shared: &Shared, name: &str, query: &str) -> Result<Done, Failed> {
    let (function, etag) = staged(shared, name, query)?;
    let done = Done {
        status: 200,
        document: None,
        raw: function.code.into_bytes(),
        headers: vec![("content-type", "application/octet-stream".to_owned())],
    };
    Ok(done.with("etag", etag))
}

pub(super) fn create(shared: &Shared, body: &str) -> Result<Done, Failed> {
    let request = Element::parse(body).unwrap_or_default();
    let name = request.text_at("Name");
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(named) {
        return refused(400, "InvalidArgument", "The function's name is not valid.");
    }
    let (function, comment, store) = sent(shared, &request)?;
    let stages = shared.cloud.alter_function(name, |stages| match stages {
        Some(_) => refused(409, "FunctionAlreadyExists", "There is one of that name."),
        None => Ok(Stages {
            development: function,
            live: None,
            comment,
            development_store: store,
            live_store: None,
        }),
    })?;
    let mut done = Done::ok(summary(shared, name, "DEVELOPMENT", &stages));
    done.status = 201;
    let place = format!("https://cloudfront.amazonaws.com/2020-05-31/function/{name}");
    Ok(done
        .with("etag", etag(&stages.development, &stages.development_store))
        .with("location", place))
}

pub(super) fn update(
    shared: &Shared,
    name: &str,
    headers: &HeaderMap,
    body: &str,
) -> Result<Done, Failed> {
    let request = Element::parse(body).unwrap_or_default();
    let (function, comment, store) = sent(shared, &request)?;
    let stages = shared.cloud.alter_function(name, |before| {
        matching(before, headers).map(|before| Stages {
            development: function,
            comment,
            development_store: store,
            ..before
        })
    })?;
    let done = Done::ok(summary(shared, name, "DEVELOPMENT", &stages));
    // That is how the service spells it.
    let etag = etag(&stages.development, &stages.development_store);
    Ok(done.with("ettag", etag))
}

pub(super) fn publish(shared: &Shared, name: &str, headers: &HeaderMap) -> Result<Done, Failed> {
    let stages = shared.cloud.alter_function(name, |before| {
        matching(before, headers).map(|before| Stages {
            live: Some(before.development.clone()),
            live_store: before.development_store.clone(),
            ..before
        })
    })?;
    Ok(Done::ok(summary(shared, name, "LIVE", &stages)))
}

pub(super) fn delete(shared: &Shared, name: &str, headers: &HeaderMap) -> Result<Done, Failed> {
    matching(shared.cloud.stages(name), headers)?;
    if shared.cloud.has_running(name) {
        return refused(409, "FunctionInUse", "A distribution runs the function.");
    }
    shared.cloud.remove_function(name);
    Ok(Done::nothing())
}

/// The function of a request, its comment and the KeyValueStore that it is associated with.
fn sent(shared: &Shared, request: &Element) -> Result<(Function, String, Option<String>), Failed> {
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
    #[cfg(feature = "javascript")]
    runnable(&code)?;
    let comment = request.text_at("FunctionConfig/Comment").to_owned();
    let stores = request.items("FunctionConfig/KeyValueStoreAssociations");
    let mut stores = stores.iter().map(|store| store.text_at("KeyValueStoreARN"));
    let store = stores.next();
    let is_known = |arn| {
        shared
            .cloud
            .key_values(|stores| stores.by_arn(arn).is_some())
    };
    if stores.next().is_some() || !store.is_none_or(is_known) {
        let said = "A function has one key value store at most, and that must exist.";
        return refused(400, "InvalidArgument", said);
    }
    Ok((Function::of(code), comment, store.map(str::to_owned)))
}

/// Refuses a function of `unstale` that CloudFront's runtime could not run. CloudFront would take it and fail at each request.
#[cfg(feature = "javascript")]
fn runnable(code: &str) -> Result<(), Failed> {
    let first = code.lines().next().unwrap_or_default();
    if !first.contains("written by unstale") {
        return Ok(());
    }
    let checked = crate::javascript::check(code);
    checked.map_err(|said| Failed(400, "InvalidArgument", said))
}

/// Returns what is there, if the request's If-Match says so.
fn matching(stages: Option<Stages>, headers: &HeaderMap) -> Result<Stages, Failed> {
    let stages = stages.ok_or_else(|| missing("NoSuchFunctionExists", "function"))?;
    let etag = etag(&stages.development, &stages.development_store);
    matching_tag(headers, &etag).map(|()| stages)
}

/// Checks a request's If-Match.
pub(super) fn matching_tag(headers: &HeaderMap, etag: &str) -> Result<(), Failed> {
    match header(headers, "if-match") {
        None => refused(
            400,
            "InvalidIfMatchVersion",
            "The If-Match version is missing.",
        ),
        Some(tag) if tag == etag => Ok(()),
        Some(_) => refused(412, "PreconditionFailed", "The function was changed."),
    }
}

pub(super) fn summary(shared: &Shared, name: &str, stage: &str, stages: &Stages) -> Element {
    let time = iso_date(shared.begun);
    let status = match &stages.live {
        None => "UNPUBLISHED",
        Some(_) => "DEPLOYED",
    };
    let store = match stage {
        "LIVE" => &stages.live_store,
        _ => &stages.development_store,
    };
    let stores = store.iter().map(|arn| {
        let arn = leaf("KeyValueStoreARN", arn);
        node("KeyValueStoreAssociation", [arn])
    });
    let config = [
        leaf("Comment", &stages.comment),
        leaf("Runtime", "cloudfront-js-2.0"),
        list("KeyValueStoreAssociations", stores),
    ];
    node(
        "FunctionSummary",
        [
            leaf("Name", name),
            leaf("Status", status),
            node("FunctionConfig", config),
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

/// UpdateDistribution, as far as it changes the root document, error responses, the cache tags' header, functions and headers policies. All
/// else has to be sent back as it was, but for [`Distribution::extra`].
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
        let is_missing = |(name, _): (&str, _)| !cloud.is_live(name);
        if behaviors.flat_map(Behavior::functions).any(is_missing) {
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
                format!("This cannot be changed here, and {path} was {text}."),
            )),
        }
    });
    updated.ok_or(super::Refusal::NoSuchDistribution)??;
    let updated = distribution(shared, id)?;
    Ok(Done::ok(whole(shared, &updated)).with("etag", tag(&updated)))
}

/// The distribution with the functions that a configuration associates, and its headers policies.
fn with_functions(known: &Distribution, config: &Element) -> Result<Distribution, Failed> {
    let mut changed = known.clone();
    let invalid = |said| Failed(400, "InvalidArgument", said);
    set_front(&mut changed, config).map_err(invalid)?;
    changed.extra.retain(|(path, extra)| {
        let part = if path.is_empty() {
            Some(config)
        } else {
            config.at(path)
        };
        let extra = Element::parse(extra);
        part.zip(extra)
            .is_some_and(|(part, extra)| part.children.contains(&extra))
    });
    let default = config.at("DefaultCacheBehavior");
    let behaviors = config.items("CacheBehaviors").iter();
    let pairs = changed.behaviors.iter_mut().zip(behaviors);
    let pairs = pairs.chain(default.map(|sent| (&mut changed.default, sent)));
    for (behavior, sent) in pairs {
        set_functions(behavior, sent)?;
        let policy = sent.text_at("ResponseHeadersPolicyId");
        behavior.headers_policy = (!policy.is_empty()).then(|| policy.to_owned());
    }
    Ok(changed)
}

/// All texts with their paths. What is empty may as well be absent.
fn leaves(element: &Element) -> Vec<(String, String)> {
    let text = element.text.trim();
    let own = (!text.is_empty()).then(|| (element.name.clone(), text.to_owned()));
    let below = element.children.iter().flat_map(leaves);
    let below = below.map(|(path, text)| (format!("{}/{path}", element.name), text));
    own.into_iter().chain(below).collect()
}
