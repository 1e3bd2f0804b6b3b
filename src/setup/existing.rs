//! Changes single fields of a distribution that somebody made otherwise. Nothing is ever deleted, and nothing else changes.

use crate::aws::AwsError;
use crate::aws::distribution_settings::{EditedConfiguration, told};
use crate::edge::error_page::{ErrorPage, with_denied};

/// What a distribution is to have.
#[derive(Debug, Clone, Default)]
pub(crate) struct WantedFields {
    /// A key without a slash at its start: DefaultRootObject has none.
    pub root: Option<String>,
    pub error_pages: Vec<ErrorPage>,
    pub tag_header: Option<String>,
    /// `PriceClass_100`
    pub price_class: Option<&'static str>,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldChange {
    /// As CloudFront calls it: `DefaultRootObject`.
    pub field: String,
    pub before: Option<String>,
    pub after: String,
}

/// Edits a configuration to have what is wanted, and returns what that changes.
pub(crate) fn edit(
    configuration: &mut EditedConfiguration,
    wanted: WantedFields,
) -> Result<Vec<FieldChange>, AwsError> {
    let mut changes = Vec::new();
    let mut differs = |field: String, before: Option<String>, after: String| {
        let is_change = before.as_deref() != Some(after.as_str());
        if is_change {
            changes.push(FieldChange {
                field,
                before,
                after,
            });
        }
        is_change
    };
    if let Some(root) = wanted.root {
        let before = configuration.root().map(str::to_owned);
        if differs("DefaultRootObject".to_owned(), before, root.clone()) {
            configuration.set_root(&root);
        }
    }
    let mut pages = with_denied(wanted.error_pages.clone());
    // A page that stands there for 403 was not named, and stays.
    pages.retain(|page| {
        wanted.error_pages.contains(page) || configuration.error_page(page.code).is_none()
    });
    for page in pages {
        let field = format!("CustomErrorResponses, error {}", page.code);
        let after = told(&page.path, &page.response_code.to_string(), page.ttl.into());
        if differs(field, configuration.error_page(page.code), after) {
            configuration.set_error_page(&page)?;
        }
    }
    if let Some(header) = wanted.tag_header {
        let before = configuration.tag_header().map(str::to_owned);
        if differs(
            "CacheTagConfig, HeaderName".to_owned(),
            before,
            header.clone(),
        ) {
            configuration.set_tag_header(&header)?;
        }
    }
    if let Some(class) = wanted.price_class {
        let before = configuration.price_class().map(str::to_owned);
        if differs("PriceClass".to_owned(), before, class.to_owned()) {
            configuration.set_price_class(class);
        }
    }
    Ok(changes)
}
