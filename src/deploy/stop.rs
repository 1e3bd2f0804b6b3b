//! The wish to stop: Ctrl-C, SIGTERM, or a lock that was lost.

use std::time::Duration;

use tokio::sync::watch;

/// How long requests under way may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Shared by all that should stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stop {
    set: watch::Receiver<bool>,
    sender: std::sync::Arc<watch::Sender<bool>>,
}

impl Default for Stop {
    fn default() -> Self {
        let (sender, set) = watch::channel(false);
        Self {
            set,
            sender: std::sync::Arc::new(sender),
        }
    }
}

impl Stop {
    pub fn set(&self) {
        self.sender.send_replace(true);
    }

    pub fn is_set(&self) -> bool {
        *self.set.borrow()
    }

    /// Returns once it is set.
    pub async fn wished(&self) {
        let mut set = self.set.clone();
        // The sender lives as long as this does.
        let _ = set.wait_for(|set| *set).await;
    }

    /// Returns when it has been set for so long that nothing under way is waited for any more.
    pub async fn expired(&self) {
        self.wished().await;
        tokio::time::sleep(PATIENCE).await;
    }

    /// Sleeps, or until it is set.
    pub async fn sleep(&self, duration: Duration) {
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            () = self.wished() => {}
        }
    }
}
