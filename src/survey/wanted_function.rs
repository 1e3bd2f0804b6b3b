//! The CloudFront Functions that do what an origin does not: what each has to be, and where it is to run. Only where the
//! settings ask for one; never over code that somebody else wrote, never in the place of another function.

use std::collections::BTreeMap;

use super::function_fit::{FunctionFit, fit, former_function, left_function, unanswered_host};
use super::site_function::{self, FunctionWish};
use super::targets::{ResolvedTargets, SiteFunction};
use crate::aws::{AwsError, CloudFront};
use crate::edge::{IndexLookup, UnreadFunction, UriRewrite, rewrite_of};
use crate::error::Error;
use crate::job::request::Job;
use crate::plan::{FunctionChange, StoreChange};
use crate::rules::edge_function::{self, EdgeFunction, LEFT_ALONE};
use crate::scan::LocalFile;

/// Finds the functions that the settings ask for, and changes the model of the distributions as if they were live. What cannot
/// be done is a warning there.
///
/// # Errors
/// `Exit::Usage` where no function can do what is asked for, and where nobody would ask for the password.
pub(crate) async fn prepare(
    cloudfront: &CloudFront,
    job: &Job,
    files: &[LocalFile],
    targets: &mut ResolvedTargets,
) -> Result<(), Error> {
    if job.rollback.is_some() {
        return Ok(());
    }
    let Some(name) = &job.function else {
        let left = targets
            .found
            .iter()
            .filter_map(|target| left_function(job, target));
        let left: Vec<String> = left.collect();
        targets.warnings.extend(left);
        return Ok(());
    };
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for target in &targets.found {
        let group = groups
            .entry(name.for_distribution(target.id()))
            .or_default();
        group.push(target.id().to_owned());
    }
    if job.password.is_some() && groups.is_empty() {
        return Err(unprotected(
            "no distribution is known that could ask for it",
        ));
    }
    if groups.is_empty() && (job.settings.spa || job.canonical_host.is_some()) {
        let told = "`spa` and `canonical-host` do nothing: no distribution is known that could run a function";
        targets.unserved.push(told.to_owned());
    }
    targets.warnings.extend(unanswered_host(job, targets));
    for (name, ids) in groups {
        let wish = FunctionWish { job, files, ids };
        let mut preparation = FunctionPreparation {
            cloudfront,
            name: &name,
            wish,
            targets,
        };
        match preparation.prepare().await? {
            Ok(function) => targets.functions.extend(function),
            Err(why) if job.password.is_some() => return Err(unprotected(&why)),
            Err(why) => targets.unserved.push(why),
        }
    }
    Ok(())
}

/// What one function is prepared from.
struct FunctionPreparation<'a> {
    cloudfront: &'a CloudFront,
    name: &'a str,
    wish: FunctionWish<'a>,
    targets: &'a mut ResolvedTargets,
}

/// The distributions, by what the function is to them.
#[derive(Default)]
struct FunctionTargets {
    running: Vec<String>,
    bare: Vec<String>,
}

