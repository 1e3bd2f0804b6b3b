//! Functions that are run by their source.

use super::*;

/// Has a function of this source see the requests of the default behavior.
fn associate(world: &World, site: &mut Distribution, code: &str) {
    world.set_function("f", Function::of(code.to_owned()));
    site.default.function = Some("f".to_owned());
    world.set_distribution(site.clone());
}

#[cfg(not(feature = "javascript"))]
#[tokio::test]
async fn without_an_engine_an_interpreter_is_asked() {
    use std::sync::Arc;

    let (_, mut site) = site().await;
    let interpreter = |code: &str, request: &FunctionRequest| {
        let mut changed = request.clone();
        match code {
            "headers" => {
                let names = request
                    .headers
                    .iter()
                    .map(|(name, value)| [name, "=", value].concat());
                changed.uri = format!("/{}/{}", request.host, names.collect::<String>());
                Some(FunctionOutcome::Request(changed))
            }
            "fails" => Some(FunctionOutcome::Failed("it does".to_owned())),
            _ => None,
        }
    };
    let world = world_with(Options {
        interpreter: Some(Arc::new(interpreter)),
        ..Options::default()
    })
    .await;
    associate(&world, &mut site, "headers");
    let edge = world.edge(&site.id, 0);
    edge.get("/a").await;
    edge.request("/a", &[("HOST", "www.example"), ("X-Seen", "yes")])
        .await;
    site.aliases = vec!["alias.example".to_owned()];
    world.set_distribution(site.clone());
    edge.get("/a").await;
    let url = world.serve_edge(&site.id, 0, 0).await.unwrap();
    try_send(&url, "GET /a\naccept: b", b"").await.unwrap();
    let kept = [
        "/alias.example/".to_owned(),
        format!("/{}/", site.domain),
        "/www.example/x-seen=yes".to_owned(),
        "/x/connection=closecontent-length=0accept=b".to_owned(),
    ];
    assert_eq!(edge.entries(), kept);
    associate(&world, &mut site, "fails");
    let failed = edge.get("/a").await;
    assert_eq!(
        (failed.status, failed.x_cache),
        (503, "FunctionExecutionError from cloudfront")
    );
    put(&world, "a", "passed", "").await;
    associate(&world, &mut site, "strange");
    assert_eq!(edge.get("/a").await.text(), "passed");
}
