//! `unstale verify` and `deploy --verify`: what viewers are answered against what was built.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use super::asked_url::{AskedUrl, ask};
use super::connect::{Link, read_password};
use super::remedy;
use super::{App, SiteCommand};
use crate::aws::viewer::ViewerClient;
use crate::cli;
use crate::deploy::PlanInputs;
use crate::edge::expect::{ExpectedAnswer, FaultKind, OwnContents};
use crate::error::{Error, Exit};
use crate::object::Key;
use crate::object::entry::EntryLife;
use crate::object::manifest::Manifest;
use crate::plan::Plan;
use crate::report::verify::{FaultyAnswer, SilentHost, Verification};
use crate::site::SiteSource;
use crate::site::known::KnownBodies;
use crate::state::{RecentDeploy, StateStore};
use crate::survey;
use crate::survey::OpenedSite;
use crate::survey::expect::{self, AskedSite, ExpectedObjects, PathQuestion, asked_sites};

/// Requests at once.
const AT_ONCE: usize = 32;
/// How long an edge may take to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn verify(app: &App, flags: &cli::VerifyArgs) -> Result<Exit, Error> {
    let link = app.connect().await?;
    let job = app.job(&link)?;
    let tell = app.teller(&link);
    let splits = Default::default();
    let (build, mut targets, opened) = tokio::try_join!(
        survey::build(&job, &splits, &tell),
        survey::find_targets(&link.aws, &job),
        survey::open(&link.aws, &job, None)
    )?;
    let OpenedSite { place, state, .. } = opened;
    survey::find_recorded(&link.aws, &job, &state.object.told, &mut targets).await?;
    app.printer.finish();
    app.printer.warnings(&targets.warnings);
    let manifest = place.store.read_manifest(&state, true).await?.manifest;
    let mut source = SiteSource::of(build);
    source
        .tailor(&place, &KnownBodies::by(&manifest), &targets, &job)
        .await?;
    let wants = PlanInputs::wants(&job, &source, &targets);
    let mut only: Option<HashSet<Key>> = None;
    if flags.changed {
        let newest = state.object.recent.last();
        let newest = newest.ok_or_else(|| {
            let url = place.url();
            Error::usage(format!("nothing was deployed to {url} yet"))
        })?;
        let changes = place.store.read_history(newest).await?.changes;
        // A fingerprinted asset that went was not purged: nothing else will ever have its name. What is retained is there still.
        let stays = |key: &Key| {
            let entry = manifest.entries.get(key);
            entry.is_some_and(|entry| !matches!(entry.life, EntryLife::Live))
        };
        let keys = changes.into_iter().map(|change| change.key);
        only = Some(keys.filter(|key| !stays(key)).collect());
    }
    let plain = expect::plain();
    let asking = Asking {
        app,
        link: &link,
        sites: asked_sites(&job, &targets, &plain),
        objects: ExpectedObjects {
            manifest: &manifest,
            wants: &wants,
            only: only.as_ref(),
        },
        store: &place.store,
        recent: &state.object.recent,
    };
    asking
        .of(flags.url.as_ref().map(|url| url.0.as_str()))
        .await
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
    // A fingerprinted asset is not purged when it goes: nothing else will ever have its name.
    let gone = plan.deletions.iter().filter(|gone| !gone.fingerprinted);
    let gone = gone.map(|deletion| &deletion.key);
    let only = changed.chain(gone).cloned().collect();
    let wants = scene.wanted(job);
    let plain = expect::plain();
    let asking = Asking {
        app,
        link,
        sites: asked_sites(job, &scene.targets, &plain),
        objects: ExpectedObjects {
            manifest: &scene.remote.loaded.manifest,
            wants: &wants,
            only: Some(&only),
        },
        store: &scene.place.store,
        recent: &scene.remote.state.object.recent,
    };
    asking.of(url).await
}

