//! The site as it was after an earlier deploy: what history says of each key, undone from the newest record backwards.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::serving::ServingRules;
use crate::error::Error;
use crate::job::request::Job;
use crate::object::entry::EntryLife;
use crate::object::manifest::{DeployId, Manifest};
use crate::object::plural::counted;
use crate::object::{KeptName, Key, Md5};
use crate::plan::order::LiveStage;
use crate::plan::{ObjectVersion, PastContent, Plan, WantedObject};
use crate::rules::header_rules::MatchedRules;
use crate::rules::page::is_page;
use crate::state::KeptNames;
use crate::state::history::{HistoryRecord, KeyChange, PastObject};
use crate::survey::ask::{NULL_VERSION, ObjectAsker, PastAnswer, PastQuestion, past_content};
use crate::survey::targets::ResolvedTargets;
use crate::survey::{BucketSnapshot, SiteLocation};

/// Records read at once.
const AT_ONCE: usize = 16;

/// What is wanted: every object that was live then.
#[derive(Debug)]
pub(crate) struct PastSite {
    to: DeployId,
    /// Sorted by key.
    pub wants: Vec<WantedObject>,
    /// What S3 told of what is to be copied, by key; `None`: it is gone.
    answers: HashMap<Key, Option<PastAnswer>>,
    kept: KeptNames,
    /// The deploys since that one can go back to, the newest first.
    reachable: Vec<DeployId>,
}

impl PastSite {
    /// Returns the site after this deploy; nothing is known of it before [`PastSite::look`].
    pub(crate) fn after(to: DeployId) -> Self {
        Self {
            to,
            wants: Vec::new(),
            answers: HashMap::new(),
            kept: KeptNames::default(),
            reachable: Vec::new(),
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
        (self.kept, _) = place.store.read_kept(&remote.state.object).await?;
        self.reachable = self.reachable(remote, &records);
        let rules = ServingRules::new(job, &[], Path::new(""), targets);
        let live = live_before(&remote.loaded.manifest, &records).into_iter();
        self.wants = live.map(|(key, was)| self.want(key, was, &rules)).collect();
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
        let unknown = changes.filter(|change| !self.answers.contains_key(&change.key));
        let asked: Vec<PastQuestion> = unknown
            .filter_map(|change| {
                let want = self.find(&change.key)?.clone();
                let name = KeptName::new(want.md5, want.fingerprint);
                let kept = self.kept.contains(&name).then_some(name);
                Some(PastQuestion { want, kept })
            })
            .collect();
        if asked.is_empty() {
            return Ok(false);
        }
        let total = asked.len();
        let answers = asker.each(asked, past_content).await?;
        if answers.len() < total {
            return Err(Error::interrupted("interrupted while looking up versions"));
        }
        self.answers.extend(answers);
        self.fill();
        self.check_all_there()?;
        Ok(true)
    }

    fn find(&self, key: &Key) -> Option<&WantedObject> {
        let position = self.wants.binary_search_by(|want| want.key.cmp(key));
        self.wants.get(position.ok()?)
    }

    /// Puts what S3 told into what is wanted.
    fn fill(&mut self) {
        for want in &mut self.wants {
            if let Some(Some(PastAnswer { from, head })) = self.answers.get(&want.key) {
                want.version = Some(ObjectVersion {
                    from: from.clone(),
                    etag: head.etag.clone(),
                });
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

    /// Fails where something that is needed is no longer there.
    fn check_all_there(&self) -> Result<(), Error> {
        let gone = self.wants.iter().filter(|want| {
            let answer = self.answers.get(&want.key);
            answer.is_some_and(Option::is_none)
        });
        let gone: Vec<&WantedObject> = gone.collect();
        if gone.is_empty() {
            return Ok(());
        }
        let mut error = Error::failed(format!(
            "{} from then are gone, so the site cannot be put back: nothing was changed",
            counted(gone.len() as u64, "object")
        ))
        .hint(self.gone_hint());
        let names = gone.iter().take(5).map(|want| want.key.to_string());
        error.causes = names.collect();
        Err(error)
    }

    fn gone_hint(&self) -> String {
        let ids: Vec<&str> = self.reachable.iter().map(DeployId::as_str).collect();
        let instead = if ids.is_empty() {
            "deploy the build of then again".to_owned()
        } else {
            format!("what can be put back: {}", ids.join(", "))
        };
        format!(
            "{instead}; `keep = \"3 deploys\"` in deploy.toml keeps what is replaced from now on, where the bucket keeps no versions \
             or a lifecycle rule deletes them"
        )
    }

    /// Returns the deploys from the last but one backwards, as far as all that was replaced since is there still. `records`: the
    /// newest first.
    fn reachable(&self, remote: &BucketSnapshot, records: &[HistoryRecord]) -> Vec<DeployId> {
        let whole = |record: &&HistoryRecord| record.changes.iter().all(|change| self.has(change));
        let recent = remote.state.object.recent.iter().rev().skip(1);
        let undone = records.iter().take_while(whole);
        recent
            .zip(undone)
            .map(|(deploy, _)| deploy.id.clone())
            .collect()
    }

    /// Tells whether what a change replaced is there still.
    fn has(&self, change: &KeyChange) -> bool {
        let was = change
            .before
            .as_ref()
            .filter(|was| was.life == EntryLife::Live);
        was.is_none_or(|was| {
            let stays = change
                .after
                .as_ref()
                .is_some_and(|after| name(after) == name(was));
            stays || was.version_id.is_some() || self.kept.contains(&name(was))
        })
    }

    fn want(&self, key: Key, was: PastObject, rules: &ServingRules) -> WantedObject {
        let served = rules.of_name(&key, &mut MatchedRules::default());
        let name = name(&was);
        let from = match &was.version_id {
            Some(id) => PastContent::Version(id.to_string()),
            None if self.kept.contains(&name) => PastContent::Kept(name),
            None => PastContent::Version(NULL_VERSION.to_owned()),
        };
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
                from,
                etag: was.etag,
            }),
            key,
        }
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

/// Returns the name of a kept copy of it.
fn name(was: &PastObject) -> KeptName {
    KeptName::new(content(was), was.fingerprint)
}

/// Returns the content's digest; where nobody knows it, one that no content has, so that it is compared anew by the next
/// deploy.
fn content(was: &PastObject) -> Md5 {
    let known = was.digest.or_else(|| was.etag.md5());
    known.unwrap_or_else(|| was.etag.stand_in())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::entry::ManifestEntry;
    use crate::object::manifest::ServedHeaders;
    use crate::object::{ETag, HeaderFingerprint};
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
