//! The command line as clap reads it: every flag, no default, no I/O. Fields are named like the setting that they give, or
//! `no_SETTING`; those that are no setting are skipped. Settings are checked here and kept as they are written.

use std::error::Error as _;
use std::num::{IntErrorKind, NonZeroUsize, ParseIntError};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use serde::Serialize;
use serde_json::Value;

use crate::edge::PurgeMode;
use crate::edge::error_page::ErrorPage;
use crate::error::Error;
use crate::rules::link_report::LinkPolicy;
use crate::scan::SymlinkPolicy;
use crate::settings::setup_values::{
    GithubBranch, StackName, github_provider, hosted_zone, site_domain,
};
use crate::settings::values::{
    AccountId, BucketAddress, DistributionSetting, EndpointUrl, FieldValue, GlobPattern,
    KeptDeploys, MemorySize, Period, SitePrefix, StatePlace, checked, read,
};
use crate::settings::{FlagSettings, FlagText, SettingPaths};

const PLACE: &str = "Where to";
const REACH: &str = "Reaching AWS";
const OUTPUT: &str = "Settings and output";
const BUILD: &str = "The build";
const CHANGES: &str = "What may change";
const PURGE: &str = "The purge";
const STACK: &str = "What is made";
const EXISTING: &str = "A distribution that you have";
const WORK: &str = "The work";

const EXAMPLES: &str = "\
Examples:
  unstale deploy public --local        try it here, without an AWS account
  unstale deploy public --bucket my-site
  unstale plan                         with `dir` and `bucket` in deploy.toml
  unstale deploy --env production --json

Exit status: 0 done, 1 failed, 2 usage or configuration, 3 `plan --check` found
changes, 4 incomplete (the next deploy finishes it), 5 stale or out of time,
6 another deploy holds the lock, 130 interrupted.";

/// Deploys a built site to S3 and purges from CloudFront exactly what changed
#[derive(Debug, Clone, Parser)]
#[command(name = "unstale", version, max_term_width = 80, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct CommonArgs {
    /// Bucket: NAME or s3://NAME/PREFIX
    #[arg(long, global = true, help_heading = PLACE, value_name = "NAME", value_parser = checked::<BucketAddress>)]
    pub bucket: Option<String>,
    /// Folder in the bucket that holds the site
    #[arg(long, global = true, help_heading = PLACE, value_name = "FOLDER", value_parser = checked::<SitePrefix>)]
    pub prefix: Option<String>,
    /// Id, alias, auto or none; repeatable
    #[arg(long, global = true, help_heading = PLACE, value_name = "ID", value_parser = checked::<DistributionSetting>)]
    pub distribution: Vec<String>,
    /// Tenant of it: id or domain
    #[arg(
        long,
        global = true,
        help_heading = PLACE,
        value_name = "ID"
    )]
    pub distribution_tenant: Option<String>,
    /// State, instead of at PREFIX/.unstale/
    #[arg(long, global = true, help_heading = PLACE, value_name = "S3-URL", value_parser = checked::<StatePlace>)]
    pub state: Option<String>,
    /// No AWS: S3 and CloudFront kept in DIR
    #[arg(
        long,
        global = true,
        help_heading = PLACE,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ".unstale-local",
        conflicts_with_all = ["endpoint_url", "profile"]
    )]
    #[serde(skip)]
    pub local: Option<PathBuf>,

    /// AWS profile
    #[arg(long, global = true, help_heading = REACH, value_name = "NAME")]
    pub profile: Option<String>,
    /// Region of the bucket
    #[arg(long, global = true, help_heading = REACH, value_name = "NAME")]
    pub region: Option<String>,
    /// Endpoint of S3 and CloudFront
    #[arg(long, global = true, help_heading = REACH, value_name = "URL", value_parser = checked::<EndpointUrl>)]
    pub endpoint_url: Option<String>,
    /// Bucket in the path, not the host
    #[arg(long, global = true, help_heading = REACH)]
    pub path_style: bool,
    /// More authorities to trust (PEM)
    #[arg(
        long,
        global = true,
        help_heading = REACH,
        value_name = "FILE"
    )]
    #[serde(skip)]
    pub ca_bundle: Option<PathBuf>,
    /// Refuse other accounts' buckets
    #[arg(long, global = true, help_heading = REACH, value_name = "ACCOUNT", value_parser = checked::<AccountId>)]
    pub expected_bucket_owner: Option<String>,

    /// Settings file, instead of ./deploy.toml
    #[arg(long, global = true, help_heading = OUTPUT, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Take [env.NAME] of the settings too
    #[arg(long, global = true, help_heading = OUTPUT, value_name = "NAME")]
    #[serde(skip)]
    pub env: Option<String>,
    /// One JSON object a line; the last is the summary
    #[arg(long, global = true, help_heading = OUTPUT)]
    pub json: bool,
    /// Say only what went wrong
    #[arg(
        long,
        short,
        global = true,
        help_heading = OUTPUT,
        conflicts_with = "verbose"
    )]
    pub quiet: bool,
    /// Name every key and every request path
    #[arg(long, short, global = true, help_heading = OUTPUT)]
    pub verbose: bool,
}