/// What is asked for, and of whom.
struct Asking<'a> {
    app: &'a App,
    link: &'a Link,
    sites: Vec<AskedSite<'a>>,
    objects: ExpectedObjects<'a>,
    store: &'a StateStore,
    recent: &'a [RecentDeploy],
}

impl Asking<'_> {
    /// Asks everything at this URL, or else where each distribution answers, and tells what came of it.
    async fn of(&self, url: Option<&str>) -> Result<Exit, Error> {
        let (app, printer) = (self.app, &self.app.printer);
        let stranger = ViewerClient::new(app.authorities()?.as_deref(), PATIENCE);
        let password = read_password(&app.settings)?;
        let knowing =
            password.map_or_else(|| stranger.clone(), |known| stranger.with_password(&known));
        let mut verification = Verification::default();
        let (mut asked, mut answered) = (0, Vec::new());
        for site in &self.sites {
            if site.blind {
                printer.asks_no_folders(site.target.unwrap_or_default());
            }
            let base = base(self.link, site, url).await?;
            let host = remedy::host(&base);
            if let Some(canonical) = site.leads_to(host) {
                printer.asks_another_host(host, &canonical);
            }
            let questions = site.questions(host, self.objects);
            asked += questions.len();
            printer.asking(&base, questions.len());
            let viewers = [&stranger, &knowing];
            let asking = self.ask_all(viewers, &base, questions);
            match app
                .unless_stopped(asking, Error::interrupted("interrupted while asking"))
                .await?
            {
                Ok(mut answers) => answered.append(&mut answers),
                Err(silent) => verification.silent.push(silent),
            }
        }
        let own = self.own_contents(&answered).await;
        count(answered, &own, &mut verification);
        printer.verification(&verification);
        if asked == 0 && self.objects.only.is_none() {
            let text = "nothing was asked: no request path leads to an object of the site";
            return Err(Error::new(Exit::Stale, text)
                .hint("see that `prefix` and the distribution's origin path agree"));
        }
        judge(&verification)
    }

    /// Asks all questions, the first one first: where nobody answers that, nobody is asked for the others.
    async fn ask_all(
        &self,
        [stranger, knowing]: [&ViewerClient; 2],
        base: &str,
        questions: Vec<PathQuestion>,
    ) -> Result<Vec<AskedUrl>, SilentHost> {
        let paths = questions.len();
        let ask = |question: PathQuestion| {
            let viewer = match question.expected.as_slice() {
                [ExpectedAnswer::AskPassword] => stranger,
                _ => knowing,
            };
            ask(viewer, base, question)
        };
        let mut questions = questions.into_iter();
        let Some(first) = questions.next() else {
            return Ok(Vec::new());
        };
        let first = ask(first).await;
        if let Err(missing) = &first.answer
            && missing.unreachable
        {
            return Err(SilentHost {
                url: base.to_owned(),
                why: missing.why.clone(),
                paths,
            });
        }
        let mut all = vec![first];
        let answers = stream::iter(questions).map(ask);
        all.extend(answers.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await);
        let early: Vec<AskedUrl> = all
            .extract_if(.., |asked| asked.leaves().is_some())
            .collect();
        if let Some(longest) = early.iter().filter_map(AskedUrl::leaves).max() {
            self.app.printer.asks_again(early.len(), longest);
            tokio::time::sleep(longest).await;
            let again = stream::iter(early.into_iter().map(|asked| asked.question)).map(ask);
            all.extend(again.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await);
        }
        Ok(all)
    }

    /// Returns what the site has, and where an answer has a content that this does not tell, what it had: deploys before are looked
    /// up.
    async fn own_contents(&self, answered: &[AskedUrl]) -> OwnContents {
        let Manifest { entries, .. } = self.objects.manifest;
        let mut own = OwnContents::default();
        own.digests
            .extend(self.objects.wants.iter().map(|want| want.md5));
        for (_, entry) in entries {
            own.digests.extend(entry.content());
            own.etags.insert(entry.etag.clone());
        }
        let is_open = |asked: &AskedUrl| {
            let fault = asked.fault(&own, false);
            fault.is_some_and(|(kind, _)| kind == FaultKind::Wrong)
                && (asked.answer.iter()).any(|seen| !own.digests.contains(&seen.md5))
        };
        if !answered.iter().any(is_open) {
            return own;
        }
        let records = stream::iter(self.recent).map(|deploy| self.store.read_history(deploy));
        let mut records = records.buffer_unordered(AT_ONCE);
        while let Some(record) = records.next().await {
            // A record that is damaged or gone leaves an answer to be called foreign.
            let changes = record.map(|record| record.changes).unwrap_or_default();
            for past in changes
                .into_iter()
                .flat_map(|change| [change.before, change.after])
                .flatten()
            {
                own.digests.extend(past.digest.or_else(|| past.etag.md5()));
                own.etags.insert(past.etag);
            }
        }
        own
    }
}

