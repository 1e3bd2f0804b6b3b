//! What `unstale setup` is told, what it writes into deploy.toml, and the templates that it prints.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::local::local;
use crate::support::{Site, Unstale, World};

/// A project without settings.
struct Folder {
    folder: TempDir,
    world: World,
}

impl Folder {
    async fn new() -> Self {
        let files = [
            ("404.html", "<p>none"),
            ("a/index.html", "<p>a"),
            ("index.html", "<p>1"),
        ];
        let folder = TempDir::new().unwrap();
        for (name, text) in files {
            let path = folder.path().join("public").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let world = World::new().await;
        Self { folder, world }
    }

    fn run(&self, command: &str) -> Unstale {
        Unstale::new(command)
            .with("--endpoint-url")
            .arg(self.world.endpoint())
            .within(&self.folder)
    }

    fn setup(&self, flags: &str) -> Unstale {
        self.run(&format!("setup --region us-east-1 --yes {flags}"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    fn settings(&self) -> String {
        fs::read_to_string(self.file("deploy.toml")).unwrap_or_default()
    }

    /// The distribution that a stack made.
    fn distribution(&self, stack: &str) -> String {
        let mut ours = self.world.distributions().into_iter();
        let ours = ours.find(|distribution| distribution.comment == stack);
        ours.unwrap().id
    }
}

#[tokio::test]
async fn a_template_is_printed_without_a_name_and_without_aws() {
    let folder = TempDir::new().unwrap();
    let printed = Unstale::new("setup --print").within(&folder).await;
    let printed = printed.succeeds();
    let bucket = "-${AWS::AccountId}\" }";
    let named = printed
        .stdout
        .lines()
        .find(|line| line.contains("BucketName: {"));
    assert!(named.unwrap().ends_with(bucket), "{printed}");
    assert!(!printed.stdout.contains("---"));
    let domain = Unstale::new("setup --domain www.example.com --print").within(&folder);
    let domain = domain.await.succeeds();
    assert!(
        domain
            .stdout
            .contains("\"www-example-com-${AWS::AccountId}\"")
    );
    assert!(domain.stdout.contains("  Certificate:\n"), "{domain}");
}

#[tokio::test]
async fn elsewhere_the_certificate_is_a_template_of_its_own() {
    let folder = TempDir::new().unwrap();
    let print = |flags: &str| {
        let flags = format!("setup --domain www.example.com {flags}");
        Unstale::new(&flags).within(&folder)
    };
    for regional in [
        print("--print").env("AWS_REGION", "eu-central-1"),
        print("--print --region eu-central-1"),
    ] {
        let site = regional.await.succeeds().stdout;
        assert!(site.contains("Ref: CertificateArn"), "{site}");
        assert_eq!(site.matches("AWSTemplateFormatVersion").count(), 1);
    }
    let certificate = print("--print=certificate --region eu-central-1");
    let certificate = certificate.await.succeeds().stdout;
    assert!(certificate.contains("AWS::CertificateManager::Certificate"));
    assert_eq!(certificate.matches("AWSTemplateFormatVersion").count(), 1);
    let none = print("--print=certificate --region us-east-1");
    none.await.exits(2).says("no such stack");
}

#[tokio::test]
async fn what_aws_would_refuse_is_refused_before_by_its_flag() {
    let folder = TempDir::new().unwrap();
    for (flags, said) in [
        ("--bucket My_Site", "`My_Site`"),
        ("--bucket 192.168.1.1", "`192.168.1.1`"),
        ("--bucket a--ol-s3", "`--ol-s3`"),
        ("--domain https://www.example.com", "--domain"),
        ("--domain 1.2.3.4", "--domain"),
        (
            "--domain www.example.com --hosted-zone None",
            "--hosted-zone",
        ),
        (
            "--github me/x --github-provider garbage",
            "--github-provider",
        ),
        ("--github ./.", "--github"),
        ("--error-page 404=/x:999", "999"),
        (
            "--error-page 404=/x --error-page 404=/y",
            "--error-page: 404",
        ),
        ("--stack a.b", "--stack"),
    ] {
        let printed = Unstale::new(&format!("setup --print {flags}")).within(&folder);
        let refused = printed.await.exits(2);
        assert!(refused.stdout.is_empty());
        refused.says(said);
    }
    let printed = Unstale::new("setup --print --domain WWW.Example.com").within(&folder);
    let printed = printed.await.succeeds();
    assert!(!printed.stdout.contains("WWW"), "{printed}");
}

#[tokio::test]
async fn an_app_is_shown_by_its_function_and_nothing_is_said_against_it() {
    let project = Folder::new().await;
    fs::remove_dir_all(project.file("public/a")).unwrap();
    project.setup("--bucket new-site --spa").await.succeeds();
    let settings = project.settings();
    assert!(settings.contains("spa = true\n"), "{settings}");
    let id = project.distribution("unstale-new-site");
    let shows = async |url: &str, status: u16, body: &str| {
        let answer = project.world.edge(&id, 0).get(url).await;
        let got = String::from_utf8_lossy(&answer.body);
        assert_eq!((answer.status, got.as_ref()), (status, body), "{url}");
    };
    let deployed = project.run("deploy").await.succeeds();
    deployed
        .never_says("warning")
        .never_says("custom error response");
    shows("/", 200, "<p>1").await;
    shows("/deep/link", 200, "<p>1").await;
    shows("/gone.js", 404, "<p>none").await;
    // Nor is it to be said again.
    let again = project.setup("").await.succeeds();
    again.says("nothing to change");
    shows("/deep/link", 200, "<p>1").await;
}

#[tokio::test]
async fn what_deploys_wrote_into_the_function_outlives_further_runs() {
    let project = Folder::new().await;
    project.setup("--bucket new-site").await.succeeds();
    project.write("public/_redirects", "/old /a/ 301\n");
    project.run("deploy").await.succeeds();
    let id = project.distribution("unstale-new-site");
    let leads = async || {
        let answer = project.world.edge(&id, 1).get("/old").await;
        assert_eq!(answer.status, 301);
    };
    leads().await;
    let settings = project.settings();
    for (more, flags) in [
        ("index = \"none\"\n", "--price-class all"),
        ("strip-extension = [\".html\"]\n", "--price-class 200"),
        ("spa = true\n", "--price-class all"),
    ] {
        project.write("deploy.toml", &format!("{more}{settings}"));
        let changed = project.setup(flags).await.succeeds();
        changed.says("~ Distribution").never_says("EdgeFunction");
        leads().await;
    }
}

#[tokio::test]
async fn the_stack_of_one_site_is_not_turned_over_to_another() {
    let project = Folder::new().await;
    project.write(
        "deploy.toml",
        "bucket = \"new-site\"\n\n[env.staging]\nprefix = \"staging\"\n",
    );
    project.setup("public").await.succeeds();
    let other = project.setup("public --env staging").await.exits(2);
    other
        .says("is that of s3://new-site/, not of s3://new-site/staging")
        .says("a bucket of its own");
    project
        .setup("public")
        .await
        .succeeds()
        .says("nothing to change");
}

#[tokio::test]
async fn what_deploys_associated_outlives_a_change_of_the_distribution() {
    let project = Folder::new().await;
    project.setup("--bucket new-site").await.succeeds();
    let settings = project.settings();
    let more = "headers-policy = \"later\"\nredirect-function = \"renamed\"\n";
    let others = settings
        .lines()
        .filter(|line| !line.starts_with("redirect-function"));
    let others: Vec<&str> = others.collect();
    project.write("deploy.toml", &format!("{more}{}\n", others.join("\n")));
    project.write("public/_redirects", "/old /a/ 301\n");
    let headers = "/*\n  X-Frame-Options: DENY\n/a/*\n  X-Robots-Tag: noindex\n";
    project.write("public/_headers", headers);
    project.run("deploy").await.succeeds();
    let id = project.distribution("unstale-new-site");
    let stands = async || {
        let edge = project.world.edge(&id, 1);
        assert_eq!(edge.get("/old").await.status, 301);
        let page = edge.get("/a/index.html").await;
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        assert_eq!(page.header("x-robots-tag"), Some("noindex"));
    };
    stands().await;
    // Nothing is asked for: nothing changes, whatever deploys associated.
    project.setup("").await.succeeds().says("nothing to change");
    for flags in ["--price-class all", "--price-class 200"] {
        project.setup(flags).await.succeeds().says("~ Distribution");
        stands().await;
        project.setup("").await.succeeds().says("nothing to change");
    }
    project.run("deploy").await.succeeds().says("Nothing to do");
}

#[tokio::test]
async fn the_name_of_a_stack_is_kept_in_the_settings() {
    let project = Folder::new().await;
    let flags = "--bucket new-site --stack mine";
    project.setup(flags).await.succeeds();
    assert!(project.settings().contains("stack = \"mine\"\n"));
    let check = project.run("setup --region us-east-1 --check");
    check.await.succeeds().says("Stack mine is as it was made");
    project.setup("").await.succeeds().says("nothing to change");
    let policy = project.run("policy --for setup").await.succeeds();
    policy.says("stack/mine/*");
    let missing = project.run("setup --region us-east-1 --check --stack other");
    missing.await.exits(1).says("there is no stack other");
}

#[tokio::test]
async fn a_part_of_the_settings_is_written_where_it_stands() {
    let project = Folder::new().await;
    let text = "# Mine.\n[env.live] # the site\nbucket = \"new-site\"\n\n# For trying.\n[env.test]\nbucket = \"other-site\"\n";
    project.write("deploy.toml", text);
    project.setup("public --env live").await.succeeds();
    let settings = project.settings();
    let id = project.distribution("unstale-new-site");
    let live = format!(
        "bucket = \"new-site\"\ndir = \"public\"\nregion = \"us-east-1\"\ndistribution = \"{id}\"\n"
    );
    let begins = format!("# Mine.\n[env.live] # the site\n{live}");
    assert!(settings.starts_with(&begins), "{settings}");
    assert!(
        settings.ends_with(text.rsplit_once("\n\n").unwrap().1),
        "{settings}"
    );
    project.run("deploy --env live").await.succeeds();
}

#[tokio::test]
async fn a_part_with_a_bucket_of_its_own_has_a_function_of_its_own() {
    let project = Folder::new().await;
    project.setup("--bucket new-site").await.succeeds();
    let mut text = project.settings();
    assert!(text.contains("redirect-function = \"unstale-new-site\"\n"));
    text.push_str("\n[env.staging]\nbucket = \"staging-site\"\n");
    project.write("deploy.toml", &text);
    let made = project.setup("--env staging").await.succeeds();
    made.says("`unstale deploy --env staging --endpoint-url ");
    let settings = project.settings();
    assert!(
        settings.contains("redirect-function = \"unstale-staging-site\"\n"),
        "{settings}"
    );
    project.run("deploy --env staging").await.succeeds();
    project.run("deploy").await.succeeds();
    let again = project.setup("--env staging").await.succeeds();
    again.says("nothing to change");
    // So has a site whose bucket a flag names, in a part or without one.
    project.write("deploy.toml", &(text + "\n[env.other]\nretain = \"0s\"\n"));
    let other = project.setup("--env other --bucket other-site");
    other.await.succeeds();
    let settings = project.settings();
    assert!(
        settings.contains("redirect-function = \"unstale-other-site\"\n"),
        "{settings}"
    );
    let third = project.setup("--bucket third-site").await.succeeds();
    third.says("once deploy.toml says so, `unstale deploy");
}

#[tokio::test]
async fn the_stacks_own_headers_policy_is_referred_to_as_such() {
    let project = Folder::new().await;
    project.write("deploy.toml", "security = \"strict\"\n");
    project.setup("--bucket new-site").await.succeeds();
    project.run("deploy").await.succeeds();
    project.setup("--price-class all").await.succeeds();
    let template = project.world.stack_template("unstale-new-site");
    assert!(template.contains("Ref: HeadersPolicy"), "{template}");
    assert!(
        !template.contains("ResponseHeadersPolicyId: "),
        "{template}"
    );
}

#[tokio::test]
async fn what_an_earlier_run_was_told_can_be_told_more_of() {
    let project = Folder::new().await;
    let refused = project.setup("--hosted-zone none --bucket new-site");
    refused.await.exits(2).says("--hosted-zone needs --domain");
    let flags = "--bucket new-site --domain www.example.com";
    project.setup(flags).await.succeeds();
    project.setup("--hosted-zone none").await.succeeds();
}

#[tokio::test]
async fn the_settings_of_another_site_are_left_alone() {
    let project = Folder::new().await;
    let text = "bucket = \"old-site\"\n";
    project.write("deploy.toml", text);
    let made = project.setup("--bucket new-site").await.succeeds();
    made.says("names another bucket")
        .says("bucket = \"new-site\"");
    assert_eq!(project.settings(), text);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_the_settings_stays_one() {
    let project = Folder::new().await;
    fs::create_dir(project.file("settings")).unwrap();
    project.write(
        "settings/site.toml",
        "# mine\r\nwait = false\r\n[purge]\r\n",
    );
    std::os::unix::fs::symlink("settings/site.toml", project.file("deploy.toml")).unwrap();
    project.setup("public --bucket new-site").await.succeeds();
    let file = project.file("deploy.toml");
    assert!(fs::symlink_metadata(file).unwrap().is_symlink());
    let settings = project.settings();
    let begins = "# mine\r\nwait = false\r\ndir = \"public\"\r\nbucket = \"new-site\"\r\n";
    assert!(settings.starts_with(begins), "{settings:?}");
    assert!(settings.ends_with("\r\n\r\n[purge]\r\n"), "{settings:?}");
}

#[tokio::test]
async fn where_nothing_can_be_written_the_lines_are_told() {
    let project = Folder::new().await;
    // No table can be begun that is written in a line.
    project.write(
        "deploy.toml",
        "env = { live = { bucket = \"new-site\" } }\n",
    );
    let failed = project.setup("public --env live").await.exits(2);
    failed
        .says("has no place for")
        .says("[env.live]\n")
        .says("DistributionId");
}

#[tokio::test]
async fn an_app_that_is_tried_without_an_account_is_shown() {
    let (folder, site) = (TempDir::new().unwrap(), Site::of(&[("index.html", "<p>1")]));
    let run = |command: &str| local(command, &folder, &site).within(&folder);
    run("setup --yes --spa").await.succeeds();
    let settings = fs::read_to_string(folder.path().join("deploy.toml")).unwrap();
    assert!(settings.contains("spa = true"), "{settings}");
    run("deploy").await.succeeds().never_says("warning");
}

#[tokio::test]
async fn what_a_deploy_needs_of_the_flags_is_written_down() {
    let project = Folder::new().await;
    let flags = "--bucket s3://new-site/docs --state s3://new-site/st";
    project.setup(flags).await.succeeds();
    let settings = project.settings();
    for line in ["prefix = \"docs\"\n", "state = \"s3://new-site/st\"\n"] {
        assert!(settings.contains(line), "{settings}");
    }
    project.run("deploy").await.succeeds();
    let id = project.distribution("unstale-new-site");
    let edge = project.world.edge(&id, 0);
    assert_eq!(edge.get("/").await.status, 200);
    assert_ne!(edge.get("/.unstale/state").await.status, 200);
    project.setup("").await.succeeds().says("nothing to change");
    assert_eq!(project.settings(), settings);
}

#[tokio::test]
async fn the_parts_of_other_buckets_find_their_own_distributions() {
    let project = Folder::new().await;
    let part = "[env.live]\nbucket = \"live-site\"\n";
    project.write("deploy.toml", part);
    project.setup("--env live").await.succeeds();
    // One whose distribution is found by its bucket.
    project.write("deploy.toml", &format!("dir = \"public\"\n\n{part}"));
    let made = project.setup("--bucket new-site").await.succeeds();
    made.says("distribution = \"auto\" in [env.live]");
    project.write("public/index.html", "<p>2");
    let live = project.distribution("unstale-live-site");
    let deployed = project.run("deploy --env live").await.succeeds();
    deployed.says(&live);
}

#[tokio::test]
async fn parts_without_a_bucket_have_one_each() {
    let project = Folder::new().await;
    project.write("deploy.toml", "[env.live]\n\n[env.test]\n");
    for part in ["live", "test"] {
        let made = project.setup(&format!("--env {part}")).await.succeeds();
        made.says(&format!("-{part}-"));
    }
    let missing = Folder::new().await;
    missing.write("deploy.toml", "dir = \"public\"\n");
    let refused = missing.setup("--env live").await.exits(2);
    refused.says("a line [env.live]");
}

#[tokio::test]
async fn the_next_command_is_one_that_works() {
    let project = Folder::new().await;
    project.write("deploy.toml", "bucket = \"old-site\"\n");
    let made = project.setup("--bucket new-site").await.succeeds();
    made.says("once deploy.toml says so, `unstale deploy ");
    let project = Folder::new().await;
    let text = "bucket = \"${STAGE}\"\n";
    project.write("deploy.toml", text);
    let made = project.setup("public").env("STAGE", "new-site").await;
    made.succeeds()
        .says("`unstale deploy --endpoint-url ")
        .never_says("another bucket");
    assert!(project.settings().contains("region = "));
}

#[tokio::test]
async fn what_no_site_can_be_made_from_is_refused_before() {
    let project = Folder::new().await;
    for (flags, said) in [
        ("nodir --bucket new-site", "there is no folder nodir"),
        ("public/index.html --bucket new-site", "there is no folder"),
        (
            "--bucket new-site --expected-bucket-owner 999999999999",
            "`expected-bucket-owner` is 999999999999",
        ),
        (
            "--bucket new-site --prefix a${x}b",
            "no path that an origin",
        ),
    ] {
        project.setup(flags).await.exits(2).says(said);
    }
    assert!(project.world.stacks().is_empty());
    fs::remove_dir_all(project.file("public")).unwrap();
    let made = project.setup("--bucket new-site").await.succeeds();
    made.says("there is no build here");
}

#[tokio::test]
async fn a_role_may_write_the_function_that_deploys_write() {
    let project = Folder::new().await;
    project.write("deploy.toml", "redirect-function = \"my-{id}\"\n");
    let printed = project.run("setup --print --bucket new-site --github me/site");
    let printed = printed.await.succeeds();
    printed.says("function/my-${Distribution}");
}