#[derive(Debug, Clone, Subcommand, Serialize)]
#[serde(untagged)]
pub enum Command {
    /// Upload what changed, purge exactly that, wait for it
    #[command(after_help = "\
Examples:
  unstale deploy public
  unstale deploy public --bucket s3://my-site/docs
  unstale deploy public --bucket my-site --distribution www.example.com
  unstale deploy --no-wait --max-delete 500")]
    Deploy(DeployArgs),
    /// What deploy would do, why and for how much; changes nothing
    #[command(after_help = "\
Examples:
  unstale plan public
  unstale plan --check                 exit 3 where there is something to do
  unstale plan --explain /posts/a/     which rules and changes meet this URL
  unstale plan --html plan.html        the same, to look at in a browser
  unstale plan --suspect-noise         what differs at every build")]
    Plan(PlanArgs),
    /// The site behind a local S3 and CloudFront, until Ctrl-C
    #[command(after_help = "\
Examples:
  unstale preview public --open --watch
  unstale preview public --port 4000")]
    Preview(PreviewArgs),
    /// Purge by hand
    #[command(after_help = "\
Examples:
  unstale invalidate /index.html '/posts/*'
  unstale invalidate '/*' --no-wait --distribution www.example.com
  unstale invalidate 'https://www.example.com/a b.html' '#a-tag'
  unstale invalidate --paths-from paths.txt

No bucket is needed where --distribution names an id or an alias. A `?` begins
a query string; write %3F for one that is part of a name.")]
    Invalidate(InvalidateArgs),
    /// List invalidations, show one, or wait for it
    Invalidations(InvalidationsArgs),
    /// The distributions, or what one of them does with each URL
    #[command(after_help = "\
Examples:
  unstale distributions
  unstale distributions www.example.com
  unstale distributions s3://my-site
  unstale distributions --verbose      each in full")]
    Distributions(DistributionsArgs),
    /// Earlier deploys, or one of them in full
    History(HistoryArgs),
    /// Put the site back as it was after an earlier deploy
    #[command(after_help = "\
Examples:
  unstale rollback --plan              what going one deploy back would do
  unstale rollback 0f3a9c              an id as `unstale history` shows it

Needs a bucket with versions, or deploys with `keep` before.")]
    Rollback(RollbackArgs),
    /// What is known of the live site
    State(StateArgs),
    /// Take the lock away from a deploy that is dead for certain
    Unlock,
    /// Compare what the edge serves with the build; exit 5 where it differs
    #[command(after_help = "\
Examples:
  unstale verify public
  unstale verify --changed --url https://www.example.com

stale: another content of the site's; missing: an error or nothing; wrong:
another status, header, location or body. --verbose says which edge answered,
and how old that is.")]
    Verify(VerifyArgs),
    /// Links of the build that lead nowhere; needs no AWS
    #[command(after_help = "\
Examples:
  unstale links public
  unstale links public --json

Exit status 1 where `links = \"deny\"` would refuse a deploy.")]
    Links(BuildArgs),
    /// How many of this month's free invalidation paths are left
    Quota,
    /// The redirects, and where they work
    Redirects(RedirectsArgs),
    /// What keeps a deploy from working, in the order in which things break
    #[command(after_help = "\
Changes nothing: rights are tried by requests that cannot take effect. Exit
status 1 where there are problems; warnings alone end with 0.")]
    Doctor,
    /// Print the least IAM policy that these settings need
    #[command(after_help = "\
Examples:
  unstale policy                       what deploys need
  unstale policy --for plan            reads alone, for pull requests
  unstale policy --for setup --bucket my-site --domain --github")]
    Policy(PolicyArgs),
    /// Make bucket, distribution and rights for a new site
    #[command(after_help = "\
Examples:
  unstale setup --bucket my-site
  unstale setup --domain www.example.com --github me/site
  unstale setup --print                the CloudFormation template; needs no AWS
  unstale setup --check                exit 3 where somebody changed the stack
  unstale setup public --local         try it here, without an AWS account
  unstale setup --distribution www.example.com --root index.html
                                       one field of what you have already

It shows what would be made and asks, or takes --yes. Killed, it goes on where
it is run again.")]
    Setup(SetupArgs),
    /// Write a deploy.toml for the build found here
    #[command(after_help = "\
Examples:
  unstale init                         asks at a terminal, else takes flags
  unstale init dist --bucket my-site
  unstale init --from s3_website.yml   what another tool did, with comments on
                                       what is not taken over")]
    Init(InitArgs),
    /// Print the completions of a shell
    #[command(after_help = "\
Examples:
  unstale completions bash >~/.local/share/bash-completion/completions/unstale
  unstale completions zsh >~/.zfunc/_unstale    with ~/.zfunc in $fpath
  unstale completions fish >~/.config/fish/completions/unstale.fish
  unstale completions powershell >>$PROFILE")]
    Completions(CompletionsArgs),
    /// Write the man pages: for packages
    #[command(hide = true)]
    Man(ManArgs),
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct DeployArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub build: BuildArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub change: ChangeArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub purge: PurgeArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub work: WorkArgs,
    /// First write the redirects that keep URLs of pages that moved
    #[arg(long, help_heading = CHANGES)]
    #[serde(skip)]
    pub accept_redirects: bool,
    /// Ask the edge for every changed path afterwards
    #[arg(long, help_heading = WORK)]
    pub verify: bool,
    /// Ask here instead of the distribution's domain
    #[arg(long, help_heading = WORK, value_name = "URL", value_parser = read::<EndpointUrl>)]
    #[serde(skip)]
    pub url: Option<EndpointUrl>,
    /// What was done, why and when, as one HTML page; after failures, too
    #[arg(long, help_heading = OUTPUT, value_name = "FILE")]
    #[serde(skip)]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct PlanArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub build: BuildArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub change: ChangeArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub purge: PurgeArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub work: WorkArgs,
    /// Exit 3 where there is something to do
    #[arg(long)]
    #[serde(skip)]
    pub check: bool,
    /// Why this key or URL is changed and purged, or not
    #[arg(long, value_name = "KEY_OR_URL")]
    #[serde(skip)]
    pub explain: Option<String>,
    /// Propose rules for what differs at every build
    #[arg(long)]
    #[serde(skip)]
    pub suspect_noise: bool,
    /// Write it as one HTML page, too, that needs no network
    #[arg(long, help_heading = OUTPUT, value_name = "FILE", conflicts_with = "suspect_noise")]
    #[serde(skip)]
    pub html: Option<PathBuf>,
    /// Print it in short as Markdown, for a pull request
    #[arg(long, help_heading = OUTPUT, conflicts_with_all = ["explain", "suspect_noise"])]
    #[serde(skip)]
    pub markdown: bool,
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct PreviewArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub build: BuildArgs,
    /// Port on 127.0.0.1, instead of 8080 or the next free one; 0 picks one
    #[arg(long, value_name = "N")]
    #[serde(skip)]
    pub port: Option<u16>,
    /// Open it in the browser
    #[arg(long)]
    #[serde(skip)]
    pub open: bool,
    /// Deploy there whenever the build changes, and load open pages again
    #[arg(long)]
    #[serde(skip)]
    pub watch: bool,
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct InvalidateArgs {
    /// Paths, URLs or #tags; a final `*` is a wildcard, `-` is stdin
    #[arg(required_unless_present = "paths_from", value_name = "PATH")]
    #[serde(skip)]
    pub paths: Vec<String>,
    /// File with more of them, one a line; `-` is stdin
    #[arg(long, help_heading = PURGE, value_name = "FILE")]
    #[serde(skip)]
    pub paths_from: Option<PathBuf>,
    #[command(flatten)]
    #[serde(flatten)]
    pub wait: WaitArgs,
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct InvalidationsArgs {
    /// Show this one alone
    #[serde(skip)]
    pub id: Option<String>,
    /// Wait until it, or all, are completed
    #[arg(long)]
    #[serde(skip)]
    pub wait: bool,
    /// Longest wait: 10m, 1h
    #[arg(long, value_name = "DURATION", value_parser = checked::<Period>)]
    pub timeout: Option<String>,
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct DistributionsArgs {
    /// Those of this id, alias, domain, s3://BUCKET or part of an origin
    #[serde(skip)]
    pub filter: Option<String>,
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct HistoryArgs {
    /// Show this deploy in full
    #[serde(skip)]
    pub id: Option<String>,
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct RollbackArgs {
    /// The deploy to go back to; without it the one before the last
    #[serde(skip)]
    pub id: Option<String>,
    /// Show what it would do; change nothing
    #[arg(long)]
    #[serde(skip)]
    pub plan: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub purge: PurgeArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub work: WorkArgs,
}

#[derive(Debug, Clone, Args, Serialize)]
pub struct StateArgs {
    #[command(subcommand)]
    #[serde(skip)]
    pub command: Option<StateCommand>,
}

#[derive(Debug, Clone, Subcommand, Serialize)]
pub enum StateCommand {
    /// The same
    #[command(hide = true)]
    Show,
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct VerifyArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub build: BuildArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub work: WorkArgs,
    /// Only what the last deploy changed
    #[arg(long)]
    #[serde(skip)]
    pub changed: bool,
    /// Ask here instead of the distribution's domain
    #[arg(long, value_name = "URL", value_parser = read::<EndpointUrl>)]
    #[serde(skip)]
    pub url: Option<EndpointUrl>,
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct InitArgs {
    /// The built site; without it the generator's settings tell
    #[arg(value_name = "DIR")]
    #[serde(skip)]
    pub dir: Option<PathBuf>,
    /// Take over another tool's settings: s3_website.yml, .s3deploy.yml, Hugo's, Gatsby's, serverless.yml, or commands in a workflow
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub from: Option<PathBuf>,
}

#[derive(Debug, Clone, Args, Serialize)]
pub struct CompletionsArgs {
    /// Whose
    #[arg(value_name = "SHELL")]
    #[serde(skip)]
    pub shell: Shell,
}

#[derive(Debug, Clone, Args, Serialize)]
pub struct ManArgs {
    /// Where to; made where it is missing
    #[arg(value_name = "DIR")]
    #[serde(skip)]
    pub dir: PathBuf,
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct SetupArgs {
    /// The built site; without it the generator's settings tell
    #[arg(value_name = "DIR")]
    #[serde(skip)]
    pub dir: Option<PathBuf>,
    /// The site's host name, with a certificate
    #[arg(long, help_heading = STACK, value_name = "HOST", value_parser = site_domain)]
    #[serde(skip)]
    pub domain: Option<String>,
    /// Its Route 53 zone: id, or none
    #[arg(long, help_heading = STACK, value_name = "ID", value_parser = hosted_zone)]
    #[serde(skip)]
    pub hosted_zone: Option<String>,
    /// A role for workflows of this branch, else of main
    #[arg(long, help_heading = STACK, value_name = "OWNER/REPO[@BRANCH]")]
    #[serde(skip)]
    pub github: Option<GithubBranch>,
    /// The account's OIDC provider of GitHub: ARN, or none
    #[arg(long, help_heading = STACK, value_name = "ARN", value_parser = github_provider)]
    #[serde(skip)]
    pub github_provider: Option<String>,
    /// A single-page app: what has no page of its own shows /index.html
    #[arg(long, help_heading = STACK)]
    #[serde(skip)]
    pub spa: bool,
    /// CODE=/PATH[:RESPONSE_CODE][@SECONDS]; repeatable
    #[arg(long, help_heading = STACK, value_name = "PAGE")]
    #[serde(skip)]
    pub error_page: Vec<ErrorPage>,
    /// Where edges are: 100 [default] is Europe and North America
    #[arg(long, help_heading = STACK, value_name = "CLASS")]
    #[serde(skip)]
    pub price_class: Option<PriceClass>,
    /// With --distribution: its default root object
    #[arg(long, help_heading = EXISTING, value_name = "KEY")]
    #[serde(skip)]
    pub root: Option<String>,
    /// With --distribution: the header that tells cache tags
    #[arg(long, help_heading = EXISTING, value_name = "NAME")]
    #[serde(skip)]
    pub tag_header: Option<String>,
    /// Forget earlier runs' flags
    #[arg(long, help_heading = STACK)]
    #[serde(skip)]
    pub anew: bool,
    /// With --yes: what goes, is replaced or taken back, too
    #[arg(long, help_heading = STACK)]
    #[serde(skip)]
    pub remove: bool,
    /// Take a bucket that you have into the stack
    #[arg(long, help_heading = STACK)]
    #[serde(skip)]
    pub import_bucket: bool,
    /// The stack's name, instead of unstale-BUCKET
    #[arg(long, help_heading = STACK, value_name = "NAME")]
    pub stack: Option<StackName>,
    /// Print the template, or =certificate; ask nobody
    #[arg(
        long,
        help_heading = WORK,
        value_name = "TEMPLATE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "site",
        hide_possible_values = true,
        conflicts_with_all = ["check", "yes"]
    )]
    #[serde(skip)]
    pub print: Option<PrintedTemplate>,
    /// Exit 3 where the stack is no longer as it was made
    #[arg(long, help_heading = WORK, conflicts_with = "yes")]
    #[serde(skip)]
    pub check: bool,
    /// Make it without being asked
    #[arg(long, help_heading = WORK)]
    #[serde(skip)]
    pub yes: bool,
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct PolicyArgs {
    /// What it is for
    #[arg(long = "for", value_name = "PURPOSE", default_value = "deploy")]
    #[serde(skip)]
    pub purpose: PolicyPurpose,
    /// With `--for setup`: that takes --domain
    #[arg(long)]
    #[serde(skip)]
    pub domain: bool,
    /// With `--for setup`: that takes --github
    #[arg(long)]
    #[serde(skip)]
    pub github: bool,
    /// With `--for setup`: the stack's name, as that takes it
    #[arg(long, value_name = "NAME")]
    pub stack: Option<StackName>,
}

/// Which template is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum PrintedTemplate {
    #[default]
    Site,
    /// Where it has a stack of its own.
    Certificate,
}

/// What somebody may do by a policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum PolicyPurpose {
    #[default]
    Deploy,
    Plan,
    Invalidate,
    Setup,
}

impl SetupArgs {
    /// Tells whether a distribution is named here, which is changed in the place of a stack.
    pub(crate) fn is_for_existing(&self, cli: &Cli) -> bool {
        let is_named = !cli.common.distribution.is_empty();
        is_named || self.root.is_some() || self.tag_header.is_some()
    }
}

/// Where a distribution answers, by CloudFront's price classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum PriceClass {
    #[default]
    #[value(name = "100")]
    Least,
    #[value(name = "200")]
    Most,
    All,
}

impl PriceClass {
    /// Returns its name in a distribution's configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Least => "PriceClass_100",
            Self::Most => "PriceClass_200",
            Self::All => "PriceClass_All",
        }
    }

    /// Returns it as `--price-class` takes it.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::Least => "100",
            Self::Most => "200",
            Self::All => "all",
        }
    }
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct RedirectsArgs {
    /// Print them as a CloudFront Function
    #[arg(long)]
    #[serde(skip)]
    pub function: bool,
}

