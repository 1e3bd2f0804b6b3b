//! The CloudFront Function that answers redirects before an origin that does not: what there is to do about it, and the doing.
//! Only with `redirect-function`; never over code that somebody else wrote, never in the place of another function.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Teller;
use super::event::Event;
use super::job::Job;
use super::stop::Stop;
use super::survey;
use super::targets::{Found, Targets};
use crate::aws::cloudfront::PurgeTarget;
use crate::aws::function::{Association, Code};
use crate::aws::{Aws, AwsError, CloudFront};
use crate::domain::function::{self, Rewrite};
use crate::domain::redirects::Redirect;
use crate::edge::{Behavior, Index, Site, path, request_paths, rewrite_of};
use crate::error::Error;
use crate::plan::FunctionChange;

/// The document that stands for a folder.
const INDEX: &str = "index.html";
/// Between two looks at whether a distribution is deployed, which takes minutes: longer each time, up to this.
const LOOK: Duration = Duration::from_secs(10);

/// What is to be done, and what it was before.
#[derive(Debug, Clone)]
pub struct Function {
    change: FunctionChange,
    /// Whose it is: `s3://bucket/folder/`.
    site: String,
    /// The default behaviors as they are configured, by distribution.
    before: BTreeMap<String, Behavior>,
    /// What redirects that changed owe, by distribution.
    owed: BTreeMap<String, Vec<String>>,
    done: bool,
}

/// What it is done with.
pub(super) struct Step<'a> {
    pub(super) cloudfront: &'a CloudFront,
    pub(super) may_go: &'a dyn Fn() -> bool,
    /// How long edges are waited for that do not know of an association yet.
    pub(super) wait: Option<Duration>,
    pub(super) stop: &'a Stop,
    pub(super) tell: &'a Teller,
}

/// The distributions that the settings ask for, as they will be once the function that the settings ask for is live.
pub(super) async fn find_targets(aws: &Aws, job: &Job) -> Result<Targets, Error> {
    let mut targets = survey::find_targets(aws, job).await?;
    if let Some(name) = &job.redirect_function
        && job.rollback.is_none()
    {
        match prepare(&aws.cloudfront(), name, job, &mut targets).await {
            Ok(function) => targets.function = function,
            Err(why) => targets.warnings.push(why),
        }
    }
    Ok(targets)
}

/// What the function is to do besides redirects. `kept` are request paths that keep their endings.
pub fn rewrite(index: Index, endings: &[String], kept: Vec<String>) -> Rewrite {
    let folders = index != Index::None;
    Rewrite {
        index: folders.then(|| INDEX.to_owned()),
        // Where keys lost their endings, a name without a dot is a page.
        bare_folders: folders && endings.is_empty(),
        kept: match endings {
            [] => Vec::new(),
            _ => kept,
        },
        endings: endings.to_vec(),
    }
}

/// Sees what there is to do. `Err`: why nothing is done, and what to do about it.
async fn prepare(
    cloudfront: &CloudFront,
    name: &str,
    job: &Job,
    targets: &mut Targets,
) -> Result<Option<Function>, String> {
    let resource = format!("function/{name}");
    let wanted = !job.redirects.is_empty() || !job.strip_extension.is_empty();
    let (mut running, mut bare) = (Vec::new(), Vec::new());
    for found in &targets.found {
        match place(found, &resource) {
            Place::Runs => running.push(found.id().to_owned()),
            Place::Free if wanted => bare.push(found.id().to_owned()),
            Place::Free | Place::NotNeeded => {}
            Place::Taken(why) if wanted => targets.warnings.push(format!(
                "{}: the function {name} is not associated, since {why}",
                found.id()
            )),
            Place::Taken(_) => {}
        }
    }
    if running.is_empty() && bare.is_empty() {
        return Ok(None);
    }
    let redirects: Vec<Redirect> = job
        .redirects
        .iter()
        .map(|one| one.redirect.clone())
        .collect();
    let site = format!("s3://{}/{}", job.bucket, job.prefix);
    let rewrite = rewrite(job.index, &job.strip_extension, kept(job, targets));
    let code = function::generate(&redirects, &rewrite, &site).map_err(|why| why.to_string())?;
    let live = live(cloudfront, name, &site).await?;
    let change = FunctionChange {
        name: name.to_owned(),
        redirects: redirects.len(),
        new: live.is_none(),
        publish: live.as_deref() != Some(&code),
        associate: bare,
        code: code.into(),
    };
    if !change.publish && change.associate.is_empty() {
        return Ok(None);
    }
    let mut function = Function {
        change,
        site,
        before: BTreeMap::new(),
        owed: BTreeMap::new(),
        done: false,
    };
    let before = live.as_deref().and_then(function::read);
    let before = before.map_or_else(Vec::new, |(redirects, _)| redirects);
    for found in &mut targets.found {
        let id = found.id().to_owned();
        let runs = running.contains(&id);
        let Ok(distribution) = &mut found.distribution else {
            continue;
        };
        let Some(default) = distribution.behaviors.last_mut() else {
            continue;
        };
        if !runs && !function.change.associate.contains(&id) {
            continue;
        }
        if runs {
            let paths = owed(&before, &redirects, default);
            function.owed.insert(id.clone(), paths);
        }
        function.before.insert(id, default.clone());
        default.rewrite = match job.index {
            Index::Auto => rewrite_of(&function.change.code),
            _ => default.rewrite,
        };
        default.associated = Some(resource.clone());
        default.function = Some(function.change.code.to_string());
    }
    Ok(Some(function))
}

