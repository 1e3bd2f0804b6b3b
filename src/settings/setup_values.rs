//! Values that `setup` alone is told.

use std::fmt;
use std::str::FromStr;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::values::{HostName, read};

/// Stands for the account's number in a template that is made without asking for it: CloudFormation puts that there.
pub(crate) const ACCOUNT: &str = "${AWS::AccountId}";

/// Returns a name as it will be in an account.
fn in_account(name: &str) -> String {
    name.replace(ACCOUNT, "123456789012")
}

/// A branch of a repository on GitHub, as `OWNER/REPO[@BRANCH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubBranch {
    /// `OWNER/REPO`.
    pub repository: String,
    pub branch: String,
}

impl fmt::Display for GithubBranch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}@{}", self.repository, self.branch)
    }
}

impl FromStr for GithubBranch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (repository, branch) = text.split_once('@').unwrap_or((text, "main"));
        let in_name = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let is_name = |name: &str| {
            !matches!(name, "" | "." | "..") && name.len() <= 100 && name.chars().all(in_name)
        };
        // GitHub's owners have no dots, and begin and end with a letter or a digit.
        let is_owner = |name: &str| {
            let is_end = |letter: char| letter.is_ascii_alphanumeric();
            is_name(name)
                && !name.contains('.')
                && name.starts_with(is_end)
                && name.ends_with(is_end)
        };
        let is_repository = repository
            .split_once('/')
            .is_some_and(|(owner, name)| is_owner(owner) && is_name(name));
        // As git-check-ref-format(1) has it, and without what means something else in a policy.
        let is_part = |part: &str| {
            !part.is_empty()
                && part.chars().all(in_name)
                && !part.starts_with('.')
                && !part.contains("..")
                && !part.ends_with(".lock")
        };
        let is_branch =
            branch.split('/').all(is_part) && !branch.starts_with('-') && !branch.ends_with('.');
        if is_repository && is_branch {
            return Ok(Self {
                repository: repository.to_owned(),
                branch: branch.to_owned(),
            });
        }
        Err(format!(
            "`{text}` is no repository: write it as OWNER/REPO or OWNER/REPO@BRANCH"
        ))
    }
}

/// Checks what names a Route 53 zone (Route 53 API Reference, "GetHostedZone").
pub(crate) fn hosted_zone(text: &str) -> Result<String, String> {
    let is_id = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if text == "none" || text.starts_with('Z') && text.len() <= 32 && text.bytes().all(is_id) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is no hosted zone: write its id, as Z0123456789ABC, or none"
    ))
}

/// Checks what names GitHub's OIDC provider of an account.
pub(crate) fn github_provider(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let is_arn = matches!(
        parts.as_slice(),
        ["arn", partition, "iam", "", account, "oidc-provider/token.actions.githubusercontent.com"]
            if partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
    );
    if is_arn || text == "none" {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is not GitHub's provider: write its ARN, as \
         arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com, or none"
    ))
}

/// Checks the name that a site is to have, and returns it in small letters (RFC 1123, "Host Names and Numbers"; ACM API Reference,
/// "RequestCertificate").
pub(crate) fn site_domain(text: &str) -> Result<String, String> {
    if !text.is_ascii() {
        return Err(format!(
            "`{text}` has other letters than a to z: write it as DNS has it, as xn--bcher-kva.example"
        ));
    }
    let odd = || format!("`{text}` is not a host's name: write it as www.example.com");
    let HostName(name) = read(text).map_err(|_| odd())?;
    let is_label =
        |label: &str| label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-');
    let is_top = |label: &str| label.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let is_fit = name.split('.').all(is_label) && name.split('.').next_back().is_some_and(is_top);
    is_fit.then_some(name).ok_or_else(odd)
}

/// Checks the name of a bucket that is to be made: of buckets that are there, some have names from before these rules (S3 User
/// Guide, "General purpose bucket naming rules").
pub(crate) fn new_bucket(name: &str) -> Result<(), String> {
    const BEGINNINGS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
    const ENDS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    let odd = |rule: &str| {
        Err(format!(
            "no bucket can be made with the name `{name}`: {rule}"
        ))
    };
    let made = in_account(name);
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_inner = |byte: u8| fits(byte) || b"-.".contains(&byte);
    if !(3..=63).contains(&made.len()) || !made.bytes().all(is_inner) {
        return odd("it takes 3 to 63 small letters, digits, hyphens and dots");
    }
    let ends = [made.bytes().next(), made.bytes().next_back()];
    if !ends.into_iter().flatten().all(fits) || made.contains("..") {
        return odd("it begins and ends with a letter or a digit, and has no two dots in a row");
    }
    if made.parse::<std::net::Ipv4Addr>().is_ok() {
        return odd("that is an address");
    }
    let beginning = BEGINNINGS.into_iter().find(|part| made.starts_with(part));
    let end = ENDS.into_iter().find(|part| made.ends_with(part));
    match beginning.or(end) {
        Some(part) => odd(&format!("S3 keeps `{part}` for itself")),
        None => Ok(()),
    }
}

