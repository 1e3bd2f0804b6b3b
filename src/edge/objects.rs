//! What the names in a CloudFront Function's code stand for: the event, the request, the helpers; and whether all that is done with
//! them would be seen. Errors are positions.

use std::collections::BTreeMap;
use std::ops::Range;

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
    handler: Range<usize>,
    parameters: Vec<Range<usize>>,
    /// Other functions, which may run at any time, parameters included.
    functions: Vec<Range<usize>>,
    /// What is run many times, heads included.
    loops: Vec<Range<usize>>,
    /// Branches of which one alone is run.
    branches: Vec<(Range<usize>, Range<usize>)>,
    names: BTreeMap<&'a str, NamedObject>,
}

impl<'c, 'a> FunctionObjects<'c, 'a> {
    pub(super) fn find(code: &'c TokenizedCode<'a>) -> Result<Self, usize> {
        let is_handler = |at: &usize| code.name(*at) == Some("handler") && code.is_value(*at);
        let mut handlers = (0..code.len()).filter(is_handler);
        let declared = handlers.next().unwrap_or_default();
        let (event, handler) = handler_at(code, declared).ok_or(declared)?;
        // It might be called, or be another one.
        handlers.next().map_or(Ok(()), Err)?;
        let mut objects = Self {
            code,
            handler,
            parameters: Vec::new(),
            functions: Vec::new(),
            loops: Vec::new(),
            branches: (0..code.len()).filter_map(|at| code.branches(at)).collect(),
            names: BTreeMap::from([(event, NamedObject::Event)]),
        };
        for at in 0..code.len() {
            objects.find_bodies(at)?;
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

    fn find_bodies(&mut self, at: usize) -> Result<(), usize> {
        let code = self.code;
        if code.sign(at) == "{" && code.before(at) == ")" {
            let open = code.pair(at - 1);
            let words = [1, 2, 3].map(|back| code.name(open.checked_sub(back)?));
            let is_statement = matches!(
                words,
                [Some("if" | "for" | "while" | "switch" | "catch"), ..]
            );
            // The others are methods: who calls them is not seen.
            if !is_statement && !words.contains(&Some("function")) {
                return Err(at);
            }
        }
        let part = code.part(at).filter(|_| code.is_value(at));
        let Some((parameters, body)) = part else {
            return Ok(());
        };
        if matches!(code.name(at), Some("for" | "while" | "do")) {
            self.loops.push(parameters.start..body.end);
        } else {
            if body != self.handler {
                self.functions.push(parameters.start..body.end);
            }
            self.parameters.push(parameters);
        }
        Ok(())
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
        let target = at.saturating_sub(2);
        let is_whole = self.code.before(at) == "=" && self.code.expression_end(at) == next;
        let is_given = is_whole && self.code.is_value(target);
        let name = self.code.name(target).filter(|_| is_given);
        let mut names = name.into_iter().chain(self.parameter_for(at, next));
        names.try_for_each(|name| self.name(name, object, at))?;
        if let Some((NamedObject::Event, mut names)) = self.pattern(target)
            && names.any(|at| self.code.name(at) == Some("request"))
        {
            self.name("request", NamedObject::Request, at)?;
        }
        Ok(())
    }

    fn name(&mut self, name: &'a str, object: NamedObject, at: usize) -> Result<(), usize> {
        let before = self.names.insert(name, object);
        let is_same = before.is_none_or(|before| before == object);
        is_same.then_some(()).ok_or(at)
    }

    /// Returns the object that a pattern of plain names takes apart, which ends here, and what stands in the pattern.
    pub(super) fn pattern(&self, close: usize) -> Option<(NamedObject, Range<usize>)> {
        let code = self.code;
        if code.sign(close) != "}" || code.sign(close + 1) != "=" {
            return None;
        }
        let mut names = code.pair(close) + 1..close;
        let (object, next) = self.object_at(close + 2)?;
        let is_whole = code.expression_end(close + 2) == next;
        let is_plain = names.all(|at| code.name(at).is_some() || code.sign(at) == ",");
        (is_whole && is_plain).then_some((object, code.pair(close) + 1..close))
    }

    /// Returns the parameter that takes what is given here to a function of this code.
    fn parameter_for(&self, at: usize, next: usize) -> Option<&'a str> {
        let code = self.code;
        let open = code.outer(at).filter(|open| code.sign(*open) == "(")?;
        let called = code.word_before(open).filter(|_| code.is_value(open - 1))?;
        let given = code.parts(open + 1, code.pair(open), &[","]);
        let place = given.iter().position(|part| *part == (at, next))?;
        let is_named = |at: &usize| code.name(*at) == Some(called) && code.is_value(*at);
        let is_function = |at: &usize| code.word_before(*at) == Some("function");
        let named = (0..code.len()).filter(is_named);
        let (declared, used): (Vec<usize>, Vec<usize>) = named.partition(is_function);
        // Of two functions of the name, or another value, it is not known which one is called.
        let [declared] = declared.as_slice() else {
            return None;
        };
        if used.iter().any(|at| code.sign(at + 1) != "(") {
            return None;
        }
        let (parameters, _) = code.part(declared - 1)?;
        match code
            .parts(parameters.start, parameters.end, &[","])
            .get(place)?
        {
            (start, end) if start + 1 == *end => code.name(*start),
            _ => None,
        }
    }

    /// Returns whether it stands in the body of `handler`.
    pub(super) fn is_in_handler(&self, at: usize) -> bool {
        self.handler.contains(&at)
    }

    /// Returns whether the name here is a parameter, or is taken from the event by a pattern.
    pub(super) fn is_declared(&self, at: usize) -> bool {
        let code = self.code;
        let is_parameter = |all: &Range<usize>| {
            all.contains(&at)
                && code
                    .parts(all.start, all.end, &[","])
                    .contains(&(at, at + 1))
        };
        let pattern = || self.pattern(code.pair(code.outer(at)?));
        let is_taken = || matches!(pattern(), Some((NamedObject::Event, _)));
        self.parameters.iter().any(is_parameter) || code.name(at) == Some("request") && is_taken()
    }

    /// Returns whether what stands here, up to `next`, is written to the log and given to nothing else.
    pub(super) fn is_logged(&self, at: usize, next: usize) -> bool {
        let code = self.code;
        let is_part = matches!(code.before(at), "(" | "{" | "," | ":" | "+")
            && matches!(code.sign(next), ")" | "}" | "," | ":" | "+");
        let Some(open) = code.outer(at).filter(|_| is_part) else {
            return false;
        };
        let module = open.saturating_sub(3);
        match (code.name(module), code.word_before(open)) {
            (Some("console"), Some(_)) => code.sign(open) == "(",
            (Some("JSON"), Some("stringify")) => self.is_logged(module, code.pair(open) + 1),
            (_, None) => self.is_logged(open, code.pair(open) + 1),
            _ => false,
        }
    }

    /// Returns whether it runs once, in the order in which it stands.
    pub(super) fn is_in_order(&self, at: usize) -> bool {
        let mut inner = self.functions.iter().chain(&self.loops);
        !inner.any(|part| part.contains(&at))
    }

    /// Returns whether what is written at the one place may be read at the other, further down: not from another branch.
    pub(super) fn is_seen(&self, written: usize, read: usize) -> bool {
        let mut branches = self.branches.iter();
        !branches.any(|(first, other)| first.contains(&written) && other.contains(&read))
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
            ")" | "}" | ";" | "," | ":" | "" | "+" | "||" => {
                let target = at.saturating_sub(2);
                let is_named = code.name(target).is_some() && code.is_value(target);
                let is_given = before == "=" && is_whole(at, next);
                let open = at.saturating_sub(1);
                let is_condition = || code.word_before(open) == Some("if");
                is_given && (is_named || self.pattern(target).is_some())
                    || before == "!"
                    || code.word_before(at) == Some("typeof")
                    || before == "(" && code.pair(open) == next && is_condition()
                    || self.is_returned(at)
                    || self.is_logged(at, next)
                    || self.parameter_for(at, next).is_some()
            }
            _ => false,
        }
    }

