//! What a deploy is asked to do: settings, validated, as plain fields.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::edge::{IndexLookup, PurgePrices};
use crate::object::manifest::DeployId;
use crate::rules::header_rules::HeaderRules;
use crate::rules::noise::NoiseRules;
use crate::rules::redirect::Redirect;
use crate::scan;

/// A distribution that the settings ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DistributionChoice {
    /// The one whose origin is the bucket.
    Auto,
    /// An id or an alias.
    Named(String),
}

/// A redirect and where it stands: `deploy.toml:12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedRedirect {
    pub redirect: Redirect,
    pub place: String,
}

/// One site, one build, and how to bring one to the other.
pub struct Job {
    pub dir: PathBuf,
    pub scan: scan::ScanOptions,
    pub bucket: String,
    /// Empty, or a folder with its final `/`.
    pub prefix: String,
    /// Where the state lies if not under the prefix: bucket and root, the root with its final `/`.
    pub state: Option<(String, String)>,
    pub region: Option<String>,
    /// The endpoint is AWS's own.
    pub official: bool,
    /// Batches of the purge keep to CloudFront's rates.
    pub paced: bool,
    pub wishes: Vec<DistributionChoice>,
    pub tenant: Option<String>,
    /// Host names, besides S3's own, by which the bucket is known as an origin.
    pub endpoints: Vec<String>,
    pub index: IndexLookup,
    pub rules: HeaderRules,
    /// Where a rule stands, by its index: `deploy.toml:12`.
    pub rule_name: Box<dyn Fn(usize) -> String + Send + Sync>,
    pub noise: Arc<NoiseRules>,
    /// Endings that keys lose, with their dots.
    pub strip_extension: Vec<String>,
    /// Index documents are stored under their folders' keys too.
    pub directory_objects: bool,
    /// Objects carry cache tags, where a distribution takes them.
    pub tags: bool,
    /// In the order in which they answer.
    pub redirects: Vec<PlacedRedirect>,
    /// The CloudFront Function that is to answer them where no website endpoint does.
    pub redirect_function: Option<String>,
    /// Keys, besides 404.html and what distributions name, that errors are answered with.
    pub error_documents: Vec<String>,
    pub prices: PurgePrices,
    /// This deploy's free paths, where a number is given; otherwise the month's budget decides.
    pub free_paths: Option<u64>,
    /// The month's free paths that are left, where a number is given.
    pub month_left: Option<u64>,
    pub delete: bool,
    pub max_delete: Option<usize>,
    pub adopt: bool,
    pub force: bool,
    /// How long fingerprinted assets stay after they left the build.
    pub retain: Duration,
    pub sweep: bool,
    pub wait: bool,
    pub timeout: Duration,
    pub lock_wait: Duration,
    /// Requests at once, at most.
    pub concurrency: usize,
    /// Bytes of content in memory, at most.
    pub max_memory: u64,
    /// Only finish what a deploy that died left open.
    pub resume: bool,
    /// Debts to drop unpaid, by id.
    pub drop_debts: Vec<String>,
    /// Not what the build has, but what the site was after this deploy.
    pub rollback: Option<DeployId>,
    /// For the history.
    pub commit: Option<String>,
}
