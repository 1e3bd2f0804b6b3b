//! What `unstale setup` writes into deploy.toml, and what it says in the end.

use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use super::App;
use crate::aws::cloudformation::SiteStack;
use crate::error::Error;
use crate::report::setup::ReadySite;
use crate::settings::added_keys::{
    AddedKeys, SettingsKey, env_header, line, parts_of_others, says, with_keys,
};
use crate::settings::setup_values::StackName;
use crate::settings::{FILE, LOCAL_BUCKET, LOCAL_DIR};
use crate::setup::template::StackDesign;
use crate::system::replace_file;

impl App {
    /// Writes deploy.toml, and says what is next.
    ///
    /// # Errors
    /// Where that cannot be written: the site stands, and is told all the same.
    pub(super) fn conclude_setup(
        &self,
        site: &SiteStack,
        design: &StackDesign,
        (region, env): (&str, Option<&str>),
    ) -> Result<(), Error> {
        let output = |name: &str| site.outputs.get(name).cloned();
        if let Some(domain) = design
            .domain
            .as_ref()
            .filter(|domain| domain.zone.is_none())
        {
            let target = output("DistributionDomain").unwrap_or_default();
            self.printer.wanted_records(&domain.name, &target);
        }
        let path = self
            .settings
            .file
            .clone()
            .unwrap_or_else(|| PathBuf::from(FILE));
        let keys = self.site_keys(design, region, output("DistributionId"));
        let written = written(&path, env, &keys);
        let is_said = written.as_ref().is_ok_and(AddedKeys::says_all);
        let file = path.display().to_string();
        if written.is_err() {
            let header = env.map(env_header).into_iter();
            let lines = keys.iter().map(|(key, value)| line(key, value));
            let lines: Vec<String> = header.chain(lines).collect();
            self.printer.wanted_keys(&file, &lines);
        }
        self.printer.ready(&ReadySite {
            stack: &design.stack,
            outputs: &site.outputs,
            file: &file,
            keys: written.as_ref().unwrap_or(&AddedKeys::default()),
            next: &self.next_step(env, is_said),
        });
        written.map(drop)
    }

    /// Says which command is next, with the flags by which it finds the site. `is_said`: the settings say all that it needs.
    fn next_step(&self, env: Option<&str>, is_said: bool) -> String {
        let settings = &self.settings;
        let file = settings.file.as_deref().unwrap_or(Path::new(FILE));
        let text = fs::read_to_string(file).unwrap_or_default();
        let config = (file != Path::new(FILE)).then(|| format!(" --config {}", file.display()));
        let unsaid = |key: &str, value: Option<&str>| {
            let value = value.filter(|_| !says(&text, env, key));
            value.map(|value| format!(" --{key} {value}"))
        };
        let endpoint = settings.endpoint_url.as_ref().map(|url| url.0.as_str());
        let flags = [
            config,
            env.map(|env| format!(" --env {env}")),
            unsaid("profile", settings.profile.as_deref()),
            unsaid("endpoint-url", endpoint),
        ];
        let flags = flags.into_iter().flatten().collect::<String>();
        let once = if is_said {
            String::new()
        } else {
            format!("once {} says so, ", file.display())
        };
        match &settings.local {
            None => format!("{once}`unstale deploy{flags}` puts the site there"),
            Some(folder) => {
                let local = if folder.as_path() == Path::new(LOCAL_DIR) {
                    "--local".to_owned()
                } else {
                    format!("--local={}", folder.display())
                };
                format!(
                    "{once}`unstale deploy{flags} {local}` puts the site there, `unstale preview{flags} {local}` shows it"
                )
            }
        }
    }

