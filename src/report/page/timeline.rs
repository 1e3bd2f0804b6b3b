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

/// A step of a deploy, with its times since the deploy began.
#[derive(Clone, Debug)]
struct TimedStep {
    /// What is done; it tells steps apart.
    text: String,
    from: Duration,
    to: Duration,
    /// How many objects or paths, where they are counted.
    count: u64,
    noun: &'static str,
}

/// What is noted of a deploy while it goes on.
#[derive(Debug, Default)]
pub struct TimeLine {
    steps: Vec<TimedStep>,
    /// How many objects go live in each rank, by the plan, in order; each rank is live before the next begins.
    ranks: Vec<(&'static str, u64)>,
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
                self.step("Planned", self.mark, at);
            }
            DeployEvent::UploadsBegan { .. } => self.mark = at,
            DeployEvent::Kept { done, .. } => {
                self.counted("Kept for rollback", "object", at).count = *done;
            }
            DeployEvent::Changed { .. } => {
                let rank = self.next_rank();
                self.counted(rank, "object", at).count += 1;
            }
            DeployEvent::Deleted { .. } => self.counted("Deleted", "object", at).count += 1,
            DeployEvent::PurgeAccepted { target, paths, .. } => {
                let text = format!("Purge of {} sent", shown(target));
                self.counted(&text, "path", at).count += paths.len() as u64;
            }
            DeployEvent::PurgeCompleted {
                target,
                invalidation,
                elapsed,
            } => {
                self.completed.insert(invalidation.clone(), *elapsed);
                let text = format!("Purge of {} at the edges", shown(target));
                self.step(&text, at.saturating_sub(*elapsed), at);
            }
            DeployEvent::Warned(message) => self.warnings.push(message.clone()),
            DeployEvent::LockAwaited { waited, who, .. } => {
                let text = format!("Waited for the lease of {}", shown(who));
                self.step(&text, at.saturating_sub(*waited), at);
            }
            DeployEvent::DeploymentAwaited { target, elapsed } => {
                let text = format!("Waited until {} was deployed", shown(target));
                self.step(&text, at.saturating_sub(*elapsed), at);
            }
            DeployEvent::Scanned { .. } | DeployEvent::ListingEnded(_) => {
                let text = milestone(event).unwrap_or_default();
                self.step(&text, Duration::ZERO, at);
            }
            _ => {
                if let Some(text) = notable(event) {
                    self.step(&text, at, at);
                }
            }
        }
    }

    /// Takes an object off the ranks that are left, and returns its rank.
    fn next_rank(&mut self) -> &'static str {
        self.ranks.retain(|(_, left)| *left > 0);
        let Some((rank, left)) = self.ranks.first_mut() else {
            return rank_name(UploadRank::Root);
        };
        *left -= 1;
        rank
    }

    /// Begins a step that counts something, or goes on with it.
    fn counted(&mut self, text: &str, noun: &'static str, at: Duration) -> &mut TimedStep {
        let step = self.step(text, self.mark, at);
        step.noun = noun;
        step
    }

    /// Begins a step, or goes on with it.
    fn step(&mut self, text: &str, from: Duration, at: Duration) -> &mut TimedStep {
        self.mark = at;
        let known = self.steps.iter().position(|step| step.text == text);
        let place = known.unwrap_or(self.steps.len());
        if known.is_none() {
            self.steps.push(TimedStep {
                text: text.to_owned(),
                from,
                to: at,
                count: 0,
                noun: "",
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
            let text = escaped(&step.text);
            let number = match step.noun {
                "" => String::new(),
                noun => format!(": {}", counted(step.count, noun)),
            };
            let times = if step.from == step.to {
                format!("at {}", duration(step.to))
            } else {
                format!("{} to {}", duration(step.from), duration(step.to))
            };
            format!(
                "<span>{text}{number}</span> <small>{times}</small><svg viewBox=\"0 0 {WIDTH} 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect x=\"{from:.0}\" width=\"{width:.0}\" height=\"10\"/></svg>"
            )
        })
    }
}

/// Counts the objects of each rank; the steps of new pages are one.
fn ranks(plan: &Plan) -> Vec<(&'static str, u64)> {
    let ranks: Vec<_> = plan.changes.iter().map(|it| rank_name(it.rank)).collect();
    let equal = ranks.chunk_by(|one, other| one == other);
    equal.map(|same| (same[0], same.len() as u64)).collect()
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
