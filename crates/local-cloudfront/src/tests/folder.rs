//! Worlds that are kept in a folder.

use super::*;

#[tokio::test]
async fn a_second_process_attaches_and_a_later_one_finds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let first = open_or_attach(dir.path(), FolderOptions::new(BUCKET))
        .await
        .unwrap();
    let served = first.world.clone().unwrap();
    let url = served
        .serve_edge(first.distribution.as_ref().unwrap(), 0, 0)
        .await
        .unwrap();
    let second = open_or_attach(dir.path(), FolderOptions::new("second"))
        .await
        .unwrap();
    assert!(first.owns() && !second.owns());
    assert_eq!(
        (second.endpoint(), &second.edge_urls[..]),
        (first.endpoint(), &[url][..])
    );
    for (bucket, key) in [
        (BUCKET, "../../a%00b"),
        ("second", "k"),
        (BUCKET, "gone"),
        (BUCKET, "same"),
    ] {
        let request = format!("PUT /{bucket}/{key}\ncache-control: max-age=1");
        assert_eq!(
            try_send(second.endpoint(), &request, b"x")
                .await
                .unwrap()
                .status,
            200
        );
    }
    assert_eq!(status(&served, "DELETE /bucket/gone").await, 204);
    served.stop();
    drop((first, served));
    // What a crash in the middle of a write leaves.
    let journal = dir.path().join("journal");
    let mut text = std::fs::read(&journal).unwrap();
    text.extend_from_slice(b"{\"Put\":[\"bucket\",\"torn");
    std::fs::write(&journal, text).unwrap();
    let third = open_or_attach(dir.path(), FolderOptions::new(BUCKET))
        .await
        .unwrap();
    let world = third.world.unwrap();
    let keys: Vec<String> = world.keys(BUCKET).iter().map(ToString::to_string).collect();
    assert_eq!(keys, ["../../a\0b", "same"]);
    assert_eq!(world.body("second", "k").unwrap(), "x");
    let headers = &world.object(BUCKET, "same").unwrap().headers;
    assert_eq!(headers.cache_control.as_deref(), Some("max-age=1"));
    assert_eq!(world.distributions().len(), 2);
}

