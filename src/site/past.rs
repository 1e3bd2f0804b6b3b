//! The site as it was after an earlier deploy: what history says of each key, undone from the newest record backwards.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use md5::{Digest, Md5 as Hasher};

use super::serving::ServingRules;
use crate::aws::read::ObjectHead;
use crate::error::Error;
use crate::job::request::Job;
use crate::object::entry::EntryLife;
use crate::object::manifest::{DeployId, Manifest};
use crate::object::plural::counted;
use crate::object::{ETag, Key, Md5};
use crate::plan::order::LiveStage;
use crate::plan::{ObjectVersion, Plan, WantedObject};
use crate::rules::header_rules::MatchedRules;
use crate::rules::page::is_page;
use crate::state::history::{HistoryRecord, PastObject};
use crate::survey::ask::{ObjectAsker, version_head};
use crate::survey::targets::ResolvedTargets;
use crate::survey::{BucketSnapshot, SiteLocation};

/// Records read at once.
const AT_ONCE: usize = 16;
/// What S3 calls the version of an object that was put before the bucket kept versions.
const NULL: &str = "null";

/// What is wanted: every object that was live then.
#[derive(Debug)]
pub(crate) struct PastSite {
    to: DeployId,
    /// Sorted by key.
    pub wants: Vec<WantedObject>,
    /// What S3 told of the versions that are to be copied, by key; `None`: it is gone.
    heads: HashMap<Key, Option<ObjectHead>>,
}

impl PastSite {
    /// Returns the site after this deploy; nothing is known of it before [`PastSite::look`].
    pub(crate) fn after(to: DeployId) -> Self {
        Self {
            to,
            wants: Vec::new(),
            heads: HashMap::new(),
        }
    }

    /// Reads the records since that deploy, and says what was live then.
    pub(crate) async fn look(
        &mut self,
        place: &SiteLocation,
        remote: &BucketSnapshot,
        targets: &ResolvedTargets,
        job: &Job,
    ) -> Result<(), Error> {
        let recent = remote.state.object.recent.iter();
        let mut since = recent.skip_while(|deploy| deploy.id != self.to);
        if since.next().is_none() {
            return Err(Error::usage(format!(
                "the record of the deploy {} is gone",
                self.to
            )));
        }
        let since: Vec<_> = since.collect();
        let records: Vec<HistoryRecord> = stream::iter(since.into_iter().rev())
            .map(|deploy| place.store.read_history(deploy))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let rules = ServingRules::new(job, &[], Path::new(""), targets);
        let live = live_before(&remote.loaded.manifest, &records).into_iter();
        self.wants = live.map(|(key, was)| want(key, was, &rules)).collect();
        self.fill();
        Ok(())
    }

    /// Asks S3 for what the plan is about to copy. Returns whether that told anything new.
    pub(crate) async fn look_up(
        &mut self,
        plan: &Plan,
        asker: &mut ObjectAsker<'_>,
    ) -> Result<bool, Error> {
        let changes = plan.changes.iter();
        let unknown = changes.filter(|change| !self.heads.contains_key(&change.key));
        let asked: Vec<WantedObject> = unknown
            .filter_map(|change| self.find(&change.key).cloned())
            .collect();
        if asked.is_empty() {
            return Ok(false);
        }
        let total = asked.len();
        let heads = asker.each(asked, version_head).await?;
        if heads.len() < total {
            return Err(Error::interrupted("interrupted while looking up versions"));
        }
        self.heads.extend(heads);
        self.fill();
        self.check_versions()?;
        Ok(true)
    }

    fn find(&self, key: &Key) -> Option<&WantedObject> {
        let position = self.wants.binary_search_by(|want| want.key.cmp(key));
        self.wants.get(position.ok()?)
    }

    /// Puts what S3 told into what is wanted.
    fn fill(&mut self) {
        for want in &mut self.wants {
            if let Some(Some(head)) = self.heads.get(&want.key) {
                want.size = head.size;
                want.headers = Arc::new(head.headers.clone());
                want.fingerprint = want.headers.fingerprint();
                // A name without an ending does not tell a page.
                let page = want.headers.content_type.as_deref().is_some_and(is_page);
                if want.stage == LiveStage::Asset && page && !want.fingerprinted {
                    want.stage = LiveStage::Page;
                }
            }
        }
    }

