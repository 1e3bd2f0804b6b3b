//! Writes the source of a CloudFront Function that answers redirects and finds directory indexes, for distributions whose
//! origin is a bucket's REST endpoint, where S3 does neither.

use super::redirect::Redirect;

/// The most bytes of a function's code (CloudFront Developer Guide, "Quotas on CloudFront Functions").
pub const MAX_FUNCTION_BYTES: usize = 10 * 1024;
/// The runtime that the source is written for.
pub const RUNTIME: &str = "cloudfront-js-2.0";

/// The first line of a function's code begins so where it is ours to change.
const MARK: &str = "// Redirects and folders, written by unstale";
const TABLE: &str = "const rules = [\n";
const FOLDER: &str = "(last === '') request.uri += ";
const BARE_FOLDER: &str = "(last.indexOf('.') < 0) request.uri += ";

/// The ways in which a request path becomes the path of a key, besides by redirects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathRewrite {
    /// The document that stands for a folder, such as `index.html`; `None`: paths are left as they are.
    pub index: Option<String>,
    /// `/about`, whose last segment has no dot, means `/about/` too.
    pub bare_folders: bool,
    /// Endings that keys lost: what is asked for with one is redirected to the name without it.
    pub endings: Vec<String>,
    /// Request paths that keep theirs.
    pub kept: Vec<String>,
}

/// Why [`generate`] cannot write a function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    #[error(
        "the function for {redirects} redirects has {bytes} bytes, and CloudFront takes {MAX_FUNCTION_BYTES}; join redirects \
         that share a folder with \"/folder/* /new/:splat\", or serve the exact ones from a website endpoint"
    )]
    TooLarge { bytes: usize, redirects: usize },
}

/// Writes the function's source, for the event `viewer-request`. The same input gives the same bytes. `site` names whose it
/// is, as `s3://bucket/folder/`; empty: whoever takes it.
pub fn generate(
    redirects: &[Redirect],
    rewrite: &PathRewrite,
    site: &str,
) -> Result<String, FunctionError> {
    let mut source = MARK.to_owned();
    if !site.is_empty() {
        source += &format!(" for {}", literal(site));
    }
    source += &format!(". Runtime {RUNTIME}, event viewer-request.\n");
    // Exact ones first is the order of the table: one that comes after a pattern that takes all of it is refused before.
    // One that a pattern takes only in part keeps its place in the list.
    source += TABLE;
    source.extend(redirects.iter().map(row));
    source += "];\n";
    source += BODY;
    if !rewrite.endings.is_empty() {
        source += &format!("  const endings = {};\n", list(&rewrite.endings));
        source += &format!("  const kept = {};\n", list(&rewrite.kept));
        source += STRIP;
    }
    if let Some(index) = &rewrite.index {
        // In plain words, so that the function's code tells which URLs a page answers at.
        source += &format!("  if {FOLDER}{};\n", literal(index));
        if rewrite.bare_folders {
            source += &format!(
                "  else if {BARE_FOLDER}{};\n",
                literal(&format!("/{index}"))
            );
        }
    }
    source += "  return request;\n}\n";
    let bytes = source.len();
    if bytes > MAX_FUNCTION_BYTES {
        let redirects = redirects.len();
        return Err(FunctionError::TooLarge { bytes, redirects });
    }
    Ok(source)
}

/// Tells whether the code is [`generate`]d, for this site or for nobody in particular.
pub fn is_ours(code: &str, site: &str) -> bool {
    code.strip_prefix(MARK).is_some_and(|whose| {
        whose.starts_with(". ") || whose.starts_with(&format!(" for {}. ", literal(site)))
    })
}

