//! What of an existing distribution's configuration can be changed by itself: its root object, its error pages, its cache tag header,
//! where its edges are.

use aws_sdk_cloudfront::error::BuildError;
use aws_sdk_cloudfront::types::{
    CacheTagConfig, CustomErrorResponse, CustomErrorResponses, DistributionConfig, EventType,
    PriceClass,
};

use super::cloudfront::CloudFront;
use super::error::{AwsError, AwsErrorKind, failed};
use crate::edge::error_page::ErrorPage;

pub(super) const UPDATE: &str = "cloudfront:UpdateDistribution";

/// A configuration as it was read, with the ETag by which it is changed. What is not changed goes back as it came.
#[derive(Debug, Clone)]
pub struct EditedConfiguration {
    pub(super) id: String,
    pub(super) config: DistributionConfig,
    pub(super) etag: Option<String>,
}

/// What a distribution runs and sends by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveBehavior {
    /// Events (`viewer-request`) and the ARNs of the functions that run then.
    pub functions: Vec<(String, String)>,
    /// The id of the response headers policy.
    pub headers_policy: Option<String>,
}

impl LiveBehavior {
    /// Tells whether a function runs before anything is answered.
    pub fn runs_first(&self) -> bool {
        let mut functions = self.functions.iter();
        functions.any(|(event, _)| event == EventType::ViewerRequest.as_str())
    }
}

impl CloudFront {
    /// Reads what a distribution runs and sends by default. `None`: there is no such distribution.
    pub async fn live_behavior(&self, id: &str) -> Result<Option<LiveBehavior>, AwsError> {
        let described = match self.describe(id).await {
            Err(error) if error.is(&AwsErrorKind::NoSuchDistribution) => return Ok(None),
            described => described?,
        };
        let behavior = described.config.default_cache_behavior;
        Ok(behavior.map(|behavior| LiveBehavior {
            functions: (behavior.function_associations.and_then(|list| list.items))
                .unwrap_or_default()
                .into_iter()
                .map(|function| (function.event_type.to_string(), function.function_arn))
                .collect(),
            headers_policy: behavior
                .response_headers_policy_id
                .filter(|id| !id.is_empty()),
        }))
    }

    /// Changes a distribution's configuration. `change` tells whether there is anything to change, or why it cannot be; where somebody
    /// else changes it meanwhile, it is asked again. All else stays as it is; where it would not, nothing is changed.
    pub(super) async fn change_config(
        &self,
        id: &str,
        mut change: impl FnMut(&mut DistributionConfig) -> Result<bool, String>,
    ) -> Result<(), AwsError> {
        let mut tries = 0;
        loop {
            let mut edited = self.editable_configuration(id).await?;
            let changed = change(&mut edited.config).map_err(|why| {
                AwsError::nonsense(UPDATE, id, format!("it cannot be changed: {why}"))
            })?;
            if !changed {
                return Ok(());
            }
            match self.write_configuration(edited).await {
                Err(error) if error.is(&AwsErrorKind::Precondition) && tries < 3 => tries += 1,
                written => return written,
            }
        }
    }

    /// Writes a configuration in the place of the one that was read.
    ///
    /// # Errors
    /// `Precondition` where somebody changed that meanwhile.
    pub async fn write_configuration(&self, edited: EditedConfiguration) -> Result<(), AwsError> {
        let EditedConfiguration { id, config, etag } = edited;
        let request = self.client.update_distribution().id(&id);
        let request = request.set_if_match(etag).distribution_config(config);
        let answer = request.send().await.map(drop);
        answer.map_err(failed(UPDATE, &id))
    }
}

impl EditedConfiguration {
    /// Returns the default root object.
    pub fn root(&self) -> Option<&str> {
        let root = self.config.default_root_object.as_deref();
        root.filter(|root| !root.is_empty())
    }

    pub fn set_root(&mut self, key: &str) {
        self.config.default_root_object = Some(key.to_owned());
    }

    /// Returns the header that tells cache tags.
    pub fn tag_header(&self) -> Option<&str> {
        let tags = self.config.cache_tag_config.as_ref();
        tags.map(|tags| tags.header_name.as_str())
    }

    /// Fails where the SDK takes no such header.
    pub fn set_tag_header(&mut self, name: &str) -> Result<(), AwsError> {
        let tags = CacheTagConfig::builder().header_name(name).build();
        self.config.cache_tag_config = Some(tags.map_err(|error| self.unfit(&error))?);
        Ok(())
    }

    /// Returns where edges are, as `PriceClass_100`.
    pub fn price_class(&self) -> Option<&str> {
        self.config.price_class.as_ref().map(PriceClass::as_str)
    }

    pub fn set_price_class(&mut self, name: &str) {
        self.config.price_class = Some(PriceClass::from(name));
    }

    /// Returns what an error is answered with, in words: `/404.html, status 404, for 10 s`.
    pub fn error_page(&self, code: u16) -> Option<String> {
        let list = self.config.custom_error_responses.as_ref()?;
        let mut responses = list.items().iter();
        let response = responses.find(|response| response.error_code == i32::from(code))?;
        let page = response.response_page_path.as_deref();
        let page = page.filter(|page| !page.is_empty());
        let status = response.response_code.as_deref();
        let status = status.filter(|code| !code.is_empty());
        let own = code.to_string();
        Some(told(
            page.unwrap_or("no page"),
            status.unwrap_or(&own),
            response.error_caching_min_ttl.unwrap_or(10),
        ))
    }

    /// Answers an error with a page. Those of other errors stay.
    pub fn set_error_page(&mut self, page: &ErrorPage) -> Result<(), AwsError> {
        let response = CustomErrorResponse::builder()
            .error_code(page.code.into())
            .response_page_path(&page.path)
            .response_code(page.response_code.to_string())
            .error_caching_min_ttl(page.ttl.into())
            .build();
        let response = response.map_err(|error| self.unfit(&error))?;
        let list = self.config.custom_error_responses.take();
        let mut responses = list.and_then(|list| list.items).unwrap_or_default();
        let mut places = responses.iter_mut();
        match places.find(|known| known.error_code == response.error_code) {
            Some(known) => *known = response,
            None => responses.push(response),
        }
        let count = i32::try_from(responses.len()).unwrap_or(i32::MAX);
        let list = CustomErrorResponses::builder().quantity(count);
        let list = list.set_items(Some(responses)).build();
        self.config.custom_error_responses = Some(list.map_err(|error| self.unfit(&error))?);
        Ok(())
    }

    fn unfit(&self, error: &BuildError) -> AwsError {
        AwsError::nonsense(UPDATE, &self.id, error.to_string())
    }
}

/// Says in words what an error is answered with, its time in seconds.
pub fn told(page: &str, status: &str, ttl: i64) -> String {
    format!("{page}, status {status}, for {ttl} s")
}
