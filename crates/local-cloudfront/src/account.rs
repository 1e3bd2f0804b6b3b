//! What the account has besides buckets and CloudFront: stacks, certificates, and what Cloud Control tells of.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cloudformation::{Engine, Making, Stack};
use super::distribution::code_of;
use super::kept::Kept;
use super::world::{Shared, World};

/// A certificate of ACM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its ARN, which names its region.
    pub arn: String,
    /// DomainName and SubjectAlternativeNames.
    pub names: Vec<String>,
    /// `ISSUED`, `PENDING_VALIDATION`, `EXPIRED`, ...
    pub status: String,
    /// When it ends.
    pub not_after: Option<SystemTime>,
    /// The ARNs of what uses it.
    pub in_use: Vec<String>,
}

impl Certificate {
    /// One that was issued and ends in the year 2100.
    pub fn new(arn: &str, domain: &str) -> Self {
        Self {
            arn: arn.to_owned(),
            names: vec![domain.to_owned()],
            status: "ISSUED".to_owned(),
            not_after: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800)),
            in_use: Vec::new(),
        }
    }

    /// The CNAME that shows that somebody owns one of its names: its own name and its value.
    pub fn record(&self, name: &str) -> (String, String) {
        let of = |salt: &str| code_of(&format!("{salt}{name}")).to_lowercase();
        let bare = name.trim_start_matches("*.");
        let value = format!("_{}.{}.acm-validations.aws.", of("value"), of("zone"));
        (format!("_{}.{bare}.", of("name")), value)
    }
}

#[derive(Default)]
pub(crate) struct Account(Mutex<AccountState>);

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AccountState {
    pub stacks: Vec<Stack>,
    /// By ARN.
    pub certificates: BTreeMap<String, Certificate>,
    /// Properties by type and physical id.
    pub resources: BTreeMap<String, BTreeMap<String, Value>>,
    /// Why resources fail to be made, by logical id.
    #[serde(skip)]
    pub failures: BTreeMap<String, String>,
}

impl AccountState {
    /// Whether a stack, or somebody else, has made this.
    pub(crate) fn has_made(&self, kind: &str, id: &str) -> bool {
        let kind = self.resources.get(kind);
        kind.is_some_and(|known| known.contains_key(id))
    }
}

impl Account {
    pub(crate) fn lock(&self) -> MutexGuard<'_, AccountState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Collects what another process needs to go on from here.
    pub(super) fn kept_now(&self) -> Kept {
        Kept {
            account: self.account.lock().clone(),
            ..self.cloud.kept()
        }
    }

    /// Lets stacks go on as far as their time has come. True where anything happened.
    pub(crate) fn advance(&self) -> bool {
        let mut account = self.account.lock();
        let mut stacks = std::mem::take(&mut account.stacks);
        let (now, pace) = (self.clock.now(), self.cloud.resource_time());
        let mut has_moved = false;
        for stack in &mut stacks {
            let making = Making {
                shared: self,
                account: &mut account,
            };
            let mut engine = Engine { making, now, pace };
            has_moved |= engine.advance(stack);
        }
        account.stacks = stacks;
        has_moved
    }
}

impl World {
    /// Adds or changes a certificate.
    pub fn set_certificate(&self, certificate: Certificate) {
        let mut account = self.shared.account.lock();
        let arn = certificate.arn.clone();
        account.certificates.insert(arn, certificate);
    }

    /// All certificates, by ARN.
    pub fn certificates(&self) -> Vec<Certificate> {
        let account = self.shared.account.lock();
        account.certificates.values().cloned().collect()
    }

    /// The template that a stack was made from last; empty where there is none.
    pub fn stack_template(&self, name: &str) -> String {
        let account = self.shared.account.lock();
        let mut stacks = account.stacks.iter();
        let found = stacks.find(|stack| stack.name == name && !stack.is_gone());
        found.map_or_else(String::new, |stack| stack.wish.template.clone())
    }

    /// Deletes a stack as somebody does by hand.
    pub fn delete_stack(&self, name: &str) {
        let now = self.shared.clock.now();
        let mut account = self.shared.account.lock();
        let stacks = account.stacks.iter_mut();
        for stack in stacks.filter(|stack| stack.name == name && !stack.is_gone()) {
            stack.begin_deletion("", now);
        }
        drop(account);
        self.shared.advance();
    }

    /// Issues what waits for its DNS records: stacks go on.
    pub fn issue_certificates(&self) {
        let mut account = self.shared.account.lock();
        let waiting = |one: &&mut Certificate| one.status == "PENDING_VALIDATION";
        for certificate in account.certificates.values_mut().filter(waiting) {
            "ISSUED".clone_into(&mut certificate.status);
        }
    }

    /// Adds or changes what Cloud Control tells of, by its type (`AWS::Route53::HostedZone`) and its identifier. Its properties are a JSON
    /// object.
    pub fn set_resource(&self, kind: &str, id: &str, properties: &str) {
        let properties = serde_json::from_str(properties).unwrap_or_default();
        let mut account = self.shared.account.lock();
        let all = account.resources.entry(kind.to_owned()).or_default();
        all.insert(id.to_owned(), properties);
    }

    /// Removes what Cloud Control tells of.
    pub fn remove_resource(&self, kind: &str, id: &str) {
        let mut account = self.shared.account.lock();
        if let Some(all) = account.resources.get_mut(kind) {
            all.remove(id);
        }
    }

    /// Has resources of this logical id fail to be made or changed, with this reason, from now on; `None`: not any more.
    #[cfg(feature = "faults")]
    pub fn fail_resource(&self, id: &str, reason: Option<&str>) {
        let failures = &mut self.shared.account.lock().failures;
        match reason {
            Some(reason) => _ = failures.insert(id.to_owned(), reason.to_owned()),
            None => _ = failures.remove(id),
        }
    }

    /// The status of every stack by its name, of those of one name the last. What is gone is `DELETE_COMPLETE`.
    pub fn stacks(&self) -> BTreeMap<String, String> {
        self.shared.advance();
        let account = self.shared.account.lock();
        let stacks = account.stacks.iter();
        stacks
            .map(|stack| (stack.name.clone(), stack.status.clone()))
            .collect()
    }
}
