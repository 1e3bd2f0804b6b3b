//! Worlds that are kept in a folder.

use super::*;

#[tokio::test]
async fn a_second_process_attaches_and_a_later_one_finds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let first = open_or_attach(dir.path(), FolderOptions::new(BUCKET))
        .await
        .unwrap();
    let served = first.world.clone().unwrap();
    let url = served.serve_edge(&first.distribution, 0, 0).await.unwrap();
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
