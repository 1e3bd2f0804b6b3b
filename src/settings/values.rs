//! Single values as people write them: `7d`, `256MiB`, `s3://bucket/folder`. The same readers serve deploy.toml, the
//! environment and the command line, so that one spelling holds everywhere.

use std::time::Duration;

use ignore::gitignore::GitignoreBuilder;
use serde::Deserialize;

use crate::object::key::STATE_FOLDER;
use crate::state::RECENT;

/// Reads a value from text, as an environment variable or a flag gives it.
pub(crate) fn read<T: TryFrom<String, Error = String>>(text: &str) -> Result<T, String> {
    T::try_from(text.to_owned())
}

/// Checks a value that the command line gives, and leaves it as it is written.
pub(crate) fn checked<T: TryFrom<String, Error = String>>(text: &str) -> Result<String, String> {
    read::<T>(text).map(|_| text.to_owned())
}

/// A length of time: numbers with `ms`, `s`, `m`, `h`, `d` or `w`, added up (`1h30m`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Period(pub Duration);

impl Period {
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is not a duration: write a number and a unit, as 90s, 10m, 12h, 7d")
        };
        let mut rest = text.trim();
        let mut sum = Duration::ZERO;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let (number, after) = split_number(rest).ok_or_else(wrong)?;
            let end = after
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(after.len());
            let (unit, next) = after.split_at(end);
            let milliseconds: u64 = match unit {
                "ms" => 1,
                "s" => 1000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 604_800_000,
                _ => return Err(wrong()),
            };
            let part = number.checked_mul(milliseconds).ok_or_else(wrong)?;
            sum = sum
                .checked_add(Duration::from_millis(part))
                .filter(|sum| *sum <= Duration::from_hours(24 * 366 * 100))
                .ok_or_else(|| format!("`{text}` is longer than a hundred years"))?;
            rest = next;
        }
        Ok(Self(sum))
    }
}

/// Digits at the front, and what follows them.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// How many deploys can be undone without versions: `3 deploys`; none by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct KeptDeploys(pub usize);

impl TryFrom<String> for KeptDeploys {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = match words[..] {
            [number, "deploy" | "deploys"] => number.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if number < RECENT => Ok(Self(number)),
            Some(_) => Err(format!(
                "`{text}` is too many: the last {RECENT} deploys are remembered, so {} can be undone",
                RECENT - 1
            )),
            None => Err(format!(
                "`{text}` is no number of deploys: write it as `3 deploys`, or `0 deploys` for none"
            )),
        }
    }
}

/// Bytes of memory, at least [`MemorySize::LEAST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct MemorySize(pub u64);

impl MemorySize {
    /// One part of a multipart upload has to fit.
    pub(crate) const LEAST: u64 = 16 << 20;
}

impl TryFrom<String> for MemorySize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match parse_size(&text)? {
            bytes if bytes < Self::LEAST => Err(format!("`{text}` is too little: 16MiB or more")),
            bytes => Ok(Self(bytes)),
        }
    }
}

/// Bytes, as [`parse_size`] reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ByteSize(pub u64);

impl TryFrom<String> for ByteSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_size(&text).map(Self)
    }
}

/// Bytes: a number with `B`, `KB`, `MB`, `GB`, `TB` (by 1000) or `KiB`, `MiB`, `GiB`, `TiB` (by 1024); case does not count.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("`{text}` is not a size: write a number and a unit, as 64MiB, 256MiB, 1GiB");
    let (number, unit) = split_number(text.trim()).ok_or_else(wrong)?;
    let unit: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
}

/// A bucket by its name (or an access point's ARN), or with the site's folder as `s3://NAME/FOLDER`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct BucketAddress {
    pub name: String,
    /// As [`SitePrefix`]; `None` where only the name was given.
    pub prefix: Option<SitePrefix>,
}

impl BucketAddress {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            prefix: None,
        }
    }
}

impl TryFrom<String> for BucketAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("s3://") else {
            check_bucket(&text)?;
            return Ok(Self::named(&text));
        };
        let (name, folder) = rest.split_once('/').unwrap_or((rest, ""));
        check_bucket(name)?;
        Ok(Self {
            name: name.to_owned(),
            prefix: Some(SitePrefix::try_from(folder.to_owned())?),
        })
    }
}

fn check_bucket(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.starts_with("arn:")
        || !name.is_empty() && name.len() <= 255 && name.chars().all(allowed)
    {
        return Ok(());
    }
    Err(format!(
        "`{name}` is not a bucket: write its name, as my-site, or s3://my-site/folder"
    ))
}

/// The site's folder in the bucket: empty, or ending in `/` and not beginning with one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct SitePrefix(pub String);

impl TryFrom<String> for SitePrefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let folder = text.trim_matches('/');
        if folder.is_empty() {
            return Ok(Self::default());
        }
        for segment in folder.split('/') {
            if matches!(segment, "" | "." | "..") {
                return Err(format!(
                    "`{text}` is not a folder of a bucket: none of its parts may be empty, `.` or `..`"
                ));
            }
            if segment == STATE_FOLDER {
                return Err(format!(
                    "`{text}`: `{STATE_FOLDER}` is where the state is kept"
                ));
            }
        }
        if folder.chars().any(char::is_control) || folder.len() > 512 {
            return Err(format!(
                "`{}` is not a folder of a bucket: it holds control characters, or is over 512 bytes",
                text.escape_default()
            ));
        }
        Ok(Self(format!("{folder}/")))
    }
}

/// Where the state is kept, if not beside the site.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct StatePlace {
    pub bucket: String,
    /// Empty, or ending in `/`.
    pub prefix: String,
}

