//! Follows a stack at work to its end, and tells what goes on.

use std::time::Instant;

use super::failure::{StackFailure, dns_record};
use super::run::{SetupEvent, StackRun};
use crate::aws::cloudformation::{ResourceEvent, SiteStack};
use crate::error::Error;

const CERTIFICATE: &str = "AWS::CertificateManager::Certificate";

/// A certificate that has its record waits for this many of the longest pauses at most, as a rule: two minutes.
const PATIENCE: u32 = 24;

type WaitingRecord = (Instant, SetupEvent);

impl StackRun<'_> {
    /// Tells what happens to a stack until nothing does: its own event says so, and then its state, which for a while may be that of
    /// before. `last` is the id of the last event that is known; without it, the events of what is under way are told.
    pub(super) async fn follow(&self, id: &str, last: Option<String>) -> Result<SiteStack, Error> {
        tokio::select! {
            biased;
            () = self.stop.wished() => Err(Error::interrupted(format!(
                "interrupted: CloudFormation goes on with the stack {} by itself",
                self.request.stack
            ))
            .hint("`unstale setup` again, with the same flags, goes on from there")),
            ended = self.ended(id, last) => ended,
        }
    }

    async fn ended(&self, id: &str, mut last: Option<String>) -> Result<SiteStack, Error> {
        let mut failures: Vec<StackFailure> = Vec::new();
        let mut pause = self.pace.0;
        let (mut status, mut awaited) = (String::new(), None);
        loop {
            let stack = self.cloudformation.stack(id).await?.unwrap_or_default();
            let is_known =
                |event: &ResourceEvent| last.as_ref().is_some_and(|last| *last == event.id);
            let mut events = self.cloudformation.events(id, is_known).await?;
            if last.is_none() {
                let begun = events
                    .iter()
                    .rposition(|event| event.physical_id == id && event.reason == "User Initiated");
                events.drain(..begun.unwrap_or_default());
            }
            last = events.last().map(|event| event.id.clone()).or(last);
            for event in events {
                if event.physical_id == id {
                    event.status.clone_into(&mut status);
                }
                awaited = self.awaited(&event, awaited);
                failures.extend(StackFailure::of(&event));
                (self.tell)(SetupEvent::Resource(event));
            }
            awaited = awaited.filter(|(since, record)| self.is_patient(*since, record));
            if stack.status == status && !status.ends_with("_IN_PROGRESS") {
                return self.outcome(stack, failures);
            }
            self.sleep(&mut pause).await;
        }
    }

    /// Returns since when a record is waited for that the account's zone gets by itself, and what to say of it. One for others to set is
    /// told at once.
    fn awaited(
        &self,
        event: &ResourceEvent,
        before: Option<WaitingRecord>,
    ) -> Option<WaitingRecord> {
        let is_over = event.kind == CERTIFICATE && !event.status.ends_with("_IN_PROGRESS");
        let told = match (dns_record(event), &self.zone) {
            (Some((name, value)), Some(zone)) => {
                let zone = zone.clone();
                SetupEvent::ZoneAwaited { name, value, zone }
            }
            (Some((name, value)), None) => {
                (self.tell)(SetupEvent::RecordAwaited { name, value });
                return None;
            }
            (None, _) => before?.1,
        };
        (!is_over).then(|| (Instant::now(), told))
    }

    /// Tells what is waited for once nothing has happened for long.
    fn is_patient(&self, since: Instant, record: &SetupEvent) -> bool {
        let is_patient = since.elapsed() < self.pace.1 * PATIENCE;
        if !is_patient {
            (self.tell)(record.clone());
        }
        is_patient
    }

    fn outcome(&self, stack: SiteStack, failures: Vec<StackFailure>) -> Result<SiteStack, Error> {
        let is_well = match stack.status.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => true,
            // A first try that failed may be gone as well.
            "DELETE_COMPLETE" => failures.is_empty(),
            _ => false,
        };
        if is_well {
            return Ok(stack);
        }
        let name = &self.request.stack;
        let Some(first) = failures.first() else {
            let error = Error::failed(format!("the stack {name} is {}", stack.status));
            return Err(error.because(stack.reason.unwrap_or_default()));
        };
        let text = first.text();
        let mut error = Error::failed(format!("the stack {name} could not be made: {text}"));
        error.causes = failures.iter().skip(1).map(StackFailure::text).collect();
        error.hint = first.advice();
        Err(error)
    }
}