impl FunctionPreparation<'_> {
    /// Finds out what there is to do. The inner `Err`: why nothing is done, and what to do about it.
    async fn prepare(&mut self) -> Result<Result<Option<SiteFunction>, String>, Error> {
        let mut wanted = self.wish.function(self.targets);
        let placed = match self.place(&wanted) {
            Ok(placed) => placed,
            Err(why) => return Ok(Err(why)),
        };
        if placed.running.is_empty() && placed.bare.is_empty() {
            return Ok(Ok(None));
        }
        let code = site_function::code(&mut wanted).map_err(|why| Error::usage(why.to_string()))?;
        Ok(self.change(wanted, code, placed).await)
    }

    /// Sorts the distributions.
    fn place(&mut self, wanted: &EdgeFunction) -> Result<FunctionTargets, String> {
        let resource = format!("function/{}", self.name);
        let mut placed = FunctionTargets::default();
        for target in &self.targets.found {
            let id = target.id().to_owned();
            if !self.wish.ids.contains(&id) {
                continue;
            }
            match fit(target, &resource, wanted) {
                FunctionFit::Runs => placed.running.push(id),
                FunctionFit::Free => placed.bare.push(id),
                FunctionFit::NotNeeded => {}
                FunctionFit::Taken(why) => {
                    let told = format!(
                        "{id}: the function {} is not associated, since {why}",
                        self.name
                    );
                    if wanted.password.is_some() {
                        return Err(told);
                    }
                    self.targets.unserved.push(told);
                }
            }
        }
        Ok(placed)
    }

    async fn change(
        &mut self,
        wanted: EdgeFunction,
        code: String,
        FunctionTargets { running, bare }: FunctionTargets,
    ) -> Result<Option<SiteFunction>, String> {
        let is_needed = self.wish.needs(&wanted);
        let live = live(self.cloudfront, self.name, &wanted.site).await?;
        let (associate, remove) = if is_needed {
            (self.lacking(&running, bare, &wanted), Vec::new())
        } else {
            (Vec::new(), running.clone())
        };
        let store = self.store_change(&wanted).await?;
        let change = FunctionChange {
            name: self.name.to_owned(),
            replaces: self.replaced(&wanted.site),
            redirects: wanted
                .redirects
                .iter()
                .filter(|redirect| redirect.status != LEFT_ALONE)
                .count(),
            new: live.is_none(),
            publish: is_needed && live.as_deref() != Some(&code),
            answers: wanted.sees_answers(),
            associate,
            remove,
            store,
            code: code.into(),
        };
        if !change.publish
            && change.associate.is_empty()
            && change.remove.is_empty()
            && change.store.is_none()
        {
            return Ok(None);
        }
        let known = live.as_deref().and_then(EdgeFunction::read);
        let known = known.unwrap_or_default();
        Ok(Some(self.foresee(change, wanted, (&running, &known))))
    }

    /// Returns the distributions whose default behavior does not run it for all that it is to see.
    fn lacking(
        &self,
        running: &[String],
        mut bare: Vec<String>,
        wanted: &EdgeFunction,
    ) -> Vec<String> {
        let resource = format!("function/{}", self.name);
        for target in &self.targets.found {
            let default = target.behaviors().last();
            let is_whole = default.is_none_or(|default| {
                wanted.sees_answers() == (default.answered_by.as_ref() == Some(&resource))
            });
            if running.iter().any(|id| id == target.id()) && !is_whole {
                bare.push(target.id().to_owned());
            }
        }
        bare
    }

    /// Returns the functions of this site that run under other names.
    fn replaced(&self, site: &str) -> Vec<String> {
        let ours = self.targets.found.iter();
        let ours = ours.filter(|target| self.wish.ids.iter().any(|id| id == target.id()));
        let names = ours.filter_map(|target| former_function(target.behaviors().last()?, site));
        names.filter(|name| name != self.name).collect()
    }

    /// Returns what changes in the key value store, where there is to be one.
    async fn store_change(&self, wanted: &EdgeFunction) -> Result<Option<StoreChange>, String> {
        if !wanted.stored {
            return Ok(None);
        }
        let known = self.cloudfront.key_values(self.name).await;
        let known = known.map_err(|error| denied(self.name, &error))?;
        let new = known.is_none();
        let comment = edge_function::comment(&wanted.site);
        if known
            .as_ref()
            .is_some_and(|known| known.store.comment != comment)
        {
            return Err(store_not_ours(self.name, &wanted.site));
        }
        let known = known.map_or_else(BTreeMap::new, |known| known.entries);
        let entries = wanted.store();
        let differs = |(key, value): &(&String, &String), others: &BTreeMap<String, String>| {
            others.get(*key) != Some(*value)
        };
        let puts = entries.iter().filter(|entry| differs(entry, &known));
        let puts: BTreeMap<String, String> = puts
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let deletes = known
            .into_iter()
            .filter(|(key, _)| !entries.contains_key(key))
            .collect();
        let change = StoreChange { new, puts, deletes };
        let is_change = new || !change.puts.is_empty() || !change.deletes.is_empty();
        Ok(is_change.then_some(change))
    }

    /// Takes the distributions for what they will be.
    fn foresee(
        &mut self,
        change: FunctionChange,
        wanted: EdgeFunction,
        (running, known): (&[String], &EdgeFunction),
    ) -> SiteFunction {
        let (mut before, mut owed) = (BTreeMap::new(), BTreeMap::new());
        let normal =
            EdgeFunction::read(&change.code).map_or_else(Vec::new, |function| function.redirects);
        for target in &mut self.targets.found {
            let id = target.id().to_owned();
            let runs = running.contains(&id);
            let is_removed = change.remove.contains(&id);
            let runs_then = runs || change.associate.contains(&id);
            let Some(default) = target.default_behavior_mut().filter(|_| runs_then) else {
                continue;
            };
            before.insert(id.clone(), default.clone());
            if runs {
                let mut paths = site_function::owed_paths(&known.redirects, &normal, default);
                paths.extend(
                    change
                        .store
                        .iter()
                        .flat_map(|store| site_function::store_paths(store, default)),
                );
                owed.insert(id, paths);
            }
            if self.wish.job.settings.index == IndexLookup::Auto {
                let read = if is_removed {
                    Ok(UriRewrite::None)
                } else {
                    rewrite_of(&change.code)
                };
                default.unread = read.clone().err().map(UnreadFunction::Piece);
                default.rewrite = read.unwrap_or(UriRewrite::Unknown);
            }
            default.associated = (!is_removed).then(|| format!("function/{}", change.name));
            default.function = (!is_removed).then(|| change.code.to_string());
            let answers = change.answers && !is_removed;
            default.answered_by = answers.then(|| format!("function/{}", change.name));
        }
        let is_known = known.password == wanted.password && change.associate.is_empty();
        SiteFunction {
            protects: wanted.password.is_some() && !is_known,
            published: false,
            site: wanted.site.clone(),
            change,
            wanted,
            before,
            owed,
            done: false,
        }
    }
}

