//! What `unstale doctor` finds: nothing where all is well, and each thing that can keep a new user from a first deploy.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use local_cloudfront::{Certificate, Distribution, Fault, OriginKind};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{BUCKET, Ran, Setup, Site, Unstale, World};

const BUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/hexo/v1");

fn site() -> Site {
    Site::of(&[("index.html", "<p>1"), ("404.html", "<p>none")])
}

/// The policy of a bucket whose objects this distribution may read, but for the state.
fn policy(distribution: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[
        {{"Effect":"Allow","Principal":{{"Service":"cloudfront.amazonaws.com"}},"Action":"s3:GetObject","Resource":"arn:aws:s3:::{BUCKET}/*",
          "Condition":{{"StringEquals":{{"AWS:SourceArn":"arn:aws:cloudfront::111122223333:distribution/{distribution}"}}}}}},
        {{"Effect":"Deny","Principal":{{"Service":"cloudfront.amazonaws.com"}},"Action":"s3:GetObject","Resource":"arn:aws:s3:::{BUCKET}/.unstale/*"}}]}}"#
    )
}

const BLOCKED: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";

/// A world with nothing amiss, but for what is changed.
pub async fn healthy_but(change: impl FnOnce(&mut Setup)) -> World {
    let world = World::with(|setup| {
        let documents = &mut setup.bucket.documents;
        documents.insert("policy".into(), policy(&setup.distribution.id));
        documents.insert("publicAccessBlock".into(), BLOCKED.into());
        change(setup);
    });
    world.await
}

async fn healthy() -> World {
    healthy_but(|_| ()).await
}

/// Beside a build.
pub fn doctor(world: &World) -> Unstale {
    world.unstale("doctor --json").env("UNSTALE_DIR", BUILD)
}

/// A folder as which a world is known to `--local`: there each right is tried, as at AWS.
pub struct LocalName {
    folder: TempDir,
    _lock: File,
}

impl LocalName {
    pub fn of(world: &World) -> Self {
        let folder = TempDir::new().unwrap();
        let lock = File::create(folder.path().join("lock")).unwrap();
        lock.lock().unwrap();
        let endpoint = world.endpoint();
        let (_, port) = endpoint.rsplit_once(':').unwrap();
        fs::write(folder.path().join("port"), port).unwrap();
        Self {
            folder,
            _lock: lock,
        }
    }

    pub fn doctor(&self) -> Unstale {
        let local = format!("--local={}", self.folder.path().display());
        let doctor = Unstale::new("doctor --json --bucket").arg(BUCKET);
        doctor.arg(local).env("UNSTALE_DIR", BUILD)
    }
}

/// What is found, as `subject outcome: text`, with what to do behind an arrow.
pub fn found(ran: &Ran) -> Vec<String> {
    let object = ran.told("doctor");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = object["findings"].as_array().unwrap().iter();
    let line = |finding: &Value| {
        let [subject, outcome, told, remedy] =
            ["subject", "outcome", "text", "remedy"].map(|name| text(&finding[name]));
        format!("{subject} {outcome}: {told} -> {remedy}")
    };
    findings.map(line).collect()
}

/// The problems alone.
pub fn problems(ran: &Ran) -> Vec<String> {
    let lines = found(ran).into_iter();
    let problems = lines.filter(|line| line.contains(" problem: "));
    problems.collect()
}

/// Asserts that there is this one problem and what to do about it, and that the exit status says so.
pub fn has_one(ran: Ran, words: &[&str]) -> Ran {
    let ran = ran.exits(1);
    let problems = problems(&ran);
    let [problem] = problems.as_slice() else {
        panic!("{problems:#?} in {ran}");
    };
    for word in words {
        assert!(problem.contains(word), "{word}: {problem}");
    }
    ran
}

