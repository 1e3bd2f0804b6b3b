//! One layer of settings: what a file, the environment or the flags say, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;
use serde::Deserialize;
use toml::Spanned;

use super::schema::{List, NoiseRule, PurgeTable, RedirectRule, closest};
use super::values::{
    Account, Bucket, DistributionSetting, Endpoint, Extension, FieldValue, Glob, Index, Memory,
    Period, Prefix, StatePlace, Symlinks, read,
};
use super::{LOCAL_BUCKET, Numbered, Purge, Settings};
use crate::cli::Cli;
use crate::domain::rules::{Encoding, HeaderRule};
use crate::error::Error;

/// Every key of deploy.toml. What is absent is left to the layers below.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Layer {
    dir: Option<PathBuf>,
    allow_project_root: Option<bool>,
    bucket: Option<Bucket>,
    prefix: Option<Prefix>,
    state: Option<StatePlace>,
    distribution: Option<List<DistributionSetting>>,
    distribution_tenant: Option<String>,
    local: Option<PathBuf>,
    profile: Option<String>,
    region: Option<String>,
    endpoint_url: Option<Endpoint>,
    path_style: Option<bool>,
    ca_bundle: Option<PathBuf>,
    expected_bucket_owner: Option<Account>,
    exclude: Option<List<Glob>>,
    include: Option<List<Glob>>,
    symlinks: Option<Symlinks>,
    error_documents: Option<List<String>>,
    strip_extension: Option<List<Extension>>,
    index: Option<Index>,
    directory_objects: Option<bool>,
    fingerprinted: Option<List<Glob>>,
    not_fingerprinted: Option<List<Glob>>,
    pages: Option<List<Glob>>,
    cache_control: Option<FieldValue>,
    compress: Option<List<Encoding>>,
    headers: Option<Vec<Spanned<HeaderRule>>>,
    redirects: Option<Vec<Spanned<RedirectRule>>>,
    noise: Option<Vec<Spanned<NoiseRule>>>,
    tags: Option<bool>,
    delete: Option<bool>,
    max_delete: Option<u64>,
    adopt: Option<bool>,
    retain: Option<Period>,
    purge: PurgeTable,
    wait: Option<bool>,
    timeout: Option<Period>,
    verify: Option<bool>,
    concurrency: Option<NonZeroUsize>,
    max_memory: Option<Memory>,
    cache: Option<bool>,
    lock_wait: Option<Period>,
    json: Option<bool>,
    quiet: Option<bool>,
    verbose: Option<bool>,
    env: BTreeMap<String, Layer>,
    /// `--free-paths`.
    #[serde(skip)]
    share: Option<u64>,
    /// `--exclude` and `--include` add to what the file says.
    #[serde(skip)]
    also: Also,
}

#[derive(Debug, Clone, Default)]
struct Also {
    exclude: Vec<Glob>,
    include: Vec<Glob>,
}

/// The environment, and which of it was asked for.
pub struct Variables<'a> {
    all: &'a BTreeMap<String, String>,
    asked: BTreeSet<String>,
}

impl<'a> Variables<'a> {
    pub fn new(all: &'a BTreeMap<String, String>) -> Self {
        let asked = BTreeSet::from(["UNSTALE_CONFIG".to_owned()]);
        Self { all, asked }
    }

