//! Opens the user's browser.

use std::process::{Command, Stdio};

use crate::system::{OPENER, in_group_of_its_own};

/// Opens a URL in the browser that BROWSER names, else in the desktop's own. Returns false where there is none.
pub(super) fn open(url: &str) -> bool {
    let set = std::env::var("BROWSER").unwrap_or_default();
    // Several are parted by colons; the first is the one that is liked best.
    let first = set.split(':').next().unwrap_or_default();
    let mut words = first.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or(OPENER));
    let mut is_named = false;
    for word in words {
        is_named |= word.contains("%s");
        command.arg(word.replace("%s", url));
    }
    if !is_named {
        command.arg(url);
    }
    in_group_of_its_own(&mut command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .is_ok()
}
