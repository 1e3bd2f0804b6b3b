//! Tenants of multi-tenant distributions: who they are, and what they make of the distribution's configuration.

use std::collections::BTreeMap;

use super::cloudfront::{CloudFront, DescribedDistribution};
use super::error::{AwsError, failed};

/// A tenant of a multi-tenant distribution.
#[derive(Debug, Clone, Default)]
pub struct DescribedTenant {
    pub id: String,
    /// The id of the distribution whose configuration it has.
    pub distribution: Option<String>,
    pub domains: Vec<String>,
    /// What it sets of the distribution's parameters.
    pub parameters: BTreeMap<String, String>,
}

impl DescribedDistribution {
    /// Puts a tenant's parameters, or else their default values, in the place of `{{name}}` in what origins are reached by.
    #[must_use]
    pub fn for_tenant(mut self, tenant: &DescribedTenant) -> Self {
        let definitions = (self.config.tenant_config.take())
            .and_then(|tenant| tenant.parameter_definitions)
            .unwrap_or_default();
        let default = definitions.into_iter().filter_map(|definition| {
            let schema = definition.definition?.string_schema?;
            Some((definition.name, schema.default_value?))
        });
        let mut parameters: BTreeMap<String, String> = default.collect();
        parameters.extend(tenant.parameters.clone());
        let fill = |text: &mut String| {
            for (name, value) in &parameters {
                *text = text.replace(&format!("{{{{{name}}}}}"), value);
            }
        };
        let origins = self.config.origins.iter_mut();
        for origin in origins.flat_map(|origins| &mut origins.items) {
            fill(&mut origin.domain_name);
            origin.origin_path.iter_mut().for_each(fill);
        }
        self
    }
}

impl CloudFront {
    /// Lists all tenants of the account's distributions: their ids, and what they are called.
    pub async fn tenants(&self) -> Result<Vec<(String, String)>, AwsError> {
        let pages = self.client.list_distribution_tenants().into_paginator();
        let tenants: Result<Vec<_>, _> = pages.items().send().collect().await;
        let tenants = tenants.map_err(failed("cloudfront:ListDistributionTenants", "*"))?;
        let named = tenants.into_iter().map(|tenant| {
            let domain = tenant.domains.into_iter().next().map(|first| first.domain);
            (tenant.id, domain.unwrap_or(tenant.name))
        });
        Ok(named.collect())
    }

    /// Finds the tenant of this id or domain.
    pub async fn tenant(&self, name: &str) -> Result<DescribedTenant, AwsError> {
        const ACTION: &str = "cloudfront:GetDistributionTenant";
        const BY_DOMAIN: &str = "cloudfront:GetDistributionTenantByDomain";
        let tenant = if name.contains('.') {
            let request = self.client.get_distribution_tenant_by_domain().domain(name);
            let answer = request.send().await.map_err(failed(BY_DOMAIN, name))?;
            answer.distribution_tenant
        } else {
            let request = self.client.get_distribution_tenant().identifier(name);
            let answer = request.send().await.map_err(failed(ACTION, name))?;
            answer.distribution_tenant
        };
        let nonsense = |what| AwsError::nonsense(ACTION, name, what);
        let tenant = tenant.ok_or_else(|| nonsense("the answer holds no tenant"))?;
        let domains = tenant.domains.unwrap_or_default().into_iter();
        let parameters = tenant.parameters.unwrap_or_default().into_iter();
        Ok(DescribedTenant {
            id: tenant.id.ok_or_else(|| nonsense("the tenant has no id"))?,
            distribution: tenant.distribution_id,
            domains: domains.map(|result| result.domain).collect(),
            parameters: parameters.map(|set| (set.name, set.value)).collect(),
        })
    }
}
