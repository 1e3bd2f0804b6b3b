//! The tokens of a CloudFront Function's code: enough to follow what it does to the URI, without a parser. What is not certain is an
//! error, which names the place in the source.

/// A token, with where it begins in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CodeToken<'a> {
    pub(super) kind: TokenKind<'a>,
    pub(super) start: usize,
    /// It is the first of its line.
    pub(super) first: bool,
}

/// What a token is. A template string is told as the sum that it stands for, in parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
    /// A name, a keyword or a number.
    Name(&'a str),
    /// A string, its escapes resolved.
    Text(String),
    /// A regular expression without its slashes, and its flags.
    Regex(&'a str, &'a str),
    Sign(&'a str),
}

/// Signs of more than one character, the longest first.
const SIGNS: [&str; 30] = [
    ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "=>", "==", "!=",
    "<=", ">=", "&&", "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=",
];
/// What a regular expression may follow that looks like a value.
const BEFORE_REGEX: [&str; 9] = [
    "return", "typeof", "case", "else", "throw", "await", "in", "of", "void",
];

/// Splits the source into tokens. `Err`: where it cannot go on.
pub(super) fn tokens(source: &str) -> Result<Vec<CodeToken<'_>>, usize> {
    let mut tokenizer = Tokenizer {
        source,
        at: 0,
        first: true,
        tokens: Vec::new(),
        templates: Vec::new(),
    };
    while let Some(next) = tokenizer.peek() {
        tokenizer.step(next)?;
    }
    if tokenizer.templates.is_empty() {
        Ok(tokenizer.tokens)
    } else {
        Err(source.len())
    }
}

fn is_line_end(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

pub(super) fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '$')
}

struct Tokenizer<'a> {
    source: &'a str,
    at: usize,
    first: bool,
    tokens: Vec<CodeToken<'a>>,
    /// For each `${` that is open, how many braces are open within.
    templates: Vec<usize>,
}

