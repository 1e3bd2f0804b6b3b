//! What is in the bucket already is found so, however it came there, and what is not is uploaded.

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use local_cloudfront::Md5;

use crate::support::{BUCKET, Site, World};

const MIB: usize = 1 << 20;

/// Another tool.
fn other(world: &World) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new("other", "other", None, None, "other"))
        .region(Region::new("us-east-1"))
        .endpoint_url(world.endpoint())
        .force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}

async fn put(client: &aws_sdk_s3::Client, key: &str, body: &[u8], content_type: &str) {
    let put = client.put_object().bucket(BUCKET).key(key);
    let put = put.content_type(content_type);
    put.body(ByteStream::from(body.to_vec()))
        .send()
        .await
        .unwrap();
}

async fn put_in_parts(client: &aws_sdk_s3::Client, key: &str, body: &[u8], part_size: usize) {
    let begun = client.create_multipart_upload().bucket(BUCKET).key(key);
    let id = begun.send().await.unwrap().upload_id.unwrap();
    let mut done = CompletedMultipartUpload::builder();
    for (number, part) in (1..).zip(body.chunks(part_size)) {
        let sent = client.upload_part().bucket(BUCKET).key(key).upload_id(&id);
        let sent = sent.part_number(number);
        let sent = sent.body(ByteStream::from(part.to_vec()));
        let etag = sent.send().await.unwrap().e_tag.unwrap();
        let part = CompletedPart::builder().part_number(number).e_tag(etag);
        done = done.parts(part.build());
    }
    let end = client.complete_multipart_upload().bucket(BUCKET).key(key);
    let end = end.upload_id(id).multipart_upload(done.build());
    end.send().await.unwrap();
}

/// Bytes that differ from place to place.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn body_writes(world: &World) -> Vec<String> {
    let mut writes = world.site_writes();
    writes.retain(|write| !write.starts_with("CopyObject") && *write != "CreateInvalidation");
    writes
}

#[tokio::test]
async fn parts_of_other_tools_are_recognised() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    let client = other(&world);
    for (key, size, part_size) in [
        ("rclone.bin", 6 * MIB, 5 * MIB),
        ("aws-cli.bin", 9 * MIB + 1, 8 * MIB),
        ("s3cmd.bin", 15 * MIB + 3, 15 * MIB),
    ] {
        site.write(key, bytes(size));
        put_in_parts(&client, key, &bytes(size), part_size).await;
        let etag = &world.object(BUCKET, key).unwrap().etag;
        assert!(etag.contains('-'), "{key} has parts");
    }
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(body_writes(&world), ["PutObject index.html"]);
    world.assert_deployed(&site, "");
    world.assert_settled(&site).await;

    let mut changed = bytes(6 * MIB);
    changed[5 * MIB + 7] ^= 1;
    site.write("rclone.bin", changed);
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(body_writes(&world), ["PutObject rclone.bin"]);
    world.assert_deployed(&site, "");
}

#[tokio::test]
async fn our_own_parts_are_recognised() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    site.write("video.mp4", bytes(17 * MIB));
    world.deploy(&site).await.succeeds();
    assert!(world.count("UploadPart") > 1, "sent in parts");
    assert_eq!(world.open_uploads(), 0);
    world.assert_deployed(&site, "");
    world.assert_settled(&site).await;
    world
        .assert_idle(world.deploy(&site).with("--no-cache"))
        .await;
}

#[tokio::test]
async fn an_encrypted_bucket_is_not_uploaded_twice() {
    let world = World::with(|setup| setup.bucket.kms = true).await;
    let site = Site::of(&[("index.html", "<p>1"), ("about.html", "<p>2")]);
    world.deploy(&site).await.succeeds();
    let etag = &world.object(BUCKET, "index.html").unwrap().etag;
    assert_ne!(*etag, Md5::of("<p>1").to_string(), "the ETag tells nothing");
    world.assert_settled(&site).await;

    site.write("about.html", "<p>3");
    world.forget();
    world.deploy(&site).await.succeeds();
    assert_eq!(body_writes(&world), ["PutObject about.html"]);
    world.assert_deployed(&site, "");
}

#[tokio::test]
async fn what_others_stored_encrypted_is_compared_by_its_checksum() {
    let world = World::with(|setup| setup.bucket.kms = true).await;
    let site = Site::of(&[
        ("index.html", "<p>1"),
        ("about.html", "<p>2"),
        ("app.css", "p{}"),
    ]);
    let client = other(&world);
    put(&client, "index.html", b"<p>1", "text/html").await;
    put(&client, "about.html", b"<p>X", "text/html").await;
    world.forget();
    world.deploy(&site).await.succeeds();
    let mut uploads = body_writes(&world);
    uploads.sort();
    assert_eq!(uploads, ["PutObject about.html", "PutObject app.css"]);
    world.assert_deployed(&site, "");
    world.assert_settled(&site).await;
}

#[tokio::test]
async fn what_others_changed_is_put_right() {
    let (world, site) = (
        World::new().await,
        Site::of(&[("index.html", "<p>1"), ("a.html", "<p>a")]),
    );
    world.deploy(&site).await.succeeds();
    put(&other(&world), "a.html", b"<p>b", "text/plain").await;
    world.warm(&site).await;
    world.deploy(&site).await.succeeds();
    world.assert_deployed(&site, "");
    world.assert_fresh(&site, "").await;
    world.assert_settled(&site).await;
}
