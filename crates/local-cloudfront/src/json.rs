//! The JSON protocols: the operation in a header, JSON in both bodies. What ACM and Cloud Control are asked is of this kind.

use std::time::SystemTime;

use hyper::header::HeaderValue;
use hyper::{HeaderMap, Response};
use s3s::Body;
use serde_json::{Value, json};

use super::account::{AccountState, Certificate};
use super::http::{header, xml};
use super::request::{RequestInfo, Service};
use super::world::Shared;

/// The operation that a request is for; empty for an unknown one.
pub(super) fn operation(headers: &HeaderMap) -> &'static str {
    match header(headers, "x-amz-target") {
        Some("CertificateManager.DescribeCertificate") => "DescribeCertificate",
        Some("CloudApiService.GetResource") => "GetResource",
        Some("CloudApiService.ListResources") => "ListResources",
        _ => "",
    }
}

/// The code of an error, and what is said.
type Refused = (&'static str, String);

/// Answers one request of either API.
pub(super) fn answer(shared: &Shared, info: &RequestInfo, body: &str) -> Response<Body> {
    let asked: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |name: &str| asked[name].as_str().unwrap_or_default();
    let account = shared.account.lock();
    let done = match info.operation {
        "DescribeCertificate" => describe(&account, &info.region, text("CertificateArn")),
        "GetResource" => get(&account, text("TypeName"), text("Identifier")),
        "ListResources" => Ok(list(&account, text("TypeName"))),
        _ => Err(("UnknownOperationException", String::new())),
    };
    match done {
        Ok(document) => said(200, document, info.service),
        Err((code, message)) => failure(info.service, 400, (code, &message)),
    }
}

/// An error as these services say it.
pub(super) fn failure(
    service: Service,
    status: u16,
    (code, message): (&str, &str),
) -> Response<Body> {
    said(
        status,
        json!({ "__type": code, "message": message }),
        service,
    )
}

fn said(status: u16, document: Value, service: Service) -> Response<Body> {
    let mut answer = xml(status, document.to_string().into_bytes());
    let kind = match service {
        Service::CloudControl => "application/x-amz-json-1.0",
        _ => "application/x-amz-json-1.1",
    };
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(kind));
    answer
}

fn describe(account: &AccountState, region: &str, arn: &str) -> Result<Value, Refused> {
    let is_here = arn.split(':').nth(3) == Some(region);
    let known = account.certificates.get(arn).filter(|_| is_here);
    let known = known.ok_or_else(|| {
        let said = format!("Could not find certificate {arn}.");
        ("ResourceNotFoundException", said)
    })?;
    Ok(json!({ "Certificate": certificate(known) }))
}

fn certificate(known: &Certificate) -> Value {
    let validation = match known.status.as_str() {
        "PENDING_VALIDATION" => "PENDING_VALIDATION",
        "FAILED" | "VALIDATION_TIMED_OUT" => "FAILED",
        _ => "SUCCESS",
    };
    let options = known.names.iter().map(|name| {
        let (record, value) = known.record(name);
        json!({
            "DomainName": name,
            "ValidationDomain": name,
            "ValidationStatus": validation,
            "ValidationMethod": "DNS",
            "ResourceRecord": { "Name": record, "Type": "CNAME", "Value": value },
        })
    });
    let mut shown = json!({
        "CertificateArn": known.arn,
        "DomainName": known.names.first(),
        "SubjectAlternativeNames": known.names,
        "DomainValidationOptions": options.collect::<Vec<_>>(),
        "Status": known.status,
        "Type": "AMAZON_ISSUED",
        "InUseBy": known.in_use,
        "RenewalEligibility": "ELIGIBLE",
    });
    let ends = known
        .not_after
        .filter(|_| known.status != "PENDING_VALIDATION");
    let seconds = ends.and_then(|ends| ends.duration_since(SystemTime::UNIX_EPOCH).ok());
    if let Some(seconds) = seconds {
        shown["NotAfter"] = seconds.as_secs().into();
    }
    shown
}

fn get(account: &AccountState, kind: &str, id: &str) -> Result<Value, Refused> {
    let known = account.resources.get(kind).and_then(|all| all.get(id));
    let known = known.ok_or_else(|| {
        let said = format!("Resource of type '{kind}' with identifier '{id}' was not found.");
        ("ResourceNotFoundException", said)
    })?;
    let description = described(kind, id, known);
    Ok(json!({ "TypeName": kind, "ResourceDescription": description }))
}

fn list(account: &AccountState, kind: &str) -> Value {
    let all = account.resources.get(kind).into_iter().flatten();
    let all = all.map(|(id, properties)| described(kind, id, properties));
    json!({ "TypeName": kind, "ResourceDescriptions": all.collect::<Vec<_>>() })
}

/// A resource's identifier and its properties, in which the identifier has a name too.
fn described(kind: &str, id: &str, properties: &Value) -> Value {
    let name = match kind {
        "AWS::IAM::OIDCProvider" => "Arn",
        "AWS::IAM::Role" => "RoleName",
        "AWS::S3::Bucket" => "BucketName",
        _ => "Id",
    };
    let mut properties = properties.clone();
    if let Some(object) = properties.as_object_mut() {
        object.entry(name).or_insert_with(|| json!(id));
    }
    json!({ "Identifier": id, "Properties": properties.to_string() })
}
