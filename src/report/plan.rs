//! A Plan as a person likes to read it: what changes and why, what that comes to, and what is purged for how much. Pure.

use super::purge;
use super::text::{Paint, bytes, columns, count, counted, elided, joined, padded, shown, wrapped};
use crate::plan::{Action, Change, FunctionChange, Plan, Reason};

/// What a plan's reader wants to know that is not in the plan.
#[derive(Clone, Debug, Default)]
pub struct Context {
    pub bucket: String,
    /// Empty or ending in `/`.
    pub prefix: String,
    /// What each purge's target is called besides its id, such as its first alias: `(target, name)`.
    pub names: Vec<(String, String)>,
    /// What is left of the month's free paths before this deploy, where it is known.
    pub free_left: Option<u64>,
}

impl Context {
    /// `E123 (www.example.com)`.
    pub fn title(&self, target: &str) -> String {
        let named = self.names.iter().find(|(id, _)| id == target);
        match named {
            Some((_, name)) if !name.is_empty() => format!("{} ({})", shown(target), shown(name)),
            _ => shown(target),
        }
    }

    pub fn destination(&self) -> String {
        super::text::destination(&self.bucket, &self.prefix)
    }
}

/// How a text is to look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns.
    pub width: usize,
    pub paint: Paint,
    /// Nothing is left out.
    pub verbose: bool,
}

/// Changes shown where not all are asked for.
const MAX_CHANGES: usize = 30;
/// Names shown of what is told in passing.
const MAX_NAMES: usize = 3;

/// The whole plan, without a line break at its end.
pub fn plan(plan: &Plan, context: &Context, look: Look) -> String {
    let mut blocks = Vec::new();
    if plan.is_empty() {
        blocks.push(nothing_to_do(&context.destination(), look.width));
        let notes = notes(plan, look);
        if !notes.is_empty() {
            blocks.push(notes);
        }
        return blocks.join("\n\n");
    }
    let title = wrapped(&title(plan, context), look.width, "", "  ");
    blocks.push(look.paint.bold(&title));
    blocks.extend(changes(plan, look));
    let totals = joined(&totals(plan), look.width, "  ");
    let notes = notes(plan, look);
    blocks.push(
        [totals, notes]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("\n"),
    );
    if let Some(function) = &plan.function {
        let text = self::function(function, context);
        blocks.push(wrapped(&text, look.width, "", "  "));
    }
    for one in &plan.purges {
        blocks.extend(purge::purge(one, context, look));
    }
    blocks.join("\n\n")
}

/// What is said where a deploy finds nothing to do.
pub fn nothing_to_do(destination: &str, width: usize) -> String {
    let text = format!("Nothing to do: {destination} holds this build.");
    wrapped(&text, width, "", "  ")
}

/// `Function site-redirects (2 redirects, 2.4 kB): to create, publish and associate with E123 (www.example.com)`.
fn function(change: &FunctionChange, context: &Context) -> String {
    let mut parts: Vec<&str> = Vec::new();
    if change.publish {
        parts.extend([if change.new { "create" } else { "update" }, "publish"]);
    }
    let names: Vec<String> = change
        .associate
        .iter()
        .map(|id| context.title(id))
        .collect();
    let associate = match names.as_slice() {
        [] => String::new(),
        names => format!(
            "associate with the viewer requests of {}'s default behavior",
            names.join(" and of ")
        ),
    };
    parts.extend(Some(associate.as_str()).filter(|text| !text.is_empty()));
    format!(
        "Function {} ({}, {}): to {}",
        shown(&change.name),
        counted(change.redirects as u64, "redirect"),
        bytes(change.code.len() as u64),
        parts.join(", ")
    )
}

fn title(plan: &Plan, context: &Context) -> String {
    let mut title = format!("Plan for {}", context.destination());
    for one in &plan.purges {
        title.push_str(" and ");
        title.push_str(&context.title(&one.target));
    }
    title
}

/// One line of the list.
struct Row {
    reason: Reason,
    sign: char,
    key: String,
    /// Empty where nothing is sent.
    size: String,
    why: String,
}

