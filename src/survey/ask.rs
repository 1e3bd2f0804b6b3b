//! Asks S3, and the files, about objects of which neither ETag nor manifest tells enough.

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::bucket::SiteLocation;
use crate::aws::read::ObjectHead;
use crate::aws::s3::storage_classes;
use crate::aws::{AwsError, Bucket};
use crate::job::EventSink;
use crate::job::event::DeployEvent;
use crate::job::pool;
use crate::job::pool::ConcurrencyLevel;
use crate::job::stop::StopSignal;
use crate::object::diff::{ComparisonAnswer, OpenQuestions};
use crate::object::{ETag, HeaderFingerprint, Headers, KeptName, Key, Md5};
use crate::plan::{HeadAnswer, PastContent, WantedObject};
use crate::scan;

/// What S3 calls the version of an object that was put before the bucket kept versions.
pub(crate) const NULL_VERSION: &str = "null";

/// One object to ask about.
#[derive(Debug)]
pub(crate) struct ObjectQuestion {
    pub key: Key,
    pub ask: OpenQuestions,
    /// As listed.
    pub etag: ETag,
    pub size: u64,
    pub content: KnownContent,
    /// As wanted.
    pub headers: Headers,
}

/// What an object's content is compared with.
#[derive(Debug)]
pub(crate) enum KnownContent {
    File(PathBuf),
    Digest(Md5),
}

/// Asks about many objects, several at once.
pub(crate) struct ObjectAsker<'a> {
    pub place: SiteLocation,
    pub(crate) level: &'a mut ConcurrencyLevel,
    pub stop: &'a StopSignal,
    pub tell: &'a EventSink,
}

impl ObjectAsker<'_> {
    /// Asks each question. Returns what was answered until all were, or `stop` was set.
    pub(crate) async fn each<Q, A, F>(
        &mut self,
        questions: Vec<Q>,
        ask: impl Fn(SiteLocation, Q) -> F,
    ) -> Result<HashMap<Key, A>, AwsError>
    where
        A: Send + 'static,
        F: Future<Output = Result<(Key, A), AwsError>> + Send + 'static,
    {
        let total = questions.len() as u64;
        let mut answers = HashMap::new();
        let mut failed = None;
        let done = |answered| match answered {
            Ok((key, answer)) => {
                answers.insert(key, answer);
                let done = answers.len() as u64;
                self.tell.tell(DeployEvent::Asked { done, total });
                true
            }
            Err(error) => {
                failed = Some(error);
                false
            }
        };
        let start = |question| ask(self.place.clone(), question);
        pool::run(self.level, self.stop, questions, start, done).await;
        match failed {
            Some(error) => Err(error),
            None => Ok(answers),
        }
    }
}

/// Finds out whether an object is as it should be.
pub(crate) async fn compare(
    place: SiteLocation,
    question: ObjectQuestion,
) -> Result<(Key, HeadAnswer), AwsError> {
    let full = place.full(question.key.as_str());
    let Some(head) = place.bucket.head(&full, None).await? else {
        // Gone since it was listed.
        return Ok((question.key, HeadAnswer::default()));
    };
    let same_content = match &question.content {
        _ if !question.ask.content => None,
        KnownContent::File(file) => same_content(&question, file, &head).await,
        KnownContent::Digest(digest) => {
            let there = place.bucket.digest(&full, &question.etag).await?;
            Some(there == Some(*digest))
        }
    };
    let mut headers = normal(head.headers);
    if !question.headers.tags.is_empty() {
        headers.tags = place.bucket.tags(&full, None).await?;
    }
    let same_headers = Some(headers == normal(question.headers));
    let answered = HeadAnswer {
        answer: ComparisonAnswer {
            same_content,
            same_headers,
        },
        headers,
        version_id: head.version_id,
    };
    Ok((question.key, answered))
}

/// What an object was, and the copy that may be kept of it.
pub(crate) struct PastQuestion {
    pub want: WantedObject,
    pub kept: Option<KeptName>,
}

/// What an object was, as S3 has it still.
#[derive(Debug)]
pub(crate) struct PastAnswer {
    pub from: PastContent,
    pub head: ObjectHead,
}

