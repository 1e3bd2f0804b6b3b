//! Which process holds the lease, for people.

use std::fmt;

use crate::system::host_name;
use serde::{Deserialize, Serialize};

/// A user whom no variable names.
const UNKNOWN: &str = "unknown";

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
        Self {
            user: user.unwrap_or_else(|| UNKNOWN.to_owned()),
            host: host_name(),
            pid: std::process::id(),
        }
    }
}

impl fmt::Display for ProcessOwner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = place(&self.user, &self.host);
        write!(out, "{place} (pid {})", self.pid)
    }
}

/// Writes `user@host`, or the host alone where nobody knows the user.
pub fn place(user: &str, host: &str) -> String {
    match user {
        UNKNOWN => host.to_owned(),
        user => format!("{user}@{host}"),
    }
}
