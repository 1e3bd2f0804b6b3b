//! `unstale completions` and `unstale man`: the command line as shells and `man` have it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Ran, Unstale};

async fn completions(shell: &str) -> Ran {
    Unstale::new("completions").arg(shell).await.succeeds()
}

/// Has a shell run a text with the path of its completions as its first argument. None where there is no such shell.
async fn run_by(shell: &str, text: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("_unstale");
    fs::write(&script, completions(shell).await.stdout).unwrap();
    let mut command = Command::new(shell);
    command.args(["-c", text]);
    if shell != "fish" {
        command.arg(shell);
    }
    match command.arg(&script).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        ran => {
            let ran = ran.unwrap();
            let err = String::from_utf8_lossy(&ran.stderr);
            assert!(ran.status.success() && err.is_empty(), "{shell}: {err}");
            Some(String::from_utf8(ran.stdout).unwrap())
        }
    }
}

#[tokio::test]
async fn bash_completes_commands_and_flags() {
    let complete = r#"
        bash -n "$1" && . "$1"
        complete -p unstale
        for line in "unstale dep" "unstale deploy --max-d" "unstale completions fi" "unstale links --symlinks sk"; do
            read -ra COMP_WORDS <<<"$line"
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
            _unstale unstale "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[@]}"
        done"#;
    let said = run_by("bash", complete).await.expect("bash is everywhere");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].contains("-F _unstale"), "{said}");
    let completed = ["deploy", "--max-delete", "fish", "skip"];
    assert_eq!(&lines[1..], &completed, "{said}");
}

#[tokio::test]
async fn other_shells_read_theirs_where_they_are() {
    let asks = "source $argv[1]; complete -C 'unstale dep' | string split \\t -f 1";
    if let Some(said) = run_by("fish", asks).await {
        assert_eq!(said, "deploy\n");
    }
    let _ = run_by("zsh", "zsh -n $1").await;
    for (shell, begins) in [
        ("zsh", "#compdef unstale\n"),
        ("fish", "# Print an optspec"),
        (
            "powershell",
            "\nusing namespace System.Management.Automation\n",
        ),
        ("elvish", "\nuse builtin;\n"),
    ] {
        let script = completions(shell).await.stdout;
        assert!(script.starts_with(begins), "{shell}: {script:.200}");
        assert!(script.contains("rollback"), "{shell}");
    }
}

/// A shell asks for them as it starts, wherever that is.
#[tokio::test]
async fn completions_are_the_same_in_every_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("deploy.toml"), "json = true\nno = ").unwrap();
    let there = Unstale::new("completions bash")
        .env("UNSTALE_JSON", "1")
        .env("UNSTALE_BUCKET", "No Bucket")
        .within(folder.path())
        .await
        .succeeds();
    assert_eq!(there.stderr, "", "{there}");
    let script = completions("bash").await.stdout;
    assert_eq!(there.stdout, script);
    assert_eq!(
        Unstale::new("completions bash --quiet").await.stdout,
        script
    );

    let told = Unstale::new("completions bash --json").await.succeeds();
    assert_eq!(told.json().len(), 2, "{told}");
    let object = told.told("completions");
    assert_eq!(object["shell"], "bash");
    assert_eq!(object["script"].as_str().unwrap().trim(), script.trim());
    assert_eq!(told.summary()["outcome"], "done");
}

#[tokio::test]
async fn a_shell_that_is_not_known_is_refused_with_those_that_are() {
    Unstale::new("completions tcsh")
        .await
        .exits(2)
        .says("<SHELL>: `tcsh` is none of bash, elvish, fish, powershell, zsh");
}

/// The long flags that a text has.
fn flags(text: &str) -> BTreeSet<String> {
    let is_flag = |letter: char| letter.is_ascii_lowercase() || letter == '-';
    let words = text.split(|letter| !is_flag(letter));
    let flags = words.filter(|word| word.starts_with("--") && word.len() > 3);
    flags.map(str::to_owned).collect()
}

#[tokio::test]
async fn man_pages_have_every_command_and_flag_of_help() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("share/man1");
    let wrote = Unstale::new("man").arg(&dir).await.succeeds();
    assert_eq!(wrote.stdout, "");
    drop(wrote.says(&format!("Wrote the man pages to {}", dir.display())));

    let help = Unstale::new("--help").await.succeeds().stdout;
    let listed = help.split("Commands:\n").nth(1).unwrap();
    let listed = listed.split("\n\n").next().unwrap();
    let names = listed.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter_map(|line| line.split(' ').next());
    let names: Vec<&str> = names.filter(|name| !["", "help"].contains(name)).collect();
    assert!(names.contains(&"completions") && !names.contains(&"man"));

    let pages = fs::read_dir(&dir).unwrap();
    let pages: BTreeSet<_> = pages.map(|page| page.unwrap().file_name()).collect();
    let expected = names.iter().map(|name| format!("unstale-{name}.1").into());
    let expected = expected.chain(["unstale.1".into()]).collect();
    assert_eq!(pages, expected);

    let whole = fs::read_to_string(dir.join("unstale.1")).unwrap();
    assert!(whole.contains(".SH EXAMPLES\n  unstale deploy"), "{whole}");
    assert!(!whole.contains("EXTRA"), "{whole}");
    assert_page(&dir.join("unstale.1"), &help);
    for name in names {
        let help = Unstale::new(name).with("--help").await.succeeds().stdout;
        assert_page(&dir.join(format!("unstale-{name}.1")), &help);
    }
}

#[track_caller]
fn assert_page(path: &Path, help: &str) {
    // Strings for quotes come first, for any `man`.
    let page = fs::read_to_string(path).unwrap();
    let head = page.lines().find(|line| line.starts_with(".TH"));
    let title = format!(".TH {} 1 ", path.file_stem().unwrap().display());
    assert!(head.unwrap().starts_with(&title), "{page:.300}");
    assert!(flags(help).len() > 15, "{help}");
    let (has, needs) = (flags(&page.replace("\\-", "-")), flags(help));
    let missing: Vec<_> = needs.difference(&has).collect();
    assert!(missing.is_empty(), "{path:?}: {missing:?}");
}

#[tokio::test]
async fn man_says_where_it_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    Unstale::new("man")
        .arg(&file)
        .await
        .exits(1)
        .says("cannot write man pages to");
}
