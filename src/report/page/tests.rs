//! Pages of plans, small, large and hostile.

use std::time::Duration;

use serde_json::Value;

use super::{PageSubject, ReportedDeploy, TimeLine, page};
use crate::edge::cover::CacheTag;
use crate::edge::{OwedReason, Pattern, PurgeChoice, StalePaths};
use crate::error::Error;
use crate::job::{DeployEvent, DeploySummary};
use crate::object::Key;
use crate::plan::budget::{BudgetLine, BudgetUnit};
use crate::plan::lost::{LostUrl, PageSameness, SuccessorPage};
use crate::plan::{ChangeAction, DistributionPurge, Plan, Reason};
use crate::report::markdown::markdown;
use crate::report::markdown_parts::deployed;
use crate::report::summary::Completions;
use crate::report::tests::{change, context, cover, deletion, purge, small};
use crate::rules::link_report::{LinkProblem, LinkReport, ProblemSort};

/// A page may not be longer, whatever it tells of.
const MAX_PAGE: usize = 300_000;
/// A comment may not be longer.
const MAX_COMMENT: usize = 60_000;
const HOSTILE: &str = "</script><img src=x onerror=\"alert('1')\">&{{data}}|`@all #1";

fn subject<'a>(plan: &'a Plan, context: &'a crate::report::PlanContext) -> PageSubject<'a> {
    PageSubject {
        plan: Some(plan),
        context,
        at: 1_790_000_000,
        commit: Some("0f3a9c"),
        deploy: None,
    }
}

fn written(plan: &Plan) -> String {
    page(&subject(plan, &context()))
}

/// What the script reads.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap()
}

/// What is read without the script, without the style.
fn body(page: &str) -> &str {
    let (_, rest) = page.split_once("<body>\n").unwrap();
    rest.split_once("<script").unwrap().0
}

fn owed(urls: impl IntoIterator<Item = (String, OwedReason)>) -> StalePaths {
    StalePaths {
        owed: urls.into_iter().collect(),
        ..StalePaths::default()
    }
}

/// The small plan with a purge that takes some URLs by wildcards and tags, some by themselves and some needlessly.
fn mapped() -> Plan {
    let mut plan = small();
    let sent = &mut plan.purges[0].purge;
    let urls = ["/index.html", "/posts/", "/posts/a", "/posts/ab", "/tagged"];
    let urls = urls.map(|url| (url.to_owned(), OwedReason::Content));
    let removed = [("/gone?*".to_owned(), OwedReason::Removed)];
    sent.stale = owed(urls.into_iter().chain(removed));
    sent.needless = vec!["/posts/b".to_owned()];
    sent.cover.patterns.push(Pattern {
        text: "#page".to_owned(),
        changed: 1,
        unchanged: 1,
        needless: 1,
        foreign: 0,
        empties: Vec::new(),
        tag: Some(CacheTag {
            of: "every page".to_owned(),
            takes: vec!["/other".to_owned(), "/tagged".to_owned()],
        }),
    });
    plan
}

/// A plan that has something of everything.
fn rich() -> Plan {
    let mut plan = mapped();
    plan.lost = vec![
        LostUrl {
            path: "/about/".to_owned(),
            key: "about/index.html".into(),
            live_since: Some(1_777_777_777),
            gone_since: None,
            linked_from: 2,
            successor: Some(SuccessorPage {
                path: "/me/".to_owned(),
                sameness: PageSameness::Content,
            }),
        },
        LostUrl {
            path: "/old/".to_owned(),
            key: "old/index.html".into(),
            live_since: None,
            gone_since: None,
            linked_from: 0,
            successor: None,
        },
    ];
    let problem = |sort, to: &str, suggestion: Option<&str>| LinkProblem {
        sort,
        pages: vec!["index.html".into()],
        to: to.to_owned(),
        refused: true,
        suggestion: suggestion.map(str::to_owned),
    };
    plan.links = Some(LinkReport {
        problems: vec![
            problem(ProblemSort::Dead, "/nowhere/", None),
            problem(ProblemSort::Case, "/About/", Some("/about/")),
        ],
        ..LinkReport::default()
    });
    let line = |name, unit, limit, actual| BudgetLine {
        name,
        unit,
        limit,
        actual,
        culprit: None,
    };
    plan.budget = vec![
        line("site-bytes", BudgetUnit::Bytes, 1e6, 1.2e6),
        line("purge-dollars", BudgetUnit::Dollars, 1.0, 0.25),
    ];
    plan
}