    /// A variable that is set and not empty.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.asked.insert(name.to_owned());
        self.all.get(name).filter(|text| !text.is_empty()).cloned()
    }

    fn with<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let parsed = parse(&text).map_err(|why| Error::usage(format!("{name}: {why}")))?;
        Ok(Some(parsed))
    }

    fn value<T: TryFrom<String, Error = String>>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, Error> {
        self.with(name, read)
    }

    fn number<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Error> {
        self.with(name, |text| {
            text.parse()
                .map_err(|_| format!("`{text}` is not a number that fits here"))
        })
    }

    fn flag(&mut self, name: &str) -> Result<Option<bool>, Error> {
        self.with(name, |text| match text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(format!("`{text}` is neither true nor false")),
        })
    }

    fn choice<T: ValueEnum>(&mut self, name: &str) -> Result<Option<T>, Error> {
        self.with(name, |text| {
            T::from_str(text, false).map_err(|_| {
                let all = T::value_variants().iter();
                let names: Vec<_> = all.filter_map(ValueEnum::to_possible_value).collect();
                let names: Vec<_> = names.iter().map(|name| name.get_name()).collect();
                format!("`{text}` is none of {}", names.join(", "))
            })
        })
    }

    /// A warning for each `UNSTALE_` variable that nothing asked for.
    pub fn unread(&self) -> Vec<String> {
        let bare = |name: &String| name.strip_prefix("UNSTALE_").map(str::to_owned);
        let known: Vec<String> = self.asked.iter().filter_map(bare).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let unread = self.all.keys().filter(|name| !self.asked.contains(*name));
        unread
            .filter_map(bare)
            .map(|name| match closest(&name, &known) {
                Some(meant) => {
                    format!("UNSTALE_{name} is no setting: did you mean UNSTALE_{meant}?")
                }
                None => format!("UNSTALE_{name} is no setting"),
            })
            .collect()
    }
}

impl Layer {
    /// Lists have no variables, but for `UNSTALE_DISTRIBUTION`, whose names are parted by commas.
    pub fn from_variables(env: &mut Variables<'_>) -> Result<Self, Error> {
        let distribution = env.with("UNSTALE_DISTRIBUTION", |text| {
            let names = text.split(',').map(|name| read(name.trim()));
            names.collect::<Result<_, _>>().map(List)
        })?;
        let purge = PurgeTable {
            mode: env.choice("UNSTALE_PURGE_MODE")?,
            free_paths: env.number("UNSTALE_PURGE_FREE_PATHS")?,
            path_price: env.value("UNSTALE_PURGE_PATH_PRICE")?,
            refetch_price: env.value("UNSTALE_PURGE_REFETCH_PRICE")?,
            wait_price: env.value("UNSTALE_PURGE_WAIT_PRICE")?,
            opaque_weight: env.number("UNSTALE_PURGE_OPAQUE_WEIGHT")?,
        };
        let layer = Self {
            dir: env.text("UNSTALE_DIR").map(PathBuf::from),
            allow_project_root: env.flag("UNSTALE_ALLOW_PROJECT_ROOT")?,
            bucket: env.value("UNSTALE_BUCKET")?,
            prefix: env.value("UNSTALE_PREFIX")?,
            state: env.value("UNSTALE_STATE")?,
            distribution,
            distribution_tenant: env.text("UNSTALE_DISTRIBUTION_TENANT"),
            local: env.text("UNSTALE_LOCAL").map(PathBuf::from),
            profile: env.text("UNSTALE_PROFILE"),
            region: env.text("UNSTALE_REGION"),
            endpoint_url: env.value("UNSTALE_ENDPOINT_URL")?,
            path_style: env.flag("UNSTALE_PATH_STYLE")?,
            ca_bundle: env.text("UNSTALE_CA_BUNDLE").map(PathBuf::from),
            expected_bucket_owner: env.value("UNSTALE_EXPECTED_BUCKET_OWNER")?,
            symlinks: env.choice("UNSTALE_SYMLINKS")?,
            index: env.choice("UNSTALE_INDEX")?,
            directory_objects: env.flag("UNSTALE_DIRECTORY_OBJECTS")?,
            cache_control: env.value("UNSTALE_CACHE_CONTROL")?,
            tags: env.flag("UNSTALE_TAGS")?,
            delete: env.flag("UNSTALE_DELETE")?,
            max_delete: env.number("UNSTALE_MAX_DELETE")?,
            adopt: env.flag("UNSTALE_ADOPT")?,
            retain: env.value("UNSTALE_RETAIN")?,
            purge,
            wait: env.flag("UNSTALE_WAIT")?,
            timeout: env.value("UNSTALE_TIMEOUT")?,
            verify: env.flag("UNSTALE_VERIFY")?,
            concurrency: env.number("UNSTALE_CONCURRENCY")?,
            max_memory: env.value("UNSTALE_MAX_MEMORY")?,
            cache: env.flag("UNSTALE_CACHE")?,
            lock_wait: env.value("UNSTALE_LOCK_WAIT")?,
            json: env.flag("UNSTALE_JSON")?,
            quiet: env.flag("UNSTALE_QUIET")?,
            verbose: env.flag("UNSTALE_VERBOSE")?,
            ..Self::default()
        };
        layer.split_bucket("UNSTALE_BUCKET and UNSTALE_PREFIX")
    }

