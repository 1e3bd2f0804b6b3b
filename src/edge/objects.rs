//! What the names in a CloudFront Function's code stand for: the event, the request, the helpers; and whether all that is done with
//! them would be seen. Errors are positions.

use std::collections::BTreeMap;

use super::code::TokenizedCode;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedObject {
    Event,
    Request,
    /// The module of helpers for key-value stores and origins.
    CloudFront,
}

/// The names of these objects, with the functions and loops of the code.
pub(super) struct FunctionObjects<'c, 'a> {
    code: &'c TokenizedCode<'a>,
    /// The body of `handler`.
    handler: (usize, usize),
    parameters: Vec<(usize, usize)>,
    /// Bodies that may run at any time, or many times.
    inner: Vec<(usize, usize)>,
    names: BTreeMap<&'a str, NamedObject>,
}

impl<'c, 'a> FunctionObjects<'c, 'a> {
    pub(super) fn find(code: &'c TokenizedCode<'a>) -> Result<Self, usize> {
        let handler = (0..code.len()).find_map(|at| handler_at(code, at));
        let (event, handler) = handler.ok_or(0usize)?;
        let mut objects = Self {
            code,
            handler,
            parameters: Vec::new(),
            inner: Vec::new(),
            names: BTreeMap::from([(event, NamedObject::Event)]),
        };
        for at in 0..code.len() {
            objects.find_bodies(at);
            objects.find_module(at)?;
        }
        // A name may be given away before it is known.
        let mut known = 0;
        while known < objects.names.len() {
            known = objects.names.len();
            (0..code.len()).try_for_each(|at| objects.find_names(at))?;
        }
        Ok(objects)
    }

    fn find_bodies(&mut self, at: usize) {
        let code = self.code;
        let part = code
            .part(at)
            .filter(|_| !matches!(code.before(at), "." | "?."));
        let Some((parameters, body)) = part else {
            return;
        };
        if !matches!(code.name(at), Some("for" | "while" | "do")) {
            self.parameters.push(parameters);
        }
        if body != self.handler {
            self.inner.push(body);
        }
    }

    /// Finds the name that the module `cloudfront` is imported under.
    fn find_module(&mut self, at: usize) -> Result<(), usize> {
        if self.code.text(at) != Some("cloudfront") {
            return Ok(());
        }
        let [from, name, import] = [1, 2, 3].map(|back| self.code.name(at.checked_sub(back)?));
        let name = name.filter(|_| from == Some("from") && import == Some("import"));
        self.name(name.ok_or(at)?, NamedObject::CloudFront, at)
    }

    /// Returns the object that is named here, and where its name ends.
    pub(super) fn object_at(&self, at: usize) -> Option<(NamedObject, usize)> {
        let object = *self.names.get(self.code.name(at)?)?;
        if !self.code.is_value(at) {
            return None;
        }
        match self.code.property(at + 1) {
            Some(("request", next)) if object == NamedObject::Event => {
                Some((NamedObject::Request, next))
            }
            _ => Some((object, at + 1)),
        }
    }

    /// Finds the names that the object here is given: by an assignment, or as a parameter.
    fn find_names(&mut self, at: usize) -> Result<(), usize> {
        let Some((object, next)) = self.object_at(at) else {
            return Ok(());
        };
        let mut names = Vec::new();
        if self.code.before(at) == "=" && self.code.expression_end(at) == next {
            let target = at.saturating_sub(2);
            let name = self.code.name(target);
            names.extend(name.filter(|_| self.code.is_value(target)));
            if self.code.sign(target) == "}" && object == NamedObject::Event {
                for (property, name) in self.entries(target)? {
                    if property == "request" {
                        self.name(name.ok_or(at)?, NamedObject::Request, at)?;
                    }
                }
            }
        }
        names.extend(self.parameter_for(at, next));
        let mut names = names.into_iter();
        names.try_for_each(|name| self.name(name, object, at))
    }

    fn name(&mut self, name: &'a str, object: NamedObject, at: usize) -> Result<(), usize> {
        let before = self.names.insert(name, object);
        let is_same = before.is_none_or(|before| before == object);
        is_same.then_some(()).ok_or(at)
    }

    /// Returns the properties that a pattern takes, which ends here, each with its new name where that is one.
    pub(super) fn entries(&self, close: usize) -> Result<Vec<(&'a str, Option<&'a str>)>, usize> {
        let code = self.code;
        let parts = code.parts(code.pair(close) + 1, close, &[","]);
        let filled = parts.into_iter().filter(|(start, end)| start < end);
        let entry = |(start, end): (usize, usize)| {
            let property = code.name(start).ok_or(start)?;
            let name = match code.sign(start + 1) {
                ":" if end == start + 3 => code.name(start + 2),
                _ => Some(property).filter(|_| end == start + 1),
            };
            Ok((property, name))
        };
        filled.map(entry).collect()
    }

