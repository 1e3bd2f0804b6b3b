//! The template of a site's stack: small YAML that can be kept and used without this tool. Pure.

use super::policy::IamPolicy;
use super::yaml::{self, block, filled, scalar};
use crate::aws::distribution_settings::LiveBehavior;
use crate::edge::error_page::ErrorPage;
use crate::object::tags;
use crate::rules::edge_function::comment;

/// What a stack is made from.
#[derive(Debug, Clone)]
pub(crate) struct StackDesign {
    /// Names the origin access control, too.
    pub stack: String,
    pub bucket: String,
    /// The folder of the site, with its slash at the end, or empty.
    pub prefix: String,
    /// The folder of the deploys' state in this bucket, with its slash at the end.
    pub state: String,
    /// How it was asked for, as a comment.
    pub flags: String,
    pub price_class: String,
    pub error_pages: Vec<ErrorPage>,
    pub has_tags: bool,
    /// Name and code of the function that finds folders' documents.
    pub function: Option<(String, String)>,
    /// The name of the headers policy.
    pub headers_policy: Option<String>,
    /// What the distribution runs and sends by default, where there is one: it stays.
    pub live: Option<LiveBehavior>,
    pub domain: Option<StackDomain>,
    pub github: Option<GithubTrust>,
}

/// The name that viewers know the site by.
#[derive(Debug, Clone)]
pub(crate) struct StackDomain {
    pub name: String,
    /// The id of its Route 53 zone, where the account has that.
    pub zone: Option<String>,
    pub certificate: CertificatePlace,
}

/// Where the certificate is made: CloudFront takes those of us-east-1 alone (Developer Guide, "Requirements for using SSL/TLS
/// certificates with CloudFront").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CertificatePlace {
    SameStack,
    /// A stack of its own in us-east-1; its ARN is a parameter here.
    OwnStack,
}

/// Whom a role is for.
#[derive(Debug, Clone)]
pub(crate) struct GithubTrust {
    /// `OWNER/REPO`.
    pub repository: String,
    pub branch: String,
    /// The ARN of the account's provider; `None`: the stack makes it.
    pub provider: Option<String>,
    /// What the role may do.
    pub policy: IamPolicy,
}

impl StackDesign {
    /// Returns the template of the site.
    pub(crate) fn template(&self) -> String {
        let mut text = format!(
            "# A static site on S3 behind CloudFront. Made, and changed, by\n{}\nAWSTemplateFormatVersion: \"2010-09-09\"\n",
            self.flags
        );
        let is_elsewhere = |domain: &&StackDomain| domain.certificate == CertificatePlace::OwnStack;
        if let Some(domain) = self.domain.as_ref().filter(is_elsewhere) {
            text += &format!(
                "Parameters:\n  # CloudFront wants it in us-east-1, so that a stack there makes it: `unstale setup --print=certificate`.\n  CertificateArn:\n    Type: String\n    Description: {}\n",
                scalar(&format!("Of {}, in us-east-1", domain.name))
            );
        }
        text += "Resources:\n";
        text += &self.resources().join("\n");
        text += "\nOutputs:\n";
        let mut outputs = vec![
            ("BucketName", "Ref: Bucket"),
            ("DistributionId", "Ref: Distribution"),
            (
                "DistributionDomain",
                "Fn::GetAtt: [Distribution, DomainName]",
            ),
        ];
        let domain = self.domain.as_ref();
        let url = domain.map_or(
            "Fn::Sub: https://${Distribution.DomainName}".to_owned(),
            |domain| scalar(&format!("https://{}", domain.name)),
        );
        outputs.push(("Url", &url));
        if self.headers_policy.is_some() {
            outputs.push(("HeadersPolicyId", "Ref: HeadersPolicy"));
        }
        if self.github.is_some() {
            outputs.push(("DeployRoleArn", "Fn::GetAtt: [DeployRole, Arn]"));
        }
        for (name, value) in outputs {
            text += &format!("  {name}:\n    Value:\n      {value}\n");
        }
        text
    }

    /// Returns the template that takes in a bucket as it is, and never lets go of it with a failed try.
    pub(crate) fn importing_template(&self) -> String {
        let template = self.template();
        let whole = template.split_once("  Bucket:\n");
        let Some((head, rest)) =
            whole.and_then(|(head, rest)| Some((head, rest.split_once("\n\n")?.1)))
        else {
            return template;
        };
        let values = [("bucket", scalar(&self.bucket))];
        let bucket = filled(include_str!("template/imported_bucket.yaml"), &values);
        format!("{head}{bucket}\n{rest}")
    }

    /// Returns the template of the certificate's own stack, where there is to be one.
    pub(crate) fn certificate_template(&self) -> Option<String> {
        let domain = self.domain.as_ref()?;
        if domain.certificate == CertificatePlace::SameStack {
            return None;
        }
        Some(format!(
            "# The certificate of a site's distribution, as `unstale setup` makes it.\nAWSTemplateFormatVersion: \"2010-09-09\"\nResources:\n{}\nOutputs:\n  CertificateArn:\n    Value:\n      Ref: Certificate\n",
            self.certificate_resource(domain)
        ))
    }

