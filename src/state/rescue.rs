//! Makes a damaged manifest good: from the base before, or any that can be read, and from what history says happened since.

use futures_util::stream::{self, StreamExt};

use super::codec;
use super::head::{FOLDER, Head, Loaded};
use super::history::{Change, Listed, Record};
use super::{StateError, Store};
use crate::domain::manifest::{Delta, DeployRef, Entry, Manifest, Served};

const AT_ONCE: usize = 8;

impl Store {
    /// `known` is what could be read of a damaged manifest: a base, empty if it was that which was damaged, and what is
    /// newer. The answer is empty, without a warning, where nothing was ever written.
    pub(super) async fn rescue(
        &self,
        head: &Head,
        known: Option<(Manifest, Delta)>,
        mut warnings: Vec<String>,
    ) -> Result<Loaded, StateError> {
        let (mut manifest, newer) = known.unwrap_or_default();
        manifest.distributions = head.distributions.clone();
        let mut since = i64::MIN;
        if let Some((base, at)) = self.any_base(head, &mut warnings).await? {
            since = at;
            manifest.entries.clear();
            for (key, entry) in base.entries {
                let entry = moved(&base.tables, entry, &mut manifest);
                manifest.entries.extend(entry.map(|entry| (key, entry)));
            }
            warnings.push(format!(
                "the manifest was taken from a base of {} entries",
                manifest.entries.len()
            ));
        }
        let records = self.records_since(since, &mut warnings).await?;
        let count = records.len();
        for record in records {
            replay(&mut manifest, record);
        }
        if count > 0 {
            warnings.push(format!(
                "the manifest was made good from the history of {count} deploys"
            ));
        }
        manifest.apply(newer);
        Ok(Loaded {
            manifest,
            warnings,
            ..Loaded::default()
        })
    }

    /// The best base that can be read, and the time of the last deploy in it.
    async fn any_base(
        &self,
        head: &Head,
        warnings: &mut Vec<String>,
    ) -> Result<Option<(Manifest, i64)>, StateError> {
        let named = [&head.base, &head.previous];
        let mut names: Vec<String> = named
            .into_iter()
            .flatten()
            .map(|file| file.name.clone())
            .collect();
        let listed = self.list(FOLDER, None).await?;
        let bases = listed.into_iter().rev().map(|(name, _)| name);
        names.extend(bases.filter(|name| name.contains("-base-")));
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

    /// Oldest first. Damaged ones are told and left out.
    async fn records_since(
        &self,
        since: i64,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Record>, StateError> {
        let mut listed: Vec<Listed> = self.list_history().await?;
        listed.retain(|listed| listed.at_millis.div_euclid(1000) >= since);
        listed.reverse();
        let read: Vec<_> = stream::iter(&listed)
            .map(|listed| self.read_history(listed))
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
fn moved(from: &crate::domain::manifest::Tables, entry: Entry, to: &mut Manifest) -> Option<Entry> {
    Some(Entry {
        served: to.tables.serve(from.served(entry.served)?.clone()),
        first: to.tables.deploy(from.deploy_at(entry.first)?.clone()),
        last: to.tables.deploy(from.deploy_at(entry.last)?.clone()),
        ..entry
    })
}

fn replay(manifest: &mut Manifest, record: Record) {
    let deploy = manifest.tables.deploy(DeployRef {
        id: record.id,
        at: record.at,
    });
    for Change { key, after, .. } in record.changes {
        let Some(after) = after else {
            manifest.entries.remove(&key);
            continue;
        };
        let before = manifest.entries.get(&key);
        let same = before.filter(|before| before.headers == after.fingerprint);
        let served = match (&after.headers, same) {
            (Some(headers), _) => manifest.tables.serve(Served {
                cache_control: headers.cache_control.clone(),
                content_type: headers.content_type.clone(),
                redirect: headers.redirect.clone(),
            }),
            (None, Some(same)) => same.served,
            (None, None) => manifest.tables.serve(Served::default()),
        };
        let entry = Entry {
            etag: after.etag,
            digest: None,
            headers: after.fingerprint,
            served,
            first: manifest
                .entries
                .get(&key)
                .map_or(deploy, |entry| entry.first),
            last: deploy,
            version_id: after.version_id,
            noise: None,
            life: after.life,
        };
        manifest.entries.insert(key, entry);
    }
}