impl Row {
    fn of(change: &Change) -> Self {
        let (sign, size, why) = match &change.action {
            Action::Upload => ('~', bytes(change.size), String::new()),
            Action::SetHeaders => ('=', String::new(), String::new()),
            Action::CopyFrom { key, .. } => (
                '~',
                String::new(),
                format!(", copied from {}", shown(key.as_str())),
            ),
            Action::Restore { .. } => (
                '~',
                String::new(),
                ", copied from an earlier version".to_owned(),
            ),
        };
        Self {
            reason: change.reason,
            sign: if change.reason == Reason::New {
                '+'
            } else {
                sign
            },
            key: shown(change.key.as_str()),
            size,
            why: format!("{}{why}", change.reason.word()),
        }
    }

    fn line(&self, key_width: usize, why_width: usize, paint: Paint) -> String {
        let sign = self.sign.to_string();
        let sign = match self.sign {
            '+' => paint.green(&sign),
            '-' => paint.red(&sign),
            '=' => paint.cyan(&sign),
            _ => paint.yellow(&sign),
        };
        let key = padded(&elided(&self.key, key_width), key_width);
        let why = elided(&self.why, why_width);
        format!("  {sign} {key}  {:>8}  {why}", self.size)
    }
}

fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows: Vec<Row> = plan.changes.iter().map(Row::of).collect();
    rows.extend(plan.deletions.iter().map(|deletion| Row {
        reason: Reason::Removed,
        sign: '-',
        key: shown(deletion.key.as_str()),
        size: String::new(),
        why: Reason::Removed.word().to_owned(),
    }));
    rows.sort_by(|one, other| (rank(one.reason), &one.key).cmp(&(rank(other.reason), &other.key)));
    rows
}

fn rank(reason: Reason) -> u8 {
    match reason {
        Reason::New => 0,
        Reason::Content => 1,
        Reason::Forced => 2,
        Reason::Headers => 3,
        Reason::Removed => 4,
    }
}

/// The list of changes, some of each kind where they are many.
fn changes(plan: &Plan, look: Look) -> Option<String> {
    let mut rows = rows(plan);
    let all = rows.len();
    if !look.verbose && all > MAX_CHANGES {
        let mut budget = shares(&rows, MAX_CHANGES);
        rows.retain(|row| {
            let left = budget.get_mut(usize::from(rank(row.reason)));
            left.is_some_and(|left| {
                let shown = *left > 0;
                *left = left.saturating_sub(1);
                shown
            })
        });
    }
    let widest = |text: fn(&Row) -> &str| rows.iter().map(|row| columns(text(row))).max();
    let longest = widest(|row| &row.key)?;
    let why = widest(|row| &row.why).unwrap_or_default();
    // Sign, size and gaps take 16; a long key leaves at least 20 to the reason, and a long reason 20 to the key.
    let room = look.width.saturating_sub(16);
    let key_width = longest.min(room.saturating_sub(why).max(20));
    let why_width = room.saturating_sub(key_width).max(20);
    let line = |row: &Row| row.line(key_width, why_width, look.paint);
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if rows.len() < all {
        let more = count((all - rows.len()) as u64);
        lines.push(
            look.paint
                .dim(&format!("  ... and {more} more (--verbose shows all)")),
        );
    }
    Some(lines.join("\n"))
}

/// How many lines each rank gets: as evenly as they can use them.
fn shares(rows: &[Row], lines: usize) -> [usize; 5] {
    let mut waiting = [0; 5];
    for row in rows {
        if let Some(slot) = waiting.get_mut(usize::from(rank(row.reason))) {
            *slot += 1;
        }
    }
    let mut given = [0; 5];
    for _ in 0..lines {
        let next = (0..5)
            .filter(|at| given[*at] < waiting[*at])
            .min_by_key(|at| given[*at]);
        match next {
            Some(at) => given[at] += 1,
            None => break,
        }
    }
    given
}

/// `12 to upload (1.3 MB): 1 new, 11 content`, `1 to delete`, ...: what there is none of is left out.
pub fn totals(plan: &Plan) -> Vec<String> {
    let mut parts = Vec::new();
    let uploads: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|it| it.action == Action::Upload)
        .collect();
    let copies: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|it| it.action != Action::Upload)
        .collect();
    if !uploads.is_empty() {
        let (number, size) = (count(uploads.len() as u64), bytes(plan.upload_bytes()));
        parts.push(format!(
            "{number} to upload ({size}): {}",
            by_reason(&uploads)
        ));
    }
    if !copies.is_empty() {
        parts.push(format!(
            "{} to copy ({})",
            count(copies.len() as u64),
            by_reason(&copies)
        ));
    }
    for (number, what) in [
        (plan.deletions.len(), "to delete"),
        (plan.unchanged, "unchanged"),
    ] {
        if number > 0 {
            parts.push(format!("{} {what}", count(number as u64)));
        }
    }
    parts
}

