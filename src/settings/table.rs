//! The table of settings. A new one is a field here with its default, a flag in `cli.rs` if it has one, a line in
//! deploy.example.toml, and the place that uses it.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Deserialize;

use super::list::{List, Numbered};
use super::setup_values::StackName;
use super::values::{
    AccountId, BucketAddress, ByteSize, DistributionSetting, EndpointUrl, FieldValue,
    FileExtension, FunctionName, GlobPattern, HostName, KeptDeploys, MemorySize, Period,
    PolicyName, Price, SecretPlace, SitePrefix, StatePlace,
};
use crate::edge::price::{FREE_PATHS, PricingPlan};
use crate::edge::{FunctionTrust, IndexLookup, PurgeMode};
use crate::object::encoding::Encoding;
use crate::rules::header_rule::HeaderRule;
use crate::rules::link_report::LinkPolicy;
use crate::rules::noise::NoiseRule;
use crate::rules::redirect::Redirect;
use crate::rules::security_preset::SecurityPreset;
use crate::scan::SymlinkPolicy;

/// Everything that a command may be told. The field `max_delete` is the key `max-delete` of deploy.toml and the variable
/// `UNSTALE_MAX_DELETE`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// As it was given, relative paths of deploy.toml already joined to its folder. Ask `build_dir`.
    pub dir: Option<PathBuf>,
    pub allow_project_root: bool,
    /// Ask [`Settings::bucket`].
    pub bucket: Option<BucketAddress>,
    pub prefix: SitePrefix,
    pub state: Option<StatePlace>,
    /// `Auto` and `None` stand alone; never empty.
    pub distribution: List<DistributionSetting>,
    pub distribution_tenant: Option<String>,
    /// The CloudFormation stack that `setup` makes; `None`: [`StackName::of_bucket`].
    pub stack: Option<StackName>,
    /// Origins that are the bucket, besides those by S3's own host names for it.
    pub origin_domains: List<String>,
    /// What the bucket's website endpoint answers folders and errors with, where its configuration may not be read.
    pub website_index: Option<String>,
    pub website_error: Option<String>,
    pub local: Option<PathBuf>,

    pub profile: Option<String>,
    pub region: Option<String>,
    /// Never together with `local`; `profile` and what else names things of an account neither.
    pub endpoint_url: Option<EndpointUrl>,
    /// `None`: wherever an endpoint is given that is not AWS's.
    pub path_style: Option<bool>,
    pub ca_bundle: Option<PathBuf>,
    pub expected_bucket_owner: Option<AccountId>,

    pub exclude: List<GlobPattern>,
    pub include: List<GlobPattern>,
    /// Deployed though it looks private.
    pub allow: List<GlobPattern>,
    pub symlinks: SymlinkPolicy,
    /// Keys that the distribution answers errors with, besides those that it names itself.
    pub error_documents: List<String>,
    pub strip_extension: List<FileExtension>,
    pub index: IndexLookup,
    pub functions: FunctionTrust,
    /// Store `posts/index.html` under `posts/` too.
    pub directory_objects: bool,
    /// The CloudFront Function that is to do what S3 does not; `None`: [`Settings::function_name`] tells whether one is written.
    pub redirect_function: Option<FunctionName>,
    /// Show `index.html` where no page is: a single-page app.
    pub spa: bool,
    /// What viewers have to know.
    pub password: Option<SecretPlace>,
    /// Where viewers of other hosts are sent.
    pub canonical_host: Option<HostName>,
    /// Ask [`Settings::headers_policy`].
    pub headers_policy: Option<PolicyName>,
    pub security: Option<SecurityPreset>,
    pub fingerprinted: List<GlobPattern>,
    pub not_fingerprinted: List<GlobPattern>,
    pub pages: List<GlobPattern>,
    pub cache_control: Option<FieldValue>,
    pub compress: List<Encoding>,
    /// `[[headers]]` alone; [`Settings::header_rules_with`] has all.
    pub headers: Vec<Numbered<HeaderRule>>,
    pub redirects: Vec<Numbered<Redirect>>,
    pub noise: Vec<Numbered<NoiseRule>>,
    /// Objects carry cache tags.
    pub tags: bool,
    /// What nobody serves is an error.
    pub strict: bool,
    pub links: LinkPolicy,
    /// Paths whose links are not judged.
    pub links_except: List<GlobPattern>,

    pub delete: bool,
    /// `None`: half of the objects, or nine where that is more.
    pub max_delete: Option<usize>,
    pub adopt: bool,
    /// How long assets stay after they left the build.
    pub retain: Period,
    /// Of how many deploys what they replace is copied, for `rollback` where the bucket keeps no versions.
    pub keep: KeptDeploys,
    pub purge: PurgeSettings,
    pub budget: BudgetSettings,
    pub wait: bool,
    pub timeout: Period,
    pub verify: bool,
    /// Requests at once, at most; `None`: finds its level.
    pub concurrency: Option<NonZeroUsize>,
    /// Bytes of content in memory, at most.
    pub max_memory: MemorySize,
    pub cache: bool,
    pub lock_wait: Period,

    pub json: bool,
    pub quiet: bool,
    pub verbose: bool,

    /// The settings file that was read.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Flags that lead another command to the same site.
    #[serde(skip)]
    pub site_flags: Vec<String>,
    /// What is odd but no error, such as a variable that nothing reads.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// `[purge]`. Prices are US dollars.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table"
)]
pub(crate) struct PurgeSettings {
    pub mode: PurgeMode,
    pub plan: PricingPlan,
    /// How many of the account's free paths in a month are this site's.
    pub free_paths_per_month: u64,
    pub path_price: Price,
    pub refetch_price: Price,
    pub wait_price: Price,
    /// What a path pattern of another origin's behavior weighs.
    pub opaque_weight: u64,
    /// Keep to CloudFront's usual rates: 150 paths and one wildcard a second.
    pub paced: bool,
}