impl TryFrom<String> for StatePlace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match read::<BucketAddress>(&text)? {
            BucketAddress {
                name,
                prefix: Some(prefix),
            } => Ok(Self {
                bucket: name,
                prefix: prefix.0,
            }),
            _ => Err(format!("`{text}` is not a place: write s3://bucket/folder")),
        }
    }
}

/// A distribution as the settings name it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum DistributionSetting {
    /// The one whose origin is the bucket.
    Auto,
    /// There is none.
    None,
    /// Id or alias.
    Named(String),
}

impl TryFrom<String> for DistributionSetting {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            name if !name.is_empty() && name.chars().all(allowed) => Ok(Self::Named(text)),
            _ => Err(format!(
                "`{text}` is not a distribution: write its id, an alias as www.example.com, auto or none"
            )),
        }
    }
}

/// A pattern over keys, as .gitignore writes them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct GlobPattern(pub String);

impl TryFrom<String> for GlobPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.trim().is_empty() || text.starts_with('#') {
            return Err(format!("`{text}` is a pattern that matches nothing"));
        }
        let mut builder = GitignoreBuilder::new("");
        builder.allow_unclosed_class(false);
        match builder.add_line(None, &text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(format!("`{text}` is not a pattern: {}", plain(&error))),
        }
    }
}

/// The error without the glob that the message names already.
fn plain(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        other => other.to_string(),
    }
}

/// The value of a header: printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct FieldValue(pub String);

impl TryFrom<String> for FieldValue {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        let allowed = |byte: u8| matches!(byte, b' '..=b'~');
        if !text.is_empty() && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{}` cannot be a header's value: one line of printable ASCII",
            text.escape_default()
        ))
    }
}

/// A URL of a server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct EndpointUrl(pub String);

impl TryFrom<String> for EndpointUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let good =
            |rest: &str| !rest.starts_with('/') && rest.bytes().all(|b| b.is_ascii_graphic());
        match host {
            Some(rest) if !rest.is_empty() && good(rest) => Ok(Self(text)),
            _ => Err(format!(
                "`{text}` is no URL: it begins with https:// or http://"
            )),
        }
    }
}

/// The twelve digits of an AWS account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct AccountId(pub String);

impl TryFrom<String> for AccountId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self(text));
        }
        Err(format!("`{text}` is no AWS account: twelve digits"))
    }
}

/// The name of a CloudFront Function (CloudFront API Reference, "CreateFunction").
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct FunctionName(pub String);

impl TryFrom<String> for FunctionName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        check_name(&text, "function", 64).map(|()| Self(text))
    }
}

impl FunctionName {
    /// Returns the name for a distribution, whose id stands in the place of `{id}`.
    pub(crate) fn for_distribution(&self, id: &str) -> String {
        self.0.replace("{id}", id)
    }
}

/// Checks a name in which `{id}` stands for a distribution's id; it is at most so long with one in it.
fn check_name(text: &str, what: &str, most: usize) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    // Ids have up to 14 letters and digits.
    let name = text.replace("{id}", "E1234567890123");
    if (1..=most).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not a {what}'s name: 1 to {most} letters, digits, - and _, and `{{id}}` for the distribution's id"
    ))
}

/// Where a secret is read from: `env:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct SecretPlace {
    /// An environment variable.
    pub variable: String,
}

impl TryFrom<String> for SecretPlace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let variable = text.strip_prefix("env:").filter(|name| !name.is_empty());
        // The text may be the secret itself, and is not told.
        let variable = variable.ok_or(
            "it is read from a variable: write `env:NAME`, and set NAME where deploys run",
        )?;
        Ok(Self {
            variable: variable.to_owned(),
        })
    }
}

/// The name of a host: `www.example.com`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HostName(pub String);

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_label = |label: &str| {
            let mut letters = label.chars();
            !label.is_empty()
                && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        };
        if text.len() <= 253 && text.contains('.') && text.split('.').all(is_label) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(format!(
            "`{text}` is not a host's name: write it as www.example.com"
        ))
    }
}

/// The name of a response headers policy, in which `{id}` stands for the distribution's id (CloudFront API Reference,
/// "ResponseHeadersPolicyConfig").
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PolicyName(pub String);

impl TryFrom<String> for PolicyName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        check_name(&text, "policy", 128).map(|()| Self(text))
    }
}

impl PolicyName {
    /// Returns the name for a distribution, whose id stands in the place of `{id}`.
    pub(crate) fn for_distribution(&self, id: &str) -> String {
        self.0.replace("{id}", id)
    }
}

/// A file name's ending with its dot: `.html`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct FileExtension(pub String);

impl TryFrom<String> for FileExtension {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() > 1 && text.starts_with('.') && !text.contains('/') {
            return Ok(Self(text));
        }
        Err(format!("`{text}` is not an extension: write it as .html"))
    }
}

/// US dollars, or what else is weighed: finite and not negative.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "PriceText")]
pub(crate) struct Price(pub f64);

/// A number, or its text, as a variable gives it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number")]
enum PriceText {
    Number(f64),
    Text(String),
}

impl TryFrom<PriceText> for Price {
    type Error = String;

    fn try_from(price: PriceText) -> Result<Self, String> {
        let price = match price {
            PriceText::Number(price) => price,
            PriceText::Text(text) => (text.trim().parse())
                .map_err(|_| format!("`{text}` is not a price: a number, as 0.005"))?,
        };
        if price.is_finite() && price >= 0.0 {
            return Ok(Self(price));
        }
        Err(format!("`{price}` is not a price: 0 or more"))
    }
}

#[cfg(test)]
mod tests;
