//! Distributions as tests describe them, and the DistributionConfig that the API answers for them.

use super::function::function_arn;
use super::xml::{Element, leaf, list, node};

/// CloudFront's managed cache policies (Developer Guide, "Use managed cache policies").
pub const CACHING_OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";
pub const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";

/// One distribution. Make it with [`Distribution::for_bucket`] and change what differs.
#[derive(Clone, Debug)]
pub struct Distribution {
    /// `E` and 13 capitals or digits.
    pub id: String,
    /// `dxxxxxxxxxxxxx.cloudfront.net`.
    pub domain: String,
    pub aliases: Vec<String>,
    /// `Deployed` or `InProgress`.
    pub status: String,
    pub enabled: bool,
    pub staging: bool,
    pub comment: String,
    pub origins: Vec<Origin>,
    /// DefaultRootObject, without a leading slash.
    pub root: Option<String>,
    /// Its pattern is not looked at.
    pub default: Behavior,
    /// Tried in order before the default.
    pub behaviors: Vec<Behavior>,
    pub errors: Vec<ErrorResponse>,
    /// CacheTagConfig.HeaderName, such as `x-amz-meta-cache-tag`.
    pub tag_header: Option<String>,
    /// Caches under the URI that the viewer asked for rather than under what a function made of it. Nobody knows which
    /// of the two CloudFront does; false by default.
    pub cached_by_viewer_uri: bool,
}

#[derive(Clone, Debug)]
pub struct Origin {
    pub id: String,
    /// OriginPath: empty, or with a leading slash and without a trailing one.
    pub path: String,
    pub kind: OriginKind,
}

#[derive(Clone, Debug)]
pub enum OriginKind {
    /// The REST endpoint through OAC. A missing key is 404 if the origin may list, else 403.
    S3 { bucket: String, may_list: bool },
    /// The website endpoint with its index and error documents.
    Website {
        bucket: String,
        index: String,
        error: Option<String>,
    },
    /// Some other server, which answers everything alike.
    Fixed {
        domain: String,
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
}

#[derive(Clone, Debug)]
pub struct Behavior {
    /// With `*` and `?`; `*` for the default.
    pub pattern: String,
    /// An origin's id.
    pub origin: String,
    pub caching: Caching,
    pub compress: bool,
    /// The viewer-request function's name.
    pub function: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Caching {
    /// A cache policy by its id.
    Policy(String),
    /// ForwardedValues of old.
    Legacy(CachePolicy),
}

/// Times in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    pub name: String,
    pub min_ttl: u64,
    pub default_ttl: u64,
    pub max_ttl: u64,
    pub query: QueryKey,
}

/// Which query strings belong to the cache key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryKey {
    None,
    All,
    Only(Vec<String>),
    Except(Vec<String>),
}

/// A custom error response.
#[derive(Clone, Debug)]
pub struct ErrorResponse {
    pub code: u16,
    /// With a leading slash.
    pub page: Option<String>,
    /// The status that viewers see instead.
    pub response: Option<u16>,
    /// ErrorCachingMinTTL in seconds.
    pub min_ttl: u64,
}

impl CachePolicy {
    /// Query strings are not in the key; 1 s, a day, a year.
    pub fn optimized() -> Self {
        Self {
            name: "Managed-CachingOptimized".to_owned(),
            min_ttl: 1,
            default_ttl: 86_400,
            max_ttl: 31_536_000,
            query: QueryKey::None,
        }
    }