    /// Returns what deploy.toml has to say of the site.
    fn site_keys(
        &self,
        design: &StackDesign,
        region: &str,
        distribution: Option<String>,
    ) -> Vec<SettingsKey> {
        let mut keys: Vec<SettingsKey> = Vec::new();
        let dir = self.settings.dir.as_ref();
        let dir = dir.map(|dir| seen_from(self.home(), dir));
        keys.extend(dir.map(|dir| ("dir", dir.display().to_string().into())));
        // What names things of an account means nothing with `--local`.
        if self.settings.local.is_none() || design.bucket != LOCAL_BUCKET {
            keys.push(("bucket", design.bucket.as_str().into()));
        }
        let folder = design.prefix.trim_end_matches('/');
        keys.extend((!folder.is_empty()).then(|| ("prefix", folder.into())));
        if self.settings.local.is_none() {
            let state = self.settings.state.as_ref();
            let state = state.map(|state| format!("s3://{}/{}", state.bucket, state.prefix));
            keys.extend(state.map(|state| ("state", state.trim_end_matches('/').into())));
            keys.push(("region", region.into()));
            keys.extend(distribution.map(|id| ("distribution", id.into())));
        }
        if design.stack != StackName::of_bucket(&design.bucket).0 {
            keys.push(("stack", design.stack.as_str().into()));
        }
        keys.extend(self.settings.spa.then(|| ("spa", true.into())));
        let function = design.function.as_ref().map(|(name, _)| name.as_str());
        keys.extend(function.map(|name| ("redirect-function", name.into())));
        let policy = design.headers_policy.as_deref();
        keys.extend(policy.map(|name| ("headers-policy", name.into())));
        keys
    }
}

/// Returns a path as it is written in a file of this folder.
fn seen_from(folder: &Path, path: &Path) -> PathBuf {
    let is_name = |part: Component<'_>| matches!(part, Component::Normal(_));
    match path.strip_prefix(folder) {
        Ok(inside) => inside.to_owned(),
        Err(_) if path.is_relative() && folder.components().all(is_name) => {
            let up: PathBuf = folder.components().map(|_| "..").collect();
            up.join(path)
        }
        Err(_) => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    }
}

/// Adds keys to the settings file, or begins one. What leads to it, a link, stays.
fn written(path: &Path, env: Option<&str>, keys: &[SettingsKey]) -> Result<AddedKeys, Error> {
    let shown = path.display();
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => {
            text.map_err(|error| Error::failed(format!("cannot read {shown}")).because(error))?
        }
    };
    let mut keys = with_keys(&text, env, keys)?;
    if env.is_none() && says(&keys.text, None, "distribution") {
        // What they have is found by their buckets, as before.
        for part in parts_of_others(&keys.text) {
            let found = [("distribution", "auto".into())];
            let more = with_keys(&keys.text, Some(&part), &found)?;
            keys.text = more.text;
            keys.added.extend(
                more.added
                    .iter()
                    .map(|line| format!("{line} in {}", env_header(&part))),
            );
        }
    }
    if !keys.added.is_empty() {
        replace(path, &keys.text)
            .map_err(|error| Error::failed(format!("cannot write {shown}")).because(error))?;
    }
    Ok(keys)
}

/// Writes a file, whole or not at all where its folder lets others be made beside it, and the file itself is no mount.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    match replace_file(path, |mut file| file.write_all(text.as_bytes())) {
        Err(error)
            if matches!(
                error.kind(),
                PermissionDenied | ReadOnlyFilesystem | ResourceBusy
            ) =>
        {
            fs::write(path, text)
        }
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_named_from_the_settings_folder() {
        for (folder, path, seen) in [
            ("", "public", "public"),
            ("sub", "sub/../dist", "../dist"),
            ("sub", "dist", "../dist"),
            ("a/b", "dist", "../../dist"),
            ("sub", "/srv/dist", "/srv/dist"),
            ("/srv", "/srv/dist", "dist"),
        ] {
            let got = seen_from(Path::new(folder), Path::new(path));
            assert_eq!(got, Path::new(seen), "{folder} {path}");
        }
    }
}
