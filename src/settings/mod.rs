//! The settings: defaults < deploy.toml < its `[env.NAME]` < `UNSTALE_*` variables < flags. `table` has them all.

pub(crate) mod added_keys;
mod build_dir;
mod generator;
mod layers;
pub(crate) mod list;
mod mistake;
pub(crate) mod moved;
mod new_redirects;
mod place_variables;
pub(crate) mod setup_values;
mod site_files;
mod table;
pub(crate) mod values;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::edge::price::PricingPlan;
use crate::error::Error;
use crate::rules::header_rule::HeaderRule;
use crate::rules::header_rules::HeaderRules;
use crate::rules::noise::NoiseRules;
use crate::rules::redirects::Redirects;

pub(crate) use build_dir::{build_dir, check_store};
pub(crate) use generator::{ExpectedBuild, build_folders, expected_builds};
pub(crate) use new_redirects::WrittenRedirects;
pub(crate) use site_files::{HEADERS_FILE, REDIRECTS_FILE, SiteFiles, UnservedLine, UnservedRules};
pub(crate) use table::{PurgeSettings, Settings};
pub(crate) use values::{DistributionSetting, StatePlace};

use list::List;
use place_variables::PlaceVariables;
use values::{BucketAddress, FunctionName, PolicyName};

/// The settings file that is looked for in the current folder.
pub(crate) const FILE: &str = "deploy.toml";
/// Where `--local` keeps its objects unless told otherwise.
pub(crate) const LOCAL_DIR: &str = ".unstale-local";
/// The bucket of `--local` unless told otherwise.
pub(crate) const LOCAL_BUCKET: &str = "site";

/// What the command line says of settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct FlagSettings {
    pub config: Option<PathBuf>,
    pub env: Option<String>,
    pub paths: SettingPaths,
    pub flags: Vec<FlagText>,
}

/// Settings that are paths, which need not be UTF-8.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingPaths {
    pub dir: Option<PathBuf>,
    pub local: Option<PathBuf>,
    pub ca_bundle: Option<PathBuf>,
}

impl SettingPaths {
    fn has(&self, key: &str) -> bool {
        match key {
            "dir" => self.dir.is_some(),
            "local" => self.local.is_some(),
            "ca-bundle" => self.ca_bundle.is_some(),
            _ => false,
        }
    }
}

/// A setting that a flag gives, as it is written there.
#[derive(Debug, Clone)]
pub(crate) struct FlagText {
    pub key: String,
    /// Several where the flag may be repeated.
    pub texts: Vec<String>,
}

/// Reads deploy.toml (or `--config`, or `UNSTALE_CONFIG`) and the environment, and resolves them with the flags.
///
/// # Errors
/// `Exit::Usage` for whatever is wrong with any of them, and for a named file that is missing.
pub(crate) fn load(flags: &FlagSettings) -> Result<Settings, Error> {
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
            let problem = mistake::unreadable(&path, error);
            return Err(match named {
                Some(_) => problem.hint("`--config` or UNSTALE_CONFIG names the settings file"),
                None => problem,
            });
        }
    };
    Settings::resolve(file, &env, flags)
}

/// Tells whether UNSTALE_JSON or the settings file wants JSON, as far as they can be read, whatever else is wrong with them.
pub(crate) fn wants_json(config: Option<&Path>) -> bool {
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    if let Some(text) = variable("UNSTALE_JSON") {
        return matches!(text.as_str(), "true" | "1");
    }
    let named = config.map(Path::to_owned);
    let path = named.or_else(|| variable("UNSTALE_CONFIG").map(PathBuf::from));
    let text = std::fs::read_to_string(path.unwrap_or_else(|| PathBuf::from(FILE)));
    text.is_ok_and(|text| layers::says_json(&text))
}

/// Resolves the environment and the flags, as where there is no settings file.
///
/// # Errors
/// `Exit::Usage` for whatever is wrong with them.
pub(crate) fn without_file(flags: &FlagSettings) -> Result<Settings, Error> {
    Settings::resolve(None, &variables()?, flags)
}

