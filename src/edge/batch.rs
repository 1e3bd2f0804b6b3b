//! Splits a purge into batches that CloudFront's rates admit.

use super::price::{PATHS_PER_SECOND, WILDCARDS_PER_SECOND};

/// One CreateInvalidation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub paths: Vec<String>,
    /// Not before so many seconds after the first batch.
    pub at_second: u64,
}

/// Batches of at most 150 paths and 1 wildcard, one a second, in which every path stands once, in the order given but for the
/// wildcards, which are spread over the batches. The same paths always give the same batches.
pub fn batches(paths: &[String]) -> Vec<Batch> {
    let (wild, plain): (Vec<_>, Vec<_>) = paths.iter().partition(|path| path.ends_with('*'));
    let (mut wild, mut plain) = (wild.into_iter(), plain.into_iter());
    let mut found = Vec::new();
    loop {
        let mut paths: Vec<String> = wild
            .by_ref()
            .take(WILDCARDS_PER_SECOND as usize)
            .cloned()
            .collect();
        let room = (PATHS_PER_SECOND as usize).saturating_sub(paths.len());
        paths.extend(plain.by_ref().take(room).cloned());
        if paths.is_empty() {
            return found;
        }
        let at_second = found.len() as u64;
        found.push(Batch { paths, at_second });
    }
}

/// Halves a batch that was refused as too large; both halves are due at once. `None` for one that cannot be halved.
pub fn split(batch: &Batch) -> Option<[Batch; 2]> {
    let middle = batch.paths.len() / 2;
    if middle == 0 {
        return None;
    }
    let (head, tail) = batch.paths.split_at(middle);
    let part = |paths: &[String]| Batch {
        paths: paths.to_vec(),
        at_second: batch.at_second,
    };
    Some([part(head), part(tail)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn batches_keep_the_rates_and_every_path() {
        for (plain, wild) in [
            (0, 0),
            (1, 0),
            (0, 3),
            (150, 0),
            (150, 1),
            (400, 2),
            (10, 20),
        ] {
            let paths: Vec<String> = (0..plain)
                .map(|at| format!("/{at}"))
                .chain((0..wild).map(|at| format!("/w{at}/*")))
                .collect();
            let found = batches(&paths);
            let sent: Vec<&String> = found.iter().flat_map(|batch| &batch.paths).collect();
            assert_eq!(sent.len(), paths.len());
            assert_eq!(
                sent.into_iter().collect::<BTreeSet<_>>(),
                paths.iter().collect::<BTreeSet<_>>()
            );
            for (at, batch) in found.iter().enumerate() {
                assert!(!batch.paths.is_empty() && batch.paths.len() <= 150);
                let wildcards = batch.paths.iter().filter(|path| path.ends_with('*'));
                assert!(wildcards.count() <= 1);
                assert_eq!(batch.at_second, at as u64);
            }
            assert_eq!(found, batches(&paths));
        }
    }

    #[test]
    fn a_batch_that_is_too_large_is_halved() {
        let batch = |paths: &[&str]| Batch {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            at_second: 3,
        };
        assert_eq!(
            split(&batch(&["/a", "/b", "/c"])),
            Some([batch(&["/a"]), batch(&["/b", "/c"])])
        );
        assert_eq!(split(&batch(&["/a"])), None);
    }
}
