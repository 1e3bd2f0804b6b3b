//! Tenants of multi-tenant distributions.

use super::{Done, Failed, missing, page};
use crate::clock::iso_date;
use crate::cloud::Tenant;
use crate::distribution::code_of;
use crate::http::parameter;
use crate::world::Shared;
use crate::xml::{Element, leaf, node};

/// The tenant of this id or name.
pub(super) fn tenant(shared: &Shared, name: &str) -> Result<Tenant, Failed> {
    let tenants = shared.cloud.tenants().into_iter();
    let tenant = tenants
        .into_iter()
        .find(|tenant| tenant.id == name || tenant.name == name);
    tenant.ok_or_else(|| missing("EntityNotFound", "entity"))
}

pub(super) fn get(shared: &Shared, name: &str) -> Result<Done, Failed> {
    let tenant = tenant(shared, name)?;
    let mut parts = parts(shared, &tenant);
    // The summaries of ListDistributionTenants have none.
    parts.push(node(
        "Parameters",
        tenant.parameters.iter().map(parameter_of),
    ));
    let document = node("DistributionTenant", parts);
    Ok(Done::ok(document).with("etag", etag(&tenant)))
}

pub(super) fn by_domain(shared: &Shared, query: &str) -> Result<Done, Failed> {
    let domain = parameter(query, "domain").unwrap_or_default();
    let mut tenants = shared.cloud.tenants().into_iter();
    let has = |tenant: &Tenant| {
        tenant
            .domains
            .iter()
            .any(|own| own.eq_ignore_ascii_case(&domain))
    };
    let tenant = tenants
        .find(has)
        .ok_or_else(|| missing("EntityNotFound", "entity"))?;
    get(shared, &tenant.id)
}

pub(super) fn list(shared: &Shared, body: &str) -> Done {
    let request = Element::parse(body).unwrap_or_default();
    let distribution = request.text_at("AssociationFilter/DistributionId");
    let mut tenants = shared.cloud.tenants();
    tenants.retain(|tenant| distribution.is_empty() || tenant.distribution == distribution);
    let marker = request.text_at("Marker");
    let (shown, head) = page(
        tenants,
        |tenant| tenant.id.as_str(),
        marker,
        None,
        shared.cloud.page(),
    );
    let summary = |tenant: &Tenant| {
        let mut parts = parts(shared, tenant);
        parts.push(leaf("ETag", etag(tenant)));
        node("DistributionTenantSummary", parts)
    };
    let mut parts: Vec<Element> = head.child("NextMarker").cloned().into_iter().collect();
    parts.push(node("DistributionTenantList", shown.iter().map(summary)));
    Done::ok(node("ListDistributionTenantsResult", parts))
}

fn etag(tenant: &Tenant) -> String {
    format!("E{}", code_of(&format!("{tenant:?}")))
}

fn parameter_of((name, value): (&String, &String)) -> Element {
    node("member", [leaf("Name", name), leaf("Value", value)])
}

/// Writes what a tenant and its summary have alike.
fn parts(shared: &Shared, tenant: &Tenant) -> Vec<Element> {
    let domain = |name: &String| node("member", [leaf("Domain", name), leaf("Status", "active")]);
    let time = iso_date(shared.begun);
    let id = &tenant.id;
    vec![
        leaf("Id", id),
        leaf("DistributionId", &tenant.distribution),
        leaf("Name", &tenant.name),
        leaf(
            "Arn",
            format!("arn:aws:cloudfront::111122223333:distribution-tenant/{id}"),
        ),
        node("Domains", tenant.domains.iter().map(domain)),
        leaf("CreatedTime", &time),
        leaf("LastModifiedTime", &time),
        leaf("Enabled", true),
        leaf("Status", "Deployed"),
    ]
}
