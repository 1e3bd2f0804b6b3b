//! ETags of single files.

use super::*;

#[test]
fn part_sizes_stay_within_ten_thousand_parts() {
    const MIB: u64 = 1 << 20;
    for (size, part) in [
        (0, 8 * MIB),
        (16 * MIB, 8 * MIB),
        (80_000 * MIB, 8 * MIB),
        (80_000 * MIB + 1, 9 * MIB),
        (5 << 40, 525 * MIB),
    ] {
        assert_eq!(part_size(size), part, "{size}");
        assert!(size.div_ceil(part) <= 10_000);
    }
    for (size, parts, expected) in [
        (100 * MIB, 13, &[8 * MIB][..]),
        (100 * MIB, 20, &[5 * MIB]),
        (100 * MIB, 7, &[16 * MIB, 15 * MIB, 17_179_870]),
        (100 * MIB, 99, &[]),
        (100 * MIB, 0, &[]),
        (3, 1, &[3]),
        (0, 1, &[1]),
        (0, 0, &[]),
    ] {
        let mut found = candidate_part_sizes(size, parts);
        found.retain(|size| parts < 2 || size % MIB == 0 || *size == 17_179_870);
        assert_eq!(found, expected, "{size} {parts}");
    }
}

#[test]
fn etags_of_whole_files() {
    let dir = folder(&[]);
    let content: Vec<u8> = (0..700_000_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    write(dir.path(), "a", &content);
    let path = dir.path().join("a");
    for size in [1000, 262_144, 350_000, 699_999, 700_000, 1 << 30] {
        assert_eq!(
            multipart_etag(&path, size).expect("read"),
            parts_of(&content, size as usize),
            "{size}"
        );
    }
    assert!(multipart_etag(&path, 0).is_err() && multipart_etag(&dir.path().join("b"), 1).is_err());
    write(dir.path(), "zero", b"");
    let zero = multipart_etag(&dir.path().join("zero"), 5).expect("read");
    assert_eq!(zero, ETag::Multipart(md5_of(&md5_of(b"").0), 1));
}
