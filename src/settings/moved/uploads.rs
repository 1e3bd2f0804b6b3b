//! Uploads of `aws s3`, and what none of them takes.

use std::path::Path;

use super::carried::CarriedSettings;
use super::pattern;
use super::shell::AwsCommand;
use super::tables::STAYS;

/// An upload to a folder of a bucket.
pub(super) struct FolderUpload<'c> {
    pub command: &'c AwsCommand,
    /// Among all commands.
    pub place: usize,
    /// Without `./` and the last slash; empty for the current folder.
    pub source: String,
    pub bucket: String,
    pub prefix: String,
    pub is_file: bool,
}

/// Leaves out what no upload takes; where that is not certain, says so.
pub(super) fn left_out(
    base: &FolderUpload,
    parts: &[&FolderUpload],
    carried: &mut CarriedSettings,
) {
    let mut wide = parts.iter().filter(|part| part.is_all_of(base));
    let what = format!("line {}, --exclude", base.command.line);
    let Some(first) = wide.next() else {
        let only: Vec<_> = base.command.all("--include").collect();
        let why = format!(
            "only {} was uploaded: say the rest in `exclude`",
            only.join(", ")
        );
        return carried.leave(&what, &why);
    };
    if !first.command.has("--exclude") || wide.clone().any(|part| !part.command.has("--exclude")) {
        return;
    }
    let mut globs = Vec::new();
    for (is_in, glob) in first.filters() {
        let taken = parts.iter().map(|part| part.takes(glob, base));
        let taken: Vec<_> = taken.collect();
        let ours = pattern::of_flat_glob(glob);
        let is_unsure = taken.contains(&None) || is_in && wide.clone().next().is_some();
        match ours.filter(|_| is_in || !is_unsure) {
            Some(ours) if is_in && !is_unsure => globs.push(format!("!{ours}")),
            Some(ours) if !is_in && !taken.contains(&Some(true)) => globs.push(ours),
            Some(_) if !is_in => {}
            _ => {
                let all: Vec<_> = first.command.all("--exclude").collect();
                let why = format!(
                    "it is not certain what of {} another command uploads: `exclude` names what stays out",
                    all.join(", ")
                );
                return carried.leave(&what, &why);
            }
        }
    }
    while globs.first().is_some_and(|glob| glob.starts_with('!')) {
        globs.remove(0);
    }
    if !globs.is_empty() {
        carried.exclude(globs);
        carried.leave("--exclude", STAYS);
    }
}

impl FolderUpload<'_> {
    /// Returns its filters in their order; `true`: included.
    pub(super) fn filters(&self) -> impl Iterator<Item = (bool, &str)> {
        let options = self.command.options.iter();
        options.filter_map(|(name, glob)| match name.as_str() {
            "--include" => Some((true, glob.as_str())),
            "--exclude" => Some((false, glob.as_str())),
            _ => None,
        })
    }

    /// Tells whether it uploads a base's folder but for single patterns.
    pub(super) fn is_all_of(&self, base: &FolderUpload) -> bool {
        let is_same = self.source == base.source && self.prefix == base.prefix;
        is_same && !self.is_file && !self.filters().any(|filter| filter == (false, "*"))
    }

    /// Tells whether it uploads what another command excludes by a glob; `None`: perhaps.
    fn takes(&self, glob: &str, base: &FolderUpload) -> Option<bool> {
        let ours = pattern::of_flat_glob(glob)?;
        if self.source.contains(['$', '`']) && self.source != base.source {
            return None;
        }
        if self.is_file {
            let key = pattern::of_flat_glob(&inner_folder(base, self)?)?;
            let is_apart = key != ours && pattern::are_apart(&key, &ours);
            return (key == ours || is_apart).then_some(key == ours);
        }
        if self.is_all_of(base) {
            return Some(!self.command.all("--exclude").any(|other| other == glob));
        }
        let folder = inner_folder(base, self)?;
        let is_root = folder.is_empty();
        if is_root && self.command.all("--include").any(|other| other == glob) {
            return Some(true);
        }
        if !folder.is_empty() {
            let is_its_own = glob == format!("{folder}*");
            let is_elsewhere = !glob.starts_with(&folder) && !glob.starts_with(['*', '?']);
            return (is_its_own || is_elsewhere).then_some(is_its_own);
        }
        let mut includes = self.command.all("--include").map(pattern::of_flat_glob);
        let is_apart = includes
            .all(|include| include.is_some_and(|include| pattern::are_apart(&include, &ours)));
        is_apart.then_some(false)
    }
}

/// Returns the folder of a part inside of what the base uploads, with its slash; empty: the same.
pub(super) fn inner_folder(base: &FolderUpload, part: &FolderUpload) -> Option<String> {
    let relative = |path: &str, base: &str| {
        let inner = Path::new(path).strip_prefix(base).ok()?;
        Some(inner.to_str()?.to_owned())
    };
    let inner = relative(&part.source, &base.source)?;
    let there = relative(&part.prefix, &base.prefix)?;
    if part.is_file {
        let is_same = there.is_empty() && !inner.contains('/') || inner == there;
        return is_same.then_some(inner);
    }
    let slash = if inner.is_empty() { "" } else { "/" };
    (inner == there).then(|| format!("{inner}{slash}"))
}
