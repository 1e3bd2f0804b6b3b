//! Compares one object with what the build wants it to be, and says what to ask of S3 where nothing at hand tells.

use super::{ETag, HeaderFingerprint, Md5};

/// An object as the build wants it.
#[derive(Clone, Copy, Debug)]
pub struct WantedState<'a> {
    pub size: u64,
    pub md5: Md5,
    /// The ETag of our own upload in parts, for what is large enough for one.
    pub parts: Option<&'a ETag>,
    pub headers: HeaderFingerprint,
}

/// An object as the listing shows it.
#[derive(Clone, Copy, Debug)]
pub struct ListedState<'a> {
    pub size: u64,
    pub etag: &'a ETag,
}

/// An object as it was last deployed. Counts only while its ETag is the one listed.
#[derive(Clone, Copy, Debug)]
pub struct DeployedState<'a> {
    pub etag: &'a ETag,
    pub digest: Option<Md5>,
    /// `None` where somebody may have set others since.
    pub headers: Option<HeaderFingerprint>,
}

/// The answer of S3 and the file, when asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ComparisonAnswer {
    /// The content is the same, by parts or by a full checksum; `None`: it could not be told.
    pub same_content: Option<bool>,
    /// The headers are those wanted.
    pub same_headers: Option<bool>,
}

/// The questions to ask about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenQuestions {
    /// Its content: by the ETag of other part sizes, then by its full checksum.
    pub content: bool,
    /// Its headers.
    pub headers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparisonVerdict {
    Same,
    Content,
    Headers,
    /// Nothing at hand tells.
    Ask(OpenQuestions),
}

/// Compares one object. Equal sizes and an MD5 for an ETag decide by themselves when they agree; when they do not, the ETag
/// may be one that is no MD5 at all (SSE-KMS: Amazon S3 API Reference, "Object"), so that only a known upload or an answer
/// makes it a change.
pub fn compare(
    wanted: WantedState,
    listed: ListedState,
    deployed: Option<DeployedState>,
    answer: Option<ComparisonAnswer>,
) -> ComparisonVerdict {
    if wanted.size != listed.size {
        return ComparisonVerdict::Content;
    }
    let deployed = deployed.filter(|deployed| deployed.etag == listed.etag);
    let content = same_content(wanted, listed, deployed)
        .or_else(|| answer.map(|answer| answer.same_content.unwrap_or(false)));
    if content == Some(false) {
        return ComparisonVerdict::Content;
    }
    let headers = deployed
        .and_then(|deployed| Some(deployed.headers? == wanted.headers))
        .or_else(|| answer.map(|answer| answer.same_headers.unwrap_or(false)));
    match (content, headers) {
        (Some(true), Some(true)) => ComparisonVerdict::Same,
        (Some(true), Some(false)) => ComparisonVerdict::Headers,
        (content, headers) => ComparisonVerdict::Ask(OpenQuestions {
            content: content.is_none(),
            headers: headers.is_none(),
        }),
    }
}

fn same_content(
    wanted: WantedState,
    listed: ListedState,
    deployed: Option<DeployedState>,
) -> Option<bool> {
    if let Some(digest) = deployed.and_then(|deployed| deployed.digest) {
        return Some(digest == wanted.md5);
    }
    let same = listed.etag.md5() == Some(wanted.md5)
        || wanted.parts == Some(listed.etag)
        || wanted.size == 0;
    same.then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIS: Md5 = Md5([1; 16]);
    const THAT: Md5 = Md5([2; 16]);
    const SET: HeaderFingerprint = HeaderFingerprint(1);

    fn verdict(
        etag: &ETag,
        size: u64,
        deployed: Option<DeployedState>,
        answer: Option<ComparisonAnswer>,
    ) -> ComparisonVerdict {
        let parts = ETag::Multipart(THIS, 3);
        let wanted = WantedState {
            size: 5,
            md5: THIS,
            parts: Some(&parts),
            headers: SET,
        };
        compare(wanted, ListedState { size, etag }, deployed, answer)
    }

    #[test]
    fn what_is_known_needs_no_question() {
        let kms = ETag::Md5(THAT);
        let deployed = |digest, headers| {
            Some(DeployedState {
                etag: &kms,
                digest: Some(digest),
                headers: Some(headers),
            })
        };
        assert_eq!(
            verdict(&kms, 5, deployed(THIS, SET), None),
            ComparisonVerdict::Same
        );
        assert_eq!(
            verdict(&kms, 5, deployed(THAT, SET), None),
            ComparisonVerdict::Content
        );
        assert_eq!(
            verdict(&kms, 5, deployed(THIS, HeaderFingerprint(2)), None),
            ComparisonVerdict::Headers
        );
        assert_eq!(
            verdict(&kms, 6, deployed(THIS, SET), None),
            ComparisonVerdict::Content
        );
    }

    #[test]
    fn what_somebody_else_uploaded_is_asked_about() {
        let ask = |content, headers| ComparisonVerdict::Ask(OpenQuestions { content, headers });
        assert_eq!(verdict(&ETag::Md5(THIS), 5, None, None), ask(false, true));
        assert_eq!(
            verdict(&ETag::Multipart(THIS, 3), 5, None, None),
            ask(false, true)
        );
        for etag in [
            ETag::Md5(THAT),
            ETag::Multipart(THIS, 2),
            ETag::Other("x".into()),
        ] {
            assert_eq!(verdict(&etag, 5, None, None), ask(true, true));
        }
        let other = ETag::Md5(THAT);
        let deployed = Some(DeployedState {
            etag: &other,
            digest: Some(THIS),
            headers: Some(SET),
        });
        assert_eq!(
            verdict(&ETag::Md5(THIS), 5, deployed, None),
            ask(false, true),
            "changed since"
        );
    }

    #[test]
    fn an_answer_decides() {
        let answer = |content, headers| {
            Some(ComparisonAnswer {
                same_content: content,
                same_headers: headers,
            })
        };
        let etag = ETag::Md5(THAT);
        assert_eq!(
            verdict(&etag, 5, None, answer(Some(true), Some(true))),
            ComparisonVerdict::Same
        );
        assert_eq!(
            verdict(&etag, 5, None, answer(Some(true), Some(false))),
            ComparisonVerdict::Headers
        );
        assert_eq!(
            verdict(&etag, 5, None, answer(Some(false), Some(true))),
            ComparisonVerdict::Content
        );
        assert_eq!(
            verdict(&etag, 5, None, answer(None, Some(true))),
            ComparisonVerdict::Content
        );
        assert_eq!(
            verdict(&ETag::Md5(THIS), 5, None, answer(None, Some(true))),
            ComparisonVerdict::Same
        );
    }
}
