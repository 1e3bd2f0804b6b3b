//! What becomes of the resources of a template: buckets and all of CloudFront are made, certificates, records and roles noted.

use std::collections::BTreeMap;

use serde_json::Value;

use super::buckets;
use super::distributions;
use super::schema;
use super::stack::Resource;
use super::template::text;
use crate::account::{AccountState, Certificate};
use crate::distribution::code;
use crate::function::{Function, Stages, function_arn};
use crate::identity::ACCOUNT;
use crate::store::StoreError;
use crate::world::Shared;

/// Where things are made.
pub(crate) struct Making<'a> {
    pub shared: &'a Shared,
    pub account: &'a mut AccountState,
}

/// What is made, and for which stack.
pub(crate) struct Place {
    pub stack: String,
    pub region: String,
    /// Logical.
    pub id: String,
    pub kind: String,
}

/// A resource that was made or changed.
#[derive(Default)]
pub(crate) struct Made {
    pub physical_id: String,
    pub attributes: BTreeMap<String, String>,
    /// Reasons of further events.
    pub events: Vec<String>,
}

impl Made {
    pub(crate) fn new(physical_id: impl Into<String>, attributes: &[(&str, String)]) -> Self {
        let attributes = attributes.iter();
        Self {
            physical_id: physical_id.into(),
            attributes: attributes
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            events: Vec::new(),
        }
    }
}

impl Place {
    /// A name for what has none: the stack's, the logical id and something that nobody else has.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}-{}", self.stack, self.id, fresh())
    }

    /// A reason as the handlers of resources word it.
    pub(crate) fn refused(&self, said: &str, code: &str) -> String {
        format!("Resource handler returned message: \"{said}\" (HandlerErrorCode: {code})")
    }
}

/// 13 capitals and digits.
pub(crate) fn fresh() -> String {
    code(uuid::Uuid::new_v4().as_bytes())
}

/// A property's text; `None` for one that is not there.
pub(crate) fn property(properties: &Value, path: &str) -> Option<String> {
    properties.pointer(path).map(text)
}

impl Making<'_> {
    /// True for a certificate that is not valid yet.
    pub(crate) fn is_pending(&self, physical_id: &str) -> bool {
        let certificate = self.account.certificates.get(physical_id);
        certificate.is_some_and(|known| known.status == "PENDING_VALIDATION")
    }
}

/// Makes a resource, or changes the one that is known, as far as that can be changed. Errors are the reasons of events.
pub(crate) fn make(
    making: &mut Making<'_>,
    place: &Place,
    (properties, known): (&Value, Option<&Resource>),
) -> Result<Made, String> {
    if let Some(reason) = making.account.failures.get(&place.id) {
        return Err(reason.clone());
    }
    let kind = schema::check(&place.kind, properties)?;
    let differs = |known: &&Resource| {
        let mut names = kind.replacing.iter();
        names.any(|name| known.properties.get(name) != properties.get(name))
    };
    let known = known.filter(|known| !differs(known));
    let made = match kind.name {
        "AWS::S3::Bucket" => buckets::make(making, place, (properties, known)),
        "AWS::S3::BucketPolicy" => buckets::set_policy(making, place, (properties, known)),
        "AWS::CloudFront::Distribution" => distributions::make(making, place, (properties, known)),
        "AWS::CloudFront::Function" => function(making, place, (properties, known)),
        "AWS::CloudFront::KeyValueStore" => key_values(making, place, (properties, known)),
        "AWS::CloudFront::ResponseHeadersPolicy" => {
            distributions::headers_policy(making, place, (properties, known))
        }
        "AWS::CloudFront::OriginAccessControl" => {
            access_control_name(making, place, (properties, known))?;
            let id = known.map_or_else(
                || format!("E{}", fresh()),
                |known| known.physical_id.clone(),
            );
            Ok(Made::new(id.clone(), &[("Id", id)]))
        }
        "AWS::CertificateManager::Certificate" => {
            Ok(certificate(making, place, (properties, known)))
        }
        "AWS::IAM::OIDCProvider" => provider(making, place, (properties, known)),
        "AWS::IAM::Role" => role(making, place, (properties, known)),
        // Records: noted.
        _ => {
            let id = known.map_or_else(|| place.name(), |known| known.physical_id.clone());
            Ok(Made::new(id, &[]))
        }
    }?;
    let kind = making
        .account
        .resources
        .entry(place.kind.clone())
        .or_default();
    kind.insert(made.physical_id.clone(), properties.clone());
    Ok(made)
}

