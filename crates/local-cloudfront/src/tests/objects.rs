//! S3.

use super::*;

#[tokio::test]
async fn listings_are_in_byte_order_page_by_page() {
    let world = world().await;
    for key in ["z", "a/b", "a.html", "a/c", "é +", "b/d"] {
        put(&world, key, "", "").await;
    }
    let list = |query: &'static str| {
        let world = world.clone();
        async move {
            let text = send(&world, &format!("GET /bucket?list-type=2&{query}"), b"")
                .await
                .text();
            let xml = xml::Element::parse(&text).unwrap();
            let of = |element: &xml::Element, name| element.text_at(name).to_owned();
            let mut names: Vec<String> = Vec::new();
            for child in &xml.children {
                match child.name.as_str() {
                    "Contents" => names.push(of(child, "Key")),
                    "CommonPrefixes" => names.push(of(child, "Prefix")),
                    _ => {}
                }
            }
            (names, of(&xml, "NextContinuationToken"))
        }
    };
    let all = list("encoding-type=url").await.0;
    assert_eq!(all, ["a.html", "a/b", "a/c", "b/d", "z", "%C3%A9+%2B"]);
    assert_eq!(list("start-after=a/b&prefix=a").await.0, ["a/c"]);
    let (first, token) = list("max-keys=2&delimiter=/").await;
    assert_eq!(first, ["a.html", "a/"]);
    let query =
        format!("GET /bucket?list-type=2&max-keys=2&delimiter=/&continuation-token={token}");
    let second = send(&world, &query, b"").await.text();
    assert!(
        second.contains("<Key>z</Key>") && second.contains("<Prefix>b/</Prefix>"),
        "{second}"
    );
    assert!(!second.contains("<Prefix>a/</Prefix>"), "{second}");
}

#[tokio::test]
async fn conditional_writes_are_answered_as_s3_answers_them() {
    let world = world().await;
    put(&world, "k", "old", "").await;
    let etag = fields::quoted(&world.object(BUCKET, "k").unwrap().etag);
    for (request, expected) in [
        ("PUT /bucket/k\nif-none-match: *".to_owned(), 412),
        ("PUT /bucket/k\nif-match: \"00\"".to_owned(), 412),
        ("PUT /bucket/none\nif-match: \"00\"".to_owned(), 404),
        ("DELETE /bucket/k\nif-match: \"00\"".to_owned(), 412),
        ("PUT /bucket/c\nx-amz-copy-source: bucket/k\nx-amz-copy-source-if-match: \"00\"".to_owned(), 412),
        ("PUT /bucket/k\nx-amz-copy-source: bucket/k\nx-amz-metadata-directive: REPLACE\nif-match: \"00\"".to_owned(), 412),
        (format!("PUT /bucket/k\nif-match: {etag}"), 200),
        ("PUT /bucket/new\nif-none-match: *".to_owned(), 200),
        ("DELETE /bucket/k\nif-match: *".to_owned(), 204),
        ("PUT /nowhere/k".to_owned(), 404),
    ] {
        let before = world.body(BUCKET, "k");
        assert_eq!(status(&world, &request).await, expected, "{request}");
        if expected >= 400 {
            assert_eq!(world.body(BUCKET, "k"), before, "{request}");
        }
    }
    assert_eq!(world.keys(BUCKET).len(), 1);
}