    /// Returns the parameter that takes what is given here to a function of this code.
    fn parameter_for(&self, at: usize, next: usize) -> Option<&'a str> {
        let code = self.code;
        let open = code.outer(at).filter(|open| code.sign(*open) == "(")?;
        let called = code.word_before(open).filter(|_| code.is_value(open - 1))?;
        let given = code.parts(open + 1, code.pair(open), &[","]);
        let place = given.iter().position(|part| *part == (at, next))?;
        let mut all = 0..code.len();
        let declared =
            all.find(|at| code.name(*at) == Some("function") && code.name(at + 1) == Some(called))?;
        let ((start, end), _) = code.part(declared)?;
        match code.parts(start, end, &[","]).get(place)? {
            (start, end) if start + 1 == *end => code.name(*start),
            _ => None,
        }
    }

    /// Returns whether it stands in the body of `handler`.
    pub(super) fn is_in_handler(&self, at: usize) -> bool {
        (self.handler.0..self.handler.1).contains(&at)
    }

    /// Returns whether the name here is a parameter, or part of a pattern.
    pub(super) fn is_declared(&self, at: usize) -> bool {
        let is_within = |(start, end): &(usize, usize)| (*start..*end).contains(&at);
        let outer = self.code.outer(at);
        let is_pattern = |open: usize| {
            self.code.sign(open) == "{" && self.code.sign(self.code.pair(open) + 1) == "="
        };
        self.parameters.iter().any(is_within) || outer.is_some_and(is_pattern)
    }

    /// Returns whether it is part of what is written to the log, given to nothing else before.
    pub(super) fn is_logged(&self, at: usize) -> bool {
        let code = self.code;
        let mut outer = code.outer(at);
        while let Some(open) = outer {
            if let Some(called) = code.word_before(open) {
                let console = open.checked_sub(3).and_then(|at| code.name(at));
                if console == Some("console") || called != "stringify" {
                    return console == Some("console");
                }
            }
            outer = code.outer(open);
        }
        false
    }

    /// Returns whether it runs once, in the order in which it stands.
    pub(super) fn is_in_order(&self, at: usize) -> bool {
        let is_within = |(start, end): &(usize, usize)| (*start..*end).contains(&at);
        !self.inner.iter().any(is_within)
    }

    /// Returns whether nothing is done with the whole of an object that would not be seen elsewhere. Its name ends at `next`.
    pub(super) fn is_harmless(&self, object: NamedObject, at: usize, next: usize) -> bool {
        let code = self.code;
        let before = code.before(at);
        let is_whole = |at: usize, end: usize| code.expression_end(at) == end;
        match code.sign(next) {
            "=" => {
                let other = self.object_at(next + 1);
                other.is_some_and(|(other, end)| other == object && is_whole(next + 1, end))
            }
            "&&" | "===" | "!==" | "==" | "!=" => true,
            sign if is_assignment(sign) => false,
            _ if before == "=" => {
                let target = at.saturating_sub(2);
                is_whole(at, next) && (code.sign(target) == "}" || code.is_value(target))
            }
            _ => {
                let open = at.saturating_sub(1);
                let is_condition = || code.word_before(open) == Some("if");
                before == "!"
                    || code.word_before(at) == Some("typeof")
                    || before == "(" && code.pair(open) == next && is_condition()
                    || self.is_returned(at)
                    || self.is_logged(at)
                    || self.parameter_for(at, next).is_some()
            }
        }
    }

    /// Returns whether it is what a `return` returns, or one of those that it chooses from.
    fn is_returned(&self, at: usize) -> bool {
        let code = self.code;
        let is_beside = |other: &usize| code.outer(*other) == code.outer(at);
        // Behind a brace that ends a block no operator stands.
        let is_end = |at: usize| {
            code.sign(at) == ";" || code.sign(at) == "}" && code.sign(at + 1).is_empty()
        };
        let before = (0..at).rev().filter(is_beside);
        let mut statement = before.take_while(|at| !is_end(*at));
        statement.any(|at| code.name(at) == Some("return"))
    }
}

/// Returns the first parameter and the body where the function `handler` is declared here.
fn handler_at<'a>(code: &TokenizedCode<'a>, at: usize) -> Option<(&'a str, (usize, usize))> {
    if code.name(at)? != "handler" {
        return None;
    }
    let begins = |begin: &usize| {
        let is_function = code.name(*begin) == Some("function") || code.sign(*begin) == "=>";
        is_function && code.outer(*begin) == code.outer(at)
    };
    let keyword = match (code.word_before(at), code.sign(at + 1)) {
        (Some("function"), "(") => at - 1,
        (_, "=") => (at + 2..at + 12).find(begins)?,
        _ => return None,
    };
    let ((first, end), body) = code.part(keyword)?;
    let is_whole = first + 1 == end || code.sign(first + 1) == ",";
    Some((code.name(first).filter(|_| is_whole)?, body))
}

pub(super) fn is_assignment(sign: &str) -> bool {
    let compares = matches!(sign, "==" | "===" | "!=" | "!==" | "<=" | ">=");
    matches!(sign, "++" | "--") || sign.ends_with('=') && !compares
}
