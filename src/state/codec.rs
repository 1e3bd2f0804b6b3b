//! The form of what is stored, under zstd with its checksum: a line that says the version, then JSON. The manifest's files
//! are sorted lines, an entry each, with a last line that counts them; they are never in memory as text.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{PLAIN_VERSION, VERSION};
use crate::object::entry::{DeployNumber, EntryLife, ManifestEntry, NoiselessDigest, ServedId};
use crate::object::manifest::{DeployRef, ManifestTables, ServedHeaders};
use crate::object::{ETag, HeaderFingerprint, Key, Md5};

/// Why stored bytes cannot be taken as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// A later version's format.
    Newer(u64),
    Corrupt(String),
}

impl Damage {
    pub(super) fn corrupt(why: impl ToString) -> Self {
        Self::Corrupt(why.to_string())
    }
}

const LEVEL: i32 = 3;

#[derive(Serialize, Deserialize)]
#[serde(expecting = "a table with a version")]
struct VersionLine {
    version: u64,
}

/// The first line of a manifest's file.
#[derive(Serialize, Deserialize)]
struct ManifestHeader {
    version: u64,
    /// Unix seconds of the last deploy in it.
    at: i64,
    deploys: Vec<DeployRef>,
    served: Vec<ServedHeaders>,
}

/// One entry; without an ETag the key is removed.
#[derive(Serialize, Deserialize)]
struct ManifestRow {
    k: Key,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<ETag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<Md5>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    h: Option<HeaderFingerprint>,
    #[serde(default)]
    s: u32,
    #[serde(default)]
    f: u32,
    #[serde(default)]
    l: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    v: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<(u64, Md5)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    o: Option<Md5>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<i64>,
}

/// A key that is removed.
#[derive(Serialize)]
struct RemovedRow<'a> {
    k: &'a Key,
}

/// The last line.
#[derive(Serialize, Deserialize)]
struct ManifestTrailer {
    count: u64,
}

/// Refuses what a later version wrote; takes what says no version for damaged.
pub(super) fn check_version(json: &[u8]) -> Result<(), Damage> {
    match serde_json::from_slice::<VersionLine>(json) {
        Ok(VersionLine { version }) if version > VERSION => Err(Damage::Newer(version)),
        Ok(_) => Ok(()),
        Err(error) => Err(Damage::corrupt(error)),
    }
}

/// Packs a whole document: the version's line and one JSON value.
pub(super) fn pack<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let mut out = compressor()?;
    line(
        &mut out,
        &VersionLine {
            version: PLAIN_VERSION,
        },
    )?;
    serde_json::to_writer(&mut out, value)?;
    out.finish()
}

pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Damage> {
    let mut lines = lines(bytes)?;
    check_version(&next_line(&mut lines)?)?;
    serde_json::from_reader(lines).map_err(Damage::corrupt)
}

/// Makes a manifest's file; `rows` must be in the order of their keys. `last_deploy`: unix seconds of the last one in it.
pub(super) fn encode<'a>(
    tables: &ManifestTables,
    last_deploy: i64,
    rows: impl Iterator<Item = (&'a Key, Option<&'a ManifestEntry>)> + Clone,
) -> io::Result<Vec<u8>> {
    let used = UsedRows::of(tables, rows.clone().filter_map(|(_, entry)| entry))?;
    let mut out = compressor()?;
    line(&mut out, &used.header(last_deploy))?;
    let mut count = 0;
    for (key, entry) in rows {
        match entry {
            Some(entry) => line(&mut out, &used.row(key, entry)?)?,
            None => line(&mut out, &RemovedRow { k: key })?,
        }
        count += 1;
    }
    line(&mut out, &ManifestTrailer { count })?;
    out.finish()
}

/// Reads a manifest's file, adding to `tables`; `seen` is given each row in the order of the keys, also before damage is
/// found. Answers with the time of the last deploy in it.
pub(super) fn decode(
    bytes: &[u8],
    tables: &mut ManifestTables,
    mut seen: impl FnMut(Key, Option<ManifestEntry>),
) -> Result<i64, Damage> {
    let mut lines = lines(bytes)?;
    let first = next_line(&mut lines)?;
    check_version(&first)?;
    let header: ManifestHeader = serde_json::from_slice(&first).map_err(Damage::corrupt)?;
    let numbers = TableNumbers {
        served: (header.served.into_iter())
            .map(|row| tables.serve(row))
            .collect(),
        deploys: (header.deploys.into_iter())
            .map(|row| tables.deploy(row))
            .collect(),
    };
    let mut last: Option<Key> = None;
    let mut count = 0;
    loop {
        let text = next_line(&mut lines)?;
        if !text.starts_with(b"{\"k\":") {
            return end(&text, count, lines).map(|()| header.at);
        }
        let row: ManifestRow = serde_json::from_slice(&text).map_err(Damage::corrupt)?;
        if last.as_ref().is_some_and(|last| *last >= row.k) {
            return Err(Damage::corrupt("its keys are out of order"));
        }
        let (key, entry) = numbers.entry(row)?;
        last = Some(key.clone());
        count += 1;
        seen(key, entry);
    }
}

fn end(text: &[u8], count: u64, mut rest: impl BufRead) -> Result<(), Damage> {
    let trailer: ManifestTrailer = serde_json::from_slice(text).map_err(Damage::corrupt)?;
    if trailer.count != count {
        let expected = trailer.count;
        return Err(Damage::corrupt(format!(
            "it has {count} entries instead of {expected}"
        )));
    }
    if !rest.fill_buf().map_err(Damage::corrupt)?.is_empty() {
        return Err(Damage::corrupt("something follows its end"));
    }
    Ok(())
}

