//! `unstale setup --distribution`: a line for each field that differs.

use serde_json::json;

use super::printer::Printer;
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

    pub(crate) fn fields_changed(&self, id: &str) {
        let text = format!("Changed {id}: all edges know it in a few minutes.");
        self.result(&text, &json!({"type": "changed", "id": id}));
    }
}
