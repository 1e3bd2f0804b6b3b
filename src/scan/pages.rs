//! Reads what pages and style sheets refer to, on all cores, and remembers it by their content beside the hashes.

use std::collections::HashMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use md5::{Digest, Md5 as Hasher};

use super::ScannedBuild;
use super::cache::name_of;
use super::file::LocalFile;
use crate::object::{Key, Md5};
use crate::rules::page_facts::PageFacts;
use crate::rules::page_reader::read_page;
use crate::rules::page_table::{PageTable, PageTableBuilder};
use crate::rules::style_links::read_style_sheet;
use crate::system::replace_file;

/// A larger page is for no reader, and a larger style sheet for no browser.
const MAX_BYTES: u64 = 16 << 20;

/// Tells whether a file's name is that of a page.
pub fn is_page_name(name: &Key) -> bool {
    name.extension().is_some_and(|end| {
        ["html", "htm", "xhtml"]
            .iter()
            .any(|page| end.eq_ignore_ascii_case(page))
    })
}

fn is_style_sheet(name: &Key) -> bool {
    name.extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("css"))
}

/// Returns what is known of the pages and style sheets of a build, by their content. What was read before is taken from `cache`, the
/// folder of the hash cache. A file that is not as it was hashed is left out: it will fail when it is uploaded. Blocks.
pub fn read_pages(build: &ScannedBuild, cache: Option<&Path>) -> PageTable {
    let place = cache.and_then(|folder| {
        let root = build.root.canonicalize().ok()?;
        Some((folder, format!("{}.pages", name_of(&root))))
    });
    let read = |(folder, name): &(&Path, String)| fs::read(folder.join(name)).ok();
    let known = place.as_ref().and_then(read);
    let known = known
        .and_then(|data| PageTable::decode(&data))
        .unwrap_or_default();
    let mut wanted: HashMap<Md5, &LocalFile> = HashMap::new();
    for file in build.files.iter().filter(|file| is_read(file)) {
        wanted.insert(file.md5, file);
    }
    let new = wanted.iter().filter(|(content, _)| !known.has(content));
    let new: Vec<&LocalFile> = new.map(|(_, file)| *file).collect();
    if new.is_empty() && known.len() == wanted.len() {
        return known;
    }
    let mut builder = PageTableBuilder::default();
    for file in &build.files {
        if wanted.contains_key(&file.md5) {
            builder.copy(&known, file.md5);
        }
    }
    for (content, facts) in read_all(&build.root, &new) {
        builder.add(content, &facts);
    }
    let table = builder.finish();
    if let Some((folder, name)) = place {
        let write = |mut file: fs::File| file.write_all(&table.encode()?);
        // Without it the next run is slower, and nothing else.
        let _ = replace_file(&folder.join(&name), write);
    }
    table
}

/// Tells whether a file is read by its name: a page or a style sheet.
pub fn is_read_name(name: &Key) -> bool {
    is_page_name(name) || is_style_sheet(name)
}

fn is_read(file: &LocalFile) -> bool {
    is_read_name(&file.key) && file.size <= MAX_BYTES
}

/// Reads these files on all cores, in no order.
fn read_all(root: &Path, files: &[&LocalFile]) -> Vec<(Md5, PageFacts)> {
    let next = AtomicUsize::new(0);
    let read = || {
        let mut all = Vec::new();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            all.extend(facts(root, file).map(|facts| (file.md5, facts)));
        }
        all
    };
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..cores.min(files.len()))
            .map(|_| scope.spawn(read))
            .collect();
        let read = readers.into_iter().map(|reader| match reader.join() {
            Ok(read) => read,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        read.flatten().collect()
    })
}

fn facts(root: &Path, file: &LocalFile) -> Option<PageFacts> {
    let content = fs::read(root.join(file.key.as_str())).ok()?;
    let digest: [u8; 16] = Hasher::digest(&content).into();
    let read = if is_style_sheet(&file.key) {
        read_style_sheet
    } else {
        read_page
    };
    (digest == file.md5.0).then(|| read(&content))
}