#[test]
fn a_page_tells_without_its_script() {
    let told = body(&written(&rich())).to_owned();
    insta::assert_snapshot!(told, @r##"
    <header>
    <h1>Plan for s3://site/docs/</h1>
    <ul class="facts"><li>21 September 2026, 14:13 UTC</li><li>E123 (www.example.com)</li><li>commit 0f3a9c</li></ul>
    </header>
    <main>
    <section id="totals" aria-labelledby="totals-title">
    <h2 id="totals-title">In all</h2>
    <dl class="figures"><div><dt>new</dt><dd>2</dd></div><div><dt>changed</dt><dd>2</dd></div><div><dt>headers only</dt><dd>1</dd></div><div><dt>removed</dt><dd>1</dd></div><div><dt>unchanged</dt><dd>1,298</dd></div><div><dt>to send</dt><dd>1.2 MB</dd></div><div><dt>purge paths</dt><dd>4</dd></div><div><dt>purge price</dt><dd>$0.0050</dd></div></dl>
    <ul>
    <li>1 asset left the build and stays for pages that are still open</li>
    <li>4 objects are not ours and stay (--adopt takes them over): a, b, c and 1 more</li>
    </ul>
    </section>
    <section id="warnings" aria-labelledby="warnings-title">
    <h2 id="warnings-title">Warnings</h2>
    <ul>
    <li>a warning</li>
    </ul>
    </section>
    <section id="lost" aria-labelledby="lost-title">
    <h2 id="lost-title">2 URLs will be gone</h2>
    <ul>
    <li><code>/about/</code> (live since 2026-05-03, linked from 2 pages); /me/ has the same content</li>
    <li><code>/old/</code></li>
    </ul>
    <pre tabindex="0"><code>/about/ /me/ 301
    </code></pre>
    <p>That line in _redirects keeps it: `deploy --accept-redirects` writes it.</p>
    </section>
    <section id="budget" aria-labelledby="budget-title">
    <h2 id="budget-title">Budget</h2>
    <table>
    <caption>The budget</caption>
    <thead><tr><th scope="col">Limit</th><th scope="col">Is</th><th scope="col">May be</th><th scope="col"></th><th scope="col">Most by</th></tr></thead>
    <tbody>
    <tr><th scope="row">site-bytes</th><td data-of="Is">1.2 MB</td><td data-of="May be">1.0 MB</td><td><strong class="bad">over</strong></td><td data-of="Most by"></td></tr>
    <tr><th scope="row">purge-dollars</th><td data-of="Is">$0.250</td><td data-of="May be">$1.00</td><td>within</td><td data-of="Most by"></td></tr>
    </tbody>
    </table>
    </section>
    <section id="changes" aria-labelledby="changes-title">
    <h2 id="changes-title">What changes, and why</h2>
    <div id="tree">
    <table>
    <caption>By folder</caption>
    <thead><tr><th scope="col">Name</th><th scope="col">Objects</th><th scope="col">Size</th></tr></thead>
    <tbody>
    <tr><th scope="row"><code>a\u{1b}한글.html</code></th><td data-of="Objects">1</td><td data-of="Size">12.0 kB</td></tr>
    <tr><th scope="row"><code>img/b.png</code></th><td data-of="Objects">1</td><td data-of="Size">90.0 kB</td></tr>
    <tr><th scope="row"><code>index.html</code></th><td data-of="Objects">1</td><td data-of="Size">1.2 MB</td></tr>
    <tr><th scope="row"><code>old.html</code></th><td data-of="Objects">1</td><td data-of="Size">1 B</td></tr>
    <tr><th scope="row"><code>posts/new.html</code></th><td data-of="Objects">1</td><td data-of="Size">4.2 kB</td></tr>
    <tr><th scope="row"><code>style.css</code></th><td data-of="Objects">1</td><td data-of="Size">900 B</td></tr>
    </tbody>
    </table>
    </div>
    </section>
    <section id="purge" aria-labelledby="purge-title">
    <h2 id="purge-title">The purge</h2>
    <article class="purge" aria-labelledby="purge-0">
    <h3 id="purge-0">E123 (www.example.com)</h3>
    <table>
    <caption>What it costs, and what else would</caption>
    <thead><tr><th scope="col">Purge</th><th scope="col">Paths</th><th scope="col">Price</th><th scope="col">Time</th><th scope="col">Fetched again needlessly</th></tr></thead>
    <tbody>
    <tr><th scope="row">Chosen</th><td data-of="Paths">3</td><td data-of="Price">$0</td><td data-of="Time">about 25 s</td><td data-of="Fetched again needlessly">4</td></tr>
    <tr><th scope="row">Exact paths</th><td data-of="Paths">13</td><td data-of="Price">$0</td><td data-of="Time">about 25 s</td><td data-of="Fetched again needlessly">0</td></tr>
    <tr><th scope="row"><code>/*</code></th><td data-of="Paths">1</td><td data-of="Price">$0</td><td data-of="Time">about 25 s</td><td data-of="Fetched again needlessly">301</td></tr>
    </tbody>
    </table>
    <div class="map" data-purge="0">
    <ul>
    <li><code>/index.html</code> 1 changed</li>
    <li><code>/posts/*</code> 12 changed, 3 unchanged</li>
    <li><code>#page (every page)</code> 1 changed, 1 unchanged</li>
    </ul>
    </div>
    </article>
    <article class="purge" aria-labelledby="purge-1">
    <h3 id="purge-1">E123 (www.example.com), once removed assets are gone</h3>
    <table>
    <caption>What it costs, and what else would</caption>
    <thead><tr><th scope="col">Purge</th><th scope="col">Paths</th><th scope="col">Price</th><th scope="col">Time</th><th scope="col">Fetched again needlessly</th></tr></thead>
    <tbody>
    <tr><th scope="row">Chosen</th><td data-of="Paths">1</td><td data-of="Price">$0.0050</td><td data-of="Time">about 25 s</td><td data-of="Fetched again needlessly">0</td></tr>
    </tbody>
    </table>
    <div class="map" data-purge="1">
    <ul>
    <li><code>/old.png</code> 1 changed</li>
    </ul>
    </div>
    </article>
    </section>
    <section id="sizes" aria-labelledby="sizes-title">
    <h2 id="sizes-title">Sizes and price</h2>
    <table>
    <caption>What changes, by type</caption>
    <thead><tr><th scope="col">Type</th><th scope="col">New or changed</th><th scope="col">Removed</th></tr></thead>
    <tbody>
    <tr><th scope="row">HTML</th><td data-of="New or changed">3 (1.2 MB)</td><td data-of="Removed">1 (1 B)</td></tr>
    <tr><th scope="row">CSS</th><td data-of="New or changed">1 (900 B)</td><td data-of="Removed">–</td></tr>
    <tr><th scope="row">Images</th><td data-of="New or changed">1 (90.0 kB)</td><td data-of="Removed">–</td></tr>
    </tbody>
    </table>
    <table>
    <caption>The largest of what changes</caption>
    <thead><tr><th scope="col">Object</th><th scope="col">Size</th></tr></thead>
    <tbody>
    <tr><th scope="row"><code>index.html</code></th><td data-of="Size">1.2 MB</td></tr>
    <tr><th scope="row"><code>img/b.png</code></th><td data-of="Size">90.0 kB</td></tr>
    <tr><th scope="row"><code>a\u{1b}한글.html</code></th><td data-of="Size">12.0 kB</td></tr>
    <tr><th scope="row"><code>posts/new.html</code></th><td data-of="Size">4.2 kB</td></tr>
    <tr><th scope="row"><code>style.css</code></th><td data-of="Size">900 B</td></tr>
    </tbody>
    </table>
    <ul>
    <li>5 uploads or copies at S3&#39;s usual price: $0.000025</li>
    <li>4 paths purged: $0.0050</li>
    <li>Free paths of this month: 989 left before, 987 after</li>
    </ul>
    </section>
    <section id="links" aria-labelledby="links-title">
    <h2 id="links-title">Links that do not do what they seem to</h2>
    <p>2 links lead nowhere</p>
    <ul>
    <li><code>index.html</code>: <code>/nowhere/</code> leads nowhere</li>
    <li><code>index.html</code>: <code>/About/</code> is there in other letters alone; <code>/about/</code> is there</li>
    </ul>
    </section>
    </main>
    <footer><p>Written by unstale 0.1.0</p></footer>
    "##);
}

#[test]
fn the_script_is_told_what_changes_and_what_takes_which_url() {
    let data = data(&written(&mapped()));
    insta::assert_snapshot!(data["changes"]["tree"], @r##"
    ["",[2,2,0,1,1],1307101,[["a\\u{1b}한글.html",1,12000,0],["img/b.png",0,90000,2,"new, copied from img/a.png"],["index.html",1,1200000,0],["old.html",4,1,4],["posts/new.html",0,4200,0],["style.css",3,900,1]]]
    "##);
    insta::assert_snapshot!(data["purges"][0], @r##"
    {"out":[0,0],"patterns":[["/posts/*",12,3,null],["#page",1,1,"every page"]],"reasons":["it is removed","its content changed"],"urls":[[0,"/gone?*",0,-1],[1,"index.html",1],[1,"other",-1,1],[1,"posts/",1,0],[7,"a",1,0],[8,"b",1,0],[7,"b",-1,0],[1,"tagged",1,1]]}
    "##);
}

#[test]
fn a_deploy_that_failed_tells_how_far_it_came() {
    let mut line = TimeLine::default();
    let scanned = DeployEvent::Scanned { files: 2, bytes: 9 };
    line.note(Duration::from_millis(20), &scanned);
    line.note(
        Duration::from_millis(30),
        &DeployEvent::Warned("slow".to_owned()),
    );
    let error = Error::incomplete("1 of 2 uploads failed")
        .because("a.html: 503")
        .hint("again");
    let summary = DeploySummary {
        deploy: Some("d1".to_owned()),
        bucket: "site".to_owned(),
        uploaded: 1,
        failed: 1,
        seconds: 1.0,
        ..DeploySummary::default()
    };
    let (plan, context) = (Plan::default(), context());
    let page = page(&PageSubject {
        deploy: Some(ReportedDeploy {
            summary: Some(&summary),
            error: Some(&error),
            line: &line,
        }),
        ..subject(&plan, &context)
    });
    for words in [
        "<h1>Deployed in part: 1 file of the build to s3://site in 1.0 s</h1>",
        "<strong>1 of 2 uploads failed</strong>",
        "<li>a.html: 503</li>",
        "<li>deploy d1</li>",
        "<dt>failed</dt><dd>1</dd>",
        "<span>Read the build: 2 files, 9 B</span>",
        "<li>slow</li>",
    ] {
        assert!(page.contains(words), "{words}\n{}", body(&page));
    }
}

#[test]
fn names_are_never_markup() {
    let mut plan = rich();
    plan.changes
        .push(change(HOSTILE, Reason::New, ChangeAction::Upload, 1));
    plan.deletions.push(deletion(HOSTILE));
    plan.foreign = vec![Key::new(HOSTILE)];
    plan.warnings = vec![HOSTILE.to_owned()];
    plan.lost[0].path = HOSTILE.to_owned();
    plan.links.as_mut().unwrap().problems[0].to = HOSTILE.to_owned();
    plan.budget[0].culprit = Some(HOSTILE.to_owned());
    let purge = &mut plan.purges[0];
    purge.target = HOSTILE.to_owned();
    purge
        .purge
        .stale
        .owe(HOSTILE.to_owned(), OwedReason::Content);
    purge.purge.cover.patterns[0].text = HOSTILE.to_owned();
    let page = written(&plan);
    assert!(!page.contains("<img"), "{page}");
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(data(&page).to_string().contains("onerror"));
    let comment = markdown(&plan, &context());
    // What stands between fences is code.
    let prose = comment.split("```\n").step_by(2).flat_map(str::lines);
    for line in prose.filter(|line| line.contains("img src")) {
        // Outside of code spans nothing is left of it.
        let outside: String = line.split("``").step_by(2).collect();
        for sign in ["<img", "@all", " #1"] {
            assert!(!outside.contains(sign), "{sign}: {line}");
        }
    }
}

#[test]
fn a_page_needs_no_network() {
    let page = written(&rich());
    for sign in [
        "http:",
        "https:",
        "src=",
        "url(",
        "@import",
        "//www",
        "innerHTML",
    ] {
        assert!(!page.contains(sign), "{sign}");
    }
    assert!(page.contains("default-src 'none'"));
    assert_eq!(page, written(&rich()));
}

/// Each file of so many new ones is owed at three URLs; `name` makes a folder of a number.
fn grown(files: usize, name: impl Fn(usize) -> String) -> Plan {
    let keys: Vec<String> = (0..files)
        .map(|at| format!("{}index.html", name(at)))
        .collect();
    let changes = keys
        .iter()
        .map(|key| change(key, Reason::New, ChangeAction::Upload, 1234));
    let urls = keys.iter().flat_map(|key| {
        let folder = key.trim_end_matches("index.html");
        [key, folder, folder.trim_end_matches('/')].map(|path| format!("/{path}"))
    });
    let urls: Vec<String> = urls.collect();
    let exact: Vec<(&str, u64, u64)> = urls.iter().map(|url| (url.as_str(), 1, 0)).collect();
    let Plan { lost, links, .. } = rich();
    let (lost, problem) = (&lost[0], &links.unwrap().problems[0]);
    let sent = PurgeChoice {
        stale: owed(urls.iter().map(|url| (url.clone(), OwedReason::Content))),
        ..purge(
            cover(&exact, 1),
            cover(&exact, 1),
            cover(&[("/*", 1, 0)], 1),
        )
    };
    Plan {
        changes: changes.collect(),
        purges: vec![DistributionPurge {
            target: "E1".to_owned(),
            purge: sent,
            after: PurgeChoice::default(),
            resent: Default::default(),
        }],
        lost: keys
            .iter()
            .map(|key| LostUrl {
                path: format!("/{key}"),
                ..lost.clone()
            })
            .collect(),
        warnings: keys.clone(),
        links: Some(LinkReport {
            problems: keys
                .iter()
                .map(|key| LinkProblem {
                    pages: vec![key.as_str().into()],
                    to: key.clone(),
                    ..problem.clone()
                })
                .collect(),
            ..LinkReport::default()
        }),
        ..Plan::default()
    }
}

#[test]
fn a_page_stays_small_however_much_there_is() {
    for (files, name) in [
        (
            10_000,
            (|at| format!("posts/{at:05}-a-title-of-usual-length/")) as fn(usize) -> String,
        ),
        (10_000, |at| {
            format!("{:02}/{:02}/{at}/", at % 100, at / 100 % 100)
        }),
        (10_000, |at| format!("{at}/{}/", "<&\"한".repeat(150))),
        (3_000, |at| "a/".repeat(at % 500) + &format!("{at}/")),
        (30_000, |at| format!("{}/{}/{at}/", at % 7, at % 1000)),
    ] {
        let plan = grown(files, name);
        let page = written(&plan);
        assert!(page.len() < MAX_PAGE, "{}", page.len());
        assert!(markdown(&plan, &context()).len() < MAX_COMMENT);
        let data = data(&page);
        let tree = &data["changes"]["tree"];
        assert_eq!(objects(tree), files as u64);
        assert_eq!(tree[1][0], files);
        let purge = &data["purges"][0];
        let urls = purge["urls"].as_array().unwrap().len() as u64;
        assert!(urls > 20, "{urls}");
        let owed = plan.purges[0].purge.stale.owed.len() as u64;
        assert_eq!(urls + purge["out"][1].as_u64().unwrap(), owed);
    }
}

/// How many objects a node of the tree stands for: those listed and those left out.
fn objects(node: &Value) -> u64 {
    let Some(entries) = node[3].as_array() else {
        return 1;
    };
    let listed: u64 = entries.iter().map(objects).sum();
    listed + node[4].as_u64().unwrap_or_default()
}

#[test]
fn a_deploy_is_markdown_with_what_was_found() {
    let done = DeploySummary {
        bucket: "site".to_owned(),
        outcome: "done".to_owned(),
        uploaded: 12,
        uploaded_bytes: 1_300_000,
        unchanged: 12_298,
        seconds: 2.14,
        url: Some("https://www.example.com".to_owned()),
        ..DeploySummary::default()
    };
    let plan = Plan {
        changes: vec![change("a|b.html", Reason::New, ChangeAction::Upload, 9)],
        ..Plan {
            lost: rich().lost,
            warnings: vec!["a_b costs $1".to_owned()],
            ..Plan::default()
        }
    };
    insta::assert_snapshot!(deployed(&done, &Completions::new(), Some(&plan)), @r##"
    ### Deployed 12,310 files to s3:<!-- -->//site in 2.1 s

    | | |
    |---|---|
    | uploaded | 12 (1.3 MB) |
    | unchanged | 12,298 |
    | live at | <https://www.example.com> |

    #### 2 URLs will be gone

    - `/about/` (live since 2026-05-03, linked from 2 pages); /me/ has the same content
    - `/old/`

    ```
    /about/ /me/ 301
    ```

    That line in &#95;redirects keeps it: &#96;deploy --accept-redirects&#96; writes it.

    #### Warnings

    - a&#95;b costs <span>$</span>1

    <details><summary>1 change</summary>

    | object | why | size |
    |---|---|---:|
    | `a\|b.html` | new | 9 B |

    </details>

    <details><summary>Size by type</summary>

    | type | new or changed | removed |
    |---|---:|---:|
    | HTML | 1 (9 B) | – |

    </details>
    "##);
    let idle = DeploySummary {
        outcome: "nothing to do".to_owned(),
        ..done
    };
    insta::assert_snapshot!(deployed(&idle, &Completions::new(), None), @r##"
    ### Nothing to deploy

    `s3://site` holds this build.
    "##);
}