    pub fn disabled() -> Self {
        Self {
            name: "Managed-CachingDisabled".to_owned(),
            min_ttl: 0,
            default_ttl: 0,
            max_ttl: 0,
            query: QueryKey::None,
        }
    }
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
            comment: String::new(),
            origins: vec![Origin {
                id: "site".to_owned(),
                path: String::new(),
                kind: OriginKind::S3 {
                    bucket: bucket.to_owned(),
                    may_list: true,
                },
            }],
            root: Some("index.html".to_owned()),
            default: Behavior::new("*", "site"),
            behaviors: Vec::new(),
            errors: vec![ErrorResponse {
                code: 404,
                page: Some("/404.html".to_owned()),
                response: Some(404),
                min_ttl: 10,
            }],
            tag_header: None,
            cached_by_viewer_uri: false,
        }
    }

    pub fn arn(&self) -> String {
        format!("arn:aws:cloudfront::111122223333:distribution/{}", self.id)
    }

    /// The behavior that a path (with its leading slash) falls under.
    pub fn behavior(&self, path: &str) -> &Behavior {
        let found = self
            .behaviors
            .iter()
            .find(|one| matches(&one.pattern, path));
        found.unwrap_or(&self.default)
    }

    /// DistributionConfig, DefaultRootObject and all.
    pub fn config(&self) -> Element {
        let mut all = vec![leaf("CallerReference", &self.id)];
        all.push(list(
            "Aliases",
            self.aliases.iter().map(|name| leaf("CNAME", name)),
        ));
        all.push(leaf(
            "DefaultRootObject",
            self.root.as_deref().unwrap_or_default(),
        ));
        all.extend(self.common());
        all.push(node(
            "Logging",
            [
                leaf("Enabled", false),
                leaf("IncludeCookies", false),
                leaf("Bucket", ""),
                leaf("Prefix", ""),
            ],
        ));
        all.push(leaf("ContinuousDeploymentPolicyId", ""));
        if let Some(name) = &self.tag_header {
            all.push(node("CacheTagConfig", [leaf("HeaderName", name)]));
        }
        node("DistributionConfig", all)
    }

    /// What ListDistributions says: neither DefaultRootObject nor CacheTagConfig.
    pub fn summary(&self, modified: &str) -> Element {
        let mut all = vec![
            leaf("Id", &self.id),
            leaf("ARN", self.arn()),
            leaf("Status", &self.status),
            leaf("LastModifiedTime", modified),
            leaf("DomainName", &self.domain),
        ];
        all.push(list(
            "Aliases",
            self.aliases.iter().map(|name| leaf("CNAME", name)),
        ));
        all.extend(self.common());
        node("DistributionSummary", all)
    }

    /// What the config and the summary have alike.
    fn common(&self) -> Vec<Element> {
        let behaviors = self.behaviors.iter();
        let behaviors = behaviors.map(|one| one.element("CacheBehavior", Some(&one.pattern)));
        vec![
            list("Origins", self.origins.iter().map(Origin::element)),
            node("OriginGroups", [leaf("Quantity", 0)]),
            self.default.element("DefaultCacheBehavior", None),
            list("CacheBehaviors", behaviors),
            list(
                "CustomErrorResponses",
                self.errors.iter().map(ErrorResponse::element),
            ),
            leaf("Comment", &self.comment),
            leaf("PriceClass", "PriceClass_All"),
            leaf("Enabled", self.enabled),
            node(
                "ViewerCertificate",
                [
                    leaf("CloudFrontDefaultCertificate", true),
                    leaf("MinimumProtocolVersion", "TLSv1"),
                ],
            ),
            node(
                "Restrictions",
                [node(
                    "GeoRestriction",
                    [leaf("RestrictionType", "none"), leaf("Quantity", 0)],
                )],
            ),
            leaf("WebACLId", ""),
            leaf("HttpVersion", "http2"),
            leaf("IsIPV6Enabled", true),
            leaf("Staging", self.staging),
        ]
    }
}

/// 13 capitals and digits that follow from a text.
pub fn code_of(text: &str) -> String {
    use md5::Digest;
    let digest: [u8; 16] = md5::Md5::digest(text.as_bytes()).into();
    code(&digest)
}

/// 13 capitals and digits out of bytes.
pub fn code(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let digit = |byte: &u8| char::from(DIGITS[usize::from(*byte) % 36]);
    bytes.iter().take(13).map(digit).collect()
}

impl Origin {
    pub fn host(&self) -> String {
        match &self.kind {
            OriginKind::S3 { bucket, .. } => format!("{bucket}.s3.us-east-1.amazonaws.com"),
            OriginKind::Website { bucket, .. } => {
                format!("{bucket}.s3-website-us-east-1.amazonaws.com")
            }
            OriginKind::Fixed { domain, .. } => domain.clone(),
        }
    }

    fn element(&self) -> Element {
        let mut all = vec![
            leaf("Id", &self.id),
            leaf("DomainName", self.host()),
            leaf("OriginPath", &self.path),
            node("CustomHeaders", [leaf("Quantity", 0)]),
        ];
        all.push(match &self.kind {
            OriginKind::S3 { .. } => node("S3OriginConfig", [leaf("OriginAccessIdentity", "")]),
            _ => node(
                "CustomOriginConfig",
                [
                    leaf("HTTPPort", 80),
                    leaf("HTTPSPort", 443),
                    leaf("OriginProtocolPolicy", "http-only"),
                    list("OriginSslProtocols", [leaf("SslProtocol", "TLSv1.2")]),
                    leaf("OriginReadTimeout", 30),
                    leaf("OriginKeepaliveTimeout", 5),
                ],
            ),
        });
        all.push(leaf("ConnectionAttempts", 3));
        all.push(leaf("ConnectionTimeout", 10));
        all.push(node("OriginShield", [leaf("Enabled", false)]));
        let control =
            matches!(self.kind, OriginKind::S3 { .. }).then(|| format!("E{}", code_of(&self.id)));
        all.push(leaf("OriginAccessControlId", control.unwrap_or_default()));
        node("Origin", all)
    }
}

