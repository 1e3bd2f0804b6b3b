//! Distributions out of a DistributionConfig.

use std::collections::BTreeSet;

use super::config::{VIEWER_REQUEST, VIEWER_RESPONSE};
use super::{Failed, functions::refused};
use crate::distribution::{Behavior, Distribution, ErrorResponse, Origin, OriginKind};
use crate::policy::{CACHING_OPTIMIZED, Caching};
use crate::xml::Element;

/// The most letters of a distribution's comment.
const MAX_COMMENT: usize = 128;
const PRICE_CLASSES: [&str; 3] = ["priceclass_100", "priceclass_200", "priceclass_all"];
const HTTP_VERSIONS: [&str; 4] = ["http1.1", "http2", "http3", "http2and3"];

/// A distribution as a whole configuration describes it; what the configuration does not say is as in `base`.
pub(crate) fn read_distribution(
    base: &Distribution,
    config: &Element,
) -> Result<Distribution, String> {
    let mut read = base.clone();
    set_front(&mut read, config)?;
    let origins = config.items("Origins").iter().map(origin);
    read.origins = origins.collect();
    let default = config
        .child("DefaultCacheBehavior")
        .ok_or("#/DistributionConfig: required key [DefaultCacheBehavior] not found")?;
    read.default = behavior(default)?;
    let behaviors = config.items("CacheBehaviors").iter().map(behavior);
    read.behaviors = behaviors.collect::<Result<_, _>>()?;
    let aliases = config.items("Aliases").iter();
    read.aliases = aliases.map(|alias| alias.text.clone()).collect();
    config.text_at("Comment").clone_into(&mut read.comment);
    if read.comment.chars().count() > MAX_COMMENT {
        return Err("The parameter Comment is too long.".to_owned());
    }
    read.enabled = config.text_at("Enabled") != "false";
    let certificate = config.text_at("ViewerCertificate/ACMCertificateArn");
    read.certificate = some(certificate);
    match config.text_at("HttpVersion") {
        "" => {}
        text if HTTP_VERSIONS.contains(&text.to_ascii_lowercase().as_str()) => {
            text.clone_into(&mut read.http_version);
        }
        text => return Err(format!("The parameter HttpVersion has no value {text}.")),
    }
    if let Some(path) = (read.origins.iter().map(|origin| &origin.path))
        .find(|path| !path.is_empty() && (!path.starts_with('/') || path.ends_with('/')))
    {
        return Err(format!("The parameter origin path {path} is not valid."));
    }
    let known = |one: &&Behavior| read.origins.iter().any(|origin| origin.id == one.origin);
    let behaviors = read.behaviors.iter().chain([&read.default]);
    let lost = behaviors.filter(|one| !known(one));
    let lost: Vec<&str> = lost.map(|one| one.origin.as_str()).collect();
    match lost.first() {
        None => Ok(read),
        Some(id) => Err(format!("The specified origin server does not exist: {id}")),
    }
}

/// Sets the root document, the error responses, the cache tags' header and the price class, which UpdateDistribution changes too.
pub(crate) fn set_front(read: &mut Distribution, config: &Element) -> Result<(), String> {
    let root = config.text_at("DefaultRootObject");
    if root.starts_with('/') {
        return Err("The default root object begins with a slash.".to_owned());
    }
    read.root = some(root);
    let errors = config
        .items("CustomErrorResponses")
        .iter()
        .map(error_response);
    read.errors = errors.collect::<Result<_, _>>()?;
    let codes: BTreeSet<u16> = read.errors.iter().map(|error| error.code).collect();
    if codes.len() < read.errors.len() {
        return Err("The parameter CustomErrorResponses names an ErrorCode twice.".to_owned());
    }
    read.tag_header = some(config.text_at("CacheTagConfig/HeaderName"));
    match config.text_at("PriceClass") {
        "" => {}
        text if PRICE_CLASSES.contains(&text.to_ascii_lowercase().as_str()) => {
            text.clone_into(&mut read.price_class);
        }
        text => return Err(format!("The parameter PriceClass has no value {text}.")),
    }
    Ok(())
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A page needs a code and the other way round (API Reference, CustomErrorResponse).
fn error_response(element: &Element) -> Result<ErrorResponse, String> {
    let number = |name: &str| element.text_at(name).parse::<u64>().ok();
    let code = |name: &str| number(name).and_then(|number| u16::try_from(number).ok());
    let error = ErrorResponse {
        code: code("ErrorCode").ok_or("An error response has no ErrorCode.")?,
        page: some(element.text_at("ResponsePagePath")),
        response: code("ResponseCode"),
        min_ttl: number("ErrorCachingMinTTL").unwrap_or(10),
    };
    let known = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];
    let is_answer = |code: u16| code == 200 || known.contains(&code);
    if !known.contains(&error.code)
        || error.page.is_some() != error.response.is_some()
        || !error.response.is_none_or(is_answer)
    {
        return Err(format!(
            "The parameter CustomErrorResponse {} contains invalid values.",
            error.code
        ));
    }
    if error
        .page
        .as_ref()
        .is_some_and(|page| !page.starts_with('/'))
    {
        return Err("The parameter ResponsePagePath must begin with a slash.".to_owned());
    }
    Ok(error)
}

