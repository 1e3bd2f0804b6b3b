//! When each step of a deploy began and ended.

use std::time::Duration;

use super::html::{escaped, list};
use crate::job::DeployEvent;
use crate::object::plural::counted;
use crate::plan::Plan;
use crate::plan::order::UploadRank;
use crate::report::event::{milestone, notable};
use crate::report::summary::Completions;
use crate::report::text::{duration, shown};

/// Bytes of the bars.
const BUDGET: usize = 15_000;
/// The length of the longest bar, in units of the drawing.
const WIDTH: f64 = 1000.0;
/// The shortest bar that can be seen.
const MIN_WIDTH: f64 = 4.0;

/// A step of a deploy, as it is told apart from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
enum StepKey {
    Build,
    Listing,
    Lease,
    Plan,
    Keep,
    Upload(UploadRank),
    Delete,
    /// By the distribution that is awaited.
    Deployment(String),
    /// By the distribution that is sent paths.
    Sending(String),
    /// By the distribution whose edges forget.
    Completing(String),
    /// What happens at once, with what is said of it.
    Note(String),
}

/// A step with its times since the deploy began.
#[derive(Clone, Debug)]
struct TimedStep {
    key: StepKey,
    from: Duration,
    to: Duration,
    /// Objects, or paths.
    count: u64,
    /// What is said of it, where that is not the key's alone.
    text: String,
}

/// What is noted of a deploy while it goes on.
#[derive(Debug, Default)]
pub struct TimeLine {
    steps: Vec<TimedStep>,
    /// How many objects go live in each rank, by the plan, in order; each rank is live before the next begins.
    ranks: Vec<(UploadRank, u64)>,
    /// When the step before ended.
    mark: Duration,
    completed: Completions,
    /// In the order in which they were told.
    warnings: Vec<String>,
    ended: Duration,
}

impl TimeLine {
    /// Takes note of an event, so long after the deploy began.
    pub fn note(&mut self, at: Duration, event: &DeployEvent) {
        self.ended = at;
        match event {
            DeployEvent::Planned(plan) => {
                self.ranks = ranks(plan);
                self.step(StepKey::Plan, self.mark, at).text = "Planned".to_owned();
            }
            DeployEvent::UploadsBegan { .. } => self.mark = at,
            DeployEvent::Kept { done, .. } => {
                self.step(StepKey::Keep, self.mark, at).count = *done;
            }
            DeployEvent::Changed { .. } => {
                let rank = self.next_rank();
                self.step(StepKey::Upload(rank), self.mark, at).count += 1;
            }
            DeployEvent::Deleted { .. } => self.step(StepKey::Delete, self.mark, at).count += 1,
            DeployEvent::PurgeAccepted { target, paths, .. } => {
                let step = self.step(StepKey::Sending(target.clone()), self.mark, at);
                step.count += paths.len() as u64;
            }
            DeployEvent::PurgeCompleted {
                target,
                invalidation,
                elapsed,
            } => {
                self.completed.insert(invalidation.clone(), *elapsed);
                let from = at.saturating_sub(*elapsed);
                self.step(StepKey::Completing(target.clone()), from, at);
            }
            DeployEvent::Warned(message) => self.warnings.push(message.clone()),
            _ => self.note_in_words(at, event),
        }
    }

    /// Takes note of an event that is told as it is elsewhere.
    fn note_in_words(&mut self, at: Duration, event: &DeployEvent) {
        let told = || milestone(event).or_else(|| notable(event));
        let (key, from, text) = match event {
            DeployEvent::Scanned { .. } => (StepKey::Build, Duration::ZERO, told()),
            DeployEvent::ListingEnded(_) => (StepKey::Listing, Duration::ZERO, told()),
            DeployEvent::LockAwaited { waited, who, .. } => {
                let text = format!("Waited for the lease of {}", shown(who));
                (StepKey::Lease, at.saturating_sub(*waited), Some(text))
            }
            DeployEvent::DeploymentAwaited { target, elapsed } => {
                let text = format!("Waited until {} was deployed", shown(target));
                let from = at.saturating_sub(*elapsed);
                (StepKey::Deployment(target.clone()), from, Some(text))
            }
            _ => match notable(event) {
                Some(text) => (StepKey::Note(text.clone()), at, Some(text)),
                None => return,
            },
        };
        self.step(key, from, at).text = text.unwrap_or_default();
    }

    /// Takes an object off the ranks that are left, and returns its rank.
    fn next_rank(&mut self) -> UploadRank {
        self.ranks.retain(|(_, left)| *left > 0);
        let Some((rank, left)) = self.ranks.first_mut() else {
            return UploadRank::Root;
        };
        *left -= 1;
        *rank
    }

    /// Begins a step, or goes on with it.
    fn step(&mut self, key: StepKey, from: Duration, at: Duration) -> &mut TimedStep {
        self.mark = at;
        let known = self.steps.iter().position(|step| step.key == key);
        let place = known.unwrap_or(self.steps.len());
        if known.is_none() {
            self.steps.push(TimedStep {
                key,
                from,
                to: at,
                count: 0,
                text: String::new(),
            });
        }
        let step = &mut self.steps[place];
        step.to = at;
        step
    }

