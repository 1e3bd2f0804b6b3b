//! Reads from a CloudFront Function's code what it does to the URI: a careful reading of its text, since nothing here runs
//! JavaScript. Whatever might reach the request in another way than by a write to its `uri` is not understood.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::code::TokenizedCode;
use super::distribution::UriRewrite;
use super::form::{UriForm, anchored, joined, replaced};
use super::objects::{FunctionObjects, NamedObject, is_assignment};
use super::written::{of_forms, written};
use crate::rules::edge_function::EdgeFunction;

/// The most forms that are followed.
const MAX_FORMS: usize = 64;
/// Parts of the request that do not decide where an object is kept. Of the query string the cache policy says what counts, and
/// where any does, all query strings of a path are purged.
const HARMLESS: [&str; 5] = ["headers", "cookies", "querystring", "method", "body"];
/// What of the module `cloudfront` leaves the origin alone.
const HELPERS: [&str; 3] = ["kvs", "edgeLocation", "rawQueryString"];
/// Ways to the request, or past it, that this reading would not see.
const HIDDEN: [&str; 8] = [
    "eval",
    "Function",
    "arguments",
    "with",
    "class",
    "Reflect",
    "Proxy",
    "globalThis",
];
/// The URI among the names of variables.
const URI: &str = "";
const ORIGIN_CHANGES: [&str; 3] = [
    "updateRequestOrigin",
    "selectRequestOriginById",
    "createRequestOriginGroup",
];

/// Tells what the function does to the URI. `Err`: the piece of its code that is not understood.
pub fn rewrite_of(source: &str) -> Result<UriRewrite, String> {
    if let Some(function) = EdgeFunction::read(source) {
        return Ok(written(&function));
    }
    path_forms(source).map(of_forms)
}

/// Returns the forms that the function may put paths into, besides leaving them alone. `Err`: the piece of its code that is not
/// understood.
pub(super) fn path_forms(source: &str) -> Result<Vec<UriForm>, String> {
    let code = TokenizedCode::read(source)?;
    let forms = forms(&code).map_err(|at| code.piece(at))?;
    let is_path = |form: &UriForm| match form {
        UriForm::Literal(text) => text.starts_with('/'),
        form => *form != UriForm::same(),
    };
    Ok(forms.into_iter().filter(is_path).collect())
}

fn forms(code: &TokenizedCode<'_>) -> Result<BTreeSet<UriForm>, usize> {
    let objects = FunctionObjects::find(code)?;
    let mut reader = FunctionReader {
        code,
        unknown: unknown_names(code, &objects),
        objects,
        values: BTreeMap::from([(URI, BTreeSet::from([(UriForm::same(), 0)]))]),
        known: 0..0,
    };
    // What stands around the handler has been run before it.
    let (within, around): (Vec<usize>, Vec<usize>) =
        (0..code.len()).partition(|at| reader.objects.is_in_handler(*at));
    let mut all = around.into_iter().chain(within);
    all.try_for_each(|at| reader.read(at))?;
    let uri = reader.values.remove(URI).unwrap_or_default();
    Ok(uri.into_iter().map(|(form, _)| form).collect())
}

