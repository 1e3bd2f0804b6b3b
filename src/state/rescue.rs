//! Makes a damaged manifest good: from the base before, or any that can be read, and from what history says happened since.

use super::codec;
use super::history::{self, HistoryRecord, KeyChange, PastObject, RecentDeploy};
use super::manifest::{FOLDER, LoadedManifest};
use super::object::ObservedState;
use super::{StateError, StateStore, or_warning};
use crate::object::Key;
use crate::object::entries::ManifestEntries;
use crate::object::entry::{DeployNumber, ManifestEntry};
use crate::object::manifest::{DeployRef, Manifest, ManifestDelta, ServedHeaders};
use crate::object::plural::counted;

impl StateStore {
    /// Completes what could be read of a damaged manifest. `mid_at`: unix seconds of the last deploy in its `mid`. Where nothing
    /// was ever written it stays empty, without a warning.
    pub(super) async fn rescue(
        &self,
        observed: &ObservedState,
        loaded: &mut LoadedManifest,
        mid_at: i64,
    ) -> Result<(), StateError> {
        let LoadedManifest {
            manifest, warnings, ..
        } = loaded;
        let mut since = i64::MIN;
        if let Some(base_at) = self.read_any_base(observed, manifest, warnings).await? {
            since = base_at;
            warnings.push(format!(
                "the manifest was taken from a base of {} entries",
                manifest.entries.len()
            ));
        }
        let mut records = self.records(observed, warnings).await?;
        records.retain(|record| record.at >= since);
        // Counters begin anew where the state was lost.
        records.sort_by_key(|record| record.at);
        if !records.is_empty() {
            warnings.push(format!(
                "the manifest was made good from the history of {}",
                counted(records.len() as u64, "deploy")
            ));
        }
        // Each as late as it is sure to be right, so that a record that is missing does the least harm.
        let records = records.iter();
        replay(
            manifest,
            records.clone().filter(|record| record.at <= mid_at),
        );
        manifest.apply(std::mem::take(&mut loaded.mid));
        replay(manifest, records.filter(|record| record.at >= mid_at));
        manifest.apply(std::mem::take(&mut loaded.inline));
        Ok(())
    }

    /// Reads the best base that can be read, and answers with the time of the last deploy in it.
    async fn read_any_base(
        &self,
        observed: &ObservedState,
        manifest: &mut Manifest,
        warnings: &mut Vec<String>,
    ) -> Result<Option<i64>, StateError> {
        let files = &observed.object.manifest;
        let named = [&files.base, &files.previous].into_iter().flatten();
        let named = named.map(|file| file.name.clone());
        let mut listed = self.list(FOLDER).await?;
        listed.retain(|name| name.contains("-base-"));
        for name in named.chain(listed.into_iter().rev()) {
            let Some(fetched) = self.fetch(&name).await? else {
                continue;
            };
            let mut entries = ManifestEntries::default();
            let read = codec::decode(&fetched.body, &mut manifest.tables, |key, entry| {
                entries.extend(entry.map(|entry| (key, entry)));
            });
            let read = read.map_err(|damage| self.damaged(&name, damage));
            if let Some(last_deploy) = or_warning(read, warnings)? {
                manifest.entries = entries;
                return Ok(Some(last_deploy));
            }
        }
        Ok(None)
    }

    /// Reads the records of history, oldest first: those that the state names, or all where there is none. Damaged ones are
    /// told and left out.
    async fn records(
        &self,
        observed: &ObservedState,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<HistoryRecord>, StateError> {
        let names = if observed.etag.is_some() {
            let recent = observed.object.recent.iter();
            recent.map(RecentDeploy::history_name).collect()
        } else {
            self.list(history::FOLDER).await?
        };
        self.read_records(names, warnings).await
    }
}

fn replay<'a>(manifest: &mut Manifest, records: impl Iterator<Item = &'a HistoryRecord>) {
    for record in records {
        let deploy = manifest.tables.deploy(DeployRef {
            id: record.id.clone(),
            at: record.at,
        });
        let mut delta = ManifestDelta::default();
        for KeyChange { key, after, .. } in &record.changes {
            let entry = after
                .as_ref()
                .map(|after| entry_of(manifest, key, after, deploy));
            delta.changes.insert(key.clone(), entry);
        }
        manifest.apply(delta);
    }
}

/// Makes an entry of what history tells of it.
fn entry_of(
    manifest: &mut Manifest,
    key: &Key,
    after: &PastObject,
    deploy: DeployNumber,
) -> ManifestEntry {
    let before = manifest.entries.get(key);
    let same = before.filter(|before| before.headers == after.fingerprint);
    let served = match (&after.headers, same) {
        (Some(headers), _) => ServedHeaders::of(key, headers),
        (None, same) => same
            .and_then(|same| manifest.tables.served(same.served).cloned())
            .unwrap_or_default(),
    };
    let first = before.map_or(deploy, |before| before.first);
    let served = manifest.tables.serve(served);
    ManifestEntry::new(
        after.etag.clone(),
        after.fingerprint,
        served,
        [first, deploy],
    )
    .with(|rare| {
        rare.digest = after.digest;
        rare.version_id = after.version_id.clone();
        rare.life = after.life;
    })
}
