//! Distributions and cache policies as the API writes them.

use crate::distribution::{
    Behavior, Distribution, ErrorResponse, Origin, OriginGroup, OriginKind, code_of,
};
use crate::function::function_arn;
use crate::policy::{CachePolicy, Caching, ContinuousDeployment, QueryKey};
use crate::xml::{Element, leaf, list, node};

/// The events of CloudFront Functions.
pub(super) const VIEWER_REQUEST: &str = "viewer-request";
pub(super) const VIEWER_RESPONSE: &str = "viewer-response";

impl Distribution {
    /// DistributionConfig, DefaultRootObject and all.
    pub(crate) fn config(&self) -> Element {
        let mut parts = vec![leaf("CallerReference", &self.id)];
        parts.push(list(
            "Aliases",
            self.aliases.iter().map(|name| leaf("CNAME", name)),
        ));
        parts.push(leaf(
            "DefaultRootObject",
            self.root.as_deref().unwrap_or_default(),
        ));
        parts.extend(self.common());
        parts.push(node(
            "Logging",
            [
                leaf("Enabled", false),
                leaf("IncludeCookies", false),
                leaf("Bucket", ""),
                leaf("Prefix", ""),
            ],
        ));
        let policy = self.continuous_deployment.as_deref();
        parts.push(leaf(
            "ContinuousDeploymentPolicyId",
            policy.unwrap_or_default(),
        ));
        if !self.parameters.is_empty() {
            let definitions = self.parameters.iter().map(definition);
            let definitions = node("ParameterDefinitions", definitions);
            parts.push(node("TenantConfig", [definitions]));
        }
        if let Some(name) = &self.tag_header {
            parts.push(node("CacheTagConfig", [leaf("HeaderName", name)]));
        }
        let mut config = node("DistributionConfig", parts);
        for (path, extra) in &self.extra {
            let part = config.part_mut(path);
            if let Some((part, extra)) = part.zip(Element::parse(extra)) {
                part.children.push(extra);
            }
        }
        config
    }

    /// Writes what ListDistributions says: neither DefaultRootObject nor CacheTagConfig.
    pub(crate) fn summary(&self, status: &str, modified: &str) -> Element {
        let mut parts = vec![
            leaf("Id", &self.id),
            leaf("ARN", self.arn()),
            leaf("Status", status),
            leaf("LastModifiedTime", modified),
            leaf("DomainName", &self.domain),
        ];
        parts.push(list(
            "Aliases",
            self.aliases.iter().map(|name| leaf("CNAME", name)),
        ));
        parts.extend(self.common());
        node("DistributionSummary", parts)
    }

    fn viewer_certificate(&self) -> Element {
        let parts = match &self.certificate {
            None => vec![
                leaf("CloudFrontDefaultCertificate", true),
                leaf("MinimumProtocolVersion", "TLSv1"),
            ],
            Some(arn) => vec![
                leaf("CloudFrontDefaultCertificate", false),
                leaf("ACMCertificateArn", arn),
                leaf("SSLSupportMethod", "sni-only"),
                leaf("MinimumProtocolVersion", "TLSv1.2_2021"),
                leaf("Certificate", arn),
                leaf("CertificateSource", "acm"),
            ],
        };
        node("ViewerCertificate", parts)
    }

    /// Writes what the config and the summary have alike.
    fn common(&self) -> Vec<Element> {
        let behaviors = self.behaviors.iter();
        let behaviors =
            behaviors.map(|behavior| behavior.element("CacheBehavior", Some(&behavior.pattern)));
        let mode = if self.parameters.is_empty() {
            "direct"
        } else {
            "tenant-only"
        };
        vec![
            list("Origins", self.origins.iter().map(Origin::element)),
            list(
                "OriginGroups",
                self.origin_groups.iter().map(OriginGroup::element),
            ),
            self.default.element("DefaultCacheBehavior", None),
            list("CacheBehaviors", behaviors),
            list(
                "CustomErrorResponses",
                self.errors.iter().map(ErrorResponse::element),
            ),
            leaf("Comment", &self.comment),
            leaf("PriceClass", &self.price_class),
            leaf("Enabled", self.enabled),
            self.viewer_certificate(),
            node(
                "Restrictions",
                [node(
                    "GeoRestriction",
                    [leaf("RestrictionType", "none"), leaf("Quantity", 0)],
                )],
            ),
            leaf("WebACLId", ""),
            leaf("HttpVersion", &self.http_version),
            leaf("IsIPV6Enabled", true),
            leaf("Staging", self.staging),
            leaf("ConnectionMode", mode),
        ]
    }
}

