//! The wish to stop: Ctrl-C or SIGTERM.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// How long requests under way may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Shared by all that should stop. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct StopSignal {
    set: Arc<watch::Sender<bool>>,
}

impl Default for StopSignal {
    fn default() -> Self {
        Self {
            set: Arc::new(watch::Sender::new(false)),
        }
    }
}

impl StopSignal {
    pub(crate) fn set(&self) {
        self.set.send_replace(true);
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.set.borrow()
    }

    /// Returns once it is set.
    pub(crate) async fn wished(&self) {
        // The sender lives as long as whoever waits.
        let _ = self.set.subscribe().wait_for(|set| *set).await;
    }

    /// Returns when nothing under way is waited for any more: it has been set for long.
    pub(crate) async fn expired(&self) {
        self.wished().await;
        tokio::time::sleep(PATIENCE).await;
    }

    /// Sleeps, or until it is set.
    pub(crate) async fn sleep(&self, duration: Duration) {
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            () = self.wished() => {}
        }
    }
}
