//! `--json`: whatever a command comes to, every line is an object, the last is the summary, and an error comes before it.

use std::time::Duration;

use local_cloudfront::{Fault, Gate};

use crate::interrupts::signal;
use crate::support::{Ran, Site, Unstale, World};

/// Every command, with what it needs. `DIR` is the build's folder, `URL` an edge's. With the exit status of a site that is deployed
/// and an account that denies everything.
const COMMANDS: &[(&str, i32, i32)] = &[
    ("deploy DIR", 0, 1),
    ("plan DIR", 0, 1),
    ("plan DIR --check", 0, 1),
    ("plan DIR --markdown", 0, 1),
    ("plan DIR --html page.html", 0, 1),
    ("deploy DIR --report page.html", 0, 1),
    ("plan DIR --explain index.html", 0, 1),
    ("plan DIR --suspect-noise", 0, 1),
    ("verify DIR --url URL", 0, 1),
    ("verify DIR --url URL --changed", 0, 1),
    ("invalidate /a /b*", 0, 1),
    ("invalidations", 0, 1),
    ("invalidations --wait", 0, 1),
    ("distributions", 0, 1),
    ("history", 0, 1),
    ("state show", 0, 1),
    ("unlock", 0, 1),
    ("quota", 0, 1),
    ("rollback", 1, 1),
    ("policy", 0, 0),
    ("redirects", 0, 0),
    ("redirects --function", 0, 0),
];
/// Commands that reach no account.
const AT_HOME: [&str; 2] = ["preview DIR --port 0", "init"];

fn site() -> Site {
    Site::of(&[("index.html", "<p>1"), ("about.html", "<p>2")])
}

/// Ends with the summary and this exit status, after the error if there is one.
#[track_caller]
fn ends(ran: Ran, exit: i32) {
    let ran = ran.exits(exit);
    assert_eq!(ran.stderr, "", "{ran}");
    let summary = ran.summary();
    assert_eq!(summary["exit"], exit, "{ran}");
    assert!(!summary["outcome"].as_str().unwrap().is_empty(), "{ran}");
    let objects = ran.json();
    let summaries = objects.iter().filter(|object| object["type"] == "summary");
    assert_eq!(summaries.count(), 1, "{ran}");
    let errors = objects.iter().filter(|object| object["type"] == "error");
    let errors: Vec<_> = errors.collect();
    // 3 is a finding rather than an error.
    assert_eq!(errors.len(), usize::from(!matches!(exit, 0 | 3)), "{ran}");
    for error in errors {
        assert_eq!(error["exit"], exit, "{ran}");
        assert!(!error["message"].as_str().unwrap().is_empty(), "{ran}");
        assert!(error["causes"].is_array(), "{ran}");
    }
}

fn command(world: &World, site: &Site, words: &str, url: &str) -> Unstale {
    let words = words.replace("DIR", &site.dir().to_string_lossy());
    let words = words.replace("URL", url);
    world.unstale(&words).with("--json")
}

#[tokio::test]
async fn every_command_ends_with_the_summary() {
    let (world, site) = (World::new().await, site());
    let id = world.distributions()[0].id.clone();
    let url = world.serve_edge(&id, 0, 0).await.unwrap();
    let run = |words: &str| command(&world, &site, words, &url);
    ends(run("plan DIR --check").await, 3);
    ends(run("deploy DIR").await, 0);
    for (words, exit, _) in COMMANDS {
        println!("{words}");
        ends(run(words).await, *exit);
    }
    let again = run("deploy DIR").await;
    assert_eq!(again.summary()["outcome"], "nothing to do");
    site.write("index.html", "<p>new");
    ends(run("verify DIR --url URL").await, 5);
    let part = run("deploy DIR").await.succeeds().summary();
    assert_eq!(
        (&part["uploaded"], &part["outcome"]),
        (&1.into(), &"done".into())
    );

    world.set_rule(|_| Fault::Fail(403, "AccessDenied"));
    for (words, _, exit) in COMMANDS {
        println!("{words}, denied");
        let ran = run(words).await;
        let errors = ran.json();
        let errors: Vec<_> = errors
            .iter()
            .filter(|line| line["type"] == "error")
            .collect();
        for error in &errors {
            assert!(error["hint"].is_string(), "{ran}");
        }
        ends(ran, *exit);
    }
}

