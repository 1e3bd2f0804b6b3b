//! Plans as people and programs see them.

use std::collections::BTreeSet;

use super::*;
use crate::plan::{ChangeAction, Reason};
use crate::report::tests::{change, context, deletion, small};
use crate::report::text::columns;

fn look(width: usize) -> TextLook {
    TextLook {
        width,
        ..TextLook::default()
    }
}

#[test]
fn a_small_plan_is_shown_whole() {
    insta::assert_snapshot!(text(&small(), &context(), look(80)), @r#"
    Plan for s3://site/docs/ and E123 (www.example.com)

      + img/b.png                   new, copied from img/a.png
      + posts/new.html      4.2 kB  new
      ~ a\u{1b}한글.html   12.0 kB  content
      ~ index.html          1.2 MB  content
      = style.css                   headers
      - old.html                    removed

      3 to upload (1.2 MB): 1 new, 2 content · 2 to copy (1 new, 1 headers)
      1 to delete · 1,298 unchanged
      1 asset left the build and stays for pages that are still open
      4 objects are not ours and stay (--adopt takes them over): a, b, c and 1 more

    Purge of E123: 2 paths, free (987 of this month's left), about 25 s
      /index.html      1 changed
      /posts/*        12 changed, 3 unchanged
      Exact paths would be 13 paths for $0; /* would be 1 path for $0, with 301
      needless refetches.
    Purge of E123 for removed assets: 1 path, $0.0050, about 25 s
      /old.png      1 changed
    "#);
}

fn large() -> Plan {
    let many = |number: usize, folder: &str, reason: Reason| {
        (0..number)
            .map(|number| {
                change(
                    &format!("{folder}/{number:04}.html"),
                    reason,
                    ChangeAction::Upload,
                    1000,
                )
            })
            .collect::<Vec<_>>()
    };
    let changes = [
        many(400, "new", Reason::New),
        many(3, "content", Reason::Content),
    ]
    .concat();
    Plan {
        changes,
        deletions: (0..100)
            .map(|number| deletion(&format!("old/{number:04}.html")))
            .collect(),
        ..Plan::default()
    }
}

#[test]
fn a_large_plan_shows_some_of_each_kind() {
    let some = text(&large(), &context(), look(80));
    let listed = |sign: &str| {
        let sign = format!("  {sign} ");
        some.lines().filter(|line| line.starts_with(&sign)).count()
    };
    assert_eq!((listed("+"), listed("~"), listed("-")), (14, 3, 13));
    assert!(
        some.contains("\n  ... and 473 more (--verbose shows all)\n"),
        "{some}"
    );
    assert!(
        some.ends_with("  403 to upload (403 kB): 400 new, 3 content · 100 to delete"),
        "{some}"
    );
    let verbose = TextLook {
        verbose: true,
        ..look(80)
    };
    let whole = text(&large(), &context(), verbose);
    let removed = whole.lines().filter(|line| line.ends_with("removed"));
    assert_eq!(removed.count(), 100);
    assert!(!whole.contains("more ("));
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let mut long = small();
    let name = format!("{}/{}.html", "folder/".repeat(30), "한글".repeat(40));
    long.changes
        .push(change(&name, Reason::Content, ChangeAction::Upload, 1));
    long.foreign = vec![Key::new("x"); 200];
    for width in [60, 80, 120] {
        let text = text(&long, &context(), look(width));
        let widest = text.lines().map(columns).max().unwrap_or_default();
        assert!(widest <= width, "{width} {widest}\n{text}");
    }
    let piped = text(&long, &context(), TextLook::default());
    assert!(piped.contains(&name));
}

#[test]
fn an_empty_plan_says_so() {
    let idle = Plan {
        foreign: vec![Key::new("x")],
        due: 2,
        unchanged: 7,
        ..Plan::default()
    };
    insta::assert_snapshot!(text(&idle, &context(), look(80)), @r#"
    Nothing to do: s3://site/docs/ holds this build.

      2 retained assets are due, to go with the next deploy that changes something
        (or --sweep)
      1 object is not ours and stays (--adopt takes it over): x
    "#);
}

#[test]
fn a_plan_is_an_object_for_each_thing_and_the_summary_last() {
    let objects = json(&small(), &context());
    let kinds = objects.iter().map(|object| object["type"].as_str());
    let kinds: Vec<&str> = kinds.map(Option::unwrap).collect();
    let expected = [
        vec!["change"; 5],
        vec!["delete"],
        vec!["foreign"; 4],
        vec!["purge"; 2],
        vec!["summary"],
    ];
    assert_eq!(kinds, expected.concat());
    let last = objects.last().unwrap();
    for (name, value) in [
        ("outcome", json!("planned")),
        ("uploads", json!(3)),
        ("upload-bytes", json!(1_216_200)),
        ("copies", json!(2)),
        ("deletes", json!(1)),
        ("paths", json!(3)),
        ("cost-usd", json!(0.005)),
        (
            "reasons",
            json!({"new": 2, "content": 2, "headers": 1, "removed": 1}),
        ),
    ] {
        assert_eq!(last[name], value, "{name}");
    }
    let copied = objects.iter().find(|object| object["key"] == "img/b.png");
    let copied = copied.unwrap();
    assert_eq!(
        (&copied["action"], &copied["from"]),
        (&json!("copy"), &json!("img/a.png"))
    );
}

/// Collects the names of an object's fields, in depth, except reasons and headers.
fn names_in(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                names.insert(name.clone());
                names_in(value, names);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| names_in(value, names)),
        _ => {}
    }
}

#[test]
fn names_are_in_kebab_case() {
    let mut names = BTreeSet::new();
    for object in json(&small(), &context()) {
        names_in(&object, &mut names);
    }
    let summary = crate::report::summary::json(&crate::job::DeploySummary::default());
    names_in(&summary, &mut names);
    for name in &names {
        let kebab = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        assert!(name.bytes().all(kebab), "{name}");
    }
    assert!(names.contains("refetch-cost-usd"));
}
