//! `unstale verify` and `deploy --verify`: what viewers are answered against what was built.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use super::connect::{Link, read_password};
use super::{App, SiteCommand};
use crate::aws::viewer::{ViewerAnswer, ViewerClient};
use crate::cli;
use crate::deploy::PlanInputs;
use crate::edge::expect::{ExpectedAnswer, SeenAnswer, faults, header_faults};
use crate::error::{Error, Exit};
use crate::object::Key;
use crate::plan::{Plan, WantedObject};
use crate::report::verify::{FaultyAnswer, Verification};
use crate::site::SiteSource;
use crate::site::known::KnownBodies;
use crate::survey;
use crate::survey::OpenedSite;
use crate::survey::expect::{DistributionQuestions, ExpectedObjects, PathQuestion, questions};

/// Requests at once.
const AT_ONCE: usize = 32;
/// How long an edge may take to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Attempts at each URL.
const ATTEMPTS: usize = 3;

pub(super) async fn verify(app: &App, flags: &cli::VerifyArgs) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let job = app.job(&link)?;
    let tell = app.teller();
    let splits = Default::default();
    let (build, targets, opened) = tokio::try_join!(
        survey::build(&job, &splits, &tell),
        survey::find_targets(&link.aws, &job),
        survey::open(&link.aws, &job, None)
    )?;
    app.printer.finish();
    app.printer.warnings(&targets.warnings);
    let OpenedSite { place, state, .. } = opened;
    let manifest = place.store.read_manifest(&state, true).await?.manifest;
    let mut source = SiteSource::of(build);
    source
        .tailor(&place, &KnownBodies::by(&manifest), &targets, &job)
        .await?;
    let mut wants = PlanInputs::wants(&job, &source, &targets);
    let mut gone = Vec::new();
    if flags.changed {
        let newest = state.object.recent.last();
        let newest = newest.ok_or_else(|| {
            let url = place.url();
            Error::usage(format!("nothing was deployed to {url} yet"))
        })?;
        let changes = place.store.read_history(newest).await?.changes;
        wants = only(wants, changes.iter().map(|change| &change.key));
        let removed = changes.into_iter().filter(|change| change.after.is_none());
        gone = removed.map(|change| change.key).collect();
    }
    let objects = ExpectedObjects {
        manifest: &manifest,
        wants: &wants,
        gone: &gone,
    };
    let asked = questions(&job, &targets, objects);
    let url = flags.url.as_ref().map(|url| url.0.as_str());
    ask_all(app, &link, asked, url).await
}

/// Asks for what a deploy changed.
pub(super) async fn verify_deployed(
    command: SiteCommand<'_>,
    scene: &PlanInputs,
    plan: &Plan,
    url: Option<&str>,
) -> Result<Exit, Error> {
    let SiteCommand { app, link, job } = command;
    let changed = plan.changes.iter().map(|change| &change.key);
    let wants = only(scene.wanted(job), changed);
    let gone = plan.deletions.iter().map(|deletion| deletion.key.clone());
    let gone: Vec<Key> = gone.collect();
    let objects = ExpectedObjects {
        manifest: &scene.remote.loaded.manifest,
        wants: &wants,
        gone: &gone,
    };
    let asked = questions(job, &scene.targets, objects);
    ask_all(app, link, asked, url).await
}

/// Keeps what is wanted of these keys.
fn only<'a>(
    mut wants: Vec<WantedObject>,
    keys: impl Iterator<Item = &'a Key>,
) -> Vec<WantedObject> {
    let keys: HashSet<&Key> = keys.collect();
    wants.retain(|want| keys.contains(&want.key));
    wants
}

async fn ask_all(
    app: &App,
    link: &Link,
    asked: Vec<DistributionQuestions>,
    url: Option<&str>,
) -> Result<Exit, Error> {
    let stranger = ViewerClient::new(app.authorities()?.as_deref(), PATIENCE);
    let password = read_password(&app.settings)?;
    let knowing = password.map_or_else(|| stranger.clone(), |known| stranger.with_password(&known));
    let mut verification = Verification::default();
    for site in asked {
        if site.blind {
            let target = site.target.as_deref().unwrap_or_default();
            app.printer.asks_no_folders(target);
        }
        let base = base(link, &site, url).await?;
        app.printer.asking(&base, site.all.len());
        let mut answers = stream::iter(site.all)
            .map(|question| {
                let viewer = match question.expected {
                    ExpectedAnswer::AskPassword => &stranger,
                    _ => &knowing,
                };
                ask(viewer, &base, question)
            })
            .buffer_unordered(AT_ONCE);
        loop {
            let answer = tokio::select! {
                next = answers.next() => next,
                () = app.stop.wished() => return Err(Error::interrupted("interrupted while asking")),
            };
            let Some(answer) = answer else { break };
            answer.count_in(&mut verification);
        }
    }
    for faulty in [&mut verification.stale, &mut verification.silent] {
        faulty.sort_by(|one, other| one.url.cmp(&other.url));
    }
    app.printer.verification(&verification);
    judge(&verification)
}

