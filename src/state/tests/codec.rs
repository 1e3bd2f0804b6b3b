use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{entry, said};
use crate::object::Key;
use crate::object::entry::ManifestEntry;
use crate::object::manifest::ManifestTables;
use crate::state::VERSION;
use crate::state::codec::{Damage, decode, encode, pack, unpack};

type Rows = Vec<(Key, Option<ManifestEntry>)>;

fn written(seeds: &BTreeMap<String, Option<u64>>) -> (ManifestTables, Rows, Vec<u8>) {
    let mut tables = ManifestTables::default();
    let rows: Rows = seeds
        .iter()
        .map(|(key, seed)| (Key::new(key), seed.map(|seed| entry(&mut tables, seed))))
        .collect();
    let bytes = encode(
        &tables,
        77,
        rows.iter().map(|(key, entry)| (key, entry.as_ref())),
    );
    (tables, rows, bytes.unwrap())
}

fn read(bytes: &[u8]) -> Result<(ManifestTables, Rows), Damage> {
    let mut tables = ManifestTables::default();
    // Numbers that are taken already must not matter.
    entry(&mut tables, 3);
    let mut rows = Rows::new();
    let at = decode(bytes, &mut tables, |key, entry| rows.push((key, entry)))?;
    assert_eq!(at, 77);
    Ok((tables, rows))
}

fn same(one: &(ManifestTables, Rows), other: &(ManifestTables, Rows)) -> bool {
    let say = |(tables, rows): &(ManifestTables, Rows)| -> Vec<_> {
        let rows = rows.iter();
        rows.map(|(key, entry)| (key.clone(), entry.as_ref().map(|entry| said(tables, entry))))
            .collect()
    };
    say(one) == say(other)
}

fn seeds() -> impl Strategy<Value = BTreeMap<String, Option<u64>>> {
    proptest::collection::btree_map(any::<String>(), any::<Option<u64>>(), 0..40)
}

proptest! {
    #[test]
    fn a_file_reads_back_as_it_was_written(seeds in seeds()) {
        let (tables, rows, bytes) = written(&seeds);
        prop_assert!(same(&(tables, rows), &read(&bytes).unwrap()));
    }

    #[test]
    fn a_file_that_breaks_off_is_never_taken(seeds in seeds(), at in any::<prop::sample::Index>()) {
        let (_, _, bytes) = written(&seeds);
        prop_assert!(matches!(read(&bytes[..at.index(bytes.len())]), Err(Damage::Corrupt(_))));
    }

    #[test]
    fn a_changed_byte_never_changes_what_is_read(
        seeds in seeds(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let (tables, rows, mut bytes) = written(&seeds);
        let place = at.index(bytes.len());
        bytes[place] ^= flip;
        if let Ok(other) = read(&bytes) {
            prop_assert!(same(&(tables, rows), &other));
        }
    }

    #[test]
    fn garbage_is_never_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
        prop_assert!(unpack::<Vec<u64>>(&bytes).is_err());
        // Well packed, ill-formed.
        let packed = zstd::encode_all(bytes.as_slice(), 3).unwrap();
        prop_assert!(read(&packed).is_err());
    }
}

#[test]
fn a_later_version_is_refused_whatever_else_it_says() {
    let text = format!("{{\"version\":{},\"new\":1}}\nwhatever", VERSION + 1);
    let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    assert_eq!(read(&packed).err(), Some(Damage::Newer(VERSION + 1)));
    assert_eq!(
        unpack::<u64>(&packed).err(),
        Some(Damage::Newer(VERSION + 1))
    );
}

#[test]
fn lines_that_lie_about_each_other_are_damage() {
    let header = "{\"version\":1,\"at\":77,\"deploys\":[{\"id\":\"x\",\"at\":1}],\"served\":[{}]}";
    let row = |key: &str| format!("{{\"k\":\"{key}\",\"e\":\"x\",\"h\":\"00\"}}");
    let (a, b) = (row("a"), row("b"));
    let outside = "{\"k\":\"c\",\"e\":\"x\",\"h\":\"00\",\"s\":1}";
    for (lines, good) in [
        (vec![header, &a, &b, "{\"count\":2}"], true),
        (vec![header, &a, &b, "{\"count\":3}"], false),
        (vec![header, &b, &a, "{\"count\":2}"], false),
        (vec![header, &a, &a, "{\"count\":2}"], false),
        (vec![header, &a, outside, "{\"count\":2}"], false),
        (vec![header, &a, "{\"count\":1}", &b], false),
        (vec![header, &a], false),
        (vec![header], false),
        (vec!["{}", "{\"count\":0}"], false),
    ] {
        let text = lines.join("\n") + "\n";
        let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
        assert_eq!(read(&packed).is_ok(), good, "{text}");
    }
}

#[test]
fn a_document_reads_back() {
    let value = vec!["a\n".to_owned(), "é".to_owned()];
    let packed = pack(&value).unwrap();
    assert_eq!(unpack::<Vec<String>>(&packed), Ok(value));
    for end in 0..packed.len() {
        assert!(unpack::<Vec<String>>(&packed[..end]).is_err(), "{end}");
    }
}