    pub fn from_flags(cli: &Cli) -> Result<Self, Error> {
        let common = cli.common.clone();
        let build = cli.command.build().cloned().unwrap_or_default();
        let change = cli.command.change().cloned().unwrap_or_default();
        let purge = cli.command.purge().cloned().unwrap_or_default();
        let wait = cli.command.wait().cloned().unwrap_or_default();
        let work = cli.command.work().cloned().unwrap_or_default();
        let on = |flag: bool| flag.then_some(true);
        let off = |flag: bool| flag.then_some(false);
        // `-v` overrules a `quiet` from below, and the other way round.
        let (quiet, verbose) = match (common.quiet, common.verbose) {
            (false, false) => (None, None),
            (quiet, verbose) => (Some(quiet), Some(verbose)),
        };
        let layer = Self {
            dir: build.dir,
            allow_project_root: on(build.allow_project_root),
            bucket: common.bucket,
            prefix: common.prefix,
            state: common.state,
            distribution: (!common.distributions.is_empty()).then_some(List(common.distributions)),
            distribution_tenant: common.distribution_tenant,
            local: common.local,
            profile: common.profile,
            region: common.region,
            endpoint_url: common.endpoint_url,
            path_style: on(common.path_style),
            ca_bundle: common.ca_bundle,
            expected_bucket_owner: common.expected_bucket_owner,
            symlinks: build.symlinks,
            cache_control: build.cache_control,
            delete: off(change.no_delete),
            max_delete: change.max_delete,
            adopt: on(change.adopt),
            retain: change.retain,
            purge: PurgeTable {
                mode: purge.purge,
                ..PurgeTable::default()
            },
            share: purge.free_paths,
            wait: off(wait.no_wait),
            timeout: wait.timeout.or(cli.command.own_timeout()),
            verify: on(cli.command.verifies()),
            concurrency: work.concurrency,
            max_memory: work.max_memory,
            cache: off(build.no_cache),
            lock_wait: work.lock_wait,
            json: on(common.json),
            quiet,
            verbose,
            also: Also {
                exclude: build.exclude,
                include: build.include,
            },
            ..Self::default()
        };
        layer.split_bucket("--bucket and --prefix")
    }

    /// A file's own layer with its `[env.NAME]` over it; relative paths joined to the file's folder.
    pub fn flatten(mut self, file: &Path, name: Option<&str>) -> Result<Self, Error> {
        let shown = file.display();
        let mut tables = std::mem::take(&mut self.env);
        for (name, table) in &tables {
            if !table.env.is_empty() {
                let problem = format!("{shown}: [env.{name}] cannot hold another [env]");
                return Err(Error::usage(problem));
            }
        }
        let chosen = match name {
            None => Self::default(),
            Some(name) => match tables.remove(name) {
                Some(table) => table,
                None => return Err(unknown_env(file, name, tables.keys())),
            },
        };
        let place = format!("{shown}: `bucket` and `prefix`");
        let mut layer = chosen
            .split_bucket(&place)?
            .over(self.split_bucket(&place)?);
        let folder = file.parent().unwrap_or(Path::new(""));
        for path in [&mut layer.dir, &mut layer.local, &mut layer.ca_bundle] {
            *path = path.take().map(|path| folder.join(path));
        }
        Ok(layer)
    }

    /// Parts `s3://NAME/FOLDER` into bucket and prefix.
    fn split_bucket(mut self, place: &str) -> Result<Self, Error> {
        let inside = self.bucket.as_mut().and_then(|it| it.prefix.take());
        match (inside, &self.prefix) {
            (Some(inside), Some(prefix)) if inside != *prefix => Err(Error::usage(format!(
                "{place} name two folders: `{}` and `{}`",
                inside.0, prefix.0
            ))),
            (Some(inside), _) => {
                self.prefix = Some(inside);
                Ok(self)
            }
            (None, _) => Ok(self),
        }
    }

