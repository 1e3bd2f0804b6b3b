//! Distributions as tests describe them, and the DistributionConfig that the API answers for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::Md5;
use super::lambda::Lambda;
use super::policy::{CACHING_OPTIMIZED, Caching};

/// One distribution. Make it with [`Distribution::for_bucket`] and change what differs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Distribution {
    /// `E` and 13 capitals or digits.
    pub id: String,
    /// `dxxxxxxxxxxxxx.cloudfront.net`.
    pub domain: String,
    /// CNAMEs.
    pub aliases: Vec<String>,
    /// `Deployed` or `InProgress`.
    pub status: String,
    /// False: switched off.
    pub enabled: bool,
    /// True: the staging distribution of a continuous deployment. It has edges of its own, as any other.
    pub staging: bool,
    /// ContinuousDeploymentPolicyId, of the primary distribution.
    pub continuous_deployment: Option<String>,
    /// As the API shows it.
    pub comment: String,
    /// At least one.
    pub origins: Vec<Origin>,
    /// Origins that stand in for each other.
    pub origin_groups: Vec<OriginGroup>,
    /// DefaultRootObject, without a leading slash.
    pub root: Option<String>,
    /// Its pattern is not looked at.
    pub default: Behavior,
    /// Tried in order before the default.
    pub behaviors: Vec<Behavior>,
    /// Custom error responses, by status.
    pub errors: Vec<ErrorResponse>,
    /// TenantConfig.ParameterDefinitions: names with their default values. Where there are any, tenants alone are served, and
    /// `{{name}}` in the path of an origin, its bucket or its domain stands for a tenant's value.
    pub parameters: Vec<(String, Option<String>)>,
    /// CacheTagConfig.HeaderName, such as `x-amz-meta-cache-tag`.
    pub tag_header: Option<String>,
    /// XML that nobody here understands, in the configuration or the part of it at a path: `("DefaultCacheBehavior", "<New>1</New>")`.
    /// An UpdateDistribution without it takes it away.
    pub extra: Vec<(String, String)>,
    /// ViewerCertificate.ACMCertificateArn.
    pub certificate: Option<String>,
    /// As the API shows it.
    pub price_class: String,
    /// As the API shows it.
    pub http_version: String,
    /// Caches under the URI that the viewer asked for rather than under what a function made of it. Nobody knows which
    /// of the two CloudFront does; false by default.
    pub cached_by_viewer_uri: bool,
}

/// Where a distribution fetches from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// What behaviors call it.
    pub id: String,
    /// OriginPath: empty, or with a leading slash and without a trailing one.
    pub path: String,
    /// What answers there.
    pub kind: OriginKind,
}

/// An origin group: where the first member fails, the second is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginGroup {
    /// What behaviors call it, as they call an origin.
    pub id: String,
    /// The ids of two origins, in the order in which they are asked.
    pub members: Vec<String>,
    /// FailoverCriteria.StatusCodes: what of the first counts as a failure.
    pub failover: Vec<u16>,
}

/// What answers at an origin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum OriginKind {
    /// The REST endpoint through OAC. A missing key is 404 if the origin may list, else 403. Where the bucket has a policy, that says what
    /// the origin may.
    S3 {
        /// Its name.
        bucket: String,
        /// Whether OAC grants s3:ListBucket.
        may_list: bool,
    },
    /// The website endpoint, which answers by the bucket's own configuration.
    Website {
        /// Its name.
        bucket: String,
    },
    /// A bucket's access point by its alias, which answers as the REST endpoint does.
    AccessPoint {
        /// Such as `site-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias`.
        alias: String,
        /// The bucket behind it.
        bucket: String,
        /// Whether OAC grants s3:ListBucket.
        may_list: bool,
    },
    /// Some other server, which answers everything alike.
    Fixed {
        /// Its host name.
        domain: String,
        /// Of every answer.
        status: u16,
        /// Of every answer, names in lower case.
        headers: Vec<(String, String)>,
        /// Of every answer.
        body: String,
    },
}

