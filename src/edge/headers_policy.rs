//! A response headers policy as plain headers, held to what CloudFront takes.

use std::collections::{BTreeMap, BTreeSet};

use super::policy_setting::PolicySetting;
use super::unfit::{LONGEST_LABEL, MOST_CHARACTERS, MOST_HEADERS, Unfit, touchable};

/// What a response headers policy sends and takes away. Sending goes last: a header may be in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadersPolicy {
    pub name: String,
    pub comment: String,
    /// Headers with their values, names in lower case, sorted: security, CORS and custom ones alike, as viewers see them. CORS
    /// headers are sent to requests with an allowed Origin alone, and some of those to preflights alone.
    pub sent: BTreeMap<String, String>,
    /// Names in lower case.
    pub removed: BTreeSet<String>,
}

impl HeadersPolicy {
    /// Tells whether a policy can send a header so. Where it cannot, a function can, unless the name is [`Unfit::Untouchable`].
    pub fn fits(name: &str, value: &str) -> Result<(), Unfit> {
        PolicySetting::read(name, value).map(|_| ())
    }

    /// Returns it as viewers will see it and as it is read back: values in CloudFront's own words, lists sorted.
    pub fn checked(self) -> Result<Self, Unfit> {
        let settings = self.settings()?.into_iter();
        let sent = settings.map(|setting| (setting.name().to_owned(), setting.value()));
        let removed = self.removed.iter().map(|name| name.to_ascii_lowercase());
        Ok(Self {
            sent: sent.collect(),
            removed: removed.collect(),
            comment: self.comment,
            name: self.name,
        })
    }

    /// Reads each header that it sends as the setting that does, and holds all to CloudFront's limits.
    pub fn settings(&self) -> Result<Vec<PolicySetting>, Unfit> {
        let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=LONGEST_LABEL).contains(&self.name.len()) || !self.name.bytes().all(in_name) {
            return Err(Unfit::PolicyName(self.name.clone()));
        }
        if self.comment.chars().count() > LONGEST_LABEL {
            return Err(Unfit::Comment);
        }
        let settings = self.sent.iter();
        let settings = settings.map(|(name, value)| PolicySetting::read(name, value));
        let settings = settings.collect::<Result<Vec<_>, _>>()?;
        for name in &self.removed {
            touchable(&name.to_ascii_lowercase())?;
        }
        let custom = settings.iter().filter_map(|setting| match setting {
            PolicySetting::Custom(name, value) => Some(name.len() + value.len()),
            _ => None,
        });
        let custom: Vec<usize> = custom.collect();
        let has_all = |setting: &PolicySetting| setting.names().iter().any(|name| name == "*");
        if custom.len() > MOST_HEADERS {
            return Err(Unfit::TooManySent(custom.len()));
        }
        if custom.iter().sum::<usize>() > MOST_CHARACTERS {
            return Err(Unfit::TooMuchSent);
        }
        if self.removed.len() > MOST_HEADERS {
            return Err(Unfit::TooManyRemoved(self.removed.len()));
        }
        if settings.contains(&PolicySetting::AllowCredentials) && settings.iter().any(has_all) {
            return Err(Unfit::CredentialsForAll);
        }
        if settings.is_empty() && self.removed.is_empty() {
            return Err(Unfit::Empty);
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(sent: &[(&str, &str)]) -> HeadersPolicy {
        let sent = sent.iter();
        HeadersPolicy {
            name: "site".to_owned(),
            sent: sent
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..HeadersPolicy::default()
        }
    }

    #[test]
    fn a_policy_keeps_to_the_limits() {
        let names: Vec<String> = (0..11).map(|number| format!("x-{number}")).collect();
        let long = "a".repeat(1100);
        let all = |value| {
            let names = names.iter().map(|name| (name.as_str(), value));
            names.collect::<Vec<_>>()
        };
        let mut removing = policy(&[]);
        removing.removed = names.iter().cloned().collect();
        let mut via = policy(&[]);
        via.removed.insert("Via".to_owned());
        let mut unnamed = policy(&[("x-a", "b")]);
        unnamed.name = "a b".to_owned();
        let mut chatty = policy(&[("x-a", "b")]);
        chatty.comment = "c".repeat(129);
        for (policy, unfit) in [
            (policy(&all("v")), Unfit::TooManySent(11)),
            (policy(&all(&long)[..10]), Unfit::TooMuchSent),
            (removing.clone(), Unfit::TooManyRemoved(11)),
            (via, Unfit::Untouchable("via".to_owned())),
            (unnamed, Unfit::PolicyName("a b".to_owned())),
            (chatty, Unfit::Comment),
            (policy(&[]), Unfit::Empty),
            (
                policy(&[
                    ("access-control-allow-credentials", "true"),
                    ("access-control-allow-headers", "*"),
                ]),
                Unfit::CredentialsForAll,
            ),
        ] {
            assert_eq!(policy.checked(), Err(unfit));
        }
        // Security and CORS headers do not count.
        let mut most = all("v");
        most.truncate(10);
        most.extend([("x-frame-options", "DENY"), ("access-control-max-age", "1")]);
        assert_eq!(policy(&most).checked().map(|most| most.sent.len()), Ok(12));
        removing.removed.pop_last();
        assert_eq!(removing.clone().checked(), Ok(removing));
    }

    #[test]
    fn checking_settles_names_and_values() {
        let mut wanted = policy(&[("X-Frame-Options", "deny"), ("X-A", "b")]);
        wanted.removed.insert("ETag".to_owned());
        let checked = wanted.checked().unwrap();
        let mut expected = policy(&[("x-frame-options", "DENY"), ("x-a", "b")]);
        expected.removed.insert("etag".to_owned());
        assert_eq!(checked, expected);
        assert_eq!(checked.clone().checked(), Ok(checked));
    }
}
