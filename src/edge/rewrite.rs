//! Reads from a CloudFront Function's code what it does to the URI: a careful reading of its text, since nothing here runs
//! JavaScript. Whatever might reach the request in another way than by a write to its `uri` is not understood.

use std::collections::{BTreeMap, BTreeSet};

use super::code::TokenizedCode;
use super::distribution::UriRewrite;
use super::form::{AnchoredText, UriForm, anchored, joined, replaced};
use super::objects::{FunctionObjects, NamedObject, is_assignment};

/// The most forms that are followed.
const MAX_FORMS: usize = 64;
/// Parts of the request that do not decide where an object is kept. Of the query string the cache policy says what counts, and
/// where any does, all query strings of a path are purged.
const HARMLESS: [&str; 5] = ["headers", "cookies", "querystring", "method", "body"];
/// What of the module `cloudfront` leaves the origin alone.
const HELPERS: [&str; 3] = ["kvs", "edgeLocation", "rawQueryString"];
/// Ways to the request, or past it, that this reading would not see.
const HIDDEN: [&str; 7] = [
    "eval",
    "Function",
    "arguments",
    "with",
    "Reflect",
    "Proxy",
    "globalThis",
];
const ORIGIN_CHANGES: [&str; 3] = [
    "updateRequestOrigin",
    "selectRequestOriginById",
    "createRequestOriginGroup",
];

/// Tells what the function does to the URI. `Err`: the piece of its code that is not understood.
pub fn rewrite_of(source: &str) -> Result<UriRewrite, String> {
    let code = TokenizedCode::read(source)?;
    let forms = forms(&code).map_err(|at| code.piece(at))?;
    let is_path = |form: &UriForm| match form {
        UriForm::Literal(text) => text.starts_with('/'),
        form => *form != UriForm::same(),
    };
    let forms: Vec<UriForm> = forms.into_iter().filter(is_path).collect();
    Ok(if forms.is_empty() {
        UriRewrite::None
    } else if forms.iter().all(UriForm::is_index) {
        UriRewrite::IndexDirectory
    } else {
        UriRewrite::Forms(forms)
    })
}

fn forms(code: &TokenizedCode<'_>) -> Result<BTreeSet<UriForm>, usize> {
    let mut reader = FunctionReader {
        code,
        objects: FunctionObjects::find(code)?,
        values: BTreeMap::new(),
        uri: BTreeSet::from([UriForm::same()]),
        known: 0,
    };
    // What stands around the handler has been run before it.
    let (within, around): (Vec<usize>, Vec<usize>) =
        (0..code.len()).partition(|at| reader.objects.is_in_handler(*at));
    let mut all = around.into_iter().chain(within);
    all.try_for_each(|at| reader.read(at))?;
    Ok(reader.uri)
}

/// Follows the URI through the code, token by token. Errors are positions.
struct FunctionReader<'c, 'a> {
    code: &'c TokenizedCode<'a>,
    objects: FunctionObjects<'c, 'a>,
    /// What variables may hold; `None`: nobody knows.
    values: BTreeMap<&'a str, Option<BTreeSet<UriForm>>>,
    /// What the URI may have become.
    uri: BTreeSet<UriForm>,
    /// The last `uri` that was known to be the request's.
    known: usize,
}

