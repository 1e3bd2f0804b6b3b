//! Looks at everything that a plan follows from: the build, the bucket, the state in it, the distributions.

use std::pin::pin;
use std::sync::Arc;

use super::listing;
use super::listing::ListingSplits;
use crate::aws::list::{ListedObject, ListingPage};
use crate::aws::{AwsClients, AwsError, AwsErrorKind, Bucket};
use crate::error::{Error, Exit};
use crate::job::event::{DeployEvent, EventSink};
use crate::job::request::Job;
use crate::object::Key;
use crate::object::entry::EntryLife;
use crate::object::key::state_root;
use crate::object::manifest::Manifest;
use crate::scan::{self, ScanError, ScannedBuild};
use crate::state::{
    self, LeaseTiming, LeftOpen, LoadedManifest, ObservedState, StateError, StateStore,
};

/// Where the site lies: its bucket and its state. Regions are put right.
#[derive(Debug, Clone)]
pub(crate) struct SiteLocation {
    pub bucket: Bucket,
    pub prefix: String,
    pub store: StateStore,
}

impl SiteLocation {
    pub(crate) fn new(aws: &AwsClients, job: &Job, region: Option<&str>) -> Self {
        let bucket = aws.bucket(&job.bucket, region);
        let inside = state_root(&job.settings.prefix.0);
        let (state_bucket, root) = match &job.state {
            Some((name, root)) if *name != job.bucket => (aws.bucket(name, None), root.clone()),
            Some((_, root)) => (bucket.clone(), root.clone()),
            None => (bucket.clone(), inside),
        };
        let store = StateStore {
            bucket: state_bucket,
            root,
            site: (job.bucket.clone(), job.settings.prefix.0.clone()),
            official: job.official,
            timing: LeaseTiming::default(),
        };
        Self {
            bucket,
            prefix: job.settings.prefix.0.clone(),
            store,
        }
    }

    /// The key in the bucket of a key of the site.
    pub(crate) fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Tells whether the state lies among what is listed as the site.
    pub(crate) fn holds_its_state(&self) -> bool {
        self.store.bucket.name() == self.bucket.name() && self.store.root.starts_with(&self.prefix)
    }

    /// As people write it.
    pub(crate) fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket.name(), self.prefix)
    }
}

/// The bucket's side of it.
#[derive(Debug)]
pub(crate) struct BucketSnapshot {
    /// As it was read before the listing.
    pub state: ObservedState,
    /// Objects of the site, sorted by key; keys are whole.
    pub listing: Vec<ListedObject>,
    pub loaded: LoadedManifest,
    pub open: LeftOpen,
    /// The state's own files, where they lie among what was listed.
    pub files: Vec<ListedObject>,
}

impl BucketSnapshot {
    /// The object under a key of the site.
    pub(crate) fn find(&self, prefix: &str, key: &Key) -> Option<&ListedObject> {
        find_object(&self.listing, &format!("{prefix}{key}"))
    }
}

/// Finds the object under a whole key in a sorted listing.
pub(crate) fn find_object<'a>(listing: &'a [ListedObject], full: &str) -> Option<&'a ListedObject> {
    let position = listing.binary_search_by(|object| (*object.key).cmp(full));
    listing.get(position.ok()?)
}

/// The place, with its state as it was before anything else was looked at.
#[derive(Debug)]
pub(crate) struct OpenedSite {
    pub place: SiteLocation,
    pub state: ObservedState,
    /// A page of the listing that was asked for beside the state.
    pub(crate) early: Option<ListingPage>,
}

/// Finds the place, following the bucket to its region, and reads the state; of a small build what it stands beside, too, once
/// its splits are known.
pub(crate) async fn open(
    aws: &AwsClients,
    job: &Job,
    splits: Option<&ListingSplits>,
) -> Result<OpenedSite, Error> {
    let (place, read) = follow(aws, job, splits).await;
    let (state, early) = read?;
    Ok(OpenedSite {
        place,
        state,
        early,
    })
}

/// Opens for a plan: a state that deploys refuse is told, and taken for lost, so that the plan shows the worst.
pub(crate) async fn open_for_plan(
    aws: &AwsClients,
    job: &Job,
    splits: &ListingSplits,
    tell: &EventSink,
) -> Result<OpenedSite, Error> {
    let (place, read) = follow(aws, job, Some(splits)).await;
    let (state, early) = match read {
        Err(error @ (StateError::Corrupt { .. } | StateError::Newer { .. })) => {
            tell.tell(DeployEvent::Warned(format!(
                "{error}: deploys refuse until that is mended; this plan takes the state for lost"
            )));
            (place.store.no_state(), None)
        }
        read => read?,
    };
    Ok(OpenedSite {
        place,
        state,
        early,
    })
}

/// The state, and a page of the listing that was asked for beside it.
type ReadState = Result<(ObservedState, Option<ListingPage>), StateError>;

/// Reads the state where the settings say that the bucket is, and if it is elsewhere, there.
async fn follow(
    aws: &AwsClients,
    job: &Job,
    splits: Option<&ListingSplits>,
) -> (SiteLocation, ReadState) {
    let place = SiteLocation::new(aws, job, job.settings.region.as_deref());
    let read = read_state(&place, splits).await;
    if let Err(StateError::Aws(error)) = &read
        && let AwsErrorKind::WrongRegion(Some(region)) = &error.kind
    {
        let place = SiteLocation::new(aws, job, Some(region));
        let read = read_state(&place, splits).await;
        return (place, read);
    }
    (place, read)
}

