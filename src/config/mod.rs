//! The settings: defaults < deploy.toml < its `[env.NAME]` < `UNSTALE_*` variables < flags, checked and in plain fields.
//! [`Settings::resolve`] is pure; [`load`] reads the file and the environment.

mod build;
mod layer;
mod schema;
mod site_files;
pub mod values;
mod variables;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::Cli;
use crate::domain::noise::{NoiseRule, NoiseRules};
use crate::domain::redirects::{Redirect, Redirects};
use crate::domain::rules::{Encoding, HeaderRule, HeaderRules};
use crate::error::Error;

pub use build::{build_dir, build_folders};
pub use site_files::{HEADERS_FILE, REDIRECTS_FILE, SiteFiles};
pub use values::{DistributionSetting, Index, PurgeMode, StatePlace, Symlinks};

use layer::Layer;
use variables::Variables;

/// The settings file that is looked for in the current folder.
pub const FILE: &str = "deploy.toml";
/// Where `--local` keeps its objects unless told otherwise.
pub const LOCAL_DIR: &str = ".unstale-local";
/// The bucket of `--local` unless told otherwise.
const LOCAL_BUCKET: &str = "site";

/// Everything that a command may be told, by its name in deploy.toml unless noted.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The settings file that was read; no key.
    pub file: Option<PathBuf>,
    /// The `[env.NAME]` that was taken; no key.
    pub env: Option<String>,
    /// As it was given, relative paths of deploy.toml already joined to its folder. Ask [`build_dir`].
    pub dir: Option<PathBuf>,
    pub allow_project_root: bool,
    /// Ask [`Settings::bucket`].
    pub bucket: Option<String>,
    /// Empty, or ending in `/`.
    pub prefix: String,
    pub state: Option<StatePlace>,
    /// Key `distribution`. `Auto` and `None` stand alone; never empty.
    pub distributions: Vec<DistributionSetting>,
    pub distribution_tenant: Option<String>,
    pub local: Option<PathBuf>,

    pub profile: Option<String>,
    pub region: Option<String>,
    /// Never together with `local`; `profile` neither.
    pub endpoint_url: Option<String>,
    /// `None`: wherever an endpoint is given that is not AWS's.
    pub path_style: Option<bool>,
    pub ca_bundle: Option<PathBuf>,
    pub expected_bucket_owner: Option<String>,

    pub exclude: Vec<String>,
    pub include: Vec<String>,
    pub symlinks: Symlinks,
    /// Keys that the distribution answers errors with, besides those that it names itself.
    pub error_documents: Vec<String>,
    /// With their dots.
    pub strip_extension: Vec<String>,
    pub index: Index,
    /// Store `posts/index.html` under `posts/` too.
    pub directory_objects: bool,
    /// The CloudFront Function that is to answer redirects where no website endpoint does; `None`: none is written.
    pub redirect_function: Option<String>,
    pub fingerprinted: Vec<String>,
    pub not_fingerprinted: Vec<String>,
    pub pages: Vec<String>,
    pub cache_control: Option<String>,
    pub compress: Vec<Encoding>,
    /// `[[headers]]` alone; [`Settings::header_rules`] has all.
    pub headers: Vec<Numbered<HeaderRule>>,
    pub redirects: Vec<Numbered<Redirect>>,
    pub noise: Vec<Numbered<NoiseRule>>,
    /// Objects carry cache tags.
    pub tags: bool,

    pub delete: bool,
    /// `None`: half of the objects.
    pub max_delete: Option<u64>,
    pub adopt: bool,
    pub retain: Duration,
    pub purge: Purge,
    pub wait: bool,
    pub timeout: Duration,
    pub verify: bool,
    /// `None`: finds its level.
    pub concurrency: Option<NonZeroUsize>,
    /// Bytes.
    pub max_memory: u64,
    pub cache: bool,
    pub lock_wait: Duration,

    pub json: bool,
    pub quiet: bool,
    pub verbose: bool,
    /// What is odd but no error, such as a variable that nothing reads; no key.
    pub warnings: Vec<String>,
}

/// `[purge]`. Prices are US dollars.
#[derive(Debug, Clone, PartialEq)]
pub struct Purge {
    pub mode: PurgeMode,
    /// What is left of the month's free paths; `None`: by the history.
    pub free_paths: Option<u64>,
    /// `--free-paths`: what this deploy may take of them; `None`: its share. No key.
    pub share: Option<u64>,
    pub path_price: f64,
    pub refetch_price: f64,
    pub wait_price: f64,
    /// What a path pattern of another origin's behavior weighs.
    pub opaque_weight: u64,
    /// Keep to CloudFront's usual rates: 150 paths and one wildcard a second.
    pub paced: bool,
}