/// Finds out where the content that is wanted is, and what headers it had; `None`: it is gone.
pub(crate) async fn past_content(
    place: SiteLocation,
    PastQuestion { want, kept }: PastQuestion,
) -> Result<(Key, Option<PastAnswer>), AwsError> {
    let first = want.version.as_ref().map(|version| &version.from);
    let kept = kept.map(PastContent::Kept);
    let second = kept.as_ref().filter(|kept| first != Some(*kept));
    for from in first.into_iter().chain(second) {
        if let Some(head) = past_head(&place, &want, from).await? {
            let from = from.clone();
            return Ok((want.key, Some(PastAnswer { from, head })));
        }
    }
    Ok((want.key, None))
}

/// Returns what is there, if that is what is wanted.
async fn past_head(
    place: &SiteLocation,
    want: &WantedObject,
    from: &PastContent,
) -> Result<Option<ObjectHead>, AwsError> {
    let (bucket, key, version) = match from {
        PastContent::Version(id) => {
            let key = place.full(want.key.as_str());
            (&place.bucket, key, Some(id.as_str()))
        }
        PastContent::Kept(name) => (&place.store.bucket, place.store.kept_key(name), None),
    };
    let head = full_head(bucket, &key, version, want.fingerprint).await?;
    let same_etag = |head: &ObjectHead| {
        let etag = want.version.as_ref().map(|version| &version.etag);
        etag == Some(&head.etag)
    };
    let same_headers = |head: &ObjectHead| head.headers.fingerprint() == want.fingerprint;
    Ok(match from {
        // Where the bucket kept no versions this may be the object as it is now.
        PastContent::Version(id) if id == NULL_VERSION => {
            head.filter(same_etag).filter(same_headers)
        }
        PastContent::Version(_) => head.filter(same_etag),
        // A copy has an ETag of its own, and no storage class.
        PastContent::Kept(_) => head
            .map(|head| in_class(head, want.fingerprint))
            .filter(same_headers),
    })
}

/// Gives a copy back the storage class that its original had, where that makes its headers those that were set.
fn in_class(mut head: ObjectHead, set: HeaderFingerprint) -> ObjectHead {
    let classes = [None].into_iter().chain(storage_classes().map(Some));
    let mut headers = classes.map(|class| Headers {
        storage_class: class.map(str::to_owned),
        ..head.headers.clone()
    });
    if let Some(headers) = headers.find(|headers| headers.fingerprint() == set) {
        head.headers = headers;
    }
    head
}

/// Reads the headers of an object, with its tags where the rest is not all that was set.
pub(crate) async fn full_head(
    bucket: &Bucket,
    key: &str,
    version: Option<&str>,
    set: HeaderFingerprint,
) -> Result<Option<ObjectHead>, AwsError> {
    let Some(mut head) = bucket.head(key, version).await? else {
        return Ok(None);
    };
    head.headers = normal(head.headers);
    if head.headers.fingerprint() != set {
        match bucket.tags(key, version).await {
            Ok(tags) => head.headers.tags = tags,
            // Whoever may not read tags did not set them.
            Err(error) if error.is_denied() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(head))
}

/// Returns headers without what S3 may or may not say of the default.
fn normal(mut headers: Headers) -> Headers {
    headers.storage_class.take_if(|class| class == "STANDARD");
    headers
}

/// Returns whether a file is what the object holds, where anything tells.
async fn same_content(question: &ObjectQuestion, file: &Path, head: &ObjectHead) -> Option<bool> {
    if head.etag != question.etag || head.size != question.size {
        return Some(false);
    }
    let (file, size, etag) = (file.to_owned(), question.size, question.etag.clone());
    let checksum = head.checksum.clone();
    let asked = spawn_blocking(move || {
        by_parts(&file, size, &etag).or_else(|| checksum?.is_of(&file).ok())
    });
    // A file that cannot be read now fails by name when it is uploaded.
    asked.await.ok().flatten()
}

/// Returns `true` where an upload in parts, of a size that some tool uses, gives this ETag; otherwise it says nothing.
fn by_parts(file: &Path, size: u64, etag: &ETag) -> Option<bool> {
    let ETag::Multipart(_, parts) = etag else {
        return None;
    };
    let sizes = scan::candidate_part_sizes(size, *parts);
    let same = sizes
        .iter()
        .any(|part| scan::multipart_etag(file, *part).is_ok_and(|made| made == *etag));
    same.then_some(true)
}
