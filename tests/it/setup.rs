//! `unstale setup`: one stack for a site, whatever happens on the way.

use local_cloudfront::Fault;
use serde_json::Value;
use tempfile::TempDir;

use crate::local::local;
use crate::mishap::{Side, crash};
use crate::support::{Ran, Site, Unstale, World};

pub const STACK: &str = "unstale-new-site";

/// A project without settings, whose site is to be in a bucket of its own.
pub struct Project {
    pub folder: TempDir,
    pub world: World,
}

impl Project {
    pub async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let files = [
            ("404.html", "<p>none"),
            ("a/index.html", "<p>a"),
            ("index.html", "<p>1"),
        ];
        for (name, text) in files {
            let path = folder.path().join("public").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self {
            folder,
            world: World::new().await,
        }
    }

    pub fn run(&self, command: &str) -> Unstale {
        let endpoint = self.world.endpoint();
        Unstale::new(command)
            .with("--region us-east-1 --endpoint-url")
            .arg(endpoint)
            .within(&self.folder)
    }

    pub fn setup(&self, flags: &str) -> Unstale {
        self.run(&format!("setup public --bucket new-site {flags}"))
    }

    pub fn settings(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("deploy.toml")).unwrap_or_default()
    }

    /// There is one stack, it is well, and a further run has nothing to do.
    pub async fn assert_stands(&self, flags: &str) {
        self.setup(flags).await.succeeds().says("nothing to change");
        let stacks = self.world.stacks();
        let stands =
            |status: &&String| matches!(status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE");
        assert!(stands(&&stacks[STACK]), "{stacks:?}");
        let ours = self.world.distributions().into_iter();
        let ours = ours.filter(|distribution| distribution.comment == STACK);
        assert_eq!(ours.count(), 1);
    }

    /// Denies what has this name, and sees that a run says so.
    pub async fn denied(&self, operation: &'static str, flags: &str) -> Ran {
        self.world.set_rule(move |request| {
            if request.operation == operation {
                Fault::Fail(403, "AccessDenied")
            } else {
                Fault::None
            }
        });
        let ran = self.setup(flags).await;
        self.world.clear_rule();
        ran
    }
}

