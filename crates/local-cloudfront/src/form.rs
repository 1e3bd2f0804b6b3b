//! The query protocol: a form in the request's body, XML in the answer.

use std::collections::BTreeMap;

use hyper::Response;
use s3s::Body;

use super::http::{decode, request_id, xml};
use super::request::{RequestInfo, Service};
use super::xml::{Element, leaf, node};

/// The fields of a form by their names, such as `Capabilities.member.1`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    pub(crate) fn parse(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let plain = |text: &str| decode(&text.replace('+', " "));
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        Self(
            pairs
                .map(|(name, value)| (plain(name), plain(value)))
                .collect(),
        )
    }

    /// A field's value; empty for one that is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The items of a list, each with the fields beneath it. Those of a list of texts have one field without a name.
    pub(crate) fn items(&self, list: &str) -> Vec<Self> {
        let item = |number: usize| {
            let prefix = format!("{list}.member.{number}");
            let fields = self.0.iter().filter_map(|(name, value)| {
                let rest = name.strip_prefix(&prefix)?;
                let is_below = rest.is_empty() || rest.starts_with('.');
                is_below.then(|| (rest.trim_start_matches('.').to_owned(), value.clone()))
            });
            Self(fields.collect())
        };
        let items = (1..).map(item);
        items.take_while(|item| !item.0.is_empty()).collect()
    }

    /// The items of a list of texts.
    pub(crate) fn texts(&self, list: &str) -> Vec<String> {
        let items = self.items(list);
        items.iter().map(|item| item.text("").to_owned()).collect()
    }
}

/// An answer of the query protocol: the result's elements in their two covers.
pub(crate) fn answered(info: &RequestInfo, result: Vec<Element>) -> Response<Body> {
    let operation = info.operation;
    let metadata = node("ResponseMetadata", [leaf("RequestId", request_id())]);
    let result = node(&format!("{operation}Result"), result);
    let whole = node(&format!("{operation}Response"), [result, metadata]);
    xml(200, whole.document(info.service.namespace()))
}

/// As [`super::http::failure`], of an operation that is not served here.
pub(crate) fn unknown(service: Service) -> Response<Body> {
    let said = "Could not find operation";
    super::http::failure(service, 400, "InvalidAction", said, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_item_by_item() {
        let form = Form::parse(
            b"Action=X&Tags.member.1.Key=a+b&Tags.member.1.Value=%26&Tags.member.2.Key=c&C.member.1=one",
        );
        let tags = form.items("Tags");
        assert_eq!(tags.len(), 2);
        assert_eq!((tags[0].text("Key"), tags[0].text("Value")), ("a b", "&"));
        assert_eq!(form.texts("C"), ["one"]);
    }
}