#[tokio::test]
async fn a_command_line_that_is_wrong_is_json_too() {
    let site = site();
    let folder = site.project();
    let commands = COMMANDS.iter().map(|(words, ..)| *words);
    for words in commands.chain(AT_HOME) {
        println!("{words}");
        let words = words
            .replace("DIR", "public")
            .replace("URL", "http://x.test");
        let run = || Unstale::new(&words).within(folder);
        let unknown = run().with("--json --no-such-flag").await;
        let error = unknown.told("error");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("'--no-such-flag'"), "{message}");
        assert!(!message.contains("error:"), "{message}");
        ends(unknown, 2);
        ends(
            run().with("--no-such-flag").env("UNSTALE_JSON", "1").await,
            2,
        );
        if words != "init" {
            ends(run().with("--json --env nowhere").await, 2);
        }
    }
    let typo = Unstale::new("deploy --json --buckt x").await;
    assert!(
        typo.told("error")["hint"]
            .as_str()
            .unwrap()
            .contains("--bucket")
    );
    ends(Unstale::new("--json").await, 2);
    ends(Unstale::new("invalidate --json").await, 2);
    Unstale::new("deploy --json --help")
        .await
        .succeeds()
        .says("Usage:");
    Unstale::new("deploy --buckt x")
        .await
        .exits(2)
        .says("hint:");
}

#[tokio::test]
async fn settings_that_are_wrong_ask_for_json_all_the_same() {
    let site = site();
    for settings in [
        "json = true\n",
        "json = true\nno-such-key = 1\n",
        "json = true\nbucket = \n",
    ] {
        std::fs::write(site.project().join("deploy.toml"), settings).unwrap();
        let run = |words: &str| Unstale::new(words).within(site.project());
        ends(run("deploy public --no-such-flag").await, 2);
        ends(run("deploy public").await, 2);
    }
    std::fs::write(site.project().join("deploy.toml"), "no-such-key = 1\n").unwrap();
    let ran = Unstale::new("plan").within(site.project()).await.exits(2);
    assert!(ran.stderr.starts_with("error: "), "{ran}");
    assert_eq!(ran.stdout, "");
}

#[tokio::test]
async fn at_home_it_ends_with_the_summary_too() {
    let site = site();
    ends(Unstale::new("init --json").within(site.project()).await, 0);
    ends(Unstale::new("init --json").within(site.project()).await, 2);
    let preview = Unstale::new("preview public --port 0 --json").within(site.project());
    let running = preview.start();
    let port = site.project().join(".unstale-local/port");
    while !port.exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Until it serves.
    tokio::time::sleep(Duration::from_secs(3)).await;
    signal("INT", running.child.id());
    let ran = running.ended().await;
    assert!(ran.told("serving")["url"].is_string());
    ends(ran, 0);
}

#[tokio::test]
async fn what_is_interrupted_ends_with_the_summary_too() {
    for signals in [1, 2] {
        let (world, site) = (World::new().await, site());
        let gate = Gate::new();
        let held = gate.clone();
        world.set_rule(move |request| match request.key.as_str() {
            "about.html" if request.operation == "PutObject" => Fault::HoldBefore(held.clone()),
            _ => Fault::None,
        });
        let run = command(&world, &site, "deploy DIR", "").start();
        gate.arrived().await;
        signal("INT", run.child.id());
        tokio::time::sleep(Duration::from_millis(300)).await;
        if signals == 2 {
            signal("INT", run.child.id());
            let ran = run.ended().await.exits(130);
            assert_eq!(ran.summary()["exit"], 130);
            assert_eq!(ran.summary()["outcome"], "interrupted");
            gate.open();
        } else {
            gate.open();
            ends(run.ended().await, 130);
        }
    }
}
