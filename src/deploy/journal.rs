//! The journal of a plan: what a deploy says before it changes anything.

use super::plan_inputs::PlanInputs;
use crate::job::request::Job;
use crate::object::journal::{Journal, JournaledPurge, TouchAction, TouchedKey};
use crate::object::{ETag, Key};
use crate::plan::{Change, ChangeAction, Plan};
use crate::site::wants::WantedSite;

/// Makes the journal of a plan, without the batches of its purge.
pub(super) fn journal(scene: &PlanInputs, job: &Job, plan: &Plan) -> Journal {
    let wants = WantedSite::new(job, &scene.source, &scene.targets);
    let put = plan.changes.iter().map(|change| touched(change, &wants));
    let deleted = plan.deletions.iter().map(|deletion| {
        let action = if deletion.page {
            TouchAction::Delete
        } else {
            TouchAction::DeleteLate
        };
        absent(&deletion.key, action)
    });
    // The purge speaks for what others did, too.
    let adopted = plan.adopted.iter().map(|adopted| TouchedKey {
        etag: Some(adopted.etag.clone()),
        digest: adopted.digest(),
        headers: Some(adopted.headers.fingerprint()),
        ..absent(&adopted.key, TouchAction::Keep)
    });
    let gone = plan.gone().map(|key| absent(key, TouchAction::Keep));
    let purges = scene.targets.found.iter().map(|target| {
        let function = scene.targets.functions.iter();
        let paths = function.flat_map(|function| function.owed(target.id()));
        let owed = JournaledPurge {
            paths: paths.cloned().collect(),
            batches: Vec::new(),
        };
        (target.id().to_owned(), owed)
    });
    Journal {
        keys: put.chain(deleted).chain(adopted).chain(gone).collect(),
        purges: purges.collect(),
    }
}

/// Describes a key that is put or copied.
fn touched(change: &Change, wants: &WantedSite) -> TouchedKey {
    let md5 = ETag::Md5(change.md5);
    let (action, etag) = match &change.action {
        ChangeAction::Upload => {
            let parts = wants.expected(change.key.as_str());
            (TouchAction::Put, Some(parts.unwrap_or(md5.clone())))
        }
        ChangeAction::CopyFrom { .. } => (TouchAction::Copy, Some(md5.clone())),
        ChangeAction::Restore { etag, .. } => (TouchAction::Copy, Some(etag.clone())),
        ChangeAction::SetHeaders => {
            let before = change.before.clone();
            let kept = before.filter(|etag| matches!(etag, ETag::Md5(_)));
            (TouchAction::Copy, kept)
        }
    };
    TouchedKey {
        digest: (etag != Some(md5)).then_some(change.md5),
        etag,
        size: change.size,
        headers: Some(change.fingerprint),
        ..absent(&change.key, action)
    }
}

/// Describes a key that is to have nothing.
fn absent(key: &Key, action: TouchAction) -> TouchedKey {
    TouchedKey {
        key: key.clone(),
        action,
        etag: None,
        digest: None,
        size: 0,
        headers: None,
        failed: false,
    }
}