/// A table of deploy.toml and the line that it begins in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered<T> {
    pub line: usize,
    pub rule: T,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            file: None,
            env: None,
            dir: None,
            allow_project_root: false,
            bucket: None,
            prefix: String::new(),
            state: None,
            distributions: vec![DistributionSetting::Auto],
            distribution_tenant: None,
            local: None,
            profile: None,
            region: None,
            endpoint_url: None,
            path_style: None,
            ca_bundle: None,
            expected_bucket_owner: None,
            exclude: Vec::new(),
            include: Vec::new(),
            symlinks: Symlinks::Inside,
            error_documents: Vec::new(),
            strip_extension: Vec::new(),
            index: Index::Auto,
            directory_objects: false,
            redirect_function: None,
            fingerprinted: Vec::new(),
            not_fingerprinted: Vec::new(),
            pages: Vec::new(),
            cache_control: None,
            compress: Vec::new(),
            headers: Vec::new(),
            redirects: Vec::new(),
            noise: Vec::new(),
            tags: false,
            delete: true,
            max_delete: None,
            adopt: false,
            retain: Duration::from_hours(24 * 7),
            purge: Purge::default(),
            wait: true,
            timeout: Duration::from_mins(10),
            verify: false,
            concurrency: None,
            max_memory: 256 << 20,
            cache: true,
            // Longer than a dead deploy's lease with its grace: 90 s.
            lock_wait: Duration::from_secs(120),
            json: false,
            quiet: false,
            verbose: false,
            warnings: Vec::new(),
        }
    }
}

impl Default for Purge {
    fn default() -> Self {
        Self {
            mode: PurgeMode::Cheapest,
            free_paths: None,
            share: None,
            path_price: 0.005,
            refetch_price: 0.000_005_2,
            wait_price: 0.0,
            opaque_weight: 10_000,
            paced: true,
        }
    }
}

/// Reads deploy.toml (or `--config`, or `UNSTALE_CONFIG`) and the environment, and resolves them with the flags.
///
/// # Errors
/// `Exit::Usage` for whatever is wrong with any of them, and for a named file that is missing.
pub fn load(cli: &Cli) -> Result<Settings, Error> {
    let env = variables()?;
    let named = cli.common.config.clone().or_else(|| {
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
    Settings::resolve(file, &env, cli)
}

/// The environment, as far as settings are read from it.
fn variables() -> Result<BTreeMap<String, String>, Error> {
    let mut found = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if name != "AWS_CA_BUNDLE" && !name.starts_with("UNSTALE_") {
            continue;
        }
        let value = value
            .into_string()
            .map_err(|_| Error::usage(format!("{name} is not UTF-8")))?;
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

impl Settings {
    /// Lays the layers over each other. `file` is the settings file's path and text, `env` the process's variables.
    ///
    /// # Errors
    /// `Exit::Usage`, naming file, line and column, or the variable.
    pub fn resolve(
        file: Option<(PathBuf, String)>,
        env: &BTreeMap<String, String>,
        cli: &Cli,
    ) -> Result<Self, Error> {
        let mut variables = Variables::new(env);
        let above = Layer::from_flags(cli)?.over(Layer::from_variables(&mut variables)?);
        let env_name = (cli.common.env.clone()).or_else(|| variables.text("UNSTALE_ENV"));
        let (path, text, layer) = match file {
            Some((path, text)) => {
                let layer = schema::parse(&path, &text)?.flatten(&path, env_name.as_deref())?;
                (Some(path), text, above.over(layer))
            }
            None if env_name.is_some() => {
                let name = env_name.unwrap_or_default();
                return Err(Error::usage(format!(
                    "`--env {name}` needs a {FILE} with [env.{name}], and there is no {FILE} here"
                )));
            }
            None => (None, String::new(), above),
        };
        let mut settings = layer.settings(&text)?;
        settings.ca_bundle =
            (settings.ca_bundle).or_else(|| variables.text("AWS_CA_BUNDLE").map(PathBuf::from));
        settings.file = path;
        settings.env = env_name;
        settings.warnings = variables.unread();
        settings.header_rules()?;
        settings.redirects()?;
        settings.noise_rules()?;
        Ok(settings)
    }

    /// The bucket's name.
    ///
    /// # Errors
    /// `Exit::Usage` where none is given.
    pub fn bucket(&self) -> Result<&str, Error> {
        self.bucket.as_deref().ok_or_else(|| {
            Error::usage("no bucket is given").hint(
                "`--bucket NAME`, or `bucket = \"NAME\"` in deploy.toml; `--local` needs none",
            )
        })
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
        let about = |patterns: &[String]| HeaderRule {
            patterns: patterns.to_vec(),
            ..HeaderRule::default()
        };
        let every = || about(&["**".to_owned()]);
        let mut rules = Vec::new();
        if self.cache_control.is_some() {
            let cache_control = self.cache_control.clone();
            rules.push((
                "cache-control",
                HeaderRule {
                    cache_control,
                    ..every()
                },
            ));
        }
        if !self.compress.is_empty() {
            let compress = Some(self.compress.clone());
            rules.push((
                "compress",
                HeaderRule {
                    compress,
                    ..every()
                },
            ));
        }
        for (key, patterns, is) in [
            ("fingerprinted", &self.fingerprinted, true),
            ("not-fingerprinted", &self.not_fingerprinted, false),
        ] {
            if !patterns.is_empty() {
                let fingerprinted = Some(is);
                rules.push((
                    key,
                    HeaderRule {
                        fingerprinted,
                        ..about(patterns)
                    },
                ));
            }
        }
        if !self.pages.is_empty() {
            let page = Some(true);
            rules.push((
                "pages",
                HeaderRule {
                    page,
                    ..about(&self.pages)
                },
            ));
        }
        rules
    }
}

#[cfg(test)]
mod tests;