/// A cache behavior.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Behavior {
    /// With `*` and `?`; `*` for the default.
    pub pattern: String,
    /// An origin's id, or a group's.
    pub origin: String,
    /// How long answers are kept, and under which key.
    pub caching: Caching,
    /// As the API shows it; nothing is compressed here.
    pub compress: bool,
    /// The viewer-request function's name.
    pub function: Option<String>,
    /// The viewer-response function's name. It does not see answers of status 400 and above, nor those of a viewer-request function.
    pub response_function: Option<String>,
    /// Lambda@Edge functions; CloudFront takes one of an event.
    #[serde(skip)]
    pub lambdas: Vec<Lambda>,
    /// A response headers policy by its id.
    pub headers_policy: Option<String>,
}

/// A custom error response.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorResponse {
    /// The origin's status.
    pub code: u16,
    /// With a leading slash.
    pub page: Option<String>,
    /// The status that viewers see instead.
    pub response: Option<u16>,
    /// ErrorCachingMinTTL in seconds.
    pub min_ttl: u64,
}

impl Behavior {
    /// CachingOptimized, compressing, without a function.
    pub fn new(pattern: &str, origin: &str) -> Self {
        Self {
            pattern: pattern.to_owned(),
            origin: origin.to_owned(),
            caching: Caching::Policy(CACHING_OPTIMIZED.to_owned()),
            compress: true,
            function: None,
            response_function: None,
            lambdas: Vec::new(),
            headers_policy: None,
        }
    }
}

impl Distribution {
    /// A bucket behind OAC that the origin may list, root `index.html`, 404 shown as `/404.html` and kept for 10 s. The id
    /// follows from the bucket's name.
    pub fn for_bucket(bucket: &str) -> Self {
        let code = code_of(bucket);
        Self {
            id: format!("E{code}"),
            domain: format!("d{}.cloudfront.net", code.to_lowercase()),
            aliases: Vec::new(),
            status: "Deployed".to_owned(),
            enabled: true,
            staging: false,
            continuous_deployment: None,
            comment: String::new(),
            origins: vec![Origin {
                id: "site".to_owned(),
                path: String::new(),
                kind: OriginKind::S3 {
                    bucket: bucket.to_owned(),
                    may_list: true,
                },
            }],
            origin_groups: Vec::new(),
            root: Some("index.html".to_owned()),
            default: Behavior::new("*", "site"),
            behaviors: Vec::new(),
            errors: vec![ErrorResponse {
                code: 404,
                page: Some("/404.html".to_owned()),
                response: Some(404),
                min_ttl: 10,
            }],
            parameters: Vec::new(),
            tag_header: None,
            extra: Vec::new(),
            certificate: None,
            price_class: "PriceClass_All".to_owned(),
            http_version: "http2".to_owned(),
            cached_by_viewer_uri: false,
        }
    }

    /// The bucket that its default behavior shows, if that is one's REST endpoint.
    pub fn bucket(&self) -> Option<&str> {
        match &self.origins_of(&self.default.origin).0.first()?.kind {
            OriginKind::S3 { bucket, .. } => Some(bucket),
            _ => None,
        }
    }

