//! Keeps what is configured at a distribution and unknown to the SDK here. UpdateDistribution replaces the whole configuration, so
//! a field that reading drops would be lost by writing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError};

use super::cloudfront::CloudFront;
use super::distribution_settings::{EditedConfiguration, UPDATE};
use super::error::{AwsError, AwsErrorKind, failed};

const READ: &str = "cloudfront:GetDistributionConfig";

impl CloudFront {
    /// Reads a distribution's configuration in order to change it.
    ///
    /// # Errors
    /// `UnknownField` where the configuration could not be sent back as it was read.
    pub async fn editable_configuration(&self, id: &str) -> Result<EditedConfiguration, AwsError> {
        let answered = AnsweredBody::default();
        let request = self.client.get_distribution_config().id(id).customize();
        let answer = request.interceptor(answered.clone()).send().await;
        let answer = answer.map_err(failed(READ, id))?;
        let missing = || AwsError::nonsense(READ, id, "the answer holds no distribution");
        let config = answer.distribution_config.ok_or_else(missing)?;
        // The body that would send it back unchanged is made, and not sent.
        let unsent = UnsentBody::default();
        let request = self.client.update_distribution().id(id);
        let request = request.distribution_config(config.clone()).customize();
        let stopped = request.interceptor(unsent.clone()).send().await;
        let body = unsent.0.take();
        if body.is_empty() {
            stopped.map_err(failed(UPDATE, id))?;
        }
        let lost = lost_fields(&answered.0.take(), &body);
        let lost = lost.map_err(|error| AwsError::nonsense(READ, id, error.to_string()))?;
        if lost.is_empty() {
            return Ok(EditedConfiguration {
                id: id.to_owned(),
                config,
                etag: answer.e_tag,
            });
        }
        Err(AwsError {
            kind: AwsErrorKind::UnknownField,
            ..AwsError::nonsense(
                UPDATE,
                id,
                format!(
                    "this version does not know {}, and would lose it",
                    lost.join(", ")
                ),
            )
        })
    }
}

/// Returns the fields that `read` has and `written` has not, or has less often: `` `Origins/Items/Origin/OriginPath` ``.
fn lost_fields(read: &[u8], written: &[u8]) -> Result<Vec<String>, XmlDecodeError> {
    let written = field_counts(written)?;
    let mut lost: Vec<String> = Vec::new();
    for (path, count) in field_counts(read)? {
        let is_kept = written.get(&path).is_some_and(|kept| *kept >= count);
        // What lies within a lost field needs no word of its own.
        let within = |outer: &String| path.starts_with(&format!("{outer}/"));
        if !is_kept && !lost.iter().any(within) {
            lost.push(path);
        }
    }
    Ok(lost.iter().map(|path| format!("`{path}`")).collect())
}

/// Returns the paths of a document's elements below its root, and how many there are of each.
fn field_counts(document: &[u8]) -> Result<BTreeMap<String, usize>, XmlDecodeError> {
    let mut document = Document::try_from(document)?;
    let mut root = document.root_element()?;
    let mut counts = BTreeMap::new();
    count_fields(&mut root, "", &mut counts);
    Ok(counts)
}

fn count_fields(
    element: &mut ScopedDecoder<'_, '_>,
    path: &str,
    counts: &mut BTreeMap<String, usize>,
) {
    while let Some(mut field) = element.next_tag() {
        let name = field.start_el().local().to_owned();
        let path = match path {
            "" => name,
            path => format!("{path}/{name}"),
        };
        *counts.entry(path.clone()).or_default() += 1;
        count_fields(&mut field, &path, counts);
    }
}

/// Bytes that an interceptor keeps for whoever sends the request.
#[derive(Debug, Clone, Default)]
struct KeptBytes(Arc<Mutex<Vec<u8>>>);

impl KeptBytes {
    fn keep(&self, bytes: Option<&[u8]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = bytes.unwrap_or_default().to_vec();
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The body of an answer, as it came.
#[derive(Debug, Clone, Default)]
struct AnsweredBody(KeptBytes);

/// The body of a request that is not sent.
#[derive(Debug, Clone, Default)]
struct UnsentBody(KeptBytes);

#[dyn_dispatch_hint]
impl Intercept for AnsweredBody {
    fn name(&self) -> &'static str {
        "AnsweredBody"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.keep(context.response().body().bytes());
        Ok(())
    }
}

#[dyn_dispatch_hint]
impl Intercept for UnsentBody {
    fn name(&self) -> &'static str {
        "UnsentBody"
    }

    fn read_after_serialization(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.keep(context.request().body().bytes());
        Err("it is not to be sent".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_not_written_back_is_named() {
        let config = |inner: &str| format!("<C xmlns=\"x\">{inner}</C>").into_bytes();
        for (read, written, lost) in [
            ("<A>1</A><B/>", "<B></B><A>2</A><More/>", ""),
            ("<A><N/></A>", "<A/>", "`A/N`"),
            ("<A><N><M/></N></A><Z/>", "<A/>", "`A/N`, `Z`"),
            ("<I><N/></I><I><N/></I>", "<I><N/></I><I/>", "`I/N`"),
            ("<N/><Newer/>", "", "`N`, `Newer`"),
        ] {
            let fields = lost_fields(&config(read), &config(written)).unwrap();
            assert_eq!(fields.join(", "), lost, "{read}");
        }
        assert!(lost_fields(b"", &config("")).is_err());
    }
}
