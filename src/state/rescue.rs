//! Makes a damaged manifest good: from the base before, or any that can be read, and from what history says happened since.

use futures_util::stream::{self, StreamExt};

use super::codec;
use super::history::{self, HistoryRecord, KeyChange, PastObject};
use super::manifest::{FOLDER, LoadedManifest};
use super::object::{ObservedState, RecentDeploy};
use super::{StateError, StateStore};
use crate::domain::Key;
use crate::domain::entries::Entries;
use crate::domain::manifest::{Delta, DeployNo, DeployRef, Entry, Manifest, Served, Tables};

const AT_ONCE: usize = 8;

/// What could be read of a damaged manifest.
#[derive(Default)]
pub(super) struct ReadableParts {
    /// The base, without entries if it is that which is damaged, and the tables of all.
    pub(super) manifest: Manifest,
    /// With the time of the last deploy in it, in unix seconds.
    pub(super) mid: Option<(Delta, i64)>,
    pub(super) inline: Delta,
}

impl StateStore {
    /// The answer is empty, without a warning, where nothing was ever written.
    pub(super) async fn rescue(
        &self,
        observed: &ObservedState,
        readable: ReadableParts,
        mut warnings: Vec<String>,
    ) -> Result<LoadedManifest, StateError> {
        let mut manifest = readable.manifest;
        let mut since = i64::MIN;
        if let Some((base, at)) = self.any_base(observed, &mut warnings).await? {
            since = at;
            manifest.entries = Entries::with_capacity(base.entries.len());
            for (key, entry) in base.entries {
                let entry = moved(&base.tables, entry, &mut manifest);
                manifest.entries.extend(entry.map(|entry| (key, entry)));
            }
            warnings.push(format!(
                "the manifest was taken from a base of {} entries",
                manifest.entries.len()
            ));
        }
        let mut records = self.records(observed, &mut warnings).await?;
        records.retain(|record| record.at >= since);
        // Counters begin anew where the state was lost.
        records.sort_by_key(|record| record.at);
        if !records.is_empty() {
            warnings.push(format!(
                "the manifest was made good from the history of {} deploys",
                records.len()
            ));
        }
        // Each as late as it is sure to be right, so that a record that is missing does the least harm.
        let mut rest = records.as_slice();
        if let Some((mid, at)) = readable.mid {
            replay(
                &mut manifest,
                records.iter().filter(|record| record.at <= at),
            );
            manifest.apply(mid);
            rest = &records[records.partition_point(|record| record.at < at)..];
        }
        replay(&mut manifest, rest.iter());
        manifest.apply(readable.inline);
        Ok(LoadedManifest {
            manifest,
            warnings,
            ..LoadedManifest::default()
        })
    }

    /// The best base that can be read, and the time of the last deploy in it.
    async fn any_base(
        &self,
        observed: &ObservedState,
        warnings: &mut Vec<String>,
    ) -> Result<Option<(Manifest, i64)>, StateError> {
        let files = &observed.object.manifest;
        let mut names: Vec<String> = [&files.base, &files.previous]
            .into_iter()
            .flatten()
            .map(|file| file.name.clone())
            .collect();
        let listed = self.list(FOLDER).await?;
        names.extend(
            listed
                .into_iter()
                .rev()
                .filter(|name| name.contains("-base-")),
        );
        for name in names {
            let Some(fetched) = self.fetch(&name).await? else {
                continue;
            };
            let mut manifest = Manifest::default();
            let entries = &mut manifest.entries;
            let read = codec::decode(&fetched.body, &mut manifest.tables, |key, entry| {
                entries.extend(entry.map(|entry| (key, entry)));
            });
            match read.map_err(|damage| self.damaged(&name, damage)) {
                Ok(at) => return Ok(Some((manifest, at))),
                Err(error @ StateError::Corrupt { .. }) => {
                    let warning = error.to_string();
                    if !warnings.contains(&warning) {
                        warnings.push(warning);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The records of history, oldest first: those that the state names, or all where there is none. Damaged ones are told and
    /// left out.
    async fn records(
        &self,
        observed: &ObservedState,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<HistoryRecord>, StateError> {
        let names: Vec<String> = match observed.etag {
            Some(_) => {
                let recent = observed.object.recent.iter();
                recent.map(RecentDeploy::history_name).collect()
            }
            None => self.list(history::FOLDER).await?,
        };
        let read: Vec<_> = stream::iter(&names)
            .map(|name| self.read_record(name))
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut records = Vec::new();
        for record in read {
            match record {
                Ok(record) => records.push(record),
                Err(error @ StateError::Corrupt { .. }) => warnings.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }
}

/// An entry of one manifest as another says it.
fn moved(from: &Tables, mut entry: Entry, to: &mut Manifest) -> Option<Entry> {
    entry.served = to.tables.serve(from.served(entry.served)?.clone());
    entry.first = to.tables.deploy(from.deploy_at(entry.first)?.clone());
    entry.last = to.tables.deploy(from.deploy_at(entry.last)?.clone());
    Some(entry)
}

fn replay<'a>(manifest: &mut Manifest, records: impl Iterator<Item = &'a HistoryRecord>) {
    for record in records {
        let deploy = manifest.tables.deploy(DeployRef {
            id: record.id.clone(),
            at: record.at,
        });
        let mut delta = Delta::default();
        for KeyChange { key, after, .. } in &record.changes {
            let entry = after
                .as_ref()
                .map(|after| entry_of(manifest, key, after, deploy));
            delta.changes.insert(key.clone(), entry);
        }
        manifest.apply(delta);
    }
}

/// An entry as history tells of it.
fn entry_of(manifest: &mut Manifest, key: &Key, after: &PastObject, deploy: DeployNo) -> Entry {
    let before = manifest.entries.get(key);
    let same = before.filter(|before| before.headers == after.fingerprint);
    let served = match (&after.headers, same) {
        (Some(headers), _) => Served::of(key, headers),
        (None, same) => same
            .and_then(|same| manifest.tables.served(same.served).cloned())
            .unwrap_or_default(),
    };
    let first = before.map_or(deploy, |before| before.first);
    let served = manifest.tables.serve(served);
    Entry::new(
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
