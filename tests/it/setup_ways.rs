//! `unstale setup` where something stands in its way: what a failed try left, a bucket that is there, somebody who says no.

use std::time::Duration;

use local_cloudfront::{
    BucketOptions, CloudOptions, Distribution, Fault, Headers, RequestInfo, Versioning,
};

use tokio::task::JoinHandle;

use super::interrupts::signal;
use super::setup::{Project, STACK};
use crate::mishap::{Side, crash, crash_at};
use crate::support::{Ran, Started, Terminal, Unstale};

impl Project {
    /// A first try that failed with its distribution.
    async fn failed() -> Self {
        let project = Self::new().await;
        project
            .world
            .fail_resource("Distribution", Some("not today"));
        let failed = project.setup("--yes").await.exits(1);
        failed.says("Distribution: not today");
        project.world.fail_resource("Distribution", None);
        assert_eq!(project.world.stacks()[STACK], "ROLLBACK_COMPLETE");
        project
    }

    /// A bucket of the site's name, with an object.
    async fn with_bucket() -> Self {
        let project = Self::new().await;
        project.world.create_bucket("new-site").unwrap();
        project.put("kept.html").await;
        project
    }

    async fn put(&self, key: &str) {
        let headers = Headers::default();
        let put = self.world.put_object("new-site", key, "kept", headers);
        put.await.unwrap();
    }

    /// A run whose certificate waits for its record, and the id of its process.
    async fn waiting(&self, flags: &str) -> (u32, JoinHandle<Ran>) {
        let wait = |options: &mut CloudOptions| options.certificates_wait = true;
        self.world.cloud_options(wait);
        let run = self.setup(flags).start();
        let process = run.child.id();
        let run = tokio::spawn(run.ended());
        let waits = || !self.world.certificates().is_empty();
        self.world.see(&run, waits).await;
        (process, run)
    }

    fn at(&self, terminal: &Terminal, flags: &str) -> Started {
        self.setup(flags).at(terminal).start()
    }

    fn assert_nothing_is_left(&self) {
        let stacks = self.world.stacks();
        let is_gone = |status: &String| status == "DELETE_COMPLETE";
        assert!(stacks.values().all(is_gone), "{stacks:?}");
    }
}

fn answered(
    mut terminal: Terminal,
    run: Started,
    answers: &str,
) -> impl Future<Output = (Ran, String)> {
    terminal.types(answers);
    async move { (run.ended().await, terminal.ended()) }
}

#[tokio::test]
async fn a_failed_first_try_is_removed_with_consent_alone() {
    let project = Project::failed().await;
    let refused = project.setup("").await.exits(2);
    refused
        .says("left from a failed first try (ROLLBACK_COMPLETE")
        .says("nobody agreed");
    assert_eq!(project.world.stacks()[STACK], "ROLLBACK_COMPLETE");
    let terminal = Terminal::new();
    let run = project.at(&terminal, "");
    let (ran, shown) = answered(terminal, run, "no\n").await;
    ran.exits(2);
    assert_eq!(shown.matches("Go on?").count(), 1, "{shown}");
    assert_eq!(project.world.stacks()[STACK], "ROLLBACK_COMPLETE");
    let terminal = Terminal::new();
    let run = project.at(&terminal, "");
    let (ran, shown) = answered(terminal, run, "yes\nyes\n").await;
    ran.succeeds();
    assert_eq!(shown.matches("Go on?").count(), 2, "{shown}");
    project.assert_stands("--yes").await;
    let project = Project::failed().await;
    project.setup("--yes").await.succeeds();
    project.assert_stands("--yes").await;
}

#[tokio::test]
async fn a_failed_first_try_is_not_well_and_its_flags_are_forgotten() {
    let project = Project::new().await;
    project
        .world
        .fail_resource("Distribution", Some("not today"));
    project.setup("--price-class all --yes").await.exits(1);
    project.world.fail_resource("Distribution", None);
    let check = project.setup("--check").await.exits(1);
    check.says("ROLLBACK_COMPLETE").says("makes it anew");
    let made = project.setup("--yes").await.succeeds();
    made.never_says("price-class");
    let mut ours = project.world.distributions().into_iter();
    let ours = ours.find(|ours| ours.comment == STACK).unwrap();
    assert_eq!(ours.price_class, "PriceClass_100");
    // One that stands has them.
    project.setup("--price-class all --yes").await.succeeds();
    let again = project.setup("--yes").await.succeeds();
    again
        .says("As it was made: ")
        .says("--price-class=all")
        .says("(--anew forgets that)");
}