#[tokio::test]
async fn where_all_is_well_no_problem_is_found_and_nothing_changes() {
    let (world, site) = (healthy().await, site());
    for deployed in [false, true] {
        if deployed {
            world.deploy(&site).await.succeeds();
        }
        let before = world.keys(BUCKET);
        let configured = || format!("{:?}", world.distribution(&world.distribution));
        let distribution = configured();
        world.forget();
        let local = LocalName::of(&world);
        let ran = local.doctor().await.succeeds();
        let untried = |line: &String| line.starts_with("rights not checked");
        assert!(!found(&ran).iter().any(untried), "{ran}");
        let ran = doctor(&world).await.succeeds();
        assert_eq!(problems(&ran), [""; 0]);
        let found = found(&ran);
        for (line, word) in [
            ("credentials ok", "account 111122223333"),
            ("credentials ok", "environment variables"),
            ("endpoint ok", "us-east-1"),
            ("bucket ok", "s3://site/ holds"),
            (
                "state ok",
                if deployed {
                    "knows 1 deploy"
                } else {
                    "none yet"
                },
            ),
            ("distribution ok", "is deployed"),
            ("distribution ok", "/ shows index.html"),
            ("rights ok", "tried by harmless requests"),
            ("quota ok", "free invalidation paths used"),
        ] {
            let is_told = |told: &String| told.starts_with(line) && told.contains(word);
            assert!(found.iter().any(is_told), "{line} {word}: {found:#?}");
        }
        assert_eq!(world.keys(BUCKET), before);
        assert_eq!(configured(), distribution);
        assert!(world.purged().is_empty());
    }
}

#[tokio::test]
async fn each_right_that_is_missing_is_named() {
    let world = healthy().await;
    let local = LocalName::of(&world);
    for (operation, action) in [
        ("UploadPart", "s3:PutObject"),
        ("DeleteObject", "s3:DeleteObject"),
        ("AbortMultipartUpload", "s3:AbortMultipartUpload"),
        ("CreateInvalidation", "cloudfront:CreateInvalidation"),
        ("GetInvalidation", "cloudfront:GetInvalidation"),
        ("UpdateDistribution", "cloudfront:UpdateDistribution"),
        ("UpdateFunction", "cloudfront:UpdateFunction"),
        ("PublishFunction", "cloudfront:PublishFunction"),
    ] {
        world.set_rule(move |request| {
            if request.operation == operation {
                Fault::Fail(403, "AccessDenied")
            } else {
                Fault::None
            }
        });
        let ran = local.doctor().env("UNSTALE_SPA", "true");
        has_one(ran.await, &["rights problem", action, "-> allow"]);
    }
    // Deploys do without these.
    for operation in [
        "GetBucketVersioning",
        "GetBucketWebsite",
        "GetFunction",
        "ListMultipartUploads",
        "TestFunction",
    ] {
        world.set_rule(move |request| {
            if request.operation == operation {
                Fault::Fail(403, "AccessDenied")
            } else {
                Fault::None
            }
        });
        let ran = local.doctor().env("UNSTALE_SPA", "true");
        let ran = ran.await.succeeds();
        let is_told = |line: &String| {
            line.starts_with("rights warning: ")
                && line.contains(operation.trim_start_matches("List"))
        };
        assert!(found(&ran).iter().any(is_told), "{operation}: {ran}");
    }
}

#[tokio::test]
async fn nothing_is_tried_that_a_careless_server_would_do() {
    let world = healthy().await;
    let rules = "[[headers]]\nmatch = \"*\"\ntags = { team = \"web\" }\n";
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("deploy.toml"), rules).unwrap();
    let ran = doctor(&world)
        .within(home.path())
        .env("UNSTALE_SPA", "true")
        .env("UNSTALE_SECURITY", "strict");
    let ran = ran.await.succeeds();
    // These change nothing on any server.
    let mut writes = world.writes();
    const HARMLESS: [&str; 3] = [
        "AbortMultipartUpload",
        "ListDistributionTenants",
        "TestFunction",
    ];
    writes.retain(|write| !HARMLESS.iter().any(|harmless| write.starts_with(harmless)));
    assert_eq!(writes, [""; 0]);
    let untried = |line: &String| {
        line.starts_with("rights not checked: tried at AWS alone")
            && [
                "s3:PutObject,",
                "s3:PutObjectTagging",
                "s3:DeleteObject",
                "cloudfront:CreateInvalidation",
                "cloudfront:UpdateDistribution",
                "cloudfront:UpdateFunction",
                "cloudfront:UpdateResponseHeadersPolicy",
            ]
            .iter()
            .all(|action| line.contains(action))
    };
    let found = found(&ran);
    assert!(found.iter().any(untried), "{found:#?}");
}

