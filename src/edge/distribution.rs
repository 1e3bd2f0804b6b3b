//! What a distribution's configuration says about which object answers which URL: our own plain model of
//! GetDistributionConfig with its cache policies and functions already looked up.

use std::sync::LazyLock;

use md5::{Digest, Md5};
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::form::UriForm;

/// A distribution, as far as it decides what is purged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Distribution {
    pub id: String,
    pub domain_name: String,
    pub aliases: Vec<String>,
    /// Without a leading slash; empty is none.
    pub default_root_object: Option<String>,
    pub origins: Vec<Origin>,
    /// In the order of precedence, the default (`*`) last.
    pub behaviors: Vec<Behavior>,
    pub error_responses: Vec<ErrorResponse>,
    /// CacheTagConfig's HeaderName.
    pub cache_tag_header: Option<String>,
    /// The website configuration of the bucket, where one of its origins is the bucket's website endpoint and it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<WebsiteConfiguration>,
}

/// What a bucket's website endpoint answers besides its objects (GetBucketWebsite).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebsiteConfiguration {
    /// What folders are answered with: `index.html`.
    pub index: String,
    /// The key that errors are answered with.
    pub error: Option<String>,
    /// Whether routing rules redirect what is not there.
    pub redirects_errors: bool,
    /// All that it redirects, a text for each rule: edges keep what rules of before answered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
}

impl Default for WebsiteConfiguration {
    /// What most say: `index.html`, and no error document.
    fn default() -> Self {
        Self {
            index: "index.html".to_owned(),
            error: None,
            redirects_errors: false,
            rules: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    pub id: String,
    pub domain: String,
    /// OriginPath: empty, or with a leading slash and none at the end.
    pub path: String,
    /// Whether it is an S3 website endpoint.
    pub website: bool,
}

/// A cache behavior. TTLs are seconds, from the cache policy or from ForwardedValues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Behavior {
    pub pattern: String,
    /// The target origin, or all members of the target origin group.
    pub origins: Vec<String>,
    pub query: QueryKey,
    pub min_ttl: u64,
    pub default_ttl: u64,
    pub max_ttl: u64,
    pub compress: bool,
    pub rewrite: UriRewrite,
    /// The function or Lambda that sees requests first, as the end of its ARN: `function/NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub associated: Option<String>,
    /// The code of the function that sees requests first, where it was read. What it makes stale is `rewrite`'s to tell.
    #[serde(skip)]
    pub function: Option<String>,
    /// The Lambda that sees the origin's answers before they are kept, as the end of its ARN. It may change their headers and statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin_response: Option<String>,
    /// Whether its origin group goes on to another origin where an object is missing: it fails over on 403 or 404.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fails_over: bool,
    /// The function that sees answers on their way out, as the end of its ARN. Nothing of that is kept.
    #[serde(skip)]
    pub answered_by: Option<String>,
    /// The id of its response headers policy. Edges add those headers on the way out, so that it makes nothing stale.
    #[serde(skip)]
    pub headers_policy: Option<String>,
    /// Why it is not known what `associated` does.
    #[serde(skip)]
    pub unread: Option<UnreadFunction>,
}

impl Default for Behavior {
    /// The default behavior with the TTLs that CloudFront sets by itself.
    fn default() -> Self {
        Self {
            pattern: "*".to_owned(),
            origins: Vec::new(),
            query: QueryKey::None,
            min_ttl: 0,
            default_ttl: 86_400,
            max_ttl: 31_536_000,
            compress: false,
            rewrite: UriRewrite::None,
            associated: None,
            function: None,
            origin_response: None,
            fails_over: false,
            answered_by: None,
            headers_policy: None,
            unread: None,
        }
    }
}

/// Which query strings are part of the cache key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueryKey {
    #[default]
    None,
    /// All, or all but some.
    All,
    Some(Vec<String>),
}

/// What a viewer-request function does to the URI.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UriRewrite {
    /// No function, or one that leaves the URI alone.
    #[default]
    None,
    /// `/dir/` and `/dir` become `/dir/index.html`.
    IndexDirectory,
    /// It does one of these, or leaves the URI alone.
    Forms(Vec<UriForm>),
    /// There is a function that could not be read or understood.
    Unknown,
}

/// Why it is not known what a function does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadFunction {
    /// This piece of its code is not understood.
    Piece(String),
    /// Its code may not be read.
    Denied,
    Lambda,
    /// A Lambda on the way to the origin: edges keep under the viewer's URI what it fetched from somewhere else.
    OriginLambda,
}

/// By what it is known what functions do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FunctionTrust {
    /// Their code.
    #[default]
    Read,
    /// The owner's word, where their code is not understood: they rewrite the URI and nothing else.
    Rewrite,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorResponse {
    pub code: u16,
    /// Such as `/404.html`; empty is none.
    pub page: Option<String>,
    pub response_code: Option<u16>,
    /// Seconds; CloudFront's default is 10.
    pub caching_min_ttl: Option<u64>,
}