/// Returns where a distribution is asked, without a final slash.
async fn base(link: &Link, site: &AskedSite<'_>, url: Option<&str>) -> Result<String, Error> {
    if let Some(url) = url {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    if let Some(session) = &link.session {
        let distribution = session.distribution.as_deref().unwrap_or_default();
        if let Some(world) = &session.world {
            let served = world.serve_edge(distribution, 0, 0).await;
            return served.map_err(|error| Error::failed("no edge can be served").because(error));
        }
        if let Some(url) = session.edge_urls.first() {
            return Ok(url.clone());
        }
    }
    let domain = site.domain.map(|name| format!("https://{name}"));
    domain.ok_or_else(|| {
        Error::usage("nobody tells where viewers find the site")
            .hint("`--url https://www.example.com` asks there; --distribution names one whose domain is asked")
    })
}

/// Sorts the answers.
fn count(answered: Vec<AskedUrl>, own: &OwnContents, verification: &mut Verification) {
    let lost = |asked: &&AskedUrl| asked.question.own && asked.fault(own, false).is_some();
    let lost: HashSet<Key> = (answered.iter().filter(lost))
        .filter_map(|asked| asked.question.key.clone())
        .collect();
    verification.asked += answered.len();
    for asked in answered {
        let header = |name: &str| {
            let seen = asked.answer.as_ref().ok();
            seen.and_then(|seen| seen.header(name)).map(str::to_owned)
        };
        let [pop, x_cache, age] = ["x-amz-cf-pop", "x-cache", "age"].map(header);
        if let Some(pop) = &pop {
            *verification.edges.entry(pop.clone()).or_default() += 1;
        }
        let key = asked.question.key.as_ref();
        let lost = key.is_some_and(|key| lost.contains(key));
        if let Some((kind, faults)) = asked.fault(own, lost) {
            verification.faulty.push(FaultyAnswer {
                kind,
                url: asked.url,
                key: asked.question.key,
                faults,
                pop,
                x_cache,
                age,
            });
        }
    }
    let faulty = &mut verification.faulty;
    faulty.sort_by(|one, other| (one.kind, &one.url).cmp(&(other.kind, &other.url)));
}

/// Returns the error where not all is as it should be.
fn judge(verification: &Verification) -> Result<Exit, Error> {
    let Verification { asked, faulty, .. } = verification;
    let (message, hint) = if let Some(host) = verification.silent.first() {
        (
            format!("{} does not answer: {}", host.url, host.why),
            "`--url` asks elsewhere",
        )
    } else if !faulty.is_empty() {
        (
            format!(
                "{} of {asked} request paths are not as they should be",
                faulty.len()
            ),
            "`unstale plan` shows whether something is to be deployed; `unstale invalidate PATH` purges by hand",
        )
    } else {
        return Ok(Exit::Done);
    };
    Err(Error::new(Exit::Stale, message).hint(hint))
}