#[tokio::test]
async fn a_bucket_can_be_without_conditional_writes_and_somebody_elses() {
    let world = world().await;
    let alter = |conditions| {
        world.alter_bucket(BUCKET, |options, _| {
            options.conditions = conditions;
            options.region = "eu-west-1".to_owned();
            options.strict_region = true;
        })
    };
    alter(Conditions::Refused).unwrap();
    assert_eq!(status(&world, "PUT /bucket/k\nif-none-match: *").await, 501);
    alter(Conditions::Ignored).unwrap();
    assert_eq!(status(&world, "PUT /bucket/k").await, 200);
    assert_eq!(status(&world, "PUT /bucket/k\nif-none-match: *").await, 200);
    assert_eq!(
        status(
            &world,
            "GET /bucket/k\nx-amz-expected-bucket-owner: 999999999999"
        )
        .await,
        403
    );
    assert_eq!(
        status(
            &world,
            "GET /bucket/k\nx-amz-expected-bucket-owner: 111122223333"
        )
        .await,
        200
    );
    assert_eq!(
        status(&world, "PUT /bucket/k\nx-amz-acl: public-read").await,
        400
    );
    let signed = |region: &str| {
        format!(
            "HEAD /bucket/k\nauthorization: AWS4-HMAC-SHA256 Credential=AK/20260101/{region}/s3/aws4_request, SignedHeaders=host, Signature=0"
        )
    };
    let moved = send(&world, &signed("us-east-1"), b"").await;
    assert_eq!(
        (moved.status, moved.header("x-amz-bucket-region")),
        (301, Some("eu-west-1"))
    );
    assert_eq!(send(&world, &signed("eu-west-1"), b"").await.status, 200);
}

#[tokio::test]
async fn bodies_are_checked_against_what_was_claimed_of_them() {
    let world = world().await;
    let chunked =
        |sum: &str| format!("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n").into_bytes();
    let request = "PUT /bucket/k\ncontent-encoding: gzip\ncontent-encoding: aws-chunked\nx-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nx-amz-decoded-content-length: 3\nx-amz-trailer: x-amz-checksum-crc32\nauthorization: AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    assert_eq!(
        send(&world, request, &chunked("AAAAAA==")).await.status,
        400
    );
    assert_eq!(world.keys(BUCKET).len(), 0);
    assert_eq!(
        send(&world, request, &chunked("NSRBwg==")).await.status,
        200
    );
    let object = world.object(BUCKET, "k").unwrap();
    assert_eq!(object.headers.content_encoding.as_deref(), Some("gzip"));
    assert_eq!(world.body(BUCKET, "k").unwrap(), "abc");
    let head = send(&world, "HEAD /bucket/k\nx-amz-checksum-mode: ENABLED", b"").await;
    assert_eq!(head.header("x-amz-checksum-crc32"), Some("NSRBwg=="));
    for header in [
        "content-md5: kAFQmDzST7DWlj99KOF/cg==",
        "x-amz-checksum-sha256: AAAA",
    ] {
        let refused = send(&world, &format!("PUT /bucket/k\n{header}"), b"abcd").await;
        assert!(refused.text().contains("BadDigest"), "{header}");
    }
    let plain = send(
        &world,
        "PUT /bucket/k\ncontent-md5: kAFQmDzST7DWlj99KOF/cg==",
        b"abc",
    )
    .await;
    assert_eq!(plain.status, 200);
    let head = send(&world, "HEAD /bucket/k\nx-amz-checksum-mode: ENABLED", b"").await;
    assert!(head.header("x-amz-checksum-crc64nvme").is_some());
}

#[tokio::test]
async fn a_copy_onto_itself_changes_headers_and_never_keeps_the_redirect() {
    let world = world().await;
    let put = "PUT /bucket/k\ncontent-type: text/css\nx-amz-website-redirect-location: /there\nx-amz-tagging: a=b\nx-amz-meta-x: y";
    assert_eq!(send(&world, put, b"abc").await.status, 200);
    let copy = "PUT /bucket/k\nx-amz-copy-source: bucket/k";
    assert_eq!(send(&world, copy, b"").await.status, 400);
    let replace = format!("{copy}\nx-amz-metadata-directive: REPLACE\ncache-control: max-age=1");
    assert_eq!(send(&world, &replace, b"").await.status, 200);
    let headers = &world.object(BUCKET, "k").unwrap().headers;
    assert_eq!(headers.cache_control.as_deref(), Some("max-age=1"));
    assert_eq!(
        (
            &headers.redirect,
            headers.metadata.len(),
            headers.tags.len()
        ),
        (&None, 0, 1)
    );
}

