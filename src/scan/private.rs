//! What nobody means to publish: keys, passwords, dumps, installed packages. Told by name, and by a look inside where a name alone
//! would cry wolf.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::{PrivateEntry, ScanError};
use crate::rules::globs::Globs;

/// Bytes of a key file that are looked at: a chain of certificates may stand before the key.
const LOOK: u64 = 64 * 1024;

/// Bytes that a service account's key has at most; it has 2,400.
const ACCOUNT: u64 = 8 * 1024;

/// What lies at the top of installed packages, as npm, yarn and pnpm leave it.
const INSTALLED: [&str; 3] = [".package-lock.json", ".yarn-integrity", ".modules.yaml"];

/// Tells what is private, unless it is allowed.
pub(super) struct PrivacyCheck {
    allow: Globs,
}

impl PrivacyCheck {
    pub(super) fn new(allow: &[String]) -> Result<Self, ScanError> {
        Ok(Self {
            allow: Globs::compile(allow.iter().map(String::as_str))?,
        })
    }

    /// Returns what an entry is where it is private; `full` is its place on disk, a link's target, `relative` the one in the
    /// build.
    pub(super) fn find(&self, full: &Path, relative: &Path, is_dir: bool) -> Option<PrivateEntry> {
        let kind = |place: &Path| {
            if is_dir {
                folder_kind(full, place)
            } else {
                file_kind(full, place)
            }
        };
        let is_link = !full.ends_with(relative);
        let target = || {
            let above = || full.ancestors().skip(1).find_map(secret_kind);
            kind(full).or_else(above).or_else(|| repository_kind(full))
        };
        let kind = kind(relative).or_else(|| is_link.then(target).flatten())?;
        let globs = self.allow.as_gitignore();
        if globs
            .matched_path_or_any_parents(relative, is_dir)
            .is_ignore()
        {
            return None;
        }
        let slash = if is_dir { "/" } else { "" };
        let path = format!("{}{slash}", relative.display());
        Some(PrivateEntry { path, kind })
    }
}

fn folder_kind(full: &Path, place: &Path) -> Option<&'static str> {
    let is_installed = place
        .file_name()
        .is_some_and(|name| name.eq_ignore_ascii_case("node_modules"));
    secret_kind(place)
        .or_else(|| (is_installed && holds_packages(full)).then_some("installed packages"))
}

/// Returns what a folder of this name holds where all in it is secret.
fn secret_kind(folder: &Path) -> Option<&'static str> {
    Some(match &*lower_name(folder)? {
        ".aws" | ".azure" | ".kube" => "credentials of a cloud",
        ".ssh" | ".gnupg" => "private keys",
        ".terraform" => "Terraform's state",
        _ => return None,
    })
}

/// Returns what a link leads to that ends in a repository's own folder. What git-annex keeps there are the files themselves.
fn repository_kind(target: &Path) -> Option<&'static str> {
    let mut rest = target.iter();
    rest.find(|name| [".git", ".hg", ".svn"].map(OsStr::new).contains(name))?;
    (rest.next() != Some(OsStr::new("annex"))).then_some("the files of a repository")
}

/// Bundlers and Expo write assets into folders of that name, which belong to the site; installers leave a package.json in each
/// package.
fn holds_packages(folder: &Path) -> bool {
    let Ok(mut entries) = folder.read_dir() else {
        return false;
    };
    INSTALLED.iter().any(|name| folder.join(name).exists())
        || entries.any(|entry| entry.is_ok_and(|entry| entry.path().join("package.json").exists()))
}

fn lower_name(place: &Path) -> Option<String> {
    Some(place.file_name()?.to_str()?.to_ascii_lowercase())
}

fn file_kind(full: &Path, place: &Path) -> Option<&'static str> {
    let name = &*lower_name(place)?;
    let (stem, ending) = name.rsplit_once('.').unwrap_or_default();
    Some(match name {
        "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ecdsa_sk" | "id_ed25519" | "id_ed25519_sk" => {
            "an SSH key"
        }
        ".npmrc" | ".netrc" | "_netrc" | ".pypirc" | ".pgpass" | ".my.cnf" | ".s3cfg"
        | ".dockercfg" | ".git-credentials" | ".ftpconfig" | "sftp-config.json" => "credentials",
        ".htpasswd" => "passwords",
        "config.json" if place.parent()?.ends_with(".docker") => "credentials",
        "sftp.json" if place.parent()?.ends_with(".vscode") => "credentials",
        _ if is_or_copies("wp-config.php", name) => "WordPress's passwords",
        _ if name.starts_with(".env") && is_filled_in(name) => "variables, which may be secret",
        _ if name.starts_with('.') && name.ends_with("_history") => "a shell's history",
        "dump.rdb" => "a dump of a database",
        _ if is_dump(name) => "a dump of a database",
        _ if name.ends_with(".tfstate") || name.contains(".tfstate.") => "Terraform's state",
        _ => match ending {
            "ppk" => "an SSH key",
            "p12" | "pfx" | "jks" | "keystore" => "a private key",
            "kdbx" => "a password safe",
            "tfvars" => "Terraform's variables",
            // Certificates are .pem too, talks and keys of encrypted streams .key.
            "pem" | "key" | "p8" | "asc" if holds_key(full) => "a private key",
            "json" if is_account(stem, full) => "a service account's key",
            _ => return None,
        },
    })
}

