//! `unstale verify` and `deploy --verify`: what viewers are answered against what was built.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use super::App;
use super::connect::Link;
use crate::aws::viewer::{Seen, Viewer};
use crate::cli;
use crate::deploy::expect::{ExpectedObjects, Question, Questions, questions};
use crate::deploy::known::Known;
use crate::deploy::survey::{self, Opened};
use crate::deploy::{Job, Scene, Source};
use crate::domain::Key;
use crate::edge::expect::{Answer, faults};
use crate::error::{Error, Exit};
use crate::plan::{Plan, Want};

/// Requests at once.
const AT_ONCE: usize = 32;
/// How long an edge may take to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Attempts at each URL.
const ATTEMPTS: usize = 3;

pub(super) async fn verify(app: &App, flags: &cli::Verify) -> Result<Exit, Error> {
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
    for warning in &targets.warnings {
        app.printer.warn(warning);
    }
    let Opened { place, state, .. } = opened;
    let manifest = place.store.read_manifest(&state, true).await?.manifest;
    let mut source = Source::of(build);
    source
        .tailor(&place, &Known::by(&manifest), &targets, &job)
        .await?;
    let mut wants = Scene::wants(&job, &source, &targets);
    let mut gone = Vec::new();
    if flags.changed {
        let newest = state.object.recent.last();
        let Some(newest) = newest else {
            return Err(Error::usage(format!(
                "nothing was deployed to {} yet",
                place.url()
            )));
        };
        let record = place.store.read_history(newest).await?;
        let changed: HashSet<Key> = record.changes.iter().map(|one| one.key.clone()).collect();
        wants.retain(|want| changed.contains(&want.key));
        let removed = record.changes.into_iter().filter(|one| one.after.is_none());
        gone = removed.map(|one| one.key).collect();
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
    app: &App,
    link: &Link,
    job: &Job,
    scene: &Scene,
    plan: &Plan,
    url: Option<&str>,
) -> Result<Exit, Error> {
    let changed: HashSet<&Key> = plan.changes.iter().map(|change| &change.key).collect();
    let mut wants: Vec<Want> = scene.wanted(job);
    wants.retain(|want| changed.contains(&want.key));
    let gone: Vec<Key> = plan.deletions.iter().map(|one| one.key.clone()).collect();
    let objects = ExpectedObjects {
        manifest: &scene.remote.loaded.manifest,
        wants: &wants,
        gone: &gone,
    };
    let asked = questions(job, &scene.targets, objects);
    ask_all(app, link, asked, url).await
}

/// What came of one URL.
struct Checked {
    url: String,
    key: Key,
    faults: Vec<String>,
    seen: Option<Seen>,
}

async fn ask_all(
    app: &App,
    link: &Link,
    asked: Vec<Questions>,
    url: Option<&str>,
) -> Result<Exit, Error> {
    let viewer = Viewer::new(app.authorities()?.as_deref(), PATIENCE);
    let (mut total, mut stale, mut silent) = (0, Vec::new(), Vec::new());
    let mut edges: BTreeMap<String, usize> = BTreeMap::new();
    for one in asked {
        if one.blind {
            app.printer.warn(&format!(
                "{}: a function rewrites URLs, and nothing tells how: folders are not asked for (`index` in deploy.toml tells)",
                one.target.as_deref().unwrap_or_default()
            ));
        }
        let base = base(link, &one, url).await?;
        app.printer
            .note(&format!("Asking {base} for {} paths", one.all.len()));
        total += one.all.len();
        let mut answers = stream::iter(one.all)
            .map(|question| check(&viewer, &base, question))
            .buffer_unordered(AT_ONCE);
        loop {
            let checked = tokio::select! {
                next = answers.next() => next,
                () = app.stop.wished() => return Err(Error::interrupted("interrupted while asking")),
            };
            let Some(checked) = checked else { break };
            if let Some(pop) = checked.seen.as_ref().and_then(|seen| seen.header(POP)) {
                *edges.entry(pop.to_owned()).or_default() += 1;
            }
            match (&checked.seen, checked.faults.is_empty()) {
                (None, _) => silent.push(checked),
                (_, false) => stale.push(checked),
                _ => {}
            }
        }
    }
    stale.sort_by(|one, other| one.url.cmp(&other.url));
    silent.sort_by(|one, other| one.url.cmp(&other.url));
    report(app, total, &stale, &silent, &edges);
    judge(&stale, &silent, total)
}

const POP: &str = "x-amz-cf-pop";

/// Where a distribution is asked, without a final slash.
async fn base(link: &Link, asked: &Questions, url: Option<&str>) -> Result<String, Error> {
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

async fn check(viewer: &Viewer, base: &str, question: Question) -> Checked {
    let url = format!("{base}{}", question.path);
    let mut result = viewer.get(&url).await;
    for _ in 1..ATTEMPTS {
        if result.is_ok() {
            break;
        }
        result = viewer.get(&url).await;
    }
    let (seen, faults) = match result {
        Ok(seen) => {
            let answer = Answer {
                status: seen.status,
                size: seen.size,
                md5: seen.md5,
                headers: &seen.headers,
            };
            let faults = faults(&question.expected, &answer);
            (Some(seen), faults)
        }
        Err(why) => (None, vec![why]),
    };
    Checked {
        url,
        key: question.key,
        faults,
        seen,
    }
}

fn report(
    app: &App,
    total: usize,
    stale: &[Checked],
    silent: &[Checked],
    edges: &BTreeMap<String, usize>,
) {
    for (kind, one) in
        (stale.iter().map(|one| ("stale", one))).chain(silent.iter().map(|one| ("no answer", one)))
    {
        let header = |name| one.seen.as_ref().and_then(|seen| seen.header(name));
        let edge = [POP, "x-cache", "age"].map(|name| Some(format!("{name}: {}", header(name)?)));
        let edge: Vec<String> = edge.into_iter().flatten().collect();
        app.printer
            .line(&format!("{kind}  {}: {}", one.url, one.faults.join("; ")));
        if !edge.is_empty() {
            app.printer.line(&format!("  by {}", edge.join(", ")));
        }
        app.printer.json(&serde_json::json!({
            "type": kind.replace(' ', "-"), "url": one.url, "key": one.key, "faults": one.faults,
            "pop": header(POP), "x-cache": header("x-cache"), "age": header("age"),
        }));
    }
    let fresh = total - stale.len() - silent.len();
    let by = edges.iter().map(|(pop, count)| format!("{pop} ({count})"));
    let by: Vec<String> = by.collect();
    let by = match by.is_empty() {
        true => String::new(),
        false => format!(", answered by {}", by.join(", ")),
    };
    app.printer
        .line(&format!("{fresh} of {total} request paths are fresh{by}"));
    app.printer.json(&serde_json::json!({
        "type": "verified", "asked": total, "fresh": fresh, "stale": stale.len(), "silent": silent.len(), "edges": edges,
    }));
}

fn judge(stale: &[Checked], silent: &[Checked], total: usize) -> Result<Exit, Error> {
    let (message, hint) = match (stale, silent) {
        ([], []) => return Ok(Exit::Done),
        ([], silent) => (
            format!("{} of {total} request paths gave no answer", silent.len()),
            "`--url` asks elsewhere",
        ),
        (stale, _) => (
            format!("{} of {total} request paths are stale", stale.len()),
            "`unstale plan` shows whether something is to be deployed; `unstale invalidate PATH` purges by hand",
        ),
    };
    Err(Error::new(Exit::Stale, message).hint(hint))
}