/// Returns the names that get a value in a way, or at a time, that is not followed.
fn unknown_names<'a>(
    code: &TokenizedCode<'a>,
    objects: &FunctionObjects<'_, 'a>,
) -> BTreeSet<&'a str> {
    let is_written = |at: &usize| code.is_value(*at) && is_assignment(code.sign(at + 1));
    let (within, around): (Vec<usize>, Vec<usize>) = (0..code.len())
        .filter(is_written)
        .partition(|at| objects.is_in_handler(*at));
    let around: BTreeSet<&str> = around.iter().filter_map(|at| code.name(*at)).collect();
    // The handler's next run may find what this one leaves.
    let left = within.into_iter().filter_map(|at| code.name(at));
    let mut unknown: BTreeSet<&str> = left.filter(|name| around.contains(name)).collect();
    for at in 0..code.len() {
        let is_pattern = objects.pattern(at).is_none() && ends_pattern(code, at);
        let is_caught = |open: usize| code.word_before(open) == Some("catch");
        let is_given = is_written(&at) && !objects.is_in_order(at)
            || matches!(code.before(at), "++" | "--")
            || code.word_before(at) == Some("function")
            || code.outer(at).is_some_and(is_caught)
            || is_looped(code, at + 1);
        let names = match (is_pattern, is_given) {
            (true, _) => code.pair(at)..at,
            (_, true) => at..at + 1,
            _ => continue,
        };
        unknown.extend(names.filter_map(|at| code.name(at)));
    }
    unknown
}

/// Returns whether this is the `in` or `of` of a loop's head.
fn is_looped(code: &TokenizedCode<'_>, at: usize) -> bool {
    let word = code.outer(at).and_then(|open| code.word_before(open));
    matches!(code.name(at), Some("in" | "of")) && matches!(word, Some("for" | "await"))
}

/// Returns whether what ends here is taken apart.
fn ends_pattern(code: &TokenizedCode<'_>, at: usize) -> bool {
    let is_close = matches!(code.sign(at), "}" | "]");
    is_close && (code.sign(at + 1) == "=" || is_looped(code, at + 1))
}

/// Follows the URI through the code, token by token. Errors are positions.
struct FunctionReader<'c, 'a> {
    code: &'c TokenizedCode<'a>,
    objects: FunctionObjects<'c, 'a>,
    /// What the URI and variables may hold, with where they get it.
    values: BTreeMap<&'a str, BTreeSet<(UriForm, usize)>>,
    unknown: BTreeSet<&'a str>,
    /// Where the last `uri` stands that was known to be the request's.
    known: Range<usize>,
}

