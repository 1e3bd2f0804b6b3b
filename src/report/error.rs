//! Errors and warnings: what failed, why, and what helps. Pure.

use serde_json::{Value, json};

use super::options::TextLook;
use super::text::{self, shown_lines, wrapped};
use crate::error::Error;

/// Writes `error: MESSAGE`, its causes indented, `hint: HINT`.
pub(super) fn text(error: &Error, look: TextLook) -> String {
    let (width, paint) = (look.width, look.paint);
    let label = paint.red("error:");
    let mut lines = vec![labelled("error: ", &label, &error.message, width)];
    for cause in &error.causes {
        lines.push(wrapped(&shown_lines(cause), width, "  ", "    "));
    }
    if let Some(hint) = &error.hint {
        lines.push(labelled("hint: ", &paint.cyan("hint:"), hint, width));
    }
    lines.join("\n")
}

/// Returns the error as the last object.
pub(super) fn json(error: &Error) -> Value {
    json!({
        "type": "error", "message": error.message, "causes": error.causes, "hint": error.hint,
        "exit": error.exit as i32,
    })
}

/// Writes `warning: MESSAGE`.
pub(super) fn warning(message: &str, look: TextLook) -> String {
    let label = look.paint.yellow("warning:");
    labelled("warning: ", &label, message, look.width)
}

/// Writes a warning that the last deploy gave, too, in one line.
pub(super) fn known_warning(message: &str, look: TextLook) -> String {
    const REST: &str = " ... (as before; -v tells all)";
    let whole = warning(message, look);
    if whole.lines().count() == 1 {
        return whole;
    }
    let width = look.width.saturating_sub(REST.len());
    let cut = warning(message, TextLook { width, ..look });
    format!("{}{REST}", cut.lines().next().unwrap_or_default())
}

/// Returns the warning as an object.
pub(super) fn warning_json(message: &str) -> Value {
    json!({"type": "warning", "message": message})
}

/// Paints the label after wrapping: colours take no columns.
fn labelled(label: &str, painted: &str, message: &str, width: usize) -> String {
    let text = text::labelled(label, &shown_lines(message), width);
    text.replacen(label.trim_end(), painted, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text::Paint;

    fn look(color: bool) -> TextLook {
        TextLook {
            width: 80,
            paint: Paint(color),
            ..TextLook::default()
        }
    }

    fn denied() -> Error {
        Error::failed("AccessDenied: s3:PutObject on arn:aws:s3:::site/index.html is not allowed for arn:aws:iam::123456789012:user/ci")
            .because("upload of index.html")
            .because("S3 answered 403 Forbidden (request 4Z9K, host id a very long text that goes on past the end of the line)")
            .hint("add s3:PutObject to the policy of the user; `unstale policy` prints all that is needed")
    }

    #[test]
    fn an_error_is_wrapped_at_the_width() {
        insta::assert_snapshot!(text(&denied(), look(false)), @r#"
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
        let error = Error::usage("no DIR\u{7}").hint("give one");
        assert_eq!(
            text(&error, look(true)),
            "\u{1b}[31merror:\u{1b}[0m no DIR\\u{7}\n\u{1b}[36mhint:\u{1b}[0m give one"
        );
        assert_eq!(warning("a\nb", look(false)), "warning: a\n         b");
    }

    #[test]
    fn an_object_tells_how_the_process_ends() {
        let object = json(&Error::usage("bad").because("why").hint("do"));
        let expected =
            json!({"type": "error", "message": "bad", "causes": ["why"], "hint": "do", "exit": 2});
        assert_eq!(object, expected);
    }
}