/// What the build is and what each file of it becomes.
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct BuildArgs {
    /// The built site
    #[arg(value_name = "DIR")]
    #[serde(skip)]
    pub dir: Option<PathBuf>,
    /// Leave out (as .gitignore writes it); repeatable
    #[arg(long, help_heading = BUILD, value_name = "GLOB", value_parser = checked::<GlobPattern>)]
    pub exclude: Vec<String>,
    /// Take in though left out otherwise; repeatable
    #[arg(long, help_heading = BUILD, value_name = "GLOB", value_parser = checked::<GlobPattern>)]
    pub include: Vec<String>,
    /// Deploy though it looks private; repeatable
    #[arg(long, help_heading = BUILD, value_name = "GLOB", value_parser = checked::<GlobPattern>)]
    pub allow: Vec<String>,
    /// Links: follow inside ones, all or none
    #[arg(long, help_heading = BUILD, value_name = "HOW")]
    pub symlinks: Option<SymlinkPolicy>,
    /// Cache-Control of what no rule speaks of
    #[arg(long, help_heading = BUILD, value_name = "VALUE", value_parser = checked::<FieldValue>)]
    pub cache_control: Option<String>,
    /// Deploy a folder that looks like a project's root
    #[arg(long, help_heading = BUILD)]
    pub allow_project_root: bool,
    /// Read every file, whatever the hash cache says
    #[arg(long, help_heading = BUILD)]
    pub no_cache: bool,
}

