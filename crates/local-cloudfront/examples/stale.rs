//! Shows how a page goes stale at one edge and not at another, and what an invalidation does about it.
//! `cargo run -p local-cloudfront --example stale`

// An example tells what it does.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::{Duration, SystemTime};

use local_cloudfront::{Clock, Distribution, EdgeHandle, Headers, Options, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn look(edge: &EdgeHandle, when: &str) {
    let answer = edge.get("/").await;
    let age = answer.header("age").unwrap_or("-");
    let (text, x_cache) = (answer.text(), answer.x_cache);
    println!("edge {} {when}: {text} ({x_cache}, age {age})", edge.number);
}

/// Sends CreateInvalidation by hand, as no SDK is among this crate's dependencies.
async fn invalidate(world: &World, id: &str, path: &str) -> Result<String, Box<dyn Error>> {
    let body = format!(
        "<InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>{path}</Path></Items></Paths>\
         <CallerReference>example</CallerReference></InvalidationBatch>"
    );
    let endpoint = world.endpoint();
    let mut stream = TcpStream::connect(endpoint.trim_start_matches("http://")).await?;
    let head = format!(
        "POST /2020-05-31/distribution/{id}/invalidation HTTP/1.1\r\nhost: localhost\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options {
        clock: Clock::at(SystemTime::UNIX_EPOCH),
        ..Options::default()
    };
    let world = World::start(options).await?;
    world.create_bucket("site")?;
    let distribution = Distribution::for_bucket("site");
    world.set_distribution(distribution.clone());
    println!("S3 and CloudFront: {}", world.endpoint());

    let (first, second) = (
        world.edge(&distribution.id, 0),
        world.edge(&distribution.id, 1),
    );
    let put = |text: &'static str| world.put_object("site", "index.html", text, Headers::default());
    put("one").await?;
    look(&first, "asks the bucket").await;
    put("two").await?;
    world.clock().advance(Duration::from_secs(3600));
    look(&first, "an hour later").await;
    look(&second, "an hour later").await;
    let answer = invalidate(&world, &distribution.id, "/").await?;
    println!("CreateInvalidation of /: {answer}");
    look(&first, "after the purge").await;
    Ok(())
}