async fn read_state(place: &SiteLocation, splits: Option<&ListingSplits>) -> ReadState {
    let mut state = pin!(place.store.read_state());
    let walked = async {
        match splits {
            Some(splits) => splits.wait().await,
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
pub(crate) async fn build(
    job: &Job,
    splits: &Arc<ListingSplits>,
    tell: &EventSink,
) -> Result<ScannedBuild, Error> {
    let (listener, splits) = (tell.clone(), splits.clone());
    let progress = move |progress| match progress {
        scan::ScanProgress::Walked(files) => listener.tell(DeployEvent::Walked(files)),
        // The walk tells it once.
        scan::ScanProgress::Found(keys) => drop(splits.set(keys)),
        scan::ScanProgress::Hashed { files, bytes } => {
            listener.tell(DeployEvent::Hashed { files, bytes })
        }
    };
    let build = scan::scan(&job.dir, &job.scan, progress).await?;
    if build.files.is_empty() && !job.is_preview {
        return Err(Error::usage(format!(
            "{} holds no files: nothing is deployed, nothing deleted",
            job.dir.display()
        ))
        .hint("build the site first, or name the folder that the build writes to"));
    }
    if !build.left_out.is_empty() {
        tell.tell(DeployEvent::LeftOut(build.left_out.clone()));
    }
    tell.tell(DeployEvent::Scanned {
        files: build.files.len() as u64,
        bytes: build.bytes,
    });
    Ok(build)
}

/// Lists the bucket and reads what the state names. The state was read before.
pub(crate) async fn remote(
    opened: OpenedSite,
    splits: &ListingSplits,
    tell: &EventSink,
) -> Result<(SiteLocation, BucketSnapshot), Error> {
    let OpenedSite {
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
        tell.tell(DeployEvent::Warned(warning.clone()));
    }
    let remote = BucketSnapshot {
        state,
        listing: listing.objects,
        files: listing.files,
        loaded,
        open,
    };
    Ok((place, remote))
}

/// Tells whether a page that was asked for beside the state was read while nobody deployed: it is all there is and shows the ETag that
/// was read, which is there once and never again, and under that ETag nobody holds the lease and nothing is open. Its other lines
/// may be older all the same: they stand where they are as the manifest says.
fn proves(page: &ListingPage, place: &SiteLocation, state: &ObservedState) -> bool {
    let own = place.store.key(state::NAME);
    let shown = page.objects.iter().find(|object| *object.key == *own);
    page.next.is_none()
        && shown.map(|object| &object.etag) == state.etag.as_ref()
        && state.object.lease.is_none()
        && state.object.open.is_empty()
}

/// Tells whether a page shows just what the manifest says.
fn is_as_noted(listing: &Listing, place: &SiteLocation, manifest: &Manifest) -> bool {
    let there = manifest
        .entries
        .iter()
        .filter(|(_, entry)| !matches!(entry.life, EntryLife::Tombstone { .. }))
        .map(|(key, entry)| (place.full(key.as_str()), &entry.etag));
    let shown = listing.objects.iter();
    there.eq(shown.map(|object| (object.key.to_string(), &object.etag)))
}

/// The listing and the manifest, at once where that can be.
async fn read(
    place: &SiteLocation,
    state: &ObservedState,
    early: Option<ListingPage>,
    splits: &ListingSplits,
    tell: &EventSink,
) -> Result<(Listing, LoadedManifest), Error> {
    let manifest = async |found_more| {
        let loaded = place.store.read_manifest(state, found_more).await;
        Ok::<_, Error>(loaded?)
    };
    if let Some(page) = early {
        let listing = sort_out(place, page.objects);
        let loaded = manifest(!listing.files.is_empty()).await?;
        if loaded.warnings.is_empty() && is_as_noted(&listing, place, &loaded.manifest) {
            tell.tell(DeployEvent::ListingEnded(listing.objects.len() as u64));
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
    let found_more = if place.holds_its_state() {
        !listing.files.is_empty()
    } else {
        !place.store.list_files().await?.is_empty()
    };
    let loaded = manifest(found_more).await?;
    Ok((listing, loaded))
}

struct Listing {
    /// Of the site.
    objects: Vec<ListedObject>,
    /// Of the state, where it lies among them.
    files: Vec<ListedObject>,
}

async fn list(
    place: &SiteLocation,
    splits: &ListingSplits,
    tell: &EventSink,
) -> Result<Listing, AwsError> {
    let listener = tell.clone();
    let seen = move |objects| listener.tell(DeployEvent::Listed(objects));
    let splits = splits.wait().await;
    let listed = listing::list(&place.bucket, &place.prefix, splits, seen).await?;
    let listing = sort_out(place, listed);
    tell.tell(DeployEvent::ListingEnded(listing.objects.len() as u64));
    Ok(listing)
}

/// The site's objects as they are by now.
pub(crate) async fn list_again(
    place: &SiteLocation,
    tell: &EventSink,
) -> Result<Vec<ListedObject>, AwsError> {
    let splits = ListingSplits::from(Vec::new());
    Ok(list(place, &splits, tell).await?.objects)
}

/// Tells the site's objects from the state's own.
fn sort_out(place: &SiteLocation, mut objects: Vec<ListedObject>) -> Listing {
    let own = state_root(&place.prefix);
    let inside = place.holds_its_state();
    let mut files = Vec::new();
    // Not every server sorts by bytes once the keys are encoded.
    if !objects.is_sorted_by(|before, after| before.key <= after.key) {
        objects.sort_by(|left, right| left.key.cmp(&right.key));
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
            | ScanError::Reserved { .. }
            | ScanError::Private { .. }
            | ScanError::TooManyFiles { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        Self {
            causes: error.causes(),
            hint,
            ..Self::new(exit, error.to_string())
        }
    }
}