/// Tells whether a file has a name, or is a copy beside it. A page about it, `wp-config.php.html`, is none.
fn is_or_copies(wanted: &str, name: &str) -> bool {
    let copies = ["", "~", ".bak", ".old", ".orig", ".save", ".txt"];
    let rest = name.strip_prefix(wanted);
    rest.is_some_and(|rest| copies.contains(&rest))
}

/// Tells whether a file of variables is more than a pattern for one.
fn is_filled_in(name: &str) -> bool {
    let pattern = [".example", ".sample", ".template", ".dist"];
    !pattern.iter().any(|ending| name.ends_with(ending))
}

fn is_dump(name: &str) -> bool {
    // In a .zip it is a download.
    let packed = [".gz", ".bz2", ".xz", ".zst"];
    let bare = packed.iter().find_map(|ending| name.strip_suffix(ending));
    bare.unwrap_or(name).ends_with(".sql")
}

/// Tells whether a JSON file is a key of a Google service account: called so, as `shop-8f3a2b1c4d5e` is, and with a key in it, or small
/// and with the fields of one.
fn is_account(stem: &str, path: &Path) -> bool {
    let words = ["account", "credential", "firebase", "key", "secret", "gcp"];
    let (_, id) = stem.rsplit_once('-').unwrap_or_default();
    let is_id = id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id || words.iter().any(|word| stem.contains(word)) {
        return holds_key(path);
    }
    let is_small = path.metadata().is_ok_and(|about| about.len() <= ACCOUNT);
    // In a page's data about such keys the quotes are escaped.
    let fields = ["\"private_key\"", "\"client_email\""];
    is_small && {
        let text = start_of(path);
        fields.iter().all(|field| text.contains(field)) && has_key(&text)
    }
}

fn holds_key(path: &Path) -> bool {
    has_key(&start_of(path))
}

/// Reads what of a file is looked at. The walk goes on where it cannot be read: the hashing says so.
fn start_of(path: &Path) -> String {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LOOK).read_to_end(&mut start));
    read.map_or_else(
        |_| String::new(),
        |_| String::from_utf8_lossy(&start).into_owned(),
    )
}

