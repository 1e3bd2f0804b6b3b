//! A store's folder: contents by their hash, and a journal of all changes, rewritten as an index at each start. No path
//! is ever made from a key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::bucket::ContentId;
use super::store::Record;

/// What a file system refused, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", path.display())]
pub struct DiskError {
    /// The file or the folder.
    pub path: PathBuf,
    /// What it said.
    pub cause: io::Error,
}

pub(crate) struct Disk {
    root: PathBuf,
    journal: Mutex<Option<Journal>>,
}

struct Journal {
    file: File,
    length: u64,
}

/// A file that goes away unless it is kept.
pub(crate) struct Temporary {
    path: PathBuf,
    pub file: File,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, DiskError> {
    result.map_err(|cause| DiskError {
        path: path.to_owned(),
        cause,
    })
}

impl Disk {
    /// Opens a folder, making it where it is missing. The caller holds its lock.
    pub(crate) fn open(root: &Path) -> Result<Self, DiskError> {
        for folder in [root.join("content"), root.join("incoming")] {
            at(&folder, fs::create_dir_all(&folder))?;
        }
        let incoming = root.join("incoming");
        for left in at(&incoming, fs::read_dir(&incoming))?.flatten() {
            let _ = fs::remove_file(left.path());
        }
        Ok(Self {
            root: root.to_owned(),
            journal: Mutex::new(None),
        })
    }

    fn journal_path(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// Where a content lies: `content/ab/abcd...`.
    pub(crate) fn path(&self, content: &ContentId) -> PathBuf {
        let name = content_name(content);
        let folder = name.get(..2).unwrap_or("00").to_owned();
        self.root.join("content").join(folder).join(name)
    }

    /// Reads the journal. A last line that was cut short is what a crash left: it is passed over.
    pub(super) fn load<T>(&self, mut apply: impl FnMut(Record) -> T) -> Result<(), DiskError> {
        let path = self.journal_path();
        let file = match File::open(&path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => at(&path, other)?,
        };
        for line in BufReader::new(file).split(b'\n') {
            if let Ok(record) = serde_json::from_slice(&at(&path, line)?) {
                apply(record);
            }
        }
        Ok(())
    }

    /// Writes the journal anew with what is there now, and removes contents that nothing uses.
    pub(super) fn compact(
        &self,
        records: impl Iterator<Item = Record>,
        used: impl Fn(&ContentId) -> bool,
    ) -> Result<(), DiskError> {
        let path = self.journal_path();
        if let Err(error) = self.rewrite(records) {
            // A full disk can only be freed by what the old journal allows.
            let _ = fs::remove_file(self.root.join("journal.new"));
            at(&path, cut_torn_line(&path)).map_err(|_| error)?;
        }
        let file = at(&path, OpenOptions::new().append(true).open(&path))?;
        let length = at(&path, file.metadata())?.len();
        *self.lock_journal() = Some(Journal { file, length });
        self.sweep(used)
    }

    fn rewrite(&self, records: impl Iterator<Item = Record>) -> Result<(), DiskError> {
        let path = self.journal_path();
        let fresh = self.root.join("journal.new");
        let mut out = BufWriter::new(at(&fresh, File::create(&fresh))?);
        for record in records {
            at(&fresh, write_record(&mut out, &record))?;
        }
        at(&fresh, out.flush())?;
        at(&fresh, out.get_ref().sync_all())?;
        at(&path, fs::rename(&fresh, &path))
    }

    fn sweep(&self, used: impl Fn(&ContentId) -> bool) -> Result<(), DiskError> {
        let contents = self.root.join("content");
        for folder in at(&contents, fs::read_dir(&contents))?.flatten() {
            for file in at(&folder.path(), fs::read_dir(folder.path()))?.flatten() {
                let name = file.file_name();
                let content = name.to_str().and_then(content_of_name);
                if content.is_some_and(|content| !used(&content)) {
                    let _ = fs::remove_file(file.path());
                }
            }
        }
        Ok(())
    }

    fn lock_journal(&self) -> std::sync::MutexGuard<'_, Option<Journal>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one change; where that fails (a full disk) the journal is as before.
    pub(super) fn append(&self, record: &Record) -> Result<(), DiskError> {
        let path = self.journal_path();
        let mut guard = self.lock_journal();
        let Some(journal) = guard.as_mut() else {
            return Ok(());
        };
        let mut line = Vec::new();
        at(&path, write_record(&mut line, record))?;
        if let Err(cause) = journal.file.write_all(&line) {
            let _ = journal.file.set_len(journal.length);
            return Err(DiskError { path, cause });
        }
        journal.length += line.len() as u64;
        Ok(())
    }

    /// A new file for content that is still coming.
    pub(crate) fn temporary(&self) -> Result<Temporary, DiskError> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let path = self.root.join("incoming").join(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let file = at(&path, options.open(&path))?;
        Ok(Temporary { path, file })
    }

    /// Gives a temporary file its place among the contents.
    pub(super) fn keep(&self, file: Temporary, content: &ContentId) -> Result<(), DiskError> {
        let path = self.path(content);
        if self.has(content) {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            at(folder, fs::create_dir_all(folder))?;
        }
        at(&path, fs::rename(&file.path, &path))
    }

    pub(super) fn has(&self, content: &ContentId) -> bool {
        fs::metadata(self.path(content)).is_ok_and(|file| file.len() == content.size)
    }

    pub(super) fn forget(&self, content: &ContentId) {
        let _ = fs::remove_file(self.path(content));
    }

    pub(crate) fn open_content(&self, content: &ContentId) -> Result<File, DiskError> {
        let path = self.path(content);
        at(&path, File::open(&path))
    }

    pub(super) fn read(&self, content: &ContentId) -> Result<Bytes, DiskError> {
        let mut bytes = Vec::new();
        let mut file = self.open_content(content)?;
        at(&self.path(content), file.read_to_end(&mut bytes))?;
        Ok(Bytes::from(bytes))
    }
}

impl Temporary {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        at(&self.path, self.file.write_all(bytes))
    }

    /// The file from its beginning, for reading.
    pub(crate) fn reopen(&self) -> Result<File, DiskError> {
        at(&self.path, File::open(&self.path))
    }
}

/// Ends a journal with its last whole line.
fn cut_torn_line(path: &Path) -> io::Result<()> {
    let text = fs::read(path)?;
    let end = text.iter().rposition(|byte| *byte == b'\n');
    let whole = end.map_or(0, |end| end as u64 + 1);
    OpenOptions::new().write(true).open(path)?.set_len(whole)
}

fn write_record(out: &mut impl Write, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

fn content_name(content: &ContentId) -> String {
    format!("{}-{:016x}-{}", content.md5, content.crc64, content.size)
}

fn content_of_name(name: &str) -> Option<ContentId> {
    let mut parts = name.split('-');
    let content = ContentId {
        md5: super::digest::Md5::from_hex(parts.next()?)?,
        crc64: u64::from_str_radix(parts.next()?, 16).ok()?,
        size: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(content)
}
