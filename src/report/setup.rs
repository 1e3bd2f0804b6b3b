//! `unstale setup`: the template, what would be made, what goes on, and what stands in the end.

use std::collections::BTreeMap;
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressBar};
use serde::Serialize;
use serde_json::{Value, json};

use super::json::typed;
use super::printer::Printer;
use super::text::{elided, shown};
use crate::aws::cloudformation::{ChangedProperty, ResourceEvent, SiteStack, StackChange};
use crate::aws::stack_drift::ResourceDrift;
use crate::cli::PrintedTemplate;
use crate::settings::added_keys::AddedKeys;
use crate::setup::run::{HALF_REMOVED, SetupEvent, StackProposal};
use crate::setup::template::StackDesign;

/// What stays when it is taken out of the stack.
const RETAINED: [&str; 2] = ["AWS::S3::Bucket", "AWS::IAM::OIDCProvider"];

/// What a site costs a month: S3 Standard in us-east-1 (aws.amazon.com/s3/pricing), and what CloudFront takes in North America and
/// Europe beyond its "Always Free Tier" (aws.amazon.com/cloudfront/pricing), where no flat-rate plan was chosen for the distribution.
const MONTHLY_COST: [&str; 4] = [
    "Costs a month, where no flat-rate plan is chosen:",
    "  bucket: $0.023 a GB, old versions too; $0.005 for 1,000 uploads",
    "  viewers: first 1 TB and 10,000,000 requests free, all sites together;",
    "    then from $0.085 a GB and $0.01 for 10,000 requests",
];

const TAKING_IN: [&str; 4] = [
    "The bucket's objects stay. Its versions, lifecycle rules, encryption, public",
    "access and tags become as the template says; if that fails, its own are not",
    "brought back. It gets a policy that lets the distribution alone read it: one of",
    "its own has to be taken off first.",
];

/// What a new site stands on.
#[derive(Debug, Serialize)]
pub(crate) struct ReadySite<'a> {
    pub stack: &'a str,
    pub outputs: &'a BTreeMap<String, String>,
    /// The settings file, where one was written.
    #[serde(skip)]
    pub file: &'a str,
    #[serde(skip)]
    pub keys: &'a AddedKeys,
    #[serde(skip)]
    pub next: &'a str,
}

impl Printer {
    /// Prints a template, one alone; the object has both, where the certificate has a stack of its own.
    pub(crate) fn template(&self, design: &StackDesign, printed: PrintedTemplate) {
        let (certificate, site) = (design.certificate_template(), design.template());
        let object = json!({"type": "template", "stack": design.stack, "template": site, "certificate_template": certificate});
        let text = match printed {
            PrintedTemplate::Site => site,
            PrintedTemplate::Certificate => certificate.unwrap_or_default(),
        };
        self.result(text.trim_end(), &object);
    }

    /// Shows what would be done, what it costs and what stays.
    pub(crate) fn proposal(
        &self,
        proposal: &StackProposal,
        region: &str,
        taken_back: &[ResourceDrift],
    ) {
        let StackProposal {
            stack,
            is_new,
            changes,
            ..
        } = proposal;
        let state = if *is_new { "new" } else { "changed" };
        let mut lines = vec![format!("Stack {} in {region}, {state}:", shown(stack))];
        lines.extend(changes.iter().flat_map(change_lines));
        if !taken_back.is_empty() {
            lines.push("Changed by hand, and taken back by this:".to_owned());
            lines.extend(taken_back.iter().flat_map(drift_lines));
        }
        let made = |kind: &str| {
            changes
                .iter()
                .any(|change| change.kind == kind && change.action == "Add")
        };
        if made("AWS::CloudFront::Distribution") {
            lines.extend(MONTHLY_COST.map(str::to_owned));
            if made("AWS::CloudFront::Function") {
                lines.push(
                    "  function's runs: first 2,000,000 free, then $0.10 a million".to_owned(),
                );
            }
            if made("AWS::CertificateManager::Certificate") || made("AWS::Route53::RecordSetGroup")
            {
                lines.push(
                    "  certificate and records: nothing; the DNS zone is what it was".to_owned(),
                );
            }
            lines.push("A distribution takes some minutes, and as long to go.".to_owned());
        }
        if made("AWS::S3::Bucket") {
            lines.push("The bucket is kept when the stack is deleted.".to_owned());
        }
        if proposal.takes_in() {
            lines.extend(TAKING_IN.map(str::to_owned));
        }
        let object = json!({"type": "change-set", "stack": stack, "region": region, "new": is_new, "changes": changes, "taken_back": taken_back});
        self.told(&lines.join("\n"), &object);
    }

