//! What people read: after a deploy, at the next one, and in the history.

use std::time::Duration;

use local_cloudfront::Distribution;

use crate::interrupts::signal;
use crate::mishap::{Side, crash_at};
use crate::support::{BUCKET, Ran, Site, Terminal, Unstale, World};

/// Says what it does in English, not in JSON.
fn edited(site: &Site, text: &str) {
    site.write("index.html", format!("<p>{text}"));
}

fn site() -> Site {
    Site::of(&[("index.html", "<p>1"), ("about.html", "<p>about")])
}

#[tokio::test]
async fn a_deploy_says_where_the_site_is() {
    let (world, site) = (World::new().await, site());
    let url = "https://d8612fdztit0k7.cloudfront.net/";
    let ran = world.deploy(&site).await.succeeds();
    ran.says(&format!("  live at      {url}\n"));
    edited(&site, "2");
    let ran = world.deploy(&site).with("--json").await.succeeds();
    assert_eq!(ran.summary()["url"], url);
    // A folder that the distribution does not begin at is part of it.
    let ran = world.deploy(&site).with("--prefix docs").await.succeeds();
    ran.says(&format!("  live at      {url}docs/index.html\n"));
}

#[tokio::test]
async fn a_local_deploy_says_how_to_see_it() {
    let (home, site) = (tempfile::tempdir().unwrap(), site());
    let deploy = |words: &str| {
        let command = Unstale::new("deploy").arg(site.dir()).with(words);
        command.within(home.path())
    };
    let dir = site.dir().display().to_string();
    deploy("--local")
        .await
        .succeeds()
        .says(&format!("`unstale preview {dir}` shows it."));
    let ran = deploy("--local=other").await.succeeds();
    ran.says(&format!("`unstale preview {dir} --local=other` shows it."));
}

#[tokio::test]
async fn what_a_dead_deploy_owed_counts_as_purged() {
    let (world, site) = (World::new().await, site());
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    edited(&site, "2");
    let purges =
        |request: &local_cloudfront::RequestInfo| request.operation == "CreateInvalidation";
    let died = crash_at(&world, world.deploy(&site), 1, Side::Before, purges).await;
    died.expect("a purge");
    world.clock().advance(Duration::from_secs(100));
    let ran = world.deploy(&site).with("--json").await.succeeds();
    let summary = ran.summary();
    let sent = summary["invalidations"].as_array().unwrap();
    let paths: u64 = sent.iter().filter_map(|one| one["paths"].as_u64()).sum();
    assert_eq!(paths, 2, "{ran}");
    assert_eq!(summary["paths-purged"], 2, "{ran}");
}

#[tokio::test]
async fn each_distribution_says_what_it_cost() {
    let (world, site) = (World::new().await, site());
    world.set_distribution(Distribution {
        id: "ESECOND".to_owned(),
        ..Distribution::for_bucket(BUCKET)
    });
    let both = |command: Unstale| {
        let command = command.with("--distribution ESECOND --distribution");
        command.arg(&world.distribution)
    };
    let ran = both(world.deploy(&site)).await.succeeds();
    let purged: Vec<&str> = (ran.stdout.lines())
        .filter(|line| line.starts_with("  purged"))
        .collect();
    assert_eq!(purged.len(), 2, "{ran}");
    assert!(purged.iter().all(|line| line.ends_with(", free")), "{ran}");
}