impl<'a> FunctionReader<'_, 'a> {
    /// Reads the token: what it does to the URI, or to what the URI may be set to.
    fn read(&mut self, at: usize) -> Result<(), usize> {
        let code = self.code;
        if let Some((object, next)) = self.objects.object_at(at) {
            let is_named = self.objects.is_declared(at) || code.word_before(at) == Some("import");
            return if is_named {
                Ok(())
            } else {
                self.read_object(object, at, next)
            };
        }
        let name = code.name(at).unwrap_or_default();
        let is_value = code.is_value(at);
        let is_called = code.sign(at + 1) == "." && code.sign(at + 3) == "(";
        let is_hidden = is_value && HIDDEN.contains(&name)
            || is_value && matches!(name, "console" | "JSON") && !is_called
            || ORIGIN_CHANGES.contains(&name);
        if is_hidden || self.names_uri(at) {
            return Err(at);
        }
        if ends_pattern(code, at) {
            return self.take_apart(at);
        }
        let is_written = !name.is_empty() && is_value && is_assignment(code.sign(at + 1));
        if is_written && self.write(name, at + 1).is_err() {
            self.unknown.insert(name);
        }
        Ok(())
    }

    /// Returns whether an object's key is named here that is `uri`, or that nobody knows: it may be a request's.
    fn names_uri(&self, at: usize) -> bool {
        let code = self.code;
        let open = code.outer(at).filter(|open| code.sign(*open) == "{");
        let is_pattern = |open: usize| code.sign(code.pair(open) + 1) == "=";
        let is_first = matches!(code.before(at), "{" | ",");
        let may_be_key = is_first && open.is_some_and(|open| !is_pattern(open));
        let end = if code.sign(at) == "[" {
            code.pair(at) + 1
        } else {
            at + 1
        };
        let is_named = match (code.sign(at), code.name(at)) {
            ("[", _) => may_be_key && code.sign(end) == ":",
            (_, Some("uri")) if matches!(code.before(at), "." | "?.") => !self.known.contains(&at),
            (_, Some("uri")) => may_be_key && matches!(code.sign(end), ":" | "," | "}"),
            _ => code.text(at) == Some("uri") && !self.known.contains(&at),
        };
        is_named && !self.objects.is_logged(at, end)
    }

    /// Reads what is done with the event, the request or the helpers, whose name ends at `next`.
    fn read_object(&mut self, object: NamedObject, at: usize, next: usize) -> Result<(), usize> {
        let property = self.code.property(next);
        match (object, property) {
            (NamedObject::CloudFront, Some((helper, _))) if HELPERS.contains(&helper) => Ok(()),
            (NamedObject::Event, Some(_)) => Ok(()),
            (NamedObject::Request, Some(("uri", after))) => self.read_uri(at, after),
            (NamedObject::Request, Some((part, _))) if HARMLESS.contains(&part) => Ok(()),
            (NamedObject::Event | NamedObject::Request, None)
                if self.objects.is_harmless(object, at, next) =>
            {
                Ok(())
            }
            _ => Err(at),
        }
    }

    /// Reads what is done with the request's `uri`, which ends at `after`.
    fn read_uri(&mut self, at: usize, after: usize) -> Result<(), usize> {
        let code = self.code;
        self.known = at..after;
        let is_changed = matches!(code.before(at), "++" | "--")
            || code.word_before(at) == Some("delete")
            || is_looped(code, after);
        let is_written = is_assignment(code.sign(after));
        let is_followed = self.objects.is_in_handler(at) && self.objects.is_in_order(at);
        if is_changed || is_written && !is_followed {
            return Err(at);
        }
        if is_written {
            self.write(URI, after).map_err(|_| at)?;
        }
        Ok(())
    }

    /// Adds what the assignment here gives the URI or a variable to what it may hold.
    fn write(&mut self, name: &'a str, sign: usize) -> Result<(), usize> {
        let code = self.code;
        let value = self.value(sign + 1, code.expression_end(sign + 1))?;
        let value = match code.sign(sign) {
            "=" => Some(value),
            "+=" => self.held(name, sign).and_then(|held| joined(&held, &value)),
            _ => None,
        };
        let all = self.values.entry(name).or_default();
        all.extend(value.ok_or(sign)?.into_iter().map(|form| (form, sign)));
        (all.len() <= MAX_FORMS).then_some(()).ok_or(sign)
    }

    /// Returns what the URI or a variable may hold here.
    fn held(&self, name: &str, at: usize) -> Option<BTreeSet<UriForm>> {
        let all = self
            .values
            .get(name)
            .filter(|_| !self.unknown.contains(name))?;
        let seen = all
            .iter()
            .filter(|(_, from)| self.objects.is_seen(*from, at));
        let forms: BTreeSet<UriForm> = seen.map(|(form, _)| form.clone()).collect();
        (!forms.is_empty()).then_some(forms)
    }

    /// Reads a pattern, which ends here.
    fn take_apart(&mut self, close: usize) -> Result<(), usize> {
        let code = self.code;
        let mut inside = code.pair(close)..close;
        let Some((object, mut names)) = self.objects.pattern(close) else {
            let is_uri = |at: usize| code.name(at).or(code.text(at)) == Some("uri");
            let is_object = self.objects.object_at(close + 2).is_some();
            let is_hidden = is_object || inside.any(is_uri);
            let is_known = self.known.contains(&close);
            return if is_hidden && !is_known {
                Err(close)
            } else {
                Ok(())
            };
        };
        if object == NamedObject::Request && names.any(|at| code.name(at) == Some("uri")) {
            let uri = self
                .held(URI, close)
                .filter(|_| self.objects.is_in_order(close));
            let uri = uri.ok_or(close)?.into_iter().map(|form| (form, close));
            self.values.entry("uri").or_default().extend(uri);
        }
        Ok(())
    }

    /// Evaluates an expression. `Err`: where it is not understood.
    fn value(&self, start: usize, end: usize) -> Result<BTreeSet<UriForm>, usize> {
        let code = self.code;
        if start >= end {
            return Err(start);
        }
        // What is assigned within is not noted yet.
        if let Some(at) = (start..end).find(|at| is_assignment(code.sign(*at))) {
            return Err(at);
        }
        let question = code
            .parts(start, end, &["?"])
            .first()
            .map_or(end, |part| part.1);
        if question < end {
            let colon = code.expression_end(question + 1);
            if code.sign(colon) != ":" {
                return Err(start);
            }
            return Ok(&self.value(question + 1, colon)? | &self.value(colon + 1, end)?);
        }
        let either = code.parts(start, end, &["||", "??"]);
        if let [(start, middle), _, ..] = either.as_slice() {
            return Ok(&self.value(*start, *middle)? | &self.value(middle + 1, end)?);
        }
        let terms = code.parts(start, end, &["+"]);
        let mut terms = terms.iter().map(|(start, end)| self.term(*start, *end));
        let first = terms.next().ok_or(start)??;
        terms.try_fold(first, |sum, term| joined(&sum, &term?).ok_or(start))
    }

    /// Evaluates a text, a variable or the URI, with the methods that are called of it.
    fn term(&self, start: usize, end: usize) -> Result<BTreeSet<UriForm>, usize> {
        let code = self.code;
        let (mut value, mut at) = if code.sign(start) == "(" {
            let close = code.pair(start);
            (self.value(start + 1, close)?, close + 1)
        } else if let Some(text) = code.text(start) {
            let text = UriForm::Literal(text.to_owned());
            (BTreeSet::from([text]), start + 1)
        } else {
            let (name, after) = match self.objects.object_at(start) {
                Some((NamedObject::Request, next)) => match code.property(next) {
                    Some(("uri", after)) => (URI, after),
                    _ => return Err(start),
                },
                _ => (code.name(start).ok_or(start)?, start + 1),
            };
            (self.held(name, start).ok_or(start)?, after)
        };
        while at < end {
            let (method, open) = code.property(at).ok_or(at)?;
            if code.sign(open) != "(" || value.len() > MAX_FORMS {
                return Err(at);
            }
            let given = code.parts(open + 1, code.pair(open), &[","]);
            value = self.called(&value, method, &given).ok_or(at)?;
            at = code.pair(open) + 1;
        }
        Ok(value)
    }

    /// Calls a string's method. `None`: it is not known what that yields.
    fn called(
        &self,
        value: &BTreeSet<UriForm>,
        method: &str,
        given: &[(usize, usize)],
    ) -> Option<BTreeSet<UriForm>> {
        let code = self.code;
        match (method, given) {
            ("concat", _) => {
                let mut terms = given.iter().map(|(start, end)| self.value(*start, *end));
                terms.try_fold(value.clone(), |sum, term| joined(&sum, &term.ok()?))
            }
            ("replace", [(search, search_end), (with, end)]) => {
                let is_plain = search + 1 == *search_end && with + 1 == *end;
                let with = code
                    .text(*with)
                    .filter(|with| is_plain && !with.contains('$'))?;
                replaced(value, &anchored(code.regex(*search)?)?, with)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fixtures that are understood, with what they do to the URI.
    fn read(code: &str) -> String {
        match rewrite_of(code) {
            Ok(UriRewrite::None) => "nothing".to_owned(),
            Ok(UriRewrite::IndexDirectory) => "index".to_owned(),
            Ok(UriRewrite::Forms(forms)) => {
                let told = forms.iter().map(|form| match form {
                    UriForm::Edit { taken, put } => {
                        format!("{}*{} -> {}*{}", taken.0, taken.1, put.0, put.1)
                    }
                    UriForm::Literal(text) => format!("-> {text}"),
                    UriForm::Any => "any".to_owned(),
                });
                told.collect::<Vec<_>>().join(", ")
            }
            Ok(UriRewrite::Unknown) => unreachable!(),
            Err(piece) => format!("? {piece}"),
        }
    }

    fn body(code: &str) -> String {
        format!("function handler(event){{var request=event.request;{code};return request}}")
    }

    #[test]
    fn functions_are_understood_by_their_text() {
        for (code, told) in [
            (include_str!("../../fixtures/functions/index.js"), "index"),
            (include_str!("../../fixtures/functions/arrow.js"), "index"),
            (include_str!("../../fixtures/functions/olduri.js"), "index"),
            (include_str!("../../fixtures/functions/concat.js"), "index"),
            (
                include_str!("../../fixtures/functions/html.js"),
                "* -> *.html, * -> *index.html",
            ),
            (
                include_str!("../../fixtures/functions/next.js"),
                "* -> *.html, */ -> *.html, -> /index.html",
            ),
            (
                include_str!("../../fixtures/functions/spa.js"),
                "* -> *index.html, -> /admin/index.html, -> /index.html",
            ),
            (
                include_str!("../../fixtures/functions/docs.js"),
                "* -> *index.html, /docs* -> *, /docs* -> *index.html",
            ),
            (
                include_str!("../../fixtures/functions/prefix.js"),
                "* -> /site*",
            ),
            (
                include_str!("../../fixtures/functions/headers.js"),
                "nothing",
            ),
            (include_str!("../../fixtures/functions/jwt.js"), "nothing"),
            (include_str!("../../fixtures/functions/query.js"), "nothing"),
            (include_str!("../../fixtures/functions/host.js"), "nothing"),
            (
                include_str!("../../fixtures/functions/minified.js"),
                "index",
            ),
            (
                include_str!("../../fixtures/functions/segments.js"),
                "? request.uri = newUri;",
            ),
            (
                include_str!("../../fixtures/functions/origin.js"),
                "? cf.updateRequestOrigin({",
            ),
        ] {
            assert_eq!(read(code), told, "{code}");
        }
    }

    #[test]
    fn each_way_to_write_the_uri_is_read() {
        for (code, told) in [
            ("request.uri = request.uri + \"index.html\"", "index"),
            ("request.uri = `${request.uri}/index.html`", "index"),
            ("request['uri'] += '/index.html'", "index"),
            (
                "event.request.uri = event.request.uri.concat('index.html')",
                "index",
            ),
            ("const uri = request?.uri; request.uri = uri", "nothing"),
            (
                "if (request.uri === '/') request.headers['x'] = {value:'1'}",
                "nothing",
            ),
            ("request.uri = '/app.html'", "-> /app.html"),
            (
                "request.uri = request.uri.replace(/\\/$/, '/index.html')",
                "index",
            ),
            (
                "request.uri = request.uri.replace(/\\/?$/, '/index.html')",
                "index",
            ),
            (
                "request.uri = request.uri.replace(/^\\/docs/, '')",
                "/docs* -> *",
            ),
            (
                "request.uri = request.uri.replace(/^\\/a/, '/b') || '/'",
                "/a* -> /b*, -> /",
            ),
            ("request.uri = request.uri.replace(/\\/$/, '')", "*/ -> *"),
            (
                "request.uri = request.uri.replace(/\\.md$/, '.html')",
                "*.md -> *.html",
            ),
            (
                "request.uri += request.uri.endsWith('/') ? 'index.html' : '/index.html'",
                "index",
            ),
            ("const end = '.html'; request.uri += end", "* -> *.html"),
            (
                "const { uri } = request; request.uri = '/v1' + uri",
                "* -> /v1*",
            ),
            (
                "const { uri, headers } = request\nrequest.uri = uri + '.html'",
                "* -> *.html",
            ),
            (
                "if (a) request.uri += 'index.html'\nelse request.uri += '/index.html'",
                "index",
            ),
            (
                "if (a) { request.uri += 'index.html' } if (b) request.uri += '.br'",
                "* -> *.br, * -> *index.html, * -> *index.html.br",
            ),
            (
                "if (a) request.uri += '.x'; if (b) f(); else request.uri += '.y'",
                "* -> *.x, * -> *.x.y, * -> *.y",
            ),
            (
                "a ? request.uri += '.x' : 0\n!b && (request.uri += '.y')",
                "* -> *.x, * -> *.x.y, * -> *.y",
            ),
            (
                "if (b) { if (a) f(); } else request.uri += '.x'; request.uri += '.y'",
                "* -> *.x, * -> *.x.y, * -> *.y",
            ),
            (
                "switch (a) { case 1: request.uri = '/x'; break; default: request.uri += '.y' }",
                "* -> *.y, -> /x, -> /x.y",
            ),
            (
                "go: { if (a) break go; request.uri = `/a${`/b${request.uri}`}` }",
                "* -> /a/b*",
            ),
            (
                "let u; if (u = request.uri) request.uri = '/v' + u",
                "* -> /v*",
            ),
            ("f(), request.uri = '/x', g()", "-> /x"),
            ("if (a) /it's/.test(request.uri = '/x') // it's\n", "-> /x"),
            ("// it's\rrequest.uri = '/x'", "-> /x"),
            ("function f(r) { log(r.uri) } f(request)", "nothing"),
            (
                "console.log('at ' + JSON.stringify(event), {uri: request.uri})",
                "nothing",
            ),
            (
                "delete request.querystring.jwt; return a ? {statusCode: 401} : request",
                "nothing",
            ),
            (
                "var x = 4 / 2, y = '/*'; /* request.uri = x */ // request.uri = y\n",
                "nothing",
            ),
            (
                "if (/[/'\"]/.test(request.uri)) return { statusCode: 400 }",
                "nothing",
            ),
            ("for (var k in request.headers) { use(k) }", "nothing"),
        ] {
            assert_eq!(read(&body(code)), told, "{code}");
        }
    }

    #[test]
    fn what_is_not_certain_is_not_understood() {
        for (code, piece) in [
            ("request['u' + 'ri'] = '/x'", "request['u' + 'ri'] = '/x'"),
            ("var r = event.request; r[name] = '/x'", "r[name] = '/x'"),
            (
                "request.uri = '/' + lang + request.uri",
                "request.uri = '/' + lang + request.uri",
            ),
            (
                "request.uri = table[request.uri]",
                "request.uri = table[request.uri]",
            ),
            (
                "request.uri = request.uri.toLowerCase()",
                "request.uri = request.uri.toLowerCase()",
            ),
            (
                "request.uri = request.uri.replace('/a', '')",
                "request.uri = request.uri.replace('/a', '')",
            ),
            (
                "request.uri = request.uri.replace(/a+/g, '')",
                "request.uri = request.uri.replace(/a+/g, '')",
            ),
            (
                "request.uri = request.uri.replace(/^\\/(.*)/, '/$1.html')",
                "",
            ),
            (
                "request.uri = request.uri.slice(0, -1)",
                "request.uri = request.uri.slice(0, -1)",
            ),
            ("request.uri = request.uri.replace(/\\/+$/, '')", ""),
            ("request.uri = request.uri.replace(/^/, '/site')", ""),
            ("request.uri = request.uri.replace(/$/, '.html')", ""),
            (
                "if (request.uri.startsWith('/a/')) request.uri = request.uri.replace('/a', '')",
                "",
            ),
            (
                "request.uri += 'index.html'; request.uri = request.uri.replace(/^\\/index/, '/x')",
                "",
            ),
            ("var {uri: u, headers} = request\nrequest.uri = u", ""),
            ("var { headers: { uri } } = request", ""),
            ("var {request: r} = event\nr[k] = '/x'", ""),
            ("var u = 1; request.uri += u", "request.uri += u"),
            (
                "let u = ''; f(); request.uri += u; function f() { u = '/x' }",
                "",
            ),
            ("let u = ''; (() => { u = '/x' })(); request.uri += u", ""),
            ("let u = ''; [u] = x; request.uri += u", ""),
            ("let u = ''; for (u in x) { break } request.uri += u", ""),
            (
                "let u = ''; for (const [k, u] of x) { break } request.uri += u",
                "",
            ),
            ("let u = ''; for (;; u += 'x') { request.uri += u }", ""),
            ("let u = ''; do f(); while (u += 'x'); request.uri += u", ""),
            ("let u = ''; try { f() } catch (u) { request.uri += u }", ""),
            (
                "let u = '', o = { f() { u = '/x' } }; o.f(); request.uri += u",
                "",
            ),
            (
                "let u = '', o = { get f() { u = '/x'; return 1 } }; o.f; request.uri += u",
                "",
            ),
            ("let u = ''; ++u; request.uri += u", ""),
            ("let u = '', v; request.uri += v = u", ""),
            ("let u = '/a', v = u = f(); request.uri = u", ""),
            ("let u = '/a'; request.uri = (u = '/b') ? u : ''", ""),
            ("let u = '/a'; request.uri = ('/b', u)", ""),
            (
                "for (const p of ps) if (p) f(); else request.uri += '/x'",
                "",
            ),
            ("while (f(request.uri += '/x')) g()", ""),
            ("for (request.uri of ps) f()", ""),
            ("for ([request.uri] of ps) f()", ""),
            ("[request.uri] = ['/x']", ""),
            ("[request['uri']] = ['/x']", ""),
            ("[[it.uri]] = x", ""),
            ("({ a: request.uri } = x)", ""),
            ("for (it.uri in x) f()", ""),
            ("it['uri'] += '.html'", ""),
            ("it[`uri`] += '.html'", ""),
            ("return request['u' + k] = '/x', request", ""),
            ("return request[k] = '/x', request", ""),
            ("if (!request[k]()) f()", ""),
            ("request?.[k]", ""),
            (
                "const skip = a\nif (b) return request\nconst r = skip || request",
                "",
            ),
            (
                "if (a) return a\nconst r = skip || request\nr[k] = '/x'",
                "",
            ),
            ("return r = a || request, r[k] = '/x', r", ""),
            ("holder['r'] = request; holder.r[k] = '/x'", ""),
            ("console.log((r => { r[k] = '/x' })(request))", ""),
            ("console.log(o.r = a || request); o.r[k] = '/x'", ""),
            ("var console = o; console.log(request)", ""),
            ("console.log = f; console.log(request)", ""),
            ("f(request); function f(r) { return r }", ""),
            (
                "f(request); function f(a) {} function f(b) { b[k] = '/x' }",
                "",
            ),
            ("f(request); function f(a) {} f = g", ""),
            ("function f(a = request.uri = '/x') {}; f()", ""),
            ("return { get uri() { return '/x' } }", ""),
            ("return { uri() {} }", ""),
            ("return { 'uri': '/x' }", ""),
            ("return Object.defineProperty({}, 'uri', x)", ""),
            ("class R { uri = '/x' } return new R()", ""),
            ("if (a) handler(event); request.uri += '.html'", ""),
            ("x = {} / 2 + '/'", ""),
            (
                "let u = request.uri; u = f(u); request.uri = u",
                "request.uri = u",
            ),
            (
                "let u = request.uri; [u] = f(u); request.uri = u",
                "request.uri = u",
            ),
            (
                "let u = request.uri; u ||= '/'; request.uri = u",
                "request.uri = u",
            ),
            (
                "let u = request.uri; for (const p of ps) { u += p } request.uri = u",
                "request.uri = u",
            ),
            (
                "for (const p of ps) { request.uri += '/x' }",
                "request.uri += '/x'",
            ),
            (
                "ps.forEach(p => request.uri += '/x')",
                "ps.forEach(p => request.uri += '/x')",
            ),
            (
                "while (f()) request.uri += '/x'",
                "while (f()) request.uri += '/x'",
            ),
            ("request.uri ??= '/x'", "request.uri ??= '/x'"),
            ("request.origin = { s3: {} }", "request.origin = {"),
            (
                "Object.assign(request, other)",
                "Object.assign(request, other)",
            ),
            ("require('./rest')(request)", "require('./rest')(request)"),
            (
                "var copy = JSON.parse(JSON.stringify(request))",
                "var copy = JSON.parse(JSON.stringify(request))",
            ),
            (
                "var copy = f(); copy.uri = '/x'; return copy",
                "copy.uri = '/x'",
            ),
            (
                "return { method: 'GET', uri: '/x' }",
                "method: 'GET', uri: '/x'",
            ),
            ("return { ...request, uri: '/x' }", "...request, uri: '/x'"),
            ("return { method, uri }", "method, uri"),
            ("return { [key]: '/x' }", "[key]: '/x'"),
            ("request = other", "request = other"),
            ("var r = a || request; r.uri = '/x'", "var r = a || request"),
            (
                "console.log(change(request))",
                "console.log(change(request))",
            ),
            ("eval(code)", "eval(code)"),
            ("request.uri = \"\\q\"", "\"\\q\""),
            (
                "const a = require('cloudfront')",
                "const a = require('cloudfront')",
            ),
        ] {
            let told = read(&body(code));
            let shown = told
                .strip_prefix("? ")
                .unwrap_or_else(|| panic!("{code}: {told}"));
            assert!(shown.starts_with(piece), "{code}: {told}");
        }
        for code in [
            "",
            "function handle(event) { return event.request }",
            "function handler(event) { return event.request",
            "function handler({request}) { request.uri += '.html'; return request }",
            "import * as cf from 'cloudfront'; function handler(event) { return event.request }",
            "import cf from 'cloudfront'; function handler(event) { cf[name](); return event.request }",
            "var end = '/x'; function handler(event) { f(); event.request.uri += end; return event.request } function f() { end = g() }",
            "const end = '/x'; function f() { const end = g() } function handler(event) { event.request.uri += end; return event.request }",
            "var end = '/x'; function handler(event) { event.request.uri += end; end = '/y'; return event.request }",
            "function handler(event) { return event.request } function handler(e) { e.request.uri = '/x'; return e.request }",
            "function handler(event) { return event.request } handler = other;",
            "var handler = wrap(function (event) { return event.request })",
            "var handler = function (event) { return event.request }.bind(x)",
            "function f() { function handler(event) { return event.request } }",
            "function to(r) { r.uri = '/x' } function handler(event) { to(event.request); return event.request }",
        ] {
            assert!(rewrite_of(code).is_err(), "{code}");
        }
        let long = read(&body(&format!("request.uri = '{}'.f()", "é".repeat(99))));
        assert_eq!(long.chars().count(), 63, "{long}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic(
            text in "(?s).{0,80}",
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "function ", "handler", "(", ")", "{", "}", "event", "request", "uri", ".", "=", "+=", "=>", "'a'", "`",
                    "${", "/", "[", "]", ",", ";", "\n", "?", ":", "||", "-", "1", "0", "replace", "slice", "for", "do", "return ",
                    "endsWith", "const ", "...", "'", "\\", "/^a/", "import ", "from ", "'cloudfront'", "é",
                ]),
                0..60,
            ),
        ) {
            let pieces = pieces.concat();
            let whole = format!("function handler(event) {{ const request = event.request; {pieces} }}");
            for code in [text, body(&pieces), whole, pieces] {
                let _ = rewrite_of(&code);
            }
        }
    }
}