    fn resources(&self) -> Vec<String> {
        let stack = || ("stack", yaml::name(&self.stack));
        let written = comment(&format!("s3://{}/{}", self.bucket, self.prefix));
        let comment = || ("comment", yaml::name(&written));
        let state = format!("${{Bucket.Arn}}/{}*", self.state);
        let mut resources = vec![
            filled(
                include_str!("template/bucket.yaml"),
                &[
                    stack(),
                    ("bucket", yaml::name(&self.bucket)),
                    ("state", scalar(&state)),
                ],
            ),
            self.distribution(),
        ];
        if let Some((name, code)) = &self.function {
            let values = [
                ("name", yaml::name(name)),
                comment(),
                ("code", code.clone()),
            ];
            resources.push(filled(include_str!("template/function.yaml"), &values));
        }
        if let Some(name) = &self.headers_policy {
            let text = include_str!("template/headers_policy.yaml");
            resources.push(filled(text, &[("name", yaml::name(name)), comment()]));
        }
        if let Some(domain) = &self.domain {
            if domain.certificate == CertificatePlace::SameStack {
                resources.push(self.certificate_resource(domain));
            }
            if let Some(zone) = &domain.zone {
                let values = [("zone", scalar(zone)), ("domain", scalar(&domain.name))];
                resources.push(filled(include_str!("template/dns_records.yaml"), &values));
            }
        }
        if let Some(github) = &self.github {
            if github.provider.is_none() {
                let text = include_str!("template/github_provider.yaml");
                resources.push(filled(text, &[stack()]));
            }
            resources.push(self.role(github));
        }
        resources
    }

    fn distribution(&self) -> String {
        let lines = |is_wanted: bool, text: &str| {
            if is_wanted {
                text.to_owned()
            } else {
                String::new()
            }
        };
        let aliases =
            (self.domain.iter()).map(|domain| format!("Aliases:\n  - {}", scalar(&domain.name)));
        let certificate = self.domain.iter().map(|domain| {
            let name = match domain.certificate {
                CertificatePlace::SameStack => "Certificate",
                CertificatePlace::OwnStack => "CertificateArn",
            };
            format!("ViewerCertificate:\n  AcmCertificateArn:\n    Ref: {name}\n  SslSupportMethod: sni-only\n  MinimumProtocolVersion: TLSv1.2_2021")
        });
        let folder = self.prefix.trim_end_matches('/');
        let origin_path = format!("OriginPath: {}", scalar(&format!("/{folder}")));
        let tags = format!(
            "# Purges by the tags that deploys give objects.\nCacheTagConfig:\n  HeaderName: {}",
            tags::HEADER
        );
        let values = [
            ("stack", yaml::name(&self.stack)),
            ("price_class", scalar(&self.price_class)),
            ("aliases", aliases.collect()),
            ("certificate", certificate.collect()),
            ("origin_path", lines(!folder.is_empty(), &origin_path)),
            ("function", self.function_lines()),
            ("headers_policy", self.headers_policy_line()),
            ("error_pages", self.error_page_lines()),
            ("tag_header", lines(self.has_tags, &tags)),
        ];
        filled(include_str!("template/distribution.yaml"), &values)
    }

    /// What runs at the edge: the stack's own function, and what deploys associated.
    fn function_lines(&self) -> String {
        const OWN: &str = "\n  - EventType: viewer-request\n    FunctionARN:\n      Fn::GetAtt: [EdgeFunction, FunctionMetadata.FunctionARN]";
        let own = self
            .function
            .as_ref()
            .map(|(name, _)| format!(":function/{name}"));
        let live = self.live.clone().unwrap_or_default();
        let mut lines: Vec<String> = (live.functions.iter())
            .map(|(event, function)| match &own {
                Some(own) if function.ends_with(own) => OWN.to_owned(),
                _ => format!(
                    "\n  - EventType: {event}\n    FunctionARN: {}",
                    scalar(function)
                ),
            })
            .collect();
        if own.is_some() && !live.runs_first() {
            lines.push(OWN.to_owned());
        }
        if lines.is_empty() {
            return String::new();
        }
        format!(
            "# Turns folders into their index.html.\nFunctionAssociations:{}",
            lines.concat()
        )
    }

    fn headers_policy_line(&self) -> String {
        let live = self
            .live
            .as_ref()
            .and_then(|live| live.headers_policy.as_ref());
        match (live, &self.headers_policy) {
            (Some(id), _) => format!("ResponseHeadersPolicyId: {}", scalar(id)),
            (None, Some(_)) => "ResponseHeadersPolicyId:\n  Ref: HeadersPolicy".to_owned(),
            (None, None) => String::new(),
        }
    }

    fn error_page_lines(&self) -> String {
        if self.error_pages.is_empty() {
            return String::new();
        }
        let pages = self.error_pages.iter().map(|page| {
            let ErrorPage { code, path, response_code, ttl } = page;
            let path = scalar(path);
            format!("\n  - ErrorCode: {code}\n    ResponseCode: {response_code}\n    ResponsePagePath: {path}\n    ErrorCachingMinTTL: {ttl}")
        });
        let pages: String = pages.collect();
        format!("CustomErrorResponses:{pages}")
    }