/// The rows of the tables that a file needs, by their number in memory, with their number in the file.
struct UsedRows<'a> {
    served: BTreeMap<ServedId, (u32, &'a ServedHeaders)>,
    deploys: BTreeMap<DeployNumber, (u32, &'a DeployRef)>,
}

fn foreign() -> io::Error {
    io::Error::other("an entry points outside its tables")
}

/// Numbers the rows of a file's table, in the order of their ids.
fn numbered<I: Copy + Ord, R>(
    ids: BTreeSet<I>,
    row: impl Fn(I) -> Option<R>,
) -> io::Result<BTreeMap<I, (u32, R)>> {
    let rows = (0..).zip(ids);
    rows.map(|(number, id)| Ok((id, (number, row(id).ok_or_else(foreign)?))))
        .collect()
}

impl<'a> UsedRows<'a> {
    fn of<'e>(
        tables: &'a ManifestTables,
        entries: impl Iterator<Item = &'e ManifestEntry>,
    ) -> io::Result<Self> {
        let (mut served, mut deploys) = (BTreeSet::new(), BTreeSet::new());
        for entry in entries {
            served.insert(entry.served);
            deploys.extend([entry.first, entry.last]);
        }
        Ok(Self {
            served: numbered(served, |id| tables.served(id))?,
            deploys: numbered(deploys, |id| tables.deploy_at(id))?,
        })
    }

    fn header(&self, last_deploy: i64) -> ManifestHeader {
        let (served, deploys) = (self.served.values(), self.deploys.values());
        ManifestHeader {
            version: PLAIN_VERSION,
            at: last_deploy,
            deploys: deploys.map(|(_, row)| (*row).clone()).collect(),
            served: served.map(|(_, row)| (*row).clone()).collect(),
        }
    }

    fn row(&self, key: &Key, entry: &ManifestEntry) -> io::Result<ManifestRow> {
        let deploy = |id| Ok::<_, io::Error>(self.deploys.get(&id).ok_or_else(foreign)?.0);
        let (retained, tombstone) = match entry.life {
            EntryLife::Live => (None, None),
            EntryLife::Retained { since } => (Some(since), None),
            EntryLife::Tombstone { until } => (None, Some(until)),
        };
        Ok(ManifestRow {
            k: key.clone(),
            e: Some(entry.etag.clone()),
            d: entry.digest,
            h: Some(entry.headers),
            s: self.served.get(&entry.served).ok_or_else(foreign)?.0,
            f: deploy(entry.first)?,
            l: deploy(entry.last)?,
            v: entry.version_id.clone(),
            n: (entry.noise.as_ref()).map(|noise| (noise.rule, noise.digest)),
            o: entry.source,
            r: retained,
            t: tombstone,
        })
    }
}

/// The numbers in memory of a file's tables.
struct TableNumbers {
    served: Vec<ServedId>,
    deploys: Vec<DeployNumber>,
}

impl TableNumbers {
    fn entry(&self, row: ManifestRow) -> Result<(Key, Option<ManifestEntry>), Damage> {
        let unknown = || Damage::corrupt("an entry points outside its tables");
        let Some(etag) = row.e else {
            return Ok((row.k, None));
        };
        let deploy = |number: u32| self.deploys.get(number as usize).copied();
        let lacking = || Damage::corrupt("an entry lacks its headers");
        let headers = row.h.ok_or_else(lacking)?;
        let served = *self.served.get(row.s as usize).ok_or_else(unknown)?;
        let deploys = [
            deploy(row.f).ok_or_else(unknown)?,
            deploy(row.l).ok_or_else(unknown)?,
        ];
        let entry = ManifestEntry::new(etag, headers, served, deploys).with(|rare| {
            rare.digest = row.d;
            rare.version_id = row.v;
            rare.noise = row
                .n
                .map(|(rule, digest)| Box::new(NoiselessDigest { rule, digest }));
            rare.source = row.o;
            rare.life = match (row.r, row.t) {
                (_, Some(until)) => EntryLife::Tombstone { until },
                (Some(since), None) => EntryLife::Retained { since },
                (None, None) => EntryLife::Live,
            };
        });
        Ok((row.k, Some(entry)))
    }
}

fn compressor() -> io::Result<zstd::Encoder<'static, Vec<u8>>> {
    let mut out = zstd::Encoder::new(Vec::new(), LEVEL)?;
    out.include_checksum(true)?;
    Ok(out)
}

fn line<T: Serialize>(out: &mut impl Write, value: &T) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

type Lines<'a> = BufReader<zstd::Decoder<'static, &'a [u8]>>;

fn lines(bytes: &[u8]) -> Result<Lines<'_>, Damage> {
    if bytes.is_empty() {
        return Err(Damage::corrupt("it is empty"));
    }
    zstd::Decoder::with_buffer(bytes)
        .map(BufReader::new)
        .map_err(Damage::corrupt)
}

fn next_line(lines: &mut impl BufRead) -> Result<Vec<u8>, Damage> {
    let mut text = Vec::new();
    lines
        .read_until(b'\n', &mut text)
        .map_err(Damage::corrupt)?;
    match text.last() {
        Some(b'\n') => Ok(text),
        _ => Err(Damage::corrupt("it ends too early")),
    }
}
