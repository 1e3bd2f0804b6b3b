//! `preview` shows its edges, and with `--watch` deploys what changes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::local::{get, local};
use crate::support::{Site, Started, Unstale};

const PATIENCE: Duration = Duration::from_secs(30);

/// A preview that runs, and the objects that it prints.
struct Preview {
    process: Started,
    objects: Receiver<Value>,
    url: String,
}

impl Preview {
    fn of(command: Unstale) -> Self {
        let mut preview = Self::begun(command);
        let serving = preview.told("serving");
        serving["url"]
            .as_str()
            .unwrap()
            .clone_into(&mut preview.url);
        let panel = format!("{}.unstale/", preview.url);
        assert_eq!(serving["edges"], panel);
        preview
    }

    /// Before it serves.
    fn begun(command: Unstale) -> Self {
        let mut process = command.start();
        let stdout = process.child.stdout.take().unwrap();
        let (sender, objects) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self {
            process,
            objects,
            url: String::new(),
        }
    }

    /// The next object of this type.
    #[track_caller]
    fn told(&self, kind: &str) -> Value {
        loop {
            let object = self.objects.recv_timeout(PATIENCE).expect(kind);
            if object["type"] == kind {
                return object;
            }
        }
    }

    /// All that it prints within this time.
    fn quiet_for(&self, time: Duration) -> Vec<Value> {
        std::thread::sleep(time);
        self.objects.try_iter().collect()
    }

    fn get(&self, path: &str) -> (String, String) {
        get(&self.url, path)
    }

    /// The root's page as far as the script that is added.
    fn page(&self) -> String {
        let (_, body) = self.get("/");
        let (page, _) = body.split_once("<script src=").unwrap();
        page.to_owned()
    }

    /// Ends by Ctrl-C, and returns the last object.
    fn interrupted(mut self) -> Value {
        let began = Instant::now();
        let id = self.process.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.unwrap().success());
        assert!(self.process.child.wait().unwrap().success());
        assert!(began.elapsed() < PATIENCE);
        self.objects.iter().last().unwrap()
    }
}

impl Drop for Preview {
    fn drop(&mut self) {
        let _ = self.process.child.kill();
        let _ = self.process.child.wait();
    }
}

fn preview(flags: &str, folder: &TempDir, site: &Site) -> Preview {
    Preview::of(local(
        &format!("preview --port 0 --json {flags}"),
        folder,
        site,
    ))
}

#[test]
fn what_changes_is_deployed_and_pages_are_loaded_again() {
    let folder = TempDir::new().unwrap();
    let site = Site::of(&[("index.html", "<p>one</body>"), ("a.html", "<p>a")]);
    let preview = preview("--watch", &folder, &site);
    let page = |text: &str| {
        let (_, body) = preview.get("/");
        let (before, after) = body.split_once("<script src=\"//").unwrap();
        let (url, after) = after.split_once("\"></script>").unwrap();
        assert_eq!((before, after), (text, ""), "{body}");
        let (url, number) = url.split_once('?').unwrap();
        assert!(url.ends_with("/.unstale/reload.js"), "{url}");
        number.to_owned()
    };
    let first = page("<p>one</body>");
    // What is missing may come.
    let (head, body) = preview.get("/nowhere");
    assert!(
        head.starts_with("http/1.1 404") && head.contains("content-type: text/html"),
        "{head}"
    );
    assert!(
        body.contains("NoSuchKey") && body.contains("<script"),
        "{body}"
    );

    site.write("index.html", "<p>two</body>");
    site.write("new.html", "<p>new");
    let deployed = preview.told("redeployed");
    assert_eq!(deployed["uploaded"], 2, "{deployed}");
    assert_eq!(deployed["outcome"], "done");
    assert!(deployed["paths-purged"].as_u64() > Some(0), "{deployed}");
    assert_ne!(page("<p>two</body>"), first);

    // The same content with another time is no change; what says how it is served is one.
    site.write("index.html", "<p>two</body>");
    let told = preview.quiet_for(Duration::from_millis(1500));
    assert!(told.is_empty(), "{told:?}");
    site.write("_headers", "/a.html\n  Cache-Control: max-age=7\n");
    assert_eq!(preview.told("redeployed")["copied"], 1);
    assert!(
        preview
            .get("/a.html")
            .0
            .contains("\r\ncache-control: max-age=7\r\n")
    );
    let last = preview.interrupted();
    assert_eq!(
        (&last["type"], &last["copied"]),
        (&"summary".into(), &1.into())
    );
    assert_eq!(last["exit"], 0);
}

