//! Looks at everything that a plan follows from: the build, the bucket, the state in it, the distributions.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Teller;
use super::event::Event;
use super::job::Job;
use super::listing::{self, Splits};
use super::targets::{self, Search, Targets};
use crate::aws::list::Listed;
use crate::aws::{Aws, AwsError, Bucket, Kind};
use crate::domain::Key;
use crate::domain::manifest::DeployId;
use crate::error::{Error, Exit};
use crate::scan::{self, Build, ScanError};
use crate::state::lock::Observed;
use crate::state::{HeadState, Loaded, StateError, Store, debt};

/// Where the site lies: its bucket and its state. Regions are put right.
#[derive(Debug, Clone)]
pub struct Place {
    pub bucket: Bucket,
    pub prefix: String,
    pub store: Store,
}

impl Place {
    pub fn new(aws: &Aws, job: &Job, region: Option<&str>) -> Self {
        let bucket = aws.bucket(&job.bucket, region);
        let store = match &job.state {
            Some((name, root)) if *name != job.bucket => {
                Store::new(aws.bucket(name, None), root.clone(), job.official)
            }
            Some((_, root)) => Store::new(bucket.clone(), root.clone(), job.official),
            None => Store::new(
                bucket.clone(),
                format!("{}.unstale/", job.prefix),
                job.official,
            ),
        };
        Self {
            bucket,
            prefix: job.prefix.clone(),
            store,
        }
    }

    /// The key in the bucket of a key of the site.
    pub fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// As people write it.
    pub fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket.name(), self.prefix)
    }
}

/// The bucket's side of it.
#[derive(Debug)]
pub struct Remote {
    pub lock: Observed,
    /// Objects of the site, sorted by key; keys are whole.
    pub listing: Vec<Listed>,
    pub head: HeadState,
    pub loaded: Loaded,
    pub debts: Vec<debt::Found>,
}

impl Remote {
    /// Whether the bucket has this key of the site.
    pub fn lists(&self, prefix: &str, key: &Key) -> bool {
        let full = format!("{prefix}{key}");
        let found = self
            .listing
            .binary_search_by(|object| (*object.key).cmp(full.as_str()));
        found.is_ok()
    }
}

/// The place, with the lock and the manifest's head as they were before anything else was looked at.
#[derive(Debug, Clone)]
pub struct Opened {
    pub place: Place,
    pub lock: Observed,
    pub head: HeadState,
}

/// Finds the place, following the bucket to its region, and reads lock and head.
pub async fn open(aws: &Aws, job: &Job) -> Result<Opened, Error> {
    match enter(Place::new(aws, job, job.region.as_deref())).await {
        Err(StateError::Aws(AwsError {
            kind: Kind::WrongRegion(Some(region)),
            ..
        })) => Ok(enter(Place::new(aws, job, Some(&region))).await?),
        opened => Ok(opened?),
    }
}

async fn enter(place: Place) -> Result<Opened, StateError> {
    let (lock, head) = tokio::try_join!(place.store.observe_lock(), place.store.read_head())?;
    Ok(Opened { place, lock, head })
}

/// Scans the build, and says where a listing like it may be split.
pub async fn build(job: &Job, splits: &Arc<Splits>, tell: &Teller) -> Result<Build, Error> {
    let (listener, splits) = (tell.clone(), splits.clone());
    let progress = move |progress| match progress {
        scan::Progress::Walked(files) => listener.tell(Event::Walked(files)),
        scan::Progress::Found(keys) => splits.set(keys),
        scan::Progress::Hashed { files, bytes } => listener.tell(Event::Hashed { files, bytes }),
    };
    let build = scan::scan(&job.dir, &job.scan, progress).await?;
    if build.files.is_empty() {
        return Err(Error::usage(format!(
            "{} holds no files: nothing is deployed, nothing deleted",
            job.dir.display()
        ))
        .hint("build the site first, or name the folder that the build writes to"));
    }
    tell.tell(Event::Scanned {
        files: build.files.len() as u64,
        bytes: build.bytes,
    });
    Ok(build)
}

