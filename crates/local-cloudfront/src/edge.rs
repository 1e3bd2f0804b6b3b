//! Edges: caches that answer viewers as CloudFront would, each on its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::cloud::Cloud;
use super::distribution::{Behavior, Distribution};
use super::feed::{AnswerCounts, EdgeEvent, EdgeName, EntryView, Millis};
use super::freshness::{self, Lifetime};
use super::function::{FunctionOutcome, FunctionRequest, FunctionResponse};
use super::invalidation::Invalidation;
use super::lambda::{LambdaEvent, LambdaResponse};
use super::origin::{self, Fetch, Reply};
use super::path::{UNSAFE, normal_path};
use super::policy::CachePolicy;
use super::store::Store;

/// An edge's answer to a viewer. Header names in lower case.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// HTTP's.
    pub status: u16,
    /// In the order in which they are sent.
    pub headers: Vec<(String, String)>,
    /// Empty for a redirect.
    pub body: Bytes,
    /// Such as `Hit from cloudfront`.
    pub x_cache: &'static str,
}

impl Answer {
    /// Returns the first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map(|(_, value)| value.as_str())
    }

    /// The body as text, what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

const HIT: &str = "Hit from cloudfront";
const MISS: &str = "Miss from cloudfront";
const REFRESHED: &str = "RefreshHit from cloudfront";
const ERROR: &str = "Error from cloudfront";
const FUNCTION: &str = "FunctionGeneratedResponse from cloudfront";
const FUNCTION_ERROR: &str = "FunctionExecutionError from cloudfront";

/// What an edge adds of its own when it answers, which no function can change.
const OWN_HEADERS: [&str; 4] = ["via", "x-cache", "x-amz-cf-pop", "age"];

#[derive(Clone)]
struct Entry {
    reply: Reply,
    stored: SystemTime,
    lifetime: Lifetime,
    tags: Vec<String>,
}

/// One cache of one distribution.
#[derive(Default)]
pub(super) struct Cache(Mutex<CacheState>);

#[derive(Default)]
struct CacheState {
    entries: BTreeMap<String, Entry>,
    /// How many of the distribution's invalidations have taken effect here.
    settled: usize,
    fetches: u64,
    counts: AnswerCounts,
}

/// Says whether an item of an invalidation names an entry or one of its tags.
pub(super) fn hits(item: &str, entry: &str, tags: &[String]) -> bool {
    if let Some(tag) = item.strip_prefix('#') {
        return tags.iter().any(|known| known.eq_ignore_ascii_case(tag));
    }
    match item.strip_suffix('*') {
        Some(prefix) => entry.starts_with(prefix),
        None => item == entry,
    }
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, CacheState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys of all entries, fresh or not.
    pub(super) fn keys(&self) -> Vec<String> {
        self.lock().entries.keys().cloned().collect()
    }

    pub(super) fn fetches(&self) -> u64 {
        self.lock().fetches
    }

    pub(super) fn clear(&self) {
        self.lock().entries.clear();
    }

    /// Lets all invalidations take effect that are due; `tell` hears what each took that took anything, before anybody else asks.
    pub(super) fn settle(
        &self,
        due: &[Arc<Invalidation>],
        tell: impl FnOnce(Vec<(Arc<Invalidation>, Vec<String>)>),
    ) {
        let mut inside = self.lock();
        tell(inside.settle(due));
    }

    /// How often it answered how, and what it keeps.
    pub(super) fn view(&self) -> (AnswerCounts, Vec<EntryView>) {
        let inside = self.lock();
        let entries = inside.entries.iter();
        let entries = entries.map(|(key, entry)| entry.view(key)).collect();
        (inside.counts, entries)
    }
}

impl Entry {
    fn view(&self, key: &str) -> EntryView {
        let content_type = self.reply.header("content-type").unwrap_or_default();
        EntryView {
            path: key.to_owned(),
            status: self.reply.status,
            size: self.reply.body.len(),
            content_type: content_type.to_owned(),
            stored: Millis(self.stored),
            fresh: self.lifetime.fresh,
            stale: self.lifetime.revalidate.max(self.lifetime.error),
            failed: self.reply.failed,
        }
    }
}

impl CacheState {
    fn settle(&mut self, due: &[Arc<Invalidation>]) -> Vec<(Arc<Invalidation>, Vec<String>)> {
        let mut taken = Vec::new();
        for invalidation in due.iter().skip(self.settled) {
            let items = &invalidation.items;
            let is_hit = |key: &String, entry: &mut Entry| {
                items.iter().any(|item| hits(item, key, &entry.tags))
            };
            let purged = self.entries.extract_if(.., is_hit);
            let purged: Vec<String> = purged.map(|(key, _)| key).collect();
            if !purged.is_empty() {
                taken.push((invalidation.clone(), purged));
            }
        }
        self.settled = self.settled.max(due.len());
        taken
    }

