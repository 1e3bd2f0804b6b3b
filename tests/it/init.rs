//! `unstale init`: which folder is the build, what is asked at a terminal, what is written.

use std::fs;
use std::path::Path;

use local_cloudfront::{Distribution, Fault};

use super::interrupts::signal;
use super::support::{Ran, Site, Terminal, Unstale, World};

#[tokio::test(flavor = "multi_thread")]
async fn init_writes_what_deploy_reads_and_never_twice() {
    let world = World::new().await;
    let site = Site::of(&[("index.html", "<p>")]);
    let init = || Unstale::new("init").within(site.project());
    init()
        .with("--bucket s3://site/docs --region eu-west-1")
        .await
        .succeeds()
        .says("deploy.toml");
    let path = site.project().join("deploy.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        "dir = \"public\"\nbucket = \"site\"\nprefix = \"docs/\"\nregion = \"eu-west-1\"\n"
    );
    init().await.exits(2).says("left as it is");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let deploy = Unstale::new("deploy").arg("--endpoint-url");
    let deploy = deploy.arg(world.endpoint()).within(site.project());
    deploy.await.succeeds();
    assert_eq!(world.objects("docs/").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn init_needs_a_build() {
    let site = Site::empty();
    let ran = Unstale::new("init").within(site.dir()).await;
    ran.exits(2).says("build the site first");
    assert!(!site.dir().join("deploy.toml").exists());
}

#[tokio::test]
async fn before_the_first_build_the_generator_says_where_it_will_be() {
    let hugo = project(&[("hugo.toml", "")]);
    let wrote = Unstale::new("init --bucket site").within(hugo.path()).await;
    let wrote = wrote.succeeds().says("writes public: build the site first");
    assert_eq!(
        settings(hugo.path()),
        "dir = \"public\"\nbucket = \"site\"\n"
    );
    let plan = Unstale::new("plan --local").within(hugo.path()).await;
    plan.exits(2).says("there is no folder public");
    assert!(!wrote.stderr.contains("Also here"), "{wrote}");
}

/// A project of these files.
fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = project.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    project
}

fn settings(project: &Path) -> String {
    fs::read_to_string(project.join("deploy.toml")).unwrap_or_default()
}

#[tokio::test]
async fn init_follows_the_generator_and_never_takes_its_sources() {
    let vite = project(&[
        ("package.json", "{\"devDependencies\": {\"vite\": \"6\"}}"),
        (
            "vite.config.ts",
            "export default { build: { outDir: 'www' } }",
        ),
        ("public/index.html", ""),
    ]);
    let init = || Unstale::new("init").within(vite.path());
    let early = init().await.succeeds();
    early.says("Vite writes www: build the site first");
    fs::remove_file(vite.path().join("deploy.toml")).unwrap();
    fs::create_dir(vite.path().join("www")).unwrap();
    fs::write(vite.path().join("www/index.html"), "").unwrap();
    let ran = init().await.succeeds();
    ran.says("Vite writes www\n")
        .says("names no bucket yet")
        .never_says("public");
    let written = settings(vite.path());
    assert_eq!(written, "dir = \"www\"\n# bucket = \"my-site\"\n");
    Unstale::new("plan")
        .within(vite.path())
        .await
        .exits(2)
        .says("no bucket is given");
}

/// A generator in docs/generators.md, a file of its project and that file's text.
const PROJECTS: [(&str, &str, &str); 13] = [
    ("hexo", "package.json", r#"{"dependencies": {"hexo": "8"}}"#),
    ("jekyll", "_config.yaml", "title: A"),
    ("hugo", "hugo.toml", ""),
    (
        "vite",
        "package.json",
        r#"{"dependencies": {"vite": "8", "react-router-dom": "7"}}"#,
    ),
    (
        "next",
        "package.json",
        r#"{"dependencies": {"next": "16"}}"#,
    ),
    ("astro", "astro.config.mjs", ""),
    ("eleventy", "eleventy.config.js", ""),
    ("docusaurus", "docusaurus.config.ts", ""),
    ("mkdocs", "mkdocs.yml", ""),
    ("vitepress", ".vitepress/config.mts", ""),
    (
        "sveltekit",
        "package.json",
        r#"{"devDependencies": {"@sveltejs/kit": "2"}}"#,
    ),
    ("sphinx", "conf.py", ""),
    ("pelican", "pelicanconf.py", ""),
];

#[tokio::test]
async fn init_writes_what_the_page_of_generators_says() {
    let page = fs::read_to_string("docs/generators.md").unwrap();
    assert_eq!(page.matches("<!-- deploy.toml: ").count(), PROJECTS.len());
    for (name, file, text) in PROJECTS {
        let marker = format!("<!-- deploy.toml: {name} -->\n```toml\n");
        let block = page.split(&marker).nth(1).expect(name);
        let block = block.split("```").next().unwrap();
        let here = project(&[(file, text)]);
        let init = Unstale::new("init --bucket my-site").within(here.path());
        init.await.succeeds();
        assert_eq!(settings(here.path()), block, "{name}");
        let dir = block.split('"').nth(1).unwrap();
        let build = here.path().join(dir);
        fs::create_dir_all(&build).unwrap();
        fs::write(build.join("index.html"), "<p>").unwrap();
        let plan = Unstale::new("plan --local").within(here.path());
        plan.await.succeeds();
    }
    let plain = project(&[(
        "package.json",
        r#"{"dependencies": {"vite": "8", "router-of-mine": "1"}}"#,
    )]);
    Unstale::new("init").within(plain.path()).await.succeeds();
    assert!(!settings(plain.path()).contains("spa"));
}

#[tokio::test]
async fn init_takes_the_folder_and_the_distributions_that_are_named() {
    let site = Site::of(&[("index.html", "<p>")]);
    let flags = "init public --bucket b --distribution E1 --distribution E2";
    let ran = Unstale::new(flags).within(site.project()).await;
    ran.succeeds();
    let expected = "dir = \"public\"\nbucket = \"b\"\ndistribution = [\"E1\",\"E2\"]\n";
    assert_eq!(settings(site.project()), expected);
    let missing = Unstale::new("init dist --config other.toml").within(site.project());
    missing.await.exits(2).says("there is no folder dist");
    assert!(!site.project().join("other.toml").exists());
    // The file names it from where it lies itself.
    fs::create_dir(site.project().join("conf")).unwrap();
    let elsewhere = Unstale::new("init public --config conf/deploy.toml");
    elsewhere.within(site.project()).await.succeeds();
    let written = settings(&site.project().join("conf"));
    assert!(written.starts_with("dir = \"/"), "{written}");
}

#[tokio::test]
async fn settings_that_jekyll_copied_into_its_build_are_neither_refused_nor_deployed() {
    let world = World::new().await;
    let jekyll = project(&[("_config.yml", "title: a\n"), ("_site/index.html", "<p>")]);
    let ran = Unstale::new("init --bucket site").within(jekyll.path());
    ran.await.succeeds().says("Jekyll writes _site");
    let copy = jekyll.path().join("_site/deploy.toml");
    fs::copy(jekyll.path().join("deploy.toml"), copy).unwrap();
    let deploy = Unstale::new("deploy --endpoint-url").arg(world.endpoint());
    deploy.within(jekyll.path()).await.succeeds();
    let keys: Vec<_> = world.objects("").into_keys().collect();
    assert!(keys.contains(&"index.html".to_owned()), "{keys:?}");
    assert!(!keys.contains(&"deploy.toml".to_owned()), "{keys:?}");
}

/// Runs `init` at a terminal at which this is typed.
async fn answered(world: &World, site: &Site, typed: &str) -> (Ran, String) {
    let mut terminal = Terminal::new();
    let init = at_endpoint(world, site).at(&terminal);
    terminal.types(typed);
    let ran = init.await;
    (ran, terminal.ended())
}

fn at_endpoint(world: &World, site: &Site) -> Unstale {
    let init = Unstale::new("init --endpoint-url").arg(world.endpoint());
    init.within(site.project())
}

#[tokio::test]
async fn at_a_terminal_the_bucket_is_chosen_and_its_distribution_found() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    world.create_bucket("another").unwrap();
    let (ran, shown) = answered(&world, &site, "9\nsite\n").await;
    ran.succeeds();
    assert!(
        shown.contains("Which bucket?\n1  another\n2  site\n"),
        "{shown}"
    );
    assert_eq!(shown.matches("Number or name").count(), 2, "{shown}");
    let found = format!("Distribution, by its origin: {}", world.distribution);
    assert!(
        shown.contains(&found) && !shown.contains("Which distribution?"),
        "{shown}"
    );
    assert_eq!(
        settings(site.project()),
        "dir = \"public\"\nbucket = \"site\"\n"
    );
}

#[tokio::test]
async fn among_several_distributions_one_is_chosen_by_alias_and_origin() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    let mut other = Distribution::for_bucket("site");
    other.aliases = vec!["www.example.com".into()];
    other.id = "E2ABCDEFGHIJKL".into();
    let id = other.id.clone();
    world.set_distribution(other);
    let (ran, shown) = answered(&world, &site, &format!("1\n\n{id}\n")).await;
    ran.succeeds();
    assert!(shown.contains("It has to be one of these"), "{shown}");
    assert!(
        shown.contains(&format!("{id}  www.example.com  from site.s3.")),
        "{shown}"
    );
    assert!(
        shown.contains("\n2  ") && shown.lines().take(6).all(|line| line.chars().count() <= 80),
        "{shown}"
    );
    let expected = format!("dir = \"public\"\nbucket = \"site\"\ndistribution = \"{id}\"\n");
    assert_eq!(settings(site.project()), expected);
}

