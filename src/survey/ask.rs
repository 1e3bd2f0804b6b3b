//! Asks S3, and the files, about objects of which neither ETag nor manifest tells enough.

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::bucket::SiteLocation;
use crate::aws::AwsError;
use crate::aws::read::ObjectHead;
use crate::job::EventSink;
use crate::job::event::DeployEvent;
use crate::job::pool;
use crate::job::pool::ConcurrencyLevel;
use crate::job::stop::StopSignal;
use crate::object::diff::{ComparisonAnswer, OpenQuestions};
use crate::object::{ETag, Headers, Key, Md5};
use crate::plan::{HeadAnswer, WantedObject};
use crate::scan;

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

/// Finds out what the version that is wanted is, with its tags where the rest is not all that was set; `None`: it is gone.
pub(crate) async fn version_head(
    place: SiteLocation,
    want: WantedObject,
) -> Result<(Key, Option<ObjectHead>), AwsError> {
    let full = place.full(want.key.as_str());
    let version = want.version.as_ref().map(|version| version.id.as_str());
    let Some(mut head) = place.bucket.head(&full, version).await? else {
        return Ok((want.key, None));
    };
    head.headers = normal(head.headers);
    if head.headers.fingerprint() != want.fingerprint {
        match place.bucket.tags(&full, version).await {
            Ok(tags) => head.headers.tags = tags,
            // Whoever may not read tags did not set them.
            Err(error) if error.is_denied() => {}
            Err(error) => return Err(error),
        }
    }
    Ok((want.key, Some(head)))
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
