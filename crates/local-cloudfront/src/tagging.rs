//! Object tags.

use std::collections::BTreeMap;

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::s3::Api;

/// `x-amz-tagging`: a query string.
pub(crate) fn tags_of(text: Option<&str>) -> S3Result<BTreeMap<String, String>> {
    let decode = |part: &str| {
        let spaced = part.replace('+', " ");
        let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8();
        decoded
            .map(|text| text.into_owned())
            .map_err(|_| s3_error!(InvalidTag))
    };
    let pairs = text.unwrap_or_default().split('&');
    let pairs = pairs.filter(|pair| !pair.is_empty());
    let tags: S3Result<BTreeMap<_, _>> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect();
    tags.and_then(|tags| match tags.len() {
        0..=10 => Ok(tags),
        _ => Err(s3_error!(
            InvalidTag,
            "Object tags cannot be greater than 10"
        )),
    })
}

impl Api {
    pub(super) async fn put_object_tagging(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<PutObjectTaggingOutput> {
        let input = request.input;
        let tags = input.tagging.tag_set.into_iter();
        let tags = tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
        let tags: BTreeMap<String, String> = tags.collect();
        let id = input.version_id.as_deref();
        self.store.amend(&input.bucket, &input.key, id, |object| {
            object.headers.tags = tags;
        })?;
        Ok(PutObjectTaggingOutput::default())
    }

    pub(super) async fn delete_object_tagging(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<DeleteObjectTaggingOutput> {
        let input = request.input;
        let id = input.version_id.as_deref();
        self.store.amend(&input.bucket, &input.key, id, |object| {
            object.headers.tags.clear();
        })?;
        Ok(DeleteObjectTaggingOutput::default())
    }

    pub(super) async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<GetObjectTaggingOutput> {
        let input = request.input;
        let id = input.version_id.as_deref();
        let (_, object, _) = self.find(&input.bucket, &input.key, id)?;
        let tags = object.headers.tags.iter().map(|(key, value)| Tag {
            key: Some(key.clone()),
            value: Some(value.clone()),
        });
        Ok(GetObjectTaggingOutput {
            tag_set: tags.collect(),
            version_id: input.version_id,
        })
    }
}
