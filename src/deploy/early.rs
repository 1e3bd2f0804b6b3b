//! The first pages of a small listing, asked for beside the lock, and when they stand as if they had been asked for after it.
//!
//! A plan is good only if nobody deployed since the bucket was looked at: the lock is taken by the ETag that was read before the
//! listing. Here the listing may be older than that reading, so it has to prove itself. What is known: each ETag of the lock and of
//! the head is there once and never again; a deploy changes the site only between taking the lock and giving it back; what it
//! changed is in the head, or in a debt, before it gives the lock back; S3 shows in every listing what was written before.
//!
//! The page that shows the lock was read at a moment, call it P. If it shows the ETag that the GET of the lock answered, then the
//! lock was the same from P to that GET, whichever came first. If it was free all that time then nobody deployed in it, and nobody
//! can before our If-Match succeeds: what this page shows of the site is what a later one would show. The same holds for the
//! debts, which the page shows too, and for the head if its ETag is the same in both.
//!
//! Pages of other parts may have been read before P, and before a deploy that ended by then. But if at P there was no debt then the
//! head's manifest says what that deploy left behind, and with it all before. So a page that shows exactly what the manifest says
//! is as good as one read at P; any other is asked for again. Pages that follow a part's first are asked for after the lock is known.
//!
//! What others than deploys write meanwhile no order of reading excludes: each write names the ETag that it expects.

use super::listing::{self, Shown};
use super::survey::Place;
use crate::aws::AwsError;
use crate::aws::list::Listed;
use crate::domain::manifest::{Life, Manifest};
use crate::domain::{ETag, Key};
use crate::state::{HeadState, Observed, debt, head, lock};

/// Splits up to which a manifest is small enough to lie in the head, as it must for pages beside the first to stand.
const FEW: usize = 1;

/// The page that shows the lock, and those beside it.
#[derive(Debug)]
pub struct Early(Vec<Shown>);

impl Early {
    /// Asks for the first pages; `None` where they could not stand.
    pub async fn begin(place: &Place, splits: &[Key]) -> Result<Option<Self>, AwsError> {
        let lock = place.store.key(lock::NAME);
        let first = |split: &Key| lock < place.full(split.as_str());
        if !place.holds_its_state() || splits.len() > FEW || !splits.iter().all(first) {
            return Ok(None);
        }
        let pages = listing::first_pages(&place.bucket, &place.prefix, splits).await?;
        Ok(Some(Self(pages)))
    }

    /// Whether nobody deployed between the page that shows the lock and the reading of lock and head.
    pub fn stands(&self, place: &Place, lock: &Observed, head: &HeadState) -> bool {
        let Some(page) = self.0.first() else {
            return false;
        };
        let shows = |name, etag: Option<&ETag>| {
            let key = place.store.key(name);
            let shown = page.objects.iter().find(|object| *object.key == *key);
            shown.map(|object| &object.etag) == etag
        };
        lock.is_given_back()
            && shows(lock::NAME, lock.etag.as_ref())
            && shows(head::NAME, head.etag())
    }

    /// The pages that stand, by the manifest that the head names; without one the page that shows the lock.
    pub fn pages(self, place: &Place, manifest: Option<&Manifest>) -> Vec<Shown> {
        let debts = place.store.key(debt::FOLDER);
        let owes = |object: &Listed| object.key.starts_with(&debts);
        let mut pages = self.0;
        let owing = pages.iter().any(|page| page.objects.iter().any(owes));
        let manifest = manifest.filter(|_| !owing);
        let mut shows_lock = true;
        pages.retain(|page| {
            std::mem::take(&mut shows_lock)
                || manifest.is_some_and(|manifest| is_as_noted(page, place, manifest))
        });
        pages
    }
}

/// Whether a page shows exactly what the manifest says.
fn is_as_noted(page: &Shown, place: &Place, manifest: &Manifest) -> bool {
    let there = manifest
        .entries
        .iter()
        .filter(|(_, entry)| !matches!(entry.life, Life::Tombstone { .. }))
        .map(|(key, entry)| (place.full(key.as_str()), &entry.etag))
        .filter(|(key, _)| page.covers(key));
    let shown = page.objects.iter();
    there.eq(shown.map(|object| (object.key.to_string(), &object.etag)))
}
