//! The settings: defaults < deploy.toml < its `[env.NAME]` < `UNSTALE_*` variables < flags. [`Settings`] is their one table: a
//! new setting is a field of it with its default, and a flag in `cli.rs` if it has one.

mod build;
mod layers;
mod mistake;
mod site_files;
pub mod values;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::edge::{IndexLookup, PurgeMode};
use crate::error::Error;
use crate::object::encoding::Encoding;
use crate::rules::header_rule::HeaderRule;
use crate::rules::header_rules::HeaderRules;
use crate::rules::noise::{NoiseRule, NoiseRules};
use crate::rules::redirect::Redirect;
use crate::rules::redirects::Redirects;
use crate::scan::SymlinkPolicy;

pub use build::{build_dir, build_folders};
pub use site_files::{HEADERS_FILE, REDIRECTS_FILE, SiteFiles};
pub use values::{DistributionSetting, StatePlace};

use values::{
    AccountId, BucketAddress, EndpointUrl, FieldValue, FileExtension, FunctionName, GlobPattern,
    List, MemorySize, Numbered, Period, Price, SitePrefix,
};

/// The settings file that is looked for in the current folder.
pub const FILE: &str = "deploy.toml";
/// Where `--local` keeps its objects unless told otherwise.
pub const LOCAL_DIR: &str = ".unstale-local";
/// The bucket of `--local` unless told otherwise.
const LOCAL_BUCKET: &str = "site";

/// Everything that a command may be told. The field `max_delete` is the key `max-delete` of deploy.toml and the variable
/// `UNSTALE_MAX_DELETE`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// As it was given, relative paths of deploy.toml already joined to its folder. Ask [`build_dir`].
    pub dir: Option<PathBuf>,
    pub allow_project_root: bool,
    /// Ask [`Settings::bucket`].
    pub bucket: Option<BucketAddress>,
    pub prefix: SitePrefix,
    pub state: Option<StatePlace>,
    /// `Auto` and `None` stand alone; never empty.
    pub distribution: List<DistributionSetting>,
    pub distribution_tenant: Option<String>,
    pub local: Option<PathBuf>,

    pub profile: Option<String>,
    pub region: Option<String>,
    /// Never together with `local`; `profile` neither.
    pub endpoint_url: Option<EndpointUrl>,
    /// `None`: wherever an endpoint is given that is not AWS's.
    pub path_style: Option<bool>,
    pub ca_bundle: Option<PathBuf>,
    pub expected_bucket_owner: Option<AccountId>,

    pub exclude: List<GlobPattern>,
    pub include: List<GlobPattern>,
    pub symlinks: SymlinkPolicy,
    /// Keys that the distribution answers errors with, besides those that it names itself.
    pub error_documents: List<String>,
    pub strip_extension: List<FileExtension>,
    pub index: IndexLookup,
    /// Store `posts/index.html` under `posts/` too.
    pub directory_objects: bool,
    /// The CloudFront Function that is to answer redirects where no website endpoint does; `None`: none is written.
    pub redirect_function: Option<FunctionName>,
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

    pub delete: bool,
    /// `None`: half of the objects.
    pub max_delete: Option<usize>,
    pub adopt: bool,
    /// How long fingerprinted assets stay after they left the build.
    pub retain: Period,
    pub purge: PurgeSettings,
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
    /// What is odd but no error, such as a variable that nothing reads.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// `[purge]`. Prices are US dollars.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PurgeSettings {
    pub mode: PurgeMode,
    /// What is left of the month's free paths; `None`: by the history.
    pub free_paths: Option<u64>,
    pub path_price: Price,
    pub refetch_price: Price,
    pub wait_price: Price,
    /// What a path pattern of another origin's behavior weighs.
    pub opaque_weight: u64,
    /// Keep to CloudFront's usual rates: 150 paths and one wildcard a second.
    pub paced: bool,
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
            local: None,
            profile: None,
            region: None,
            endpoint_url: None,
            path_style: None,
            ca_bundle: None,
            expected_bucket_owner: None,
            exclude: List::default(),
            include: List::default(),
            symlinks: SymlinkPolicy::Inside,
            error_documents: List::default(),
            strip_extension: List::default(),
            index: IndexLookup::Auto,
            directory_objects: false,
            redirect_function: None,
            fingerprinted: List::default(),
            not_fingerprinted: List::default(),
            pages: List::default(),
            cache_control: None,
            compress: List::default(),
            headers: Vec::new(),
            redirects: Vec::new(),
            noise: Vec::new(),
            tags: false,
            delete: true,
            max_delete: None,
            adopt: false,
            retain: Period::seconds(7 * 86_400),
            purge: PurgeSettings::default(),
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
            warnings: Vec::new(),
        }
    }
}

