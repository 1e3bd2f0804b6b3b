//! What is asked of CloudFront about functions: their code, its two stages, and the behaviors that run them.

use aws_sdk_cloudfront::error::BuildError;
use aws_sdk_cloudfront::primitives::Blob;
use aws_sdk_cloudfront::types::{
    DefaultCacheBehavior, EventType, FunctionAssociation, FunctionAssociations, FunctionConfig,
    FunctionRuntime, FunctionStage, FunctionSummary, KeyValueStoreAssociation,
    KeyValueStoreAssociations,
};

use super::cloudfront::CloudFront;
use super::error::{AwsError, failed};

/// A function's code, and the ETag by which it is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionCode {
    pub text: String,
    pub etag: String,
}

/// What is to be written as a function.
#[derive(Debug, Clone, Copy)]
pub struct FunctionDraft<'a> {
    pub code: &'a str,
    /// At most 128 bytes.
    pub comment: &'a str,
    /// The ARN of the key value store that it reads.
    pub store: Option<&'a str>,
}

/// What a function made of a test's event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionTrial {
    /// JSON.
    pub output: String,
    pub error: Option<String>,
    /// In percent of the time that a function may take, as CloudFront writes it.
    pub utilization: String,
}

/// What a behavior's function is to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionEvents {
    /// It is taken off.
    Nothing,
    Requests,
    RequestsAndAnswers,
}

impl FunctionEvents {
    fn include(self, event: &EventType) -> bool {
        match self {
            Self::Nothing => false,
            Self::Requests => *event == EventType::ViewerRequest,
            Self::RequestsAndAnswers => {
                [EventType::ViewerRequest, EventType::ViewerResponse].contains(event)
            }
        }
    }
}

/// What became of an association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssociationOutcome {
    Done,
    /// Requests go through this one already, by its ARN.
    Taken(String),
}

impl CloudFront {
    /// Reads the code of a CloudFront Function: as viewers run it, or as it was last written. `None`: there is none.
    pub async fn function(&self, name: &str, live: bool) -> Result<Option<FunctionCode>, AwsError> {
        let stage = if live {
            FunctionStage::Live
        } else {
            FunctionStage::Development
        };
        let answer = self.client.get_function().name(name).stage(stage);
        let answer = answer.send().await;
        let answer = AwsError::if_there(answer.map_err(failed("cloudfront:GetFunction", name)))?;
        Ok(answer.map(|answer| {
            let code = answer.function_code.map(Blob::into_inner);
            FunctionCode {
                text: String::from_utf8_lossy(&code.unwrap_or_default()).into_owned(),
                etag: answer.e_tag.unwrap_or_default(),
            }
        }))
    }

    /// Writes a function, over the one of this ETag or as a new one, and answers the ETag that it has now. No viewer meets it yet.
    pub async fn write_function(
        &self,
        name: &str,
        draft: FunctionDraft<'_>,
        over: Option<&str>,
    ) -> Result<String, AwsError> {
        const CREATE: &str = "cloudfront:CreateFunction";
        const UPDATE: &str = "cloudfront:UpdateFunction";
        let nonsense = |what: &str| AwsError::nonsense(CREATE, name, what);
        let config = config_of(&draft).map_err(|error| nonsense(&error.to_string()))?;
        let code = Blob::new(draft.code.as_bytes());
        let etag = if let Some(etag) = over {
            let request = self.client.update_function().name(name).if_match(etag);
            let request = request.function_config(config).function_code(code);
            request.send().await.map_err(failed(UPDATE, name))?.e_tag
        } else {
            let request = self.client.create_function().name(name);
            let request = request.function_config(config).function_code(code);
            request.send().await.map_err(failed(CREATE, name))?.e_tag
        };
        etag.ok_or_else(|| nonsense("the answer has no ETag"))
    }

    /// Runs the code of this ETag, which was written and not published, on an event in JSON.
    pub async fn test_function(
        &self,
        name: &str,
        etag: &str,
        event: &str,
    ) -> Result<FunctionTrial, AwsError> {
        const ACTION: &str = "cloudfront:TestFunction";
        let request = self.client.test_function().name(name).if_match(etag);
        let request = request.stage(FunctionStage::Development);
        let answer = request.event_object(Blob::new(event)).send().await;
        let result = answer.map_err(failed(ACTION, name))?.test_result;
        let result =
            result.ok_or_else(|| AwsError::nonsense(ACTION, name, "the answer holds no result"))?;
        let error = result.function_error_message;
        Ok(FunctionTrial {
            output: result.function_output.unwrap_or_default(),
            error: error.filter(|error| !error.is_empty()),
            utilization: result.compute_utilization.unwrap_or_default(),
        })
    }

