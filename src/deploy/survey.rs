//! Looks at everything that a plan follows from: the build, the bucket, the state in it, the distributions.

use std::pin::pin;
use std::sync::Arc;

use super::Teller;
use super::event::Event;
use super::job::Job;
use super::listing::{self, Splits};
use crate::aws::list::{Listed, Page};
use crate::aws::{Aws, AwsError, Bucket, Kind};
use crate::domain::Key;
use crate::domain::manifest::{Life, Manifest};
use crate::error::{Error, Exit};
use crate::scan::{self, Build, ScanError};
use crate::state::{
    self, LeaseTiming, LeftOpen, LoadedManifest, ObservedState, StateError, StateStore,
};

pub use super::search::find_targets;

/// Where the site lies: its bucket and its state. Regions are put right.
#[derive(Debug, Clone)]
pub struct Place {
    pub bucket: Bucket,
    pub prefix: String,
    pub store: StateStore,
}

impl Place {
    pub fn new(aws: &Aws, job: &Job, region: Option<&str>) -> Self {
        let bucket = aws.bucket(&job.bucket, region);
        let inside = format!("{}.unstale/", job.prefix);
        let (state_bucket, root) = match &job.state {
            Some((name, root)) if *name != job.bucket => (aws.bucket(name, None), root.clone()),
            Some((_, root)) => (bucket.clone(), root.clone()),
            None => (bucket.clone(), inside),
        };
        let store = StateStore {
            bucket: state_bucket,
            root,
            site: (job.bucket.clone(), job.prefix.clone()),
            official: job.official,
            timing: LeaseTiming::default(),
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
    /// As it was read before the listing.
    pub state: ObservedState,
    /// Objects of the site, sorted by key; keys are whole.
    pub listing: Vec<Listed>,
    pub loaded: LoadedManifest,
    pub open: LeftOpen,
    /// The state's own files, where they lie among what was listed.
    pub files: Vec<Listed>,
}

impl Remote {
    /// The object under a key of the site.
    pub fn find(&self, prefix: &str, key: &Key) -> Option<&Listed> {
        let full = format!("{prefix}{key}");
        let found = self
            .listing
            .binary_search_by(|object| (*object.key).cmp(full.as_str()));
        self.listing.get(found.ok()?)
    }
}

/// The place, with its state as it was before anything else was looked at.
#[derive(Debug)]
pub struct Opened {
    pub place: Place,
    pub state: ObservedState,
    /// A page of the listing that was asked for beside the state.
    pub(super) early: Option<Page>,
}

/// Finds the place, following the bucket to its region, and reads the state; of a small build what it stands beside, too, once
/// its splits are known.
pub async fn open(aws: &Aws, job: &Job, splits: Option<&Splits>) -> Result<Opened, Error> {
    let refused = |_: &Place, error| Err(error);
    follow(aws, job, splits, &refused).await
}

/// Opens for a plan: a state that deploys refuse is told, and taken for lost, so that the plan shows the worst.
pub(super) async fn open_for_plan(
    aws: &Aws,
    job: &Job,
    splits: &Splits,
    tell: &Teller,
) -> Result<Opened, Error> {
    let refused = |place: &Place, error| match error {
        StateError::Corrupt { .. } | StateError::Newer { .. } => {
            tell.tell(Event::Warned(format!(
                "{error}: deploys refuse until that is mended; this plan takes the state for lost"
            )));
            Ok(place.store.no_state())
        }
        error => Err(error),
    };
    follow(aws, job, Some(splits), &refused).await
}

async fn follow(
    aws: &Aws,
    job: &Job,
    splits: Option<&Splits>,
    refused: &dyn Fn(&Place, StateError) -> Result<ObservedState, StateError>,
) -> Result<Opened, Error> {
    match enter(Place::new(aws, job, job.region.as_deref()), splits, refused).await {
        Err(StateError::Aws(AwsError {
            kind: Kind::WrongRegion(Some(region)),
            ..
        })) => Ok(enter(Place::new(aws, job, Some(&region)), splits, refused).await?),
        opened => Ok(opened?),
    }
}

async fn enter(
    place: Place,
    splits: Option<&Splits>,
    refused: &dyn Fn(&Place, StateError) -> Result<ObservedState, StateError>,
) -> Result<Opened, StateError> {
    let (state, early) = match ask(&place, splits).await {
        Ok(seen) => seen,
        Err(error) => (refused(&place, error)?, None),
    };
    Ok(Opened {
        place,
        state,
        early,
    })
}

async fn ask(
    place: &Place,
    splits: Option<&Splits>,
) -> Result<(ObservedState, Option<Page>), StateError> {
    let mut state = pin!(place.store.read_state());
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
            if !splits.is_empty() || !place.holds_its_state() {
                return Ok((state.await?, None));
            }
            let page = place.bucket.list_page(&place.prefix, None, None);
            let page = async { Ok(page.await?) };
            let (state, page) = tokio::try_join!(state, page)?;
            Ok((state, Some(page)))
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

/// Lists the bucket and reads what the state names. The state was read before.
pub async fn remote(opened: Opened, splits: &Splits, tell: &Teller) -> Result<Remote, Error> {
    let Opened {
        place,
        state,
        early,
    } = opened;
    let early = early.filter(|page| proves(page, &place, &state));
    let ((listing, loaded), open) =
        tokio::try_join!(read(&place, &state, early, splits, tell), async {
            Ok(place.store.read_open(&state).await?)
        })?;
    for warning in loaded.warnings.iter().chain(&open.warnings) {
        tell.tell(Event::Warned(warning.clone()));
    }
    Ok(Remote {
        state,
        listing: listing.objects,
        files: listing.files,
        loaded,
        open,
    })
}

/// Whether a page that was asked for beside the state was read while nobody deployed: it is all there is and shows the ETag that
/// was read, which is there once and never again, and under that ETag nobody holds the lease and nothing is open. Its other lines
/// may be older all the same: they stand where they are as the manifest says.
fn proves(page: &Page, place: &Place, state: &ObservedState) -> bool {
    let own = place.store.key(state::NAME);
    let shown = page.objects.iter().find(|object| *object.key == *own);
    page.next.is_none()
        && shown.map(|object| &object.etag) == state.etag.as_ref()
        && state.object.lease.is_none()
        && state.object.open.is_empty()
}

/// Whether a page shows just what the manifest says.
fn is_as_noted(listing: &Listing, place: &Place, manifest: &Manifest) -> bool {
    let there = manifest
        .entries
        .iter()
        .filter(|(_, entry)| !matches!(entry.life, Life::Tombstone { .. }))
        .map(|(key, entry)| (place.full(key.as_str()), &entry.etag));
    let shown = listing.objects.iter();
    there.eq(shown.map(|object| (object.key.to_string(), &object.etag)))
}

/// The listing and the manifest, at once where that can be.
async fn read(
    place: &Place,
    state: &ObservedState,
    early: Option<Page>,
    splits: &Splits,
    tell: &Teller,
) -> Result<(Listing, LoadedManifest), Error> {
    let manifest = async |found_more| {
        let loaded = place.store.read_manifest(state, found_more).await;
        Ok::<_, Error>(loaded?)
    };
    if let Some(page) = early {
        let listing = sort_out(place, page.objects);
        let loaded = manifest(!listing.files.is_empty()).await?;
        if loaded.warnings.is_empty() && is_as_noted(&listing, place, &loaded.manifest) {
            tell.tell(Event::ListingEnded(listing.objects.len() as u64));
            return Ok((listing, loaded));
        }
        return Ok((list(place, splits, tell).await?, loaded));
    }
    let listing = async { list(place, splits, tell).await.map_err(Error::from) };
    if state.etag.is_some() {
        return tokio::try_join!(listing, manifest(true));
    }
    // Where nothing was deployed yet there is nothing to make a manifest good from.
    let listing = listing.await?;
    let found_more = match place.holds_its_state() {
        true => !listing.files.is_empty(),
        false => !place.store.list_files().await?.is_empty(),
    };
    let loaded = manifest(found_more).await?;
    Ok((listing, loaded))
}

struct Listing {
    /// Of the site.
    objects: Vec<Listed>,
    /// Of the state, where it lies among them.
    files: Vec<Listed>,
}

async fn list(place: &Place, splits: &Splits, tell: &Teller) -> Result<Listing, AwsError> {
    let listener = tell.clone();
    let seen = move |objects| listener.tell(Event::Listed(objects));
    let splits = splits.get().await;
    let listed = listing::list(&place.bucket, &place.prefix, &splits, seen).await?;
    let listing = sort_out(place, listed);
    tell.tell(Event::ListingEnded(listing.objects.len() as u64));
    Ok(listing)
}

/// The site's objects as they are by now.
pub(super) async fn list_again(place: &Place, tell: &Teller) -> Result<Vec<Listed>, AwsError> {
    let splits = Splits::default();
    splits.set(Vec::new());
    Ok(list(place, &splits, tell).await?.objects)
}

/// Tells the site's objects from the state's own.
fn sort_out(place: &Place, mut objects: Vec<Listed>) -> Listing {
    let own = format!("{}.unstale/", place.prefix);
    let inside = place.holds_its_state();
    let mut files = Vec::new();
    // Not every server sorts by bytes once the keys are encoded.
    if !objects.is_sorted_by(|one, other| one.key <= other.key) {
        objects.sort_by(|one, other| one.key.cmp(&other.key));
    }
    objects.retain_mut(|object| {
        let kept_there = inside && place.store.is_own(&object.key);
        if kept_there {
            files.push(object.clone());
        }
        let state = kept_there || object.key.starts_with(&own);
        !state && object.key.len() > place.prefix.len()
    });
    Listing { objects, files }
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
