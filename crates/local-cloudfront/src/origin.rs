//! What an origin answers an edge: S3's REST endpoint, its website endpoint, or some other server.

use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::bucket::{Object, Version};
use super::bucket_policy::{Access, allows};
use super::clock::http_date;
use super::distribution::{Origin, OriginKind};
use super::store::{Store, StoreError};
use super::website;

/// An origin's answer. Header names in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// An error, or the page that is shown in its place.
    pub failed: bool,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map(|(_, value)| value.as_str())
    }
}

/// What an edge asks of an origin.
pub(crate) struct Fetch<'a> {
    /// Percent-encoded, with its leading slash.
    pub path: &'a str,
    /// If-None-Match.
    pub etag: Option<&'a str>,
    /// The distribution's ARN, which bucket policies name.
    pub source: &'a str,
}

/// Fetches a path from an origin.
pub(crate) fn fetch(store: &Store, origin: &Origin, asked: &Fetch<'_>) -> Reply {
    let Fetch { path, etag, source } = *asked;
    let full = format!("{}{path}", origin.path);
    // One slash only belongs to the path: a key may begin with more.
    let named = full.strip_prefix('/').unwrap_or(&full);
    let named = match &origin.kind {
        // The REST endpoint takes a raw plus for a space, as in a form. The website endpoint does not.
        OriginKind::S3 { .. } | OriginKind::AccessPoint { .. } => named.replace('+', " "),
        _ => named.to_owned(),
    };
    let key = percent_decode_str(&named);
    let Ok(key) = key.decode_utf8() else {
        return error(400, "InvalidURI");
    };
    match &origin.kind {
        OriginKind::S3 { bucket, may_list }
        | OriginKind::AccessPoint {
            bucket, may_list, ..
        } => {
            let rights = Rights::of(store, (bucket, *may_list), (&key, source));
            rest(store, (bucket, &key), &rights, etag)
        }
        OriginKind::Website { bucket } => website::fetch(store, bucket, &key, etag),
        OriginKind::Fixed {
            status,
            headers,
            body,
            ..
        } => Reply {
            status: *status,
            headers: headers.clone(),
            body: Bytes::from(body.clone()),
            failed: *status >= 400,
        },
    }
}

/// What a distribution may do at a bucket.
struct Rights {
    may_get: bool,
    may_list: bool,
}

impl Rights {
    /// Of a key, for a distribution by its ARN. Where the bucket has no policy all is as its origin says.
    fn of(store: &Store, (bucket, may_list): (&str, bool), (key, source): (&str, &str)) -> Self {
        let policy = store.read(bucket, |bucket| {
            bucket.options.documents.get("policy").cloned()
        });
        let Some(policy) = policy.ok().flatten() else {
            return Self {
                may_get: true,
                may_list,
            };
        };
        let allowed = |action: &str, resource: &str| {
            let access = Access {
                action,
                resource,
                source,
            };
            allows(&policy, &access)
        };
        let arn = format!("arn:aws:s3:::{bucket}");
        Self {
            may_get: allowed("s3:GetObject", &format!("{arn}/{key}")),
            may_list: allowed("s3:ListBucket", &arn),
        }
    }
}

fn rest(store: &Store, (bucket, key): (&str, &str), rights: &Rights, etag: Option<&str>) -> Reply {
    if key.is_empty() || !rights.may_get {
        return error(403, "AccessDenied");
    }
    match store.get_whole(bucket, key) {
        Ok(whole) => found(whole, etag),
        Err(StoreError::Disk(_)) => error(500, "InternalError"),
        Err(_) if rights.may_list => error(404, "NoSuchKey"),
        Err(_) => error(403, "AccessDenied"),
    }
}

pub(crate) fn error(status: u16, code: &str) -> Reply {
    let document = super::xml::node("Error", [super::xml::leaf("Code", code)]).document("");
    Reply {
        status,
        headers: vec![("content-type".to_owned(), "application/xml".to_owned())],
        body: Bytes::from(document),
        failed: true,
    }
}

pub(crate) fn found(
    (version, object, body): (Version, Arc<Object>, Bytes),
    etag: Option<&str>,
) -> Reply {
    let quoted = super::fields::quoted(&object.etag);
    let is_known = etag == Some(quoted.as_str());
    Reply {
        status: if is_known { 304 } else { 200 },
        headers: headers_of(&version, &object, quoted),
        body: if is_known { Bytes::new() } else { body },
        failed: false,
    }
}

fn headers_of(version: &Version, object: &Object, etag: String) -> Vec<(String, String)> {
    let millis = std::time::Duration::from_millis(u64::try_from(version.modified).unwrap_or(0));
    let modified = http_date(std::time::SystemTime::UNIX_EPOCH + millis);
    let headers = &object.headers;
    let standard = [
        ("etag", Some(etag)),
        ("last-modified", Some(modified)),
        (
            "content-type",
            Some(
                headers
                    .content_type
                    .clone()
                    .unwrap_or_else(|| "binary/octet-stream".to_owned()),
            ),
        ),
        ("cache-control", headers.cache_control.clone()),
        ("content-disposition", headers.content_disposition.clone()),
        ("content-language", headers.content_language.clone()),
        ("content-encoding", headers.content_encoding.clone()),
        ("expires", object.expires.clone()),
        ("x-amz-website-redirect-location", headers.redirect.clone()),
        ("x-amz-storage-class", headers.storage_class.clone()),
    ];
    let standard = standard
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let meta = headers.metadata.iter();
    let meta = meta.map(|(name, value)| (format!("x-amz-meta-{name}"), value.clone()));
    standard.chain(meta).collect()
}
