//! What helps against each error of AWS's, read whole on a terminal of 80 columns.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use local_cloudfront::Fault;
use tempfile::TempDir;

use crate::support::{Ran, Site, Unstale, World};

fn site() -> Site {
    Site::of(&[("index.html", "<p>1")])
}

/// Holds what it printed against this text, of which lines may be broken anywhere between words.
#[track_caller]
fn reads(ran: &Ran, expected: &str) {
    let said = ran.stdout.find("error: ").map(|at| &ran.stdout[at..]);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = words(said.unwrap_or_default());
    // Both are asked at once.
    let (listing, state) = (
        "s3:ListBucket on s3://site ",
        "s3:GetObject on s3://site/.unstale/state ",
    );
    assert_eq!(said.replace(listing, state), words(expected), "{ran}");
}

/// Asks nothing of CloudFront, so that it is S3 that fails.
fn deploy(world: &World, site: &Site) -> Unstale {
    world.deploy(site).with("--distribution none")
}

/// An address that nobody listens at.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A home with these profiles.
fn home() -> Arc<TempDir> {
    let home = TempDir::new().unwrap();
    std::fs::create_dir_all(home.path().join(".aws/sso/cache")).unwrap();
    let config = "[default]\nregion = us-east-1\n[profile empty]\nregion = us-east-1\n[profile corp]\nsso_session = corp\n\
        sso_account_id = 111122223333\nsso_role_name = Deploy\nregion = us-east-1\n[sso-session corp]\nsso_region = us-east-1\n\
        sso_start_url = https://corp.awsapps.com/start\nsso_registration_scopes = sso:account:access\n";
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    let keys = "[old]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n";
    std::fs::write(home.path().join(".aws/credentials"), keys).unwrap();
    Arc::new(home)
}

/// A deploy with a profile of that home, which nobody else reaches.
fn with_profile(home: &Arc<TempDir>, site: &Site, profile: &str) -> Unstale {
    let deploy = Unstale::at_home("deploy --bucket site --distribution none", home.clone());
    deploy
        .without_env("AWS_ACCESS_KEY_ID")
        .without_env("AWS_SECRET_ACCESS_KEY")
        .with("--endpoint-url")
        .arg(format!("http://{}", nobody()))
        .arg(site.dir())
        .with("--profile")
        .arg(profile)
}

#[tokio::test]
async fn a_profile_that_is_not_there_is_named_with_those_that_are() {
    let (home, site) = (home(), site());
    let expected = "error: there is no AWS profile nope
        hint: there are corp, default, empty, old; `aws configure sso --profile nope` makes this one";
    let flag = with_profile(&home, &site, "nope").on_terminal().await;
    reads(&flag.exits(2), expected);
    // Keys in variables do not stand in for it.
    let keys = with_profile(&home, &site, "nope").env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    let keys = keys.env("AWS_SECRET_ACCESS_KEY", "secret");
    reads(&keys.on_terminal().await.exits(2), expected);
    let variable = with_profile(&home, &site, "default").env("AWS_PROFILE", "nope");
    variable.await.exits(1).never_says("no AWS profile");
    let files = with_profile(&home, &site, "nope").env("AWS_CONFIG_FILE", "/none");
    let files = files.env("AWS_SHARED_CREDENTIALS_FILE", "/none");
    let expected = "error: there is no AWS profile nope
        hint: there are none at all: `aws configure sso --profile nope` makes this one";
    reads(&files.on_terminal().await.exits(2), expected);
}

#[tokio::test]
async fn who_is_not_signed_in_is_told_how() {
    let (home, site) = (home(), site());
    let ran = with_profile(&home, &site, "corp").on_terminal().await;
    reads(
        &ran.exits(1),
        "error: s3:GetObject on s3://site/.unstale/state failed: failed to load the cached SSO token
         hint: sign in: `aws sso login --profile corp`",
    );
    // The file's name is the digest of the session's.
    let token = r#"{"accessToken":"x","expiresAt":"2020-01-01T00:00:00Z","region":"us-east-1","startUrl":"https://corp.awsapps.com/start"}"#;
    let name = "ee0bfd2552fbd840c02cc48b6e823320543c450f";
    std::fs::write(
        home.path().join(format!(".aws/sso/cache/{name}.json")),
        token,
    )
    .unwrap();
    let ran = with_profile(&home, &site, "corp").on_terminal().await;
    reads(
        &ran.exits(1),
        "error: s3:GetObject on s3://site/.unstale/state failed: the SSO token has expired and cannot be refreshed
         hint: sign in: `aws sso login --profile corp`",
    );
}