impl<'a> Tokenizer<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn push(&mut self, kind: TokenKind<'a>, start: usize) {
        let first = std::mem::take(&mut self.first);
        self.tokens.push(CodeToken { kind, start, first });
    }

    /// Goes past a token, white space or a comment, which begins with `next`.
    fn step(&mut self, next: char) -> Result<(), usize> {
        let (start, rest) = (self.at, self.rest());
        if next.is_whitespace() {
            self.first |= is_line_end(next);
            self.bump();
        } else if rest.starts_with("//") {
            self.at += rest.find(is_line_end).unwrap_or(rest.len());
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let length = comment.find("*/").ok_or(start)?;
            self.first |= rest
                .get(..length)
                .is_some_and(|text| text.contains(is_line_end));
            self.at += length + 4;
        } else if is_name(next) {
            let is_part = |letter: char| is_name(letter) || next.is_ascii_digit() && letter == '.';
            let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            self.at += length;
            self.push(
                TokenKind::Name(rest.get(..length).unwrap_or_default()),
                start,
            );
        } else if matches!(next, '"' | '\'') {
            self.bump();
            self.text(next, start)?;
        } else if next == '`' {
            self.bump();
            self.push(TokenKind::Sign("("), start);
            self.template(start)?;
        } else if next == '/' && self.may_be_regex().ok_or(start)? {
            self.regex(start)?;
        } else if next == '}' && self.templates.last() == Some(&0) {
            self.bump();
            self.templates.pop();
            self.push(TokenKind::Sign(")"), start);
            self.push(TokenKind::Sign("+"), start);
            self.template(start)?;
        } else {
            let many = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let length = many.map_or(next.len_utf8(), |sign| sign.len());
            match (next, self.templates.last_mut()) {
                ('{', Some(open)) => *open += 1,
                ('}', Some(open)) => *open -= 1,
                // An escape within a name.
                ('\\', _) => return Err(start),
                _ => {}
            }
            self.at += length;
            self.push(
                TokenKind::Sign(rest.get(..length).unwrap_or_default()),
                start,
            );
        }
        Ok(())
    }

    /// Returns whether a `/` here begins a regular expression: it is a division behind a value. `None`: it may be either.
    fn may_be_regex(&self) -> Option<bool> {
        match self.tokens.last().map(|token| &token.kind) {
            None => Some(true),
            Some(TokenKind::Name(name)) => Some(BEFORE_REGEX.contains(name)),
            Some(TokenKind::Text(_) | TokenKind::Regex(..)) => Some(false),
            Some(TokenKind::Sign("}")) => None,
            Some(TokenKind::Sign(")")) => Some(self.is_behind_condition()),
            Some(TokenKind::Sign(sign)) => Some(!matches!(*sign, "]" | "++" | "--")),
        }
    }

    /// Returns whether the `)` that was just read ends the condition of a statement.
    fn is_behind_condition(&self) -> bool {
        let mut open = 0;
        let mut tokens = self.tokens.iter().rev();
        let pair = tokens.find(|token| {
            match token.kind {
                TokenKind::Sign(")") => open += 1,
                TokenKind::Sign("(") => open -= 1,
                _ => {}
            }
            open == 0
        });
        let word = pair.and_then(|_| tokens.next()).map(|token| &token.kind);
        matches!(word, Some(TokenKind::Name("if" | "while" | "for")))
    }

    fn text(&mut self, quote: char, start: usize) -> Result<(), usize> {
        let mut text = String::new();
        loop {
            match self.bump().ok_or(start)? {
                '\n' => return Err(start),
                '\\' => text.extend(self.escaped().ok_or(start)?),
                end if end == quote => break,
                letter => text.push(letter),
            }
        }
        self.push(TokenKind::Text(text), start);
        Ok(())
    }

    /// Goes on with a template string, to the next `${` or its end.
    fn template(&mut self, start: usize) -> Result<(), usize> {
        let mut text = String::new();
        let sign = loop {
            match self.bump().ok_or(start)? {
                '`' => break ")",
                '$' if self.peek() == Some('{') => {
                    self.bump();
                    self.templates.push(0);
                    break "+";
                }
                '\\' => text.extend(self.escaped().ok_or(start)?),
                letter => text.push(letter),
            }
        };
        self.push(TokenKind::Text(text), start);
        self.push(TokenKind::Sign(sign), start);
        if sign == "+" {
            self.push(TokenKind::Sign("("), start);
        }
        Ok(())
    }

    /// Resolves what stands behind a backslash: nothing for a line break. `None`: it is not known, or at the end.
    fn escaped(&mut self) -> Option<Option<char>> {
        let digits = match self.bump()? {
            'n' => return Some(Some('\n')),
            't' => return Some(Some('\t')),
            'r' => return Some(Some('\r')),
            '\n' => return Some(None),
            'x' => 2,
            'u' => 4,
            letter if letter.is_alphanumeric() => return None,
            letter => return Some(Some(letter)),
        };
        let code = u32::from_str_radix(self.rest().get(..digits)?, 16).ok()?;
        self.at += digits;
        // Half of a pair stands for no character of its own, and no name that matters has any.
        Some(Some(char::from_u32(code).unwrap_or('\u{fffd}')))
    }

    fn regex(&mut self, start: usize) -> Result<(), usize> {
        self.bump();
        let mut in_class = false;
        loop {
            match self.bump().ok_or(start)? {
                '\n' => return Err(start),
                '\\' => _ = self.bump(),
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => break,
                _ => {}
            }
        }
        let end = self.at;
        let rest = self.rest();
        let length = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
        self.at += length;
        let body = self.source.get(start + 1..end - 1).unwrap_or_default();
        self.push(
            TokenKind::Regex(body, rest.get(..length).unwrap_or_default()),
            start,
        );
        Ok(())
    }
}