    /// Puts the code of this ETag before viewers, and answers the function's ARN.
    pub async fn publish_function(&self, name: &str, etag: &str) -> Result<String, AwsError> {
        const ACTION: &str = "cloudfront:PublishFunction";
        let request = self.client.publish_function().name(name).if_match(etag);
        let answer = request.send().await.map_err(failed(ACTION, name))?;
        arn(ACTION, name, answer.function_summary)
    }

    /// Reads the ARN of a function that is live.
    pub async fn function_arn(&self, name: &str) -> Result<String, AwsError> {
        const ACTION: &str = "cloudfront:DescribeFunction";
        let request = self.client.describe_function().name(name);
        let answer = request.stage(FunctionStage::Live).send().await;
        let answer = answer.map_err(failed(ACTION, name))?;
        arn(ACTION, name, answer.function_summary)
    }

    /// Has the default behavior run a function for these events and no others, in nobody's place but that of the functions named
    /// `replaced`. All else stays as it is, whoever changes it meanwhile.
    pub async fn associate(
        &self,
        id: &str,
        (function, replaced): (&str, &[String]),
        events: FunctionEvents,
    ) -> Result<AssociationOutcome, AwsError> {
        let mut outcome = AssociationOutcome::Done;
        self.change_config(id, |config| {
            let default = config.default_cache_behavior.as_mut();
            let default = default.ok_or("it has no default behavior")?;
            take_off(default, replaced).map_err(|error| error.to_string())?;
            let placed = place(default, function, events);
            match placed.map_err(|error| error.to_string())? {
                Placement::Taken(other) => {
                    outcome = AssociationOutcome::Taken(other);
                    Ok(false)
                }
                Placement::Same => Ok(false),
                Placement::Changed => Ok(true),
            }
        })
        .await?;
        Ok(outcome)
    }
}

fn config_of(draft: &FunctionDraft<'_>) -> Result<FunctionConfig, BuildError> {
    let stores = draft.store.map(|arn| {
        let store = KeyValueStoreAssociation::builder().key_value_store_arn(arn);
        let stores = KeyValueStoreAssociations::builder().quantity(1);
        stores.items(store.build()?).build()
    });
    FunctionConfig::builder()
        .comment(draft.comment)
        .runtime(FunctionRuntime::CloudfrontJs20)
        .set_key_value_store_associations(stores.transpose()?)
        .build()
}

fn arn(
    action: &'static str,
    name: &str,
    summary: Option<FunctionSummary>,
) -> Result<String, AwsError> {
    let metadata = summary.and_then(|summary| summary.function_metadata);
    metadata
        .map(|metadata| metadata.function_arn)
        .ok_or_else(|| AwsError::nonsense(action, name, "the answer has no ARN"))
}

/// What a behavior had to do with a function.
#[derive(Debug, PartialEq, Eq)]
enum Placement {
    Same,
    Changed,
    /// One of the events is another one's, by its ARN.
    Taken(String),
}

/// Returns what sees an event of a behavior first, by its ARN.
fn sees(behavior: &DefaultCacheBehavior, event: &EventType) -> Option<String> {
    let functions = behavior.function_associations.iter();
    let mut functions = functions.flat_map(|list| list.items());
    let lambdas = behavior.lambda_function_associations.iter();
    let mut lambdas = lambdas.flat_map(|list| list.items());
    let function = functions.find(|function| function.event_type == *event);
    let lambda = lambdas.find(|lambda| lambda.event_type == *event);
    function
        .map(|function| function.function_arn.clone())
        .or_else(|| lambda.map(|lambda| lambda.lambda_function_arn.clone()))
}

