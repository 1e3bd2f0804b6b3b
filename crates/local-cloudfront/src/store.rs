//! Buckets and their objects, with every version, in memory or on disk. All changes go through one lock, so that
//! conditions and effects are one step.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::bucket::{Bucket, BucketOptions, ContentId, NULL_VERSION, Object, Version, Versioning};
use super::clock::Clock;
use super::disk::{Disk, DiskError};

/// How long a folder keeps a version after it was replaced: what keeps versions would grow for ever otherwise.
const KEPT_MILLIS: i64 = 30 * 86_400_000;

/// One change, as the journal keeps it.
#[derive(Serialize, Deserialize)]
pub(crate) enum Record {
    Bucket(String, BucketOptions, Versioning),
    /// Takes the place of a version with the same id and becomes the newest.
    Put(String, String, Version),
    /// Changes a version where it stands.
    Amend(String, String, Version),
    Remove(String, String, String),
    RemoveBucket(String),
}

/// Why the store did not do what it was asked.
#[allow(missing_docs)] // each is told by its message
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("The specified bucket does not exist")]
    NoSuchBucket,
    #[error("The bucket you tried to delete is not empty")]
    BucketNotEmpty,
    #[error("The specified key does not exist.")]
    NoSuchKey,
    #[error("The specified version does not exist.")]
    NoSuchVersion,
    #[error("At least one of the pre-conditions you specified did not hold")]
    PreconditionFailed,
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What must hold for a write to happen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expect {
    /// If-Match: the ETag that the key must have; `*` for any.
    pub is: Option<String>,
    /// If-None-Match: * : the key must not be there.
    pub absent: bool,
}

impl Expect {
    fn holds(&self, bucket: &Bucket, key: &str) -> Result<(), StoreError> {
        let now = bucket.latest(key);
        if self.absent && now.is_some() {
            return Err(StoreError::PreconditionFailed);
        }
        match (&self.is, now) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(StoreError::NoSuchKey),
            (Some(any), Some(_)) if any == "*" => Ok(()),
            (Some(wanted), Some((_, object))) if *wanted == object.etag => Ok(()),
            _ => Err(StoreError::PreconditionFailed),
        }
    }
}

/// What a delete did, as S3 answers it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Deleted {
    /// The version that went, or the delete marker that came. `None` in a bucket without versions.
    pub version: Option<String>,
    pub marker: bool,
}

/// New content that no key names yet.
pub(crate) struct Staged {
    pub content: ContentId,
    pub checksums: BTreeMap<String, String>,
    pub data: StagedData,
}

pub(crate) enum StagedData {
    Memory(Bytes),
    File(super::disk::Temporary),
}

pub(crate) struct Store {
    inner: Mutex<Inner>,
    pub clock: Clock,
    pub disk: Option<Disk>,
}

#[derive(Default)]
struct Inner {
    buckets: BTreeMap<String, Bucket>,
    /// How many versions use a content that lies on disk.
    uses: HashMap<ContentId, usize>,
}

impl Store {
    /// An empty store in memory, or what `disk` holds.
    pub(crate) fn open(clock: Clock, disk: Option<Disk>) -> Result<Self, DiskError> {
        let mut inner = Inner::default();
        if let Some(disk) = &disk {
            disk.load(|record| inner.apply(record))?;
            // After a power cut a content may be missing though the journal names it: then the object is gone.
            inner.drop_versions(|version, _| {
                let object = version.object.as_ref();
                object.is_some_and(|object| !disk.has(&object.content))
            });
            let before = clock.millis() - KEPT_MILLIS;
            inner.drop_versions(|version, next| match next {
                Some(next) => next.modified < before,
                // A delete marker that stands alone by now.
                None => version.object.is_none() && version.modified < before,
            });
            disk.compact(inner.records(), |content| inner.uses.contains_key(content))?;
        }
        Ok(Self {
            inner: Mutex::new(inner),
            clock,
            disk,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a bucket.
    pub(crate) fn read<T>(
        &self,
        bucket: &str,
        look: impl FnOnce(&Bucket) -> T,
    ) -> Result<T, StoreError> {
        let inner = self.lock();
        let bucket = inner.buckets.get(bucket).ok_or(StoreError::NoSuchBucket)?;
        Ok(look(bucket))
    }

    pub(crate) fn bucket_names(&self) -> Vec<String> {
        self.lock().buckets.keys().cloned().collect()
    }

    /// Makes a bucket. False where it was there already.
    pub(crate) fn create(&self, name: &str, options: BucketOptions) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        if inner.buckets.contains_key(name) {
            return Ok(false);
        }
        let record = Record::Bucket(name.to_owned(), options, Versioning::Never);
        self.commit(&mut inner, record)?;
        Ok(true)
    }

    /// Removes a bucket that holds nothing, not even old versions.
    pub(crate) fn remove_bucket(&self, name: &str) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let bucket = inner.buckets.get(name).ok_or(StoreError::NoSuchBucket)?;
        if !bucket.keys.is_empty() {
            return Err(StoreError::BucketNotEmpty);
        }
        self.commit(&mut inner, Record::RemoveBucket(name.to_owned()))
    }

    /// Changes a bucket's options or its versioning.
    pub(crate) fn alter(
        &self,
        name: &str,
        change: impl FnOnce(&mut BucketOptions, &mut Versioning),
    ) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let bucket = inner.buckets.get(name).ok_or(StoreError::NoSuchBucket)?;
        let (mut options, mut versioning) = (bucket.options.clone(), bucket.versioning);
        change(&mut options, &mut versioning);
        self.commit(
            &mut inner,
            Record::Bucket(name.to_owned(), options, versioning),
        )
    }

