//! What is asked of CloudFront about response headers policies: what they send, and which behaviors they are attached to.

use std::collections::BTreeMap;

use aws_sdk_cloudfront::error::BuildError;
use aws_sdk_cloudfront::types::{
    DistributionConfig, FrameOptionsList, ReferrerPolicyList,
    ResponseHeadersPolicyAccessControlAllowHeaders as AllowHeaders,
    ResponseHeadersPolicyAccessControlAllowMethods as AllowMethods,
    ResponseHeadersPolicyAccessControlAllowMethodsValues as AllowedMethod,
    ResponseHeadersPolicyAccessControlAllowOrigins as AllowOrigins,
    ResponseHeadersPolicyAccessControlExposeHeaders as ExposeHeaders,
    ResponseHeadersPolicyConfig as PolicyConfig,
    ResponseHeadersPolicyContentSecurityPolicy as ContentSecurityPolicy,
    ResponseHeadersPolicyContentTypeOptions as ContentTypeOptions,
    ResponseHeadersPolicyCorsConfig as CorsConfig,
    ResponseHeadersPolicyCustomHeader as CustomHeader,
    ResponseHeadersPolicyCustomHeadersConfig as CustomHeadersConfig,
    ResponseHeadersPolicyFrameOptions as FrameOptions,
    ResponseHeadersPolicyReferrerPolicy as ReferrerPolicy,
    ResponseHeadersPolicyRemoveHeader as RemoveHeader,
    ResponseHeadersPolicyRemoveHeadersConfig as RemoveHeadersConfig,
    ResponseHeadersPolicySecurityHeadersConfig as SecurityHeadersConfig,
    ResponseHeadersPolicyStrictTransportSecurity as StrictTransportSecurity,
    ResponseHeadersPolicyType as PolicyType, ResponseHeadersPolicyXssProtection as XssProtection,
};

use super::cloudfront::CloudFront;
use super::error::{AwsError, failed};
use crate::edge::policy_setting::CorsLists;
use crate::edge::{HeadersPolicy, PolicySetting};

/// A policy as CloudFront has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHeadersPolicy {
    pub id: String,
    pub etag: String,
    /// Without the headers that give way to an object's own: deploys write none of those.
    pub policy: HeadersPolicy,
}

impl CloudFront {
    /// Finds the account's own policy of this name. `None`: there is none.
    pub async fn headers_policy(
        &self,
        name: &str,
    ) -> Result<Option<StoredHeadersPolicy>, AwsError> {
        match self.headers_policy_id(name).await? {
            Some(id) => self.headers_policy_by_id(&id).await,
            None => Ok(None),
        }
    }

    /// Reads the policy of this id. `None`: there is none.
    pub async fn headers_policy_by_id(
        &self,
        id: &str,
    ) -> Result<Option<StoredHeadersPolicy>, AwsError> {
        const ACTION: &str = "cloudfront:GetResponseHeadersPolicy";
        let answer = self.client.get_response_headers_policy().id(id).send();
        let answer = AwsError::if_there(answer.await.map_err(failed(ACTION, id)))?;
        let Some(answer) = answer else {
            return Ok(None);
        };
        let missing = || AwsError::nonsense(ACTION, id, "the answer holds no policy");
        let policy = answer.response_headers_policy.ok_or_else(missing)?;
        let config = policy.response_headers_policy_config.ok_or_else(missing)?;
        Ok(Some(StoredHeadersPolicy {
            id: id.to_owned(),
            etag: answer.e_tag.ok_or_else(missing)?,
            policy: read(config),
        }))
    }

