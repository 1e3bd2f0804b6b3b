//! Objects for programs: one on a line, each with a `type`, with keys in kebab-case.

use serde::Serialize;
use serde_json::{Value, json};

#[derive(Serialize)]
struct MergedObjects<A, B> {
    #[serde(flatten)]
    first: A,
    #[serde(flatten)]
    second: B,
}

/// Returns an object with the fields of both.
pub(super) fn merged(first: impl Serialize, second: impl Serialize) -> Value {
    json!(MergedObjects { first, second })
}

/// Returns an object with its `type`.
pub(super) fn typed(kind: &str, object: impl Serialize) -> Value {
    merged(json!({"type": kind}), object)
}