/// The name of a stack, which its function and its headers policy have too: those are shorter than stacks' (CloudFront API
/// Reference, "CreateFunction"; CloudFormation API Reference, "CreateChangeSet").
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct StackName(pub String);

impl TryFrom<String> for StackName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl StackName {
    const MOST: usize = 64;

    /// Returns the name of a bucket's stack. One that is too long ends in a digest, since its beginning may be another's, too.
    pub(crate) fn of_bucket(bucket: &str) -> Self {
        let name = format!("unstale-{}", bucket.replace('.', "-"));
        if in_account(&name).len() <= Self::MOST {
            return Self(name);
        }
        let digest = Md5::digest(bucket);
        let digest: String = digest
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let beginning: String = name.chars().take(Self::MOST - 9).collect();
        Self(format!("{beginning}-{digest}"))
    }
}

impl FromStr for StackName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        let begins = text.starts_with(|letter: char| letter.is_ascii_alphabetic());
        if begins && text.len() <= Self::MOST && text.chars().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{text}` is not a stack's name: a letter, then letters, digits and hyphens, {} at most",
            Self::MOST
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_main_unless_it_is_named() {
        let read = |text: &str| {
            let branch = text.parse::<GithubBranch>().ok()?;
            assert_eq!(branch.to_string().parse(), Ok(branch.clone()));
            Some(format!("{} {}", branch.repository, branch.branch))
        };
        for (text, expected) in [
            ("me/site", Some("me/site main")),
            (
                "me/site.github.io@gh/pages",
                Some("me/site.github.io gh/pages"),
            ),
            ("site", None),
            ("me/site@", None),
            ("me/*", None),
            ("./.", None),
            ("../x", None),
            ("-me/site", None),
            ("me/..", None),
            ("me/site@-x", None),
            ("me/site@/x", None),
            ("me/site@x//y", None),
            ("me/site@x..y", None),
            ("me/site@x.lock", None),
            (
                "me/.github@feature/a.b_c-1",
                Some("me/.github feature/a.b_c-1"),
            ),
            ("me/site@*", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_stack_has_the_name_of_its_bucket() {
        let long = "b".repeat(63);
        for bucket in ["my-site", "www.example.com", "1", long.as_str()] {
            let name = StackName::of_bucket(bucket);
            assert_eq!(name.0.parse(), Ok(name.clone()), "{bucket}");
        }
        let others = StackName::of_bucket(&format!("{}c", "b".repeat(62)));
        assert_ne!(StackName::of_bucket(&long), others);
    }

    #[test]
    fn a_bucket_is_made_by_s3s_rules() {
        let longest = "b".repeat(63);
        for name in [
            "my-site",
            "www.example.com",
            "1a1",
            &longest,
            "site-${AWS::AccountId}",
        ] {
            assert_eq!(new_bucket(name), Ok(()));
        }
        for name in [
            "ab",
            "My_Site",
            "my_site",
            "Mine",
            "xn--a",
            "sthree-a",
            "192.168.1.1",
            "-abc",
            "abc-",
            "a..b",
            "a-s3alias",
            "a--ol-s3",
            "a.mrap",
            "a--x-s3",
            "a--table-s3",
            "arn:aws:s3:::b",
        ] {
            let said = new_bucket(name).unwrap_err();
            assert!(said.contains(name), "{said}");
        }
        assert!(new_bucket(&"b".repeat(64)).is_err());
    }

    #[test]
    fn a_domain_is_a_name_that_a_certificate_can_have() {
        assert_eq!(
            site_domain("WWW.Example.com").as_deref(),
            Ok("www.example.com")
        );
        assert!(site_domain("xn--bcher-kva.example").is_ok());
        for odd in [
            "https://www.example.com",
            "www.example.com:443",
            "www.example.com/x",
            "_a.example.com",
            "*.example.com",
            "www.example.com.",
            "b\u{fc}cher.example",
            "-a.example.com",
            "1.2.3.4",
            "localhost",
            "",
            "a..b",
        ] {
            let said = site_domain(odd).unwrap_err();
            assert!(said.contains("write it as"), "{said}");
        }
    }

    #[test]
    fn parts_of_an_account_are_named_as_aws_does() {
        for zone in ["none", "Z0123456789ABC"] {
            assert_eq!(hosted_zone(zone).as_deref(), Ok(zone));
        }
        for zone in ["None", "garbage", "example.com", "/hostedzone/Z1", ""] {
            assert!(hosted_zone(zone).is_err(), "{zone}");
        }
        let arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
        for provider in ["none", arn] {
            assert_eq!(github_provider(provider).as_deref(), Ok(provider));
        }
        for provider in [
            "None",
            "garbage",
            "arn:aws:iam::1:oidc-provider/x",
            &arn[..50],
        ] {
            assert!(github_provider(provider).is_err(), "{provider}");
        }
    }
}