/// The environment, as far as it is text: the settings file may name any variable.
fn variables() -> Result<BTreeMap<String, String>, Error> {
    let mut variables = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        match value.into_string() {
            Ok(value) => {
                variables.insert(name.to_owned(), value);
            }
            Err(_) if name == "AWS_CA_BUNDLE" || name.starts_with("UNSTALE_") => {
                return Err(Error::usage(format!("{name} is not UTF-8")));
            }
            Err(_) => {}
        }
    }
    Ok(variables)
}

impl Settings {
    /// Lays the layers over each other. `file` is the settings file's path and text, `env` the process's variables.
    ///
    /// # Errors
    /// `Exit::Usage`, naming file, line and column, or the variable.
    pub(crate) fn resolve(
        file: Option<(PathBuf, String)>,
        env: &BTreeMap<String, String>,
        flags: &FlagSettings,
    ) -> Result<Self, Error> {
        let set = |name: &str| env.get(name).filter(|text| !text.is_empty());
        let (given, warnings) = layers::from_variables(env)?;
        let texts = layers::from_flags(&flags.flags)?;
        let name = flags.env.as_ref().or_else(|| set("UNSTALE_ENV"));
        let (mut layer, below) = match (&file, name) {
            (Some((path, text)), name) => {
                let places = PlaceVariables {
                    path,
                    text,
                    variables: env,
                };
                let is_given = |key: &str| {
                    let layers = [&given, &texts];
                    let mut layers = layers.into_iter();
                    layers.any(|layer| layers::is_overruled(key, layer)) || flags.paths.has(key)
                };
                layers::from_file(&places, name.map(String::as_str), is_given)?
            }
            (None, Some(name)) => return Err(layers::no_file_for(name)),
            (None, None) => Default::default(),
        };
        layers::lay_over(&mut layer, given);
        layers::lay_flags_over(&mut layer, texts);
        // Each layer was checked by itself.
        let settings = layers::read_settings(layer);
        let mut settings = settings.map_err(|error| Error::usage(error.message()))?;
        let (path, text) = file.unzip();
        settings.number_lines(text.as_deref().unwrap_or_default());
        settings.file = path;
        settings.site_flags = layers::site_flags(flags);
        settings.warnings = warnings;
        let above = flags.paths.clone();
        settings.dir = above.dir.or(settings.dir).or(below.dir);
        settings.local = above.local.or(settings.local).or(below.local);
        settings.ca_bundle = (above.ca_bundle.or(settings.ca_bundle).or(below.ca_bundle))
            .or_else(|| set("AWS_CA_BUNDLE").map(PathBuf::from));
        settings.distribution = distinct(settings.distribution)?;
        // Beyond a day the sum with a clock's time might overflow.
        settings.timeout.0 = settings.timeout.0.min(Duration::from_hours(24));
        if let Some(dir) = settings.local.take() {
            settings.stay_local(dir);
        }
        settings.check()?;
        Ok(settings)
    }

    /// Keeps S3 and CloudFront in a folder: what names things of an account means nothing then.
    pub(crate) fn stay_local(&mut self, dir: PathBuf) {
        self.local = Some(dir);
        self.bucket
            .get_or_insert_with(|| BucketAddress::named(LOCAL_BUCKET));
        self.state = None;
        self.distribution_tenant = None;
        self.expected_bucket_owner = None;
        self.endpoint_url = None;
        self.profile = None;
    }

    /// Returns the name of the function that deploys write: the one that is set, or else one by the distribution's id where
    /// another setting needs a function.
    pub(crate) fn function_name(&self) -> Option<FunctionName> {
        let needs = self.spa || self.password.is_some() || self.canonical_host.is_some();
        let default = needs.then(|| FunctionName("unstale-{id}".to_owned()));
        self.redirect_function.clone().or(default)
    }

