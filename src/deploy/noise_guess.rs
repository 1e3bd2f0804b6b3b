//! What seems to differ at every build: expressions that would make live pages equal to the build's. To be proposed, not applied.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};

use super::plan_inputs::PlanInputs;
use crate::object::encoding;
use crate::plan::{Change, Plan, Reason};
use crate::rules::noise_guess;
use crate::rules::page::is_page;
use crate::scan::LocalFile;

/// Pages looked at, at most.
const MOST: usize = 1_000;
/// Pages asked for together.
const AT_ONCE: usize = 16;

/// What was found.
#[derive(Debug, Default)]
pub struct NoiseSuspects {
    /// Pages whose content changed.
    pub changed: usize,
    /// How many of them would stay if all rules were given.
    pub spared: usize,
    /// Expressions, and on how many pages each is met.
    pub found: BTreeMap<String, usize>,
}

/// Compares the pages that a plan changes with what is live.
pub(crate) async fn suspects(scene: &PlanInputs, plan: &Plan) -> NoiseSuspects {
    let page = |change: &&Change| {
        let content_type = change.headers.content_type.as_deref();
        change.reason == Reason::Content && is_page(content_type.unwrap_or_default())
    };
    let pages = plan.changes.iter().filter(page).take(MOST);
    let files = pages.filter_map(|change| scene.source.file(change.key.as_str()));
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

async fn look_at(scene: &PlanInputs, file: &LocalFile) -> Option<Vec<String>> {
    let place = &scene.place;
    let live = place.bucket.get(&place.full(file.key.as_str())).await;
    let mut live = live.ok()??.body.to_vec();
    let encoding = file.made.as_ref().and_then(|made| made.encoding);
    if let Some(encoding) = encoding {
        live = encoding::decompress(&live, encoding).ok()?;
    }
    let built = std::fs::read(file.path(scene.source.root())).ok()?;
    Some(noise_guess::suspect(&live, &built)?.into_iter().collect())
}
