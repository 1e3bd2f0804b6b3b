//! CloudFront's API.

use super::*;

#[tokio::test]
async fn a_caller_reference_counts_once() {
    let (world, site) = site().await;
    world.cloud_options(|options| options.invalidation_time = Duration::from_secs(5));
    let first = invalidate(&world, &site.id, "ref", &["/a", "/b*"]).await;
    assert_eq!(first.status, 201);
    let id = xml::Element::parse(&first.text())
        .unwrap()
        .text_at("Id")
        .to_owned();
    assert!(
        invalidate(&world, &site.id, "ref", &["/a", "/b*"])
            .await
            .text()
            .contains(&id)
    );
    let other = invalidate(&world, &site.id, "ref", &["/c"]).await;
    assert_eq!(other.status, 400);
    assert!(
        other
            .text()
            .contains("<Code>InvalidationBatchAlreadyExists</Code>")
    );
    assert_eq!(world.invalidations(&site.id).len(), 1);
    let get = format!("GET /2020-05-31/distribution/{}/invalidation/{id}", site.id);
    assert!(
        send(&world, &get, b"")
            .await
            .text()
            .contains("<Status>InProgress</Status>")
    );
    later(&world, 5);
    assert!(
        send(&world, &get, b"")
            .await
            .text()
            .contains("<Status>Completed</Status>")
    );
    for (paths, status) in [
        (&["a"][..], 400),
        (&["/~a"], 400),
        (&["/a b"], 400),
        (&[], 400),
        (&["/a'b", "#tag"], 201),
    ] {
        let reference = format!("{paths:?}");
        assert_eq!(
            invalidate(&world, &site.id, &reference, paths).await.status,
            status,
            "{paths:?}"
        );
    }
    world.cloud_options(|options| options.most_in_progress = Some(1));
    let busy = invalidate(&world, &site.id, "busy", &["/a"]).await.text();
    assert!(busy.contains("TooManyInvalidationsInProgress"));
    assert_eq!(
        invalidate(&world, "EUNKNOWN", "x", &["/a"]).await.status,
        404
    );
}

#[tokio::test]
async fn distributions_are_listed_page_by_page() {
    let (world, site) = site().await;
    world.set_distribution(Distribution {
        aliases: vec!["www.example.com".to_owned()],
        ..Distribution::for_bucket("other")
    });
    let list = |marker: String| {
        let request = format!("GET /2020-05-31/distribution?MaxItems=1&Marker={marker}");
        let world = world.clone();
        async move { xml::Element::parse(&send(&world, &request, b"").await.text()).unwrap() }
    };
    let first = list(String::new()).await;
    assert_eq!(
        (first.text_at("IsTruncated"), first.text_at("Quantity")),
        ("true", "1")
    );
    let second = list(first.text_at("NextMarker").to_owned()).await;
    assert_eq!(second.text_at("IsTruncated"), "false");
    let ids = [first, second].map(|page| page.text_at("Items/DistributionSummary/Id").to_owned());
    assert!(ids.contains(&site.id) && ids[0] != ids[1]);
    let config = format!("GET /2020-05-31/distribution/{}/config", site.id);
    let config = send(&world, &config, b"").await;
    assert!(config.header("etag").is_some());
    assert!(
        config
            .text()
            .contains("<DefaultRootObject>index.html</DefaultRootObject>")
    );
    let policy = format!("GET /2020-05-31/cache-policy/{}", policy::CACHING_OPTIMIZED);
    assert!(
        send(&world, &policy, b"")
            .await
            .text()
            .contains("<MaxTTL>31536000</MaxTTL>")
    );
}

#[tokio::test]
async fn a_distribution_that_was_changed_is_in_progress_for_a_while() {
    let (world, mut site) = site().await;
    world.cloud_options(|options| options.deploy_time = Duration::from_secs(60));
    put(&world, "a", "one", "").await;
    put(&world, "v2/a", "two", "").await;
    world.edge(&site.id, 0).get("/a").await;
    site.origins[0].path = "/v2".to_owned();
    world.reconfigure(site.clone());
    let statuses = || async {
        let one = format!("GET /2020-05-31/distribution/{}", site.id);
        let one = xml::Element::parse(&send(&world, &one, b"").await.text()).unwrap();
        let all = send(&world, "GET /2020-05-31/distribution", b"").await;
        let all = xml::Element::parse(&all.text()).unwrap();
        let path = "DistributionConfig/Origins/Items/Origin/OriginPath";
        assert_eq!(one.text_at(path), "/v2");
        let listed = all.text_at("Items/DistributionSummary/Status").to_owned();
        [one.text_at("Status").to_owned(), listed]
    };
    assert_eq!(statuses().await, ["InProgress"; 2]);
    // A purge is filled again from the old origin.
    invalidate(&world, &site.id, "1", &["/a"]).await;
    later(&world, 59);
    assert_eq!(world.edge(&site.id, 0).get("/a").await.text(), "one");
    assert_eq!(statuses().await, ["InProgress"; 2]);
    later(&world, 1);
    assert_eq!(statuses().await, ["Deployed"; 2]);
    assert_eq!(world.edge(&site.id, 0).get("/a").await.text(), "one");
    assert_eq!(world.edge(&site.id, 1).get("/a").await.text(), "two");
    site.status = "InProgress".to_owned();
    world.set_distribution(site.clone());
    assert_eq!(statuses().await, ["InProgress"; 2]);
}