/// Whether a distribution needs the function, and can have it.
enum Place {
    NotNeeded,
    Runs,
    Free,
    Taken(String),
}

fn place(found: &Found, resource: &str) -> Place {
    let Ok(distribution) = &found.distribution else {
        return Place::Taken("its configuration cannot be read".into());
    };
    let Some(default) = distribution.behaviors.last() else {
        return Place::NotNeeded;
    };
    let mut ours = distribution
        .origins
        .iter()
        .filter(|origin| found.ours.contains(&origin.id) && default.leads_to(&origin.id));
    if ours.any(|origin| origin.website) {
        return Place::NotNeeded;
    }
    match &default.associated {
        Some(other) if other == resource => Place::Runs,
        Some(other) => Place::Taken(format!(
            "{other} sees its requests already: add to that one what `unstale redirects --function` prints, or take it off"
        )),
        None if matches!(found.target, PurgeTarget::Tenant(_)) => Place::Taken(
            "a tenant has no functions of its own: associate it with the distribution of all tenants by hand".into(),
        ),
        None if !found.ours.iter().any(|id| default.leads_to(id)) => Place::Taken(
            "its default behavior leads to another origin: associate it with the site's behaviors by hand".into(),
        ),
        None => Place::Free,
    }
}

/// Request paths of what keeps its ending: the root document and error pages.
fn kept(job: &Job, targets: &Targets) -> Vec<String> {
    let mut kept = Vec::new();
    for found in &targets.found {
        let Some(site) = super::scene_site(job, found) else {
            continue;
        };
        let mut keys = site.error_page_keys();
        keys.extend(job.error_documents.iter().cloned());
        keys.extend(site.distribution.default_root_object.clone());
        keys.retain(|key| job.strip_extension.iter().any(|end| key.ends_with(end)));
        kept.extend(keys.iter().flat_map(|key| own_path(&site, key)));
    }
    kept.sort();
    kept.dedup();
    kept
}

/// The path that names a key.
pub(super) fn own_path(site: &Site, key: &str) -> Option<String> {
    let paths = request_paths(site, key).into_iter();
    let mut named = paths.filter(|path| !path.is_query()).map(|path| path.text);
    named.find(|path| !path.ends_with('/'))
}

/// The code that viewers meet, where there is any. Never somebody else's.
async fn live(cloudfront: &CloudFront, name: &str, site: &str) -> Result<Option<String>, String> {
    for live in [true, false] {
        let found = cloudfront.function(name, live).await;
        let Some(code) = found.map_err(|error| denied(name, &error))? else {
            continue;
        };
        if !function::is_ours(&code.text, site) {
            return Err(not_ours(name, site));
        }
        return Ok(live.then_some(code.text));
    }
    Ok(None)
}

fn not_ours(name: &str, site: &str) -> String {
    format!(
        "the function {name} was not written for {site} by unstale, so that it stays as it is: name another in \
         `redirect-function`, or add to it what `unstale redirects --function` prints"
    )
}

fn denied(name: &str, error: &AwsError) -> String {
    let what = match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    };
    format!(
        "redirects wait for the function {name}: {what}. By hand: make it of what `unstale redirects --function` prints, publish \
         it, and associate it with the viewer requests of the default behavior"
    )
}

/// The paths and patterns of redirects that are in one list alone, or lead elsewhere in the other. Edges ask the function each
/// time, so that this is for copies from before that nobody vouches for.
fn owed(before: &[Redirect], after: &[Redirect], behavior: &Behavior) -> Vec<String> {
    let same = |one: &Redirect, other: &Redirect| {
        (&one.from, &one.to, one.status) == (&other.from, &other.to, other.status)
    };
    let differs = |one: &&Redirect, others: &[Redirect]| !others.iter().any(|it| same(one, it));
    let gone = before.iter().filter(|one| differs(one, after));
    let new = after.iter().filter(|one| differs(one, before));
    let mut owed = Vec::new();
    for one in gone.chain(new) {
        let mut path = String::new();
        path::encode(&one.literal_prefix(), &mut path);
        if !one.is_exact() {
            owed.push(format!("{path}*"));
            // "/docs/*" is for "/docs" too.
            path.truncate(path.trim_end_matches('/').len());
        }
        if behavior.keys_on_query() && !path.is_empty() {
            owed.push(format!("{path}?*"));
        }
        owed.extend(Some(path).filter(|path| !path.is_empty()));
    }
    owed.sort();
    owed.dedup();
    owed
}