/// What CloudFront keeps an error for where nothing else is said, in seconds (Developer Guide, "How CloudFront caches HTTP
/// 4xx and 5xx status codes").
pub const DEFAULT_ERROR_TTL: u64 = 10;

impl ErrorResponse {
    pub fn ttl(&self) -> u64 {
        self.caching_min_ttl.unwrap_or(DEFAULT_ERROR_TTL)
    }
}

impl Behavior {
    /// Returns whether its pattern matches the path (with its leading slash). Case sensitive, `*` for any run and `?` for one
    /// character (Developer Guide, "Path pattern").
    pub fn matches(&self, path: &str) -> bool {
        let pattern = strip_slash(&self.pattern).as_bytes();
        glob(pattern, strip_slash(path).as_bytes())
    }

    /// Returns what every path that it matches begins with, leading slash included.
    pub fn literal_prefix(&self) -> String {
        let pattern = strip_slash(&self.pattern);
        let end = pattern.find(['*', '?']).unwrap_or(pattern.len());
        format!("/{}", pattern.get(..end).unwrap_or_default())
    }

    /// Returns whether it takes every path that begins with its literal prefix.
    pub(super) fn is_whole_prefix(&self) -> bool {
        let pattern = strip_slash(&self.pattern);
        pattern.find(['*', '?']) == pattern.len().checked_sub(1) && pattern.ends_with('*')
    }

    pub fn leads_to(&self, origin: &str) -> bool {
        self.origins.iter().any(|id| id == origin)
    }

    pub fn keys_on_query(&self) -> bool {
        match &self.query {
            QueryKey::None => false,
            QueryKey::All => true,
            QueryKey::Some(names) => !names.is_empty(),
        }
    }
}

fn strip_slash(text: &str) -> &str {
    text.strip_prefix('/').unwrap_or(text)
}

/// Matches a glob. It steps back to the last `*` alone, so in time of at most the product of both lengths.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut rest, mut left) = (pattern, text);
    // The pattern behind the last `*`, and what of the text that `*` may take yet.
    let mut star: Option<(&[u8], &[u8])> = None;
    while let [first, behind @ ..] = left {
        match (rest, star) {
            ([b'*', after @ ..], _) => {
                star = Some((after, left));
                rest = after;
            }
            ([byte, after @ ..], _) if *byte == b'?' || byte == first => {
                (rest, left) = (after, behind);
            }
            (_, Some((after, [_, taken @ ..]))) => {
                star = Some((after, taken));
                (rest, left) = (after, taken);
            }
            _ => return false,
        }
    }
    rest.iter().all(|byte| *byte == b'*')
}

impl Distribution {
    /// Returns the behavior that a path falls to.
    pub fn behavior_of(&self, path: &str) -> Option<&Behavior> {
        let mut behaviors = self.behaviors.iter();
        behaviors.find(|behavior| behavior.matches(path))
    }

