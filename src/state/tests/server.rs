//! The least of an S3 that conditional writes need, over real sockets, with a clock and faults that a test sets.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::domain::ETag;
use crate::state::md5_of;

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    /// No effect.
    Fail(u16, &'static str),
    /// It takes effect all the same.
    FailAfter(u16, &'static str),
}

type Rule = Box<dyn FnMut(&str, &str) -> Fault + Send>;

pub struct World {
    pub objects: BTreeMap<String, Bytes>,
    /// Unix seconds.
    pub now: i64,
    /// Conditions are not looked at.
    pub careless: bool,
    /// Sees the method and the key.
    pub rule: Rule,
    /// Bytes of all bodies that came in.
    pub received: u64,
    pub writes: u64,
}

#[derive(Clone)]
pub struct Server {
    pub url: String,
    world: Arc<Mutex<World>>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let world = World {
            objects: BTreeMap::new(),
            now: 1_800_000_000,
            careless: false,
            rule: Box::new(|_, _| Fault::None),
            received: 0,
            writes: 0,
        };
        let server = Self {
            url,
            world: Arc::new(Mutex::new(world)),
        };
        let own = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                let service = service_fn(move |request| own.clone().answer(request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        server
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn faults(&self, rule: impl FnMut(&str, &str) -> Fault + Send + 'static) {
        self.world().rule = Box::new(rule);
    }

    /// The keys that begin so.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let world = self.world();
        let keys = world.objects.keys();
        keys.filter(|key| key.starts_with(prefix))
            .cloned()
            .collect()
    }

    /// Changes one byte in the middle of an object.
    pub fn damage(&self, key: &str) {
        let mut world = self.world();
        let body = world.objects.get_mut(key).unwrap();
        let mut bytes = body.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        *body = bytes.into();
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = percent_encoding::percent_decode_str(head.uri.path())
            .decode_utf8_lossy()
            .into_owned();
        let key = path.trim_start_matches("/bucket").trim_start_matches('/');
        let query = head.uri.query().unwrap_or_default().to_owned();
        let header = |name: &str| {
            let value = head.headers.get(name)?;
            Some(ETag::parse(value.to_str().ok()?))
        };
        let mut world = self.world();
        world.received += body.len() as u64;
        let fault = (world.rule)(head.method.as_str(), key);
        let (status, code, out) = match fault {
            Fault::Fail(status, code) => (status, code, Bytes::new()),
            _ => match head.method.as_str() {
                "GET" if key.is_empty() => (200, "", world.list(&query)),
                "GET" => match world.objects.get(key) {
                    Some(body) => (200, "", body.clone()),
                    None => (404, "NoSuchKey", Bytes::new()),
                },
                "PUT" => world.put(key, body, header("if-match"), header("if-none-match")),
                "DELETE" => {
                    world.objects.remove(key);
                    (204, "", Bytes::new())
                }
                _ => (405, "MethodNotAllowed", Bytes::new()),
            },
        };
        let (status, code) = match fault {
            Fault::FailAfter(status, code) => (status, code),
            _ => (status, code),
        };
        let etag = world.objects.get(key).map(|body| md5_of(body).to_string());
        let out = if code.is_empty() {
            out
        } else {
            format!("<Error><Code>{code}</Code><Message>so it is</Message></Error>").into()
        };
        let date = jiff::Timestamp::from_second(world.now).unwrap();
        let mut answer = Response::builder().status(status).header(
            "date",
            date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        );
        if let Some(etag) = etag {
            answer = answer.header("etag", format!("\"{etag}\""));
        }
        Ok(answer.body(Full::new(out)).unwrap())
    }
}

impl World {
    fn put(
        &mut self,
        key: &str,
        body: Bytes,
        is: Option<ETag>,
        is_not: Option<ETag>,
    ) -> (u16, &'static str, Bytes) {
        let there = self.objects.get(key).map(|body| ETag::Md5(md5_of(body)));
        if !self.careless {
            if is.is_some() && there.is_none() {
                return (404, "NoSuchKey", Bytes::new());
            }
            if is.is_some() && is != there || is_not.is_some() && there.is_some() {
                return (412, "PreconditionFailed", Bytes::new());
            }
        }
        self.writes += 1;
        self.objects.insert(key.to_owned(), body);
        (200, "", Bytes::new())
    }

    fn list(&self, query: &str) -> Bytes {
        let value = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name))?;
            let decoded = percent_encoding::percent_decode_str(value).decode_utf8();
            Some(decoded.unwrap().into_owned())
        };
        let prefix = value("prefix=").unwrap_or_default();
        let after = value("start-after=").unwrap_or_default();
        let objects = self.objects.iter();
        let rows: String = objects
            .filter(|(key, _)| key.starts_with(&prefix) && **key > after)
            .map(|(key, body)| {
                let (size, etag) = (body.len(), md5_of(body));
                format!(
                    "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{etag}</ETag></Contents>"
                )
            })
            .collect();
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>")
            .into()
    }
}