/// What a deploy may do to the bucket.
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct ChangeArgs {
    /// Leave in the bucket what the build no longer has
    #[arg(long, help_heading = CHANGES)]
    pub no_delete: bool,
    /// Delete at most N, instead of at most half (or 9)
    #[arg(
        long,
        help_heading = CHANGES,
        value_name = "N",
        conflicts_with = "no_delete"
    )]
    pub max_delete: Option<u64>,
    /// Take over objects that others put there
    #[arg(long, help_heading = CHANGES)]
    pub adopt: bool,
    /// Keep scripts, styles, fonts and images that left the build: 7d, 0s
    #[arg(long, help_heading = CHANGES, value_name = "DURATION", value_parser = checked::<Period>)]
    pub retain: Option<String>,
    /// Without versions: copy what the last N deploys replace, for rollback
    #[arg(long, help_heading = CHANGES, value_name = "N deploys", value_parser = checked::<KeptDeploys>)]
    pub keep: Option<String>,
    /// Refuse headers and redirects that nobody serves
    #[arg(long, help_heading = CHANGES)]
    pub strict: bool,
    /// Links that lead nowhere: tell, refuse or do not look
    #[arg(long, help_heading = CHANGES, value_name = "HOW")]
    pub links: Option<LinkPolicy>,
    /// Delete due assets though nothing else changed
    #[arg(long, help_heading = CHANGES)]
    #[serde(skip)]
    pub sweep: bool,
    /// Finish what an interrupted deploy owes
    #[arg(long, help_heading = CHANGES)]
    #[serde(skip)]
    pub resume: bool,
    /// Upload everything again
    #[arg(long, help_heading = CHANGES)]
    #[serde(skip)]
    pub force: bool,
    /// Forget a debt of a distribution that is gone
    #[arg(long, help_heading = CHANGES, value_name = "ID")]
    #[serde(skip)]
    pub drop_debt: Vec<String>,
}