    /// Returns whether it is what the handler's `return` returns, or one of those that it chooses from.
    fn is_returned(&self, at: usize) -> bool {
        let code = self.code;
        if self.functions.iter().any(|body| body.contains(&at)) {
            return false;
        }
        let mut is_last = true;
        for before in (0..at).rev() {
            if code.outer(before) != code.outer(at) {
                continue;
            }
            let sign = code.sign(before);
            // Behind a brace that ends a block no operator stands.
            let is_end = sign == ";" || sign == "}" && code.sign(before + 1).is_empty();
            if code.name(before) == Some("return") {
                return true;
            }
            if is_end || is_last && (is_assignment(sign) || sign == "=>") {
                return false;
            }
            is_last &= sign != ",";
        }
        false
    }
}

/// Returns the first parameter and the body where the function `handler` is declared here.
fn handler_at<'a>(code: &TokenizedCode<'a>, at: usize) -> Option<(&'a str, Range<usize>)> {
    if code.name(at)? != "handler" {
        return None;
    }
    let keyword = match (code.word_before(at), code.sign(at + 1)) {
        (Some("function"), "(") => at - 1,
        (_, "=") => {
            let start = at + 2 + usize::from(code.name(at + 2) == Some("async"));
            let behind = match code.sign(start) {
                "(" => code.pair(start) + 1,
                _ => start + 1,
            };
            [start, behind]
                .into_iter()
                .find(|at| code.name(*at) == Some("function") || code.sign(*at) == "=>")?
        }
        _ => return None,
    };
    let (parameters, body) = code.part(keyword)?;
    let first = parameters.start;
    let is_all = code.sign(body.start) == "{" && matches!(code.sign(body.end), "" | ";" | ",");
    if code.outer(at).is_some() || !is_all {
        return None;
    }
    let is_whole = first + 1 == parameters.end || code.sign(first + 1) == ",";
    Some((code.name(first).filter(|_| is_whole)?, body))
}

pub(super) fn is_assignment(sign: &str) -> bool {
    let compares = matches!(sign, "==" | "===" | "!=" | "!==" | "<=" | ">=");
    matches!(sign, "++" | "--") || sign.ends_with('=') && !compares
}
