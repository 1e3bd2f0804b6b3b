//! The one error that a command ends with: what failed, why, and what the user can do about it.

use std::fmt;

use crate::aws::{AwsError, AwsErrorKind};

/// How the process ends. The numbers, and the words for programs, are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; also: nothing to do.
    Done = 0,
    Failed = 1,
    /// Usage or configuration.
    Usage = 2,
    /// `plan --check` found changes, or a budget is passed.
    Changes = 3,
    /// Some of it is live; the next deploy finishes it.
    Incomplete = 4,
    /// Verification failed, or the wait ran out.
    Stale = 5,
    /// Another deploy holds the lock.
    Locked = 6,
    Interrupted = 130,
}

impl Exit {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Changes => "changes",
            Self::Incomplete => "incomplete",
            Self::Stale => "stale",
            Self::Locked => "locked",
            Self::Interrupted => "interrupted",
        }
    }
}

/// An error as it is shown: `error: MESSAGE`, a line per cause, `hint: HINT`.
#[derive(Debug, Clone)]
pub struct Error {
    pub exit: Exit,
    pub message: String,
    pub causes: Vec<String>,
    pub hint: Option<String>,
    /// What AWS's error was, where one is at the bottom of it.
    pub kind: Option<AwsErrorKind>,
}

impl Error {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            kind: None,
        }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something is live already, so the next deploy has to finish it.
    pub fn incomplete(message: impl Into<String>) -> Self {
        Self::new(Exit::Incomplete, message)
    }

    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(Exit::Interrupted, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<AwsError> for Error {
    fn from(error: AwsError) -> Self {
        Self {
            hint: error.hint(),
            kind: Some(error.kind.clone()),
            ..Self::failed(error.to_string())
        }
    }
}
