//! What a command is asked to do: the settings, what follows from them, and what only the command line says.

use std::path::PathBuf;
use std::sync::Arc;

use crate::edge::PurgePrices;
use crate::object::manifest::DeployId;
use crate::rules::edge_function::PasswordDigest;
use crate::rules::header_rules::HeaderRules;
use crate::rules::link_report::LinkPolicy;
use crate::rules::noise::NoiseRules;
use crate::rules::redirect::Redirect;
use crate::scan;
use crate::settings::values::{FunctionName, PolicyName};
use crate::settings::{Settings, UnservedRules};

/// A distribution that the settings ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DistributionChoice {
    /// The one whose origin is the bucket.
    Auto,
    /// An id or an alias.
    Named(String),
}

/// A redirect and where it stands: `deploy.toml:12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlacedRedirect {
    pub redirect: Redirect,
    pub place: String,
}

impl Job {
    /// Returns what names the site: `s3://bucket/folder/`.
    pub(crate) fn site_name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.settings.prefix.0)
    }

    /// Returns whether it has to be known what the pages of the build refer to.
    pub(crate) fn reads_pages(&self) -> bool {
        let is_asked =
            self.settings.links != LinkPolicy::Off || self.settings.budget.page.is_some();
        is_asked && !self.is_preview && self.rollback.is_none()
    }
}

/// One site, one build, and how to bring one to the other.
pub(crate) struct Job {
    pub settings: Settings,
    pub dir: PathBuf,
    pub scan: scan::ScanOptions,
    pub bucket: String,
    /// Where the state lies if not under the prefix: bucket and root, the root with its final `/`.
    pub state: Option<(String, String)>,
    /// The endpoint is AWS's own.
    pub official: bool,
    /// Batches of the purge keep to CloudFront's rates.
    pub paced: bool,
    pub wishes: Vec<DistributionChoice>,
    /// Host names, besides S3's own, by which the bucket is known as an origin.
    pub endpoints: Vec<String>,
    pub rules: HeaderRules,
    /// Where each rule stands: `deploy.toml:12`.
    pub rule_places: Vec<String>,
    pub noise: Arc<NoiseRules>,
    /// Endings that keys lose, with their dots.
    pub strip_extension: Vec<String>,
    /// In the order in which they answer.
    pub redirects: Vec<PlacedRedirect>,
    /// What is asked for and nobody serves.
    pub unserved: UnservedRules,
    /// The CloudFront Function that is to do what S3 does not; `{id}` in its name stands for the distribution's.
    pub function: Option<FunctionName>,
    /// The response headers policy that is to send what S3 does not keep.
    pub headers_policy: Option<PolicyName>,
    /// What viewers have to know, as the function knows it.
    pub password: Option<PasswordDigest>,
    /// Where viewers of other hosts are sent.
    pub canonical_host: Option<String>,
    /// Keys, besides 404.html and what distributions name, that errors are answered with.
    pub error_documents: Vec<String>,
    pub prices: PurgePrices,
    /// This deploy's free paths, where a number is given; otherwise the month's budget decides.
    pub free_paths: Option<u64>,
    pub force: bool,
    pub sweep: bool,
    /// Requests at once, at most.
    pub concurrency: usize,
    /// Only finish what a deploy that died left open.
    pub resume: bool,
    /// Debts to drop unpaid, by id.
    pub drop_debts: Vec<String>,
    /// Not what the build has, but what the site was after this deploy.
    pub rollback: Option<DeployId>,
    /// It is looked at here and by nobody else, so that nothing refuses it.
    pub is_preview: bool,
    /// For the history.
    pub commit: Option<String>,
}
