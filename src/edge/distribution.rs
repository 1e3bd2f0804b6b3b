//! What a distribution's configuration says about which object answers which URL: our own plain model of
//! GetDistributionConfig with its cache policies and functions already looked up.

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

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
    pub rewrite: Rewrite,
    /// The function or Lambda that sees requests first, as the end of its ARN: `function/NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub associated: Option<String>,
    /// The code of the function that sees requests first, where it was read. What it makes stale is `rewrite`'s to tell.
    #[serde(skip)]
    pub function: Option<String>,
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
            rewrite: Rewrite::None,
            associated: None,
            function: None,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rewrite {
    /// No function, or one that leaves the URI alone.
    #[default]
    None,
    /// `/dir/` and `/dir` become `/dir/index.html`.
    IndexDirectory,
    /// There is a function that could not be read or understood.
    Unknown,
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
    /// Whether its pattern matches the path (with its leading slash). Case sensitive, `*` for any run and `?` for one
    /// character (Developer Guide, "Path pattern").
    pub fn matches(&self, path: &str) -> bool {
        let pattern = strip_slash(&self.pattern).as_bytes();
        glob(pattern, strip_slash(path).as_bytes())
    }

    /// What every path that it matches begins with, leading slash included.
    pub fn literal_prefix(&self) -> String {
        let pattern = strip_slash(&self.pattern);
        let end = pattern.find(['*', '?']).unwrap_or(pattern.len());
        format!("/{}", pattern.get(..end).unwrap_or_default())
    }

    /// Whether it takes every path that begins with its literal prefix.
    pub fn is_whole_prefix(&self) -> bool {
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

/// Matches by stepping back to the last `*` alone, so in time of at most the product of both lengths.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, place));
                at += 1;
            }
            Some(byte) if *byte == b'?' || Some(byte) == text.get(place) => {
                at += 1;
                place += 1;
            }
            _ => match star {
                Some((after, taken)) => {
                    star = Some((after, taken + 1));
                    at = after;
                    place = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

impl Distribution {
    /// The position of the behavior that a path falls to.
    pub fn behavior_of(&self, path: &str) -> Option<usize> {
        self.behaviors
            .iter()
            .position(|behavior| behavior.matches(path))
    }

    pub fn origin(&self, id: &str) -> Option<&Origin> {
        self.origins.iter().find(|origin| origin.id == id)
    }

    /// Tells two configurations apart by all that decides what is purged; the names that people give it do not count.
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

    /// The ids of the origins that are this bucket. `endpoints` are further host names by which it is known.
    pub fn bucket_origins(&self, bucket: &str, endpoints: &[String]) -> Vec<String> {
        let ours = |origin: &&Origin| {
            bucket_domain(&origin.domain, bucket).is_some() || endpoints.contains(&origin.domain)
        };
        let ids = self.origins.iter().filter(ours);
        ids.map(|origin| origin.id.clone()).collect()
    }
}

/// How a host name reaches a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Rest,
    Website,
}

/// Whether `domain` is an S3 host name of `bucket`, and of which kind: `BUCKET.s3.amazonaws.com` with a region, dualstack or
/// neither, the older `s3-REGION`, and `s3-website` with `-REGION` or `.REGION`; in China under `.com.cn`.
pub fn bucket_domain(domain: &str, bucket: &str) -> Option<Endpoint> {
    let domain = domain.to_ascii_lowercase();
    let host = domain
        .strip_suffix(".amazonaws.com.cn")
        .or_else(|| domain.strip_suffix(".amazonaws.com"))?;
    let service = host.strip_prefix(bucket)?.strip_prefix('.')?;
    let labels: Vec<&str> = service.split('.').collect();
    let is_region = |text: &str| {
        let ends_in_number = text
            .rsplit('-')
            .next()
            .is_some_and(|last| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()));
        text.contains('-') && ends_in_number
    };
    match labels.as_slice() {
        ["s3" | "s3-accelerate" | "s3-external-1"] => Some(Endpoint::Rest),
        ["s3" | "s3-fips", region] if is_region(region) => Some(Endpoint::Rest),
        ["s3" | "s3-fips", "dualstack", region] if is_region(region) => Some(Endpoint::Rest),
        ["s3-accelerate", "dualstack"] => Some(Endpoint::Rest),
        ["s3-website", region] if is_region(region) => Some(Endpoint::Website),
        [label] => {
            let region = label.strip_prefix("s3-")?;
            match region.strip_prefix("website-") {
                Some(region) => is_region(region).then_some(Endpoint::Website),
                None => is_region(region).then_some(Endpoint::Rest),
            }
        }
        _ => None,
    }
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
        use Endpoint::{Rest, Website};
        for (host, kind) in [
            ("b.s3.amazonaws.com", Some(Rest)),
            ("b.s3.eu-west-1.amazonaws.com", Some(Rest)),
            ("B.S3.eu-west-1.amazonaws.com", Some(Rest)),
            ("b.s3-eu-west-1.amazonaws.com", Some(Rest)),
            ("b.s3.dualstack.us-gov-west-1.amazonaws.com", Some(Rest)),
            ("b.s3.cn-north-1.amazonaws.com.cn", Some(Rest)),
            ("b.s3-website-us-east-1.amazonaws.com", Some(Website)),
            ("b.s3-website.eu-central-1.amazonaws.com", Some(Website)),
            ("b.s3-website.cn-north-1.amazonaws.com.cn", Some(Website)),
            ("x.b.s3.amazonaws.com", None),
            ("b.s3.s3.amazonaws.com", None),
            ("b.c.s3.amazonaws.com", None),
            ("bb.s3.amazonaws.com", None),
            ("b.example.com", None),
            ("b.s3.amazonaws.com.evil.com", None),
        ] {
            assert_eq!(bucket_domain(host, "b"), kind, "{host}");
        }
        assert_eq!(
            bucket_domain("www.b.org.s3.amazonaws.com", "www.b.org"),
            Some(Rest)
        );
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
        let mut rooted = plain.clone();
        rooted.default_root_object = Some("index.html".to_owned());
        let mut queried = plain.clone();
        queried.behaviors[0].query = QueryKey::All;
        let mut rewritten = plain.clone();
        rewritten.behaviors[0].rewrite = Rewrite::IndexDirectory;
        let mut associated = plain.clone();
        associated.behaviors[0].associated = Some("function/f".to_owned());
        for other in [rooted, queried, rewritten, associated] {
            assert_ne!(plain.fingerprint(), other.fingerprint());
        }
    }
}