    /// Makes `staged` the newest version of a key if `expect` holds.
    pub(crate) fn put(
        &self,
        bucket: &str,
        key: &str,
        mut object: Object,
        staged: Option<StagedData>,
        expect: &Expect,
    ) -> Result<Version, StoreError> {
        let mut inner = self.lock();
        let in_bucket = inner.buckets.get(bucket).ok_or(StoreError::NoSuchBucket)?;
        expect.holds(in_bucket, key)?;
        if in_bucket.options.kms {
            object.kms = true;
            object.etag = uuid::Uuid::new_v4().simple().to_string();
        }
        match (staged, &self.disk) {
            (Some(StagedData::Memory(bytes)), _) => object.memory = Some(bytes),
            (Some(StagedData::File(file)), Some(disk)) => disk.keep(file, &object.content)?,
            // A copy whose source went away since it was looked at.
            (None, Some(_)) if !inner.uses.contains_key(&object.content) => {
                return Err(StoreError::NoSuchKey);
            }
            _ => {}
        }
        let version = Version {
            id: new_version_id(in_bucket.versioning),
            modified: self.clock.millis(),
            object: Some(Arc::new(object)),
        };
        let record = Record::Put(bucket.to_owned(), key.to_owned(), version.clone());
        self.commit(&mut inner, record)?;
        Ok(version)
    }

    /// Changes a version where it stands, as tagging does.
    pub(crate) fn amend(
        &self,
        bucket: &str,
        key: &str,
        id: Option<&str>,
        change: impl FnOnce(&mut Object),
    ) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let in_bucket = inner.buckets.get(bucket).ok_or(StoreError::NoSuchBucket)?;
        let version = pick(in_bucket, key, id)?;
        let mut object = match &version.object {
            Some(object) => Object::clone(object),
            None => return Err(StoreError::NoSuchKey),
        };
        change(&mut object);
        let version = Version {
            object: Some(Arc::new(object)),
            ..version.clone()
        };
        self.commit(
            &mut inner,
            Record::Amend(bucket.to_owned(), key.to_owned(), version),
        )
    }

    /// Deletes a key, or one version of it. On a bucket with versions a delete of the key adds a marker.
    pub(crate) fn delete(
        &self,
        bucket: &str,
        key: &str,
        id: Option<&str>,
        expect: &Expect,
    ) -> Result<Deleted, StoreError> {
        let mut inner = self.lock();
        let in_bucket = inner.buckets.get(bucket).ok_or(StoreError::NoSuchBucket)?;
        expect.holds(in_bucket, key)?;
        let versions = in_bucket.keys.get(key);
        let name = bucket.to_owned();
        if let Some(id) = id {
            let version_named =
                versions.and_then(|versions| versions.iter().find(|version| version.id == id));
            let marker = version_named.is_some_and(|version| version.object.is_none());
            if version_named.is_some() {
                self.commit(&mut inner, Record::Remove(name, key.to_owned(), id.into()))?;
            }
            return Ok(Deleted {
                version: Some(id.to_owned()),
                marker,
            });
        }
        let versioning = in_bucket.versioning;
        if versioning == Versioning::Never {
            if versions.is_some() {
                let null = NULL_VERSION.to_owned();
                self.commit(&mut inner, Record::Remove(name, key.to_owned(), null))?;
            }
            return Ok(Deleted::default());
        }
        let marker = Version {
            id: new_version_id(versioning),
            modified: self.clock.millis(),
            object: None,
        };
        let deleted = Deleted {
            version: Some(marker.id.clone()),
            marker: true,
        };
        self.commit(&mut inner, Record::Put(name, key.to_owned(), marker))?;
        Ok(deleted)
    }

    /// One version, the newest without an id. A delete marker's version has no object.
    pub(crate) fn version(
        &self,
        bucket: &str,
        key: &str,
        id: Option<&str>,
    ) -> Result<Version, StoreError> {
        self.read(bucket, |bucket| pick(bucket, key, id).cloned())?
    }

    /// The key's newest object.
    pub(crate) fn get(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<(Version, Arc<Object>), StoreError> {
        let version = self.version(bucket, key, None)?;
        let object = version.object.clone().ok_or(StoreError::NoSuchKey)?;
        Ok((version, object))
    }

    /// The key's newest object and its content, as they belong together.
    pub(crate) fn get_whole(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<(Version, Arc<Object>, Bytes), StoreError> {
        let whole = self.read(bucket, |bucket| {
            let (version, object) = bucket.latest(key).ok_or(StoreError::NoSuchKey)?;
            Ok((version.clone(), object.clone(), self.bytes(object)?))
        });
        whole?
    }

    /// An object's whole content. For what is known to be small.
    pub(crate) fn bytes(&self, object: &Object) -> Result<Bytes, DiskError> {
        match (&object.memory, &self.disk) {
            (Some(bytes), _) => Ok(bytes.clone()),
            (None, Some(disk)) => disk.read(&object.content),
            (None, None) => Ok(Bytes::new()),
        }
    }

    fn commit(&self, inner: &mut Inner, record: Record) -> Result<(), StoreError> {
        if let Some(disk) = &self.disk {
            disk.append(&record)?;
        }
        for content in inner.apply(record) {
            if let Some(disk) = &self.disk {
                disk.forget(&content);
            }
        }
        Ok(())
    }
}

fn pick<'a>(bucket: &'a Bucket, key: &str, id: Option<&str>) -> Result<&'a Version, StoreError> {
    let versions = bucket.keys.get(key);
    match (versions, id) {
        (None, None) => Err(StoreError::NoSuchKey),
        (None, Some(_)) => Err(StoreError::NoSuchVersion),
        (Some(versions), None) => versions.last().ok_or(StoreError::NoSuchKey),
        (Some(versions), Some(id)) => versions
            .iter()
            .find(|version| version.id == id)
            .ok_or(StoreError::NoSuchVersion),
    }
}