/// What is sent to CloudFront, and how long to wait for it.
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct PurgeArgs {
    /// How to choose the paths
    #[arg(long, help_heading = PURGE, value_name = "MODE")]
    #[serde(rename = "purge-mode")]
    pub purge: Option<PurgeMode>,
    /// Free paths that this deploy may take
    #[arg(long, help_heading = PURGE, value_name = "N")]
    #[serde(skip)]
    pub free_paths: Option<u64>,
    #[command(flatten)]
    #[serde(flatten)]
    pub wait: WaitArgs,
}

#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct WaitArgs {
    /// Wait until the purge is completed, whatever deploy.toml says
    #[arg(long, help_heading = PURGE, overrides_with = "no_wait")]
    pub wait: bool,
    /// End once CloudFront has accepted the purge
    #[arg(long, help_heading = PURGE, overrides_with = "wait")]
    pub no_wait: bool,
    /// Longest wait for the purge: 10m, 1h
    #[arg(long, help_heading = PURGE, value_name = "DURATION", value_parser = checked::<Period>)]
    pub timeout: Option<String>,
}

/// How the work is done.
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct WorkArgs {
    /// Requests at once
    #[arg(long, help_heading = WORK, value_name = "N")]
    pub concurrency: Option<NonZeroUsize>,
    /// Memory for buffers: 256MiB
    #[arg(long, help_heading = WORK, value_name = "SIZE", value_parser = checked::<MemorySize>)]
    pub max_memory: Option<String>,
    /// Longest wait for another deploy's lock: 90s, 0s
    #[arg(long, help_heading = WORK, value_name = "DURATION", value_parser = checked::<Period>)]
    pub lock_wait: Option<String>,
}