    /// This layer, and where it is silent the one below.
    pub fn over(self, below: Self) -> Self {
        Self {
            dir: self.dir.or(below.dir),
            allow_project_root: self.allow_project_root.or(below.allow_project_root),
            bucket: self.bucket.or(below.bucket),
            prefix: self.prefix.or(below.prefix),
            state: self.state.or(below.state),
            distribution: self.distribution.or(below.distribution),
            distribution_tenant: self.distribution_tenant.or(below.distribution_tenant),
            local: self.local.or(below.local),
            profile: self.profile.or(below.profile),
            region: self.region.or(below.region),
            endpoint_url: self.endpoint_url.or(below.endpoint_url),
            path_style: self.path_style.or(below.path_style),
            ca_bundle: self.ca_bundle.or(below.ca_bundle),
            expected_bucket_owner: self.expected_bucket_owner.or(below.expected_bucket_owner),
            exclude: self.exclude.or(below.exclude),
            include: self.include.or(below.include),
            symlinks: self.symlinks.or(below.symlinks),
            error_documents: self.error_documents.or(below.error_documents),
            strip_extension: self.strip_extension.or(below.strip_extension),
            index: self.index.or(below.index),
            directory_objects: self.directory_objects.or(below.directory_objects),
            fingerprinted: self.fingerprinted.or(below.fingerprinted),
            not_fingerprinted: self.not_fingerprinted.or(below.not_fingerprinted),
            pages: self.pages.or(below.pages),
            cache_control: self.cache_control.or(below.cache_control),
            compress: self.compress.or(below.compress),
            headers: self.headers.or(below.headers),
            redirects: self.redirects.or(below.redirects),
            noise: self.noise.or(below.noise),
            tags: self.tags.or(below.tags),
            delete: self.delete.or(below.delete),
            max_delete: self.max_delete.or(below.max_delete),
            adopt: self.adopt.or(below.adopt),
            retain: self.retain.or(below.retain),
            purge: self.purge.over(below.purge),
            wait: self.wait.or(below.wait),
            timeout: self.timeout.or(below.timeout),
            verify: self.verify.or(below.verify),
            concurrency: self.concurrency.or(below.concurrency),
            max_memory: self.max_memory.or(below.max_memory),
            cache: self.cache.or(below.cache),
            lock_wait: self.lock_wait.or(below.lock_wait),
            json: self.json.or(below.json),
            quiet: self.quiet.or(below.quiet),
            verbose: self.verbose.or(below.verbose),
            env: BTreeMap::new(),
            share: self.share,
            also: self.also,
        }
    }

