//! Questions to whoever sits at the terminal: on stderr, answered on stdin.

use std::io::{self, IsTerminal};

use super::printer::Printer;
use super::text::{count, elided, first_names, shown};
use crate::object::Key;

/// Choices that are shown; what is not can be named.
const MAX_SHOWN: usize = 30;
/// Objects that are named.
const MAX_NAMED: usize = 3;

/// What is asked, and what may be answered: a number of a choice, or anything that `accept` takes.
pub struct PromptQuestion<'a> {
    pub title: &'a str,
    pub choices: Vec<PromptChoice>,
    /// What may be typed: `number or name`.
    pub kind: &'a str,
    /// What an empty line stands for, in words, if it may be.
    pub empty: Option<&'a str>,
    /// Says what is wrong with an answer.
    pub accept: fn(&str) -> Result<(), String>,
}

/// One of the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptChoice {
    pub value: String,
    pub shown: String,
}

impl Printer {
    /// Tells whether somebody is there to be asked.
    pub fn can_ask(&self) -> bool {
        let terminals = io::stdin().is_terminal() && io::stderr().is_terminal();
        terminals && !self.options.json && !self.options.quiet
    }

    /// Asks whether these objects may go. Where nobody answers they may not.
    pub fn may_delete(&self, refusal: &str, keys: &[Key]) -> bool {
        let names = first_names(keys.iter().map(Key::as_str), MAX_NAMED);
        self.agrees(&format!("Careful: {refusal}: {names}"))
    }

    /// Asks whether to go on. Where nobody answers the answer is no.
    pub fn agrees(&self, title: &str) -> bool {
        let question = PromptQuestion {
            title,
            choices: Vec::new(),
            kind: "Go on? yes or no",
            empty: Some("no"),
            accept: |text| match text {
                "yes" | "y" | "no" | "n" => Ok(()),
                _ => Err("yes or no?".to_owned()),
            },
        };
        let answer = self.ask(&question).ok().flatten();
        answer.is_some_and(|answer| answer.starts_with('y'))
    }

    /// Ends the line of a question that nobody answers any more.
    pub fn withdraw_question(&self) {
        self.note("");
    }

    /// Asks until there is an answer that is accepted; `None` for an empty line.
    ///
    /// # Errors
    /// Where stdin ends or cannot be read.
    pub fn ask(&self, question: &PromptQuestion<'_>) -> io::Result<Option<String>> {
        let choices = &question.choices;
        self.note(question.title);
        for (number, choice) in (1..).zip(choices.iter().take(MAX_SHOWN)) {
            let line = format!("{number:<2} {}", shown(&choice.shown));
            self.note(&elided(&line, self.options.err.width));
        }
        if let Some(more @ 1..) = choices.len().checked_sub(MAX_SHOWN) {
            self.note(&format!("and {} more", count(more as u64)));
        }
        loop {
            let empty = question.empty.map(|empty| format!(" (Enter: {empty})"));
            let prompt = format!("{}{}: ", question.kind, empty.unwrap_or_default());
            let line = self.prompt(&prompt)?;
            match answer(question, line.trim()) {
                Ok(answer) => return Ok(answer),
                Err(problem) => self.note(&shown(&problem)),
            }
        }
    }
}

/// Finds out what a line stands for.
fn answer(question: &PromptQuestion<'_>, line: &str) -> Result<Option<String>, String> {
    if line.is_empty() {
        let needed = || "It has to be one of these; Ctrl-C ends".to_owned();
        return question.empty.map(|_| None).ok_or_else(needed);
    }
    let choices = &question.choices;
    if let Ok(number) = line.parse::<usize>()
        && !choices.is_empty()
    {
        let choice = number.checked_sub(1).and_then(|index| choices.get(index));
        let choice = choice.ok_or_else(|| format!("{number} is none of these"))?;
        return Ok(Some(choice.value.clone()));
    }
    (question.accept)(line).map(|()| Some(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_number_a_name_nothing_or_asked_for_again() {
        let choice = |value: &str| PromptChoice {
            value: value.to_owned(),
            shown: String::new(),
        };
        let question = PromptQuestion {
            title: "",
            choices: vec![choice("first"), choice("second")],
            kind: "",
            empty: Some("none"),
            accept: |text| match text.len() {
                0..3 => Err(format!("`{text}` is too short")),
                _ => Ok(()),
            },
        };
        for (line, expected) in [
            ("", Ok(None)),
            ("2", Ok(Some("second".to_owned()))),
            ("other", Ok(Some("other".to_owned()))),
            ("0", Err("0 is none of these".to_owned())),
            ("3", Err("3 is none of these".to_owned())),
            ("x", Err("`x` is too short".to_owned())),
        ] {
            assert_eq!(answer(&question, line), expected, "{line}");
        }
        let needed = PromptQuestion {
            empty: None,
            ..question
        };
        assert!(answer(&needed, "").is_err());
    }
}