impl Cli {
    /// Returns what the flags say of settings.
    ///
    /// # Errors
    /// `Exit::Usage` where a flag cannot be told.
    pub(crate) fn settings(&self) -> Result<FlagSettings, Error> {
        let not_text = |error| Error::usage("the command line cannot be read").because(error);
        let common = serde_json::to_value(&self.common).map_err(not_text)?;
        let command = serde_json::to_value(&self.command).map_err(not_text)?;
        // A command without flags is no object.
        let fields = [common, command]
            .into_iter()
            .filter_map(|flags| match flags {
                Value::Object(fields) => Some(fields),
                _ => None,
            });
        Ok(FlagSettings {
            config: self.common.config.clone(),
            env: self.common.env.clone(),
            paths: SettingPaths {
                dir: self.command.dir().cloned(),
                local: self.common.local.clone(),
                ca_bundle: self.common.ca_bundle.clone(),
            },
            flags: fields.flatten().filter_map(flag_text).collect(),
        })
    }
}

/// What other tools call what this one does.
const FOREIGN_WORDS: [(&str, &str); 8] = [
    (
        "--dry-run --dryrun -n",
        "`unstale plan` shows what a deploy would do",
    ),
    ("publish push sync upload", "`unstale deploy`"),
    ("purge create-invalidation", "`unstale invalidate PATH`"),
    (
        "status",
        "`unstale state`, `unstale plan` or `unstale history`",
    ),
    ("serve server dev", "`unstale preview`"),
    ("undo revert restore", "`unstale rollback`"),
    ("explain why", "`unstale plan --explain URL`"),
    (
        "recover resume repair",
        "the next `unstale deploy` makes good what a dead one owes",
    ),
];

