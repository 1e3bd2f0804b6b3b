//! How many bytes are on their way at once: what memory has room for, and no more than the line carries in time. A line that is
//! asked for more answers nobody: attempts run out of time, the lease's renewal among them, and begin anew. With it 8 MB in 801 files
//! take 71 s over 1 Mbit/s, of which the line needs 64 s.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::aws::s3::SLOWEST;

/// Room is shared out in these; a small body costs at least one.
const GRAIN: u64 = 4 << 10;
/// What is on its way should arrive within so many seconds: half of what one attempt may take.
const IN_TIME: u64 = 5;
/// Bytes at once before anything is known of the line.
const FIRST: u64 = IN_TIME * SLOWEST;

#[derive(Debug)]
pub(super) struct TransferBudget {
    free: Arc<Semaphore>,
    /// Grains, free or taken.
    now: AtomicU32,
    most: u32,
    begun: OnceLock<Instant>,
    arrived: AtomicU64,
}

impl TransferBudget {
    /// `memory` in bytes.
    pub(super) fn new(memory: u64) -> Self {
        let most = grains(memory);
        let now = grains(FIRST).min(most);
        Self {
            free: Arc::new(Semaphore::new(now as usize)),
            now: AtomicU32::new(now),
            most,
            begun: OnceLock::new(),
            arrived: AtomicU64::new(0),
        }
    }

    /// Waits for room, which is held as long as what comes back; a body that is larger than all of it goes alone.
    pub(super) async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let wanted = grains(bytes + GRAIN).min(self.now.load(Ordering::Relaxed));
        let taken = self.free.clone().acquire_many_owned(wanted).await;
        self.begun.get_or_init(Instant::now);
        taken.ok()
    }

    /// So many bytes arrived: the line is as fast as all of them tell.
    pub(super) fn arrived(&self, bytes: u64) {
        let time = self.begun.get().map(Instant::elapsed).unwrap_or_default();
        let total = self.arrived.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.grow(total, time);
    }

    fn grow(&self, arrived: u64, time: Duration) {
        let rate = arrived as f64 / time.as_secs_f64().max(1e-3);
        let to = grains((rate * IN_TIME as f64) as u64).min(self.most);
        let from = self.now.fetch_max(to, Ordering::Relaxed);
        self.free.add_permits(to.saturating_sub(from) as usize);
    }
}

fn grains(bytes: u64) -> u32 {
    let most = u32::MAX >> 4;
    u32::try_from(bytes / GRAIN).unwrap_or(most).clamp(1, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_grows_with_the_line_and_no_further_than_memory() {
        let room = TransferBudget::new(8 << 20);
        for (arrived, millis, expected) in [
            (10_000, 1_000, FIRST),
            (60_000, 1_000, FIRST),
            (1 << 20, 1_000, 5 << 20),
            // It does not shrink: what is under way is under way.
            (1 << 20, 10_000, 5 << 20),
            (1 << 30, 1_000, 8 << 20),
        ] {
            room.grow(arrived, Duration::from_millis(millis));
            let now = u64::from(room.now.load(Ordering::Relaxed)) * GRAIN;
            assert_eq!(now, expected, "{arrived} bytes in {millis} ms");
            assert_eq!(room.free.available_permits() as u64 * GRAIN, now);
        }
    }

    #[tokio::test]
    async fn what_is_larger_than_all_goes_alone() {
        let room = TransferBudget::new(1 << 30);
        let large = room.take(1 << 29).await;
        assert_eq!(room.free.available_permits(), 0);
        drop(large);
        let _small = room.take(1).await;
        assert_eq!(room.free.available_permits() as u64, FIRST / GRAIN - 1);
    }
}