    /// Says what an earlier run was told, and this one goes by.
    pub(crate) fn earlier_flags(&self, flags: &str) {
        if !flags.is_empty() {
            self.note(&format!("As it was made: {flags} (--anew forgets that)"));
        }
    }

    pub(crate) fn unneeded_stack(&self, stack: &str, region: &str) {
        self.note(&format!("The stack {stack} is needed no more: `aws cloudformation delete-stack --stack-name {stack} --region {region}` removes it"));
    }

    pub(crate) fn unchanged_stack(&self, stack: &str) {
        self.note(&format!("Stack {stack}: nothing to change"));
    }

    /// Shows what a failed first try left, or somebody who began to remove a stack.
    pub(crate) fn leftover(&self, name: &str, stack: &SiteStack) {
        let SiteStack { status, reason, .. } = stack;
        let reason = reason.as_ref().map(|reason| format!(": {}", shown(reason)));
        let state = if status == HALF_REMOVED {
            "was removed in part"
        } else {
            "is left from a failed first try"
        };
        let text = format!(
            "Stack {} {state} ({status}{}) and has to be removed first. A bucket with objects stays.",
            shown(name),
            reason.unwrap_or_default()
        );
        self.result(
            &self.wrapped(&text, "", ""),
            &json!({"type": "leftover", "stack": name, "status": status}),
        );
    }

    /// Shows what was changed by others.
    pub(crate) fn drift(&self, stack: &str, drifts: &[ResourceDrift]) {
        let mut lines: Vec<String> = drifts.iter().flat_map(drift_lines).collect();
        lines.push(if drifts.is_empty() {
            format!("Stack {stack} is as it was made")
        } else {
            "CloudFormation brings back what a change of its template touches, and nothing\nelse: undo this by hand, where it was no intention".to_owned()
        });
        let object = json!({"type": "summary", "stack": stack, "resources": drifts});
        self.line(&lines.join("\n"));
        self.summary(object);
    }

    /// Says what the site stands on, what was written down, and what is next.
    pub(crate) fn ready(&self, site: &ReadySite<'_>) {
        let outputs = site.outputs.iter();
        let outputs: Vec<String> = outputs
            .map(|(name, value)| format!("{name:18} {}", shown(value)))
            .collect();
        if !self.options.quiet {
            self.line(&outputs.join("\n"));
        }
        if !site.keys.added.is_empty() {
            self.note(&format!(
                "Wrote {}: {}",
                site.file,
                site.keys.added.join(", ")
            ));
        }
        if !site.keys.foreign.is_empty() {
            self.warn(&format!(
                "{} names another bucket: it is left as it is. This site's lines are:\n{}",
                site.file,
                site.keys.foreign.join("\n")
            ));
        }
        for line in &site.keys.differing {
            self.warn(&format!(
                "{} says something else than `{line}`: it is left as it is",
                site.file
            ));
        }
        self.note(site.next);
        self.summary(typed("summary", site));
    }

    /// Says what the settings file should say, where that is left to people.
    pub(crate) fn wanted_keys(&self, file: &str, lines: &[String]) {
        self.note(&format!("Put into {file}:\n{}", lines.join("\n")));
    }

    /// Says which records the domain's DNS needs, ready to paste.
    pub(crate) fn wanted_records(&self, domain: &str, target: &str) {
        self.result(
            &format!("Set in the DNS of {domain}:\n  {domain}. CNAME {target}.\n(an ALIAS or ANAME where {domain} is a domain's top)"),
            &json!({"type": "record", "name": domain, "kind": "CNAME", "value": target}),
        );
    }

    pub(crate) fn stack_progress(&self) -> StackProgress {
        StackProgress {
            printer: self.clone(),
            drawn: self.options.bars.then(MultiProgress::new),
            bars: Mutex::default(),
        }
    }
}