#[tokio::test]
async fn multipart_uploads_have_the_etag_that_aws_computes() {
    let world = world().await;
    let begun = send(&world, "POST /bucket/m?uploads", b"").await.text();
    let id = xml::Element::parse(&begun)
        .unwrap()
        .text_at("UploadId")
        .to_owned();
    let big = vec![7; 5 * 1024 * 1024];
    for (number, body) in [(1, &big[..]), (2, &b"end"[..])] {
        let part = format!("PUT /bucket/m?partNumber={number}&uploadId={id}");
        assert_eq!(send(&world, &part, body).await.status, 200);
    }
    let complete = |numbers: &[u32]| {
        let parts = numbers
            .iter()
            .map(|number| format!("<Part><PartNumber>{number}</PartNumber></Part>"));
        format!(
            "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
            parts.collect::<String>()
        )
    };
    let request = format!("POST /bucket/m?uploadId={id}");
    for bad in [&[2, 1][..], &[1, 3]] {
        assert_eq!(
            send(&world, &request, complete(bad).as_bytes())
                .await
                .status,
            400
        );
    }
    put(&world, "m", "somebody else", "").await;
    let guarded = format!("{request}\nif-none-match: *");
    assert_eq!(
        send(&world, &guarded, complete(&[1, 2]).as_bytes())
            .await
            .status,
        412
    );
    assert_eq!(world.open_uploads(), 1);
    assert_eq!(
        send(&world, &request, complete(&[1, 2]).as_bytes())
            .await
            .status,
        200
    );
    let etag = world.object(BUCKET, "m").unwrap().etag.to_string();
    assert_eq!(etag, "6ed53a032abd3d6e7d9c650d3a0121e0-2");
    assert_eq!(
        (world.body(BUCKET, "m").unwrap().len(), world.open_uploads()),
        (big.len() + 3, 0)
    );
}

#[tokio::test]
async fn versions_stay_until_they_are_deleted_by_name() {
    let world = world().await;
    put(&world, "k", "zero", "").await;
    let enable = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let enabled = send(&world, "PUT /bucket?versioning", enable).await;
    assert_eq!(enabled.status, 200);
    let asked = send(&world, "GET /bucket?versioning", b"").await.text();
    assert!(asked.contains("<Status>Enabled</Status>"), "{asked}");
    let written = send(&world, "PUT /bucket/k", b"one").await;
    assert_eq!(status(&world, "DELETE /bucket/k").await, 204);
    let gone = send(&world, "GET /bucket/k", b"").await;
    assert_eq!(
        (gone.status, gone.header("x-amz-delete-marker")),
        (404, Some("true"))
    );
    let versions = world.versions(BUCKET, "k");
    let shown = written.header("x-amz-version-id");
    assert_eq!(shown, Some(versions[1].id.as_str()));
    assert_eq!((versions.len(), versions[0].id.as_str()), (3, "null"));
    let first = send(&world, "GET /bucket/k?versionId=null", b"").await;
    assert_eq!(first.text(), "zero");
    let copy = format!(
        "PUT /bucket/k\nx-amz-copy-source: bucket/k?versionId={}",
        versions[1].id
    );
    assert_eq!(send(&world, &copy, b"").await.status, 200);
    assert_eq!(world.body(BUCKET, "k").unwrap(), "one");
    let marker = format!("DELETE /bucket/k?versionId={}", versions[2].id);
    assert_eq!(status(&world, &marker).await, 204);
    let list = send(&world, "GET /bucket?versions", b"").await.text();
    assert_eq!(list.matches("<Version>").count(), 3);
    assert!(!list.contains("DeleteMarker"));
}

#[tokio::test]
async fn an_encrypted_bucket_has_etags_that_are_no_md5() {
    let world = world().await;
    world
        .alter_bucket(BUCKET, |options, _| options.kms = true)
        .unwrap();
    put(&world, "k", "abc", "").await;
    let head = send(&world, "HEAD /bucket/k", b"").await;
    assert_eq!(head.header("x-amz-server-side-encryption"), Some("aws:kms"));
    let etag = head.header("etag").unwrap();
    assert_ne!(etag, "\"900150983cd24fb0d6963f7d28e17f72\"");
    assert_eq!(etag.len(), 34);
}