#[tokio::test]
async fn what_was_removed_in_part_is_removed_with_more_than_yes() {
    let project = Project::new().await;
    project.setup("--yes").await.succeeds();
    let mut ours = project.world.distributions().into_iter();
    let ours = ours.find(|ours| ours.comment == STACK).unwrap();
    // Another distribution runs the stack's function, which cannot go, therefore.
    let other = Distribution {
        id: "EOTHER".to_owned(),
        ..ours
    };
    project.world.set_distribution(other);
    project.world.delete_stack(STACK);
    assert_eq!(project.world.stacks()[STACK], "DELETE_FAILED");
    let refused = project.setup("--yes").await.exits(2);
    refused.says("was removed in part").says("--yes --remove");
    project.world.remove_distribution("EOTHER");
    let flags = "--yes --remove --import-bucket";
    project.setup(flags).await.succeeds();
    project.assert_stands("--yes").await;
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_not_taken_in() {
    let project = Project::new().await;
    let refused = project.setup("--yes --import-bucket").await.exits(2);
    refused.says("the account has no such bucket");
    project.assert_nothing_is_left();
    project.setup("--yes").await.succeeds();
}

#[tokio::test]
async fn what_somebody_put_into_the_bucket_of_a_failed_try_stays() {
    let project = Project::new().await;
    let flags = "--yes --domain www.example.com --hosted-zone none";
    let (_, run) = project.waiting(flags).await;
    project.put("kept.html").await;
    project
        .world
        .fail_resource("Distribution", Some("not today"));
    project.world.issue_certificates();
    run.await.unwrap().exits(1);
    assert_eq!(project.world.stacks()[STACK], "ROLLBACK_FAILED");
    project.world.fail_resource("Distribution", None);
    let taken = project.setup("--yes").await.exits(1);
    taken.says("--import-bucket");
    let no_wait = |options: &mut CloudOptions| options.certificates_wait = false;
    project.world.cloud_options(no_wait);
    project.setup("--yes --import-bucket").await.succeeds();
    assert!(project.world.body("new-site", "kept.html").is_some());
    project.assert_stands("--yes").await;
}

#[tokio::test]
async fn a_bucket_that_was_kept_is_taken_in_where_that_is_said() {
    let project = Project::new().await;
    project.setup("--yes").await.succeeds();
    project.run("deploy").await.succeeds();
    project.world.delete_stack(STACK);
    project.assert_nothing_is_left();
    project
        .setup("--yes")
        .await
        .exits(1)
        .says("Bucket: ")
        .says("--import-bucket");
    let shown = project.setup("--import-bucket").await.exits(2);
    shown.says("left from a failed first try");
    let made = project.setup("--yes --import-bucket").await.succeeds();
    made.says("AWS::S3::Bucket, take in")
        .says("objects stay")
        .says("+ Distribution");
    assert!(project.world.body("new-site", "index.html").is_some());
    project.assert_stands("--yes").await;
    project.assert_stands("--yes --import-bucket").await;
    project
        .setup("--check")
        .await
        .succeeds()
        .says("as it was made");
}

#[tokio::test]
async fn a_bucket_that_is_taken_in_becomes_as_the_template_says() {
    let project = Project::with_bucket().await;
    let shown = project.setup("--import-bucket").await.exits(2);
    shown.says("take in");
    project.assert_nothing_is_left();
    let terminal = Terminal::new();
    let run = project.at(&terminal, "--import-bucket");
    let (ran, shown) = answered(terminal, run, "yes\n").await;
    ran.succeeds();
    assert_eq!(shown.matches("Go on?").count(), 1, "{shown}");
    let body = project.world.body("new-site", "kept.html");
    assert_eq!(body.unwrap(), "kept");
    project.setup("--check").await.succeeds();
    project.put("kept.html").await;
    let versions = project.world.versions("new-site", "kept.html");
    assert_eq!(versions.len(), 2, "versions are on");
    project.assert_stands("--yes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_bucket_is_taken_in_a_further_run_ends_well() {
    let mut tried = 0;
    for number in 1.. {
        let project = Project::with_bucket().await;
        let flags = "--yes --import-bucket";
        let run = project.setup(flags);
        if crash(&project.world, run, number, Side::After)
            .await
            .is_none()
        {
            break;
        }
        project.setup(flags).await.succeeds();
        project.assert_stands("--yes").await;
        project.setup("--check").await.succeeds();
        assert!(project.world.body("new-site", "kept.html").is_some());
        tried += 1;
    }
    assert!(tried > 15, "{tried}");
}

#[tokio::test]
async fn a_bucket_of_others_or_with_a_policy_of_its_own_is_not_taken_in() {
    let project = Project::with_bucket().await;
    let set = |owner: &'static str, policy: &'static str| {
        let change = move |options: &mut BucketOptions, _: &mut Versioning| {
            owner.clone_into(&mut options.owner);
            options
                .documents
                .insert("policy".to_owned(), policy.to_owned());
        };
        project.world.alter_bucket("new-site", change).unwrap();
    };
    let ours = BucketOptions::default().owner;
    set("444455556666", "");
    let refused = project.setup("--yes --import-bucket").await.exits(2);
    refused.says("the account has no such bucket");
    let refused = project.setup("--yes").await.exits(1);
    refused.says("not available").says("another account");
    assert!(project.world.body("new-site", "kept.html").is_some());
    set(ours.leak(), "{\"Statement\":[]}");
    let refused = project.setup("--yes --import-bucket").await.exits(1);
    refused
        .says("The bucket policy already exists")
        .says("delete-bucket-policy");
    assert!(project.world.body("new-site", "kept.html").is_some());
}

#[tokio::test]
async fn the_state_of_before_is_not_taken_for_the_end() {
    let project = Project::new().await;
    project.setup("--yes").await.succeeds();
    project.world.cloud_options(|options| {
        options.stale_stacks = 4;
        options.certificates_wait = true;
    });
    let flags = "--yes --domain www.example.com --hosted-zone none";
    let run = project.waiting(flags).await.1;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!run.is_finished());
    project.world.issue_certificates();
    run.await.unwrap().succeeds().says("update complete");
    assert_eq!(project.world.stacks()[STACK], "UPDATE_COMPLETE");
    project.assert_stands("--yes").await;
}

#[tokio::test]
async fn ctrl_c_at_the_question_ends_it_at_once_and_leaves_nothing() {
    let project = Project::new().await;
    let terminal = Terminal::new();
    let run = project.at(&terminal, "");
    terminal.shows("Go on?").await;
    signal("INT", run.child.id());
    let ran = tokio::time::timeout(Duration::from_secs(10), run.ended()).await;
    ran.expect("nobody has to press Enter").exits(130);
    let shown = terminal.ended();
    let (_, after) = shown.split_once("(Enter: no): \n").expect(&shown);
    assert!(
        after.contains("interrupted: nothing was changed"),
        "{after}"
    );
    assert!(!after.contains("Stopping"), "{after}");
    project.assert_nothing_is_left();
    assert_eq!(project.settings(), "");
}

#[tokio::test]
async fn ctrl_c_while_it_waits_leaves_the_stack_to_a_further_run() {
    let project = Project::new().await;
    let flags = "--yes --domain www.example.com --hosted-zone none";
    let (process, run) = project.waiting(flags).await;
    // Even while an answer is awaited.
    project.world.set_rule(|request| match request.operation {
        "DescribeStacks" => Fault::Delay(Duration::from_secs(60)),
        _ => Fault::None,
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    signal("INT", process);
    let ran = tokio::time::timeout(Duration::from_secs(10), run).await;
    let ran = ran.expect("it ends at once").unwrap().exits(130);
    ran.says("goes on with the stack unstale-new-site by itself")
        .says("goes on from there");
    project.world.clear_rule();
    project.world.issue_certificates();
    project.setup(flags).await.succeeds();
    project.assert_stands("--yes").await;
}

#[tokio::test]
async fn what_another_run_made_meanwhile_is_not_taken_away_by_a_no() {
    let project = Project::new().await;
    let mut terminal = Terminal::new();
    let run = project.at(&terminal, "");
    terminal.shows("Go on?").await;
    project.setup("--yes").await.succeeds();
    terminal.types("no\n");
    run.ended().await.exits(2);
    project.assert_stands("--yes").await;
}

#[tokio::test]
async fn a_zone_that_does_not_answer_for_the_domain_is_told_of_in_the_end() {
    let flags = "--yes --domain www.example.com --hosted-zone Z0ABC";
    for (seconds, is_told) in [(1, false), (7, true)] {
        let project = Project::new().await;
        let (_, run) = project.waiting(flags).await;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        project.world.issue_certificates();
        let ran = run.await.unwrap().succeeds();
        let record = ran.stdout.matches(" CNAME ").count();
        let zone = ran.stdout.matches("zone Z0ABC").count();
        assert_eq!((record, zone), (is_told.into(), is_told.into()), "{ran}");
    }
}

#[tokio::test]
async fn what_may_not_be_asked_or_taken_back_is_named() {
    for (operation, action, flags) in [
        ("GetCallerIdentity", "sts:GetCallerIdentity", "--yes"),
        ("GetTemplate", "cloudformation:GetTemplate", "--yes"),
        ("DeleteChangeSet", "cloudformation:DeleteChangeSet", ""),
        (
            "DetectStackDrift",
            "cloudformation:DetectStackDrift",
            "--check",
        ),
    ] {
        let project = Project::new().await;
        if ["DetectStackDrift", "GetTemplate"].contains(&operation) {
            project.setup("--yes").await.succeeds();
        }
        let ran = project.denied(operation, flags).await.exits(1);
        ran.says(action)
            .says("`unstale policy --for setup --bucket new-site`");
        project.setup("--yes").await.succeeds();
        project.assert_stands("--yes").await;
    }
    let project = Project::failed().await;
    let ran = project.denied("DeleteStack", "--yes").await.exits(1);
    ran.says("cloudformation:DeleteStack")
        .says("`unstale policy --for setup --bucket new-site`");
    project.setup("--yes").await.succeeds();
    // What the account has is looked up by courtesy.
    let project = Project::new().await;
    let flags = "--yes --github me/site";
    let ran = project.denied("GetResource", flags).await.succeeds();
    ran.says("cloudformation:GetResource")
        .says("--github-provider ARN");
}

/// A run for a bucket where certificates are of no use to CloudFront.
fn far(project: &Project, flags: &str) -> Unstale {
    let endpoint = project.world.endpoint();
    Unstale::new("setup public --bucket new-site --domain www.example.com --hosted-zone none")
        .with("--region eu-west-1 --endpoint-url")
        .arg(endpoint)
        .with(flags)
        .within(&project.folder)
}

fn assert_both_stand(project: &Project) {
    let stacks = project.world.stacks();
    assert_eq!(stacks.len(), 2, "{stacks:?}");
    let is_well = |status: &String| status == "CREATE_COMPLETE";
    assert!(stacks.values().all(is_well), "{stacks:?}");
    assert_eq!(project.world.certificates().len(), 1);
    let ours = project.world.distributions().into_iter();
    let ours = ours.filter(|distribution| distribution.comment == STACK);
    assert_eq!(ours.count(), 1);
}

#[tokio::test]
async fn a_certificate_that_no_site_needs_is_told() {
    let project = Project::new().await;
    far(&project, "--yes")
        .await
        .succeeds()
        .never_says("no more");
    assert_both_stand(&project);
    let endpoint = project.world.endpoint();
    let plain = Unstale::new("setup public --bucket new-site --region eu-west-1")
        .with("--yes --anew --remove --endpoint-url")
        .arg(endpoint)
        .within(&project.folder);
    let plain = plain.await.succeeds();
    plain.says("delete-stack --stack-name unstale-new-site-certificate");
}

#[tokio::test]
async fn one_question_is_about_the_certificates_stack_and_the_sites() {
    let project = Project::new().await;
    let certificate = "Stack unstale-new-site-certificate in us-east-1, new:";
    let site = "Stack unstale-new-site in eu-west-1, new:";
    let refused = far(&project, "").await.exits(2);
    refused.says(certificate).says(site);
    project.assert_nothing_is_left();
    let terminal = Terminal::new();
    let run = far(&project, "").at(&terminal).start();
    let (ran, shown) = answered(terminal, run, "yes\n").await;
    let ran = ran.succeeds().says(certificate).says(site);
    assert_eq!(ran.stdout.matches(site).count(), 1, "{ran}");
    assert_eq!(shown.matches("Go on?").count(), 1, "{shown}");
    assert_both_stand(&project);
    let again = far(&project, "--yes").await.succeeds();
    assert_eq!(again.stderr.matches("nothing to change").count(), 2);
    project.world.forget();
    far(&project, "--check").await.succeeds();
    assert_eq!(project.world.count("DetectStackDrift"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_two_stacks_a_further_run_makes_the_other() {
    for number in 1..=3 {
        let project = Project::new().await;
        let run = far(&project, "--yes");
        let executes = |request: &RequestInfo| {
            ["ExecuteChangeSet", "CreateChangeSet"].contains(&request.operation)
        };
        let (world, side) = (&project.world, Side::After);
        let killed = crash_at(world, run, number + 1, side, executes).await;
        assert!(killed.is_some());
        far(&project, "--yes").await.succeeds();
        assert_both_stand(&project);
    }
}