impl Function {
    /// What a plan shows; nothing once it is done.
    pub(super) fn change(&self) -> Option<FunctionChange> {
        (!self.done).then(|| self.change.clone())
    }

    pub(super) fn owed(&self, id: &str) -> impl Iterator<Item = &String> {
        self.owed.get(id).into_iter().flatten()
    }

    /// All distributions that it is for.
    pub(super) fn all(&self) -> Vec<String> {
        self.before.keys().cloned().collect()
    }

    /// Takes distributions for what they are.
    pub(super) fn undo(&mut self, ids: &[String], targets: &mut Targets) {
        for found in &mut targets.found {
            let id = found.id().to_owned();
            if ids.contains(&id)
                && let Some(before) = self.before.get(&id)
                && let Ok(distribution) = &mut found.distribution
                && let Some(default) = distribution.behaviors.last_mut()
            {
                *default = before.clone();
                self.owed.remove(&id);
            }
        }
    }

    /// Writes, publishes and associates it. Answers the distributions that stay as they were; why is told.
    pub(super) async fn deploy(&mut self, step: &Step<'_>) -> Vec<String> {
        if self.done {
            return Vec::new();
        }
        let name = self.change.name.clone();
        let published = self.publish(step).await;
        let arn = match published {
            Ok(arn) => arn,
            Err(why) => {
                step.tell.tell(Event::Warned(why));
                return self.all();
            }
        };
        let mut undone = Vec::new();
        for id in &self.change.associate {
            let Some(arn) = arn.as_deref().filter(|_| (step.may_go)()) else {
                undone.push(id.clone());
                continue;
            };
            let why = match step.cloudfront.associate(id, arn).await {
                Ok(Association::Done) => {
                    let (name, target) = (name.clone(), id.clone());
                    step.tell.tell(Event::FunctionAssociated { name, target });
                    continue;
                }
                Ok(Association::Taken(other)) => format!(
                    "{id}: the function {name} is not associated, since {other} sees its requests by now"
                ),
                Err(error) => denied(&name, &error),
            };
            step.tell.tell(Event::Warned(why));
            undone.push(id.clone());
        }
        self.settle(step, &undone).await;
        self.done = undone.is_empty();
        undone
    }

    /// Has viewers meet the code, and answers the function's ARN where that is needed.
    async fn publish(&self, step: &Step<'_>) -> Result<Option<String>, String> {
        let FunctionChange {
            name,
            code,
            associate,
            ..
        } = &self.change;
        let told = |error: AwsError| denied(name, &error);
        if !self.change.publish {
            let arn = match associate.is_empty() {
                true => None,
                false => Some(step.cloudfront.function_arn(name).await.map_err(told)?),
            };
            return Ok(arn);
        }
        // What a deploy that died wrote is not written again.
        let written = step.cloudfront.function(name, false).await.map_err(told)?;
        let etag = match &written {
            Some(written) if written.text == **code => written.etag.clone(),
            written => {
                let ours = |code: &Code| function::is_ours(&code.text, &self.site);
                if !written.as_ref().is_none_or(ours) {
                    return Err(not_ours(name, &self.site));
                }
                let over = written.as_ref().map(|written| written.etag.as_str());
                let wrote = step.cloudfront.write_function(name, code, over).await;
                wrote.map_err(told)?
            }
        };
        if !(step.may_go)() {
            return Err(format!(
                "the function {name} was not published: the deploy was stopped"
            ));
        }
        let arn = step.cloudfront.publish_function(name, &etag).await;
        let arn = arn.map_err(told)?;
        let name = name.clone();
        step.tell.tell(Event::FunctionPublished { name });
        Ok(Some(arn))
    }

    /// Waits until the edges know of what was associated, so that none keeps what it answered before.
    async fn settle(&self, step: &Step<'_>, undone: &[String]) {
        let Some(patience) = step.wait else { return };
        let until = Instant::now() + patience;
        let done = self.change.associate.iter();
        for id in done.filter(|id| !undone.contains(id)) {
            let mut pause = Duration::ZERO;
            while let Ok(false) = step.cloudfront.is_deployed(id).await {
                if !(step.may_go)() {
                    return;
                }
                if Instant::now() >= until {
                    let text = format!(
                        "{id} is not deployed at all edges yet: until then some do not redirect"
                    );
                    step.tell.tell(Event::Warned(text));
                    break;
                }
                if pause.is_zero() {
                    let target = id.clone();
                    step.tell.tell(Event::DeploymentAwaited { target });
                }
                pause = LOOK.min(pause + Duration::from_secs(1));
                step.stop.sleep(pause).await;
            }
        }
    }
}
