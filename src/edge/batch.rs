//! Splits a purge into batches that CloudFront's rates admit.

use super::price::{PATHS_PER_SECOND, WILDCARDS_PER_SECOND};

/// Splits invalidation paths into batches of at most 150 paths and 1 wildcard, one batch for each second. Every path stands in one
/// batch; the order stays, but for the wildcards, which are spread over the batches. The same paths always give the same batches.
pub fn batches(paths: &[String]) -> Vec<Vec<String>> {
    let (wild, plain): (Vec<_>, Vec<_>) = paths.iter().partition(|path| path.ends_with('*'));
    let (mut wild, mut plain) = (wild.into_iter(), plain.into_iter());
    let mut batches = Vec::new();
    loop {
        let wildcards = wild.by_ref().take(WILDCARDS_PER_SECOND as usize);
        let mut batch: Vec<String> = wildcards.cloned().collect();
        let room = (PATHS_PER_SECOND as usize).saturating_sub(batch.len());
        batch.extend(plain.by_ref().take(room).cloned());
        if batch.is_empty() {
            return batches;
        }
        batches.push(batch);
    }
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
                .map(|number| format!("/{number}"))
                .chain((0..wild).map(|number| format!("/w{number}/*")))
                .collect();
            let batches = batches(&paths);
            let sent: Vec<&String> = batches.iter().flatten().collect();
            assert_eq!(sent.len(), paths.len());
            assert_eq!(
                sent.into_iter().collect::<BTreeSet<_>>(),
                paths.iter().collect::<BTreeSet<_>>()
            );
            for batch in &batches {
                assert!(!batch.is_empty() && batch.len() <= 150);
                let wildcards = batch.iter().filter(|path| path.ends_with('*'));
                assert!(wildcards.count() <= 1);
            }
            assert_eq!(batches, super::batches(&paths));
        }
    }
}
