//! `unstale plan`: what changes and why, what that comes to, and what is purged for how much.

use std::collections::BTreeSet;
use std::fmt::Display;

use serde_json::{Value, json};

use super::changes;
use super::findings::budget_text;
use super::json::{merged, typed};
use super::lost;
use super::options::TextLook;
use super::printer::Printer;
use super::purge;
use super::summary::nothing_to_do;
use super::text::{bytes, count, counted, destination, first_names, joined, shown, wrapped};
use crate::object::Key;
use crate::plan::{FunctionChange, HeadersPolicyChange, Plan, StoreChange};

/// Names shown of what is told in passing.
const MAX_NAMES: usize = 3;

/// What a plan's reader wants to know that is not in the plan.
#[derive(Clone, Debug, Default)]
pub struct PlanContext {
    pub bucket: String,
    /// Empty or ending in `/`.
    pub prefix: String,
    /// What each purge's target is called besides its id, such as its first alias: `(target, name)`.
    pub names: Vec<(String, String)>,
    /// What is left of the month's free paths before this deploy; none where the distribution's plan includes paths.
    pub free_left: Option<u64>,
    /// What the owner's word is taken for, a sentence each.
    pub trusted: BTreeSet<String>,
    /// Why a deploy would not carry the plan out, a sentence each.
    pub refused: Vec<String>,
}

impl PlanContext {
    /// Writes `E123 (www.example.com)`.
    pub(super) fn title(&self, target: &str) -> String {
        let named = self.names.iter().find(|(id, _)| id == target);
        match named {
            Some((_, name)) => format!("{} ({})", shown(target), shown(name)),
            None => shown(target),
        }
    }

    pub(super) fn destination(&self) -> String {
        destination(&self.bucket, &self.prefix)
    }
}

impl Printer {
    /// Prints a plan as the result.
    pub fn plan(&self, plan: &Plan, context: &PlanContext) {
        self.finish();
        self.plan_warnings(plan);
        if self.options.json {
            let mut objects = json(plan, context);
            let summary = objects.pop();
            objects.iter().for_each(|object| self.object(object));
            summary.into_iter().for_each(|object| self.summary(object));
        } else {
            self.line(&text(plan, context, self.options.out));
        }
    }
}

/// Says that a deploy would not carry a plan out.
pub fn refusal(why: &impl Display, hint: &str) -> String {
    format!("deploy would refuse this: {why}; {hint}")
}

/// Writes the whole plan, without a line break at its end.
fn text(plan: &Plan, context: &PlanContext, look: TextLook) -> String {
    let notes = notes(plan, look);
    let mut blocks = Vec::new();
    if plan.is_empty() {
        let text = format!("{}.", nothing_to_do(&context.destination()));
        blocks.push(wrapped(&text, look.width, "", "  "));
        blocks.push(notes.join("\n"));
    } else {
        let title = wrapped(&title(plan, context), look.width, "", "  ");
        blocks.push(look.paint.bold(&title));
        blocks.extend(changes::list(plan, look));
        let totals = joined(&changes::totals(plan), look.width, "  ");
        let totals = Some(totals).filter(|text| !text.is_empty());
        let trusted = context.trusted.iter();
        let trusted = trusted.map(|note| wrapped(&shown(note), look.width, "  ", "    "));
        let lines: Vec<String> = totals.into_iter().chain(notes).chain(trusted).collect();
        blocks.push(lines.join("\n"));
        blocks.extend(distribution_texts(plan, context, look));
        let mut free_left = context.free_left;
        for purge in &plan.purges {
            blocks.extend(purge::text(purge, &mut free_left, look));
        }
    }
    blocks.extend(lost::text(&plan.lost, look));
    blocks.push(budget_text(&plan.budget, look));
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n\n")
}