/// Makes clap's error ours: what is wrong with a value, else its first paragraph, with its tips as the hint.
pub(crate) fn refusal(error: &clap::Error) -> Error {
    if let Some(message) = wrong_value(error) {
        return Error::usage(message);
    }
    let text = error.render().to_string();
    let joined = |lines: Vec<&str>| lines.join(" ").replace("  ", " ");
    let first = text.lines().take_while(|line| !line.trim().is_empty());
    let message = joined(first.map(str::trim).collect());
    let tips = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("tip: "));
    let tips = joined(tips.filter(|tip| !tip.starts_with("to pass ")).collect());
    let foreign = FOREIGN_WORDS.iter().find(|(words, _)| {
        let mut words = words.split(' ');
        words.any(|word| message.contains(&format!("'{word}'")))
    });
    let hint = match foreign {
        Some((_, hint)) => (*hint).to_owned(),
        None if tips.is_empty() => "`unstale --help`, or `unstale COMMAND --help`".to_owned(),
        None => tips,
    };
    Error::usage(message.trim_start_matches("error: ")).hint(hint)
}

/// Says what is wrong with a flag's value, as it is said of settings: `--timeout: ...`.
fn wrong_value(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) if !text.is_empty() => Some(text.as_str()),
        _ => None,
    };
    let (argument, value) = (
        text(ContextKind::InvalidArg)?,
        text(ContextKind::InvalidValue)?,
    );
    let flag = argument.split_once(' ').map_or(argument, |(flag, _)| flag);
    let why = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(why), _) => match why.downcast_ref().map(ParseIntError::kind) {
            Some(IntErrorKind::Zero) => "`0` is not a whole number from 1".to_owned(),
            Some(_) => format!("`{value}` is not a whole number"),
            None => why.to_string(),
        },
        (None, Some(ContextValue::Strings(valid))) => {
            format!("`{value}` is none of {}", valid.join(", "))
        }
        _ => return None,
    };
    Some(format!("{flag}: {why}"))
}