#[tokio::test]
async fn tenants_have_their_own_values_of_parameters() {
    let (world, mut site) = site().await;
    world.create_bucket("site-two").unwrap();
    site.origins[0].path = "/{{folder}}".to_owned();
    site.origins[0].kind = OriginKind::S3 {
        bucket: "{{bucket}}".to_owned(),
        may_list: true,
    };
    site.parameters = vec![
        ("bucket".to_owned(), Some(BUCKET.to_owned())),
        ("folder".to_owned(), None),
    ];
    world.set_distribution(site.clone());
    for (id, bucket, folder) in [("dt_1", None, "v1"), ("dt_2", Some("site-two"), "v2")] {
        let bucket = bucket.map(|name: &str| ("bucket".to_owned(), name.to_owned()));
        let folder = ("folder".to_owned(), folder.to_owned());
        world.set_tenant(Tenant {
            id: id.to_owned(),
            name: id.to_owned(),
            distribution: site.id.clone(),
            domains: vec![format!("{id}.example.com")],
            parameters: bucket.into_iter().chain([folder]).collect(),
        });
    }
    put(&world, "v1/a", "one", "").await;
    world
        .put_object("site-two", "v2/a", "two", Headers::default())
        .await
        .unwrap();
    assert_eq!(world.edge("dt_1", 0).get("/a").await.text(), "one");
    assert_eq!(world.edge("dt_2", 0).get("/a").await.text(), "two");

    let config = format!("GET /2020-05-31/distribution/{}/config", site.id);
    let config = send(&world, &config, b"").await.text();
    for part in [
        "<DomainName>{{bucket}}.s3.us-east-1.amazonaws.com</DomainName><OriginPath>/{{folder}}</OriginPath>",
        "<DefaultValue>bucket</DefaultValue>",
        "<ConnectionMode>tenant-only</ConnectionMode>",
    ] {
        assert!(config.contains(part), "{part} in {config}");
    }
    for request in [
        "GET /2020-05-31/distribution-tenant/dt_2",
        "GET /2020-05-31/distribution-tenant?domain=dt_2.example.com",
    ] {
        let said = send(&world, request, b"").await.text();
        let expected = "<member><Name>bucket</Name><Value>site-two</Value></member>";
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn a_staging_distribution_is_named_by_a_policy_and_has_edges_of_its_own() {
    let (world, mut site) = site().await;
    let staging = Distribution {
        staging: true,
        ..Distribution::for_bucket("staging")
    };
    let staging = Distribution {
        origins: site.origins.clone(),
        ..staging
    };
    site.continuous_deployment = Some("policy".to_owned());
    world.set_distribution(site.clone());
    world.set_distribution(staging.clone());
    world.set_continuous_deployment(
        "policy",
        ContinuousDeployment {
            enabled: true,
            staging_domains: vec![staging.domain.clone()],
            weight: 0.15,
        },
    );
    let config = format!("GET /2020-05-31/distribution/{}/config", site.id);
    let config = send(&world, &config, b"").await.text();
    let expected = "<ContinuousDeploymentPolicyId>policy</ContinuousDeploymentPolicyId>";
    assert!(config.contains(expected));
    let get = "GET /2020-05-31/continuous-deployment-policy/policy";
    let said = xml::Element::parse(&send(&world, get, b"").await.text()).unwrap();
    let said = said.child("ContinuousDeploymentPolicyConfig").unwrap();
    let names = said.items("StagingDistributionDnsNames");
    assert_eq!(names[0].text, staging.domain);
    assert_eq!(
        (
            said.text_at("Enabled"),
            said.text_at("TrafficConfig/SingleWeightConfig/Weight")
        ),
        ("true", "0.15")
    );
    let none = send(
        &world,
        "GET /2020-05-31/continuous-deployment-policy/x",
        b"",
    )
    .await;
    assert_eq!(none.status, 404);
    assert!(none.text().contains("NoSuchContinuousDeploymentPolicy"));

    put(&world, "a", "one", "").await;
    for id in [&site.id, &staging.id] {
        assert_eq!(world.edge(id, 0).get("/a").await.text(), "one");
    }
    put(&world, "a", "two", "").await;
    invalidate(&world, &site.id, "1", &["/*"]).await;
    assert_eq!(world.edge(&site.id, 0).get("/a").await.text(), "two");
    assert_eq!(world.edge(&staging.id, 0).get("/a").await.text(), "one");
}