/// Lists the bucket and reads the state. Lock and head were read before.
pub async fn remote(opened: Opened, splits: &Splits, tell: &Teller) -> Result<Remote, Error> {
    let Opened { place, lock, head } = opened;
    let place = &place;
    let (listing, loaded) = {
        let listing = async {
            let splits = splits.get().await;
            list(place, &splits, tell).await.map_err(Error::from)
        };
        let manifest = async { Ok::<_, Error>(place.store.read_manifest(&head).await?) };
        match head {
            // Where nothing was deployed yet there is nothing to make a manifest good from.
            HeadState::Absent => match listing.await? {
                listing if listing.fresh => (listing, Loaded::default()),
                listing => (listing, manifest.await?),
            },
            _ => tokio::try_join!(listing, manifest)?,
        }
    };
    let Listing {
        objects: listing,
        debts,
        ..
    } = listing;
    let debts = match debts {
        Some(ids) => {
            let mut debts = Vec::new();
            for id in ids {
                debts.extend(place.store.read_debt(&DeployId::new(id)).await?);
            }
            debts
        }
        None => place.store.read_debts().await?,
    };
    for warning in &loaded.warnings {
        tell.tell(Event::Warned(warning.clone()));
    }
    if let HeadState::Damaged { why, .. } = &head {
        tell.tell(Event::Warned(format!(
            "the manifest's head is damaged ({why}): what is known is made good from the history"
        )));
    }
    Ok(Remote {
        lock,
        listing,
        head,
        loaded,
        debts,
    })
}

struct Listing {
    objects: Vec<Listed>,
    /// The open debts' ids, where the state lies among what was listed.
    debts: Option<BTreeSet<String>>,
    /// It does, and there is none.
    fresh: bool,
}

/// The site's objects.
async fn list(place: &Place, splits: &[Key], tell: &Teller) -> Result<Listing, AwsError> {
    let listener = tell.clone();
    let seen = move |objects| listener.tell(Event::Listed(objects));
    let mut listing = listing::list(&place.bucket, &place.prefix, splits, seen).await?;
    let own = format!("{}.unstale/", place.prefix);
    let inside = place.store.bucket.name() == place.bucket.name()
        && place.store.root.starts_with(&place.prefix);
    let debts_at = format!("{}debt/", place.store.root);
    let mut debts = BTreeSet::new();
    let mut fresh = inside;
    listing.retain(|object| {
        if let Some(id) = object.key.strip_prefix(&debts_at) {
            debts.insert(id.to_owned());
        }
        let kept_there = inside && object.key.starts_with(&place.store.root);
        fresh &= !kept_there;
        let state = kept_there || object.key.starts_with(&own);
        !state && object.key.len() > place.prefix.len()
    });
    tell.tell(Event::ListingEnded(listing.len() as u64));
    Ok(Listing {
        objects: listing,
        debts: inside.then_some(debts),
        fresh,
    })
}

/// The distributions that the settings ask for.
pub async fn find_targets(aws: &Aws, job: &Job) -> Result<Targets, Error> {
    if job.wishes.is_empty() && job.tenant.is_none() {
        return Ok(Targets::default());
    }
    let search = Search {
        wishes: &job.wishes,
        tenant: job.tenant.as_deref(),
        bucket: &job.bucket,
        endpoints: &job.endpoints,
        index: job.index,
        redirects: !job.redirects.is_empty() || job.redirect_function.is_some(),
    };
    targets::find(&aws.cloudfront(), &search).await
}

impl From<ScanError> for Error {
    fn from(error: ScanError) -> Self {
        let hint = error.hint();
        let exit = match error {
            ScanError::Missing { .. }
            | ScanError::NotAFolder { .. }
            | ScanError::Pattern { .. }
            | ScanError::Reserved { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        Self {
            exit,
            message: error.to_string(),
            causes: Vec::new(),
            hint,
        }
    }
}