    fn count(&mut self, x_cache: &str) {
        let counts = &mut self.counts;
        *match x_cache {
            HIT => &mut counts.hits,
            REFRESHED => &mut counts.refreshes,
            ERROR => &mut counts.errors,
            _ => &mut counts.misses,
        } += 1;
    }
}

/// A cache with all it needs to answer.
pub(super) struct Edge<'a> {
    pub store: &'a Store,
    pub cloud: &'a Cloud,
    pub distribution: &'a Distribution,
    pub cache: &'a Cache,
    /// The invalidations that have taken effect, oldest first.
    pub due: Vec<Arc<Invalidation>>,
    pub name: EdgeName,
}

impl Edge<'_> {
    /// Answers a viewer, whose path is normalized first. An empty host is the distribution's own.
    pub(super) fn get(&self, mut request: FunctionRequest) -> Answer {
        let viewed = normal_path(&request.uri);
        request.uri.clone_from(&viewed);
        if request.host.is_empty() {
            request.host = self.distribution.host().to_owned();
        }
        let behavior = self.distribution.behavior(&viewed);
        let mut sent = request.headers.iter();
        let origin = sent
            .find(|(name, _)| name == "origin")
            .map(|(_, value)| value.clone());
        let request = match self.run_function(behavior, request) {
            Ok(request) => request,
            Err(generated) => {
                let answer = self.with_policy(behavior, generated, origin.as_deref());
                self.tell(&self.cache.lock(), &viewed, &answer);
                return answer;
            }
        };
        let uri = behavior.rewritten(LambdaEvent::ViewerRequest, request.uri.clone());
        let policy = self.cloud.policy(&behavior.caching);
        let cached = if self.distribution.cached_by_viewer_uri {
            &viewed
        } else {
            &uri
        };
        let key = match policy.key_query(&request.query) {
            empty if empty.is_empty() => cached.clone(),
            kept => format!("{cached}?{kept}"),
        };
        let mut inside = self.cache.lock();
        let purged = inside.settle(&self.due);
        self.cloud.tell_purged(&self.name, purged, self.now());
        let answer = self.lookup(&mut inside, &key, &uri, behavior, &policy);
        inside.count(answer.x_cache);
        self.tell(&inside, &key, &answer);
        let answer = self.with_policy(behavior, answer, origin.as_deref());
        if answer.x_cache == ERROR {
            return answer;
        }
        let changed = behavior.changed(
            LambdaEvent::ViewerResponse,
            LambdaResponse {
                status: answer.status,
                headers: answer.headers,
                body: answer.body,
            },
        );
        let answer = Answer {
            status: changed.status,
            headers: changed.headers,
            body: changed.body,
            ..answer
        };
        self.run_response_function(behavior, &request, answer)
    }

    /// Tells whoever watches how a viewer was answered.
    fn tell(&self, inside: &CacheState, key: &str, answer: &Answer) {
        self.cloud.feed.tell(|| EdgeEvent::Asked {
            edge: self.name.clone(),
            path: key.to_owned(),
            status: answer.status,
            said: answer.x_cache,
            at: Millis(self.now()),
            counts: inside.counts,
            entry: inside.entries.get(key).map(|entry| entry.view(key)),
        });
    }

    /// Lets a behavior's response headers policy change an answer that left the cache, errors and functions' own ones too, before a
    /// viewer-response function sees it.
    fn with_policy(&self, behavior: &Behavior, mut answer: Answer, origin: Option<&str>) -> Answer {
        let id = behavior.headers_policy.as_deref();
        if let Some(policy) = id.and_then(|id| self.cloud.headers_policy(id)) {
            policy.apply(&mut answer.headers, origin);
        }
        answer
    }

    fn now(&self) -> SystemTime {
        self.store.clock.now()
    }

    fn lookup(
        &self,
        inside: &mut CacheState,
        key: &str,
        uri: &str,
        behavior: &Behavior,
        policy: &CachePolicy,
    ) -> Answer {
        let old = inside.entries.get(key).cloned();
        let age = old.as_ref().map_or(0, |old| self.age(old));
        if let Some(old) = old.as_ref().filter(|old| age < old.lifetime.fresh) {
            let x_cache = if old.reply.failed { ERROR } else { HIT };
            return self.dress(old.reply.clone(), x_cache, Some(age));
        }
        let stale = old.filter(|old| !old.reply.failed);
        let fresh = self.refresh(inside, key, uri, behavior, policy, stale.as_ref());
        let Some(stale) = stale else {
            let x_cache = if fresh.failed { ERROR } else { MISS };
            return self.dress(fresh, x_cache, None);
        };
        // Within the window the viewer gets the old answer while the new one is fetched.
        if age < stale.lifetime.fresh + stale.lifetime.revalidate {
            return self.dress(stale.reply, HIT, Some(age));
        }
        match fresh.status {
            304 => self.dress(stale.reply, REFRESHED, Some(0)),
            500.. if age < stale.lifetime.fresh + stale.lifetime.error => {
                self.dress(stale.reply, HIT, Some(age))
            }
            _ if fresh.failed => self.dress(fresh, ERROR, None),
            _ => self.dress(fresh, MISS, None),
        }
    }

    fn age(&self, entry: &Entry) -> u64 {
        let age = self.now().duration_since(entry.stored);
        age.unwrap_or(Duration::ZERO).as_secs()
    }

    /// Asks the origin and keeps what it says. 304: the old entry lives on with the headers that it had.
    fn refresh(
        &self,
        inside: &mut CacheState,
        key: &str,
        uri: &str,
        behavior: &Behavior,
        policy: &CachePolicy,
        stale: Option<&Entry>,
    ) -> Reply {
        let etag = stale.and_then(|stale| stale.reply.header("etag"));
        let mut reply = self.fetch(inside, uri, behavior, etag);
        if reply.status == 304 {
            let said = stale.and_then(|stale| stale.reply.header("cache-control"));
            let lifetime = freshness::lifetime(said.unwrap_or_default(), policy);
            if let Some(entry) = inside.entries.get_mut(key) {
                entry.stored = self.now();
                entry.lifetime = lifetime;
            }
            return reply;
        }
        let said = reply.header("cache-control").unwrap_or_default().to_owned();
        let mut lifetime = freshness::lifetime(&said, policy);
        if reply.failed {
            let failed_stale =
                reply.status >= 500 && stale.is_some_and(|stale| self.may_outlive(stale));
            (reply, lifetime) = self.failed(inside, reply, &said);
            if failed_stale {
                return reply;
            }
        }
        let kept = lifetime.fresh + lifetime.revalidate + lifetime.error > 0;
        // What is kept for no time at all is still there to be revalidated.
        if kept || !reply.failed {
            let entry = Entry {
                tags: self.tags(&reply),
                reply: reply.clone(),
                stored: self.now(),
                lifetime,
            };
            inside.entries.insert(key.to_owned(), entry);
        } else {
            inside.entries.remove(key);
        }
        reply
    }

    fn may_outlive(&self, stale: &Entry) -> bool {
        self.age(stale) < stale.lifetime.fresh + stale.lifetime.error
    }

    fn fetch(
        &self,
        inside: &mut CacheState,
        uri: &str,
        behavior: &Behavior,
        etag: Option<&str>,
    ) -> Reply {
        let root = self
            .distribution
            .root
            .as_deref()
            .filter(|root| !root.is_empty());
        let asked = match root {
            Some(root) if uri == "/" => {
                format!("/{}", percent_encoding::utf8_percent_encode(root, UNSAFE))
            }
            _ => uri.to_owned(),
        };
        let asked = behavior.rewritten(LambdaEvent::OriginRequest, asked);
        let (origins, failover) = self.distribution.origins_of(&behavior.origin);
        let mut reply = Reply {
            status: 502,
            failed: true,
            ..Reply::default()
        };
        let fetch = Fetch {
            path: &asked,
            etag,
            source: &self.distribution.arn(),
        };
        for origin in origins {
            inside.fetches += 1;
            reply = origin::fetch(self.store, origin, &fetch);
            if !failover.contains(&reply.status) {
                break;
            }
        }
        let changed = behavior.changed(
            LambdaEvent::OriginResponse,
            LambdaResponse {
                status: reply.status,
                headers: reply.headers,
                body: reply.body,
            },
        );
        Reply {
            status: changed.status,
            failed: changed.status >= 400,
            headers: changed.headers,
            body: changed.body,
        }
    }

    /// An error as viewers see it, and how long it is kept under the failing URL.
    fn failed(&self, inside: &mut CacheState, reply: Reply, said: &str) -> (Reply, Lifetime) {
        let errors = &self.distribution.errors;
        let custom = errors.iter().find(|custom| custom.code == reply.status);
        let configured = custom.map(|custom| custom.min_ttl);
        let mut fresh = freshness::error_lifetime(reply.status, said, configured);
        let mut shown = reply;
        let page = custom.and_then(|custom| Some((custom, custom.page.as_deref()?)));
        if let Some((custom, page)) = page {
            let page = normal_path(page);
            let behavior = self.distribution.behavior(&page);
            let fetched = self.fetch(inside, &page, behavior, None);
            if !fetched.failed {
                let own = fetched.header("cache-control").unwrap_or_default();
                fresh = fresh.max(freshness::error_lifetime(custom.code, own, configured));
                let status = custom.response.unwrap_or(custom.code);
                shown = Reply {
                    status,
                    failed: true,
                    ..fetched
                };
            }
        }
        let lifetime = Lifetime {
            fresh,
            ..Lifetime::default()
        };
        (shown, lifetime)
    }

    /// A cached error carries no object's metadata, so no tag.
    fn tags(&self, reply: &Reply) -> Vec<String> {
        let header = self.distribution.tag_header.as_deref();
        let header = header.filter(|_| !reply.failed);
        let text = header.and_then(|name| reply.header(&name.to_ascii_lowercase()));
        let tags = text.unwrap_or_default().split(',').map(str::trim);
        tags.filter(|tag| !tag.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Returns what a viewer-request function makes of a request, or what it answers itself.
    fn run_function(
        &self,
        behavior: &Behavior,
        request: FunctionRequest,
    ) -> Result<FunctionRequest, Answer> {
        let name = behavior.function.as_deref();
        let outcome = name.and_then(|name| self.cloud.run(name, &request, self.distribution));
        let response = match outcome {
            None => return Ok(request),
            Some(FunctionOutcome::Request(changed)) => return Ok(changed),
            Some(FunctionOutcome::Uri(uri)) => return Ok(FunctionRequest { uri, ..request }),
            Some(FunctionOutcome::Redirect(status, place)) => FunctionResponse {
                status,
                headers: vec![("location".to_owned(), place)],
                body: None,
            },
            Some(FunctionOutcome::Response(response)) => response,
            Some(FunctionOutcome::Failed(_)) => return Err(self.function_failed()),
        };
        let generated = Reply {
            status: response.status,
            headers: response.headers,
            body: response.body.unwrap_or_default().into(),
            failed: false,
        };
        Err(self.dress(generated, FUNCTION, None))
    }

    /// Returns what a viewer-response function makes of an answer. It sees no error.
    fn run_response_function(
        &self,
        behavior: &Behavior,
        request: &FunctionRequest,
        mut answer: Answer,
    ) -> Answer {
        let name = behavior.response_function.as_deref();
        let Some(name) = name.filter(|_| answer.status < 400) else {
            return answer;
        };
        let own = |header: &mut (String, String)| OWN_HEADERS.contains(&header.0.as_str());
        let own: Vec<_> = answer.headers.extract_if(.., own).collect();
        let response = FunctionResponse {
            status: answer.status,
            headers: std::mem::take(&mut answer.headers),
            body: None,
        };
        match self
            .cloud
            .run_on_answer(name, (request, response), self.distribution)
        {
            FunctionOutcome::Response(changed) => Answer {
                status: changed.status,
                headers: changed.headers.into_iter().chain(own).collect(),
                body: changed.body.map_or(answer.body, Bytes::from),
                x_cache: answer.x_cache,
            },
            _ => self.function_failed(),
        }
    }

    fn function_failed(&self) -> Answer {
        let reply = Reply {
            status: 503,
            failed: true,
            ..Reply::default()
        };
        self.dress(reply, FUNCTION_ERROR, None)
    }

    fn dress(&self, reply: Reply, x_cache: &'static str, age: Option<u64>) -> Answer {
        let mut headers = reply.headers;
        let host = &self.distribution.domain;
        headers.push(("via".to_owned(), format!("1.1 {host} (CloudFront)")));
        headers.push(("x-cache".to_owned(), x_cache.to_owned()));
        headers.push(("x-amz-cf-pop".to_owned(), pop(self.name.1)));
        headers.extend(age.map(|age| ("age".to_owned(), age.to_string())));
        Answer {
            status: reply.status,
            headers,
            body: reply.body,
            x_cache,
        }
    }
}

/// The name of an edge's place.
pub(super) fn pop(number: usize) -> String {
    const PLACES: [&str; 6] = [
        "FRA56-P1", "ICN57-P2", "IAD89-P3", "SYD62-P1", "GRU3-P4", "NRT51-P2",
    ];
    let place = PLACES.get(number).copied();
    place.map_or_else(|| format!("LOC{number}-P1"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalidation_takes_what_the_guide_says() {
        let tags = ["Blog".to_owned()];
        for (item, entry, expected) in [
            ("/a", "/a", true),
            ("/a", "/a?x=1", false),
            ("/a*", "/a?x=1", true),
            ("/a*", "/ab/c", true),
            ("/dir/*", "/dir", false),
            ("/*a", "/ba", false),
            ("/*a", "/*a", true),
            ("/A", "/a", false),
            ("/%c3%a9", "/%C3%A9", false),
            ("/a%2Bb", "/a+b", false),
            ("/%2A", "/*", false),
            ("#blog", "/anything", true),
            ("#news", "/anything", false),
        ] {
            assert_eq!(hits(item, entry, &tags), expected, "{item} {entry}");
        }
    }
}
