//! Certificates, what Cloud Control tells of, settings of buckets, and configurations that hold what nobody knows.

use super::*;

async fn call(world: &World, (service, target): (&str, &str), body: &str) -> Reply {
    let request = format!(
        "POST /\nx-amz-target: {target}\nauthorization: AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    send(world, &request, body.as_bytes()).await
}

#[tokio::test]
async fn certificates_are_described_in_their_region() {
    let world = world().await;
    let arn = |region: &str| format!("arn:aws:acm:{region}:111122223333:certificate/c");
    for region in ["us-east-1", "eu-west-1"] {
        let mut certificate = Certificate::new(&arn(region), "www.example.com");
        certificate.status = "EXPIRED".to_owned();
        certificate.not_after = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60));
        world.set_certificate(certificate);
    }
    let ask = ("acm", "CertificateManager.DescribeCertificate");
    let body = |region: &str| format!("{{\"CertificateArn\":\"{}\"}}", arn(region));
    let said = call(&world, ask, &body("us-east-1")).await;
    let said: serde_json::Value = serde_json::from_slice(&said.body).unwrap();
    let certificate = &said["Certificate"];
    assert_eq!(certificate["Status"], "EXPIRED");
    assert_eq!(certificate["NotAfter"], 60);
    assert_eq!(certificate["DomainName"], "www.example.com");
    let other = call(&world, ask, &body("eu-west-1")).await;
    assert_eq!(other.status, 400);
    assert!(other.text().contains("ResourceNotFoundException"));
    let entry = &world.log()[0].request;
    assert_eq!(
        (entry.service, entry.operation),
        (Service::Acm, "DescribeCertificate")
    );
    assert!(!entry.writes());
}

#[tokio::test]
async fn cloud_control_tells_what_the_account_has() {
    let world = world().await;
    let zone = "AWS::Route53::HostedZone";
    world.set_resource(zone, "Z1", r#"{"Name":"example.com."}"#);
    let list = ("cloudcontrolapi", "CloudApiService.ListResources");
    let get = ("cloudcontrolapi", "CloudApiService.GetResource");
    let said = call(&world, list, &format!("{{\"TypeName\":\"{zone}\"}}")).await;
    let said: serde_json::Value = serde_json::from_slice(&said.body).unwrap();
    let listed = &said["ResourceDescriptions"][0];
    assert_eq!(listed["Identifier"], "Z1");
    let properties: serde_json::Value =
        serde_json::from_str(listed["Properties"].as_str().unwrap()).unwrap();
    assert_eq!(properties["Name"], "example.com.");
    let body = |id: &str| format!("{{\"TypeName\":\"{zone}\",\"Identifier\":\"{id}\"}}");
    assert_eq!(call(&world, get, &body("Z1")).await.status, 200);
    world.remove_resource(zone, "Z1");
    let missing = call(&world, get, &body("Z1")).await;
    assert_eq!(missing.status, 400);
    assert!(missing.text().contains("\"ResourceNotFoundException\""));
}

#[tokio::test]
async fn settings_of_a_bucket_are_kept_as_they_were_put() {
    let world = world().await;
    let block = send(&world, "GET /bucket?publicAccessBlock", b"")
        .await
        .text();
    assert!(block.contains("<BlockPublicPolicy>true</BlockPublicPolicy>"));
    assert_eq!(
        status(&world, "DELETE /bucket?publicAccessBlock").await,
        204
    );
    let none = send(&world, "GET /bucket?publicAccessBlock", b"").await;
    assert_eq!(none.status, 404);
    assert!(
        none.text()
            .contains("<Code>NoSuchPublicAccessBlockConfiguration</Code>")
    );
    let none = send(&world, "GET /bucket?lifecycle", b"").await.text();
    assert!(none.contains("<Code>NoSuchLifecycleConfiguration</Code>"));
    let rules =
        "<LifecycleConfiguration><Rule><Status>Enabled</Status></Rule></LifecycleConfiguration>";
    let done = send(&world, "PUT /bucket?lifecycle", rules.as_bytes()).await;
    assert_eq!(done.status, 200);
    assert_eq!(
        send(&world, "GET /bucket?lifecycle", b"").await.text(),
        rules
    );
    let entry = world.log().pop().unwrap().request;
    assert_eq!(entry.operation, "GetBucketLifecycleConfiguration");
    assert_eq!(status(&world, "PUT /bucket?policy").await, 400);
    let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}]}"#;
    assert_eq!(
        send(&world, "PUT /bucket?policy", policy.as_bytes())
            .await
            .status,
        200
    );
    let public = send(&world, "GET /bucket?policyStatus", b"").await.text();
    assert!(public.contains("<IsPublic>true</IsPublic>"));
    put(&world, "a", "x", "").await;
    assert_eq!(status(&world, "DELETE /bucket").await, 409);
    world.delete_object(BUCKET, "a").unwrap();
    assert_eq!(status(&world, "DELETE /bucket").await, 204);
    assert_eq!(status(&world, "GET /bucket?lifecycle").await, 404);
}

#[tokio::test]
async fn an_update_of_a_distribution_loses_what_it_does_not_send_back() {
    let (world, mut site) = site().await;
    site.extra = vec![
        (String::new(), "<New><Mode>on</Mode></New>".to_owned()),
        (
            "DefaultCacheBehavior".to_owned(),
            "<Other>1</Other>".to_owned(),
        ),
    ];
    world.set_distribution(site.clone());
    let path = format!("/2020-05-31/distribution/{}/config", site.id);
    let known = send(&world, &format!("GET {path}"), b"").await;
    let text = known.text();
    let wished = text
        .replace("<Other>1</Other>", "")
        .replace(
            ">index.html</DefaultRootObject>",
            ">home.html</DefaultRootObject>",
        )
        .replace("<ErrorCachingMinTTL>10<", "<ErrorCachingMinTTL>60<")
        .replace(
            "</DistributionConfig>",
            "<CacheTagConfig><HeaderName>x-tag</HeaderName></CacheTagConfig></DistributionConfig>",
        );
    let update = format!("PUT {path}\nif-match: {}", known.header("etag").unwrap());
    let done = send(&world, &update, wished.as_bytes()).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let now = world.distribution(&site.id).unwrap();
    assert_eq!(now.extra, site.extra[..1]);
    assert_eq!(now.root.as_deref(), Some("home.html"));
    assert_eq!(now.tag_header.as_deref(), Some("x-tag"));
    assert_eq!(now.errors[0].min_ttl, 60);
    let again = send(&world, &update, wished.as_bytes()).await;
    assert_eq!(again.status, 412);
    let known = send(&world, &format!("GET {path}"), b"").await;
    let update = format!("PUT {path}\nif-match: {}", known.header("etag").unwrap());
    let wrong = known
        .text()
        .replace("<ResponseCode>404<", "<ResponseCode><");
    let refused = send(&world, &update, wrong.as_bytes()).await;
    assert_eq!(refused.status, 400);
}
