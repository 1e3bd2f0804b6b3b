//! The real binary, run as a child with a clean environment.

use std::ffi::OsStr;
use std::fs::File;
use std::future::{Future, IntoFuture};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::pty::{self, OpenptFlags};
use rustix::termios::Winsize;
use serde_json::Value;
use tempfile::TempDir;

use super::Terminal;

/// A command line that is not run yet; awaiting it runs it.
pub struct Unstale {
    command: Command,
    line: String,
    // Kept until the process ended.
    home: Arc<TempDir>,
}

impl Unstale {
    /// With a home of its own, and keys that open nothing.
    pub fn new(command: &str) -> Self {
        Self::at_home(command, Arc::new(TempDir::new().unwrap()))
    }

    /// With a home that other runs share: its cache of hashes lies there.
    pub fn at_home(words: &str, home: Arc<TempDir>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unstale"));
        command
            .env_clear()
            .env("HOME", home.path())
            .env("XDG_CACHE_HOME", home.path().join("cache"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "us-east-1")
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let new = Self {
            command,
            line: "unstale".to_owned(),
            home,
        };
        new.with(words)
    }

    /// More words of the command line, separated by spaces.
    pub fn with(self, words: &str) -> Self {
        words.split_whitespace().fold(self, Self::arg)
    }

    /// One more argument, whatever it holds.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.line.push(' ');
        self.line.push_str(&argument.as_ref().to_string_lossy());
        self.command.arg(argument);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Reads this, instead of nothing.
    pub fn stdin(mut self, input: impl Into<Stdio>) -> Self {
        self.command.stdin(input);
        self
    }

    /// Runs at a terminal, but for stdout.
    pub fn at(mut self, terminal: &Terminal) -> Self {
        self.command.stdin(terminal.side()).stderr(terminal.side());
        self
    }

    /// Runs in this folder, where deploy.toml is looked for.
    pub fn within(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Starts it, to be looked at, signalled or killed.
    pub fn start(mut self) -> Started {
        let child = self.command.spawn().expect("the binary starts");
        Started {
            child,
            line: self.line,
            _home: self.home,
        }
    }
}

impl Unstale {
    /// Runs on a terminal of 80 columns, without colours. All that it prints is in `stdout`.
    pub async fn on_terminal(mut self) -> Ran {
        let master = pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        pty::grantpt(&master).unwrap();
        pty::unlockpt(&master).unwrap();
        let name = pty::ptsname(&master, Vec::new()).unwrap();
        let slave = File::options()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(OsStr::from_bytes(name.as_bytes()))
            .unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        rustix::termios::tcsetwinsize(&slave, size).unwrap();
        self.command
            .envs([("CI", "true"), ("NO_COLOR", "1"), ("TERM", "xterm")])
            .stdout(slave.try_clone().unwrap())
            .stderr(slave);
        let Self {
            mut command, line, ..
        } = self;
        let read = move || {
            let mut child = command.spawn().expect("the binary starts");
            // The terminal ends with its last writer.
            drop(command);
            let (mut master, mut said) = (File::from(master), Vec::new());
            // Then reading fails, on Linux.
            let _ = master.read_to_end(&mut said);
            (said, child.wait().unwrap())
        };
        let (said, status) = tokio::task::spawn_blocking(read).await.unwrap();
        let said = String::from_utf8(said).unwrap().replace("\r\n", "\n");
        let widest = said.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{said}");
        let output = Output {
            status,
            stdout: said.into_bytes(),
            stderr: Vec::new(),
        };
        Ran::new(line, output)
    }
}

impl IntoFuture for Unstale {
    type Output = Ran;
    type IntoFuture = Pin<Box<dyn Future<Output = Ran> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start().ended())
    }
}

/// A process of the binary.
pub struct Started {
    pub child: Child,
    line: String,
    _home: Arc<TempDir>,
}

impl Started {
    /// Waits for its end.
    pub async fn ended(self) -> Ran {
        let Self { child, line, _home } = self;
        let mut leash = Leash(Some(child.id()));
        let output = tokio::task::spawn_blocking(move || child.wait_with_output());
        let output = output.await.unwrap().unwrap();
        leash.0 = None;
        Ran::new(line, output)
    }

    /// Kills it as a crash would, and waits until it is gone.
    pub async fn killed(mut self) -> Ran {
        self.child.kill().unwrap();
        self.ended().await
    }
}

/// Ends a process that a failed test no longer waits for: the test's runtime would wait in its stead.
struct Leash(Option<u32>);

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            let _ = Command::new("kill")
                .args(["-KILL", &id.to_string()])
                .status();
        }
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    pub line: String,
    /// `None` where a signal ended it.
    pub exit: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn new(line: String, output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let ran = Self {
            line,
            exit: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!ran.stderr.contains("panicked"), "{ran}");
        ran
    }

    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        assert_eq!(self.exit, Some(status), "{self}");
        self
    }

    /// Holds these words somewhere in what it printed.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        let said = self.stdout.contains(words) || self.stderr.contains(words);
        assert!(said, "`{words}` is missing\n{self}");
        self
    }

    #[track_caller]
    pub fn never_says(self, words: &str) -> Self {
        let said = self.stdout.contains(words) || self.stderr.contains(words);
        assert!(!said, "`{words}` is there\n{self}");
        self
    }

    /// Every line of stdout, as `--json` prints them.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line);
        let lines: Result<Vec<Value>, _> = self.stdout.lines().map(parse).collect();
        lines.unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The last object of this type that `--json` printed.
    #[track_caller]
    pub fn told(&self, kind: &str) -> Value {
        let mut objects = self.json().into_iter().rev();
        let last = objects.find(|object| object["type"] == kind);
        last.unwrap_or_else(|| panic!("no {kind}: {self}"))
    }

    /// What `history --json` lists.
    #[track_caller]
    pub fn records(&self) -> Vec<Value> {
        let mut objects = self.json();
        objects.retain(|object| object["type"] != "summary");
        objects
    }

    /// The last line of `--json`.
    #[track_caller]
    pub fn summary(&self) -> Value {
        let last = self.json().pop().unwrap_or_default();
        assert_eq!(last["type"], "summary", "{self}");
        last
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "$ {}", self.line)?;
        writeln!(out, "exit {:?}", self.exit)?;
        writeln!(out, "--- stdout\n{}", self.stdout)?;
        writeln!(out, "--- stderr\n{}", self.stderr)
    }
}