fn origin(element: &Element) -> Origin {
    let domain = element.text_at("DomainName");
    let bucket = |after: &str| domain.split_once(after).map(|(name, _)| name.to_owned());
    let kind = match (bucket(".s3-website"), bucket(".s3.")) {
        (Some(bucket), _) => OriginKind::Website { bucket },
        (None, Some(bucket)) => OriginKind::S3 {
            bucket,
            may_list: false,
        },
        _ => OriginKind::Fixed {
            domain: domain.to_owned(),
            status: 502,
            headers: Vec::new(),
            body: String::new(),
        },
    };
    Origin {
        id: element.text_at("Id").to_owned(),
        path: element.text_at("OriginPath").to_owned(),
        kind,
    }
}

fn behavior(element: &Element) -> Result<Behavior, String> {
    let pattern = some(element.text_at("PathPattern"));
    let origin = element.text_at("TargetOriginId");
    let mut read = Behavior::new(pattern.as_deref().unwrap_or("*"), origin);
    let policy = some(element.text_at("CachePolicyId"));
    read.caching = Caching::Policy(policy.unwrap_or_else(|| CACHING_OPTIMIZED.to_owned()));
    read.compress = element.text_at("Compress") == "true";
    read.headers_policy = some(element.text_at("ResponseHeadersPolicyId"));
    set_functions(&mut read, element).map_err(|Failed(_, _, said)| said)?;
    Ok(read)
}

/// Associates the functions that a behavior names.
pub(super) fn set_functions(behavior: &mut Behavior, sent: &Element) -> Result<(), Failed> {
    (behavior.function, behavior.response_function) = (None, None);
    for association in sent.items("FunctionAssociations") {
        let place = match association.text_at("EventType") {
            VIEWER_REQUEST => &mut behavior.function,
            VIEWER_RESPONSE => &mut behavior.response_function,
            _ => return refused(400, "InvalidFunctionAssociation", "There is no such event."),
        };
        let name = association.text_at("FunctionARN").rsplit('/').next();
        if place.replace(name.unwrap_or_default().to_owned()).is_some() {
            let said = "One function of each event at most.";
            return refused(400, "InvalidFunctionAssociation", said);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a configuration of one origin with more parts.
    fn read(more: &str) -> Result<Distribution, String> {
        let origin = "<Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id><DomainName>b.s3.amazonaws.com</DomainName><OriginPath/></Origin></Items></Origins>";
        let behavior =
            "<DefaultCacheBehavior><TargetOriginId>o</TargetOriginId></DefaultCacheBehavior>";
        let text = format!("<DistributionConfig>{origin}{behavior}{more}</DistributionConfig>");
        read_distribution(
            &Distribution::for_bucket("b"),
            &Element::parse(&text).unwrap(),
        )
    }

    fn page(code: u16, answer: u16) -> String {
        format!(
            "<CustomErrorResponse><ErrorCode>{code}</ErrorCode><ResponsePagePath>/e</ResponsePagePath><ResponseCode>{answer}</ResponseCode></CustomErrorResponse>"
        )
    }

    #[test]
    fn what_cloudfront_refuses_is_refused() {
        let pages = |pages: &[String]| {
            let items = pages.concat();
            let quantity = pages.len();
            read(&format!(
                "<CustomErrorResponses><Quantity>{quantity}</Quantity><Items>{items}</Items></CustomErrorResponses>"
            ))
        };
        assert_eq!(
            pages(&[page(403, 200), page(404, 404)])
                .unwrap()
                .errors
                .len(),
            2
        );
        for odd in [
            &[page(404, 404), page(404, 200)][..],
            &[page(418, 200)],
            &[page(404, 301)],
        ] {
            assert!(pages(odd).is_err(), "{odd:?}");
        }
        assert!(
            read("<PriceClass>PriceClass_100</PriceClass><HttpVersion>http2and3</HttpVersion>")
                .is_ok()
        );
        assert!(read("<PriceClass>100</PriceClass>").is_err());
        assert!(read("<HttpVersion>4</HttpVersion>").is_err());
        assert!(read(&format!("<Comment>{}</Comment>", "c".repeat(129))).is_err());
    }
}