/// Reads back what a [`generate`]d function does; `None` for any other code.
pub fn read(code: &str) -> Option<(Vec<Redirect>, PathRewrite)> {
    let (_, rest) = code
        .strip_prefix(MARK)
        .and_then(|rest| rest.split_once(TABLE))?;
    let (table, body) = rest.split_once("];\n")?;
    let redirects = table.lines().map(|line| {
        let row: Vec<serde_json::Value> = serde_json::from_str(line.strip_suffix(',')?).ok()?;
        Some(Redirect {
            from: row.first()?.as_str()?.to_owned(),
            to: row.get(1)?.as_str()?.to_owned(),
            status: match row.get(2) {
                Some(status) => status.as_u64()?.try_into().ok()?,
                None => 301,
            },
            force: false,
        })
    });
    let after = |words: &str| {
        let (_, rest) = body.split_once(words)?;
        rest.split(";\n").next()
    };
    let strings = |words: &str| match after(words) {
        Some(text) => serde_json::from_str(text).ok(),
        None => Some(Vec::new()),
    };
    let rewrite = PathRewrite {
        index: after(FOLDER).and_then(|text| serde_json::from_str(text).ok()),
        bare_folders: body.contains(BARE_FOLDER),
        endings: strings("const endings = ")?,
        kept: strings("const kept = ")?,
    };
    Some((redirects.collect::<Option<_>>()?, rewrite))
}

/// Returns the first of these redirects that a function written by [`generate`] does not answer as it should.
pub fn missing<'a>(
    code: &str,
    redirects: impl IntoIterator<Item = &'a Redirect>,
) -> Option<&'a Redirect> {
    let mut redirects = redirects.into_iter();
    redirects.find(|redirect| !code.contains(&row(redirect)))
}