/// `[budget]`: what the site may come to; `None`: anything.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table"
)]
pub(crate) struct BudgetSettings {
    /// A page with what it loads.
    pub page: Option<ByteSize>,
    /// All files.
    pub site: Option<ByteSize>,
    pub file: Option<ByteSize>,
    pub files: Option<u64>,
    /// Of one deploy, at all distributions together.
    pub purge_paths: Option<u64>,
    /// In US dollars.
    pub purge_cost: Option<Price>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dir: None,
            allow_project_root: false,
            bucket: None,
            prefix: SitePrefix::default(),
            state: None,
            distribution: List(vec![DistributionSetting::Auto]),
            distribution_tenant: None,
            stack: None,
            origin_domains: List::default(),
            website_index: None,
            website_error: None,
            local: None,
            profile: None,
            region: None,
            endpoint_url: None,
            path_style: None,
            ca_bundle: None,
            expected_bucket_owner: None,
            exclude: List::default(),
            include: List::default(),
            allow: List::default(),
            symlinks: SymlinkPolicy::Inside,
            error_documents: List::default(),
            strip_extension: List::default(),
            index: IndexLookup::Auto,
            functions: FunctionTrust::Read,
            directory_objects: false,
            redirect_function: None,
            spa: false,
            password: None,
            canonical_host: None,
            headers_policy: None,
            security: None,
            fingerprinted: List::default(),
            not_fingerprinted: List::default(),
            pages: List::default(),
            cache_control: None,
            compress: List::default(),
            headers: Vec::new(),
            redirects: Vec::new(),
            noise: Vec::new(),
            tags: false,
            strict: false,
            links: LinkPolicy::default(),
            links_except: List::default(),
            delete: true,
            max_delete: None,
            adopt: false,
            retain: Period::seconds(7 * 86_400),
            keep: KeptDeploys::default(),
            purge: PurgeSettings::default(),
            budget: BudgetSettings::default(),
            wait: true,
            timeout: Period::seconds(600),
            verify: false,
            concurrency: None,
            max_memory: MemorySize(256 << 20),
            cache: true,
            // Longer than a dead deploy's lease with its grace: 90 s.
            lock_wait: Period::seconds(120),
            json: false,
            quiet: false,
            verbose: false,
            file: None,
            site_flags: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

impl Default for PurgeSettings {
    fn default() -> Self {
        Self {
            mode: PurgeMode::Cheapest,
            plan: PricingPlan::PayAsYouGo,
            free_paths_per_month: FREE_PATHS,
            path_price: Price(0.005),
            refetch_price: Price(0.000_005_2),
            wait_price: Price(0.0),
            opaque_weight: 10_000,
            paced: true,
        }
    }
}
