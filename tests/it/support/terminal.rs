//! A terminal for the binary, with somebody at it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// One side of a pseudoterminal of 80 columns; the binary has the other.
pub struct Terminal {
    keys: File,
    path: String,
    shown: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    pub fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let path = path.into_string().unwrap();
        let shown = Arc::<Mutex<String>>::default();
        let (mut screen, seen) = (
            File::from(OwnedFd::try_clone(&master).unwrap()),
            shown.clone(),
        );
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Once nobody has the other side, reading fails.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                seen.lock().unwrap().push_str(&text);
            }
        });
        Self {
            keys: File::from(master),
            path,
            shown,
            reader,
        }
    }

    /// The binary's side.
    pub fn side(&self) -> Stdio {
        let mut options = OpenOptions::new();
        // It does not become the terminal of the tests.
        let options = options.custom_flags(OFlags::NOCTTY.bits().cast_signed());
        let file = options.read(true).write(true).open(&self.path);
        file.unwrap().into()
    }

    pub fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    /// All that it showed until the binary ended, what was typed too.
    pub fn ended(self) -> String {
        let Self { shown, reader, .. } = self;
        reader.join().unwrap();
        shown.lock().unwrap().replace('\r', "")
    }

    fn shown(&self) -> String {
        self.shown.lock().unwrap().replace('\r', "")
    }

    /// Returns once it shows these words.
    pub async fn shows(&self, words: &str) {
        for _ in 0..1000 {
            if self.shown().contains(words) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("`{words}` is missing:\n{}", self.shown());
    }
}