    /// The settings that all layers together give. `text` is the settings file's.
    pub fn settings(self, text: &str) -> Result<Settings, Error> {
        let default = Settings::default();
        let local_bucket = self.local.as_ref().map(|_| LOCAL_BUCKET.to_owned());
        let endpoint_url = self.endpoint_url.map(|url| url.0);
        Ok(Settings {
            dir: self.dir,
            allow_project_root: self.allow_project_root.unwrap_or_default(),
            bucket: self.bucket.map(|bucket| bucket.name).or(local_bucket),
            prefix: self.prefix.unwrap_or_default().0,
            state: self.state,
            distributions: distributions(self.distribution)?.unwrap_or(default.distributions),
            distribution_tenant: self.distribution_tenant,
            endpoint_url: endpoint_url.filter(|_| self.local.is_none()),
            local: self.local,
            profile: self.profile,
            region: self.region,
            path_style: self.path_style,
            ca_bundle: self.ca_bundle,
            expected_bucket_owner: self.expected_bucket_owner.map(|account| account.0),
            exclude: globs(self.exclude, self.also.exclude),
            include: globs(self.include, self.also.include),
            symlinks: self.symlinks.unwrap_or_default(),
            error_documents: self.error_documents.map_or_else(Vec::new, |list| list.0),
            strip_extension: (self.strip_extension)
                .map_or_else(Vec::new, |list| list.0.into_iter().map(|it| it.0).collect()),
            index: self.index.unwrap_or_default(),
            directory_objects: self.directory_objects.unwrap_or_default(),
            fingerprinted: globs(self.fingerprinted, Vec::new()),
            not_fingerprinted: globs(self.not_fingerprinted, Vec::new()),
            pages: globs(self.pages, Vec::new()),
            cache_control: self.cache_control.map(|value| value.0),
            compress: self.compress.map_or_else(Vec::new, |list| list.0),
            headers: number(self.headers, text),
            redirects: number(self.redirects, text),
            noise: number(self.noise, text),
            tags: self.tags.unwrap_or_default(),
            delete: self.delete.unwrap_or(default.delete),
            max_delete: self.max_delete,
            adopt: self.adopt.unwrap_or_default(),
            retain: self.retain.map_or(default.retain, |period| period.0),
            purge: self.purge.settings(self.share),
            wait: self.wait.unwrap_or(default.wait),
            timeout: self.timeout.map_or(default.timeout, |period| period.0),
            verify: self.verify.unwrap_or_default(),
            concurrency: self.concurrency,
            max_memory: self
                .max_memory
                .map_or(default.max_memory, |memory| memory.0),
            cache: self.cache.unwrap_or(default.cache),
            lock_wait: self.lock_wait.map_or(default.lock_wait, |period| period.0),
            json: self.json.unwrap_or_default(),
            quiet: self.quiet.unwrap_or_default(),
            verbose: self.verbose.unwrap_or_default(),
            ..default
        })
    }
}

impl PurgeTable {
    fn over(self, below: Self) -> Self {
        Self {
            mode: self.mode.or(below.mode),
            free_paths: self.free_paths.or(below.free_paths),
            path_price: self.path_price.or(below.path_price),
            refetch_price: self.refetch_price.or(below.refetch_price),
            wait_price: self.wait_price.or(below.wait_price),
            opaque_weight: self.opaque_weight.or(below.opaque_weight),
        }
    }

    fn settings(self, share: Option<u64>) -> Purge {
        let default = Purge::default();
        Purge {
            mode: self.mode.unwrap_or(default.mode),
            free_paths: self.free_paths,
            share,
            path_price: self.path_price.map_or(default.path_price, |it| it.0),
            refetch_price: self.refetch_price.map_or(default.refetch_price, |it| it.0),
            wait_price: self.wait_price.map_or(default.wait_price, |it| it.0),
            opaque_weight: self.opaque_weight.unwrap_or(default.opaque_weight),
        }
    }
}

fn unknown_env<'a>(file: &Path, name: &str, known: impl Iterator<Item = &'a String>) -> Error {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let error = Error::usage(format!("{} has no [env.{name}]", file.display()));
    match known.is_empty() {
        true => error,
        false => error.hint(format!("it has {}", known.join(", "))),
    }
}

/// Each once, in the order given.
fn distributions(
    list: Option<List<DistributionSetting>>,
) -> Result<Option<Vec<DistributionSetting>>, Error> {
    let mut distinct: Vec<DistributionSetting> = Vec::new();
    for one in list.map_or_else(Vec::new, |list| list.0) {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    let special = |one: &DistributionSetting| !matches!(one, DistributionSetting::Named(_));
    match distinct.len() {
        0 => Ok(None),
        2.. if distinct.iter().any(special) => Err(Error::usage(
            "`distribution`: `auto` and `none` stand alone",
        )),
        _ => Ok(Some(distinct)),
    }
}

fn globs(list: Option<List<Glob>>, also: Vec<Glob>) -> Vec<String> {
    let list = list.map_or_else(Vec::new, |list| list.0);
    list.into_iter().chain(also).map(|glob| glob.0).collect()
}

fn number<T>(tables: Option<Vec<Spanned<T>>>, text: &str) -> Vec<Numbered<T>> {
    let tables = tables.unwrap_or_default().into_iter();
    tables
        .map(|table| Numbered {
            line: super::schema::line(text, table.span().start),
            rule: table.into_inner(),
        })
        .collect()
}
