//! From settings to clients and a [`Job`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use local_cloudfront::{FolderOptions, FolderSession, open_or_attach};

use super::interpreter::interpret;
use super::{App, remedy};
use crate::aws::{AwsClients, AwsConnection};
use crate::edge::{IndexLookup, Money, PurgePrices};
use crate::error::Error;
use crate::job::{DeployEvent, DistributionChoice, EventSink, Job, PlacedRedirect};
use crate::object::key::{MAX_KEY_BYTES, state_root};
use crate::rules::edge_function::PasswordDigest;
use crate::rules::redirect::Redirect;
use crate::scan;
use crate::settings::{
    self, DistributionSetting, HEADERS_FILE, PurgeSettings, REDIRECTS_FILE, Settings, SiteFiles,
    StatePlace,
};
use crate::survey::TargetNames;

/// Requests at once, at most, where nothing is said: more gained nothing when measured.
const CONCURRENCY: usize = 384;
/// The most files of a build that has no index.html at its root.
const MAX_WITHOUT_INDEX: u64 = 100_000;
/// Bytes of small files that stay in memory from hashing to uploading, at most.
const KEPT: u64 = 1 << 20;

/// Clients, and what must live as long as they do.
pub(super) struct Link {
    pub(super) aws: AwsClients,
    /// With `--local`: S3 and CloudFront, here or in another process.
    pub(super) session: Option<FolderSession>,
}

impl Link {
    /// Returns whether S3 is AWS's own.
    pub(super) fn is_official(&self) -> bool {
        let endpoint = self.aws.s3_endpoint();
        endpoint.is_none_or(|url| url.contains(".amazonaws.com"))
    }

    /// Returns the host names, besides S3's own, by which a bucket is known as an origin.
    fn bucket_hosts(&self) -> Vec<String> {
        let endpoint = self.aws.s3_endpoint();
        let host = endpoint.as_deref().map(remedy::host);
        let named = host.filter(|host| !host.is_empty());
        named.map(str::to_owned).into_iter().collect()
    }
}

impl App {
    /// What tells which distributions are meant, where a command needs no bucket.
    pub(super) fn target_names(&self, link: &Link) -> TargetNames {
        let settings = &self.settings;
        TargetNames {
            tenant: settings.distribution_tenant.clone(),
            wishes: wishes(settings, link.session.as_ref()),
            bucket: settings.bucket.as_ref().map(|bucket| bucket.name.clone()),
            endpoints: link.bucket_hosts(),
        }
    }

    /// Whether batches of a purge keep to CloudFront's rates. Another endpoint says by itself when it wants a pause.
    pub(super) fn is_paced(&self, link: &Link) -> bool {
        self.settings.purge.paced && link.is_official()
    }

    pub(super) async fn connect(&self) -> Result<Link, Error> {
        let bucket = self.settings.bucket.as_ref();
        self.connect_to(bucket.map(|bucket| bucket.name.as_str()))
            .await
    }

    /// [`App::connect`] where no bucket is there yet.
    pub(super) async fn connect_account(&self) -> Result<Link, Error> {
        self.connect_to(None).await
    }

    /// With `--local`, the bucket is made where it is missing.
    async fn connect_to(&self, bucket: Option<&str>) -> Result<Link, Error> {
        let settings = &self.settings;
        remedy::check_profile(settings)?;
        let session = match &settings.local {
            Some(dir) => {
                settings::check_store(settings, dir)?;
                Some(open_local(dir, bucket, settings).await?)
            }
            None => None,
        };
        let connection = AwsConnection {
            profile: settings.profile.clone(),
            region: settings.region.clone(),
            endpoint_url: match &session {
                Some(session) => Some(session.endpoint().to_owned()),
                None => settings.endpoint_url.as_ref().map(|url| url.0.clone()),
            },
            path_style: settings.path_style.or(session.as_ref().map(|_| true)),
            expected_bucket_owner: (settings.expected_bucket_owner.as_ref())
                .map(|account| account.0.clone()),
            local: session.is_some(),
        };
        Ok(Link {
            aws: AwsClients::connect(connection, self.authorities()?.as_deref())
                .await
                .map_err(|error| {
                    Error::usage("cannot set up TLS: are the files of certificates sound?")
                        .because(error)
                })?,
            session,
        })
    }

    /// The certificates of further authorities, if some are to be trusted.
    pub(super) fn authorities(&self) -> Result<Option<Vec<u8>>, Error> {
        let Some(path) = &self.settings.ca_bundle else {
            return Ok(None);
        };
        let unreadable = format!("cannot read the certificates in {}", path.display());
        let read = std::fs::read(path);
        let read = read.map_err(|error| Error::usage(unreadable).because(error));
        read.map(Some)
    }

