//! What each key of another tool comes to. Each row is as the tool's own documentation says.

use super::value::plain_name;

/// A tool's key, and `=KEY` of deploy.toml that means the same, or what is said of it. Empty: it is read by itself.
pub(super) type KeyTable = &'static [(&'static str, &'static str)];

/// What takes the place of rights of single objects.
pub(super) const ACL: &str = "objects get no ACL here, and those that change lose theirs: before the first deploy let CloudFront \
    read the bucket by an origin access control or a bucket policy (`unstale doctor` looks)";
const ENCRYPTION: &str = "the bucket's own encryption holds";

const CREDENTIALS: &str =
    "no secret is taken over: the usual AWS variables, profiles and roles are read";
pub(super) const PURGED: &str = "each deploy purges exactly what changed, and waits for it";
const PARALLEL: &str = "the number of requests at once finds its level";
const WEBSITE: &str = "the bucket's website configuration stays as it is, and is read from there";
const DISTRIBUTION: &str =
    "the distribution stays as it is; `unstale setup --distribution ID` changes single fields";
pub(super) const STAYS: &str = "what others put there stays, unless --adopt says otherwise: with --adopt say --no-delete, or it is deleted";
const STRIPPED: &str = "pages keep their keys; folders answer by a function (`redirect-function`) or a website endpoint";
pub(super) const CHECKED: &str =
    "what did not change is not uploaded; `unstale deploy --force` uploads all";
const SHOWN: &str = "`unstale plan` shows what a deploy would do";
const BY_CONTENT: &str = "what changed is told by content, so size and time do not matter";
const ORDER: &str = "pages go live after what they refer to, by themselves";
const BY_ITSELF: &str = "it is the way of every deploy";

pub(super) const S3_WEBSITE: KeyTable = &[
    ("s3_bucket", "=bucket"),
    ("s3_endpoint", "=region"),
    ("s3_key_prefix", "=prefix"),
    ("cloudfront_distribution_id", "=distribution"),
    ("site", "=dir"),
    ("profile", "=profile"),
    ("s3_id", CREDENTIALS),
    ("s3_secret", CREDENTIALS),
    ("session_token", CREDENTIALS),
    ("profile_assume_role_arn", CREDENTIALS),
    ("index_document", WEBSITE),
    ("error_document", ""),
    ("max_age", ""),
    ("cache_control", ""),
    ("content_type", ""),
    ("gzip", ""),
    ("gzip_zopfli", "`compress` has gzip, br and zstd"),
    ("exclude_from_upload", ""),
    ("ignore_on_server", STAYS),
    ("redirects", ""),
    ("routing_rules", ""),
    (
        "redirect_domains",
        "`canonical-host` sends viewers of other names to one",
    ),
    ("route53", "`unstale setup --domain HOST` makes DNS records"),
    (
        "s3_reduced_redundancy",
        "that storage class costs more than STANDARD today",
    ),
    (
        "treat_zero_length_objects_as_redirects",
        "an empty file is a file; redirects stand in _redirects or [[redirects]]",
    ),
    (
        "extensionless_mime_type",
        "a rule in [[headers]] sets content-type",
    ),
    ("concurrency_level", PARALLEL),
    ("cloudfront_invalidate_root", PURGED),
    ("cloudfront_wildcard_invalidation", PURGED),
    ("cloudfront_distribution_config", DISTRIBUTION),
];

pub(super) const S3DEPLOY: KeyTable = &[
    ("bucket", "=bucket"),
    ("path", "=prefix"),
    ("region", "=region"),
    ("source", "=dir"),
    ("distribution-id", "=distribution"),
    ("max-delete", "=max-delete"),
    ("endpoint-url", "=endpoint-url"),
    ("key", CREDENTIALS),
    ("secret", CREDENTIALS),
    ("acl", ACL),
    ("public-access", ACL),
    ("strip-index-html", STRIPPED),
    ("force", CHECKED),
    ("try", SHOWN),
    ("workers", PARALLEL),
    ("quiet", "`--quiet`"),
    ("v", "`--verbose`"),
    (
        "skip-local-dirs",
        "hidden folders are deployed but for .git and the like: see `exclude`",
    ),
    ("ignore", ""),
    ("skip-local-files", ""),
    ("routes", ""),
];

pub(super) const HUGO: KeyTable = &[
    ("matchers", ""),
    ("targets", ""),
    ("target", ""),
    ("order", ORDER),
    ("maxDeletes", "=max-delete"),
    ("workers", PARALLEL),
    ("confirm", SHOWN),
    ("dryRun", SHOWN),
    ("force", CHECKED),
    ("invalidateCDN", PURGED),
];