/// Takes in a bucket as it is: what the template says of it is noted, not done.
pub(crate) fn take_in(making: &mut Making<'_>, place: &Place, properties: &Value) -> Made {
    let name = property(properties, "/BucketName").unwrap_or_default();
    let kind = making.account.resources.entry(place.kind.clone());
    kind.or_default().insert(name.clone(), properties.clone());
    buckets::made(name, &place.region)
}

/// Removes what a resource stands for. What is gone already is fine.
pub(crate) fn remove(making: &mut Making<'_>, resource: &Resource) -> Result<(), String> {
    let (shared, id) = (making.shared, resource.physical_id.as_str());
    match resource.kind.as_str() {
        "AWS::S3::Bucket" => match shared.store.remove_bucket(id) {
            Ok(()) | Err(StoreError::NoSuchBucket) => {}
            Err(error) => return Err(error.to_string()),
        },
        "AWS::S3::BucketPolicy" => {
            let forget = |options: &mut crate::bucket::BucketOptions| {
                options.documents.insert("policy".to_owned(), String::new());
            };
            // A bucket that is gone has none.
            let _ = shared.store.alter(id, |options, _| forget(options));
        }
        "AWS::CloudFront::Distribution" => shared.cloud.remove(id),
        "AWS::CloudFront::Function" => {
            let name = id.rsplit('/').next().unwrap_or_default();
            if shared.cloud.has_running(name) {
                return Err(
                    "The function is associated with a distribution (FunctionInUse)".to_owned(),
                );
            }
            shared.cloud.remove_function(name);
        }
        "AWS::CloudFront::KeyValueStore" => shared.cloud.key_values(|stores| stores.remove(id)),
        "AWS::CloudFront::ResponseHeadersPolicy" => {
            shared
                .cloud
                .with_headers_policies(|policies, _| policies.remove(id));
        }
        "AWS::CertificateManager::Certificate" => _ = making.account.certificates.remove(id),
        _ => {}
    }
    if let Some(kind) = making.account.resources.get_mut(&resource.kind) {
        kind.remove(id);
    }
    Ok(())
}

/// Checks the name of an origin access control: an account has each once (API Reference, OriginAccessControlConfig).
fn access_control_name(
    making: &Making<'_>,
    place: &Place,
    (properties, known): (&Value, Option<&Resource>),
) -> Result<(), String> {
    const PATH: &str = "/OriginAccessControlConfig/Name";
    let name = property(properties, PATH).unwrap_or_default();
    if name.is_empty() || name.len() > 64 {
        return Err(place.refused("The parameter Name is not valid.", "InvalidRequest"));
    }
    let controls = making.account.resources.get(&place.kind);
    let mut others = controls.into_iter().flatten();
    let is_taken = others.any(|(id, other)| {
        known.is_none_or(|known| known.physical_id != *id)
            && property(other, PATH).as_deref() == Some(name.as_str())
    });
    if is_taken {
        let said = "An origin access control with the same name already exists.";
        return Err(place.refused(said, "AlreadyExists"));
    }
    Ok(())
}

fn function(
    making: &Making<'_>,
    place: &Place,
    (properties, known): (&Value, Option<&Resource>),
) -> Result<Made, String> {
    let name = property(properties, "/Name").unwrap_or_default();
    let code = property(properties, "/FunctionCode").unwrap_or_default();
    let store = property(
        properties,
        "/FunctionConfig/KeyValueStoreAssociations/0/KeyValueStoreARN",
    );
    let publishes = property(properties, "/AutoPublish").as_deref() == Some("true");
    let comment = property(properties, "/FunctionConfig/Comment").unwrap_or_default();
    let is_named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_named) {
        return Err(place.refused("The function's name is not valid", "InvalidRequest"));
    }
    if property(properties, "/FunctionConfig/Runtime").as_deref() != Some("cloudfront-js-2.0") {
        return Err(place.refused("The runtime is not supported", "InvalidRequest"));
    }
    making.shared.cloud.alter_function(&name, |before| {
        if before.is_some() && known.is_none() {
            let said = format!("The function {name} already exists");
            return Err(place.refused(&said, "AlreadyExists"));
        }
        let development = Function::of(code);
        let (live, live_store) = match (publishes, before) {
            (true, _) => (Some(development.clone()), store.clone()),
            (false, Some(before)) => (before.live, before.live_store),
            (false, None) => (None, None),
        };
        Ok(Stages {
            development,
            live,
            comment,
            development_store: store,
            live_store,
        })
    })?;
    let arn = function_arn(&name);
    let attributes = [
        ("FunctionARN", arn.clone()),
        ("FunctionMetadata.FunctionARN", arn.clone()),
        (
            "Stage",
            if publishes { "LIVE" } else { "DEVELOPMENT" }.to_owned(),
        ),
    ];
    Ok(Made::new(arn, &attributes))
}