#[tokio::test]
async fn a_site_is_made_and_deployed_to() {
    let project = Project::new().await;
    let made = project.setup("--yes --json").await.succeeds();
    let proposal = made.told("change-set");
    let changes = proposal["changes"].as_array().unwrap();
    assert!(
        changes.iter().all(|change| change["action"] == "Add"),
        "{proposal}"
    );
    let names: Vec<&str> = changes
        .iter()
        .filter_map(|change| change["resource"].as_str())
        .collect();
    for name in [
        "Bucket",
        "BucketPolicy",
        "Distribution",
        "EdgeFunction",
        "OriginAccessControl",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    let id = made.summary()["outputs"]["DistributionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let settings = project.settings();
    for line in [
        "dir = \"public\"".to_owned(),
        "bucket = \"new-site\"".to_owned(),
        "region = \"us-east-1\"".to_owned(),
        format!("distribution = \"{id}\""),
        format!("redirect-function = \"{STACK}\""),
    ] {
        assert!(settings.contains(&line), "{settings}");
    }
    project.assert_stands("--yes").await;
    assert_eq!(project.settings(), settings, "nothing is written twice");

    project.run("deploy").await.succeeds();
    let edge = project.world.edge(&id, 0);
    for (url, status, body) in [
        ("/", 200, "<p>1"),
        ("/a/", 200, "<p>a"),
        ("/nothing", 404, "<p>none"),
        ("/.unstale/state", 404, "<p>none"),
    ] {
        let answer = edge.get(url).await;
        let got = String::from_utf8_lossy(&answer.body);
        assert_eq!((answer.status, got.as_ref()), (status, body), "{url}");
    }
    // What the deploy wrote into the function is no drift, and no reason to write it again.
    project
        .setup("--check")
        .await
        .succeeds()
        .says("as it was made");
    project.assert_stands("--yes").await;
}

#[tokio::test]
async fn nothing_is_made_that_nobody_agreed_to() {
    let project = Project::new().await;
    let refused = project.setup("").await.exits(2);
    refused
        .says("+ Bucket")
        .says("nothing was made of the stack unstale-new-site")
        .says("--yes");
    let stacks = project.world.stacks();
    assert!(
        stacks.values().all(|status| status == "DELETE_COMPLETE"),
        "{stacks:?}"
    );
    assert!(!project.folder.path().join("deploy.toml").exists());
    assert!(project.world.keys("new-site").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_request_and_run_again_there_is_one_of_each() {
    let mut tried = 0;
    'requests: for number in 1.. {
        for side in [Side::Before, Side::After] {
            let project = Project::new().await;
            if crash(&project.world, project.setup("--yes"), number, side)
                .await
                .is_none()
            {
                break 'requests;
            }
            project.setup("--yes").await.succeeds();
            project.assert_stands("--yes").await;
            tried += 1;
        }
    }
    assert!(tried > 10, "{tried}");
}

#[tokio::test]
async fn each_right_that_is_missing_is_named() {
    for operation in [
        "DescribeStacks",
        "CreateChangeSet",
        "DescribeChangeSet",
        "ExecuteChangeSet",
        "DescribeStackEvents",
    ] {
        let project = Project::new().await;
        let ran = project.denied(operation, "--yes").await.exits(1);
        ran.says(&format!("cloudformation:{operation}"))
            .says("`unstale policy --for setup --bucket new-site`");
        project.setup("--yes").await.succeeds();
        project.assert_stands("--yes").await;
    }
    // What the account has is looked up by courtesy.
    let project = Project::new().await;
    let ran = project
        .denied("ListResources", "--yes --domain www.example.com")
        .await;
    ran.says("--hosted-zone");
}

#[tokio::test]
async fn a_name_that_is_taken_is_said_with_the_way_out() {
    let project = Project::new().await;
    project
        .world
        .fail_resource("Bucket", Some("new-site already exists"));
    let failed = project.setup("--yes").await.exits(1);
    failed
        .says("Bucket: new-site already exists")
        .says("--bucket NAME");
    project.world.fail_resource("Bucket", None);
    project.setup("--yes").await.succeeds();
    project.assert_stands("--yes").await;
}

#[tokio::test]
async fn a_change_is_shown_by_its_resource_and_drift_by_its_property() {
    let project = Project::new().await;
    project.setup("--yes").await.succeeds();
    let flags = "--price-class all";
    let shown = project.setup(flags).await.exits(2);
    shown
        .says("~ Distribution")
        .says("DistributionConfig/PriceClass: PriceClass_100 -> PriceClass_All")
        .never_says("+ Bucket");
    project.setup(&format!("{flags} --yes")).await.succeeds();
    project.assert_stands(&format!("{flags} --yes")).await;
    let mut ours = project.world.distributions().into_iter();
    let mut ours = ours
        .find(|distribution| distribution.comment == STACK)
        .unwrap();
    ours.root = Some("home.html".to_owned());
    project.world.reconfigure(ours);
    let drifted = project.setup("--check").await.exits(3);
    drifted
        .says("DefaultRootObject")
        .says("home.html")
        .says("by hand");
    // CloudFormation writes all of a resource that it changes.
    let shown = project.setup("--price-class 200 --yes").await.exits(2);
    shown
        .says("Changed by hand, and taken back by this:")
        .says("DefaultRootObject: index.html became home.html")
        .says("--yes --remove");
    project
        .setup("--yes")
        .await
        .succeeds()
        .says("nothing to change");
    let back = project.setup("--price-class 200 --yes --remove").await;
    back.succeeds().says("taken back by this");
    project.setup("--check").await.succeeds();
    // What it becomes anyway is not; and what was said before holds on.
    let mut ours = project.world.distributions().into_iter();
    let ours = ours.find(|ours| ours.comment == STACK).unwrap().id;
    let page = "--error-page 404=/404.html@60 --yes";
    let flags = format!("setup --distribution {ours} {page}");
    project.run(&flags).await.succeeds();
    let same = project.setup(page).await.succeeds();
    same.never_says("taken back").says("--price-class=200");
}

#[tokio::test]
async fn the_distribution_of_a_stack_is_changed_by_its_id_with_a_warning() {
    let project = Project::new().await;
    project.setup("--yes").await.succeeds();
    let mut ours = project.world.distributions().into_iter();
    let ours = ours.find(|ours| ours.comment == STACK).unwrap().id;
    let flags = format!("setup --distribution {ours} --price-class all --yes");
    let changed = project.run(&flags).await.succeeds();
    changed.says(&format!("the stack {STACK} made {ours}"));
    for name in ["auto", "none"] {
        let flags = format!("setup --distribution {name} --price-class all --yes");
        let refused = project.run(&flags).await.exits(2);
        refused.says("one distribution is changed at a time");
    }
}

#[tokio::test]
async fn a_certificate_that_waits_says_for_what() {
    let project = Project::new().await;
    let flags = "--yes --domain www.example.com --hosted-zone none";
    let running = project.setup(flags).start();
    let run = tokio::spawn(running.ended());
    project
        .world
        .see(&run, || !project.world.certificates().is_empty())
        .await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    project.world.issue_certificates();
    let ran = run.await.unwrap().succeeds();
    ran.says(" CNAME ")
        .says("www.example.com. CNAME")
        .says("https://www.example.com");
}

#[tokio::test]
async fn a_role_may_do_what_policy_prints() {
    let project = Project::new().await;
    let flags = "--yes --json --github me/site";
    let made = project.setup(flags).await.succeeds();
    let summary = made.summary();
    let role = summary["outputs"]["DeployRoleArn"].as_str().unwrap();
    assert!(role.contains(":role/"), "{role}");
    let id = summary["outputs"]["DistributionId"].as_str().unwrap();
    let printed = project.run("policy").await.succeeds();
    let template = project
        .setup("--print --json --github me/site")
        .await
        .succeeds();
    let template = template.told("template");
    let text = template["template"]
        .as_str()
        .unwrap()
        .replace("${Distribution}", id);
    let policy: Value = serde_json::from_str(&printed.stdout).unwrap();
    for statement in policy["Statement"].as_array().unwrap() {
        let sid = statement["Sid"].as_str().unwrap();
        assert!(text.contains(&format!("Sid: {sid}")), "{sid}");
        for field in ["Action", "Resource"] {
            let texts = match &statement[field] {
                Value::Array(texts) => texts.clone(),
                text => vec![text.clone()],
            };
            for wanted in texts.iter().filter_map(Value::as_str) {
                assert!(text.contains(wanted), "{sid} {field} {wanted}: {text}");
            }
        }
    }
    let allowed = text.matches("- Action:").count();
    assert_eq!(allowed, policy["Statement"].as_array().unwrap().len());
}

#[tokio::test]
async fn a_newcomer_sets_up_without_an_account() {
    let (folder, site) = (
        TempDir::new().unwrap(),
        Site::of(&[("index.html", "<p>1"), ("404.html", "<p>none")]),
    );
    let made = local("setup --yes --json", &folder, &site)
        .within(&folder)
        .await
        .succeeds();
    assert!(made.summary()["outputs"]["DistributionId"].is_string());
    let deployed = local("deploy --json", &folder, &site)
        .within(&folder)
        .await
        .succeeds();
    assert_eq!(deployed.summary()["uploaded"], 2);
    let again = local("setup --yes", &folder, &site).within(&folder).await;
    again.succeeds().says("nothing to change");
}

#[tokio::test]
async fn what_a_stack_was_made_with_need_not_be_said_again() {
    let project = Project::new().await;
    let flags = "--domain www.example.com --github me/site --price-class all --yes";
    project.setup(flags).await.succeeds();
    project.assert_stands("--yes").await;
    // Nor does it go by the build, which some machine has not.
    std::fs::remove_file(project.folder.path().join("public/404.html")).unwrap();
    project.assert_stands("--yes").await;
    project
        .setup("--anew")
        .await
        .exits(2)
        .says("- Certificate")
        .says("- DeployRole");
}

#[tokio::test]
async fn what_cannot_be_planned_is_said_by_its_resource_and_leaves_nothing() {
    let project = Project::new().await;
    project
        .world
        .cloud_options(|options| options.validates_early = true);
    project.world.create_bucket("new-site").unwrap();
    let refused = project.setup("--yes").await.exits(1);
    refused.says("Bucket: ").says("--bucket NAME");
    let stacks = project.world.stacks();
    let is_gone = |status: &String| status == "DELETE_COMPLETE";
    assert!(stacks.values().all(is_gone), "{stacks:?}");
}

#[tokio::test]
async fn yes_alone_takes_nothing_away() {
    let project = Project::new().await;
    project.setup("--yes").await.succeeds();
    let moved = project.run(&format!(
        "setup public --bucket other-site --stack {STACK} --yes"
    ));
    moved
        .await
        .exits(2)
        .says("is that of s3://new-site/, not of s3://other-site/")
        .says("--anew");
    project.assert_stands("--yes").await;
}
