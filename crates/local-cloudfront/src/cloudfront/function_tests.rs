//! TestFunction: a function is run on an event that the tester wrote.

#[cfg(feature = "javascript")]
pub(super) use engine::test;

#[cfg(not(feature = "javascript"))]
pub(super) fn test(
    _: &crate::world::Shared,
    _: &str,
    _: &hyper::HeaderMap,
    _: &str,
) -> Result<super::Done, super::Failed> {
    let said = "Functions are not run here without the feature `javascript`.";
    Err(super::Failed(501, "NotImplemented", said.to_owned()))
}

#[cfg(feature = "javascript")]
mod engine {
    use hyper::HeaderMap;

    use crate::cloudfront::functions::{etag, matching_tag, refused, stages, summary};
    use crate::cloudfront::{Done, Failed, missing};
    use crate::content::unbase64;
    use crate::javascript::execute;
    use crate::world::Shared;
    use crate::xml::{Element, leaf, node};

    pub(crate) fn test(
        shared: &Shared,
        name: &str,
        headers: &HeaderMap,
        body: &str,
    ) -> Result<Done, Failed> {
        let request = Element::parse(body).unwrap_or_default();
        let event = unbase64(request.text_at("EventObject"));
        let event = event.and_then(|bytes| String::from_utf8(bytes).ok());
        let is_object = |text: &String| {
            let event = serde_json::from_str::<serde_json::Value>(text);
            event.is_ok_and(|event| event.is_object())
        };
        let Some(event) = event.filter(is_object) else {
            return refused(
                400,
                "InvalidArgument",
                "The event object is not valid JSON.",
            );
        };
        let stages = stages(shared, name)?;
        let (stage, function, store) = match request.text_at("Stage") {
            "LIVE" => ("LIVE", stages.live.as_ref(), &stages.live_store),
            _ => (
                "DEVELOPMENT",
                Some(&stages.development),
                &stages.development_store,
            ),
        };
        let function = function.ok_or_else(|| missing("NoSuchFunctionExists", "function"))?;
        matching_tag(headers, &etag(function, store))?;
        let store = store.as_deref();
        let store = store.and_then(|arn| shared.cloud.key_values(|stores| stores.bound(arn)));
        let execution = execute(&function.code, store, &format!("{{\"event\":{event}}}"));
        let logs = execution.logs.iter().map(|line| leaf("member", line));
        let (output, error) = match execution.result {
            Ok(output) => (output, String::new()),
            Err(error) => (String::new(), error),
        };
        Ok(Done::ok(node(
            "TestResult",
            [
                summary(shared, name, stage, &stages),
                // Nobody measures it here.
                leaf("ComputeUtilization", 1),
                node("FunctionExecutionLogs", logs),
                leaf("FunctionErrorMessage", error),
                leaf("FunctionOutput", output),
            ],
        )))
    }
}
