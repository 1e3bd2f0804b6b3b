//! The one clock of a world: real by default, or set and moved by a test, so that days cost nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Cheap to clone; all clones show the same time.
#[derive(Clone, Default)]
pub struct Clock(Arc<Mutex<ClockState>>);

#[derive(Default)]
struct ClockState {
    /// Where the clock stands still; `None` runs with the machine's.
    frozen: Option<SystemTime>,
    ahead: Duration,
}

impl Clock {
    /// A clock that stands at `time` until it is moved.
    pub fn at(time: SystemTime) -> Self {
        let clock = Self::default();
        clock.set(time);
        clock
    }

    /// Returns what it shows.
    pub fn now(&self) -> SystemTime {
        let state = self.state();
        state.frozen.unwrap_or_else(SystemTime::now) + state.ahead
    }

    /// Milliseconds since the epoch.
    pub(crate) fn millis(&self) -> i64 {
        jiff::Timestamp::try_from(self.now()).map_or(0, jiff::Timestamp::as_millisecond)
    }

    /// Stops the clock at `time`.
    pub fn set(&self, time: SystemTime) {
        *self.state() = ClockState {
            frozen: Some(time),
            ahead: Duration::ZERO,
        };
    }

    /// Moves the clock forward, whether it runs or stands.
    pub fn advance(&self, by: Duration) {
        self.state().ahead += by;
    }

    fn state(&self) -> MutexGuard<'_, ClockState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As HTTP headers want a time: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(time: SystemTime) -> String {
    stamp(time, "%a, %d %b %Y %H:%M:%S GMT")
}

/// As AWS's XML wants a time: `1994-11-06T08:49:37.000Z`.
pub fn iso_date(time: SystemTime) -> String {
    stamp(time, "%Y-%m-%dT%H:%M:%S.%3fZ")
}

fn stamp(time: SystemTime, format: &str) -> String {
    jiff::Timestamp::try_from(time)
        .map(|timestamp| timestamp.strftime(format).to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_and_aws_write_them() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(iso_date(time), "1994-11-06T08:49:37.000Z");
    }

    #[test]
    fn a_set_clock_stands_until_it_is_moved() {
        let clock = Clock::at(SystemTime::UNIX_EPOCH);
        clock.clone().advance(Duration::from_secs(86_400));
        assert_eq!(
            clock.now(),
            SystemTime::UNIX_EPOCH + Duration::from_secs(86_400)
        );
    }
}