/// A parameter without a default has to be given by each tenant.
fn definition((name, default): &(String, Option<String>)) -> Element {
    let mut schema = vec![leaf("Required", default.is_none())];
    schema.extend(default.iter().map(|value| leaf("DefaultValue", value)));
    let schema = node("Definition", [node("StringSchema", schema)]);
    node("member", [leaf("Name", name), schema])
}

impl Origin {
    fn element(&self) -> Element {
        let is_rest = matches!(
            self.kind,
            OriginKind::S3 { .. } | OriginKind::AccessPoint { .. }
        );
        let mut parts = vec![
            leaf("Id", &self.id),
            leaf("DomainName", self.host()),
            leaf("OriginPath", &self.path),
            node("CustomHeaders", [leaf("Quantity", 0)]),
        ];
        parts.push(match &self.kind {
            _ if is_rest => node("S3OriginConfig", [leaf("OriginAccessIdentity", "")]),
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
        parts.push(leaf("ConnectionAttempts", 3));
        parts.push(leaf("ConnectionTimeout", 10));
        parts.push(node("OriginShield", [leaf("Enabled", false)]));
        let control = is_rest.then(|| format!("E{}", code_of(&self.id)));
        parts.push(leaf("OriginAccessControlId", control.unwrap_or_default()));
        node("Origin", parts)
    }
}

impl OriginGroup {
    fn element(&self) -> Element {
        let codes = self.failover.iter().map(|code| leaf("StatusCode", code));
        let members = self.members.iter();
        let members = members.map(|id| node("OriginGroupMember", [leaf("OriginId", id)]));
        node(
            "OriginGroup",
            [
                leaf("Id", &self.id),
                node("FailoverCriteria", [list("StatusCodes", codes)]),
                list("Members", members),
                leaf("SelectionCriteria", "default"),
            ],
        )
    }
}

impl Behavior {
    /// Its functions by name, each with its event.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let on_request = self.function.as_deref().map(|name| (name, VIEWER_REQUEST));
        let on_answer = self.response_function.as_deref();
        let on_answer = on_answer.map(|name| (name, VIEWER_RESPONSE));
        on_request.into_iter().chain(on_answer)
    }

    fn element(&self, name: &str, pattern: Option<&str>) -> Element {
        let mut parts: Vec<Element> = pattern
            .iter()
            .map(|text| leaf("PathPattern", text))
            .collect();
        let methods = || ["HEAD", "GET"].map(|method| leaf("Method", method));
        let mut allowed = list("AllowedMethods", methods());
        allowed.children.push(list("CachedMethods", methods()));
        parts.extend([
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
            list(
                "LambdaFunctionAssociations",
                self.lambdas.iter().map(|lambda| {
                    node(
                        "LambdaFunctionAssociation",
                        [
                            leaf("LambdaFunctionARN", lambda.arn()),
                            leaf("EventType", lambda.event.name()),
                            leaf("IncludeBody", false),
                        ],
                    )
                }),
            ),
            list(
                "FunctionAssociations",
                self.functions().map(|(name, event)| {
                    node(
                        "FunctionAssociation",
                        [
                            leaf("FunctionARN", function_arn(name)),
                            leaf("EventType", event),
                        ],
                    )
                }),
            ),
            leaf("FieldLevelEncryptionId", ""),
        ]);
        let policy = self.headers_policy.iter();
        parts.extend(policy.map(|id| leaf("ResponseHeadersPolicyId", id)));
        match &self.caching {
            Caching::Policy(id) => parts.push(leaf("CachePolicyId", id)),
            Caching::Legacy(policy) => parts.extend(policy.legacy()),
        }
        node(name, parts)
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
    pub(crate) fn element(&self, id: &str, modified: &str) -> Element {
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
}

impl ContinuousDeployment {
    /// ContinuousDeploymentPolicy as GetContinuousDeploymentPolicy answers it.
    pub(crate) fn element(&self, id: &str, modified: &str) -> Element {
        let names = self.staging_domains.iter();
        let names = list(
            "StagingDistributionDnsNames",
            names.map(|name| leaf("DnsName", name)),
        );
        let weight = node("SingleWeightConfig", [leaf("Weight", self.weight)]);
        let traffic = node("TrafficConfig", [weight, leaf("Type", "SingleWeight")]);
        let config = node(
            "ContinuousDeploymentPolicyConfig",
            [names, leaf("Enabled", self.enabled), traffic],
        );
        node(
            "ContinuousDeploymentPolicy",
            [leaf("Id", id), leaf("LastModifiedTime", modified), config],
        )
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