#[test]
fn a_build_that_is_being_written_is_waited_for() {
    let folder = TempDir::new().unwrap();
    let site = Site::of(&[("index.html", "<p>one")]);
    let preview = preview("--watch", &folder, &site);
    for number in 0..20 {
        site.write("index.html", format!("<p>{number}"));
        std::thread::sleep(Duration::from_millis(100));
    }
    // A machine that stalls the writer may make it look quiet.
    let mut deploys = 0;
    while preview.page() != "<p>19" {
        preview.told("redeployed");
        deploys += 1;
    }
    assert!((1..=3).contains(&deploys), "{deploys}");
    let told = preview.quiet_for(Duration::from_secs(1));
    assert!(told.is_empty(), "{told:?}");

    // Gone, empty, and back.
    fs::remove_dir_all(site.dir()).unwrap();
    let waiting = preview.told("waiting");
    assert!(
        waiting["why"].as_str().unwrap().contains("no folder"),
        "{waiting}"
    );
    fs::create_dir(site.dir()).unwrap();
    let waiting = preview.told("waiting");
    assert!(
        waiting["why"].as_str().unwrap().ends_with("is empty"),
        "{waiting}"
    );
    assert_eq!(preview.page(), "<p>19");
    site.write("index.html", "<p>back");
    preview.told("redeployed");
    assert_eq!(preview.page(), "<p>back");
}

#[test]
fn a_deploy_that_fails_is_told_and_the_next_change_tried() {
    let folder = TempDir::new().unwrap();
    let site = Site::of(&[("index.html", "<p>one")]);
    let preview = preview("--watch", &folder, &site);
    site.write("_headers", "  Cache-Control: none\n");
    let error = preview.told("error");
    assert!(
        error["message"].as_str().unwrap().contains("_headers"),
        "{error}"
    );
    let told = preview.quiet_for(Duration::from_millis(1200));
    assert!(told.is_empty(), "{told:?}");
    site.remove("_headers");
    site.write("index.html", "<p>two");
    assert_eq!(preview.told("redeployed")["uploaded"], 1);
}

#[test]
fn edges_are_shown_beside_the_site_and_never_as_a_part_of_it() {
    let folder = TempDir::new().unwrap();
    let site = Site::of(&[("index.html", "<p>one</body>")]);
    let preview = preview("", &folder, &site);
    assert_eq!(
        preview.get("/").1,
        "<p>one</body>",
        "no script without --watch"
    );
    let (head, body) = preview.get("/.unstale/");
    assert!(
        head.starts_with("http/1.1 200") && body.contains("<h1>Edges</h1>"),
        "{head}"
    );
    // The deploy's own object lies there in the bucket.
    assert!(preview.get("/.unstale/state").0.starts_with("http/1.1 404"));
    site.write(".unstale/index.html", "<p>mine");
    let refused = std::process::Command::new(env!("CARGO_BIN_EXE_unstale"))
        .args(["plan", "--local"])
        .arg(site.dir())
        .current_dir(folder.path())
        .output();
    let refused = String::from_utf8(refused.unwrap().stderr).unwrap();
    assert!(
        refused.contains("that name is kept for unstale's own state"),
        "{refused}"
    );

    // Ctrl-C ends it though somebody watches.
    let address = preview
        .url
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    let request = "GET /.unstale/events HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut piece = [0; 4096];
    let length = stream.read(&mut piece).unwrap();
    let text = String::from_utf8_lossy(&piece[..length]).into_owned();
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    assert_eq!(preview.interrupted()["type"], "summary");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
}

#[test]
fn a_build_is_watched_for_the_process_that_serves_it() {
    let folder = TempDir::new().unwrap();
    let site = Site::of(&[("index.html", "<p>one")]);
    let serving = preview("", &folder, &site);
    let watching = Preview::begun(local("preview --json --watch", &folder, &site));
    let elsewhere = watching.told("served-elsewhere");
    assert_eq!(
        format!("{}/", elsewhere["url"].as_str().unwrap()),
        serving.url
    );
    site.write("index.html", "<p>two");
    watching.told("redeployed");
    assert_eq!(serving.get("/").1, "<p>two");
    assert_eq!(watching.interrupted()["uploaded"], 1);

    let watching = Preview::begun(local("preview --json --watch", &folder, &site));
    watching.told("served-elsewhere");
    serving.interrupted();
    let error = watching.told("error");
    assert_eq!(
        error["message"],
        "the process that served this site has ended"
    );
    assert_eq!(watching.told("summary")["exit"], 1);
}

#[tokio::test]
async fn pages_are_loaded_again_whoever_was_quicker_to_deploy() {
    let folder = TempDir::new().unwrap();
    let site = Site::of(&[("index.html", "<p>one")]);
    let preview = preview("--watch", &folder, &site);
    let first = preview.get("/").1;
    site.write("index.html", "<p>two");
    local("deploy", &folder, &site).await.succeeds();
    let began = Instant::now();
    let is_loaded_again = |page: &str| {
        let number = |page: &str| page.split_once("reload.js?").unwrap().1.to_owned();
        page.starts_with("<p>two") && number(page) != number(&first)
    };
    while !is_loaded_again(&preview.get("/").1) {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn compressed_pages_are_loaded_again_too() {
    let folder = TempDir::new().unwrap();
    let text = "<p>again and again</p>".repeat(100);
    let site = Site::of(&[("index.html", &text)]);
    let command = local("preview --port 0 --json --watch", &folder, &site);
    let preview = Preview::of(command.env("UNSTALE_COMPRESS", "br"));
    let (head, body) = preview.get("/");
    assert!(!head.contains("content-encoding"), "{head}");
    assert!(body.starts_with(&format!("{text}<script src=")), "{head}");
}
