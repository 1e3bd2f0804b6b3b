//! Which process holds the lease, for people.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessOwner {
    pub user: String,
    pub host: String,
    pub pid: u32,
}

impl ProcessOwner {
    /// Describes this process.
    pub fn here() -> Self {
        let user = ["USER", "LOGNAME", "USERNAME"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
        let host = rustix::system::uname();
        Self {
            user: user.unwrap_or_else(|| "unknown".to_owned()),
            host: host.nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
        }
    }
}

impl fmt::Display for ProcessOwner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}@{} (pid {})", self.user, self.host, self.pid)
    }
}