    async fn headers_policy_id(&self, name: &str) -> Result<Option<String>, AwsError> {
        const ACTION: &str = "cloudfront:ListResponseHeadersPolicies";
        let mut marker = None;
        loop {
            let request = self.client.list_response_headers_policies();
            let request = request.r#type(PolicyType::Custom).set_marker(marker);
            let answer = request.send().await.map_err(failed(ACTION, "*"))?;
            let Some(list) = answer.response_headers_policy_list else {
                return Ok(None);
            };
            let policies = list.items.unwrap_or_default().into_iter();
            let mut policies = policies.filter_map(|summary| summary.response_headers_policy);
            let is_named = |config: &PolicyConfig| config.name == name;
            let found = policies.find(|policy| {
                let config = policy.response_headers_policy_config.as_ref();
                config.is_some_and(is_named)
            });
            if let Some(policy) = found {
                return Ok(Some(policy.id));
            }
            marker = list.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(None);
            }
        }
    }

    /// Writes a policy, over the one that was read or as a new one, and answers its id. All its headers win over objects' own. Viewers
    /// see a change without a purge.
    pub async fn write_headers_policy(
        &self,
        policy: &HeadersPolicy,
        over: Option<&StoredHeadersPolicy>,
    ) -> Result<String, AwsError> {
        const CREATE: &str = "cloudfront:CreateResponseHeadersPolicy";
        const UPDATE: &str = "cloudfront:UpdateResponseHeadersPolicy";
        let name = &policy.name;
        let nonsense = |what: String| AwsError::nonsense(CREATE, name, what);
        let settings = policy.settings();
        let settings = settings.map_err(|unfit| nonsense(unfit.to_string()))?;
        let config = written(policy, settings).map_err(|error| nonsense(error.to_string()))?;
        let stored = if let Some(over) = over {
            let request = self.client.update_response_headers_policy().id(&over.id);
            let request = request.if_match(&over.etag);
            let answer = request.response_headers_policy_config(config).send().await;
            answer
                .map_err(failed(UPDATE, name))?
                .response_headers_policy
        } else {
            let request = self.client.create_response_headers_policy();
            let answer = request.response_headers_policy_config(config).send().await;
            answer
                .map_err(failed(CREATE, name))?
                .response_headers_policy
        };
        let stored = stored.ok_or_else(|| nonsense("the answer holds no policy".to_owned()))?;
        Ok(stored.id)
    }

    /// Attaches policies to behaviors, all at once: ids by the behaviors' path patterns, `*` the default one; `None` takes away what
    /// there is. Tells whether anything had to be changed. All else stays as it is, whoever changes it meanwhile.
    pub async fn associate_headers_policies(
        &self,
        id: &str,
        policies: &BTreeMap<String, Option<String>>,
    ) -> Result<bool, AwsError> {
        let mut is_changed = false;
        let change = |config: &mut DistributionConfig| {
            is_changed = attach(config, policies)?;
            Ok(is_changed)
        };
        self.change_config(id, change).await?;
        Ok(is_changed)
    }
}

/// Sets the policies of behaviors, and tells whether that changed any. Fails with the pattern that no behavior has.
fn attach(
    config: &mut DistributionConfig,
    policies: &BTreeMap<String, Option<String>>,
) -> Result<bool, String> {
    let default = config.default_cache_behavior.as_mut();
    let default = default.map(|behavior| ("*", &mut behavior.response_headers_policy_id));
    let others = config.cache_behaviors.as_mut();
    let others = others.and_then(|list| list.items.as_mut()).into_iter();
    let others = others.flatten().map(|behavior| {
        let id = &mut behavior.response_headers_policy_id;
        (behavior.path_pattern.as_str(), id)
    });
    // Where a behavior has the pattern `*` as well, it takes all paths before the default one does.
    let mut present: BTreeMap<&str, &mut Option<String>> =
        default.into_iter().chain(others).collect();
    let mut is_changed = false;
    for (pattern, wanted) in policies {
        let id = present.get_mut(pattern.as_str());
        let id = id.ok_or_else(|| format!("it has no behavior for {pattern}"))?;
        if id.as_deref().unwrap_or_default() != wanted.as_deref().unwrap_or_default() {
            **id = wanted.clone();
            is_changed = true;
        }
    }
    Ok(is_changed)
}

