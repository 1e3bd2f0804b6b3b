//! KeyValueStores, by both their APIs.

use super::*;

const STORES: &str = "/2020-05-31/key-value-store";

async fn create(world: &World, name: &str) -> xml::Element {
    let body =
        format!("<CreateKeyValueStoreRequest><Name>{name}</Name></CreateKeyValueStoreRequest>");
    let made = send(world, &format!("POST {STORES}"), body.as_bytes()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    xml::Element::parse(&made.text()).unwrap()
}

/// The path of a store in the other API.
fn keys_of(store: &xml::Element) -> String {
    let arn = store.text_at("ARN").replace(':', "%3A").replace('/', "%2F");
    format!("/key-value-stores/{arn}")
}

async fn json(world: &World, request: &str, body: &str) -> (u16, serde_json::Value, String) {
    let said = send(world, request, body.as_bytes()).await;
    let told = said.header("etag").or(said.header("x-amzn-errortype"));
    let told = told.unwrap_or_default().to_owned();
    (
        said.status,
        serde_json::from_slice(&said.body).unwrap(),
        told,
    )
}

#[tokio::test]
async fn a_store_is_made_listed_and_deleted() {
    let (world, _) = site().await;
    let made = create(&world, "one").await;
    assert_eq!(made.text_at("Status"), "PROVISIONING");
    create(&world, "two").await;
    let again = "<CreateKeyValueStoreRequest><Name>one</Name></CreateKeyValueStoreRequest>";
    let again = send(&world, &format!("POST {STORES}"), again.as_bytes()).await;
    assert_eq!(again.status, 409);
    assert!(again.text().contains("<Code>EntityAlreadyExists</Code>"));
    let known = send(&world, &format!("GET {STORES}/one"), b"").await;
    let told = xml::Element::parse(&known.text()).unwrap();
    assert_eq!(
        (told.text_at("Status"), told.text_at("ARN")),
        ("READY", made.text_at("ARN"))
    );
    let list = send(&world, &format!("GET {STORES}?MaxItems=1&Marker=one"), b"").await;
    let list = xml::Element::parse(&list.text()).unwrap();
    let [listed] = list.items("") else {
        panic!("{list:?}")
    };
    assert_eq!(
        (listed.text_at("Name"), listed.text_at("Status")),
        ("two", "PROVISIONING")
    );
    let etag = known.header("etag").unwrap();
    let delete = |tag: &str| format!("DELETE {STORES}/one\nif-match: {tag}");
    assert_eq!(status(&world, &format!("DELETE {STORES}/one")).await, 400);
    assert_eq!(status(&world, &delete("other")).await, 412);
    assert_eq!(status(&world, &delete(etag)).await, 204);
    let gone = send(&world, &format!("GET {STORES}/one"), b"").await;
    assert_eq!(gone.status, 404);
    assert!(gone.text().contains("<Code>EntityNotFound</Code>"));
}

#[tokio::test]
async fn keys_are_changed_under_the_etag_that_was_seen() {
    let (world, _) = site().await;
    let store = create(&world, "site").await;
    let path = keys_of(&store);
    let (status, described, etag) = json(&world, &format!("GET {path}"), "").await;
    assert_eq!((status, described["Status"].as_str()), (200, Some("READY")));
    assert_eq!(described["KvsARN"].as_str(), Some(store.text_at("ARN")));
    assert_eq!(described["Created"], 1_000_000);
    let put = format!("PUT {path}/keys/%2Fold%20page%3Fa");
    let (status, counted, second) = json(
        &world,
        &format!("{put}\nif-match: {etag}"),
        r#"{"Value":"/é"}"#,
    )
    .await;
    assert_eq!(
        (status, &counted["ItemCount"], &counted["TotalSizeInBytes"]),
        (200, &1.into(), &14.into())
    );
    for tag in ["other", &etag] {
        let stale = json(
            &world,
            &format!("{put}\nif-match: {tag}"),
            r#"{"Value":"x"}"#,
        )
        .await;
        assert_eq!((stale.0, stale.2.as_str()), (409, "ConflictException"));
    }
    let without = json(&world, &put, r#"{"Value":"x"}"#).await;
    assert_eq!(
        (without.0, without.2.as_str()),
        (400, "ValidationException")
    );
    let update = r#"{"Puts":[{"Key":"a","Value":"1"},{"Key":"b","Value":"2"}],"Deletes":[{"Key":"/old page?a"}]}"#;
    let (status, _, third) = json(
        &world,
        &format!("POST {path}/keys\nif-match: {second}"),
        update,
    )
    .await;
    assert_eq!(status, 200);
    let held: Vec<_> = world.key_values("site").into_iter().collect();
    let expected = [("a", "1"), ("b", "2")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(held, expected);
    let (_, first, _) = json(&world, &format!("GET {path}/keys?MaxResults=1"), "").await;
    assert_eq!(
        first["Items"],
        serde_json::json!([{ "Key": "a", "Value": "1" }])
    );
    let next = format!(
        "GET {path}/keys?NextToken={}",
        first["NextToken"].as_str().unwrap()
    );
    let (_, last, _) = json(&world, &next, "").await;
    assert_eq!(
        last,
        serde_json::json!({ "Items": [{ "Key": "b", "Value": "2" }] })
    );
    let (_, got, _) = json(&world, &format!("GET {path}/keys/b"), "").await;
    assert_eq!(got["Value"], "2");
    let delete = format!("DELETE {path}/keys/b\nif-match: {third}");
    let (status, _, fourth) = json(&world, &delete, "").await;
    assert_eq!((status, world.key_values("site").len()), (200, 1));
    let missing = format!("DELETE {path}/keys/b\nif-match: {fourth}");
    for request in [
        missing.as_str(),
        &format!("GET {path}/keys/b"),
        "GET /key-value-stores/arn%3Ano",
    ] {
        let (status, _, code) = json(&world, request, "").await;
        assert_eq!(
            (status, code.as_str()),
            (404, "ResourceNotFoundException"),
            "{request}"
        );
    }
    // A bucket of that name is S3's.
    assert_eq!(
        send(&world, "GET /key-value-stores/a", b"").await.status,
        404
    );
    let services = world.log().into_iter().map(|entry| entry.request.service);
    let last: Vec<_> = services.rev().take(2).collect();
    assert_eq!(last, [Service::S3, Service::KeyValueStore]);
}

#[tokio::test]
async fn a_store_has_limits() {
    let (world, _) = site().await;
    let store = create(&world, "site").await;
    let path = keys_of(&store);
    let unready = json(
        &world,
        &format!("PUT {path}/keys/a\nif-match: x"),
        r#"{"Value":""}"#,
    )
    .await;
    assert_eq!(unready.2, "ConflictException");
    let (_, _, mut etag) = json(&world, &format!("GET {path}"), "").await;
    let puts = |keys: Vec<String>, value: &str| {
        let put = |key: &String| serde_json::json!({ "Key": key, "Value": value });
        serde_json::json!({ "Puts": keys.iter().map(put).collect::<Vec<_>>() }).to_string()
    };
    let names = |count: usize| {
        (0..count)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    };
    let long = |length: usize| "x".repeat(length);
    for (body, expected) in [
        (puts(vec![long(513)], ""), "ValidationException"),
        (puts(vec![long(512)], &long(1025)), "ValidationException"),
        (puts(vec![String::new()], ""), "ValidationException"),
        (
            puts(vec!["a".into(), "a".into()], ""),
            "ValidationException",
        ),
        ("{".to_owned(), "ValidationException"),
        (puts(names(51), ""), "ServiceQuotaExceededException"),
        (puts(names(50), &long(1024)), ""),
        (puts(vec![long(512)], &long(1024)), ""),
    ] {
        let request = format!("POST {path}/keys\nif-match: {etag}");
        let (status, _, told) = json(&world, &request, &body).await;
        match expected {
            "" => etag = told,
            expected => assert_eq!(told, expected, "{status}"),
        }
    }
    assert_eq!(world.key_values("site").len(), 51);
}

#[tokio::test]
async fn a_function_is_associated_with_a_store_that_is_there() {
    let (world, _) = site().await;
    let store = create(&world, "site").await;
    let arn = store.text_at("ARN");
    let body = |arn: &str| {
        format!(
            "<CreateFunctionRequest><Name>f</Name><FunctionConfig><Comment/>\
             <KeyValueStoreAssociations><Quantity>1</Quantity><Items><KeyValueStoreAssociation>\
             <KeyValueStoreARN>{arn}</KeyValueStoreARN></KeyValueStoreAssociation></Items>\
             </KeyValueStoreAssociations><Runtime>cloudfront-js-2.0</Runtime></FunctionConfig>\
             <FunctionCode>eA==</FunctionCode></CreateFunctionRequest>"
        )
    };
    let create = "POST /2020-05-31/function";
    let unknown = send(&world, create, body("arn:other").as_bytes()).await;
    assert_eq!(unknown.status, 400, "{}", unknown.text());
    let made = send(&world, create, body(arn).as_bytes()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let describe = "GET /2020-05-31/function/f/describe?Stage=DEVELOPMENT";
    let described = send(&world, describe, b"").await;
    assert!(
        described
            .text()
            .contains(&format!("<KeyValueStoreARN>{arn}</KeyValueStoreARN>"))
    );
    let known = send(&world, &format!("GET {STORES}/site"), b"").await;
    let delete = format!(
        "DELETE {STORES}/site\nif-match: {}",
        known.header("etag").unwrap()
    );
    let used = send(&world, &delete, b"").await;
    assert!(
        used.text()
            .contains("<Code>CannotDeleteEntityWhileInUse</Code>")
    );
    let etag = made.header("etag").unwrap();
    let function = "DELETE /2020-05-31/function/f";
    assert_eq!(status(&world, function).await, 400);
    assert_eq!(
        status(&world, &format!("{function}\nif-match: {etag}")).await,
        204
    );
    assert_eq!(send(&world, describe, b"").await.status, 404);
    assert_eq!(status(&world, &delete).await, 204);
}