    /// Checks what single values do not tell.
    fn check(&self) -> Result<(), Error> {
        // It goes into headers as it is; other servers than AWS's name theirs freely.
        let is_odd = |letter: char| !letter.is_ascii_graphic();
        let mut regions = self.region.iter();
        if let Some(region) = regions.find(|name| name.contains(is_odd)) {
            let region = region.escape_default();
            return Err(Error::usage(format!(
                "`region`: `{region}` is not a region: write it as eu-central-1"
            )));
        }
        if self.tags && self.purge.plan == PricingPlan::FlatRateFree {
            return Err(Error::usage(
                "`tags = true` and `plan = \"flat-rate-free\"` in [purge] exclude each other: CloudFront's Free plan has no cache tags",
            )
            .hint("leave `tags` out, or write `plan = \"flat-rate\"` for the paid plans"));
        }
        self.header_rules()?;
        self.redirects()?;
        self.noise_rules()?;
        Ok(())
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
    pub(crate) fn bucket(&self) -> Result<&str, Error> {
        self.bucket
            .as_ref()
            .map(|bucket| bucket.name.as_str())
            .ok_or_else(|| {
                Error::usage("no bucket is given").hint(
                    "`--bucket NAME`, or `bucket = \"NAME\"` in deploy.toml; `--local` needs none",
                )
            })
    }

    /// The name of the response headers policy that deploys write, `{id}` for the distribution's id; `None`: they write none.
    pub(crate) fn headers_policy(&self) -> Option<PolicyName> {
        let by_itself = || PolicyName("unstale-{id}".to_owned());
        let named = self.headers_policy.clone();
        named.or_else(|| self.security.map(|_| by_itself()))
    }

    /// The endings that keys lose, with their dots.
    pub(crate) fn extensions(&self) -> Vec<String> {
        let extensions = self.strip_extension.0.iter();
        extensions.map(|extension| extension.0.clone()).collect()
    }

    /// [`Settings::header_rules_with`] of a build without `_headers`.
    ///
    /// # Errors
    /// `Exit::Usage`, naming the file and line of the rule that cannot be followed.
    pub(crate) fn header_rules(&self) -> Result<HeaderRules, Error> {
        self.header_rules_with(&SiteFiles::default())
    }

    /// The `[[redirects]]`, without those of a `_redirects` file.
    ///
    /// # Errors
    /// `Exit::Usage`, naming the file and line of the one that cannot be followed.
    pub(crate) fn redirects(&self) -> Result<Redirects, Error> {
        self.redirects_with(&SiteFiles::default())
    }

    /// The `[[noise]]` rules.
    ///
    /// # Errors
    /// `Exit::Usage`, naming the file and line of the one that cannot be followed.
    pub(crate) fn noise_rules(&self) -> Result<NoiseRules, Error> {
        let rules: Vec<_> = self.noise.iter().map(|one| one.rule.clone()).collect();
        NoiseRules::compile(&rules).map_err(|error| {
            let line = self.noise.get(error.rule).map_or(0, |one| one.line);
            let place = self.place(line);
            Error::usage(format!("{place}: {}: {}", error.field, error.problem))
        })
    }

    /// A line of the settings file, as errors and warnings name it.
    pub(crate) fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.file_name())
    }

    fn file_name(&self) -> String {
        let file = self.file.as_deref().unwrap_or(Path::new(FILE));
        file.display().to_string()
    }

    /// The keys that stand for a rule, as rules.
    fn general_rules(&self) -> Vec<(&'static str, HeaderRule)> {
        let rule = |patterns: Vec<String>| HeaderRule {
            patterns,
            ..HeaderRule::default()
        };
        let every_if = |is_set: bool| rule(is_set.then(|| "**".to_owned()).into_iter().collect());
        let mut cache_control = every_if(self.cache_control.is_some());
        cache_control.cache_control = self.cache_control.as_ref().map(|value| value.0.clone());
        let mut compress = every_if(!self.compress.0.is_empty());
        compress.compress = Some(self.compress.0.clone());
        let mut fingerprinted = rule(self.fingerprinted.texts());
        fingerprinted.fingerprinted = Some(true);
        let mut not_fingerprinted = rule(self.not_fingerprinted.texts());
        not_fingerprinted.fingerprinted = Some(false);
        let mut pages = rule(self.pages.texts());
        pages.page = Some(true);
        let mut rules = vec![
            ("cache-control", cache_control),
            ("compress", compress),
            ("fingerprinted", fingerprinted),
            ("not-fingerprinted", not_fingerprinted),
            ("pages", pages),
        ];
        rules.retain(|(_, rule)| !rule.patterns.is_empty());
        rules
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
