//! The site as it was after an earlier deploy: what history says of each key, undone from the newest record backwards.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use md5::{Digest, Md5 as Hasher};

use super::Teller;
use super::event::Event;
use super::job::Job;
use super::pool::{self, Level};
use super::source::Source;
use super::stop::Stop;
use super::survey::{Place, Remote};
use super::targets::Targets;
use super::wants::Wants;
use crate::aws::read::Head;
use crate::aws::{AwsError, Kind};
use crate::domain::manifest::{DeployId, Life, Manifest};
use crate::domain::page::is_page;
use crate::domain::rules::Matched;
use crate::domain::{ETag, Key, Md5};
use crate::error::Error;
use crate::plan::order::Stage;
use crate::plan::{Plan, Version, Want};
use crate::state::history::{HistoryRecord, PastObject as Was};

/// Records read at once.
const AT_ONCE: usize = 16;
/// What S3 calls the version of an object that was put before the bucket kept versions.
const NULL: &str = "null";

/// What is wanted: every object that was live then.
#[derive(Debug)]
pub struct Past {
    to: DeployId,
    /// Sorted by key.
    pub wants: Vec<Want>,
    /// What S3 told of the versions that are to be copied, by key; `None`: it is gone.
    heads: HashMap<Key, Option<Head>>,
}

impl Past {
    /// The site after this deploy; nothing is known of it before [`Past::look`].
    pub fn after(to: DeployId) -> Self {
        Self {
            to,
            wants: Vec::new(),
            heads: HashMap::new(),
        }
    }

    /// Reads the records since that deploy, and says what was live then.
    pub(super) async fn look(
        &mut self,
        place: &Place,
        remote: &Remote,
        targets: &Targets,
        job: &Job,
    ) -> Result<(), Error> {
        let recent = &remote.state.object.recent;
        let Some(at) = recent.iter().position(|one| one.id == self.to) else {
            return Err(Error::usage(format!(
                "the record of the deploy {} is gone",
                self.to
            )));
        };
        let since = recent.get(at + 1..).unwrap_or_default();
        let records: Vec<HistoryRecord> = stream::iter(since.iter().rev())
            .map(|one| place.store.read_history(one))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let live = before(&remote.loaded.manifest, &records);
        let nothing = Source::Past(Self::after(self.to.clone()));
        let rules = Wants::new(job, &nothing, targets);
        self.wants = live
            .into_iter()
            .map(|(key, was)| want(key, was, &rules))
            .collect();
        self.fill();
        Ok(())
    }

    /// Asks S3 for what the plan is about to copy; answers whether that told anything new.
    pub(super) async fn look_up(
        &mut self,
        plan: &Plan,
        place: &Place,
        level: &mut Level,
        stop: &Stop,
        tell: &Teller,
    ) -> Result<bool, Error> {
        let asked: Vec<Want> = (plan.changes.iter())
            .filter(|change| !self.heads.contains_key(&change.key))
            .filter_map(|change| self.find(&change.key).cloned())
            .collect();
        if asked.is_empty() {
            return Ok(false);
        }
        let total = asked.len();
        let heads = heads(asked, place, level, stop, tell).await?;
        if heads.len() < total {
            return Err(Error::interrupted("interrupted while looking up versions"));
        }
        self.heads.extend(heads);
        self.fill();
        self.gone()?;
        Ok(true)
    }

    fn find(&self, key: &Key) -> Option<&Want> {
        let at = self.wants.binary_search_by(|want| want.key.cmp(key));
        self.wants.get(at.ok()?)
    }

    /// Puts what S3 told into what is wanted.
    fn fill(&mut self) {
        for want in &mut self.wants {
            if let Some(Some(head)) = self.heads.get(&want.key) {
                want.size = head.size;
                want.headers = Arc::new(head.headers.clone());
                want.fingerprint = want.headers.fingerprint();
                // A name without an ending does not tell a page.
                let page = (want.headers.content_type.as_deref()).is_some_and(is_page);
                if want.stage == Stage::Asset && page && !want.fingerprinted {
                    want.stage = Stage::Page;
                }
            }
        }
    }

    /// Fails where a version that is needed is no longer there.
    fn gone(&self) -> Result<(), Error> {
        let is_gone = |want: &&Want| match (self.heads.get(&want.key), &want.version) {
            (Some(None), _) => true,
            (Some(Some(head)), Some(version)) => head.etag != version.etag,
            _ => false,
        };
        let gone: Vec<&Want> = self.wants.iter().filter(is_gone).collect();
        let Some(_) = gone.first() else {
            return Ok(());
        };
        let mut error = Error::failed(format!(
            "the versions of {} objects from then are gone, so the site cannot be put back: nothing was changed",
            gone.len()
        ))
        .hint("a lifecycle rule of the bucket, or somebody, deleted them; deploy the build of then again");
        let names = gone.iter().take(5).map(|want| want.key.to_string());
        error.causes = names.collect();
        Err(error)
    }
}

