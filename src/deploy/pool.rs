//! Many requests at once: as many as pay. It begins moderately, grows while nothing asks it to slow down, halves when
//! something does, and grows again.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::stop::Stop;
use crate::aws::Watch;

/// Requests at once in the beginning.
const FIRST: usize = 64;
/// One answer of "slow down" speaks for all that were under way with it.
const SETTLE: Duration = Duration::from_millis(500);

/// How many requests are under way at once, kept over the stages of a deploy.
#[derive(Debug)]
pub struct Level {
    now: usize,
    most: usize,
    watch: Watch,
    throttled: u64,
    slowed: Instant,
    /// No longer doubling every round trip, but adding one.
    careful: bool,
    answers: usize,
}

impl Level {
    pub fn new(most: usize, watch: Watch) -> Self {
        let most = most.max(1);
        let throttled = watch.throttled();
        Self {
            now: FIRST.min(most),
            most,
            watch,
            throttled,
            slowed: Instant::now(),
            careful: false,
            answers: 0,
        }
    }

    /// How many of so many requests are begun at once.
    pub fn first(&self, requests: usize) -> usize {
        self.now.min(requests)
    }

    fn answered(&mut self) {
        let throttled = self.watch.throttled();
        if throttled > self.throttled {
            self.throttled = throttled;
            if self.slowed.elapsed() > SETTLE || !self.careful {
                self.now = (self.now / 2).max(1);
                self.slowed = Instant::now();
                self.careful = true;
                self.answers = 0;
            }
            return;
        }
        self.answers += 1;
        if !self.careful || self.answers >= self.now {
            self.answers = 0;
            self.now = (self.now + 1).min(self.most);
        }
    }
}

/// Runs a task per item, telling `done` of each that ended, until all are or `done` answers false or `stop` is set. What is
/// under way is awaited in any case. Answers whether all items were begun.
pub async fn run<I, T, F>(
    level: &mut Level,
    stop: &Stop,
    items: I,
    mut start: impl FnMut(I::Item) -> F,
    mut done: impl FnMut(T) -> bool,
) -> bool
where
    I: IntoIterator,
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut items = items.into_iter();
    let mut tasks = JoinSet::new();
    let (mut going, mut left) = (true, true);
    loop {
        while going && left && tasks.len() < level.now && !stop.is_set() {
            match items.next() {
                Some(item) => drop(tasks.spawn(start(item))),
                None => left = false,
            }
        }
        let ended = tokio::select! {
            ended = tasks.join_next() => ended,
            () = stop.expired() => {
                tasks.abort_all();
                return false;
            }
        };
        match ended {
            Some(Ok(result)) => {
                level.answered();
                going &= done(result);
            }
            // A task that panicked is a bug; its item counts as not done.
            Some(Err(_)) => going = false,
            None if !left => return true,
            None if !going || stop.is_set() => return false,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_halves_once_and_recovers() {
        let mut level = Level::new(100, Watch::default());
        for _ in 0..100 {
            level.answered();
        }
        assert_eq!(level.now, 100);
        level.careful = true;
        level.now = 10;
        for _ in 0..10 {
            level.answered();
        }
        assert_eq!(level.now, 11);
    }
}
