//! `unstale preview`.

use std::path::Path;

use serde_json::json;

use super::json::typed;
use super::printer::Printer;
use super::summary;
use super::text::{counted, shown};
use crate::job::DeploySummary;
use crate::settings::LOCAL_DIR;

/// What is served from here.
#[derive(Debug)]
pub struct ServedSite<'a> {
    pub url: String,
    /// Where its edges are shown.
    pub panel: String,
    /// The usual port was taken.
    pub is_second_choice: bool,
    pub dir: &'a Path,
    /// That lead another command to the same site.
    pub flags: &'a [String],
    /// The folder that holds what was deployed.
    pub store: Option<&'a Path>,
    /// The next build is deployed without being told to.
    pub is_watched: bool,
}

impl Printer {
    pub fn serving(&self, site: &ServedSite) {
        let dir = word(site.dir);
        let mut first = format!("Serving {} from {dir}", site.url);
        if site.is_second_choice {
            first.push_str("  (port 8080 is taken)");
        }
        let store = elsewhere(site.store).map_or(String::new(), |store| format!("={store}"));
        let again = format!("unstale deploy {dir}{} --local{store}", words(site.flags));
        let again = if site.is_watched {
            "The next build is deployed as soon as it is quiet.".to_owned()
        } else {
            format!("After the next build, in another terminal: {again}")
        };
        let text = [
            self.wrapped(&first, "", "  "),
            format!("  Its edges: {}", site.panel),
            self.wrapped(&again, "  ", "    "),
            "  Ctrl-C stops it.".to_owned(),
        ];
        self.result(
            &text.join("\n"),
            &json!({"type": "serving", "url": site.url, "edges": site.panel, "dir": site.dir}),
        );
        self.stops_silently();
    }

    /// Tells that the build has changed and was deployed.
    pub fn redeployed(&self, summary: &DeploySummary) {
        let changes = summary.uploaded + summary.copied + summary.deleted;
        let what = match changes {
            0 => "how it is served".to_owned(),
            changes => counted(changes, "change"),
        };
        let purged = counted(summary.paths_purged, "path");
        let time = jiff::Zoned::now().strftime("%H:%M:%S");
        let text = format!("Deployed {what}, purged {purged} ({time})");
        self.result(&text, &typed("redeployed", summary));
        self.summary(summary::json(summary));
    }

    /// Tells, in a line, that there is no build for the moment.
    pub fn waits_for_build(&self, why: &str) {
        self.note(&format!("Waiting for the build: {why}"));
        self.object(&json!({"type": "waiting", "why": why}));
    }

    /// Tells how to see what was deployed with `--local`.
    pub fn seen_by_preview(&self, dir: &Path, flags: &[String], local: Option<&Path>) {
        let local = elsewhere(local).map_or(String::new(), |folder| format!(" --local={folder}"));
        let (dir, flags) = (word(dir), words(flags));
        self.note(&format!("`unstale preview {dir}{flags}{local}` shows it."));
    }

    /// Tells that another process serves the site already.
    pub fn served_elsewhere(&self, url: &str) {
        let text = format!("Another process serves this site already: {url}");
        self.result(
            &self.wrapped(&text, "", "  "),
            &json!({"type": "served-elsewhere", "url": url}),
        );
    }

    /// Tells what goes on here while another process serves.
    pub fn watched(&self) {
        self.note("The next build is deployed there as soon as it is quiet. Ctrl-C stops it.");
        self.stops_silently();
    }

    pub fn no_browser(&self) {
        self.note("No browser could be opened: BROWSER may name one.");
    }
}

fn words(flags: &[String]) -> String {
    let words = flags
        .iter()
        .map(|text| format!(" {}", word(Path::new(text))));
    words.collect()
}

/// Writes the folder of `--local`, where it is not the usual one.
fn elsewhere(local: Option<&Path>) -> Option<String> {
    local
        .filter(|folder| *folder != Path::new(LOCAL_DIR))
        .map(word)
}

/// Writes a folder as a shell takes it for one word.
fn word(folder: &Path) -> String {
    let text = folder.display().to_string();
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+@%:,=".contains(letter);
    if text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", shown(&text).replace('\'', "'\\''"))
}
