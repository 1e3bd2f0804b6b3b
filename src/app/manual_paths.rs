//! What `unstale invalidate` is to purge: from the command line, a file or stdin.

use std::io::Read;
use std::path::Path;

use super::App;
use crate::cli;
use crate::edge::manual_path::{
    DistinctPaths, ManualPath, PathProblem, RefusedPath, distinct_paths, read_path,
};
use crate::error::{Error, Exit};
use crate::report::invalidations::refused_path;

/// What stands for stdin in the place of a path or a file.
const STDIN: &str = "-";
/// Refused paths that are told of, at most.
const MAX_TOLD: usize = 20;

/// A path as it was written, and where: `paths.txt:3`, or nowhere on the command line.
struct WrittenPath {
    text: String,
    place: Option<String>,
}

/// Reads and checks all of them, so that nothing is sent where one cannot be.
pub(super) async fn read(app: &App, flags: &cli::InvalidateArgs) -> Result<DistinctPaths, Error> {
    let mut written = Vec::new();
    for path in &flags.paths {
        if path == STDIN {
            written.extend(listed(app, Path::new(STDIN)).await?);
        } else {
            let (text, place) = (path.clone(), None);
            written.push(WrittenPath { text, place });
        }
    }
    if let Some(file) = &flags.paths_from {
        written.extend(listed(app, file).await?);
    }
    let (mut items, mut queries, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for path in &written {
        match read_path(&path.text) {
            Ok(ManualPath { item, has_query }) => {
                if has_query && !item.ends_with('*') {
                    queries.push(item.clone());
                }
                items.push(item);
            }
            Err(why) => refused.push((path, why)),
        }
    }
    if let Some(error) = refusal(&refused, written.len()) {
        return Err(error);
    }
    if items.is_empty() {
        return Err(
            Error::usage("no path is given").hint("unstale invalidate /index.html '/posts/*'")
        );
    }
    if let Some(item) = queries.first() {
        app.printer.queries_left_out(item, queries.len() as u64);
    }
    Ok(distinct_paths(items))
}

/// Reads the paths of a file, one a line.
async fn listed(app: &App, file: &Path) -> Result<Vec<WrittenPath>, Error> {
    let is_stdin = file == Path::new(STDIN);
    let name = if is_stdin {
        "stdin".to_owned()
    } else {
        file.display().to_string()
    };
    let file = file.to_owned();
    // A pipe may never be written to, and is read beside what takes the signals.
    let reading = tokio::task::spawn_blocking(move || {
        if !is_stdin {
            return std::fs::read(file);
        }
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let bytes = app
        .unless_stopped(reading, Error::interrupted("interrupted, nothing was sent"))
        .await?
        .unwrap_or_else(|error| Err(error.into()));
    let unreadable = |error| Error::usage(format!("cannot read {name}")).because(error);
    lines(&name, &bytes.map_err(unreadable)?)
}

/// Takes a file apart. Skipped are blank lines and comments: a `#` by itself or before a space, since `#name` is a tag.
fn lines(name: &str, bytes: &[u8]) -> Result<Vec<WrittenPath>, Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut written = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let place = format!("{name}:{number}");
        let text = std::str::from_utf8(line)
            .map_err(|_| Error::usage(format!("{place}: this line is not UTF-8")))?;
        // A space that a name ends in can be written %20.
        let text = text.trim();
        if !text.is_empty() && text != "#" && !text.starts_with("# ") {
            written.push(WrittenPath {
                text: text.to_owned(),
                place: Some(place),
            });
        }
    }
    Ok(written)
}

/// Says what cannot be purged as it is written, and what to write instead.
fn refusal(refused: &[(&WrittenPath, RefusedPath)], written: usize) -> Option<Error> {
    let told = |path: &WrittenPath, problem: &PathProblem| {
        let place = path.place.as_ref().map(|place| format!("{place}: "));
        let text = refused_path(&path.text);
        format!("{}{text} {problem}", place.unwrap_or_default())
    };
    match refused {
        [] => None,
        [(path, RefusedPath { problem, instead })] => {
            let error = Error::usage(told(path, problem));
            Some(match instead {
                Some(instead) => error.hint(advice(path, problem, instead)),
                None => error,
            })
        }
        several => {
            let message = format!(
                "{} of {written} paths cannot be purged as they are written: nothing was sent",
                several.len()
            );
            let causes = several.iter().map(|(path, refused)| {
                let told = told(path, &refused.problem);
                match &refused.instead {
                    Some(instead) => format!("{told}: write {instead}"),
                    None => told,
                }
            });
            let more = several.len().saturating_sub(MAX_TOLD);
            let more = (more > 0).then(|| format!("and {more} more"));
            Some(Error {
                causes: causes.take(MAX_TOLD).chain(more).collect(),
                ..Error::new(Exit::Usage, message)
            })
        }
    }
}

fn advice(path: &WrittenPath, problem: &PathProblem, instead: &str) -> String {
    let written = match path.place {
        Some(_) => format!("write {instead}"),
        None => format!("unstale invalidate {}", quoted(instead)),
    };
    match problem {
        PathProblem::NoSlash if !instead.ends_with('*') => written,
        _ => format!("{written}  (purges all that begins so)"),
    }
}

/// Quotes a word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_path_on_each_line() {
        let text = b"\xef\xbb\xbf/a\r\n\n  /b c \n# a comment\n#\n#tag\n\t\n/d";
        let read = lines("list", text).unwrap();
        let read: Vec<_> = read
            .iter()
            .map(|path| (&*path.text, path.place.as_deref().unwrap()))
            .collect();
        let expected = [
            ("/a", "list:1"),
            ("/b c", "list:3"),
            ("#tag", "list:6"),
            ("/d", "list:8"),
        ];
        assert_eq!(read, expected);
        let error = lines("list", b"/a\n/\xe9\n").err().unwrap();
        assert_eq!(error.message, "list:2: this line is not UTF-8");
    }

    #[test]
    fn what_is_advised_can_be_pasted() {
        for (text, hint) in [
            ("it's", "unstale invalidate '/it'\\''s'"),
            (
                "/a/*/b",
                "unstale invalidate '/a/*'  (purges all that begins so)",
            ),
        ] {
            let (place, text) = (None, text.to_owned());
            let path = WrittenPath { text, place };
            let refused = read_path(&path.text).unwrap_err();
            let error = refusal(&[(&path, refused)], 1).unwrap();
            assert_eq!(
                (error.exit, error.hint.as_deref()),
                (Exit::Usage, Some(hint))
            );
        }
    }
}
