//! Looks at everything that a plan follows from: the build, the bucket, the state in it, the distributions.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;

use super::Teller;
use super::early::Early;
use super::event::Event;
use super::job::Job;
use super::listing::{self, Shown, Splits};
use super::targets::{self, Search, Targets};
use crate::aws::list::Listed;
use crate::aws::{Aws, AwsError, Bucket, Kind};
use crate::domain::manifest::{DeployId, Manifest};
use crate::domain::{ETag, Key};
use crate::error::{Error, Exit};
use crate::scan::{self, Build, ScanError};
use crate::state::lock::Observed;
use crate::state::{HeadState, Loaded, StateError, Store, debt, head};

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

    /// Whether the state lies among what is listed as the site.
    pub(super) fn holds_its_state(&self) -> bool {
        self.store.bucket.name() == self.bucket.name() && self.store.root.starts_with(&self.prefix)
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

/// The place, with the lock and the manifest's head as they were before anything else was looked at, but pages that are as good
/// as if they were asked for later.
#[derive(Debug)]
pub struct Opened {
    pub place: Place,
    pub lock: Observed,
    pub head: HeadState,
    pub(super) early: Option<Early>,
}

/// Finds the place, following the bucket to its region, and reads lock and head; of a small build what they stand beside, too,
/// once its splits are known.
pub async fn open(aws: &Aws, job: &Job, splits: Option<&Splits>) -> Result<Opened, Error> {
    match enter(Place::new(aws, job, job.region.as_deref()), splits).await {
        Err(StateError::Aws(AwsError {
            kind: Kind::WrongRegion(Some(region)),
            ..
        })) => Ok(enter(Place::new(aws, job, Some(&region)), splits).await?),
        opened => Ok(opened?),
    }
}

async fn enter(place: Place, splits: Option<&Splits>) -> Result<Opened, StateError> {
    let ((lock, head), early) = ask(&place, splits).await?;
    let early = early.filter(|early| early.stands(&place, &lock, &head));
    Ok(Opened {
        place,
        lock,
        head,
        early,
    })
}

type Asked = ((Observed, HeadState), Option<Early>);

async fn ask(place: &Place, splits: Option<&Splits>) -> Result<Asked, StateError> {
    let state = async { tokio::try_join!(place.store.observe_lock(), place.store.read_head()) };
    let mut state = pin!(state);
    let walked = async {
        match splits {
            Some(splits) => splits.get().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        // The walk takes longer: nothing is gained.
        state = &mut state => Ok((state?, None)),
        splits = walked => {
            let early = async { Ok(Early::begin(place, &splits).await) };
            let (state, early) = tokio::try_join!(state, early)?;
            Ok((state, early?))
        }
    }
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
    let Opened {
        place,
        lock,
        mut head,
        early,
    } = opened;
    let place = &place;
    let (listing, mut loaded) = read(place, &head, early, splits, tell).await?;
    if (listing.head.as_ref()).is_some_and(|listed| listed.as_ref() != head.etag()) {
        // A deploy ended between the readings of head and lock.
        head = place.store.read_head().await?;
        loaded = place.store.read_manifest(&head).await?;
    }
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

/// The listing and the manifest, at once where that can be.
async fn read(
    place: &Place,
    head: &HeadState,
    early: Option<Early>,
    splits: &Splits,
    tell: &Teller,
) -> Result<(Listing, Loaded), Error> {
    let manifest = async { Ok::<_, Error>(place.store.read_manifest(head).await?) };
    let pages = |manifest| early.map_or_else(Vec::new, |early| early.pages(place, manifest));
    let listing = async |shown| list(place, splits, shown, tell).await.map_err(Error::from);
    match head {
        // Where nothing was deployed yet there is nothing to make a manifest good from.
        HeadState::Absent => match listing(pages(Some(&Manifest::default()))).await? {
            listing if listing.fresh => Ok((listing, Loaded::fresh())),
            listing => Ok((listing, manifest.await?)),
        },
        HeadState::Found { head, .. } if head.is_all() => {
            let loaded = manifest.await?;
            // What was made good need not be what was left behind.
            let sound = loaded.warnings.is_empty().then_some(&loaded.manifest);
            let listing = listing(pages(sound)).await?;
            Ok((listing, loaded))
        }
        _ => tokio::try_join!(listing(pages(None)), manifest),
    }
}

struct Listing {
    objects: Vec<Listed>,
    /// The open debts' ids, where the state lies among what was listed.
    debts: Option<BTreeSet<String>>,
    /// The ETag that the head has, where it would be among what was listed.
    head: Option<Option<ETag>>,
    /// It does, and there is none.
    fresh: bool,
}

/// The site's objects, without asking again for the pages that were `shown`.
async fn list(
    place: &Place,
    splits: &Splits,
    shown: Vec<Shown>,
    tell: &Teller,
) -> Result<Listing, AwsError> {
    let listener = tell.clone();
    let seen = move |objects| listener.tell(Event::Listed(objects));
    let splits = splits.get().await;
    let mut listing = listing::list(&place.bucket, &place.prefix, &splits, shown, seen).await?;
    let own = format!("{}.unstale/", place.prefix);
    let inside = place.holds_its_state();
    let (head_at, debts_at) = (place.store.key(head::NAME), place.store.key(debt::FOLDER));
    let (mut head, mut debts) = (None, BTreeSet::new());
    let mut fresh = inside;
    listing.retain(|object| {
        if let Some(id) = object.key.strip_prefix(&debts_at) {
            debts.insert(id.to_owned());
        }
        if *object.key == *head_at {
            head = Some(object.etag.clone());
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
        head: inside.then_some(head),
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