/// Has a behavior run none of these functions.
fn take_off(behavior: &mut DefaultCacheBehavior, names: &[String]) -> Result<(), BuildError> {
    let present = behavior.function_associations.as_ref();
    let mut kept = present.map_or_else(Vec::new, |list| list.items().to_vec());
    let is_named = |known: &FunctionAssociation| {
        let name = known.function_arn.rsplit('/').next();
        names.iter().any(|taken| Some(taken.as_str()) == name)
    };
    if kept.iter().any(is_named) {
        kept.retain(|known| !is_named(known));
        behavior.function_associations = Some(listed(kept)?);
    }
    Ok(())
}

fn listed(functions: Vec<FunctionAssociation>) -> Result<FunctionAssociations, BuildError> {
    let count = i32::try_from(functions.len()).unwrap_or(i32::MAX);
    let items = Some(functions).filter(|functions| !functions.is_empty());
    FunctionAssociations::builder()
        .quantity(count)
        .set_items(items)
        .build()
}

/// Has a behavior run a function for these events alone.
fn place(
    behavior: &mut DefaultCacheBehavior,
    function: &str,
    events: FunctionEvents,
) -> Result<Placement, BuildError> {
    let all = [EventType::ViewerRequest, EventType::ViewerResponse];
    let wanted = all.into_iter().filter(|event| events.include(event));
    let mut missing = Vec::new();
    for event in wanted {
        match sees(behavior, &event) {
            Some(arn) if arn == function => {}
            Some(arn) => return Ok(Placement::Taken(arn)),
            None => missing.push(event),
        }
    }
    let present = behavior.function_associations.as_ref();
    let present = present.map_or_else(Vec::new, |list| list.items().to_vec());
    let mut kept = present.clone();
    kept.retain(|known| known.function_arn != function || events.include(&known.event_type));
    for event in missing {
        let association = FunctionAssociation::builder().function_arn(function);
        kept.push(association.event_type(event).build()?);
    }
    if kept == present {
        return Ok(Placement::Same);
    }
    behavior.function_associations = Some(listed(kept)?);
    Ok(Placement::Changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use FunctionEvents::{Nothing, Requests, RequestsAndAnswers};

    fn associations(list: &[(&str, EventType)]) -> FunctionAssociations {
        let items = list.iter().map(|(arn, event)| {
            let item = FunctionAssociation::builder().function_arn(*arn);
            item.event_type(event.clone()).build().unwrap()
        });
        let items: Vec<_> = items.collect();
        FunctionAssociations::builder()
            .quantity(items.len() as i32)
            .set_items(Some(items).filter(|items| !items.is_empty()))
            .build()
            .unwrap()
    }

    #[test]
    fn a_function_takes_what_is_free_and_leaves_what_is_not_its_own() {
        use EventType::{OriginRequest, ViewerRequest, ViewerResponse};
        use Placement::{Changed, Same, Taken};
        let taken = |arn: &str| Taken(arn.to_owned());
        let ask = || ("ours", ViewerRequest);
        let answer = || ("ours", ViewerResponse);
        let theirs = || ("theirs", ViewerResponse);
        let far = || ("far", OriginRequest);
        for (before, events, placement, after) in [
            (vec![], Requests, Changed, vec![ask()]),
            (
                vec![far()],
                RequestsAndAnswers,
                Changed,
                vec![far(), ask(), answer()],
            ),
            (vec![ask()], Requests, Same, vec![ask()]),
            (vec![ask(), answer()], Requests, Changed, vec![ask()]),
            (vec![ask(), theirs()], Requests, Same, vec![ask(), theirs()]),
            (
                vec![ask(), theirs()],
                RequestsAndAnswers,
                taken("theirs"),
                vec![ask(), theirs()],
            ),
            (
                vec![("theirs", ViewerRequest)],
                Requests,
                taken("theirs"),
                vec![("theirs", ViewerRequest)],
            ),
            (vec![ask(), theirs()], Nothing, Changed, vec![theirs()]),
            (vec![ask(), answer()], Nothing, Changed, vec![]),
            (vec![theirs()], Nothing, Same, vec![theirs()]),
        ] {
            let behavior = DefaultCacheBehavior::builder()
                .target_origin_id("o")
                .viewer_protocol_policy("allow-all".into())
                .function_associations(associations(&before));
            let mut behavior = behavior.build().unwrap();
            assert_eq!(
                place(&mut behavior, "ours", events).unwrap(),
                placement,
                "{before:?}"
            );
            assert_eq!(
                behavior.function_associations,
                Some(associations(&after)),
                "{before:?}"
            );
        }
    }
}