#[tokio::test]
async fn credentials_that_are_missing_or_too_old_are_told() {
    let (home, site) = (home(), site());
    let ran = with_profile(&home, &site, "empty").on_terminal().await;
    reads(
        &ran.exits(1),
        "error: s3:GetObject on s3://site/.unstale/state failed: no AWS credentials were found
         hint: the profile empty holds none: `aws configure --profile empty` or `aws configure sso --profile empty`",
    );
    let world = World::new().await;
    let bare = deploy(&world, &site)
        .without_env("AWS_ACCESS_KEY_ID")
        .without_env("AWS_SECRET_ACCESS_KEY");
    reads(
        &bare.on_terminal().await.exits(1),
        "error: s3:GetObject on s3://site/.unstale/state failed: no AWS credentials were found
         hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile (--profile, `aws configure sso`); to try without an account: --local",
    );
    world.set_rule(|_| Fault::Fail(400, "ExpiredToken"));
    let expected =
        "error: s3:GetObject on s3://site/.unstale/state failed: ExpiredToken: as a test wants it
         hint: sign in again (`aws sso login PROFILE`, or new keys), and check --profile";
    let old = deploy(&world, &site)
        .without_env("AWS_ACCESS_KEY_ID")
        .without_env("AWS_SECRET_ACCESS_KEY")
        .env(
            "AWS_SHARED_CREDENTIALS_FILE",
            home.path().join(".aws/credentials"),
        )
        .with("--profile old");
    let old = old.on_terminal().await;
    reads(&old.exits(1), &expected.replace("PROFILE", "--profile old"));
    let keys = deploy(&world, &site).on_terminal().await;
    reads(&keys.exits(1), &expected.replace(" PROFILE", ""));
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_by_how_much() {
    let (world, site) = (World::new().await, site());
    let ahead = Duration::from_secs(180);
    world.clock().set(SystemTime::now() - ahead);
    world.set_rule(|_| Fault::Fail(403, "RequestTimeTooSkewed"));
    let ran = deploy(&world, &site).on_terminal().await;
    reads(
        &ran.exits(1),
        "error: s3:GetObject on s3://site/.unstale/state failed: RequestTimeTooSkewed: as a test wants it
         hint: set the clock of this machine: it is 3m ahead",
    );
    world.clock().set(SystemTime::now() + ahead);
    let ran = deploy(&world, &site).on_terminal().await.exits(1);
    ran.says("hint: set the clock of this machine: it is 3m behind");
}

#[tokio::test]
async fn a_proxy_or_an_endpoint_that_does_not_answer_is_named() {
    let (site, nobody) = (site(), nobody());
    let at = |host: &str| {
        let deploy = Unstale::new("deploy --bucket site --distribution none --endpoint-url");
        deploy.arg(format!("http://{host}")).arg(site.dir())
    };
    let proxied = at("s3.example.test:9000")
        .env("HTTP_PROXY", format!("http://me:s3cret@{nobody}"))
        .env("AWS_SECRET_ACCESS_KEY", "s3cret")
        .on_terminal()
        .await
        .exits(1);
    let failed =
        "error: s3:GetObject on s3://site/.unstale/state failed: Connection refused (os error 111)";
    reads(
        &proxied,
        &format!(
            "{failed} hint: requests go by the proxy http://{nobody} (HTTP_PROXY): check that it runs and lets them through, or
             name the host in NO_PROXY"
        ),
    );
    proxied.never_says("s3cret");
    let spared = at(&nobody)
        .env("HTTP_PROXY", format!("http://me:s3cret@{nobody}"))
        .env("NO_PROXY", "example.test,127.0.0.1")
        .on_terminal()
        .await;
    reads(
        &spared.exits(1),
        &format!(
            "{failed} hint: check that something answers at http://{nobody} (--endpoint-url, `endpoint-url` in deploy.toml or
             AWS_ENDPOINT_URL)"
        ),
    );
}

#[tokio::test]
async fn a_purge_that_is_denied_does_not_heal_by_itself() {
    let (world, site) = (World::new().await, site());
    world.deploy(&site).await.succeeds();
    world.warm(&site).await;
    site.write("index.html", "<p>2");
    world.set_rule(|request| match request.operation {
        "CreateInvalidation" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    for _ in 0..2 {
        let ran = world.deploy(&site).on_terminal().await.exits(4);
        let id = &world.distributions()[0].id;
        reads(
            &ran,
            &format!(
                "error: not all is done: cloudfront:CreateInvalidation on {id} failed: AccessDenied: as a test wants it
                 hint: allow cloudfront:CreateInvalidation on arn:aws:cloudfront::*:distribution/{id}: `unstale policy` prints
                 what is needed. This does not heal by itself: what is owed is noted in the bucket, and each deploy ends like
                 this until then"
            ),
        );
    }
    world.clear_rule();
    world.deploy(&site).await.succeeds();
    world.assert_fresh(&site, "").await;
}

#[tokio::test]
async fn the_owner_is_named_where_one_is_expected() {
    let (world, site) = (World::new().await, site());
    world.set_rule(|request| match request.operation {
        "GetObject" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    let expected = "error: s3:GetObject on s3://site/.unstale/state failed: AccessDenied: as a test wants it
        hint: allow s3:GetObject on arn:aws:s3:::site/.unstale/state: `unstale policy` prints what is needed";
    let ran = deploy(&world, &site).on_terminal().await;
    reads(&ran.exits(1), expected);
    let ran = deploy(&world, &site).with("--expected-bucket-owner 111122223333");
    let owner =
        ". With --expected-bucket-owner it may also mean that somebody else owns the bucket";
    reads(
        &ran.on_terminal().await.exits(1),
        &format!("{expected}{owner}"),
    );
}

#[tokio::test]
async fn a_bucket_that_is_nowhere_or_elsewhere_is_told() {
    let (world, site) = (World::new().await, site());
    let check = "check `bucket` and `state` in deploy.toml, or --bucket, and whose profile is used; `unstale setup` makes a site's bucket";
    for (code, status, hint) in [
        ("NoSuchBucket", 404, check),
        ("InvalidBucketName", 400, check),
        (
            "PermanentRedirect",
            301,
            "set `region` or --region to the bucket's region",
        ),
    ] {
        world.set_rule(move |_| Fault::Fail(status, code));
        let ran = deploy(&world, &site).on_terminal().await;
        let failed = format!(
            "error: s3:GetObject on s3://site/.unstale/state failed: {code}: as a test wants it"
        );
        reads(&ran.exits(1), &format!("{failed} hint: {hint}"));
    }
}
