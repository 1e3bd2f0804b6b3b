//! Looks at everything that a plan follows from: the build, the bucket, the state in it, the distributions.

use std::collections::BTreeSet;

use super::Teller;
use super::event::Event;
use super::job::Job;
use super::targets::{self, Search, Targets};
use crate::aws::list::Listed;
use crate::aws::{Aws, AwsError, Bucket, Kind};
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

/// Finds the place, following the bucket to its region, and reads the lock.
pub async fn open(aws: &Aws, job: &Job) -> Result<(Place, Observed), Error> {
    let place = Place::new(aws, job, job.region.as_deref());
    match place.store.observe_lock().await {
        Err(StateError::Aws(error)) => match error.kind {
            Kind::WrongRegion(Some(region)) => {
                let place = Place::new(aws, job, Some(&region));
                let lock = place.store.observe_lock().await?;
                Ok((place, lock))
            }
            Kind::WrongRegion(None) => Err(AwsError {
                kind: Kind::WrongRegion(None),
                ..error
            }
            .into()),
            _ => Err(error.into()),
        },
        Err(error) => Err(error.into()),
        Ok(lock) => Ok((place, lock)),
    }
}

/// Scans the build.
pub async fn build(job: &Job, tell: &Teller) -> Result<Build, Error> {
    let listener = tell.clone();
    let progress = move |progress| {
        listener.tell(match progress {
            scan::Progress::Walked(files) => Event::Walked(files),
            scan::Progress::Hashed { files, bytes } => Event::Hashed { files, bytes },
        });
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

/// Lists the bucket and reads the state. The lock was read before.
pub async fn remote(place: &Place, lock: Observed, tell: &Teller) -> Result<Remote, Error> {
    let listing = async { list(place, tell).await.map_err(Error::from) };
    let state = async {
        let head = place.store.read_head().await?;
        let loaded = place.store.read_manifest(&head).await?;
        Ok::<_, Error>((head, loaded))
    };
    let ((listing, debts), (head, loaded)) = tokio::try_join!(listing, state)?;
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

/// The site's objects, and the open debts' ids where the state lies among them.
async fn list(
    place: &Place,
    tell: &Teller,
) -> Result<(Vec<Listed>, Option<BTreeSet<String>>), AwsError> {
    let mut seen = 0;
    let mut count = |more: usize| {
        seen += more as u64;
        tell.tell(Event::Listed(seen));
    };
    let mut listing = place
        .bucket
        .list_range(&place.prefix, None, None, &mut count)
        .await?;
    let own = format!("{}.unstale/", place.prefix);
    let inside = place.store.bucket.name() == place.bucket.name()
        && place.store.root.starts_with(&place.prefix);
    let debts_at = format!("{}debt/", place.store.root);
    let mut debts = BTreeSet::new();
    listing.retain(|object| {
        if let Some(id) = object.key.strip_prefix(&debts_at) {
            debts.insert(id.to_owned());
        }
        let state =
            object.key.starts_with(&own) || inside && object.key.starts_with(&place.store.root);
        !state && object.key.len() > place.prefix.len()
    });
    tell.tell(Event::ListingEnded(listing.len() as u64));
    Ok((listing, inside.then_some(debts)))
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
