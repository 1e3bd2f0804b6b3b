//! Which process holds the lock, and whether it is still alive as far as this host can tell.

use std::fs;

use serde::{Deserialize, Serialize};

/// The process that holds a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    pub user: String,
    pub host: String,
    /// Empty where the system tells none.
    pub boot_id: String,
    /// Tells the process ids of containers on one host apart.
    pub pid_space: String,
    pub pid: u32,
}

impl Owner {
    /// This process.
    pub fn here() -> Self {
        let user = ["USER", "LOGNAME", "USERNAME"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let pid_space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            user: user.unwrap_or_else(|| "unknown".to_owned()),
            host: host(),
            boot_id: boot_id.trim().to_owned(),
            pid_space: pid_space.to_string_lossy().into_owned(),
            pid: std::process::id(),
        }
    }

    /// Whether `other` ran beside this process and certainly runs no more. Where nothing is certain it may still run.
    pub fn knows_dead(&self, other: &Self) -> bool {
        let same_place = self.host == other.host
            && self.boot_id == other.boot_id
            && self.pid_space == other.pid_space;
        let told = !other.boot_id.is_empty() && !other.pid_space.is_empty();
        same_place && told && other.pid != self.pid && !runs(other.pid)
    }
}

pub(crate) fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Whether a process of this id runs; one that has ended and waits for its parent to ask does not.
fn runs(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The name before it may hold anything, brackets too.
        Ok(stat) => !matches!(
            stat.rsplit_once(')')
                .and_then(|(_, rest)| rest.trim_start().chars().next()),
            Some('Z' | 'X')
        ),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}