fn key_values(
    making: &Making<'_>,
    place: &Place,
    (properties, known): (&Value, Option<&Resource>),
) -> Result<Made, String> {
    let name = property(properties, "/Name").unwrap_or_default();
    let comment = property(properties, "/Comment").unwrap_or_default();
    let now = making.shared.clock.now();
    let (arn, id) = making.shared.cloud.key_values(|stores| {
        if known.is_none() && stores.create(&name, &comment, now).is_none() {
            let said = format!("The key value store {name} already exists");
            return Err(place.refused(&said, "AlreadyExists"));
        }
        let store = stores.named(&name).ok_or("it is gone")?;
        store.comment = comment;
        store.ready = true;
        Ok((store.arn(), store.id.clone()))
    })?;
    let attributes = [("Arn", arn), ("Id", id), ("Status", "READY".to_owned())];
    Ok(Made::new(name, &attributes))
}

fn certificate(
    making: &mut Making<'_>,
    place: &Place,
    (properties, known): (&Value, Option<&Resource>),
) -> Made {
    if let Some(known) = known {
        return Made::new(known.physical_id.clone(), &[]);
    }
    let uuid = uuid::Uuid::new_v4();
    let arn = format!("arn:aws:acm:{}:{ACCOUNT}:certificate/{uuid}", place.region);
    let domain = property(properties, "/DomainName").unwrap_or_default();
    let others = properties
        .get("SubjectAlternativeNames")
        .and_then(Value::as_array);
    let others = others.into_iter().flatten().map(text);
    let mut certificate = Certificate::new(&arn, &domain);
    certificate
        .names
        .extend(others.filter(|name| *name != domain));
    let events = certificate.names.iter().map(|name| {
        let (record, value) = certificate.record(name);
        format!("Content of DNS Record is: {{Name: {record},Type: CNAME,Value: {value}}}")
    });
    let events = events.collect();
    certificate.status = if making.shared.cloud.certificates_wait() {
        "PENDING_VALIDATION".to_owned()
    } else {
        "ISSUED".to_owned()
    };
    making.account.certificates.insert(arn.clone(), certificate);
    Made {
        events,
        ..Made::new(arn, &[])
    }
}

fn provider(
    making: &Making<'_>,
    place: &Place,
    (properties, known): (&Value, Option<&Resource>),
) -> Result<Made, String> {
    let url = property(properties, "/Url").unwrap_or_default();
    let host = url.trim_start_matches("https://");
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{host}");
    let others = making.account.resources.get(&place.kind);
    if known.is_none() && others.is_some_and(|others| others.contains_key(&arn)) {
        let said = format!("Provider with url {url} already exists.");
        return Err(place.refused(&said, "AlreadyExists"));
    }
    Ok(Made::new(arn.clone(), &[("Arn", arn)]))
}

fn role(
    making: &Making<'_>,
    place: &Place,
    (properties, known): (&Value, Option<&Resource>),
) -> Result<Made, String> {
    let name = property(properties, "/RoleName");
    let name = name
        .unwrap_or_else(|| known.map_or_else(|| place.name(), |known| known.physical_id.clone()));
    let others = making.account.resources.get(&place.kind);
    if known.is_none() && others.is_some_and(|others| others.contains_key(&name)) {
        let said = format!("Role with name {name} already exists.");
        return Err(place.refused(&said, "AlreadyExists"));
    }
    let attributes = [
        ("Arn", format!("arn:aws:iam::{ACCOUNT}:role/{name}")),
        ("RoleId", format!("AROA{}", fresh())),
    ];
    Ok(Made::new(name, &attributes))
}