#[tokio::test]
async fn functions_and_key_values_are_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let open = || open_or_attach(dir.path(), FolderOptions::new(BUCKET));
    let first = open().await.unwrap();
    let world = first.world.clone().unwrap();
    let store = "<CreateKeyValueStoreRequest><Name>s</Name></CreateKeyValueStoreRequest>";
    let store = send(&world, "POST /2020-05-31/key-value-store", store.as_bytes()).await;
    let store = xml::Element::parse(&store.text()).unwrap();
    let arn = store.text_at("ARN");
    let path = format!("/key-value-stores/{}", arn.replace('/', "%2F"));
    let etag = send(&world, &format!("GET {path}"), b"").await;
    let put = format!(
        "PUT {path}/keys/k\nif-match: {}",
        etag.header("etag").unwrap()
    );
    assert_eq!(send(&world, &put, br#"{"Value":"v"}"#).await.status, 200);
    let body = format!(
        "<CreateFunctionRequest><Name>f</Name><FunctionConfig><Runtime>cloudfront-js-2.0</Runtime>\
         <KeyValueStoreAssociations><Items><KeyValueStoreAssociation><KeyValueStoreARN>{arn}</KeyValueStoreARN>\
         </KeyValueStoreAssociation></Items></KeyValueStoreAssociations></FunctionConfig>\
         <FunctionCode>eA==</FunctionCode></CreateFunctionRequest>"
    );
    let made = send(&world, "POST /2020-05-31/function", body.as_bytes()).await;
    let etag = made.header("etag").unwrap();
    let publish = format!("POST /2020-05-31/function/f/publish\nif-match: {etag}");
    assert_eq!(status(&world, &publish).await, 200);
    let id = first.distribution.clone().unwrap();
    let config = format!("/2020-05-31/distribution/{id}/config");
    let known = send(&world, &format!("GET {config}"), b"").await;
    let ours = "<FunctionARN>arn:aws:cloudfront::111122223333:function/f</FunctionARN><EventType>viewer-response</EventType>";
    let text = known.text();
    let (before, rest) = text.split_once("<FunctionARN>").unwrap();
    let (_, after) = rest.split_once("</EventType>").unwrap();
    let update = format!("PUT {config}\nif-match: {}", known.header("etag").unwrap());
    let updated = send(&world, &update, format!("{before}{ours}{after}").as_bytes()).await;
    assert_eq!(updated.status, 200, "{}", updated.text());
    world.stop();
    drop((first, world));
    let second = open().await.unwrap();
    let world = second.world.unwrap();
    assert_eq!(world.key_values("s")["k"], "v");
    let behavior = world
        .distribution(&second.distribution.unwrap())
        .unwrap()
        .default;
    assert_eq!(behavior.response_function.as_deref(), Some("f"));
    let described = send(
        &world,
        "GET /2020-05-31/function/f/describe?Stage=LIVE",
        b"",
    )
    .await;
    assert!(described.text().contains(arn));
}

#[tokio::test]
async fn contents_on_disk_go_when_nothing_uses_them() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        dir: Some(dir.path().to_owned()),
        ..Options::default()
    };
    let world = world_with(options).await;
    let files = || {
        let folders = std::fs::read_dir(dir.path().join("content")).unwrap();
        let inside = |folder: std::fs::DirEntry| std::fs::read_dir(folder.path()).unwrap().count();
        folders.map(|folder| inside(folder.unwrap())).sum::<usize>()
    };
    put(&world, "a", "same", "").await;
    put(&world, "b", "same", "").await;
    assert_eq!(files(), 1);
    put(&world, "a", "other", "").await;
    assert_eq!(files(), 2);
    world.delete_object(BUCKET, "b").unwrap();
    assert_eq!(files(), 1);
    let range = send(&world, "GET /bucket/a\nrange: bytes=1-2", b"").await;
    assert_eq!((range.status, range.text().as_str()), (206, "th"));
    assert_eq!(
        std::fs::read_dir(dir.path().join("incoming"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn a_folder_keeps_versions_for_a_month() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::at(SystemTime::UNIX_EPOCH);
    let month = Duration::from_secs(31 * 86_400);
    let options = Options {
        clock: clock.clone(),
        dir: Some(dir.path().to_owned()),
        ..Options::default()
    };
    let world = world_with(options.clone()).await;
    world.enable_versions(BUCKET).unwrap();
    for text in ["one", "two"] {
        put(&world, "kept", text, "").await;
        put(&world, "gone", text, "").await;
    }
    world.delete_object(BUCKET, "gone").unwrap();
    clock.advance(month);
    put(&world, "kept", "three", "").await;
    drop(world);
    let world = world_with(options.clone()).await;
    let texts = |world: &World| {
        let versions = world.versions(BUCKET, "kept").into_iter();
        versions
            .map(|one| one.object.unwrap().content.size)
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(&world), [3, 5]);
    assert!(world.versions(BUCKET, "gone").is_empty());
    let old = world.versions(BUCKET, "kept").remove(0).id;
    let old = send(&world, &format!("GET /bucket/kept?versionId={old}"), b"").await;
    assert_eq!(old.text(), "two");
    drop(world);
    clock.advance(month);
    assert_eq!(texts(&world_with(options).await), [5]);
}

#[tokio::test]
async fn a_stack_takes_over_an_empty_bucket_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let open = || open_or_attach(dir.path(), FolderOptions::new("made"));
    let first = open().await.unwrap();
    let world = first.world.clone().unwrap();
    let make = || async {
        stacks::apply(&world, "CREATE", stacks::TEMPLATE).await;
        while stacks::stack(&world).await.0.ends_with("_IN_PROGRESS") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stacks::stack(&world).await
    };
    let headers = Headers::default();
    let version = world.put_object("made", "a", "x", headers).await.unwrap();
    assert_eq!(make().await.0, "ROLLBACK_COMPLETE");
    let form = "Action=DeleteStack&StackName=site";
    assert_eq!(
        identity::ask(&world, "cloudformation", form).await.status,
        200
    );
    let delete = format!("DELETE /made/a?versionId={}", version.id);
    assert_eq!(status(&world, &delete).await, 204);
    let (status, outputs) = make().await;
    assert_eq!(status, "CREATE_COMPLETE");
    let second = open().await.unwrap();
    assert_ne!(second.distribution, first.distribution);
    assert_eq!(
        second.distribution.as_ref(),
        Some(&outputs["DistributionId"])
    );
}

#[tokio::test]
async fn a_stack_is_kept_with_what_it_made() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = || open_or_attach(dir.path(), FolderOptions::default());
    let made = || open_or_attach(dir.path(), FolderOptions::new("made"));
    let first = nothing().await.unwrap();
    assert_eq!(first.distribution, None);
    let world = first.world.clone().unwrap();
    assert!(world.distributions().is_empty());
    stacks::apply(&world, "CREATE", stacks::TEMPLATE).await;
    // Whoever asked is gone before it is made.
    assert_eq!(stacks::stack(&world).await.0, "CREATE_IN_PROGRESS");
    world.stop();
    drop((first, world));
    let second = nothing().await.unwrap();
    let world = second.world.clone().unwrap();
    while stacks::stack(&world).await.0 == "CREATE_IN_PROGRESS" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (status, outputs) = stacks::stack(&world).await;
    assert_eq!(status, "CREATE_COMPLETE");
    let attached = made().await.unwrap();
    assert_eq!(
        attached.distribution.as_ref(),
        Some(&outputs["DistributionId"])
    );
    world.stop();
    drop((second, world));
    let third = made().await.unwrap();
    assert_eq!(
        third.distribution.as_ref(),
        Some(&outputs["DistributionId"])
    );
    let world = third.world.unwrap();
    assert_eq!(world.distributions().len(), 1);
    assert_eq!(stacks::stack(&world).await.1, outputs);
    for (key, body) in [("index.html", "home"), ("404.html", "lost")] {
        let headers = Headers::default();
        world.put_object("made", key, body, headers).await.unwrap();
    }
    let edge = world.edge(&third.distribution.unwrap(), 0);
    assert_eq!(edge.get("/").await.text(), "home");
    let missing = edge.get("/missing").await;
    assert_eq!((missing.status, missing.text().as_str()), (404, "lost"));
}