    /// The host name that viewers know it by: its first alias, or else its domain.
    pub(crate) fn host(&self) -> &str {
        self.aliases.first().unwrap_or(&self.domain)
    }

    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:cloudfront::111122223333:distribution/{}", self.id)
    }

    /// The distribution with a tenant's values, or else the defaults, in the places of the parameters' names.
    pub(crate) fn filled(mut self, values: &BTreeMap<String, String>) -> Self {
        for (name, default) in &self.parameters {
            let Some(value) = values.get(name).or(default.as_ref()) else {
                continue;
            };
            let place = format!("{{{{{name}}}}}");
            for origin in &mut self.origins {
                for text in origin.named() {
                    *text = text.replace(&place, value);
                }
            }
        }
        self
    }

    /// The origins that an id names, in the order in which they are asked, and the statuses that send on to the next.
    pub(crate) fn origins_of(&self, id: &str) -> (Vec<&Origin>, &[u16]) {
        let group = self.origin_groups.iter().find(|group| group.id == id);
        let named = |id: &str| self.origins.iter().find(|origin| origin.id == id);
        match group {
            Some(group) => {
                let members = group.members.iter().filter_map(|member| named(member));
                (members.collect(), &group.failover)
            }
            None => (named(id).into_iter().collect(), &[]),
        }
    }

    /// The ids of the response headers policies that its behaviors have.
    pub(crate) fn headers_policies(&self) -> Vec<&str> {
        let behaviors = self.behaviors.iter().chain([&self.default]);
        let ids = behaviors.map(|behavior| behavior.headers_policy.as_deref());
        ids.flatten().collect()
    }

    /// The behavior that a path (with its leading slash) falls under.
    pub fn behavior(&self, path: &str) -> &Behavior {
        let behavior = self
            .behaviors
            .iter()
            .find(|behavior| matches(&behavior.pattern, path));
        behavior.unwrap_or(&self.default)
    }
}

/// 13 capitals and digits that follow from a text.
pub(crate) fn code_of(text: &str) -> String {
    code(&Md5::of(text).0)
}

/// 13 capitals and digits out of bytes.
pub(crate) fn code(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let digit = |byte: &u8| char::from(DIGITS[usize::from(*byte) % 36]);
    bytes.iter().take(13).map(digit).collect()
}

impl Origin {
    /// The texts that parameters may occur in.
    fn named(&mut self) -> Vec<&mut String> {
        let mut texts = vec![&mut self.path];
        match &mut self.kind {
            OriginKind::S3 { bucket, .. } | OriginKind::Website { bucket } => texts.push(bucket),
            OriginKind::AccessPoint { alias, bucket, .. } => texts.extend([alias, bucket]),
            OriginKind::Fixed { domain, .. } => texts.push(domain),
        }
        texts
    }

    pub(crate) fn host(&self) -> String {
        match &self.kind {
            OriginKind::S3 { bucket: name, .. } | OriginKind::AccessPoint { alias: name, .. } => {
                format!("{name}.s3.us-east-1.amazonaws.com")
            }
            OriginKind::Website { bucket } => super::website::host(bucket),
            OriginKind::Fixed { domain, .. } => domain.clone(),
        }
    }
}

/// A path pattern: `*` for any characters, `?` for one; with or without a leading slash (Developer Guide, "Path pattern").
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let bare = |text: &str| text.strip_prefix('/').unwrap_or(text).as_bytes().to_vec();
    let (pattern, path) = (bare(pattern), bare(path));
    let (mut in_pattern, mut in_path) = (0, 0);
    let mut retry = None;
    while in_path < path.len() {
        match pattern.get(in_pattern) {
            Some(b'*') => {
                retry = Some((in_pattern, in_path));
                in_pattern += 1;
            }
            Some(byte) if *byte == b'?' || *byte == path[in_path] => {
                in_pattern += 1;
                in_path += 1;
            }
            _ => match &mut retry {
                None => return false,
                Some((star, from)) => {
                    *from += 1;
                    (in_pattern, in_path) = (*star + 1, *from);
                }
            },
        }
    }
    pattern[in_pattern..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_cloudfront_matches_them() {
        for (pattern, path, expected) in [
            ("*", "/", true),
            ("/images/*", "/images/a/b.jpg", true),
            ("images/*.jpg", "/images/a/b.jpg", true),
            ("/images/*.jpg", "/images/a.png", false),
            ("a?.html", "/ab.html", true),
            ("a?.html", "/a.html", false),
            ("/A", "/a", false),
            ("*a*b", "/xaybzb", true),
            ("/api/*", "/api", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
