//! The world that these tests act in: one bucket, a clock that stands still, faults by method and key.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use local_cloudfront::{Clock, Headers, Options, World};
pub(super) use local_cloudfront::{Conditions, Fault, Gate};

pub(super) const BUCKET: &str = "bucket";
/// Unix seconds at which a world begins.
pub(super) const BEGIN: u64 = 1_800_000_000;

pub(super) struct Server(World);

impl Server {
    pub(super) async fn start() -> Self {
        let options = Options {
            clock: Clock::at(time(BEGIN)),
            ..Options::default()
        };
        let world = World::start(options).await.unwrap();
        world.create_bucket(BUCKET).unwrap();
        Self(world)
    }

    pub(super) fn url(&self) -> String {
        self.0.endpoint()
    }

    /// Sees the method and the key of each request.
    pub(super) fn faults(&self, rule: impl FnMut(&str, &str) -> Fault + Send + 'static) {
        let rule = Mutex::new(rule);
        self.0
            .set_rule(move |request| (rule.lock().unwrap())(&request.method, &request.key));
    }

    /// Lets these happen to the next writes of a key, one after the other.
    pub(super) fn faults_of_writes(&self, key: &'static str, faults: Vec<Fault>) {
        let mut faults = faults.into_iter();
        self.faults(move |method, written| {
            if method == "PUT" && written == key {
                faults.next().unwrap_or(Fault::None)
            } else {
                Fault::None
            }
        });
    }

    pub(super) fn no_faults(&self) {
        self.0.clear_rule();
    }

    /// Sets the clock to so many seconds after the beginning.
    pub(super) fn set_now(&self, seconds: u64) {
        self.0.clock().set(time(BEGIN + seconds));
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.0.clock().advance(Duration::from_secs(seconds));
    }

    pub(super) fn conditions(&self, conditions: Conditions) {
        self.0
            .alter_bucket(BUCKET, |options, _| options.conditions = conditions)
            .unwrap();
    }

    /// Bytes of all bodies that came in since the last time this was asked.
    pub(super) fn received(&self) -> u64 {
        let sum = self.0.log().iter().map(|entry| entry.bytes_in).sum();
        self.0.clear_log();
        sum
    }

    /// The keys that begin so.
    pub(super) fn keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.0.keys(BUCKET).into_iter().map(|key| key.to_string());
        keys.filter(|key| key.starts_with(prefix)).collect()
    }

    pub(super) fn body(&self, key: &str) -> Bytes {
        self.0.body(BUCKET, key).unwrap()
    }

    pub(super) async fn put(&self, key: &str, body: impl Into<Bytes>) {
        let headers = Headers::default();
        self.0.put_object(BUCKET, key, body, headers).await.unwrap();
    }

    pub(super) fn remove(&self, key: &str) {
        self.0.delete_object(BUCKET, key).unwrap();
    }

    /// Changes one byte in the middle of an object.
    pub(super) async fn damage(&self, key: &str) {
        let mut bytes = self.body(key).to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        self.put(key, bytes).await;
    }

    pub(super) fn objects(&self) -> BTreeMap<String, Bytes> {
        let keys = self.keys("").into_iter();
        keys.map(|key| (key.clone(), self.body(&key))).collect()
    }

    pub(super) async fn restore(&self, objects: &BTreeMap<String, Bytes>) {
        for key in self.keys("") {
            self.remove(&key);
        }
        for (key, body) in objects {
            self.put(key, body.clone()).await;
        }
    }
}

fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