/// What goes on with the resources of a stack, a line for each.
pub(crate) struct StackProgress {
    printer: Printer,
    drawn: Option<MultiProgress>,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl StackProgress {
    pub(crate) fn event(&self, event: SetupEvent) {
        match event {
            SetupEvent::Resource(event) => self.resource(&event),
            SetupEvent::RecordAwaited { name, value } => self.record(
                &format!("The certificate waits for this record of the domain's DNS:\n  {name} CNAME {value}\nSet it there. This command waits; ended by Ctrl-C and run again later, it goes\non from here."),
                &json!({"type": "record", "name": name, "kind": "CNAME", "value": value}),
            ),
            SetupEvent::ZoneAwaited { name, value, zone } => self.record(
                &format!("The certificate still waits, although the zone {zone} has its\nrecord. Does the domain's parent name that zone's name servers? If not, set it\nwhere they are:\n  {name} CNAME {value}"),
                &json!({"type": "record", "name": name, "kind": "CNAME", "value": value, "zone": zone}),
            ),
        }
    }

    fn resource(&self, event: &ResourceEvent) {
        let ResourceEvent {
            resource,
            status,
            reason,
            ..
        } = event;
        self.printer.object(
            &json!({"type": "resource", "resource": resource, "status": status, "reason": reason}),
        );
        let done = !status.ends_with("_IN_PROGRESS");
        let why = if status.contains("FAILED") {
            format!(": {}", shown(reason))
        } else {
            String::new()
        };
        let line = format!(
            "{:20} {}{why}",
            shown(resource),
            status.to_lowercase().replace('_', " ")
        );
        let Some(drawn) = &self.drawn else {
            return self.printer.note(&line);
        };
        let mut bars = self
            .bars
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let bar = bars.entry(resource.clone()).or_insert_with(|| {
            let bar = drawn.add(ProgressBar::new_spinner());
            bar.enable_steady_tick(std::time::Duration::from_millis(100));
            bar
        });
        let line = elided(&line, self.printer.options.err.width.saturating_sub(3));
        if done {
            bar.finish_with_message(line);
        } else {
            bar.set_message(line);
        }
    }

    /// Prints the record that the domain's DNS needs above the bars.
    fn record(&self, text: &str, object: &Value) {
        let print = || self.printer.result(text, object);
        match &self.drawn {
            Some(drawn) => drawn.suspend(print),
            None => print(),
        }
    }
}

fn drift_lines(drift: &ResourceDrift) -> Vec<String> {
    let head = format!("{}: {}", drift.resource, drift.status.to_lowercase());
    let differences = drift.differences.iter().map(|difference| {
        let (expected, actual) = (shown(&difference.expected), shown(&difference.actual));
        format!("  {}: {expected} became {actual}", difference.path)
    });
    std::iter::once(head).chain(differences).collect()
}

fn change_lines(change: &StackChange) -> Vec<String> {
    let StackChange {
        action,
        resource,
        kind,
        replacement,
        properties,
    } = change;
    let (sign, what) = match (action.as_str(), replacement.as_str()) {
        ("Add", _) => ("+", String::new()),
        ("Import", _) => ("+", ", take in".to_owned()),
        ("Remove", _) if RETAINED.contains(&kind.as_str()) => {
            ("-", ", kept outside of the stack".to_owned())
        }
        ("Remove", _) => ("-", ", deleted".to_owned()),
        (_, "True") => ("!", ", REPLACED".to_owned()),
        (_, "Conditional") => ("!", ", perhaps replaced".to_owned()),
        _ => ("~", String::new()),
    };
    let head = format!("  {sign} {:20} {kind}{what}", shown(resource));
    let properties = properties.iter().map(property_line);
    std::iter::once(head).chain(properties).collect()
}

fn property_line(property: &ChangedProperty) -> String {
    const MOST: usize = 40;
    let path = &property.path;
    let (before, after) = (property.before.as_deref(), property.after.as_deref());
    if before.or(after).is_none() {
        return format!("      {path}");
    }
    let value = |value: Option<&str>| elided(&shown(value.unwrap_or("nothing")), MOST);
    format!("      {path}: {} -> {}", value(before), value(after))
}
