//! Values that `setup` alone is told.

use std::fmt;
use std::str::FromStr;

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
        let is_name = |name: &str| !name.is_empty() && name.chars().all(in_name);
        let is_repository = repository
            .split_once('/')
            .is_some_and(|(owner, name)| is_name(owner) && is_name(name));
        let in_branch = |letter: char| in_name(letter) || letter == '/';
        if is_repository && !branch.is_empty() && branch.chars().all(in_branch) {
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

/// The name of a stack, which its function and its headers policy have too: those are shorter than stacks' (CloudFront API
/// Reference, "CreateFunction"; CloudFormation API Reference, "CreateChangeSet").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackName(pub String);

impl StackName {
    const MOST: usize = 64;

    /// Returns the name of a bucket's stack.
    pub(crate) fn of_bucket(bucket: &str) -> Self {
        let mut name = format!("unstale-{}", bucket.replace(['.', '_'], "-"));
        name.truncate(Self::MOST);
        Self(name)
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
    }
}