    fn certificate_resource(&self, domain: &StackDomain) -> String {
        let name = scalar(&domain.name);
        let validation = domain.zone.iter().map(|zone| {
            let zone = scalar(zone);
            format!("DomainValidationOptions:\n  - DomainName: {name}\n    HostedZoneId: {zone}")
        });
        let values = [
            ("domain", name.clone()),
            ("validation", validation.collect()),
            ("stack", yaml::name(&self.stack)),
        ];
        filled(include_str!("template/certificate.yaml"), &values)
    }

    fn role(&self, github: &GithubTrust) -> String {
        let provider =
            (github.provider.as_deref()).map_or("Ref: GithubProvider".to_owned(), scalar);
        let branch = &github.branch;
        let subject = format!("repo:{}:ref:refs/heads/{branch}", github.repository);
        let numbered = github.repository.replacen('/', "@*/", 1);
        let numbered = format!("repo:{numbered}@*:ref:refs/heads/{branch}");
        // Plain structs of text: making a value of them cannot fail.
        let policy = serde_json::to_value(&github.policy).unwrap_or_default();
        let values = [
            ("stack", yaml::name(&self.stack)),
            ("provider", provider),
            ("subject", scalar(&subject)),
            ("numbered", scalar(&numbered)),
            ("policy", block(&policy).join("\n")),
        ];
        filled(include_str!("template/deploy_role.yaml"), &values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::policy::PolicyStatement;

    fn plain() -> StackDesign {
        StackDesign {
            stack: "unstale-b".to_owned(),
            bucket: "b".to_owned(),
            prefix: String::new(),
            state: ".unstale/".to_owned(),
            flags: "# unstale setup".to_owned(),
            price_class: "PriceClass_100".to_owned(),
            error_pages: Vec::new(),
            has_tags: false,
            function: None,
            headers_policy: None,
            live: None,
            domain: None,
            github: None,
        }
    }

    fn domain(zone: Option<&str>, certificate: CertificatePlace) -> StackDomain {
        StackDomain {
            name: "www.example.com".to_owned(),
            zone: zone.map(str::to_owned),
            certificate,
        }
    }

    fn github(provider: Option<&str>) -> GithubTrust {
        let resource = "arn:aws:cloudfront::*:distribution/${Distribution}";
        GithubTrust {
            repository: "me/site".to_owned(),
            branch: "main".to_owned(),
            provider: provider.map(str::to_owned),
            policy: IamPolicy {
                statement: vec![PolicyStatement::new(
                    "Distributions",
                    "cloudfront:GetDistribution",
                    resource,
                )],
                version: "2012-10-17",
            },
        }
    }

    fn full() -> StackDesign {
        StackDesign {
            prefix: "docs/".to_owned(),
            state: "docs/.unstale/".to_owned(),
            error_pages: ErrorPage::of_app(),
            has_tags: true,
            function: Some(("f".to_owned(), "a\n\n  b\n".to_owned())),
            headers_policy: Some("h".to_owned()),
            domain: Some(domain(Some("Z1"), CertificatePlace::SameStack)),
            github: Some(github(None)),
            ..plain()
        }
    }

    #[test]
    fn a_template_is_read_by_people() {
        insta::assert_snapshot!("plain", plain().template());
        insta::assert_snapshot!("full", full().template());
    }

    #[test]
    fn a_certificate_of_another_region_has_a_stack_of_its_own() {
        let far = StackDesign {
            domain: Some(domain(None, CertificatePlace::OwnStack)),
            ..plain()
        };
        let template = far.template();
        assert!(template.contains("Ref: CertificateArn") && !template.contains("  Certificate:"));
        assert!(!template.contains("DnsRecords"));
        insta::assert_snapshot!("certificate", far.certificate_template().unwrap());
        assert_eq!(full().certificate_template(), None);
    }

    #[test]
    fn a_bucket_is_taken_in_by_its_name_alone() {
        let (whole, importing) = (full().template(), full().importing_template());
        let (from, to) = (
            "DeletionPolicy: RetainExceptOnCreate",
            "DeletionPolicy: Retain\n",
        );
        assert!(whole.contains(from) && importing.contains(to));
        let policy = |text: &str| text.split_once("  BucketPolicy:").unwrap().1.to_owned();
        assert_eq!(policy(&whole), policy(&importing));
        let lines = |text: &str| text.lines().count();
        assert!(lines(&importing) < lines(&whole) - 20, "{importing}");
    }

    #[test]
    fn what_the_account_has_is_not_made_again() {
        let theirs = StackDesign {
            github: Some(github(Some("arn:aws:iam::1:oidc-provider/t"))),
            ..full()
        };
        assert!(full().template().contains("Ref: GithubProvider"));
        assert!(!theirs.template().contains("GithubProvider"));
        assert!(theirs.template().contains("arn:aws:iam::1:oidc-provider/t"));
    }
}
