//! One layer of settings: what a file, the environment or the flags say, and nothing else.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::schema::{List, PurgeTable, line};
use super::values::{
    Account, Bucket, DistributionSetting, Endpoint, Extension, FieldValue, FunctionName, Glob,
    Index, Memory, Period, Prefix, StatePlace, Symlinks,
};
use super::{LOCAL_BUCKET, Numbered, Purge, Settings};
use crate::cli::Cli;
use crate::domain::noise::NoiseRule;
use crate::domain::redirects::Redirect;
use crate::domain::rules::{Encoding, HeaderRule};
use crate::error::Error;

/// Every key of deploy.toml. What is absent is left to the layers below.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Layer {
    pub(super) dir: Option<PathBuf>,
    pub(super) allow_project_root: Option<bool>,
    pub(super) bucket: Option<Bucket>,
    pub(super) prefix: Option<Prefix>,
    pub(super) state: Option<StatePlace>,
    pub(super) distribution: Option<List<DistributionSetting>>,
    pub(super) distribution_tenant: Option<String>,
    pub(super) local: Option<PathBuf>,
    pub(super) profile: Option<String>,
    pub(super) region: Option<String>,
    pub(super) endpoint_url: Option<Endpoint>,
    pub(super) path_style: Option<bool>,
    pub(super) ca_bundle: Option<PathBuf>,
    pub(super) expected_bucket_owner: Option<Account>,
    pub(super) exclude: Option<List<Glob>>,
    pub(super) include: Option<List<Glob>>,
    pub(super) symlinks: Option<Symlinks>,
    pub(super) error_documents: Option<List<String>>,
    pub(super) strip_extension: Option<List<Extension>>,
    pub(super) index: Option<Index>,
    pub(super) directory_objects: Option<bool>,
    pub(super) redirect_function: Option<FunctionName>,
    pub(super) fingerprinted: Option<List<Glob>>,
    pub(super) not_fingerprinted: Option<List<Glob>>,
    pub(super) pages: Option<List<Glob>>,
    pub(super) cache_control: Option<FieldValue>,
    pub(super) compress: Option<List<Encoding>>,
    pub(super) headers: Option<Vec<Spanned<HeaderRule>>>,
    pub(super) redirects: Option<Vec<Spanned<Redirect>>>,
    pub(super) noise: Option<Vec<Spanned<NoiseRule>>>,
    pub(super) tags: Option<bool>,
    pub(super) delete: Option<bool>,
    pub(super) max_delete: Option<u64>,
    pub(super) adopt: Option<bool>,
    pub(super) retain: Option<Period>,
    pub(super) purge: PurgeTable,
    pub(super) wait: Option<bool>,
    pub(super) timeout: Option<Period>,
    pub(super) verify: Option<bool>,
    pub(super) concurrency: Option<NonZeroUsize>,
    pub(super) max_memory: Option<Memory>,
    pub(super) cache: Option<bool>,
    pub(super) lock_wait: Option<Period>,
    pub(super) json: Option<bool>,
    pub(super) quiet: Option<bool>,
    pub(super) verbose: Option<bool>,
    pub(super) env: BTreeMap<String, Layer>,
    /// `--free-paths`.
    #[serde(skip)]
    pub(super) share: Option<u64>,
    #[serde(skip)]
    pub(super) also: Also,
}

/// `--exclude` and `--include`, which add to what the file says.
#[derive(Debug, Clone, Default)]
pub(super) struct Also {
    exclude: Vec<Glob>,
    include: Vec<Glob>,
}

impl Layer {
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
    pub(super) fn split_bucket(mut self, place: &str) -> Result<Self, Error> {
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
            redirect_function: self.redirect_function.or(below.redirect_function),
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
        let local = self.local.is_some();
        let local_bucket = local.then(|| LOCAL_BUCKET.to_owned());
        let endpoint_url = self.endpoint_url.map(|url| url.0);
        Ok(Settings {
            dir: self.dir,
            allow_project_root: self.allow_project_root.unwrap_or_default(),
            bucket: self.bucket.map(|bucket| bucket.name).or(local_bucket),
            prefix: self.prefix.unwrap_or_default().0,
            state: self.state,
            distributions: distributions(self.distribution)?.unwrap_or(default.distributions),
            distribution_tenant: self.distribution_tenant,
            endpoint_url: endpoint_url.filter(|_| !local),
            local: self.local,
            profile: self.profile.filter(|_| !local),
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
            redirect_function: self.redirect_function.map(|name| name.0),
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
            paced: self.paced.or(below.paced),
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
            paced: self.paced.unwrap_or(default.paced),
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
    let Some(list) = list else { return Ok(None) };
    let mut distinct: Vec<DistributionSetting> = Vec::new();
    for one in list.0 {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    let special = |one: &DistributionSetting| !matches!(one, DistributionSetting::Named(_));
    match distinct.len() {
        0 => Err(Error::usage(
            "`distribution` is an empty list: \"none\" says that there is none",
        )),
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
            line: line(text, table.span().start),
            rule: table.into_inner(),
        })
        .collect()
}
