//! CloudFront's state: distributions and their tenants with their edges, policies, functions and invalidations.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::distribution::{self, Distribution};
use super::edge::{Answer, Cache, Edge};
use super::feed::{EdgeEvent, EdgeName, Feed, InvalidationView, Millis};
use super::function::{
    Function, FunctionInterpreter, FunctionOutcome, FunctionRequest, FunctionResponse,
    FunctionScope, Stages,
};
use super::headers_policy::{HeadersPolicy, SECURITY_HEADERS_POLICY, SIMPLE_CORS};
use super::invalidation::{Invalidation, Refusal, check};
use super::kept::{INDEX_FUNCTION_NAME, Kept};
use super::key_values::KeyValueStores;
use super::options::{CloudOptions, TakesEffect};
use super::policy::{
    CACHING_DISABLED, CACHING_OPTIMIZED, CachePolicy, Caching, ContinuousDeployment,
    ORIGIN_HEADERS, ORIGIN_HEADERS_QUERIES,
};
use super::store::Store;

/// A tenant of a multi-tenant distribution, whose configuration it has.
#[derive(Clone, Debug, Default)]
pub struct Tenant {
    /// `dt_` and some more.
    pub id: String,
    /// Its name, which the API takes for the id.
    pub name: String,
    /// The distribution's id.
    pub distribution: String,
    /// What viewers reach it by.
    pub domains: Vec<String>,
    /// Its values of the distribution's parameters, by name.
    pub parameters: BTreeMap<String, String>,
}

struct Site {
    front: Front,
    /// What the edges hold to until then.
    before: Option<(Distribution, SystemTime)>,
    caches: Vec<Arc<Cache>>,
    /// In the order of acceptance.
    invalidations: Vec<Arc<Invalidation>>,
    next_free: Option<SystemTime>,
}

enum Front {
    Distribution(Box<Distribution>),
    Tenant(Tenant),
}

impl Front {
    fn id(&self) -> &str {
        match self {
            Self::Distribution(distribution) => &distribution.id,
            Self::Tenant(tenant) => &tenant.id,
        }
    }
}

#[derive(Default)]
pub(crate) struct Cloud {
    state: Mutex<CloudState>,
    pub(super) feed: Feed,
    interpreter: Option<Arc<FunctionInterpreter>>,
}

#[derive(Default)]
pub(super) struct CloudState {
    options: CloudOptions,
    sites: BTreeMap<String, Site>,
    policies: BTreeMap<String, CachePolicy>,
    deployments: BTreeMap<String, ContinuousDeployment>,
    functions: BTreeMap<String, Stages>,
    key_values: KeyValueStores,
    headers_policies: BTreeMap<String, HeadersPolicy>,
}

impl Cloud {
    pub(super) fn new(interpreter: Option<Arc<FunctionInterpreter>>) -> Self {
        let cloud = Self {
            interpreter,
            ..Self::default()
        };
        for (id, policy) in [
            (CACHING_OPTIMIZED, CachePolicy::optimized()),
            (CACHING_DISABLED, CachePolicy::disabled()),
            (ORIGIN_HEADERS, CachePolicy::origin_headers()),
            (
                ORIGIN_HEADERS_QUERIES,
                CachePolicy::origin_headers_and_queries(),
            ),
        ] {
            cloud.set_policy(id, policy);
        }
        cloud.set_headers_policy(SECURITY_HEADERS_POLICY, HeadersPolicy::security_headers());
        cloud.set_headers_policy(SIMPLE_CORS, HeadersPolicy::simple_cors());
        cloud
    }