    /// Tells the printer. Nobody sees a site of `--local` at its domain, only at a preview's edge.
    pub(super) fn teller(&self, link: &Link) -> EventSink {
        let printer = self.printer.clone();
        let local = link.session.as_ref();
        let local = local.map(|session| session.edge_urls.first().cloned());
        EventSink::new(move |event| match (event, &local) {
            (DeployEvent::Ended(summary), Some(url)) => {
                let mut summary = summary.clone();
                summary.url.clone_from(url);
                printer.event(&DeployEvent::Ended(summary));
            }
            _ => printer.event(event),
        })
    }

    /// The whole job: where to, how, and with which build.
    pub(super) fn job(&self, link: &Link) -> Result<Job, Error> {
        let dir = settings::build_dir(&self.settings, Path::new(""))?;
        self.job_for(Some(link), dir)
    }

    /// [`App::job`] for commands that need no build, or reach nobody.
    pub(super) fn job_for(&self, link: Option<&Link>, dir: PathBuf) -> Result<Job, Error> {
        let settings = &self.settings;
        let bucket = settings.bucket()?.to_owned();
        let files = if dir.as_os_str().is_empty() {
            SiteFiles::default()
        } else {
            settings.site_files(&dir)?
        };
        let redirects = settings.redirects_with(&files)?;
        let placed = |(redirect, place): (&Redirect, String)| PlacedRedirect {
            redirect: redirect.clone(),
            place,
        };
        let places = settings.redirect_places(&files);
        let redirects = redirects.all().iter().zip(places).map(placed).collect();
        let rules = settings.header_rules_with(&files)?;
        let unserved = settings.unserved_with(&files);
        Ok(Job {
            settings: settings.clone(),
            commit: commit(&dir),
            scan: scan::ScanOptions {
                exclude: exclude(settings),
                include: settings.include.texts(),
                allow: settings.allow.texts(),
                max_without_index: (!settings.allow_project_root).then_some(MAX_WITHOUT_INDEX),
                symlinks: settings.symlinks,
                max_key_bytes: MAX_KEY_BYTES.saturating_sub(settings.prefix.0.len()),
                cache: settings.cache.then(cache_folder).flatten(),
                keep_small: Some(KEPT.min(settings.max_memory.0 / 4)),
            },
            dir,
            state: settings
                .state
                .clone()
                .map(|place: StatePlace| match place.prefix.as_str() {
                    "" => (place.bucket, state_root("")),
                    _ => (place.bucket, place.prefix),
                }),
            paced: link.is_some_and(|link| self.is_paced(link)),
            official: link.is_none_or(Link::is_official),
            wishes: wishes(settings, link.and_then(|link| link.session.as_ref())),
            endpoints: (link.map(Link::bucket_hosts).unwrap_or_default().into_iter())
                .chain(settings.origin_domains.0.iter().cloned())
                .collect(),
            rules,
            rule_places: settings.rule_places(&files),
            noise: Arc::new(settings.noise_rules()?),
            strip_extension: settings.extensions(),
            function: settings.function_name(),
            headers_policy: settings.headers_policy(),
            password: password(settings, &bucket)?,
            // A preview is asked for by other names.
            canonical_host: (settings.canonical_host.as_ref())
                .filter(|_| settings.local.is_none())
                .map(|host| host.0.clone()),
            redirects,
            unserved,
            error_documents: error_documents(settings),
            prices: prices(&settings.purge),
            free_paths: None,
            force: false,
            sweep: false,
            concurrency: settings.concurrency.map_or(CONCURRENCY, usize::from),
            resume: false,
            drop_debts: Vec::new(),
            rollback: None,
            is_preview: false,
            bucket,
        })
    }
}

/// Returns the digest of the password that viewers have to know.
fn password(settings: &Settings, bucket: &str) -> Result<Option<PasswordDigest>, Error> {
    let site = format!("s3://{bucket}/{}", settings.prefix.0);
    let password = read_password(settings)?;
    Ok(password.map(|password| PasswordDigest::of(&password, &site)))
}

/// Reads the password that viewers have to know.
pub(super) fn read_password(settings: &Settings) -> Result<Option<String>, Error> {
    let Some(place) = &settings.password else {
        return Ok(None);
    };
    let variable = &place.variable;
    let password = std::env::var(variable).unwrap_or_default();
    if password.is_empty() {
        return Err(Error::usage(format!("`password` is read from {variable}, which is not set"))
            .hint("set it where deploys run, in a CI from its secrets; without `password` everybody sees the site"));
    }
    Ok(Some(password))
}