/// Returns where a distribution is asked, without a final slash.
async fn base(
    link: &Link,
    asked: &DistributionQuestions,
    url: Option<&str>,
) -> Result<String, Error> {
    if let Some(url) = url {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    if let Some(session) = &link.session {
        if let Some(world) = &session.world {
            let served = world.serve_edge(&session.distribution, 0, 0).await;
            return served.map_err(|error| Error::failed("no edge can be served").because(error));
        }
        if let Some(url) = session.edge_urls.first() {
            return Ok(url.clone());
        }
    }
    let domain = asked.domain.as_ref().map(|name| format!("https://{name}"));
    domain.ok_or_else(|| {
        Error::usage("nobody tells where viewers find the site")
            .hint("`--url https://www.example.com` asks there; --distribution names one whose domain is asked")
    })
}

/// What came of one URL.
struct AskedUrl {
    url: String,
    question: PathQuestion,
    /// `Err`: why there is no answer.
    answer: Result<ViewerAnswer, String>,
}

async fn ask(viewer: &ViewerClient, base: &str, question: PathQuestion) -> AskedUrl {
    let url = format!("{base}{}", question.path);
    let mut answer = viewer.get(&url).await;
    for _ in 1..ATTEMPTS {
        if answer.is_ok() {
            break;
        }
        answer = viewer.get(&url).await;
    }
    AskedUrl {
        url,
        question,
        answer,
    }
}

impl AskedUrl {
    fn count_in(self, verification: &mut Verification) {
        verification.asked += 1;
        let header = |name: &str| {
            let seen = self.answer.as_ref().ok();
            seen.and_then(|seen| seen.header(name)).map(str::to_owned)
        };
        let [pop, x_cache, age] = ["x-amz-cf-pop", "x-cache", "age"].map(header);
        if let Some(pop) = &pop {
            *verification.edges.entry(pop.clone()).or_default() += 1;
        }
        let (faulty, faults) = match &self.answer {
            Ok(seen) => (&mut verification.stale, self.faults(seen)),
            Err(why) => (&mut verification.silent, vec![why.clone()]),
        };
        if !faults.is_empty() {
            faulty.push(FaultyAnswer {
                url: self.url,
                key: self.question.key,
                faults,
                pop,
                x_cache,
                age,
            });
        }
    }

    fn faults(&self, seen: &ViewerAnswer) -> Vec<String> {
        let answer = SeenAnswer {
            status: seen.status,
            size: seen.size,
            md5: seen.md5,
            headers: &seen.headers,
        };
        let mut faults = faults(&self.question.expected, &answer);
        // An error that nobody expects says enough.
        if faults.is_empty() || answer.status < 400 {
            faults.extend(header_faults(&self.question.added, &answer));
        }
        faults
    }
}

/// Returns the error where something is stale, or answers nothing.
fn judge(verification: &Verification) -> Result<Exit, Error> {
    let (stale, silent) = (verification.stale.len(), verification.silent.len());
    let asked = verification.asked;
    let (message, hint) = if stale > 0 {
        (
            format!("{stale} of {asked} request paths are stale"),
            "`unstale plan` shows whether something is to be deployed; `unstale invalidate PATH` purges by hand",
        )
    } else if silent > 0 {
        (
            format!("{silent} of {asked} request paths gave no answer"),
            "`--url` asks elsewhere",
        )
    } else {
        return Ok(Exit::Done);
    };
    Err(Error::new(Exit::Stale, message).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Md5;

    #[test]
    fn stale_counts_before_silent() {
        let asked = |path: &str, answer: Result<u16, &str>| AskedUrl {
            url: format!("https://x.example{path}"),
            question: PathQuestion {
                path: path.to_owned(),
                key: Key::new("k"),
                expected: ExpectedAnswer::Gone,
                added: Default::default(),
            },
            answer: answer.map_err(str::to_owned).map(|status| ViewerAnswer {
                status,
                headers: vec![("x-amz-cf-pop".to_owned(), "FRA1".to_owned())],
                size: 0,
                md5: Md5([0; 16]),
            }),
        };
        let mut verification = Verification::default();
        for (answer, message) in [
            (Ok(404), None),
            (
                Err("timed out"),
                Some("1 of 2 request paths gave no answer"),
            ),
            (Ok(200), Some("1 of 3 request paths are stale")),
        ] {
            asked("/a", answer).count_in(&mut verification);
            let error = judge(&verification).err();
            assert_eq!(error.map(|error| error.message).as_deref(), message);
        }
        assert_eq!(verification.edges["FRA1"], 2);
    }
}