impl Default for PurgeSettings {
    fn default() -> Self {
        Self {
            mode: PurgeMode::Cheapest,
            free_paths: None,
            path_price: Price(0.005),
            refetch_price: Price(0.000_005_2),
            wait_price: Price(0.0),
            opaque_weight: 10_000,
            paced: true,
        }
    }
}

/// What the command line says of settings.
#[derive(Debug, Clone, Default)]
pub struct FlagSettings {
    pub config: Option<PathBuf>,
    pub env: Option<String>,
    pub flags: Vec<FlagText>,
}

/// A setting that a flag gives, as it is written there.
#[derive(Debug, Clone)]
pub struct FlagText {
    pub key: String,
    /// Several where the flag may be repeated.
    pub texts: Vec<String>,
}

/// Reads deploy.toml (or `--config`, or `UNSTALE_CONFIG`) and the environment, and resolves them with the flags.
///
/// # Errors
/// `Exit::Usage` for whatever is wrong with any of them, and for a named file that is missing.
pub fn load(flags: &FlagSettings) -> Result<Settings, Error> {
    let env = variables()?;
    let named = flags.config.clone().or_else(|| {
        let name = env.get("UNSTALE_CONFIG").filter(|name| !name.is_empty());
        name.map(PathBuf::from)
    });
    let path = named.clone().unwrap_or_else(|| PathBuf::from(FILE));
    let file = match std::fs::read_to_string(&path) {
        Ok(text) => Some((path, text)),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let problem = Error::usage(format!("cannot read {}", path.display())).because(error);
            return Err(match named {
                Some(_) => problem.hint("`--config` or UNSTALE_CONFIG names the settings file"),
                None => problem,
            });
        }
    };
    Settings::resolve(file, &env, flags)
}

/// The environment, as far as settings are read from it.
fn variables() -> Result<BTreeMap<String, String>, Error> {
    let mut variables = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if name != "AWS_CA_BUNDLE" && !name.starts_with("UNSTALE_") {
            continue;
        }
        let value = value
            .into_string()
            .map_err(|_| Error::usage(format!("{name} is not UTF-8")))?;
        variables.insert(name.to_owned(), value);
    }
    Ok(variables)
}

impl Settings {
    /// Lays the layers over each other. `file` is the settings file's path and text, `env` the process's variables.
    ///
    /// # Errors
    /// `Exit::Usage`, naming file, line and column, or the variable.
    pub fn resolve(
        file: Option<(PathBuf, String)>,
        env: &BTreeMap<String, String>,
        flags: &FlagSettings,
    ) -> Result<Self, Error> {
        let set = |name: &str| env.get(name).filter(|text| !text.is_empty());
        let (variables, warnings) = layers::from_variables(env)?;
        let name = flags.env.as_ref().or_else(|| set("UNSTALE_ENV"));
        let mut layer = match (&file, name) {
            (Some((path, text)), name) => layers::from_file(path, text, name.map(String::as_str))?,
            (None, Some(name)) => return Err(layers::no_file_for(name)),
            (None, None) => layers::Layer::new(),
        };
        layers::lay_over(&mut layer, variables);
        layers::lay_flags_over(&mut layer, layers::from_flags(&flags.flags)?);
        // Each layer was checked by itself.
        let settings = layers::read_settings(layer);
        let mut settings = settings.map_err(|error| Error::usage(error.message()))?;
        let (path, text) = file.unzip();
        settings.number_lines(text.as_deref().unwrap_or_default());
        settings.file = path;
        settings.warnings = warnings;
        settings.ca_bundle =
            (settings.ca_bundle).or_else(|| set("AWS_CA_BUNDLE").map(PathBuf::from));
        settings.distribution = distinct(settings.distribution)?;
        // Beyond a day the sum with a clock's time might overflow.
        settings.timeout.0 = settings.timeout.0.min(Duration::from_hours(24));
        if settings.local.is_some() {
            settings
                .bucket
                .get_or_insert_with(|| BucketAddress::named(LOCAL_BUCKET));
            settings.endpoint_url = None;
            settings.profile = None;
        }
        settings.header_rules()?;
        settings.redirects()?;
        settings.noise_rules()?;
        Ok(settings)
    }

    /// Turns the places of tables in the settings file, which are bytes as they are read, into lines.
    fn number_lines(&mut self, text: &str) {
        let line = |place: &mut usize| *place = mistake::position(text, *place).0;
        self.headers
            .iter_mut()
            .for_each(|rule| line(&mut rule.line));
        self.redirects
            .iter_mut()
            .for_each(|rule| line(&mut rule.line));
        self.noise.iter_mut().for_each(|rule| line(&mut rule.line));
    }