impl Behavior {
    fn element(&self, name: &str, pattern: Option<&str>) -> Element {
        let mut all: Vec<Element> = pattern
            .iter()
            .map(|text| leaf("PathPattern", text))
            .collect();
        let methods = || ["HEAD", "GET"].map(|method| leaf("Method", method));
        let mut allowed = list("AllowedMethods", methods());
        allowed.children.push(list("CachedMethods", methods()));
        all.extend([
            leaf("TargetOriginId", &self.origin),
            node(
                "TrustedSigners",
                [leaf("Enabled", false), leaf("Quantity", 0)],
            ),
            node(
                "TrustedKeyGroups",
                [leaf("Enabled", false), leaf("Quantity", 0)],
            ),
            leaf("ViewerProtocolPolicy", "redirect-to-https"),
            allowed,
            leaf("SmoothStreaming", false),
            leaf("Compress", self.compress),
            node("LambdaFunctionAssociations", [leaf("Quantity", 0)]),
            list(
                "FunctionAssociations",
                self.function.iter().map(|name| {
                    node(
                        "FunctionAssociation",
                        [
                            leaf("FunctionARN", function_arn(name)),
                            leaf("EventType", "viewer-request"),
                        ],
                    )
                }),
            ),
            leaf("FieldLevelEncryptionId", ""),
        ]);
        match &self.caching {
            Caching::Policy(id) => all.push(leaf("CachePolicyId", id)),
            Caching::Legacy(policy) => all.extend(policy.legacy()),
        }
        node(name, all)
    }
}

impl CachePolicy {
    fn legacy(&self) -> Vec<Element> {
        let mut forwarded = vec![
            leaf("QueryString", self.query != QueryKey::None),
            node("Cookies", [leaf("Forward", "none")]),
            node("Headers", [leaf("Quantity", 0)]),
        ];
        let names = match &self.query {
            QueryKey::Only(names) => names.as_slice(),
            _ => &[],
        };
        forwarded.push(list(
            "QueryStringCacheKeys",
            names.iter().map(|name| leaf("Name", name)),
        ));
        vec![
            node("ForwardedValues", forwarded),
            leaf("MinTTL", self.min_ttl),
            leaf("DefaultTTL", self.default_ttl),
            leaf("MaxTTL", self.max_ttl),
        ]
    }

    /// CachePolicy as GetCachePolicy answers it.
    pub fn element(&self, id: &str, modified: &str) -> Element {
        let (behavior, names) = match &self.query {
            QueryKey::None => ("none", None),
            QueryKey::All => ("all", None),
            QueryKey::Only(names) => ("whitelist", Some(names)),
            QueryKey::Except(names) => ("allExcept", Some(names)),
        };
        let mut query = vec![leaf("QueryStringBehavior", behavior)];
        query.extend(
            names.map(|names| list("QueryStrings", names.iter().map(|name| leaf("Name", name)))),
        );
        let key = node(
            "ParametersInCacheKeyAndForwardedToOrigin",
            [
                leaf("EnableAcceptEncodingGzip", true),
                leaf("EnableAcceptEncodingBrotli", true),
                node("HeadersConfig", [leaf("HeaderBehavior", "none")]),
                node("CookiesConfig", [leaf("CookieBehavior", "none")]),
                node("QueryStringsConfig", query),
            ],
        );
        let config = node(
            "CachePolicyConfig",
            [
                leaf("Comment", ""),
                leaf("Name", &self.name),
                leaf("DefaultTTL", self.default_ttl),
                leaf("MaxTTL", self.max_ttl),
                leaf("MinTTL", self.min_ttl),
                key,
            ],
        );
        node(
            "CachePolicy",
            [leaf("Id", id), leaf("LastModifiedTime", modified), config],
        )
    }

    /// The part of a query string (without `?`) that belongs to the cache key.
    pub fn key_query(&self, query: &str) -> String {
        let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let kept = |pair: &&str| match &self.query {
            QueryKey::None => false,
            QueryKey::All => true,
            QueryKey::Only(names) => names.contains(&name(pair)),
            QueryKey::Except(names) => !names.contains(&name(pair)),
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs.filter(kept).collect::<Vec<_>>().join("&")
    }
}

impl ErrorResponse {
    fn element(&self) -> Element {
        let response = self.response.map(|code| code.to_string());
        node(
            "CustomErrorResponse",
            [
                leaf("ErrorCode", self.code),
                leaf("ResponsePagePath", self.page.as_deref().unwrap_or_default()),
                leaf("ResponseCode", response.unwrap_or_default()),
                leaf("ErrorCachingMinTTL", self.min_ttl),
            ],
        )
    }
}

/// A path pattern: `*` for any characters, `?` for one; with or without a leading slash (Developer Guide, "Path pattern").
pub fn matches(pattern: &str, path: &str) -> bool {
    let bare = |text: &str| text.strip_prefix('/').unwrap_or(text).as_bytes().to_vec();
    let (pattern, path) = (bare(pattern), bare(path));
    let (mut at, mut here) = (0, 0);
    let mut retry = None;
    while here < path.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, here));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == path[here] => {
                at += 1;
                here += 1;
            }
            _ => match &mut retry {
                None => return false,
                Some((star, from)) => {
                    *from += 1;
                    (at, here) = (*star + 1, *from);
                }
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
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