#[tokio::test]
async fn what_the_server_does_not_do_is_no_missing_right() {
    let world = healthy().await;
    let local = LocalName::of(&world);
    for (code, told) in [
        (
            "NotImplemented",
            "this server does not do it: cloudfront:TestFunction",
        ),
        (
            "KMS.DisabledException",
            "cloudfront:TestFunction is not known: KMS.DisabledException",
        ),
    ] {
        let status = if code == "NotImplemented" { 501 } else { 400 };
        world.set_rule(move |request| match request.operation {
            "TestFunction" => Fault::Fail(status, code),
            _ => Fault::None,
        });
        let ran = local.doctor().env("UNSTALE_SPA", "true").await.succeeds();
        let line = format!("rights not checked: {told} -> ");
        assert!(found(&ran).contains(&line), "{ran}");
    }
}

#[tokio::test]
async fn credentials_that_do_not_serve_are_told_first() {
    let world = healthy().await;
    let doctor = || doctor(&world);
    let without = doctor().without_env("AWS_ACCESS_KEY_ID");
    let ran = without.without_env("AWS_SECRET_ACCESS_KEY").await;
    let ran = has_one(
        ran,
        &[
            "credentials problem",
            "no AWS credentials",
            "aws configure sso",
        ],
    );
    assert!(
        found(&ran)
            .iter()
            .any(|line| line.contains("the rest not checked"))
    );
    let ran = doctor().env("AWS_PROFILE", "nowhere");
    let ran = ran.without_env("AWS_ACCESS_KEY_ID").await;
    has_one(ran, &["credentials problem", "no AWS profile nowhere"]);
    for (code, words) in [
        ("ExpiredToken", ["credentials problem", "sign in again"]),
        (
            "InvalidClientTokenId",
            ["credentials problem", "sign in again"],
        ),
        ("RequestTimeTooSkewed", ["clock problem", "set the clock"]),
    ] {
        world.set_rule(move |_| Fault::Fail(403, code));
        has_one(doctor().await, &words);
    }
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ran = Unstale::new("doctor --json --bucket site --endpoint-url").arg(&url);
    let ran = ran.env("UNSTALE_DIR", BUILD);
    has_one(ran.await, &["endpoint problem", "onnection refused", &url]);
}