/// What is read and not uploaded is left out too.
fn exclude(settings: &Settings) -> Vec<String> {
    let read = [HEADERS_FILE, REDIRECTS_FILE].map(|name| format!("/{name}"));
    settings.exclude.texts().into_iter().chain(read).collect()
}

/// Where deploys write the function themselves, or index documents are not meant, none stands there before.
async fn open_local(
    dir: &Path,
    bucket: Option<&str>,
    settings: &Settings,
) -> Result<FolderSession, Error> {
    let local = FolderOptions {
        index_documents: settings.function_name().is_none() && settings.index != IndexLookup::None,
        interpreter: Some(Arc::new(interpret)),
        bucket: bucket.map(str::to_owned),
        ..FolderOptions::default()
    };
    open_or_attach(dir, local).await.map_err(|error| {
        Error::failed(format!("--local cannot use {}", dir.display()))
            .because(error)
            .hint("name another folder with --local=DIR")
    })
}

/// With `--local` there is the one distribution that stands before the bucket there, whatever deploy.toml calls it.
fn wishes(settings: &Settings, session: Option<&FolderSession>) -> Vec<DistributionChoice> {
    let wish = |setting: &DistributionSetting| match (setting, session) {
        (DistributionSetting::None, _) => None,
        (_, Some(session)) => (session.distribution.clone()).map(DistributionChoice::Named),
        (DistributionSetting::Auto, None) => Some(DistributionChoice::Auto),
        (DistributionSetting::Named(name), _) => Some(DistributionChoice::Named(name.clone())),
    };
    let mut wishes: Vec<_> = settings.distribution.0.iter().filter_map(wish).collect();
    wishes.dedup();
    wishes
}

fn prices(purge: &PurgeSettings) -> PurgePrices {
    let path_price = if purge.plan.includes_paths() {
        0.0
    } else {
        purge.path_price.0
    };
    PurgePrices {
        mode: purge.mode,
        path: Money::from_dollars(path_price),
        refetch: Money::from_dollars(purge.refetch_price.0),
        wait: Money::from_dollars(purge.wait_price.0),
        opaque: purge.opaque_weight,
        ..PurgePrices::default()
    }
}

/// What servers answer errors with by custom, wherever it lies.
pub(super) fn error_documents(settings: &Settings) -> Vec<String> {
    let usual = ["404.html", "403.html", "500.html", "50x.html"].map(str::to_owned);
    usual
        .into_iter()
        .chain(settings.error_documents.0.iter().cloned())
        .collect()
}

/// The user's cache folder, as the XDG Base Directory Specification has it.
fn cache_folder() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(base.join("unstale"))
}

/// The commit that is deployed, if CI or git says one.
fn commit(dir: &Path) -> Option<String> {
    let ci = [
        "GITHUB_SHA",
        "CI_COMMIT_SHA",
        "CIRCLE_SHA1",
        "COMMIT_REF",
        "BITBUCKET_COMMIT",
        "BUILDKITE_COMMIT",
        "CODEBUILD_RESOLVED_SOURCE_VERSION",
    ];
    let by_ci = ci
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|sha| !sha.is_empty()));
    by_ci.or_else(|| head_commit(dir))
}

/// What `.git/HEAD` names, in the folder or above it.
fn head_commit(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let git = dir.ancestors().find_map(git_folder)?;
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    let Some(name) = head.trim().strip_prefix("ref: ") else {
        return Some(head.trim().to_owned());
    };
    // Worktrees share the references.
    let git = match std::fs::read_to_string(git.join("commondir")) {
        Ok(common) => git.join(common.trim()),
        Err(_) => git,
    };
    if let Ok(sha) = std::fs::read_to_string(git.join(name)) {
        return Some(sha.trim().to_owned());
    }
    let packed = std::fs::read_to_string(git.join("packed-refs")).ok()?;
    packed.lines().find_map(|line| {
        line.strip_suffix(name)?
            .split_whitespace()
            .next()
            .map(str::to_owned)
    })
}

/// Returns where git keeps what it knows of the folder, if that is the top of a repository; in worktrees and submodules a file
/// says so (gitrepository-layout).
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = std::fs::read_to_string(git).ok()?;
    Some(folder.join(text.trim().strip_prefix("gitdir: ")?))
}