/// Returns `change`, `delete`, `foreign`, `function`, `purge` and `lost-url` objects, and the `summary` last; warnings are told before.
fn json(plan: &Plan, context: &PlanContext) -> Vec<Value> {
    let mut objects: Vec<Value> = plan.changes.iter().map(changes::json).collect();
    let deletions = plan.deletions.iter();
    objects.extend(deletions.map(|deletion| typed("delete", deletion)));
    let foreign = plan.foreign.iter();
    objects.extend(foreign.map(|key| json!({"type": "foreign", "key": key})));
    let policies = plan.headers_policies.iter();
    objects.extend(policies.map(|change| typed("headers-policy", change)));
    let functions = plan.functions.iter();
    objects.extend(functions.map(|change| typed("function", change)));
    objects.extend(plan.purges.iter().flat_map(purge::json));
    objects.extend(lost::json(&plan.lost));
    let outcome = if plan.is_empty() {
        "nothing to do"
    } else {
        "planned"
    };
    let summary = json!({
        "type": "summary", "outcome": outcome, "bucket": context.bucket, "prefix": context.prefix,
        "free-paths-left": context.free_left,
    });
    let mut summary = merged(summary, changes::totals_json(plan));
    if !context.trusted.is_empty() {
        summary["trusted-functions"] = json!(context.trusted);
    }
    objects.push(summary);
    objects
}

/// Says all that is to be known of a plan besides its changes and its purge, a line each.
pub(super) fn remarks(plan: &Plan, context: &PlanContext) -> Vec<String> {
    let look = TextLook::default();
    let notes = notes(plan, look).into_iter();
    let notes = notes.map(|note| note.trim_start().to_owned());
    let trusted = context.trusted.iter().map(|note| shown(note));
    let texts = distribution_texts(plan, context, look);
    notes.chain(trusted).chain(texts).collect()
}

/// Says what changes of how distributions answer, a text each.
fn distribution_texts(
    plan: &Plan,
    context: &PlanContext,
    look: TextLook,
) -> impl Iterator<Item = String> {
    let policies = plan.headers_policies.iter();
    let policies = policies.map(|change| policy_text(change, context));
    let functions = plan.functions.iter();
    let texts = policies.chain(functions.map(|change| function_text(change, context)));
    texts.map(move |text| wrapped(&text, look.width, "", "  "))
}

/// Writes `Function site-redirects (2 redirects, 2.4 kB): to create, test, publish, associate with the viewer requests of E123
/// (www.example.com)'s default behavior`.
fn function_text(change: &FunctionChange, context: &PlanContext) -> String {
    let mut steps: Vec<String> = Vec::new();
    if change.publish {
        let write = if change.new { "create" } else { "update" };
        steps.extend([write, "test", "publish"].map(str::to_owned));
    }
    let names = |ids: &[String]| {
        let names: Vec<String> = ids.iter().map(|id| context.title(id)).collect();
        format!("{}'s default behavior", names.join(" and of "))
    };
    if !change.associate.is_empty() {
        let answers = if change.answers { " and answers" } else { "" };
        let names = names(&change.associate);
        steps.push(format!(
            "associate with the viewer requests{answers} of {names}"
        ));
        if !change.replaces.is_empty() {
            let replaced = shown(&change.replaces.join(", "));
            steps.push(format!("take the place of {replaced}"));
        }
    }
    if !change.remove.is_empty() {
        steps.push(format!("be taken off {}", names(&change.remove)));
    }
    if let Some(store) = &change.store {
        steps.insert(0, store_text(store));
    }
    let redirects = counted(change.redirects as u64, "redirect");
    let (name, size) = (shown(&change.name), bytes(change.code.len() as u64));
    let steps = steps.join(", ");
    format!("Function {name} ({redirects}, {size}): to {steps}")
}

/// Writes `Headers policy my-site (4 headers): to create, associate with E123 (www.example.com)'s behaviors *, /images/*; nothing is
/// purged for it`.
fn policy_text(change: &HeadersPolicyChange, context: &PlanContext) -> String {
    let mut steps: Vec<String> = Vec::new();
    if change.write {
        let write = if change.new { "create" } else { "update" };
        steps.push(write.to_owned());
    }
    let associate = change.associate.iter();
    let associate = associate.map(|behaviors| ("associate with", behaviors));
    let remove = change.remove.iter();
    let remove = remove.map(|behaviors| ("be taken off", behaviors));
    for (step, (id, patterns)) in associate.chain(remove) {
        let (target, patterns) = (context.title(id), shown(&patterns.join(", ")));
        steps.push(format!("{step} behaviors of {target} ({patterns})"));
    }
    let headers = counted(change.headers as u64, "header");
    let (name, steps) = (shown(&change.name), steps.join(", "));
    format!("Headers policy {name} ({headers}): to {steps}; nothing is purged for it")
}