#[tokio::test]
async fn a_bucket_that_is_not_named_or_not_there_is_told() {
    let world = healthy().await;
    let named = |words: &str| {
        let doctor = Unstale::new("doctor --json --endpoint-url").arg(world.endpoint());
        doctor.env("UNSTALE_DIR", BUILD).with(words)
    };
    has_one(
        named("").await,
        &["settings problem", "no bucket is given", "--bucket NAME"],
    );
    let ran = named("--bucket nowhere").await;
    has_one(ran, &["bucket problem", "NoSuchBucket", "unstale setup"]);
    world.set_rule(|request| match request.operation {
        "ListObjectsV2" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    let ran = doctor(&world).await;
    has_one(ran, &["bucket problem", "s3:ListBucket", "somebody else's"]);
}

#[tokio::test]
async fn what_is_amiss_with_a_bucket_is_told() {
    let world = healthy_but(|setup| {
        setup.bucket.region = "ap-northeast-2".into();
        setup.bucket.strict_region = true;
        setup.bucket.owner = "999999999999".into();
    });
    let world = world.await;
    let ran = doctor(&world).await.succeeds();
    let found = found(&ran);
    for words in [
        ["bucket warning", "region = \"ap-northeast-2\""],
        ["bucket warning", "is not of account 111122223333"],
        ["bucket warning", "keeps no versions"],
    ] {
        let is_told = |line: &String| words.iter().all(|word| line.contains(word));
        assert!(found.iter().any(is_told), "{words:?}: {found:#?}");
    }
}

#[tokio::test]
async fn who_may_read_the_bucket_and_what_empties_it_is_told() {
    let rule = |prefix: &str| {
        format!(
            "<LifecycleConfiguration><Rule><ID>tidy</ID><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status><Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>"
        )
    };
    let anybody = policy("E").replace("{\"Service\":\"cloudfront.amazonaws.com\"}", "\"*\"");
    let anybody = anybody
        .split_once(",\n          \"Condition\"")
        .unwrap()
        .0
        .to_owned()
        + "}]}";
    for (document, text, words) in [
        (
            "policy",
            policy("EOTHER"),
            ["distribution problem", "does not let it read"],
        ),
        (
            "policy",
            anybody,
            ["distribution warning", "lets anybody read"],
        ),
        (
            "lifecycle",
            rule(""),
            ["bucket problem", "the lifecycle rule tidy deletes"],
        ),
        (
            "lifecycle",
            rule(".unstale/"),
            ["bucket problem", "the lifecycle rule tidy deletes"],
        ),
        (
            "lifecycle",
            rule("logs/"),
            ["bucket ok", "no lifecycle rule"],
        ),
        (
            "lifecycle",
            rule("posts/"),
            ["bucket warning", "of which the site has some"],
        ),
        (
            "lifecycle",
            rule("").replace(
                "<Expiration><Days>9</Days></Expiration>",
                "<Transition><Days>9</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition>",
            ),
            ["bucket problem", "moves all objects to DEEP_ARCHIVE"],
        ),
        (
            "lifecycle",
            rule("").replace(
                "<Expiration><Days>9</Days></Expiration>",
                "<Transition><Days>9</Days><StorageClass>GLACIER_IR</StorageClass></Transition>",
            ),
            ["bucket ok", "no lifecycle rule"],
        ),
        (
            "publicAccessBlock",
            BLOCKED.replacen("true", "false", 1),
            ["bucket warning", "public access"],
        ),
    ] {
        let world = healthy_but(|setup| {
            setup.bucket.documents.insert(document.into(), text.clone());
        });
        let ran = doctor(&world.await).await;
        let found = found(&ran);
        let is_told = |line: &String| words.iter().all(|word| line.contains(word));
        assert!(found.iter().any(is_told), "{text}: {found:#?}");
    }
    // Who may not look is told what that needs, and nothing worse.
    let world = healthy().await;
    world.set_rule(|request| match request.operation {
        "GetBucketPolicy" | "GetPublicAccessBlock" | "GetBucketLifecycleConfiguration" => {
            Fault::Fail(403, "AccessDenied")
        }
        _ => Fault::None,
    });
    let mut ran = world
        .unstale("doctor")
        .env("UNSTALE_DIR", BUILD)
        .await
        .succeeds();
    for action in [
        "GetBucketPolicy",
        "GetBucketPublicAccessBlock",
        "GetLifecycleConfiguration",
    ] {
        ran = ran.says(&format!("s3:{action}"));
    }
}

#[tokio::test]
async fn a_state_that_deploys_refuse_is_told() {
    let (world, site) = (healthy().await, site());
    world.deploy(&site).await.succeeds();
    let damaged = "{\"version\":1";
    let put = world.put_object(BUCKET, ".unstale/state", damaged, Default::default());
    put.await.unwrap();
    let ran = doctor(&world).await;
    has_one(
        ran,
        &["state problem", "is damaged", "put an earlier version"],
    );
}

#[tokio::test]
async fn what_is_amiss_with_a_distribution_is_told() {
    let world = healthy().await;
    let usual = Distribution::for_bucket(BUCKET);
    let tell = async |distribution: Distribution| {
        world.set_distribution(distribution);
        found(&doctor(&world).await)
    };
    let mut elsewhere = usual.clone();
    elsewhere.origins[0].path = "/docs".into();
    let mut rootless = usual.clone();
    rootless.root = None;
    rootless.errors.clear();
    for (distribution, words) in [
        (
            elsewhere,
            vec![
                "distribution problem",
                "no URL leads to /index.html",
                "OriginPath",
            ],
        ),
        (
            rootless.clone(),
            vec![
                "distribution warning",
                "/ shows no page",
                "--root index.html",
            ],
        ),
        (
            rootless,
            vec![
                "distribution warning",
                "error in XML",
                "--error-page 404=/404.html",
            ],
        ),
    ] {
        let found = tell(distribution).await;
        let is_told = |line: &String| words.iter().all(|word| line.contains(word));
        assert!(found.iter().any(is_told), "{words:?}: {found:#?}");
    }
    let ran = world
        .unstale("doctor --json --distribution www.example.org")
        .env("UNSTALE_DIR", BUILD)
        .await;
    has_one(
        ran,
        &["distribution problem", "no distribution of this account"],
    );
    world.create_bucket("other").unwrap();
    let other = Distribution::for_bucket("other");
    world.set_distribution(other.clone());
    let ran = doctor(&world).with("--distribution").arg(&other.id).await;
    has_one(
        ran,
        &["distribution problem", "none of its origins is the bucket"],
    );
    let mut website = Distribution::for_bucket(BUCKET);
    website.origins[0].kind = OriginKind::Website {
        bucket: BUCKET.into(),
    };
    world.set_distribution(website);
    let found = problems(&doctor(&world).await);
    for said in ["no website configuration", "closed to the public"] {
        assert!(found.iter().any(|line| line.contains(said)), "{found:#?}");
    }
    world.remove_distribution(&other.id);
    world.create_bucket("lonely").unwrap();
    let ran = Unstale::new("doctor --json --bucket lonely --endpoint-url");
    let ran = ran.arg(world.endpoint()).env("UNSTALE_DIR", BUILD).await;
    has_one(
        ran,
        &["distribution problem", "as its origin", "unstale setup"],
    );
}

#[tokio::test]
async fn a_certificate_is_told_by_its_end() {
    const ARN: &str = "arn:aws:acm:us-east-1:111122223333:certificate/c";
    let world = healthy_but(|setup| {
        setup.distribution.aliases = vec!["www.example.com".into()];
        setup.distribution.certificate = Some(ARN.into());
    });
    let world = world.await;
    let mut certificate = Certificate::new(ARN, "www.example.com");
    for (ends, words) in [
        (
            4_102_444_800,
            "distribution ok: E8612FDZTIT0K7: its certificate holds for",
        ),
        (
            1_000_000_000,
            "distribution problem: E8612FDZTIT0K7: its certificate ended",
        ),
    ] {
        certificate.not_after = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(ends));
        world.set_certificate(certificate.clone());
        let found = found(&doctor(&world).await);
        assert!(
            found.iter().any(|line| line.starts_with(words)),
            "{found:#?}"
        );
    }
    world.set_rule(|request| match request.operation {
        "DescribeCertificate" => Fault::Fail(403, "AccessDeniedException"),
        _ => Fault::None,
    });
    let ran = world
        .unstale("doctor")
        .env("UNSTALE_DIR", BUILD)
        .await
        .succeeds();
    ran.says("its certificate: needs")
        .says("acm:DescribeCertificate");
}

#[tokio::test]
async fn people_read_a_line_for_each_check() {
    let world = healthy().await;
    let ran = Unstale::new("doctor --bucket nowhere --endpoint-url").arg(world.endpoint());
    let ran = ran.env("UNSTALE_DIR", BUILD).await.exits(1);
    ran.says("ok           credentials   account 111122223333")
        .says("problem      bucket")
        .says("1 problem, ");
    let ran = world.unstale("doctor --quiet").env("UNSTALE_DIR", BUILD);
    let ran = ran.await.succeeds();
    ran.never_says("ok           ")
        .says("warning ")
        .never_says("No problem");
}