pub(super) const HUGO_TARGET: KeyTable = &[
    ("name", ""),
    ("url", ""),
    ("cloudFrontDistributionID", ""),
    ("include", "`exclude` names what stays out"),
    ("exclude", ""),
    ("stripIndexHTML", STRIPPED),
    ("googleCloudCDNOrigin", "CloudFront alone is purged"),
];

pub(super) const FINCH: KeyTable = &[
    ("bucketName", "=bucket"),
    ("distributionFolder", "=dir"),
    ("keyPrefix", "=prefix"),
    ("indexDocument", WEBSITE),
    ("errorDocument", ""),
    ("objectHeaders", ""),
    ("routingRules", ""),
    (
        "redirectAllRequestsTo",
        "`canonical-host` sends viewers of other names to one",
    ),
    ("uploadOrder", ORDER),
    ("orderSpec", ORDER),
    (
        "bucketPolicyFile",
        "the bucket's policy stays as it is; `unstale policy` prints what a deploy needs",
    ),
    ("corsFile", "the bucket's CORS rules stay as they are"),
    ("manageResources", "a deploy makes and changes no bucket"),
    ("sse", ENCRYPTION),
    ("tags", "the bucket's tags stay as they are"),
];

pub(super) const GATSBY: KeyTable = &[
    ("bucketName", "=bucket"),
    ("bucketPrefix", "=prefix"),
    ("region", "=region"),
    ("customAwsEndpointHostname", "=endpoint-url"),
    ("acl", ACL),
    ("params", ""),
    ("removeNonexistentObjects", ""),
    (
        "mergeCachingParams",
        "hashed names are kept for a year, pages are asked for each time, by themselves",
    ),
    (
        "generateRoutingRules",
        "write createRedirect's to _redirects or [[redirects]]: no routing rules are made",
    ),
    (
        "generateRedirectObjectsForPermanentRedirects",
        "write createRedirect's to _redirects or [[redirects]]",
    ),
    (
        "generateIndexPageForRedirect",
        "a redirect of / stands in _redirects or [[redirects]]",
    ),
    (
        "generateMatchPathRewrites",
        "client-only paths: `spa = true`, or a line with 200 in _redirects",
    ),
    ("retainObjectsPatterns", STAYS),
    ("enableS3StaticWebsiteHosting", WEBSITE),
    ("protocol", "`canonical-host` is for redirects to one name"),
    ("hostname", "`canonical-host` is for redirects to one name"),
    ("parallelLimit", PARALLEL),
    ("partSize", PARALLEL),
    ("verbose", "`--verbose`"),
    ("fixFirefoxCaching", BY_ITSELF),
];

/// Options of `aws s3`; headers, which are read by themselves, stand in [`HEADERS`].
pub(super) const OPTIONS: KeyTable = &[
    ("--region", "=region"),
    ("--profile", "=profile"),
    ("--endpoint-url", "=endpoint-url"),
    ("--recursive", ""),
    ("--delete", ""),
    ("--quiet", ""),
    ("--only-show-errors", ""),
    ("--no-progress", ""),
    ("--no-paginate", ""),
    ("--follow-symlinks", ""),
    ("--size-only", BY_CONTENT),
    ("--exact-timestamps", BY_CONTENT),
    (
        "--metadata-directive",
        "headers that differ are set by a copy in place",
    ),
    (
        "--no-follow-symlinks",
        "`symlinks = \"skip\"` leaves links out",
    ),
    (
        "--no-guess-mime-type",
        "content types are told by the name; [[headers]] sets others",
    ),
    ("--dryrun", "`unstale plan` shows what a deploy would do"),
    ("--metadata", "`metadata` in [[headers]] sets it"),
];

/// Headers, as all tools name them.
pub(super) const HEADERS: KeyTable = &[
    ("cache-control", "=cache-control"),
    ("content-type", "=content-type"),
    ("content-disposition", "=content-disposition"),
    ("content-language", "=content-language"),
    ("content-encoding", "=content-encoding"),
    ("storage-class", "=storage-class"),
    ("x-amz-storage-class", "=storage-class"),
    ("metadata", "=metadata"),
    ("acl", ACL),
    ("x-amz-acl", ACL),
    ("grants", ACL),
    ("server-side-encryption", ENCRYPTION),
    ("x-amz-server-side-encryption", ENCRYPTION),
    ("sse", ENCRYPTION),
    ("sse-kms-key-id", ENCRYPTION),
    ("expires", "a date passes: say max-age in cache-control"),
];

/// Finds what a key comes to.
pub(super) fn row(table: KeyTable, key: &str) -> Option<&'static str> {
    let row = table
        .iter()
        .find(|(name, _)| plain_name(name) == plain_name(key));
    row.map(|(_, ours)| *ours)
}
