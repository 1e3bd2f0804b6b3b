//! `unstale setup --distribution`: a line for each field that differs.

use serde_json::json;

use super::printer::Printer;
use super::prompt::PromptQuestion;
use super::text::shown;
use crate::setup::existing::FieldChange;

impl Printer {
    /// Prints what is to change, or that nothing is.
    pub(crate) fn field_changes(&self, id: &str, changes: &[FieldChange]) {
        if changes.is_empty() {
            let text = format!("Nothing to change: {id} is as you want it.");
            return self.result(&text, &json!({"type": "unchanged", "id": id}));
        }
        for change in changes {
            let before = change.before.as_deref().unwrap_or("nothing");
            let text = format!(
                "{id}  {}: {} -> {}",
                change.field,
                shown(before),
                shown(&change.after)
            );
            let object = json!({
                "type": "field", "id": id, "field": change.field, "before": change.before, "after": change.after,
            });
            self.result(&self.wrapped(&text, "", "  "), &object);
        }
    }

    /// Asks whether a distribution may be changed so. Where nobody answers it may not.
    pub(crate) fn may_change(&self, id: &str) -> bool {
        if !self.can_ask() {
            return false;
        }
        let question = PromptQuestion {
            title: "All else stays as it is.",
            choices: Vec::new(),
            kind: &format!("Change {id}? yes or no"),
            empty: Some("no"),
            accept: |text| match text {
                "yes" | "y" | "no" | "n" => Ok(()),
                _ => Err("yes or no?".to_owned()),
            },
        };
        let answer = self.ask(&question).ok().flatten();
        answer.is_some_and(|answer| answer.starts_with('y'))
    }

    pub(crate) fn fields_changed(&self, id: &str) {
        let text = format!("Changed {id}: all edges know it in a few minutes.");
        self.result(&text, &json!({"type": "changed", "id": id}));
    }
}