fn unprotected(why: &str) -> Error {
    Error::usage("nothing is deployed, since nobody would ask for the password").because(why)
        .hint("`password` needs a distribution whose default behavior leads to the site and may run a function")
}

/// Reads the code that viewers meet, where there is any. `Err`: somebody else wrote it, or what was last written under the name.
async fn live(cloudfront: &CloudFront, name: &str, site: &str) -> Result<Option<String>, String> {
    for live in [true, false] {
        let code = cloudfront.function(name, live).await;
        if let Some(code) = code.map_err(|error| denied(name, &error))? {
            if !edge_function::is_ours(&code.text, site) {
                return Err(not_ours(name, site));
            }
            return Ok(live.then_some(code.text));
        }
    }
    Ok(None)
}

pub(crate) fn not_ours(name: &str, site: &str) -> String {
    format!(
        "the function {name} was not written for {site} by unstale, so that it stays as it is: name another in \
         `redirect-function`, or add to it what `unstale redirects --function` prints"
    )
}

pub(crate) fn store_not_ours(name: &str, site: &str) -> String {
    format!(
        "the key value store {name} was not written for {site} by unstale, so that it stays as it is: name another function in \
         `redirect-function`"
    )
}

pub(crate) fn denied(name: &str, error: &AwsError) -> String {
    let hint = error.hint().map(|hint| format!("; {hint}"));
    let hint = hint.unwrap_or_default();
    format!(
        "redirects wait for the function {name}: {error}{hint}. By hand: make it of what `unstale redirects --function` prints, \
         publish it, and associate it with the viewer requests of the default behavior"
    )
}