/// Writes a redirect's line of the table.
fn row(redirect: &Redirect) -> String {
    let (from, to) = (literal(&redirect.from), literal(&redirect.to));
    match redirect.status {
        301 => format!("[{from}, {to}],\n"),
        other => format!("[{from}, {to}, {other}],\n"),
    }
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// The same as `Redirects::answer`, in JavaScript.
const BODY: &str = r#"
function decode(text) {
  try { return decodeURIComponent(text); } catch (e) { return text; }
}
function location(from, to, path) {
  const patterns = from.substring(1).split('/');
  const segments = path.substring(1).split('/');
  const filled = {};
  let at = 0;
  for (; at < patterns.length; at++) {
    const pattern = patterns[at];
    if (pattern === '*') {
      filled.splat = segments.slice(at).join('/').replace(/^\/+/, '');
      at = segments.length;
      break;
    }
    if (at >= segments.length) return null;
    if (pattern[0] === ':') {
      if (segments[at] === '') return null;
      filled[pattern.substring(1)] = segments[at];
    } else if (decode(pattern) !== decode(segments[at])) return null;
  }
  if (at !== segments.length) return null;
  return to.replace(/:([A-Za-z][A-Za-z0-9_]*)/g, function (all, name) {
    return Object.prototype.hasOwnProperty.call(filled, name) ? filled[name] : all;
  });
}
function query(parameters) {
  const parts = [];
  Object.keys(parameters).forEach(function (name) {
    const one = parameters[name];
    (one.multiValue || [one]).forEach(function (value) {
      parts.push(value.value === '' ? name : name + '=' + value.value);
    });
  });
  return parts.length ? '?' + parts.join('&') : '';
}
function redirect(status, to, parameters) {
  if (to.indexOf('?') < 0 && to.indexOf('#') < 0) to += query(parameters);
  return { statusCode: status, statusDescription: names[status], headers: { location: { value: to } } };
}
const names = { 301: 'Moved Permanently', 302: 'Found', 303: 'See Other', 307: 'Temporary Redirect', 308: 'Permanent Redirect' };
function handler(event) {
  const request = event.request;
  for (let i = 0; i < rules.length; i++) {
    const to = location(rules[i][0], rules[i][1], request.uri);
    if (to !== null) return redirect(rules[i][2] || 301, to, request.querystring);
  }
  const last = request.uri.substring(request.uri.lastIndexOf('/') + 1);
"#;

/// The same as `deploy::names` makes of keys.
const STRIP: &str = r#"  for (let i = 0; i < endings.length && kept.indexOf(request.uri) < 0; i++) {
    const stem = last.substring(0, last.length - endings[i].length);
    if (stem === '' || stem === 'index' || stem + endings[i] !== last) continue;
    return redirect(301, request.uri.substring(0, request.uri.length - endings[i].length), request.querystring);
  }
"#;

/// Writes a string literal of JavaScript, in ASCII.
fn literal(text: &str) -> String {
    let mut quoted = String::from("\"");
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\')) => quoted.extend(['\\', char::from(byte)]),
            Ok(byte @ b' '..=b'~') => quoted.push(char::from(byte)),
            _ => quoted += &format!("\\u{unit:04x}"),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirects(pairs: impl IntoIterator<Item = (String, String, u16)>) -> Vec<Redirect> {
        let redirects = pairs.into_iter().map(|(from, to, status)| Redirect {
            from,
            to,
            status,
            force: false,
        });
        redirects.collect()
    }

    #[test]
    fn the_table_is_written_in_its_order() {
        let table = redirects([
            ("/o\"ld".to_owned(), "/new".to_owned(), 301),
            ("/é\\".to_owned(), "/x".to_owned(), 302),
            ("/d/*".to_owned(), "/e/:splat".to_owned(), 308),
        ]);
        let rewrite = PathRewrite {
            index: Some("index.html".to_owned()),
            bare_folders: true,
            ..PathRewrite::default()
        };
        let source = generate(&table, &rewrite, "").unwrap();
        let head = "const rules = [\n[\"/o\\\"ld\", \"/new\"],\n[\"/\\u00e9\\\\\", \"/x\", 302],\n[\"/d/*\", \"/e/:splat\", 308],\n];\n";
        assert!(source.contains(head), "{source}");
        assert!(source.is_ascii() && source.ends_with("}\n"));
        let none = generate(&[], &PathRewrite::default(), "").unwrap();
        assert!(!none.contains("request.uri +="));
        assert!(
            source.contains("else if (last.indexOf('.') < 0) request.uri += \"/index.html\";\n")
        );
    }

    #[test]
    fn too_many_redirects_are_refused_with_a_way_out() {
        let many = |count: usize| {
            redirects((0..count).map(|n| (format!("/old/{n}"), format!("/new/{n}"), 301)))
        };
        assert!(generate(&many(200), &PathRewrite::default(), "").is_ok());
        let error = generate(&many(500), &PathRewrite::default(), "").unwrap_err();
        assert!(
            matches!(error, FunctionError::TooLarge { redirects: 500, bytes } if bytes > MAX_FUNCTION_BYTES)
        );
        assert!(error.to_string().contains(":splat"));
    }

    #[test]
    fn a_function_is_ours_by_its_first_line() {
        let code = |site| generate(&[], &PathRewrite::default(), site).unwrap();
        for (code, ours) in [
            (code(""), true),
            (code("s3://b/"), true),
            (code("s3://b/docs/"), false),
            (
                "function handler(event) { return event.request; }\n".to_owned(),
                false,
            ),
            (String::new(), false),
        ] {
            assert_eq!(is_ours(&code, "s3://b/"), ours, "{code}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_literal_reads_back(text in "(?s).{0,30}") {
            let quoted = literal(&text);
            proptest::prop_assert!(quoted.is_ascii());
            // JSON's strings are JavaScript's.
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }

        #[test]
        fn a_function_reads_back(
            rows in proptest::collection::vec(("(?s).{0,9}", "(?s).{0,9}", 301u16..309), 0..4),
            endings in proptest::collection::vec("(?s).{0,5}", 0..3),
            kept in proptest::collection::vec("(?s).{0,5}", 0..3),
            index in proptest::option::of("[a-z.]{1,9}"),
        ) {
            let rewrite = PathRewrite {
                bare_folders: index.is_some() && rows.len() == 1,
                kept: if endings.is_empty() { Vec::new() } else { kept },
                index,
                endings,
            };
            let rows = redirects(rows);
            let code = generate(&rows, &rewrite, "s3://b/").unwrap();
            proptest::prop_assert_eq!(read(&code), Some((rows, rewrite)));
        }
    }
}