fn new_version_id(versioning: Versioning) -> String {
    match versioning {
        Versioning::Enabled => uuid::Uuid::new_v4().simple().to_string(),
        Versioning::Never | Versioning::Suspended => NULL_VERSION.to_owned(),
    }
}

impl Inner {
    /// Returns the contents that nothing uses any more.
    fn apply(&mut self, record: Record) -> Vec<ContentId> {
        let mut lost = Vec::new();
        match record {
            Record::Bucket(name, options, versioning) => {
                let bucket = self.buckets.entry(name).or_default();
                bucket.options = options;
                bucket.versioning = versioning;
            }
            Record::RemoveBucket(name) => _ = self.buckets.remove(&name),
            Record::Put(name, key, version) => {
                self.count(&version);
                let bucket = self.buckets.entry(name).or_default();
                let versions = bucket.keys.entry(key).or_default();
                let old = versions.iter().position(|old| old.id == version.id);
                let old = old.map(|index| versions.remove(index));
                versions.push(version);
                lost.extend(old.and_then(|old| self.release(&old)));
            }
            Record::Amend(name, key, version) => {
                let bucket = self.buckets.entry(name).or_default();
                let versions = bucket.keys.entry(key).or_default();
                if let Some(old) = versions.iter_mut().find(|old| old.id == version.id) {
                    *old = version;
                }
            }
            Record::Remove(name, key, id) => {
                let bucket = self.buckets.entry(name).or_default();
                let Some(versions) = bucket.keys.get_mut(&key) else {
                    return lost;
                };
                let old = versions.iter().position(|old| old.id == id);
                let old = old.map(|index| versions.remove(index));
                if versions.is_empty() {
                    bucket.keys.remove(&key);
                }
                lost.extend(old.and_then(|old| self.release(&old)));
            }
        }
        lost
    }

    fn count(&mut self, version: &Version) {
        if let Some(object) = &version.object {
            *self.uses.entry(object.content).or_default() += 1;
        }
    }

    fn release(&mut self, version: &Version) -> Option<ContentId> {
        let content = version.object.as_ref()?.content;
        let uses = self.uses.get_mut(&content)?;
        *uses -= 1;
        if *uses > 0 {
            return None;
        }
        self.uses.remove(&content);
        Some(content)
    }

    /// Removes the versions of which this is true, given the version after each.
    fn drop_versions(&mut self, is_gone: impl Fn(&Version, Option<&Version>) -> bool) {
        let mut removals = Vec::new();
        for (name, bucket) in &self.buckets {
            for (key, versions) in &bucket.keys {
                for (index, version) in versions.iter().enumerate() {
                    if is_gone(version, versions.get(index + 1)) {
                        let id = version.id.clone();
                        removals.push(Record::Remove(name.clone(), key.clone(), id));
                    }
                }
            }
        }
        for record in removals {
            self.apply(record);
        }
    }

    fn records(&self) -> impl Iterator<Item = Record> {
        self.buckets.iter().flat_map(|(name, bucket)| {
            let first = Record::Bucket(name.clone(), bucket.options.clone(), bucket.versioning);
            let rest = bucket.keys.iter().flat_map(move |(key, versions)| {
                let record =
                    |version: &Version| Record::Put(name.clone(), key.clone(), version.clone());
                versions.iter().map(record)
            });
            std::iter::once(first).chain(rest)
        })
    }
}