    fn lock(&self) -> MutexGuard<'_, CloudState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn options(&self, change: impl FnOnce(&mut CloudOptions)) {
        change(&mut self.lock().options);
    }

    pub(super) fn page(&self) -> usize {
        self.lock().options.page
    }

    pub(super) fn resource_time(&self) -> Duration {
        self.lock().options.resource_time
    }

    pub(super) fn stale_stacks(&self) -> usize {
        self.lock().options.stale_stacks
    }

    pub(super) fn validates_early(&self) -> bool {
        self.lock().options.validates_early
    }

    pub(super) fn certificates_wait(&self) -> bool {
        self.lock().options.certificates_wait
    }

    pub(super) fn set_policy(&self, id: &str, policy: CachePolicy) {
        self.lock().policies.insert(id.to_owned(), policy);
    }

    pub(super) fn set_headers_policy(&self, id: &str, policy: HeadersPolicy) {
        self.with_headers_policies(|policies, _| policies.insert(id.to_owned(), policy));
    }

    pub(super) fn headers_policy(&self, id: &str) -> Option<HeadersPolicy> {
        self.lock().headers_policies.get(id).cloned()
    }

    /// All response headers policies with their ids, by which they are sorted; the managed ones too.
    pub(super) fn headers_policies(&self) -> Vec<(String, HeadersPolicy)> {
        self.lock().headers_policies.clone().into_iter().collect()
    }

    /// Lets `change` have all response headers policies, and the ids of those that behaviors have.
    pub(super) fn with_headers_policies<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, HeadersPolicy>, &BTreeSet<String>) -> T,
    ) -> T {
        let mut state = self.lock();
        let ids = state.sites.keys();
        let distributions = ids.filter_map(|id| state.distribution(id));
        let used = distributions.flat_map(Distribution::headers_policies);
        let used = used.map(str::to_owned).collect();
        change(&mut state.headers_policies, &used)
    }

    pub(super) fn set_deployment(&self, id: &str, policy: ContinuousDeployment) {
        self.lock().deployments.insert(id.to_owned(), policy);
    }

    pub(super) fn deployment(&self, id: &str) -> Option<ContinuousDeployment> {
        self.lock().deployments.get(id).cloned()
    }

    pub(super) fn set_function(&self, name: &str, function: Function) {
        let stages = Stages {
            development: function.clone(),
            live: Some(function),
            comment: String::new(),
            development_store: None,
            live_store: None,
        };
        self.lock().functions.insert(name.to_owned(), stages);
    }

    pub(super) fn keep_function(&self, name: &str, stages: Stages) {
        self.lock().functions.insert(name.to_owned(), stages);
    }

    /// Returns what edges run under this name.
    pub(super) fn function(&self, name: &str) -> Option<Function> {
        self.lock().functions.get(name)?.live.clone()
    }

    /// Runs what edges run under this name on a request. `None` where there is nothing.
    pub(super) fn run(
        &self,
        name: &str,
        request: &FunctionRequest,
        distribution: &Distribution,
    ) -> Option<FunctionOutcome> {
        let scope = self.scope(name, distribution);
        Some(self.function(name)?.run(request, &scope))
    }

    /// Runs what edges run under this name on an answer to a request.
    pub(super) fn run_on_answer(
        &self,
        name: &str,
        (request, response): (&FunctionRequest, FunctionResponse),
        distribution: &Distribution,
    ) -> FunctionOutcome {
        let scope = self.scope(name, distribution);
        match self.function(name) {
            Some(function) => function.respond(request, response, &scope),
            None => FunctionOutcome::Response(response),
        }
    }

    fn scope<'a>(&'a self, name: &str, distribution: &'a Distribution) -> FunctionScope<'a> {
        let state = self.lock();
        let stages = state.functions.get(name);
        let store = stages.and_then(|stages| stages.live_store.as_deref());
        FunctionScope {
            distribution_id: &distribution.id,
            distribution_domain: &distribution.domain,
            store: store.and_then(|arn| state.key_values.bound(arn)),
            interpreter: self.interpreter.as_deref(),
        }
    }

    pub(super) fn stages(&self, name: &str) -> Option<Stages> {
        self.lock().functions.get(name).cloned()
    }

    /// Lets `change` have what is there under a name, if anything, and keeps what it makes of it.
    pub(super) fn alter_function<E>(
        &self,
        name: &str,
        change: impl FnOnce(Option<Stages>) -> Result<Stages, E>,
    ) -> Result<Stages, E> {
        let mut state = self.lock();
        let stages = change(state.functions.get(name).cloned())?;
        state.functions.insert(name.to_owned(), stages.clone());
        Ok(stages)
    }

    /// Forgets a function.
    pub(super) fn remove_function(&self, name: &str) {
        self.lock().functions.remove(name);
    }

    /// Says whether a distribution runs a function of this name.
    pub(super) fn has_running(&self, name: &str) -> bool {
        let distributions = self.distributions();
        let mut behaviors = distributions
            .iter()
            .flat_map(|distribution| distribution.behaviors.iter().chain([&distribution.default]));
        behaviors.any(|behavior| {
            [&behavior.function, &behavior.response_function]
                .into_iter()
                .any(|function| function.as_deref() == Some(name))
        })
    }

    /// Says whether a function is associated with the KeyValueStore of this ARN.
    pub(super) fn has_associated(&self, arn: &str) -> bool {
        self.lock().functions.values().any(|stages| {
            [&stages.development_store, &stages.live_store]
                .into_iter()
                .any(|store| store.as_deref() == Some(arn))
        })
    }

    /// Reads or changes the KeyValueStores.
    pub(super) fn key_values<T>(&self, change: impl FnOnce(&mut KeyValueStores) -> T) -> T {
        change(&mut self.lock().key_values)
    }

    pub(super) fn policy_by_id(&self, id: &str) -> Option<CachePolicy> {
        self.lock().policies.get(id).cloned()
    }

    /// A policy that nobody knows keeps nothing.
    pub(super) fn policy(&self, caching: &Caching) -> CachePolicy {
        match caching {
            Caching::Legacy(policy) => policy.clone(),
            Caching::Policy(id) => self.policy_by_id(id).unwrap_or_else(CachePolicy::disabled),
        }
    }

    /// Adds a distribution with empty edges, or changes one and leaves its edges as they are.
    pub(super) fn set(&self, distribution: Distribution, edges: usize) {
        self.stand(Front::Distribution(Box::new(distribution)), edges);
    }

    /// As [`Cloud::set`], of a tenant.
    pub(super) fn set_tenant(&self, tenant: Tenant, edges: usize) {
        self.stand(Front::Tenant(tenant), edges);
    }

    fn stand(&self, front: Front, edges: usize) {
        let mut state = self.lock();
        match state.sites.get_mut(front.id()) {
            Some(site) => (site.front, site.before) = (front, None),
            None => {
                let id = front.id().to_owned();
                let site = Site {
                    caches: (0..edges).map(|_| Arc::default()).collect(),
                    invalidations: Vec::new(),
                    next_free: None,
                    before: None,
                    front,
                };
                state.sites.insert(id, site);
            }
        }
    }

    /// Changes a distribution as UpdateDistribution does, or adds one.
    pub(super) fn reconfigure(&self, distribution: Distribution, edges: usize, now: SystemTime) {
        let id = distribution.id.clone();
        let changed = distribution.clone();
        let update = self.update(&id, now, |_, _| Ok::<_, Infallible>(changed));
        if update.is_none() {
            self.set(distribution, edges);
        }
    }

    /// Changes a distribution as UpdateDistribution does: the edges learn of it later.
    pub(super) fn update<E>(
        &self,
        id: &str,
        now: SystemTime,
        change: impl FnOnce(&CloudState, &Distribution) -> Result<Distribution, E>,
    ) -> Option<Result<(), E>> {
        let mut state = self.lock();
        let until = now + state.options.deploy_time;
        let before = state.deployed(id, now)?;
        let changed = match change(&state, state.distribution(id)?) {
            Ok(changed) => changed,
            Err(error) => return Some(Err(error)),
        };
        let site = state.sites.get_mut(id)?;
        site.before = Some((before, until));
        site.front = Front::Distribution(Box::new(changed));
        Some(Ok(()))
    }

    /// The status that the API shows: `InProgress` until the edges know what a distribution is by now.
    pub(super) fn status(&self, distribution: &Distribution, now: SystemTime) -> String {
        let state = self.lock();
        let site = state.sites.get(&distribution.id);
        match site.and_then(|site| site.before.as_ref()) {
            Some((_, until)) if now < *until => "InProgress".to_owned(),
            _ => distribution.status.clone(),
        }
    }

    pub(super) fn remove(&self, id: &str) {
        self.lock().sites.remove(id);
    }

    /// All distributions, by id.
    pub(crate) fn distributions(&self) -> Vec<Distribution> {
        let state = self.lock();
        let ids = state.sites.keys();
        ids.filter_map(|id| state.distribution(id))
            .cloned()
            .collect()
    }

    pub(crate) fn distribution(&self, id: &str) -> Option<Distribution> {
        self.lock().distribution(id).cloned()
    }

    /// All tenants, by id.
    pub(crate) fn tenants(&self) -> Vec<Tenant> {
        let state = self.lock();
        let tenant = |site: &Site| match &site.front {
            Front::Tenant(tenant) => Some(tenant.clone()),
            Front::Distribution(_) => None,
        };
        state.sites.values().filter_map(tenant).collect()
    }

    /// A distribution's or tenant's invalidations in the order of acceptance.
    pub(crate) fn invalidations(&self, id: &str) -> Option<Vec<Invalidation>> {
        Some(self.lock().sites.get(id)?.sent())
    }

    pub(super) fn cache(&self, id: &str, number: usize) -> Option<Arc<Cache>> {
        self.lock().sites.get(id)?.caches.get(number).cloned()
    }

    pub(super) fn edges(&self, id: &str) -> usize {
        self.lock()
            .sites
            .get(id)
            .map_or(0, |site| site.caches.len())
    }

    /// Answers a viewer at an edge: 503 where there is no such edge.
    pub(super) fn get(
        &self,
        store: &Store,
        (id, number): (&str, usize),
        request: FunctionRequest,
    ) -> Answer {
        let now = store.clock.now();
        let edge_state = {
            let state = self.lock();
            state.sites.get(id).and_then(|site| {
                let cache = site.caches.get(number)?.clone();
                Some((state.at_edges(id, now)?, cache, state.due(site, now)))
            })
        };
        let Some((distribution, cache, due)) = edge_state else {
            return Answer {
                status: 503,
                ..Answer::default()
            };
        };
        let edge = Edge {
            store,
            cloud: self,
            distribution: &distribution,
            cache: &cache,
            due,
            name: EdgeName(id.to_owned(), number),
        };
        edge.get(request)
    }

    /// Lets what is due take effect at all edges, as it does at each that is asked.
    pub(super) fn settle(&self, now: SystemTime) {
        for (name, cache, due) in self.caches(now) {
            cache.settle(&due, |purged| self.tell_purged(&name, purged, now));
        }
    }

    /// Every edge with its cache and what is due there.
    pub(super) fn caches(
        &self,
        now: SystemTime,
    ) -> Vec<(EdgeName, Arc<Cache>, Vec<Arc<Invalidation>>)> {
        let state = self.lock();
        let mut caches = Vec::new();
        for (id, site) in &state.sites {
            for (number, cache) in site.caches.iter().enumerate() {
                let name = EdgeName(id.clone(), number);
                caches.push((name, cache.clone(), state.due(site, now)));
            }
        }
        caches
    }

    pub(super) fn tell_purged(
        &self,
        edge: &EdgeName,
        purged: Vec<(Arc<Invalidation>, Vec<String>)>,
        now: SystemTime,
    ) {
        for (invalidation, paths) in purged {
            self.feed.tell(|| EdgeEvent::Purged {
                edge: edge.clone(),
                invalidation: invalidation.id.clone(),
                paths,
                at: Millis(now),
            });
        }
    }

    /// At most so many of the newest invalidations of each distribution and tenant, in the order of acceptance.
    pub(super) fn newest_invalidations(&self, most: usize) -> Vec<InvalidationView> {
        let state = self.lock();
        let sites = state.sites.iter();
        sites
            .flat_map(|(id, site)| {
                let first = site.invalidations.len().saturating_sub(most);
                let newest = site.invalidations.iter().skip(first);
                newest.map(move |invalidation| InvalidationView::of(invalidation, id))
            })
            .collect()
    }

    /// Collects what another process needs to go on from here.
    pub(super) fn kept(&self) -> Kept {
        let state = self.lock();
        let functions = state.functions.iter();
        let functions = functions.filter(|(name, _)| *name != INDEX_FUNCTION_NAME);
        let ids = state.sites.keys();
        let distributions = ids.filter_map(|id| state.distribution(id)).map(|known| {
            let mut known = known.clone();
            let function = &mut known.default.function;
            function.take_if(|name| name == INDEX_FUNCTION_NAME);
            known
        });
        let policies = state.headers_policies.clone().into_iter();
        let sent = state.sites.iter();
        let sent = sent.map(|(id, site)| (id.clone(), site.sent()));
        Kept {
            functions: functions
                .map(|(name, stages)| (name.clone(), stages.into()))
                .collect(),
            distributions: distributions.collect(),
            key_values: state.key_values.clone(),
            headers_policies: policies.filter(|(_, policy)| !policy.managed).collect(),
            invalidations: sent.collect(),
            ..Kept::default()
        }
    }

    /// Gives a distribution the invalidations of an earlier process.
    pub(super) fn recall(&self, id: &str, invalidations: Vec<Invalidation>) {
        if let Some(site) = self.lock().sites.get_mut(id) {
            site.invalidations = invalidations.into_iter().map(Arc::new).collect();
        }
    }

    /// Accepts a batch, or answers a caller reference that it knows with the invalidation of then.
    pub(super) fn invalidate(
        &self,
        id: &str,
        caller_reference: &str,
        items: Vec<String>,
        now: SystemTime,
    ) -> Result<Invalidation, Refusal> {
        let mut state = self.lock();
        let options = state.options.clone();
        let site = state.sites.get_mut(id).ok_or(Refusal::NoSuchDistribution)?;
        check(&items, &options)?;
        let mut earlier = site.invalidations.iter();
        if let Some(earlier) = earlier.find(|earlier| earlier.caller_reference == caller_reference)
        {
            return if *earlier.items == items {
                Ok((**earlier).clone())
            } else {
                Err(Refusal::BatchAlreadyExists)
            };
        }
        let running = site
            .invalidations
            .iter()
            .filter(|invalidation| invalidation.completes > now)
            .count();
        if options.most_in_progress.is_some_and(|most| running >= most) {
            return Err(Refusal::TooManyInProgress);
        }
        site.throttle(&items, &options, now)?;
        let invalidation = Invalidation {
            id: format!("I{}", distribution::code(uuid::Uuid::new_v4().as_bytes())),
            caller_reference: caller_reference.to_owned(),
            items: Arc::new(items),
            accepted: now,
            completes: now + options.invalidation_time,
        };
        site.invalidations.push(Arc::new(invalidation.clone()));
        let view = || EdgeEvent::Invalidated(InvalidationView::of(&invalidation, id));
        self.feed.tell(view);
        Ok(invalidation)
    }
}

