//! The layer of `UNSTALE_*` variables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::layer::Layer;
use super::schema::{List, PurgeTable, closest};
use super::values::read;
use crate::error::Error;

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
            paced: env.flag("UNSTALE_PURGE_PACED")?,
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
            redirect_function: env.value("UNSTALE_REDIRECT_FUNCTION")?,
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
}
