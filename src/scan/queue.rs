//! The files found and not hashed yet, between the walk and the readers.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::object::Key;

/// Files handed to a reader at once: one by one they cost more in locks than in reading.
pub(super) const BATCH: usize = 64;

/// Files to be hashed, in batches.
#[derive(Default)]
pub(super) struct FileQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    batches: VecDeque<Vec<Key>>,
    /// Batches in the hands of readers, who may give some back.
    busy: usize,
    walked: bool,
    stopped: bool,
}

impl FileQueue {
    pub(super) fn add(&self, batch: Vec<Key>) {
        self.state().batches.push_back(batch);
        self.changed.notify_one();
    }

    /// Says that no more will be added.
    pub(super) fn walked(&self) {
        self.state().walked = true;
        self.changed.notify_all();
    }

    /// Has nothing more done.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Waits for the next batch; `None` when all is done or stopped. Each batch is to be [`Self::finish`]ed.
    pub(super) fn take(&self) -> Option<Vec<Key>> {
        let mut state = self.state();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(batch) = state.batches.pop_front() {
                state.busy += 1;
                return Some(batch);
            }
            if state.walked && state.busy == 0 {
                return None;
            }
            state = (self.changed.wait(state)).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn finish(&self) {
        let mut state = self.state();
        state.busy = state.busy.saturating_sub(1);
        if state.walked && state.busy == 0 {
            self.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops everything when it is dropped: on an error, on a panic, and when nobody waits for the scan any more.
pub(super) struct StopOnDrop<'a>(pub(super) &'a FileQueue);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(key: &str) -> Vec<Key> {
        vec![Key::new(key)]
    }

    #[test]
    fn what_a_reader_gives_back_is_handed_out_again() {
        let queue = FileQueue::default();
        queue.add(batch("a"));
        queue.walked();
        assert_eq!(queue.take(), Some(batch("a")));
        // Another reader waits as long as the first may still give some back.
        std::thread::scope(|threads| {
            let other = threads.spawn(|| queue.take());
            queue.add(batch("b"));
            queue.finish();
            assert_eq!(other.join().expect("no panic"), Some(batch("b")));
        });
        queue.finish();
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn once_stopped_nothing_is_handed_out() {
        let queue = FileQueue::default();
        queue.add(batch("a"));
        drop(StopOnDrop(&queue));
        assert!(queue.is_stopped());
        assert_eq!(queue.take(), None);
    }
}