impl<'a> FunctionReader<'_, 'a> {
    /// Reads the token: what it does to the URI, or to what the URI may be set to.
    fn read(&mut self, at: usize) -> Result<(), usize> {
        let code = self.code;
        if let Some((object, next)) = self.objects.object_at(at) {
            return match self.objects.is_declared(at) || code.word_before(at) == Some("import") {
                true => Ok(()),
                false => self.read_object(object, at, next),
            };
        }
        let name = code.name(at).unwrap_or_default();
        let is_hidden =
            HIDDEN.contains(&name) && code.is_value(at) || ORIGIN_CHANGES.contains(&name);
        if is_hidden || self.makes_request(at) {
            return Err(at);
        }
        let assigned = code.sign(at + 1);
        if name == "uri" && !code.is_value(at) && at != self.known && is_assignment(assigned) {
            return Err(at);
        }
        match code.sign(at) {
            "=" if matches!(code.before(at), "}" | "]") => self.take_apart(at),
            "" if !name.is_empty() && code.is_value(at) && is_assignment(assigned) => {
                self.assign(name, at);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Returns whether an object gets the key `uri` here, or one that nobody knows: it may be returned as the request.
    fn makes_request(&self, at: usize) -> bool {
        let code = self.code;
        let in_braces = code.outer(at).is_some_and(|open| code.sign(open) == "{");
        if !in_braces || !matches!(code.before(at), "{" | ",") || self.objects.is_declared(at) {
            return false;
        }
        let is_uri = code.name(at).or(code.text(at)) == Some("uri");
        let is_key = match code.sign(at) {
            "[" => code.sign(code.pair(at) + 1) == ":",
            _ => is_uri && matches!(code.sign(at + 1), ":" | "," | "}"),
        };
        is_key && !self.objects.is_logged(at)
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
        self.known = after - 1;
        let sign = code.sign(after);
        let is_changed =
            matches!(code.before(at), "++" | "--") || code.word_before(at) == Some("delete");
        if !is_assignment(sign) {
            return if is_changed { Err(at) } else { Ok(()) };
        }
        let is_in_handler = self.objects.is_in_handler(at);
        if is_changed || !is_in_handler || !self.objects.is_in_order(at) {
            return Err(at);
        }
        let value = self.value(after + 1, code.expression_end(after + 1))?;
        let value = match sign {
            "=" => Some(value),
            "+=" => joined(&self.uri, &value),
            _ => None,
        };
        self.uri.extend(value.ok_or(at)?);
        (self.uri.len() <= MAX_FORMS).then_some(()).ok_or(at)
    }

    /// Notes what a variable may hold from here on.
    fn assign(&mut self, name: &'a str, at: usize) {
        let code = self.code;
        let is_in_order = self.objects.is_in_order(at);
        let is_local = matches!(code.word_before(at), Some("var" | "let" | "const"));
        if is_local && !is_in_order && !self.objects.is_in_handler(at) {
            return;
        }
        let value = self.value(at + 2, code.expression_end(at + 2)).ok();
        let old = self.values.get(name);
        let value = match (code.sign(at + 1), old, value) {
            _ if !is_in_order => None,
            ("=", None, value) => value,
            ("=", Some(Some(old)), Some(value)) => Some(old | &value),
            ("+=", Some(Some(old)), Some(value)) => joined(old, &value).map(|value| old | &value),
            _ => None,
        };
        let value = value.filter(|forms| forms.len() <= MAX_FORMS);
        self.values.insert(name, value);
    }

    /// Notes what the names of a pattern hold, before whose `=` this is.
    fn take_apart(&mut self, at: usize) -> Result<(), usize> {
        let code = self.code;
        let close = at - 1;
        let source = self.objects.object_at(at + 1);
        let source = source.filter(|(_, next)| code.expression_end(at + 1) == *next);
        if let ("}", Some((object, _))) = (code.sign(close), source) {
            for (property, name) in self.objects.entries(close)? {
                let is_uri = object == NamedObject::Request && property == "uri";
                let name = name.ok_or(at)?;
                let is_new = !self.values.contains_key(name);
                let value = (is_uri && is_new).then(|| self.uri.clone());
                self.values.insert(name, value);
            }
            return Ok(());
        }
        for inside in code.pair(close)..close {
            if code.name(inside) == Some("uri") && !code.is_value(inside) {
                return Err(at);
            }
            self.values
                .extend(code.name(inside).map(|name| (name, None)));
        }
        Ok(())
    }

    /// Evaluates an expression. `Err`: where it is not understood.
    fn value(&self, start: usize, end: usize) -> Result<BTreeSet<UriForm>, usize> {
        let code = self.code;
        if start >= end {
            return Err(start);
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
        let value = code.name(start).and_then(|name| self.values.get(name));
        let (mut value, mut at) = if code.sign(start) == "(" {
            (
                self.value(start + 1, code.pair(start))?,
                code.pair(start) + 1,
            )
        } else if let Some(text) = code.text(start) {
            (
                BTreeSet::from([UriForm::Literal(text.to_owned())]),
                start + 1,
            )
        } else if let Some((NamedObject::Request, next)) = self.objects.object_at(start) {
            match code.property(next) {
                Some(("uri", after)) => (self.uri.clone(), after),
                _ => return Err(start),
            }
        } else {
            (value.cloned().flatten().ok_or(start)?, start + 1)
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
                let search = match code.text(*search) {
                    // Where the code asks for no beginning, it may be found anywhere.
                    Some(text) if self.is_asked("startsWith", text) => AnchoredText {
                        start: text.to_owned(),
                        ..AnchoredText::default()
                    },
                    _ => anchored(code.regex(*search)?)?,
                };
                Some(replaced(value, &search, with))
            }
            ("slice" | "substring", [(zero, _), (_, end)]) => {
                let last = [3, 2, 1].map(|back| end.checked_sub(back).unwrap_or_default());
                let [length, minus, one] = last;
                let is_last = code.sign(minus) == "-" && code.name(one) == Some("1");
                let is_counted = code.sign(length) == "," || code.name(length) == Some("length");
                let cut = value.iter().filter_map(|form| form.without("", "/"));
                let is_known = code.name(*zero) == Some("0") && is_last && is_counted;
                (is_known && self.is_asked("endsWith", "/")).then(|| cut.collect())
            }
            _ => None,
        }
    }

    /// Returns whether the code asks of something whether it begins, or ends, with this and perhaps more.
    fn is_asked(&self, method: &str, text: &str) -> bool {
        let code = self.code;
        let is_zero =
            |at: usize| matches!(code.sign(at), "===" | "==") && code.name(at + 1) == Some("0");
        (0..code.len()).any(|at| {
            let is_method = match code.name(at) {
                Some("indexOf") => method == "startsWith" && is_zero(at + 4),
                name => name == Some(method),
            };
            is_method
                && code
                    .text(at + 2)
                    .is_some_and(|asked| asked.starts_with(text))
        })
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
            ("request.uri = request.uri.replace(/\\/+$/, '')", "*/ -> *"),
            (
                "if (request.uri.endsWith('/')) request.uri = request.uri.slice(0, -1)",
                "*/ -> *",
            ),
            (
                "var u = request.uri; if (u.endsWith('/')) u = u.substring(0, u.length - 1); request.uri = u",
                "*/ -> *",
            ),
            (
                "request.uri = request.uri.replace(/^\\/docs/, '')",
                "/docs* -> *",
            ),
            (
                "request.uri = request.uri.replace(/^\\/a/, '/b') || '/'",
                "/a* -> /b*, -> /",
            ),
            (
                "if (request.uri.startsWith('/a/')) request.uri = request.uri.replace('/a', '')",
                "/a* -> *",
            ),
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
                "var {uri: u, headers} = request\nu += '.html'\nrequest.uri = u",
                "* -> *.html",
            ),
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
        let local = "function f() { const end = g(); return end }";
        let code = format!(
            "const end = '/index.html'; {local} {}",
            body("request.uri += end")
        );
        assert_eq!(read(&code), "index", "another function's own");
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
            ("var u = 1; request.uri += u", "request.uri += u"),
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
            "function to(r) { r.uri = '/x' } function handler(event) { to(event.request); return event.request }",
        ] {
            assert!(rewrite_of(code).is_err(), "{code}");
        }
        let long = read(&body(&format!("request.uri = '{}'.f()", "é".repeat(99))));
        assert_eq!(long.chars().count(), 63, "{long}");
    }

    #[test]
    fn the_function_that_we_write_is_understood() {
        use crate::rules::function::{PathRewrite, generate};
        use crate::rules::redirect::Redirect;
        let redirect = Redirect {
            from: "/é/:b/*".into(),
            to: "https://x.example/:b/:splat".into(),
            status: 302,
            force: false,
        };
        for (index, bare_folders, right) in [
            (
                Some("index.html".to_owned()),
                true,
                UriRewrite::IndexDirectory,
            ),
            (None, false, UriRewrite::None),
        ] {
            let wanted = PathRewrite {
                index,
                bare_folders,
                endings: vec![".html".into()],
                kept: vec!["/404.html".into()],
            };
            let code = generate(std::slice::from_ref(&redirect), &wanted, "s3://b/").unwrap();
            assert_eq!(rewrite_of(&code), Ok(right));
        }
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
