//! A CloudFront Function's code as tokens with their brackets paired: where expressions, statements and bodies begin and end.

use std::ops::Range;

use super::javascript::{self, CodeToken, TokenKind};

/// The most characters shown of a place in the code.
const MAX_PIECE: usize = 60;

/// Tokens, by their positions. A position past the end has no token.
pub(super) struct TokenizedCode<'a> {
    source: &'a str,
    tokens: Vec<CodeToken<'a>>,
    /// For each bracket, the position of the one that it pairs with.
    pairs: Vec<usize>,
    /// For each token, the position of the innermost bracket that it stands in.
    outer: Vec<Option<usize>>,
}

impl<'a> TokenizedCode<'a> {
    /// `Err`: the piece of the source that is not understood.
    pub(super) fn read(source: &'a str) -> Result<Self, String> {
        let tokens = javascript::tokens(source).map_err(|start| cut(source, start))?;
        let mut pairs = vec![0; tokens.len()];
        let (mut outer, mut open) = (Vec::new(), Vec::new());
        for (at, token) in tokens.iter().enumerate() {
            let TokenKind::Sign(sign) = token.kind else {
                outer.push(open.last().copied());
                continue;
            };
            if matches!(sign, ")" | "]" | "}") {
                let pair: usize = open.pop().ok_or_else(|| cut(source, token.start))?;
                let ends = [(pair, at), (at, pair)];
                for (from, to) in ends {
                    pairs.get_mut(from).into_iter().for_each(|end| *end = to);
                }
            }
            outer.push(open.last().copied());
            if matches!(sign, "(" | "[" | "{") {
                open.push(at);
            }
        }
        if let Some(start) = open.pop().and_then(|at| tokens.get(at)) {
            return Err(cut(source, start.start));
        }
        Ok(Self {
            source,
            tokens,
            pairs,
            outer,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    fn kind(&self, at: usize) -> Option<&TokenKind<'a>> {
        Some(&self.tokens.get(at)?.kind)
    }

    pub(super) fn name(&self, at: usize) -> Option<&'a str> {
        match self.kind(at)? {
            TokenKind::Name(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn text(&self, at: usize) -> Option<&str> {
        match self.kind(at)? {
            TokenKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a regular expression without flags.
    pub(super) fn regex(&self, at: usize) -> Option<&'a str> {
        match self.kind(at)? {
            TokenKind::Regex(body, "") => Some(body),
            _ => None,
        }
    }

    /// Returns the sign, or nothing where there is none.
    pub(super) fn sign(&self, at: usize) -> &'a str {
        match self.kind(at) {
            Some(TokenKind::Sign(sign)) => sign,
            _ => "",
        }
    }

    /// Returns the sign before a token.
    pub(super) fn before(&self, at: usize) -> &'a str {
        at.checked_sub(1).map_or("", |before| self.sign(before))
    }

    /// Returns the name before a token.
    pub(super) fn word_before(&self, at: usize) -> Option<&'a str> {
        self.name(at.checked_sub(1)?)
    }

    pub(super) fn pair(&self, at: usize) -> usize {
        self.pairs.get(at).copied().unwrap_or_default()
    }

    pub(super) fn outer(&self, at: usize) -> Option<usize> {
        self.outer.get(at).copied().flatten()
    }

    /// Returns the property that `.name` or `["name"]` names, and what follows it.
    pub(super) fn property(&self, at: usize) -> Option<(&str, usize)> {
        match self.sign(at) {
            "." | "?." => Some((self.name(at + 1)?, at + 2)),
            "[" if self.pair(at) == at + 2 => Some((self.text(at + 1)?, at + 3)),
            _ => None,
        }
    }

    /// Returns whether the token is a value's name, not a property's or a key's.
    pub(super) fn is_value(&self, at: usize) -> bool {
        let before = self.before(at);
        let is_key = self.sign(at + 1) == ":" && matches!(before, "{" | ",");
        !matches!(before, "." | "?.") && !is_key
    }

    /// Returns where the expression ends that begins here: at a comma, a semicolon, a closing bracket, or a line's end behind which
    /// something else begins.
    pub(super) fn expression_end(&self, start: usize) -> usize {
        let (mut at, mut questions) = (start, 0);
        while at < self.len() {
            match self.sign(at) {
                "," | ";" | ")" | "]" | "}" => break,
                "?" => questions += 1,
                ":" if questions == 0 => break,
                ":" => questions -= 1,
                _ if at > start && self.is_apart(at) => break,
                "(" | "[" | "{" => at = self.pair(at),
                _ => {}
            }
            at += 1;
        }
        at
    }

    /// Returns whether a line's end before the token ends a statement.
    fn is_apart(&self, at: usize) -> bool {
        let is_end = |at: usize| matches!(self.sign(at), "" | ")" | "]" | "}");
        let is_first = self.tokens.get(at).is_some_and(|token| token.first);
        let begins = matches!(self.sign(at), "" | "{" | "!" | "~" | "++" | "--");
        is_first && begins && at.checked_sub(1).is_some_and(is_end)
    }

    /// Returns where each part of `start..end` begins and ends between these signs, those within brackets left alone.
    pub(super) fn parts(&self, start: usize, end: usize, signs: &[&str]) -> Vec<(usize, usize)> {
        let (mut parts, mut from, mut at) = (Vec::new(), start, start);
        while at < end {
            let sign = self.sign(at);
            if signs.contains(&sign) {
                parts.push((from, at));
                from = at + 1;
            } else if matches!(sign, "(" | "[" | "{") {
                at = self.pair(at);
            }
            at += 1;
        }
        parts.push((from, end));
        parts
    }

    /// Returns where the body ends that begins here, braces included.
    fn body_end(&self, start: usize) -> usize {
        if self.sign(start) == "{" {
            return self.pair(start) + 1;
        }
        let mut at = start;
        let is_else = |at: usize| self.sign(at) == ";" && self.name(at + 1) == Some("else");
        while at < self.len() && (is_else(at) || !matches!(self.sign(at), ";" | ")" | "]" | "}")) {
            at = match self.sign(at) {
                "(" | "[" | "{" => self.pair(at) + 1,
                _ => at + 1,
            };
        }
        at
    }

    /// Returns where the statement ends that begins here; `start` itself where that is not certain.
    fn statement_end(&self, start: usize) -> usize {
        match self.name(start) {
            None if self.sign(start) == "{" => self.pair(start) + 1,
            Some("if") if self.sign(start + 1) == "(" => {
                let end = self.statement_end(self.pair(start + 1) + 1);
                match self.name(end) {
                    Some("else") => self.statement_end(end + 1),
                    _ => end,
                }
            }
            Some("for" | "while" | "do" | "switch" | "try" | "function" | "async") => start,
            _ => {
                let mut end = self.expression_end(start);
                while self.sign(end) == "," {
                    end = self.expression_end(end + 1);
                }
                end + usize::from(self.sign(end) == ";")
            }
        }
    }

    /// Returns where two branches begin and end of which one alone is run: those of the `if` or of the `?` that is here.
    pub(super) fn branches(&self, at: usize) -> Option<(Range<usize>, Range<usize>)> {
        match self.name(at) {
            Some("if") if self.sign(at + 1) == "(" => {
                let start = self.pair(at + 1) + 1;
                let middle = self.statement_end(start);
                let has_other = self.name(middle) == Some("else");
                has_other.then(|| (start..middle, middle..self.statement_end(middle + 1)))
            }
            None if self.sign(at) == "?" => {
                let middle = self.expression_end(at + 1);
                let has_other = self.sign(middle) == ":";
                has_other.then(|| (at + 1..middle, middle..self.expression_end(middle + 1)))
            }
            _ => None,
        }
    }

    /// Returns the parameters and the body of a function or loop whose keyword or arrow is here.
    pub(super) fn part(&self, at: usize) -> Option<(Range<usize>, Range<usize>)> {
        let parameters = match (self.name(at), self.sign(at)) {
            (Some("function" | "for" | "while"), _) => {
                let open = (at + 1..at + 4).find(|at| self.sign(*at) == "(")?;
                open + 1..self.pair(open)
            }
            (Some("do"), _) => at..at,
            (None, "=>") => match at.saturating_sub(1) {
                close if self.sign(close) == ")" => self.pair(close) + 1..close,
                name => name..at,
            },
            _ => return None,
        };
        let start = match self.sign(parameters.end) {
            ")" if self.sign(at).is_empty() => parameters.end + 1,
            _ => at + 1,
        };
        Some((parameters, start..self.body_end(start)))
    }

    /// Returns the statement that the token stands in, shortened.
    pub(super) fn piece(&self, at: usize) -> String {
        let mut start = at.min(self.len().saturating_sub(1));
        while let Some(before) = start.checked_sub(1)
            && !matches!(self.sign(before), ";" | "{" | "}")
            && !self.tokens.get(start).is_some_and(|token| token.first)
        {
            start = before;
        }
        let start = self.tokens.get(start).map_or(0, |token| token.start);
        cut(self.source, start)
    }
}

/// Returns the line that begins there, shortened.
fn cut(source: &str, start: usize) -> String {
    let line = source.get(start..).and_then(|rest| rest.lines().next());
    let line = line.unwrap_or_default().trim();
    let mut short: String = line.chars().take(MAX_PIECE).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}