/// Tells whether a text has a private key.
fn has_key(text: &str) -> bool {
    let mut titles = text.split("-----BEGIN ").skip(1);
    titles.any(|title| {
        let title = title.split("-----").next().unwrap_or(title);
        title.trim_end_matches(" BLOCK").ends_with("PRIVATE KEY")
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The private entries of a build, found as the walk finds them, files of these contents.
    fn found(files: &[(&str, &str)], allow: &[&str]) -> Vec<String> {
        let build = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let path = build.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, content).expect("a file");
        }
        let allow: Vec<String> = allow.iter().map(|glob| (*glob).to_owned()).collect();
        let check = PrivacyCheck::new(&allow).expect("patterns");
        let walk = walkdir::WalkDir::new(build.path()).min_depth(1);
        let entries = walk.sort_by_file_name().into_iter().filter_map(|entry| {
            let entry = entry.expect("an entry");
            let relative = entry.path().strip_prefix(build.path()).expect("inside");
            check.find(entry.path(), relative, entry.file_type().is_dir())
        });
        entries.map(|entry| entry.path).collect()
    }

    const KEY: &str = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\nMII\n";
    const ACCOUNT: &str = "{\n  \"type\": \"service_account\",\n  \"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMII\"\n}";
    const WHOLE_ACCOUNT: &str =
        "{\"client_email\":\"a@b\",\"private_key\":\"-----BEGIN PRIVATE KEY-----\\nMII\"}";
    const PUBLIC: &str = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n-----BEGIN PUBLIC KEY-----\nMII\n";

    #[test]
    fn what_nobody_publishes_is_found_at_any_depth() {
        for (path, content) in [
            ("id_rsa", ""),
            ("a/b/id_ed25519", ""),
            ("tls/server.pem", KEY),
            ("server.key", KEY),
            ("cert.p12", ""),
            ("a/.npmrc", ""),
            (".netrc", ""),
            (".pypirc", ""),
            ("dump.sql", ""),
            ("db/dump.sql.gz", ""),
            ("wp-config.php", ""),
            ("wp-config.php.bak", ""),
            ("admin/.htpasswd", ""),
            (".env", ""),
            ("api/.env.production", ""),
            ("terraform.tfstate.backup", ""),
            ("prod.tfvars", ""),
            (".docker/config.json", ""),
            (".bash_history", ""),
            ("a/.git-credentials", ""),
            ("Passwords.KDBX", ""),
            ("ID_RSA", ""),
            ("Backup/DUMP.SQL.bz2", ""),
            ("dump.sql.zst", ""),
            ("dump.rdb", ""),
            ("release.jks", ""),
            ("cert.PFX", ""),
            (
                "tls/Server.PEM",
                "\u{feff}-----BEGIN ENCRYPTED PRIVATE KEY-----\r\n",
            ),
            ("signing.asc", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n"),
            ("shop-8f3a2b1c4d5e.json", ACCOUNT),
            ("api/service-account.json", ACCOUNT),
            ("sa.json", WHOLE_ACCOUNT),
            ("gcp.json", "{\"private_key\":\"-----BEGIN PRIVATE KEY-----"),
        ] {
            assert_eq!(found(&[(path, content)], &[]), [path]);
        }
        for folder in [".aws/", "a/.ssh/", ".gnupg/", ".kube/", ".AWS/"] {
            let file = format!("{folder}any");
            assert_eq!(found(&[(&file, "")], &[]), [folder]);
        }
    }

    #[test]
    fn what_sites_do_publish_is_not() {
        for (path, content) in [
            (".well-known/acme-challenge/x", ""),
            (".well-known/pki-validation/fileauth.txt", ""),
            ("id_rsa.pub", ""),
            ("id_rsa.html", ""),
            ("certs/ca.pem", PUBLIC),
            ("talk.key", "PK\u{3}\u{4}"),
            ("hls/enc.key", "0123456789abcdef"),
            (
                "posts/the-begin-private-key-line.pem",
                "about PRIVATE KEY files",
            ),
            ("wp-config-sample.php", ""),
            ("docs/wp-config.php.html", ""),
            (".htaccess", ""),
            (".env.example", ""),
            ("env.js", ""),
            ("sql/index.html", ""),
            ("mysql.svg", ""),
            ("config.json", ""),
            ("docs/ssh/index.html", ""),
            ("example.sqlite3", ""), // sql.js reads them in the browser
            ("downloads/northwind.sql.zip", ""),
            ("keys.html", KEY),
            ("keys.json", "{\"space\": \"play\"}"),
            (
                "page-data.json",
                r#"{"html": "{\"client_email\": 1, \"private_key\": \"-----BEGIN PRIVATE KEY-----\"}"}"#,
            ),
            ("signature.asc", "-----BEGIN PGP SIGNATURE-----\n"),
            (".well-known/apple-app-site-association", "{}"),
            ("security.txt", "Encryption: /pgp-key.txt"),
            ("assets/node_modules/@expo/icons/Fonts/a.ttf", ""),
            ("node_modules/react/index.js", ""),
        ] {
            assert_eq!(found(&[(path, content)], &[]), [""; 0], "{path}");
        }
    }

    #[test]
    fn installed_packages_are_known_by_what_installers_leave() {
        for mark in [".package-lock.json", ".modules.yaml", "react/package.json"] {
            let path = format!("sub/node_modules/{mark}");
            assert_eq!(found(&[(&path, "")], &[]), ["sub/node_modules/"]);
        }
    }

    #[test]
    fn what_is_allowed_is_not_told() {
        let files = [("a/dump.sql", ""), (".ssh/config", ""), ("id_rsa", "")];
        for (allow, left) in [
            (&[][..], &[".ssh/", "a/dump.sql", "id_rsa"][..]),
            (&["*.sql"], &[".ssh/", "id_rsa"]),
            (&["a/"], &[".ssh/", "id_rsa"]),
            (&["/dump.sql", ".ssh/"], &["a/dump.sql", "id_rsa"]),
            (&["*"], &[]),
        ] {
            assert_eq!(found(&files, allow), left, "{allow:?}");
        }
        assert!(PrivacyCheck::new(&["a[".to_owned()]).is_err());
    }
}