/// Writes `write 120 redirects to and delete 3 from its key value store`.
fn store_text(store: &StoreChange) -> String {
    let puts = format!("write {} to", counted(store.puts.len() as u64, "redirect"));
    let deletes = format!("delete {} from", count(store.deletes.len() as u64));
    let parts = [(store.puts.len(), puts), (store.deletes.len(), deletes)];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(_, part)| part).collect();
    let new = if store.new { "new " } else { "" };
    format!("{} its {new}key value store", parts.join(" and "))
}

fn title(plan: &Plan, context: &PlanContext) -> String {
    let purges = plan.purges.iter();
    let targets = purges.map(|purge| format!(" and {}", context.title(&purge.target)));
    let targets: String = targets.collect();
    format!("Plan for {}{targets}", context.destination())
}

/// Says what is not changed, and why; a line each.
fn notes(plan: &Plan, look: TextLook) -> Vec<String> {
    let most = look.most(MAX_NAMES);
    let counted = |number: usize, noun: &str| counted(number as u64, noun);
    let is = |number: usize| if number == 1 { "is" } else { "are" };
    let stay = |number: usize| if number == 1 { "stays" } else { "stay" };
    let keys = |keys: &[Key]| first_names(keys.iter().map(Key::as_str), most);
    let (retained, foreign) = (plan.retained.len(), plan.foreign.len());
    let kept = &plan.kept_copies;
    let (adopted, vanished) = (plan.adopted.len(), plan.vanished.len());
    let ours = match foreign {
        1 => "is not ours and stays (--adopt takes it over)",
        _ => "are not ours and stay (--adopt takes them over)",
    };
    let notes = [
        (
            plan.debts.len(),
            format!(
                "Pays what {} left owing: {}",
                counted(plan.debts.len(), "earlier deploy"),
                first_names(plan.debts.iter().map(String::as_str), most)
            ),
        ),
        (
            retained,
            format!(
                "{} left the build and {} for pages that are still open",
                counted(retained, "asset"),
                stay(retained)
            ),
        ),
        (
            plan.due,
            format!(
                "{} {} due, to go with the next deploy that changes something (or --sweep)",
                counted(plan.due, "retained asset"),
                is(plan.due)
            ),
        ),
        (
            plan.noisy,
            format!(
                "{} of the unchanged: other than live by noise alone",
                counted(plan.noisy, "page")
            ),
        ),
        (
            plan.kept,
            format!(
                "{} left the build and {} (--no-delete)",
                counted(plan.kept, "object"),
                stay(plan.kept)
            ),
        ),
        (
            foreign,
            format!(
                "{} {ours}: {}",
                counted(foreign, "object"),
                keys(&plan.foreign)
            ),
        ),
        (
            kept.copies.len(),
            format!(
                "Kept for rollback: {}, {}; {}, {}",
                counted(kept.copies.len(), "object"),
                bytes(kept.bytes()),
                match kept.requests() {
                    1 => "1 copy".to_owned(),
                    copies => format!("{} copies", count(copies)),
                },
                kept.cost()
            ),
        ),
        (
            if look.verbose { kept.versioned } else { 0 },
            format!(
                "{} {} versions in the bucket, and {} no copy for rollback",
                counted(kept.versioned, "object"),
                if kept.versioned == 1 { "has" } else { "have" },
                if kept.versioned == 1 { "needs" } else { "need" },
            ),
        ),
        (
            adopted,
            format!(
                "{} {} as wanted already and will be remembered as ours",
                counted(adopted, "object"),
                is(adopted)
            ),
        ),
        (
            vanished,
            format!(
                "{} that we put there {} gone: {}",
                counted(vanished, "object"),
                is(vanished),
                keys(&plan.vanished)
            ),
        ),
    ];
    let notes = notes.iter().filter(|(number, _)| *number > 0);
    notes
        .map(|(_, note)| wrapped(note, look.width, "  ", "    "))
        .collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