impl Command {
    /// Tells whether it is the same in every folder: a shell may ask for its completions as it starts, wherever that is.
    pub(crate) fn needs_no_site(&self) -> bool {
        matches!(self, Self::Completions(_) | Self::Man(_))
    }

    /// Returns the build's folder, of commands that take one.
    fn dir(&self) -> Option<&PathBuf> {
        let build = match self {
            Self::Deploy(args) => &args.build,
            Self::Plan(args) => &args.build,
            Self::Preview(args) => &args.build,
            Self::Verify(args) => &args.build,
            Self::Links(build) => build,
            Self::Setup(args) => return args.dir.as_ref(),
            Self::Init(args) => return args.dir.as_ref(),
            _ => return None,
        };
        build.dir.as_ref()
    }
}

/// Turns a field into the setting that it gives, if the flag was given.
fn flag_text((name, value): (String, Value)) -> Option<FlagText> {
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("true".to_owned()),
        _ => None,
    };
    let texts: Vec<String> = match value {
        Value::Array(values) => values.into_iter().filter_map(text).collect(),
        value => text(value).into_iter().collect(),
    };
    if texts.is_empty() {
        return None;
    }
    let key = name.replace('_', "-");
    Some(match key.strip_prefix("no-") {
        Some(key) => FlagText {
            key: key.to_owned(),
            texts: vec!["false".to_owned()],
        },
        None => FlagText { key, texts },
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, error::ErrorKind};

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("unstale").chain(line.split(' ')))
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_line_of_help_fits_80_columns() {
        let mut root = Cli::command();
        root.build();
        let mut all = vec![root];
        while let Some(mut command) = all.pop() {
            all.extend(command.get_subcommands().cloned());
            for help in [command.render_help(), command.render_long_help()] {
                for line in help.to_string().lines() {
                    assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
                }
            }
        }
    }

    #[test]
    fn common_flags_go_before_and_after_the_command() {
        for line in [
            "--bucket b --local deploy public",
            "deploy --local public --bucket b",
            "deploy public --local=.unstale-local --bucket b",
        ] {
            let cli = parse(line).unwrap();
            assert_eq!(
                cli.common.local.as_deref(),
                Some(".unstale-local".as_ref()),
                "{line}"
            );
            assert_eq!(cli.common.bucket.unwrap(), "b", "{line}");
            let Command::Deploy(deploy) = cli.command else {
                panic!("{line}");
            };
            let dir = deploy.build.dir;
            assert_eq!(dir.as_deref(), Some("public".as_ref()), "{line}");
        }
    }

    #[test]
    fn words_of_other_tools_are_understood() {
        for (line, said) in [
            ("deploy --dry-run", "`unstale plan`"),
            ("publish public", "`unstale deploy`"),
            ("status", "`unstale state`"),
            ("recover", "`unstale deploy`"),
            ("deploy --buckt x", "--bucket"),
        ] {
            let hint = refusal(&parse(line).unwrap_err()).hint.unwrap();
            assert!(hint.contains(said), "{line}: {hint}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, kind) in [
            ("deploy --buckt x", ErrorKind::UnknownArgument),
            ("publish", ErrorKind::InvalidSubcommand),
            ("deploy --retain 7", ErrorKind::ValueValidation),
            ("deploy --concurrency 0", ErrorKind::ValueValidation),
            ("deploy --max-memory 1KiB", ErrorKind::ValueValidation),
            ("deploy --purge some", ErrorKind::InvalidValue),
            ("deploy --prefix ../x", ErrorKind::ValueValidation),
            ("deploy -q -v", ErrorKind::ArgumentConflict),
            (
                "deploy --local --endpoint-url http://x",
                ErrorKind::ArgumentConflict,
            ),
            ("invalidate", ErrorKind::MissingRequiredArgument),
            ("distributions --sweep", ErrorKind::UnknownArgument),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.kind(), kind, "{line}: {error}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
