//! An error or a warning as a person reads it: what failed, why, and what helps. Pure.

use super::text::{Paint, shown, wrapped};
use crate::error::Error;

/// `error: MESSAGE`, its causes indented, `hint: HINT`, wrapped at `width` columns.
pub fn error(error: &Error, width: usize, paint: Paint) -> String {
    let mut lines = vec![labelled(
        "error: ",
        &paint.red("error:"),
        &error.message,
        width,
    )];
    for cause in &error.causes {
        lines.push(wrapped(&safe(cause), width, "  ", "    "));
    }
    if let Some(hint) = &error.hint {
        lines.push(labelled("hint: ", &paint.cyan("hint:"), hint, width));
    }
    lines.join("\n")
}

/// `warning: MESSAGE`.
pub fn warning(message: &str, width: usize, paint: Paint) -> String {
    labelled("warning: ", &paint.yellow("warning:"), message, width)
}

/// The label is painted after wrapping: colours take no columns.
fn labelled(label: &str, painted: &str, message: &str, width: usize) -> String {
    let indent = " ".repeat(label.len());
    let text = wrapped(&safe(message), width, label, &indent);
    text.replacen(label.trim_end(), painted, 1)
}

/// Line breaks are the message's own; everything else that could steer a terminal is escaped.
fn safe(message: &str) -> String {
    let lines: Vec<String> = message.lines().map(shown).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied() -> Error {
        Error::failed("AccessDenied: s3:PutObject on arn:aws:s3:::site/index.html is not allowed for arn:aws:iam::123456789012:user/ci")
            .because("upload of index.html")
            .because("S3 answered 403 Forbidden (request 4Z9K, host id a very long text that goes on past the end of the line)")
            .hint("add s3:PutObject to the policy of the user; `unstale policy` prints all that is needed")
    }

    #[test]
    fn an_error_is_wrapped_at_the_width() {
        insta::assert_snapshot!(error(&denied(), 80, Paint(false)), @r#"
        error: AccessDenied: s3:PutObject on arn:aws:s3:::site/index.html is not allowed
               for arn:aws:iam::123456789012:user/ci
          upload of index.html
          S3 answered 403 Forbidden (request 4Z9K, host id a very long text that goes on
            past the end of the line)
        hint: add s3:PutObject to the policy of the user; `unstale policy` prints all
              that is needed
        "#);
    }

    #[test]
    fn colour_is_on_labels_alone() {
        let text = error(
            &Error::usage("no DIR\u{7}").hint("give one"),
            80,
            Paint(true),
        );
        assert_eq!(
            text,
            "\u{1b}[31merror:\u{1b}[0m no DIR\\u{7}\n\u{1b}[36mhint:\u{1b}[0m give one"
        );
        assert_eq!(warning("a\nb", 80, Paint(false)), "warning: a\n         b");
    }
}