    /// How long each purge took.
    pub(super) fn completed(&self) -> &Completions {
        &self.completed
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Writes a bar for each step, with its times in words.
    pub(super) fn html(&self) -> String {
        let whole = self.ended.as_secs_f64().max(1e-3);
        let place = |time: Duration| (time.as_secs_f64() / whole).min(1.0) * WIDTH;
        list(&self.steps, BUDGET, |step| {
            let from = place(step.from).min(WIDTH - MIN_WIDTH);
            let width = (place(step.to) - from).max(MIN_WIDTH);
            let text = escaped(&step.text());
            let times = match step.from == step.to {
                true => format!("at {}", duration(step.to)),
                false => format!("{} to {}", duration(step.from), duration(step.to)),
            };
            format!(
                "<span>{text}</span> <small>{times}</small><svg viewBox=\"0 0 {WIDTH} 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect x=\"{from:.0}\" width=\"{width:.0}\" height=\"10\"/></svg>"
            )
        })
    }
}

impl TimedStep {
    /// Says what was done.
    fn text(&self) -> String {
        let objects = || counted(self.count, "object");
        match &self.key {
            StepKey::Keep => format!("Kept for rollback: {}", objects()),
            StepKey::Upload(rank) => format!("{}: {}", rank_name(*rank), objects()),
            StepKey::Delete => format!("Deleted: {}", objects()),
            StepKey::Sending(target) => {
                format!(
                    "Purge of {} sent: {}",
                    shown(target),
                    counted(self.count, "path")
                )
            }
            StepKey::Completing(target) => format!("Purge of {} at the edges", shown(target)),
            _ => self.text.clone(),
        }
    }
}

/// Counts the objects of each rank; the steps of new pages are one.
fn ranks(plan: &Plan) -> Vec<(UploadRank, u64)> {
    let mut ranks: Vec<(UploadRank, u64)> = Vec::new();
    for change in &plan.changes {
        let rank = match change.rank {
            UploadRank::NewPage(_) => UploadRank::NewPage(0),
            rank => rank,
        };
        match ranks.last_mut() {
            Some((last, count)) if *last == rank => *count += 1,
            _ => ranks.push((rank, 1)),
        }
    }
    ranks
}

fn rank_name(rank: UploadRank) -> &'static str {
    match rank {
        UploadRank::Asset => "Assets",
        UploadRank::LiveAsset => "Live style sheets and scripts",
        UploadRank::NewPlaylist => "New playlists",
        UploadRank::LivePlaylist => "Live playlists",
        UploadRank::NewPage(_) => "New pages",
        UploadRank::LivePage => "Live pages",
        UploadRank::Feed => "Feeds",
        UploadRank::Root => "The root page",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Change, ChangeAction, Reason};
    use crate::report::tests::change;

    fn line() -> TimeLine {
        let mut line = TimeLine::default();
        let mut plan = Plan::default();
        let ranks = [
            UploadRank::NewPage(1),
            UploadRank::NewPage(0),
            UploadRank::Root,
        ];
        let change = |rank| Change {
            rank,
            ..change("a", Reason::New, ChangeAction::Upload, 1)
        };
        plan.changes = ranks.map(change).to_vec();
        let changed = |key: &str| DeployEvent::Changed {
            key: key.into(),
            action: ChangeAction::Upload,
            reason: Reason::New,
            bytes: 1,
        };
        for (millis, event) in [
            (100, DeployEvent::Scanned { files: 2, bytes: 9 }),
            (300, DeployEvent::ListingEnded(7)),
            (400, DeployEvent::Planned(plan.into())),
            (500, DeployEvent::UploadsBegan { files: 2, bytes: 9 }),
            (600, changed("a")),
            (700, changed("b")),
            (800, changed("index.html")),
            (850, DeployEvent::PlannedAgain("<b>".to_owned())),
            (
                900,
                DeployEvent::PurgeAccepted {
                    target: "E1".to_owned(),
                    invalidation: "I1".to_owned(),
                    paths: vec!["/a".to_owned()],
                },
            ),
            (
                2000,
                DeployEvent::PurgeCompleted {
                    target: "E1".to_owned(),
                    invalidation: "I1".to_owned(),
                    elapsed: Duration::from_millis(1000),
                },
            ),
        ] {
            line.note(Duration::from_millis(millis), &event);
        }
        line
    }

    #[test]
    fn steps_have_their_times_and_bars() {
        let text = line().html();
        let items: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("<li>"))
            .collect();
        let bar = |x: u32, width: u32| {
            format!(
                "<svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect x=\"{x}\" width=\"{width}\" height=\"10\"/></svg></li>"
            )
        };
        for (item, words, bar) in [
            (
                0,
                "Read the build: 2 files, 9 B</span> <small>0 ms to 100 ms",
                bar(0, 50),
            ),
            (
                1,
                "Listed the bucket: 7 objects</span> <small>0 ms to 300 ms",
                bar(0, 150),
            ),
            (2, "Planned</span> <small>300 ms to 400 ms", bar(150, 50)),
            (
                3,
                "New pages: 2 objects</span> <small>500 ms to 700 ms",
                bar(250, 100),
            ),
            (
                4,
                "The root page: 1 object</span> <small>700 ms to 800 ms",
                bar(350, 50),
            ),
            (
                5,
                "Planning again: &lt;b&gt;</span> <small>at 850 ms",
                bar(425, 4),
            ),
            (
                6,
                "Purge of E1 sent: 1 path</span> <small>850 ms to 900 ms",
                bar(425, 25),
            ),
            (
                7,
                "Purge of E1 at the edges</span> <small>1.0 s to 2.0 s",
                bar(500, 500),
            ),
        ] {
            assert_eq!(items[item], format!("<li><span>{words}</small>{bar}"));
        }
        assert_eq!(items.len(), 8, "{text}");
    }
}