    /// Fails where a version that is needed is no longer there.
    fn check_versions(&self) -> Result<(), Error> {
        let is_gone = |want: &&WantedObject| match (self.heads.get(&want.key), &want.version) {
            (Some(None), _) => true,
            (Some(Some(head)), Some(version)) => head.etag != version.etag,
            _ => false,
        };
        let gone: Vec<&WantedObject> = self.wants.iter().filter(is_gone).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let mut error = Error::failed(format!(
            "the versions of {} from then are gone, so the site cannot be put back: nothing was changed",
            counted(gone.len() as u64, "object")
        ))
        .hint("a lifecycle rule of the bucket, or somebody, deleted them; deploy the build of then again");
        let names = gone.iter().take(5).map(|want| want.key.to_string());
        error.causes = names.collect();
        Err(error)
    }
}

/// Returns what was live before these records, the newest first.
fn live_before(manifest: &Manifest, records: &[HistoryRecord]) -> BTreeMap<Key, PastObject> {
    let mut site: BTreeMap<Key, PastObject> = BTreeMap::new();
    for (key, entry) in &manifest.entries {
        site.insert(key.clone(), entry.into());
    }
    for change in records.iter().flat_map(|record| &record.changes) {
        match &change.before {
            Some(was) => site.insert(change.key.clone(), was.clone()),
            None => site.remove(&change.key),
        };
    }
    site.retain(|_, was| was.life == EntryLife::Live);
    site
}

fn want(key: Key, was: PastObject, rules: &ServingRules) -> WantedObject {
    let served = rules.of_name(&key, &mut MatchedRules::default());
    WantedObject {
        size: 0,
        md5: content(&was),
        parts: None,
        headers: Default::default(),
        fingerprint: was.fingerprint,
        stage: rules.stage(&key, &served),
        fingerprinted: served.fingerprinted,
        asset: rules.is_asset(&key, &served),
        tags: None,
        version: Some(ObjectVersion {
            id: was.version_id.as_deref().unwrap_or(NULL).to_owned(),
            etag: was.etag,
        }),
        key,
    }
}

/// Returns the content's digest; where nobody knows it, one that no content has, so that it is compared anew by the next
/// deploy.
fn content(was: &PastObject) -> Md5 {
    match (was.digest, &was.etag) {
        (Some(digest), _) => digest,
        (None, ETag::Md5(digest)) => *digest,
        (None, etag) => Md5(Hasher::digest(format!("of {etag}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::HeaderFingerprint;
    use crate::object::entry::ManifestEntry;
    use crate::object::manifest::ServedHeaders;
    use crate::state::history::{KeyChange, PastOutcome};

    fn was(content: u8, life: EntryLife) -> PastObject {
        PastObject {
            etag: ETag::Md5(Md5([content; 16])),
            version_id: Some(format!("v{content}").into()),
            digest: None,
            fingerprint: HeaderFingerprint(0),
            headers: None,
            life,
        }
    }

    fn record(changes: &[(&str, Option<PastObject>)]) -> HistoryRecord {
        let change = |(key, before): &(&str, Option<PastObject>)| KeyChange {
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
        let served = manifest.tables.serve(ServedHeaders::default());
        for key in keys {
            let now = was(9, EntryLife::Live);
            let deploy = crate::object::entry::DeployNumber(0);
            let entry =
                ManifestEntry::new(now.etag, now.fingerprint, served, [deploy; 2]).with(|rare| {
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
        let retained = EntryLife::Retained { since: 1 };
        let newest = record(&[
            ("changed", Some(was(2, EntryLife::Live))),
            ("added", Some(was(3, EntryLife::Live))),
            ("left", Some(was(4, retained))),
            ("gone", Some(was(5, EntryLife::Live))),
        ]);
        let older = record(&[("changed", Some(was(1, EntryLife::Live))), ("added", None)]);
        let site = live_before(&manifest, &[newest, older]);
        let shown: Vec<_> = site
            .iter()
            .map(|(key, was)| (key.as_str(), was.version_id.as_deref().unwrap()))
            .collect();
        assert_eq!(shown, [("changed", "v1"), ("gone", "v5"), ("kept", "v9")]);
    }
}