/// Twelve pages that go, of fourteen.
async fn mostly_gone() -> (World, Site) {
    let (world, site) = (World::new().await, site());
    for number in 0..12 {
        site.write(&format!("post{number}.html"), "<p>");
    }
    world.deploy(&site).await.succeeds();
    for number in 0..12 {
        site.remove(&format!("post{number}.html"));
    }
    world.forget();
    (world, site)
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_a_guard_asks() {
    for (answer, exit, left) in [
        ("yes\n", 0, 2),
        ("no\n", 1, 14),
        ("\n", 1, 14),
        ("\u{4}", 1, 14),
    ] {
        let (world, site) = mostly_gone().await;
        let mut terminal = Terminal::new();
        let run = world.deploy(&site).at(&terminal).start();
        terminal.shows("Go on? yes or no (Enter: no):").await;
        assert_eq!(world.writes(), [""; 0], "nothing is changed before");
        terminal.types(answer);
        let ran = run.ended().await;
        let shown = terminal.ended();
        assert_eq!(ran.exit, Some(exit), "{shown}");
        assert!(
            shown.contains("this would delete 12 of 14 objects, more than half"),
            "{shown}"
        );
        assert_eq!(world.objects("").len(), left, "{answer:?}");
    }
}

#[tokio::test]
async fn elsewhere_nobody_is_asked() {
    let (world, site) = mostly_gone().await;
    let ran = world.deploy(&site).await.exits(1);
    ran.says("--max-delete 12").never_says("Go on?");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_question() {
    let (world, site) = mostly_gone().await;
    let terminal = Terminal::new();
    let run = world.deploy(&site).at(&terminal).start();
    terminal.shows("Go on?").await;
    signal("INT", run.child.id());
    let ran = run.ended().await;
    assert_eq!(ran.exit, Some(130), "{}", terminal.ended());
    assert_eq!(world.writes(), [""; 0]);
}

/// The lines of warnings on a terminal.
fn warnings(ran: &Ran) -> Vec<&str> {
    let lines = ran.stdout.lines();
    let lines = lines.skip_while(|line| !line.starts_with("warning: "));
    let is_part = |line: &&str| line.starts_with("warning: ") || line.starts_with("         ");
    lines.take_while(is_part).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_that_persists_is_one_line_from_the_second_time_on() {
    let (world, site) = (World::new().await, site());
    site.write("_headers", "/*\n  X-Frame-Options: DENY\n");
    let first = world.deploy(&site).on_terminal().await.succeeds();
    let whole = warnings(&first);
    assert!(whole.len() > 1, "{first}");
    edited(&site, "2");
    for command in [world.plan(&site), world.deploy(&site)] {
        let again = command.on_terminal().await.succeeds();
        let [short] = warnings(&again)[..] else {
            panic!("{again}");
        };
        let begun = short
            .strip_suffix(" ... (as before; -v tells all)")
            .unwrap();
        assert!(whole[0].starts_with(begun), "{again}");
    }
    edited(&site, "3");
    let verbose = world
        .deploy(&site)
        .with("-v")
        .on_terminal()
        .await
        .succeeds();
    assert_eq!(warnings(&verbose), whole);
    // One that is new is whole; without a terminal each is one line anyway.
    edited(&site, "4");
    site.write(
        "_headers",
        "/*\n  X-Frame-Options: SAMEORIGIN\n  X-Other: 1\n",
    );
    let changed = world.deploy(&site).on_terminal().await.succeeds();
    assert!(warnings(&changed).len() > 1, "{changed}");
    for words in ["", "--json"] {
        edited(&site, words);
        let piped = world.deploy(&site).with(words).await.succeeds();
        piped.says("X-Other").never_says("as before");
    }
}

#[tokio::test]
async fn history_tells_the_folder_the_commit_and_how_long_ago() {
    let (world, site) = (World::new().await, site());
    let repository = tempfile::tempdir().unwrap();
    let git = repository.path().join(".git/worktrees/here");
    std::fs::create_dir_all(&git).unwrap();
    std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    std::fs::write(git.join("commondir"), "../..\n").unwrap();
    let head = repository.path().join(".git/refs/heads");
    std::fs::create_dir_all(&head).unwrap();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    std::fs::write(head.join("main"), format!("{commit}\n")).unwrap();
    // As in a worktree: `.git` is a file that says where it lies.
    std::fs::write(
        site.project().join(".git"),
        format!("gitdir: {}\n", git.display()),
    )
    .unwrap();
    world
        .clock()
        .set(std::time::SystemTime::now() - Duration::from_secs(2 * 3600 + 60));
    world.deploy(&site).await.succeeds();
    let shown = world.unstale("history").env("TZ", "UTC-3").await.succeeds();
    shown
        .says("(2 hours ago)")
        .says(", commit 0123456789ab, by ");
    let folder = site.dir().display().to_string();
    let elsewhere = world.unstale("history").env("TZ", "UTC").await.succeeds();
    let elsewhere = elsewhere.says(&folder);
    let first = |ran: &str| ran.lines().next().unwrap_or_default().to_owned();
    let here = world.unstale("history").env("TZ", "UTC-3").await.succeeds();
    assert_ne!(
        first(&elsewhere.stdout),
        first(&here.stdout),
        "by the local clock"
    );
}