    /// The bucket's name.
    ///
    /// # Errors
    /// `Exit::Usage` where none is given.
    pub fn bucket(&self) -> Result<&str, Error> {
        self.bucket
            .as_ref()
            .map(|bucket| bucket.name.as_str())
            .ok_or_else(|| {
                Error::usage("no bucket is given").hint(
                    "`--bucket NAME`, or `bucket = \"NAME\"` in deploy.toml; `--local` needs none",
                )
            })
    }

    /// The endings that keys lose, with their dots.
    pub fn extensions(&self) -> Vec<String> {
        let extensions = self.strip_extension.0.iter();
        extensions.map(|extension| extension.0.clone()).collect()
    }

    /// [`Settings::header_rules_with`] of a build without `_headers`.
    ///
    /// # Errors
    /// `Exit::Usage`, naming the file and line of the rule that cannot be followed.
    pub fn header_rules(&self) -> Result<HeaderRules, Error> {
        self.header_rules_with(&SiteFiles::default())
    }

    /// The `[[redirects]]`, without those of a `_redirects` file.
    ///
    /// # Errors
    /// `Exit::Usage`, naming the file and line of the one that cannot be followed.
    pub fn redirects(&self) -> Result<Redirects, Error> {
        self.redirects_with(&SiteFiles::default())
    }

    /// The `[[noise]]` rules.
    ///
    /// # Errors
    /// `Exit::Usage`, naming the file and line of the one that cannot be followed.
    pub fn noise_rules(&self) -> Result<NoiseRules, Error> {
        let rules: Vec<_> = self.noise.iter().map(|one| one.rule.clone()).collect();
        NoiseRules::compile(&rules).map_err(|error| {
            let line = self.noise.get(error.rule).map_or(0, |one| one.line);
            let place = self.place(line);
            Error::usage(format!("{place}: {}: {}", error.field, error.problem))
        })
    }

    /// Where a rule of [`Settings::header_rules`] stands, by its index.
    pub fn rule_name(&self, index: usize) -> String {
        self.rule_name_with(&SiteFiles::default(), index)
    }

    /// A line of the settings file, as errors and warnings name it.
    pub fn place(&self, line: usize) -> String {
        let file = self.file.as_deref().unwrap_or(Path::new(FILE));
        format!("{}:{line}", file.display())
    }

    /// The keys that stand for a rule, as rules.
    fn general_rules(&self) -> Vec<(&'static str, HeaderRule)> {
        let every = List(vec![GlobPattern("**".to_owned())]);
        let cache_control = self.cache_control.as_ref().map(|value| value.0.clone());
        let compress = (!self.compress.0.is_empty()).then(|| self.compress.0.clone());
        let rules = [
            (
                "cache-control",
                cache_control.is_some().then_some(&every),
                HeaderRule {
                    cache_control,
                    ..HeaderRule::default()
                },
            ),
            (
                "compress",
                compress.is_some().then_some(&every),
                HeaderRule {
                    compress,
                    ..HeaderRule::default()
                },
            ),
            (
                "fingerprinted",
                Some(&self.fingerprinted),
                HeaderRule {
                    fingerprinted: Some(true),
                    ..HeaderRule::default()
                },
            ),
            (
                "not-fingerprinted",
                Some(&self.not_fingerprinted),
                HeaderRule {
                    fingerprinted: Some(false),
                    ..HeaderRule::default()
                },
            ),
            (
                "pages",
                Some(&self.pages),
                HeaderRule {
                    page: Some(true),
                    ..HeaderRule::default()
                },
            ),
        ];
        let used = rules.into_iter().filter_map(|(key, globs, rule)| {
            let globs = globs.filter(|globs| !globs.0.is_empty())?;
            let patterns = globs.texts();
            Some((key, HeaderRule { patterns, ..rule }))
        });
        used.collect()
    }
}

/// Names each distribution once, in the order given.
fn distinct(list: List<DistributionSetting>) -> Result<List<DistributionSetting>, Error> {
    let mut distinct: Vec<DistributionSetting> = Vec::new();
    for distribution in list.0 {
        if !distinct.contains(&distribution) {
            distinct.push(distribution);
        }
    }
    let special = |setting: &DistributionSetting| !matches!(setting, DistributionSetting::Named(_));
    match distinct.len() {
        0 => Err(Error::usage(
            "`distribution` is an empty list: \"none\" says that there is none",
        )),
        2.. if distinct.iter().any(special) => Err(Error::usage(
            "`distribution`: `auto` and `none` stand alone",
        )),
        _ => Ok(List(distinct)),
    }
}

#[cfg(test)]
mod tests;
