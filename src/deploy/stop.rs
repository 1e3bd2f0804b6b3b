//! The wish to stop: Ctrl-C, SIGTERM, or a lock that was lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// How long requests under way may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Shared by all that should stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stop {
    set: Arc<watch::Sender<bool>>,
    lost: Arc<watch::Sender<bool>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            set: Arc::new(watch::Sender::new(false)),
            lost: Arc::new(watch::Sender::new(false)),
        }
    }
}

impl Stop {
    pub fn set(&self) {
        self.set.send_replace(true);
    }

    pub fn is_set(&self) -> bool {
        *self.set.borrow()
    }

    /// The lock is another's: what is under way must not be tried again.
    pub fn lose(&self) {
        self.lost.send_replace(true);
    }

    /// Returns once it is set.
    pub async fn wished(&self) {
        is_true(&self.set).await;
    }

    /// Returns when nothing under way is waited for any more: it has been set for long, or the lock was lost.
    pub async fn expired(&self) {
        let impatient = async {
            self.wished().await;
            tokio::time::sleep(PATIENCE).await;
        };
        tokio::select! {
            () = impatient => {}
            () = is_true(&self.lost) => {}
        }
    }

    /// Sleeps, or until it is set.
    pub async fn sleep(&self, duration: Duration) {
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            () = self.wished() => {}
        }
    }
}

async fn is_true(sender: &watch::Sender<bool>) {
    // The sender lives as long as whoever waits.
    let _ = sender.subscribe().wait_for(|is| *is).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lost_lock_ends_waiting_at_once_and_is_no_wish_to_stop() {
        let stop = Stop::default();
        stop.lose();
        stop.expired().await;
        assert!(!stop.is_set());
    }
}