/// What was live before these records, the newest first.
fn before(manifest: &Manifest, records: &[HistoryRecord]) -> BTreeMap<Key, Was> {
    let mut site: BTreeMap<Key, Was> = BTreeMap::new();
    for (key, entry) in &manifest.entries {
        let was = Was {
            etag: entry.etag.clone(),
            version_id: entry.version_id.clone(),
            digest: entry.digest,
            fingerprint: entry.headers,
            headers: None,
            life: entry.life,
        };
        site.insert(key.clone(), was);
    }
    for change in records.iter().flat_map(|record| &record.changes) {
        match &change.before {
            Some(was) => site.insert(change.key.clone(), was.clone()),
            None => site.remove(&change.key),
        };
    }
    site.retain(|_, was| was.life == Life::Live);
    site
}

fn want(key: Key, was: Was, rules: &Wants) -> Want {
    let served = rules.served(&key, &mut Matched::default());
    Want {
        size: 0,
        md5: content(&was),
        parts: None,
        headers: Default::default(),
        fingerprint: was.fingerprint,
        stage: rules.stage(&key, &served),
        fingerprinted: served.fingerprinted,
        tags: None,
        version: Some(Version {
            id: was.version_id.as_deref().unwrap_or(NULL).to_owned(),
            etag: was.etag,
        }),
        key,
    }
}

/// The content's digest; where nobody knows it, one that no content has, so that it is compared anew by the next deploy.
fn content(was: &Was) -> Md5 {
    match (was.digest, &was.etag) {
        (Some(digest), _) => digest,
        (None, ETag::Md5(digest)) => *digest,
        (None, etag) => Md5(Hasher::digest(format!("of {etag}")).into()),
    }
}

async fn heads(
    asked: Vec<Want>,
    place: &Place,
    level: &mut Level,
    stop: &Stop,
    tell: &Teller,
) -> Result<HashMap<Key, Option<Head>>, AwsError> {
    let total = asked.len() as u64;
    let mut found = HashMap::new();
    let mut failed = None;
    let start = |want: Want| {
        let place = place.clone();
        async move {
            let head = head(&place, &want).await;
            (want.key, head)
        }
    };
    pool::run(level, stop, asked, start, |(key, head)| match head {
        Ok(head) => {
            found.insert(key, head);
            let done = found.len() as u64;
            tell.tell(Event::Asked { done, total });
            true
        }
        Err(error) => {
            failed = Some(error);
            false
        }
    })
    .await;
    match failed {
        Some(error) => Err(error),
        None => Ok(found),
    }
}

/// What a version is, with its tags where the rest is not all that was set.
async fn head(place: &Place, want: &Want) -> Result<Option<Head>, AwsError> {
    let full = place.full(want.key.as_str());
    let version = want.version.as_ref().map(|version| version.id.as_str());
    let Some(mut head) = place.bucket.head(&full, version).await? else {
        return Ok(None);
    };
    let class = &mut head.headers.storage_class;
    class.take_if(|class| class == "STANDARD");
    if head.headers.fingerprint() != want.fingerprint {
        match place.bucket.tags(&full, version).await {
            Ok(tags) => head.headers.tags = tags,
            // Whoever may not read tags did not set them.
            Err(error) if matches!(error.kind, Kind::AccessDenied | Kind::NotImplemented) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HeaderFingerprint;
    use crate::domain::manifest::{Entry, Served};
    use crate::state::history::{KeyChange, PastOutcome};

    fn was(content: u8, life: Life) -> Was {
        Was {
            etag: ETag::Md5(Md5([content; 16])),
            version_id: Some(format!("v{content}").into()),
            digest: None,
            fingerprint: HeaderFingerprint(0),
            headers: None,
            life,
        }
    }

    fn record(changes: &[(&str, Option<Was>)]) -> HistoryRecord {
        let change = |(key, before): &(&str, Option<Was>)| KeyChange {
            key: Key::new(key),
            before: before.clone(),
            after: None,
        };
        HistoryRecord {
            id: DeployId::new("d"),
            at: 0,
            who: String::new(),
            host: String::new(),
            commit: None,
            dir: String::new(),
            rollback_of: None,
            changes: changes.iter().map(change).collect(),
            purges: Vec::new(),
            outcome: PastOutcome::Done,
        }
    }

    fn manifest(keys: &[&str]) -> Manifest {
        let mut manifest = Manifest::default();
        let served = manifest.tables.serve(Served::default());
        for key in keys {
            let now = was(9, Life::Live);
            let deploy = crate::domain::manifest::DeployNo(0);
            let entry = Entry::new(now.etag, now.fingerprint, served, [deploy; 2]).with(|rare| {
                rare.version_id = now.version_id;
                rare.life = now.life;
            });
            manifest.entries.insert(Key::new(key), entry);
        }
        manifest
    }

    #[test]
    fn records_are_undone_from_the_newest_backwards() {
        let manifest = manifest(&["kept", "changed", "added", "left"]);
        let retained = Life::Retained { since: 1 };
        let newest = record(&[
            ("changed", Some(was(2, Life::Live))),
            ("added", Some(was(3, Life::Live))),
            ("left", Some(was(4, retained))),
            ("gone", Some(was(5, Life::Live))),
        ]);
        let older = record(&[("changed", Some(was(1, Life::Live))), ("added", None)]);
        let site = before(&manifest, &[newest, older]);
        let shown: Vec<_> = site
            .iter()
            .map(|(key, was)| (key.as_str(), was.version_id.as_deref().unwrap()))
            .collect();
        assert_eq!(shown, [("changed", "v1"), ("gone", "v5"), ("kept", "v9")]);
    }
}