/// Writes settings as CloudFront takes them.
fn written(
    policy: &HeadersPolicy,
    settings: Vec<PolicySetting>,
) -> Result<PolicyConfig, BuildError> {
    let (mut security, mut custom) = (None, Vec::new());
    let mut cors = None;
    for setting in settings {
        match setting {
            PolicySetting::Custom(name, value) => {
                let header = CustomHeader::builder().header(name).value(value);
                custom.push(header.r#override(true).build()?);
            }
            PolicySetting::AllowOrigins(_)
            | PolicySetting::AllowMethods(_)
            | PolicySetting::AllowHeaders(_)
            | PolicySetting::AllowCredentials
            | PolicySetting::ExposeHeaders(_)
            | PolicySetting::MaxAge(_) => cors.get_or_insert_with(Vec::new).push(setting),
            setting => {
                let headers = security.take();
                let headers = headers.unwrap_or_else(|| SecurityHeadersConfig::builder().build());
                security = Some(secured(headers, setting)?);
            }
        }
    }
    let names = policy.removed.iter();
    let removed = names.map(|name| RemoveHeader::builder().header(name).build());
    let removed = removed.collect::<Result<Vec<_>, _>>()?;
    let mut config = PolicyConfig::builder()
        .name(&policy.name)
        .comment(&policy.comment)
        .set_security_headers_config(security)
        .set_cors_config(cors.map(cors_config).transpose()?);
    if !custom.is_empty() {
        let list = CustomHeadersConfig::builder().quantity(count(&custom));
        config = config.custom_headers_config(list.set_items(Some(custom)).build()?);
    }
    if !removed.is_empty() {
        let list = RemoveHeadersConfig::builder().quantity(count(&removed));
        config = config.remove_headers_config(list.set_items(Some(removed)).build()?);
    }
    config.build()
}

fn count<T>(items: &[T]) -> i32 {
    i32::try_from(items.len()).unwrap_or(i32::MAX)
}

/// Adds a security header.
fn secured(
    mut headers: SecurityHeadersConfig,
    setting: PolicySetting,
) -> Result<SecurityHeadersConfig, BuildError> {
    match setting {
        PolicySetting::ContentSecurityPolicy(value) => {
            let header = ContentSecurityPolicy::builder().content_security_policy(value);
            headers.content_security_policy = Some(header.r#override(true).build()?);
        }
        PolicySetting::ContentTypeOptions => {
            let header = ContentTypeOptions::builder().r#override(true);
            headers.content_type_options = Some(header.build()?);
        }
        PolicySetting::FrameOptions(value) => {
            let value = FrameOptionsList::from(value.as_str());
            let header = FrameOptions::builder().frame_option(value);
            headers.frame_options = Some(header.r#override(true).build()?);
        }
        PolicySetting::ReferrerPolicy(value) => {
            let value = ReferrerPolicyList::from(value.as_str());
            let header = ReferrerPolicy::builder().referrer_policy(value);
            headers.referrer_policy = Some(header.r#override(true).build()?);
        }
        PolicySetting::StrictTransportSecurity {
            max_age,
            subdomains,
            preload,
        } => {
            let header = StrictTransportSecurity::builder()
                .access_control_max_age_sec(max_age)
                .include_subdomains(subdomains)
                .preload(preload);
            headers.strict_transport_security = Some(header.r#override(true).build()?);
        }
        PolicySetting::XssProtection {
            filter,
            block,
            report,
        } => {
            let header = XssProtection::builder()
                .protection(filter)
                .mode_block(block)
                .set_report_uri(report);
            headers.xss_protection = Some(header.r#override(true).build()?);
        }
        // The others are no security headers.
        _ => {}
    }
    Ok(headers)
}

fn cors_config(settings: Vec<PolicySetting>) -> Result<CorsConfig, BuildError> {
    let mut lists = CorsLists::default();
    let mut config = CorsConfig::builder()
        .access_control_allow_credentials(false)
        .origin_override(true);
    for setting in settings {
        match setting {
            PolicySetting::AllowOrigins(origins) => lists.origins = origins,
            PolicySetting::AllowMethods(methods) => lists.methods = methods,
            PolicySetting::AllowHeaders(names) => lists.headers = names,
            PolicySetting::AllowCredentials => {
                config = config.access_control_allow_credentials(true);
            }
            PolicySetting::ExposeHeaders(names) => {
                let list = ExposeHeaders::builder().quantity(count(&names));
                let list = list.set_items(Some(names)).build()?;
                config = config.access_control_expose_headers(list);
            }
            PolicySetting::MaxAge(seconds) => config = config.access_control_max_age_sec(seconds),
            // The others are no CORS headers.
            _ => {}
        }
    }
    let origins = AllowOrigins::builder().quantity(count(&lists.origins));
    let origins = origins.set_items(Some(lists.origins)).build()?;
    let methods = lists.methods.iter();
    let methods: Vec<_> = methods
        .map(|method| AllowedMethod::from(method.as_str()))
        .collect();
    let list = AllowMethods::builder().quantity(count(&methods));
    let methods = list.set_items(Some(methods)).build()?;
    let headers = AllowHeaders::builder().quantity(count(&lists.headers));
    let headers = headers.set_items(Some(lists.headers)).build()?;
    config
        .access_control_allow_origins(origins)
        .access_control_allow_methods(methods)
        .access_control_allow_headers(headers)
        .build()
}

/// Reads a policy, whoever wrote it.
fn read(config: PolicyConfig) -> HeadersPolicy {
    let security = config.security_headers_config.map(read_security);
    let cors = config.cors_config.filter(|cors| cors.origin_override);
    let custom = config.custom_headers_config.and_then(|list| list.items);
    let custom = custom.unwrap_or_default().into_iter();
    let custom = custom
        .filter(|header| header.r#override)
        .map(|header| PolicySetting::Custom(header.header.to_ascii_lowercase(), header.value));
    let settings = security.unwrap_or_default().into_iter();
    let settings = settings.chain(cors.map(read_cors).unwrap_or_default());
    let settings = settings.chain(custom);
    let removed = config.remove_headers_config.and_then(|list| list.items);
    let removed = removed.unwrap_or_default().into_iter();
    HeadersPolicy {
        name: config.name,
        comment: config.comment.unwrap_or_default(),
        sent: settings
            .map(|setting| (setting.name().to_owned(), setting.value()))
            .collect(),
        removed: removed
            .map(|header| header.header.to_ascii_lowercase())
            .collect(),
    }
}

fn read_security(config: SecurityHeadersConfig) -> Vec<PolicySetting> {
    let policy = config.content_security_policy.filter(|it| it.r#override);
    let policy = policy.map(|it| PolicySetting::ContentSecurityPolicy(it.content_security_policy));
    let kind = config.content_type_options.filter(|it| it.r#override);
    let kind = kind.map(|_| PolicySetting::ContentTypeOptions);
    let frame = config.frame_options.filter(|it| it.r#override);
    let frame = frame.map(|it| PolicySetting::FrameOptions(it.frame_option.as_str().to_owned()));
    let referrer = config.referrer_policy.filter(|it| it.r#override);
    let referrer = referrer.map(|it| it.referrer_policy.as_str().to_owned());
    let referrer = referrer.map(PolicySetting::ReferrerPolicy);
    let transport = config.strict_transport_security.filter(|it| it.r#override);
    let transport = transport.map(|it| PolicySetting::StrictTransportSecurity {
        max_age: it.access_control_max_age_sec,
        subdomains: it.include_subdomains.unwrap_or_default(),
        preload: it.preload.unwrap_or_default(),
    });
    let xss = config.xss_protection.filter(|it| it.r#override);
    let xss = xss.map(|it| PolicySetting::XssProtection {
        filter: it.protection,
        block: it.mode_block.unwrap_or_default(),
        report: it.report_uri.filter(|uri| !uri.is_empty()),
    });
    let settings = [policy, kind, frame, referrer, transport, xss];
    settings.into_iter().flatten().collect()
}

fn read_cors(config: CorsConfig) -> Vec<PolicySetting> {
    let origins = config.access_control_allow_origins.map(|list| list.items);
    let methods = config.access_control_allow_methods.map(|list| list.items);
    let methods = methods.unwrap_or_default().into_iter();
    let headers = config.access_control_allow_headers.map(|list| list.items);
    let lists = CorsLists {
        origins: origins.unwrap_or_default(),
        methods: methods.map(|method| method.as_str().to_owned()).collect(),
        headers: headers.unwrap_or_default(),
    };
    let credentials = config.access_control_allow_credentials;
    let credentials = credentials.then_some(PolicySetting::AllowCredentials);
    let exposed = config.access_control_expose_headers;
    let exposed = exposed.and_then(|list| list.items);
    let exposed = exposed.filter(|names| !names.is_empty());
    let age = config.access_control_max_age_sec.map(PolicySetting::MaxAge);
    let settings = lists.settings().into_iter().chain(credentials);
    let settings = settings.chain(exposed.map(PolicySetting::ExposeHeaders));
    settings.chain(age).collect()
}