#[tokio::test]
async fn what_cannot_be_listed_is_asked_for_by_name() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    world.set_rule(|request| match request.operation {
        "ListBuckets" | "ListDistributions" => Fault::Fail(403, "AccessDenied"),
        _ => Fault::None,
    });
    let (ran, shown) = answered(&world, &site, "s3://site/docs\nn\nwww.example.com\n").await;
    ran.succeeds();
    assert!(
        shown.contains("The buckets cannot be listed: s3:ListAllMyBuckets")
            && shown.contains("`n` is neither an id nor an alias"),
        "{shown}"
    );
    let expected = "dir = \"public\"\nbucket = \"site\"\nprefix = \"docs/\"\ndistribution = \"www.example.com\"\n";
    assert_eq!(settings(site.project()), expected);
}

#[tokio::test]
async fn whoever_stops_at_a_question_has_written_nothing() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    // Ctrl-D.
    let (ran, _) = answered(&world, &site, "\u{4}").await;
    ran.exits(130);
    let terminal = Terminal::new();
    let run = at_endpoint(&world, &site).at(&terminal).start();
    terminal.shows("Which bucket?").await;
    // SIGINT is ignored where a shell without jobs runs the tests behind it.
    signal("TERM", run.child.id());
    run.ended().await;
    assert_eq!(settings(site.project()), "");
}

#[tokio::test]
async fn elsewhere_nothing_is_asked() {
    let (world, site) = (World::new().await, Site::of(&[("index.html", "<p>")]));
    at_endpoint(&world, &site)
        .await
        .succeeds()
        .says("names no bucket yet");
    assert_eq!(world.log().len(), 0);
}
