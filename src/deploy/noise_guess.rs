//! What seems to differ at every build: expressions that would make live pages equal to the build's. To be proposed, not applied.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};

use super::plan_inputs::PlanInputs;
use crate::object::encoding;
use crate::object::key::file_name;
use crate::plan::{Change, Plan, Reason};
use crate::rules::noise_guess;
use crate::rules::page::is_asset;
use crate::scan::LocalFile;

/// Files looked at, at most.
const MOST: usize = 1_000;
/// Files asked for together.
const AT_ONCE: usize = 16;
/// The largest file looked at, in bytes.
const LARGEST: u64 = 8 << 20;

/// What was found.
#[derive(Debug, Default)]
pub struct NoiseSuspects {
    /// Pages, feeds and other texts whose content changed.
    pub changed: usize,
    /// How many of them would stay if all rules were given.
    pub spared: usize,
    /// A glob and an expression for each, and in how many files they are met.
    pub found: BTreeMap<(String, String), usize>,
}

/// Compares the texts that a plan changes with what is live: pages, feeds, sitemaps, not scripts and style sheets.
pub(crate) async fn suspects(scene: &PlanInputs, plan: &Plan) -> NoiseSuspects {
    let is_suspected = |change: &&Change| {
        let content_type = change.headers.content_type.as_deref();
        change.reason == Reason::Content && !is_asset(content_type.unwrap_or_default())
    };
    let changes = plan.changes.iter().filter(is_suspected).take(MOST);
    let files = changes.filter_map(|change| scene.source.file(change.key.as_str()));
    let files = files.filter(|file| file.size <= LARGEST);
    let looked = stream::iter(files)
        .map(|file| look_at(scene, file))
        .buffer_unordered(AT_ONCE);
    let looked: Vec<_> = looked.collect().await;
    let mut suspects = NoiseSuspects {
        changed: looked.len(),
        ..NoiseSuspects::default()
    };
    for expressions in looked.into_iter().flatten() {
        suspects.spared += 1;
        for expression in expressions {
            *suspects.found.entry(expression).or_default() += 1;
        }
    }
    suspects
}

async fn look_at(scene: &PlanInputs, file: &LocalFile) -> Option<Vec<(String, String)>> {
    let place = &scene.place;
    let live = place.bucket.get(&place.full(file.key.as_str())).await;
    let mut live = live.ok()??.body.to_vec();
    let encoding = file.made.as_ref().and_then(|made| made.encoding);
    if let Some(encoding) = encoding {
        live = encoding::decompress(&live, encoding).ok()?;
    }
    let built = std::fs::read(file.path(scene.source.root())).ok()?;
    let name = file_name(file.key.as_str());
    let glob = match name.rsplit_once('.') {
        Some((_, ending)) => format!("*.{ending}"),
        None => format!("/{}", file.key.as_str()),
    };
    let expressions = noise_guess::suspect(&live, &built)?.into_iter();
    let pairs = expressions.map(|expression| (glob.clone(), expression));
    Some(pairs.collect())
}