impl CloudState {
    pub(super) fn has_headers_policy(&self, id: &str) -> bool {
        self.headers_policies.contains_key(id)
    }

    pub(super) fn is_live(&self, function: &str) -> bool {
        let stages = self.functions.get(function);
        stages.is_some_and(|stages| stages.live.is_some())
    }

    fn distribution(&self, id: &str) -> Option<&Distribution> {
        match &self.sites.get(id)?.front {
            Front::Distribution(distribution) => Some(distribution),
            Front::Tenant(_) => None,
        }
    }

    /// Returns the distribution that the edges of a distribution or a tenant know, with the tenant's parameters.
    fn at_edges(&self, id: &str, now: SystemTime) -> Option<Distribution> {
        match &self.sites.get(id)?.front {
            Front::Tenant(tenant) => {
                let distribution = self.deployed(&tenant.distribution, now)?;
                let mut filled = distribution.filled(&tenant.parameters);
                filled.aliases.clone_from(&tenant.domains);
                Some(filled)
            }
            Front::Distribution(_) => Some(self.deployed(id, now)?.filled(&BTreeMap::new())),
        }
    }

    /// Returns a distribution as it was when the edges last learnt of it.
    fn deployed(&self, id: &str, now: SystemTime) -> Option<Distribution> {
        match &self.sites.get(id)?.before {
            Some((before, until)) if now < *until => Some(before.clone()),
            _ => self.distribution(id).cloned(),
        }
    }

    /// Lists what has taken effect by now. As the order of acceptance is that of completion, this only ever grows at its end.
    fn due(&self, site: &Site, now: SystemTime) -> Vec<Arc<Invalidation>> {
        let early = self.options.takes_effect == TakesEffect::WhenAccepted;
        let invalidations = site.invalidations.iter();
        let due = invalidations.take_while(|invalidation| early || invalidation.completes <= now);
        due.cloned().collect()
    }
}

impl Site {
    /// All invalidations in the order of acceptance.
    fn sent(&self) -> Vec<Invalidation> {
        let sent = self.invalidations.iter();
        sent.map(|invalidation| (**invalidation).clone()).collect()
    }

    fn throttle(
        &mut self,
        items: &[String],
        options: &CloudOptions,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        let Some((paths, wildcards)) = options.rate else {
            return Ok(());
        };
        if self.next_free.is_some_and(|free| now < free) {
            return Err(Refusal::Throttling);
        }
        let wild = items.iter().filter(|item| item.ends_with('*')).count() as f64;
        let exact = items.len() as f64 - wild;
        let cost = (exact / paths).max(wild / wildcards);
        self.next_free = Some(now + Duration::from_secs_f64(cost.max(0.0)));
        Ok(())
    }
}
