//! Worlds asked from outside, over HTTP.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

mod account;
mod cloudfront;
mod edges;
#[cfg(feature = "faults")]
mod failures;
#[cfg(feature = "faults")]
mod faults;
mod folder;
mod functions;
mod headers;
mod identity;
mod key_values;
mod lambdas;
mod objects;
mod panel;
mod stacks;
mod websites;

const BUCKET: &str = "bucket";

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// `request` is `METHOD PATH`, then a header a line. `None` where the connection was cut.
async fn try_send(url: &str, request: &str, body: &[u8]) -> Option<Reply> {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://"))
        .await
        .ok()?;
    let (first, rest) = request.split_once('\n').unwrap_or((request, ""));
    let mut head = format!("{first} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    head.push_str(&format!("content-length: {}\r\n", body.len()));
    for line in rest.lines() {
        head.push_str(&format!("{}\r\n", line.trim()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body).await.ok()?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.ok()?;
    let cut = all.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&all[..cut]).into_owned();
    let reply = Reply {
        status: head.split(' ').nth(1)?.parse().ok()?,
        body: all[cut + 4..].to_vec(),
        head,
    };
    let said = reply
        .header("content-length")
        .and_then(|length| length.parse().ok());
    let whole =
        first.starts_with("HEAD") || said.is_none_or(|length: usize| length == reply.body.len());
    whole.then_some(reply)
}

async fn send(world: &World, request: &str, body: &[u8]) -> Reply {
    try_send(&world.endpoint(), request, body)
        .await
        .expect("an answer")
}

async fn status(world: &World, request: &str) -> u16 {
    send(world, request, b"new").await.status
}

async fn world() -> World {
    world_with(Options::default()).await
}

async fn world_with(options: Options) -> World {
    let world = World::start(options).await.unwrap();
    world.create_bucket(BUCKET).unwrap();
    world
}

/// A world whose clock stands, with a distribution before its bucket.
async fn site() -> (World, Distribution) {
    let clock = Clock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
    let world = world_with(Options {
        clock,
        ..Options::default()
    })
    .await;
    let distribution = Distribution::for_bucket(BUCKET);
    world.set_distribution(distribution.clone());
    (world, distribution)
}

async fn put(world: &World, key: &str, body: &str, cache_control: &str) {
    let headers = Headers {
        cache_control: (!cache_control.is_empty()).then(|| cache_control.to_owned()),
        ..Headers::default()
    };
    world
        .put_object(BUCKET, key, body.to_owned(), headers)
        .await
        .unwrap();
}

fn later(world: &World, seconds: u64) {
    world.clock().advance(Duration::from_secs(seconds));
}

async fn invalidate(world: &World, id: &str, reference: &str, paths: &[&str]) -> Reply {
    let items: String = paths
        .iter()
        .map(|path| format!("<Path>{path}</Path>"))
        .collect();
    let body = format!(
        "<InvalidationBatch><Paths><Quantity>{}</Quantity><Items>{items}</Items></Paths><CallerReference>{reference}</CallerReference></InvalidationBatch>",
        paths.len()
    );
    let request = format!("POST /2020-05-31/distribution/{id}/invalidation");
    send(world, &request, body.as_bytes()).await
}
