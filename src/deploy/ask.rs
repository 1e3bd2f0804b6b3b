//! Asks S3, and the files, about objects of which neither ETag nor manifest tells enough.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::Teller;
use super::event::Event;
use super::pool::{self, Level};
use super::stop::Stop;
use super::survey::Place;
use crate::aws::AwsError;
use crate::aws::read::Head;
use crate::domain::diff::{Answer, Ask};
use crate::domain::{ETag, Headers, Key, Md5};
use crate::plan::Answered;
use crate::scan;

/// One object to ask about.
#[derive(Debug)]
pub struct Question {
    pub key: Key,
    pub ask: Ask,
    /// As listed.
    pub etag: ETag,
    pub size: u64,
    pub content: KnownContent,
    /// As wanted.
    pub headers: Headers,
}

/// What an object's content is compared with.
#[derive(Debug)]
pub enum KnownContent {
    File(PathBuf),
    Digest(Md5),
}

/// Asks them all, several at once.
pub async fn ask(
    place: &Place,
    level: &mut Level,
    stop: &Stop,
    tell: &Teller,
    questions: Vec<Question>,
) -> Result<HashMap<Key, Answered>, AwsError> {
    let total = questions.len() as u64;
    let mut answers = HashMap::new();
    let mut failed = None;
    let start = |question: Question| {
        let place = place.clone();
        async move {
            let answered = one(&place, &question).await;
            (question.key, answered)
        }
    };
    pool::run(
        level,
        stop,
        questions,
        start,
        |(key, answered)| match answered {
            Ok(answered) => {
                answers.insert(key, answered);
                tell.tell(Event::Asked {
                    done: answers.len() as u64,
                    total,
                });
                true
            }
            Err(error) => {
                failed = Some(error);
                false
            }
        },
    )
    .await;
    match failed {
        Some(error) => Err(error),
        None => Ok(answers),
    }
}

async fn one(place: &Place, question: &Question) -> Result<Answered, AwsError> {
    let full = place.full(question.key.as_str());
    let Some(head) = place.bucket.head(&full, None).await? else {
        // Gone since it was listed.
        return Ok(Answered::default());
    };
    let same_content = match question.ask.content {
        true => match &question.content {
            KnownContent::File(file) => same_content(question, file, &head).await,
            KnownContent::Digest(digest) => {
                let there = place.bucket.digest(&full, &question.etag).await?;
                Some(there == Some(*digest))
            }
        },
        false => None,
    };
    let mut headers = normal(head.headers);
    if !question.headers.tags.is_empty() {
        headers.tags = place.bucket.tags(&full, None).await?;
    }
    let same_headers = Some(headers == normal(question.headers.clone()));
    Ok(Answered {
        answer: Answer {
            same_content,
            same_headers,
        },
        headers,
        version_id: head.version_id,
    })
}

/// Without what S3 may or may not say of the default.
fn normal(mut headers: Headers) -> Headers {
    headers.storage_class.take_if(|class| class == "STANDARD");
    headers
}

async fn same_content(question: &Question, file: &Path, head: &Head) -> Option<bool> {
    if head.etag != question.etag || head.size != question.size {
        return Some(false);
    }
    let (file, size, etag) = (file.to_owned(), question.size, question.etag.clone());
    let checksum = head.checksum.clone();
    // A file that cannot be read now fails by name when it is uploaded.
    spawn_blocking(move || by_parts(&file, size, &etag).or_else(|| checksum?.is_of(&file).ok()))
        .await
        .unwrap_or_default()
}

/// Whether an upload in parts, of a size that some tool uses, gives this ETag.
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
