//! Many requests at once: as many as pay. It begins moderately, grows while nothing asks it to slow down, halves when
//! something does, and grows again.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::stop::StopSignal;
use crate::aws::RequestWatch;

/// Requests at once in the beginning.
const FIRST: usize = 64;
/// So many all go at once, where there are no more.
const FEW: usize = 128;
/// What twice as many at once must bring, or the level is found.
const WORTH: f64 = 1.15;
/// What is measured in less says little.
const MEASURE: Duration = Duration::from_millis(50);
/// Rounds of answers after which more is tried again.
const PATIENCE: usize = 16;
/// One answer of "slow down" speaks for all that were under way with it.
const SETTLE: Duration = Duration::from_millis(500);

/// How many requests are under way at once, kept over the stages of a deploy.
#[derive(Debug)]
pub(crate) struct ConcurrencyLevel {
    now: usize,
    most: usize,
    watch: RequestWatch,
    throttled: u64,
    slowed: Instant,
    /// Something asked us to slow down: from then on one is added at a time.
    careful: bool,
    answers: usize,
    /// Answers a second at half the level, while it is seen whether this one is worth it.
    half: Option<f64>,
    /// When the round of answers at hand began.
    since: Instant,
    /// Rounds since the level changed.
    rounds: usize,
}

impl ConcurrencyLevel {
    pub(crate) fn new(most: usize, watch: RequestWatch) -> Self {
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
            half: Some(0.0),
            since: Instant::now(),
            rounds: 0,
        }
    }

    /// A few requests all begin at once.
    fn begin(&mut self, requests: usize) {
        if requests <= FEW && !self.careful {
            self.now = self.now.max(requests).min(self.most);
        }
    }

    /// An answer came; `full`: there were as many under way as may be.
    fn answered(&mut self, full: bool) {
        let throttled = self.watch.throttled();
        if throttled > self.throttled {
            self.throttled = throttled;
            if self.slowed.elapsed() > SETTLE || !self.careful {
                self.change(self.now / 2, None);
                self.slowed = Instant::now();
                self.careful = true;
            }
        } else if !full {
            // What was measured is not what the level can do.
            self.change(self.now, self.half);
        } else {
            self.answers += 1;
            let time = self.since.elapsed();
            // The first answers are to requests from before.
            if self.answers >= self.now && (self.rounds == 0 || time >= MEASURE) {
                self.round(time);
            }
        }
    }

    /// As many answers as are under way at once, or more, came within `time`.
    fn round(&mut self, time: Duration) {
        let rate = self.answers as f64 / time.as_secs_f64().max(1e-6);
        (self.answers, self.since) = (0, Instant::now());
        self.rounds += 1;
        match self.half {
            _ if self.careful => self.change((self.now + 1).min(self.most), None),
            Some(_) if self.rounds < 2 => {}
            Some(half) if rate <= half * WORTH => self.change(self.now / 2, None),
            None if self.rounds < PATIENCE => {}
            _ if self.now == self.most => self.change(self.now, None),
            _ => self.change((self.now * 2).min(self.most), Some(rate)),
        }
    }

    fn change(&mut self, now: usize, half: Option<f64>) {
        (self.now, self.half) = (now.max(1), half);
        (self.answers, self.rounds, self.since) = (0, 0, Instant::now());
    }
}

/// How a pool's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolEnd {
    /// All that were begun ended.
    Ended,
    /// Some were given up while they were under way.
    Abandoned,
}

/// Runs a task per item, telling `done` of each that ended, until all are or `done` answers false or `stop` is set. What is
/// under way is awaited, but no longer than the patience of `stop`.
pub(crate) async fn run<I, T, F>(
    level: &mut ConcurrencyLevel,
    stop: &StopSignal,
    items: I,
    mut start: impl FnMut(I::Item) -> F,
    mut done: impl FnMut(T) -> bool,
) -> PoolEnd
where
    I: IntoIterator,
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut items = items.into_iter();
    level.begin(items.size_hint().0);
    let mut tasks = JoinSet::new();
    let (mut going, mut left) = (true, true);
    loop {
        while going && left && tasks.len() < level.now && !stop.is_set() {
            match items.next() {
                Some(item) => drop(tasks.spawn(start(item))),
                None => left = false,
            }
        }
        let joined = tokio::select! {
            joined = tasks.join_next() => joined,
            () = stop.expired() => break,
        };
        let Some(joined) = joined else {
            return PoolEnd::Ended;
        };
        // None is aborted so far, so what failed to join has panicked.
        let result = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        level.answered(tasks.len() + 1 >= level.now && left);
        going &= done(result);
    }
    let is_idle = tasks.is_empty();
    tasks.abort_all();
    if is_idle {
        PoolEnd::Ended
    } else {
        PoolEnd::Abandoned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers come as a server gives them that takes this long, and does so much a second.
    fn after(seconds: f64, latency: f64, most_a_second: f64) -> usize {
        let mut level = ConcurrencyLevel::new(256, RequestWatch::default());
        let mut clock = 0.0;
        while clock < seconds {
            let time = (level.now as f64 / most_a_second).max(latency);
            level.answers = level.now;
            level.round(Duration::from_secs_f64(time));
            clock += time;
        }
        level.now
    }

    #[test]
    fn the_level_grows_while_that_pays() {
        assert_eq!(after(0.5, 0.03, 100_000.0), 256);
        assert_eq!(after(10.0, 0.03, 3_000.0), 128);
        assert_eq!(after(1.0, 0.0002, 300.0), FIRST);
    }

    #[test]
    fn the_level_halves_once_and_recovers() {
        let mut level = ConcurrencyLevel::new(100, RequestWatch::default());
        level.careful = true;
        level.now = 10;
        for _ in 0..10 {
            level.answered(true);
        }
        assert_eq!(level.now, 11);
    }

    #[test]
    fn a_few_go_at_once() {
        for (most, requests, now) in [
            (256, 10, 64),
            (256, 100, 100),
            (80, 100, 80),
            (256, 1000, 64),
        ] {
            let mut level = ConcurrencyLevel::new(most, RequestWatch::default());
            level.begin(requests);
            assert_eq!(level.now, now);
        }
    }

    #[test]
    fn what_is_not_full_says_nothing() {
        let mut level = ConcurrencyLevel::new(256, RequestWatch::default());
        (0..1000).for_each(|_| level.answered(false));
        assert_eq!((level.now, level.rounds), (FIRST, 0));
    }
}