    /// Returns a number that tells two configurations apart by all that decides what is purged; the names that people give it do not count.
    pub fn fingerprint(&self) -> u64 {
        let told = Self {
            domain_name: String::new(),
            aliases: Vec::new(),
            ..self.clone()
        };
        // Plain structs of strings and numbers: serializing them cannot fail.
        let text = serde_json::to_vec(&told).unwrap_or_default();
        let digest: [u8; 16] = Md5::digest(text).into();
        digest
            .iter()
            .take(8)
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    /// Returns the ids of the origins that are this bucket. `endpoints` are further host names by which it is known.
    pub fn bucket_origins(&self, bucket: &str, endpoints: &[String]) -> Vec<String> {
        let ours = |origin: &&Origin| {
            is_bucket_domain(&origin.domain, bucket) || endpoints.contains(&origin.domain)
        };
        let ids = self.origins.iter().filter(ours);
        ids.map(|origin| origin.id.clone()).collect()
    }
}

/// What stands behind a bucket's name in the host names of S3, a region as what ends in a number.
static SERVICE: LazyLock<Regex> = LazyLock::new(|| {
    let names = [
        r"s3",
        r"s3-accelerate(\.dualstack)?",
        r"s3-[^.]*-[0-9]+",
        r"s3(-fips|-website)?\.[^.]*-[0-9]+",
        r"s3(-fips)?\.dualstack\.[^.]*-[0-9]+",
    ];
    let names = names.join("|");
    Regex::new(&format!(r"^\.({names})\.amazonaws\.com(\.cn)?$")).expect("constant")
});

/// Returns whether `domain` is an S3 host name of `bucket`: `BUCKET.s3.amazonaws.com` with a region, dualstack or neither, the
/// older `s3-REGION`, and `s3-website` with `-REGION` or `.REGION`; in China under `.com.cn`.
pub fn is_bucket_domain(domain: &str, bucket: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    let service = domain.strip_prefix(bucket);
    service.is_some_and(|service| SERVICE.is_match(service))
}

/// Returns whether `domain` is an S3 host name of an access point's alias, which does not tell the bucket (S3 User Guide, "Access point
/// aliases").
pub fn is_access_point(domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    let (alias, service) = domain.split_once('.').unwrap_or_default();
    alias.ends_with("-s3alias") && is_bucket_domain(&format!("b.{service}"), "b")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_patterns_match_as_the_guide_says() {
        for (pattern, path, matches) in [
            ("*", "/", true),
            ("*", "/a/b", true),
            ("/images/*.jpg", "/images/a/b.jpg", true),
            ("images/*.jpg", "/images/b.jpg", true),
            ("images/*.jpg", "/images/b.JPG", false),
            ("images/*", "/images", false),
            ("images/*", "/images/", true),
            ("/a??.gif", "/ab1.gif", true),
            ("/a??.gif", "/ab.gif", false),
            ("*.js", "/x/y.js", true),
            ("/*a*b", "/xaxxb", true),
            ("/*a*b", "/xaxxbc", false),
            ("/a", "/a", true),
            ("/a", "/ab", false),
        ] {
            let behavior = Behavior {
                pattern: pattern.to_owned(),
                ..Behavior::default()
            };
            assert_eq!(behavior.matches(path), matches, "{pattern} {path}");
        }
    }

    #[test]
    fn a_bucket_is_known_by_its_host_names() {
        for (host, is_known) in [
            ("b.s3.amazonaws.com", true),
            ("b.s3.eu-west-1.amazonaws.com", true),
            ("B.S3.eu-west-1.amazonaws.com", true),
            ("b.s3-eu-west-1.amazonaws.com", true),
            ("b.s3.dualstack.us-gov-west-1.amazonaws.com", true),
            ("b.s3.cn-north-1.amazonaws.com.cn", true),
            ("b.s3-website-us-east-1.amazonaws.com", true),
            ("b.s3-website.eu-central-1.amazonaws.com", true),
            ("b.s3-website.cn-north-1.amazonaws.com.cn", true),
            ("x.b.s3.amazonaws.com", false),
            ("b.s3.s3.amazonaws.com", false),
            ("b.c.s3.amazonaws.com", false),
            ("bb.s3.amazonaws.com", false),
            ("b.example.com", false),
            ("b.s3.amazonaws.com.evil.com", false),
        ] {
            assert_eq!(is_bucket_domain(host, "b"), is_known, "{host}");
        }
        assert!(is_bucket_domain("www.b.org.s3.amazonaws.com", "www.b.org"));
        let alias = "ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias";
        assert!(is_access_point(&format!(
            "{alias}.s3.us-west-2.amazonaws.com"
        )));
        assert!(!is_access_point(&format!("{alias}.example.com")));
        assert!(!is_access_point("b.s3.us-west-2.amazonaws.com"));
    }

    #[test]
    fn a_fingerprint_stays_where_nothing_changed() {
        for (rewrite, told) in [
            (UriRewrite::None, "none"),
            (UriRewrite::IndexDirectory, "index-directory"),
            (UriRewrite::Unknown, "unknown"),
        ] {
            let behavior = Behavior {
                rewrite,
                associated: Some("function/f".to_owned()),
                unread: Some(UnreadFunction::Denied),
                ..Behavior::default()
            };
            // What earlier versions told edges by.
            let text = format!(
                r#"{{"pattern":"*","origins":[],"query":"none","min_ttl":0,"default_ttl":86400,"max_ttl":31536000,"compress":false,"rewrite":"{told}","associated":"function/f"}}"#
            );
            assert_eq!(serde_json::to_string(&behavior).unwrap(), text);
        }
    }

    #[test]
    fn a_fingerprint_moves_with_what_decides() {
        let plain = Distribution {
            id: "E1".to_owned(),
            behaviors: vec![Behavior::default()],
            ..Distribution::default()
        };
        let mut renamed = plain.clone();
        renamed.aliases.push("www.example.com".to_owned());
        assert_eq!(plain.fingerprint(), renamed.fingerprint());
        let mut headed = plain.clone();
        headed.behaviors[0].headers_policy = Some("policy".to_owned());
        assert_eq!(plain.fingerprint(), headed.fingerprint());
        let mut rooted = plain.clone();
        rooted.default_root_object = Some("index.html".to_owned());
        let mut queried = plain.clone();
        queried.behaviors[0].query = QueryKey::All;
        let mut rewritten = plain.clone();
        rewritten.behaviors[0].rewrite = UriRewrite::IndexDirectory;
        let mut trusted = plain.clone();
        trusted.behaviors[0].rewrite = UriRewrite::Forms(vec![UriForm::Any]);
        let mut associated = plain.clone();
        associated.behaviors[0].associated = Some("function/f".to_owned());
        for other in [rooted, queried, rewritten, trusted, associated] {
            assert_ne!(plain.fingerprint(), other.fingerprint());
        }
    }
}
