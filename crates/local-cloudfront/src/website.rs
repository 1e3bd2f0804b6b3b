//! A bucket as a website: its configuration, and what its website endpoint answers by it (S3 User Guide, "Hosting a static
//! website using Amazon S3").

use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::utf8_percent_encode;
use serde::{Deserialize, Serialize};

use super::bucket::{Object, Version};
use super::origin::{Reply, error, found};
use super::path::UNSAFE;
use super::store::Store;

/// How a bucket answers at its website endpoint. Make it with [`WebsiteConfiguration::new`] and change what differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebsiteConfiguration {
    /// The index document's suffix, such as `index.html`.
    pub index: String,
    /// The error document's key.
    pub error: Option<String>,
    /// Tried in order; the first that matches redirects.
    pub rules: Vec<RoutingRule>,
    /// A host, with `http://` or `https://` before it or without, that all requests are redirected to. Nothing else counts then.
    pub redirect_all: Option<String>,
}

/// A routing rule: which requests it redirects, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingRule {
    /// Condition.KeyPrefixEquals: keys that begin so. With no error code beside it, all of them are redirected.
    pub key_prefix: Option<String>,
    /// Condition.HttpErrorCodeReturnedEquals: only where this error would be answered.
    pub error_code: Option<u16>,
    /// Redirect.HostName; the website endpoint's own without it.
    pub host: Option<String>,
    /// Redirect.ReplaceKeyWith.
    pub replace_key: Option<String>,
    /// Redirect.ReplaceKeyPrefixWith: takes the place of the condition's prefix, or stands before the key.
    pub replace_prefix: Option<String>,
    /// Redirect.HttpRedirectCode.
    pub status: u16,
    /// Redirect.Protocol: `http` or `https`.
    pub protocol: Option<String>,
}

impl WebsiteConfiguration {
    /// An index document, and neither an error document nor redirects.
    pub fn new(index: &str) -> Self {
        Self {
            index: index.to_owned(),
            error: None,
            rules: Vec::new(),
            redirect_all: None,
        }
    }
}

impl Default for RoutingRule {
    /// 301 of everything to the same place: say which requests, and where to.
    fn default() -> Self {
        Self {
            key_prefix: None,
            error_code: None,
            host: None,
            replace_key: None,
            replace_prefix: None,
            status: 301,
            protocol: None,
        }
    }
}

impl RoutingRule {
    /// Says whether it redirects this key, before anything is looked up (`None`) or where this error arose.
    fn matches(&self, key: &str, arose: Option<u16>) -> bool {
        let prefix = self.key_prefix.as_deref().unwrap_or_default();
        self.error_code == arose && key.starts_with(prefix)
    }

    fn location(&self, key: &str, own_host: &str) -> String {
        let prefix = self.key_prefix.as_deref().unwrap_or_default();
        let rest = key.strip_prefix(prefix).unwrap_or(key);
        let target = match (&self.replace_key, &self.replace_prefix) {
            (Some(whole), _) => whole.clone(),
            (None, Some(prefix)) => format!("{prefix}{rest}"),
            (None, None) => key.to_owned(),
        };
        let protocol = self.protocol.as_deref().unwrap_or("http");
        let host = self.host.as_deref().unwrap_or(own_host);
        format!(
            "{protocol}://{host}/{}",
            utf8_percent_encode(&target, UNSAFE)
        )
    }
}

/// The host name of a bucket's website endpoint.
pub(crate) fn host(bucket: &str) -> String {
    format!("{bucket}.s3-website-us-east-1.amazonaws.com")
}

/// Answers for a key as the website endpoint does. `etag`: If-None-Match.
pub(crate) fn fetch(store: &Store, bucket: &str, key: &str, etag: Option<&str>) -> Reply {
    let website = match store.read(bucket, |bucket| bucket.options.website.clone()) {
        Ok(Some(website)) => website,
        Ok(None) => return error(404, "NoSuchWebsiteConfiguration"),
        Err(_) => return error(404, "NoSuchBucket"),
    };
    if let Some(host) = &website.redirect_all {
        let scheme = if host.contains("://") { "" } else { "http://" };
        let path = utf8_percent_encode(key, UNSAFE);
        return redirect(301, &format!("{scheme}{host}/{path}"));
    }
    let routed = |arose: Option<u16>| {
        let rule = website.rules.iter().find(|rule| rule.matches(key, arose))?;
        Some(redirect(rule.status, &rule.location(key, &host(bucket))))
    };
    let document = || document(store, bucket, &website.index, key, etag);
    routed(None).or_else(document).unwrap_or_else(|| {
        let missing = || missing(store, bucket, website.error.as_deref());
        routed(Some(404)).unwrap_or_else(missing)
    })
}

/// The object of a key or of its index document, a redirect that stands in its place, or that of a folder to its slash.
fn document(
    store: &Store,
    bucket: &str,
    index: &str,
    key: &str,
    etag: Option<&str>,
) -> Option<Reply> {
    let is_folder = key.is_empty() || key.ends_with('/');
    let asked = if is_folder {
        format!("{key}{index}")
    } else {
        key.to_owned()
    };
    let whole: Result<(Version, Arc<Object>, Bytes), _> = store.get_whole(bucket, &asked);
    if let Ok(whole) = whole {
        return Some(match &whole.1.headers.redirect {
            Some(place) => redirect(301, place),
            None => found(whole, etag),
        });
    }
    let below = format!("{key}/{index}");
    let has_folder = !is_folder && store.get(bucket, &below).is_ok();
    has_folder.then(|| redirect(302, &format!("/{}/", utf8_percent_encode(key, UNSAFE))))
}

/// The error document with its own headers, or S3's words where there is none.
fn missing(store: &Store, bucket: &str, document: Option<&str>) -> Reply {
    let document = document.and_then(|key| store.get_whole(bucket, key).ok());
    let shown = document.map(|whole| found(whole, None));
    Reply {
        status: 404,
        failed: true,
        ..shown.unwrap_or_else(|| error(404, "NoSuchKey"))
    }
}

/// Without Cache-Control: S3 has none for a redirect.
fn redirect(status: u16, place: &str) -> Reply {
    Reply {
        status,
        headers: vec![("location".to_owned(), place.to_owned())],
        body: Bytes::new(),
        failed: false,
    }
}