/// `1 new, 11 content`, or the word alone where there is one reason.
fn by_reason(changes: &[&Change]) -> String {
    let mut counts: Vec<(Reason, u64)> = Vec::new();
    for change in changes {
        match counts
            .iter_mut()
            .find(|(reason, _)| *reason == change.reason)
        {
            Some((_, number)) => *number += 1,
            None => counts.push((change.reason, 1)),
        }
    }
    counts.sort_by_key(|(reason, _)| rank(*reason));
    match counts.as_slice() {
        [(reason, _)] => reason.word().to_owned(),
        several => {
            let parts = several
                .iter()
                .map(|(reason, number)| format!("{} {}", count(*number), reason.word()));
            parts.collect::<Vec<_>>().join(", ")
        }
    }
}

/// What is not changed, and why; a line each.
fn notes(plan: &Plan, look: Look) -> String {
    let objects = |number: usize| counted(number as u64, "object");
    let is = |number: usize| if number == 1 { "is" } else { "are" };
    let stay = |number: usize| if number == 1 { "stays" } else { "stay" };
    let mut notes = Vec::new();
    if !plan.debts.is_empty() {
        let ids = names(plan.debts.iter().map(String::as_str), look.verbose);
        notes.push(format!(
            "Pays what {} left owing: {ids}",
            counted(plan.debts.len() as u64, "earlier deploy")
        ));
    }
    let retained = plan.retained.len();
    if retained > 0 {
        let assets = counted(retained as u64, "fingerprinted asset");
        notes.push(format!(
            "{assets} left the build and {} for pages that are still open",
            stay(retained)
        ));
    }
    if plan.due > 0 {
        let assets = counted(plan.due as u64, "retained asset");
        notes.push(format!(
            "{assets} {} due, to go with the next deploy that changes something (or --sweep)",
            is(plan.due)
        ));
    }
    if plan.noisy > 0 {
        let pages = counted(plan.noisy as u64, "page");
        notes.push(format!(
            "{pages} of the unchanged: other than live by noise alone"
        ));
    }
    if plan.kept > 0 {
        notes.push(format!(
            "{} left the build and {} (--no-delete)",
            objects(plan.kept),
            stay(plan.kept)
        ));
    }
    let foreign = plan.foreign.len();
    if foreign > 0 {
        let keys = names(
            plan.foreign.iter().map(crate::domain::Key::as_str),
            look.verbose,
        );
        let ours = if foreign == 1 {
            "is not ours and stays (--adopt takes it over)"
        } else {
            "are not ours and stay (--adopt takes them over)"
        };
        notes.push(format!("{} {ours}: {keys}", objects(foreign)));
    }
    let adopted = plan.adopted.len();
    if adopted > 0 {
        notes.push(format!(
            "{} {} as wanted already and will be remembered as ours",
            objects(adopted),
            is(adopted)
        ));
    }
    let vanished = plan.vanished.len();
    if vanished > 0 {
        let keys = names(
            plan.vanished.iter().map(crate::domain::Key::as_str),
            look.verbose,
        );
        notes.push(format!(
            "{} that we put there {} gone: {keys}",
            objects(vanished),
            is(vanished)
        ));
    }
    let lines = notes
        .iter()
        .map(|note| wrapped(note, look.width, "  ", "    "));
    lines.collect::<Vec<_>>().join("\n")
}

/// The first few names.
fn names<'a>(all: impl ExactSizeIterator<Item = &'a str>, verbose: bool) -> String {
    let number = all.len();
    let most = if verbose { number } else { MAX_NAMES };
    let mut text = all.take(most).map(shown).collect::<Vec<_>>().join(", ");
    if number > most {
        text.push_str(&format!(" and {} more", count((number - most) as u64)));
    }
    text
}

#[cfg(test)]
#[path = "plan_tests.rs"]
pub(super) mod tests;
