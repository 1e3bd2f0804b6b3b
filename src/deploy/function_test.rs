//! Has CloudFront run what was written as a function, before viewers meet it.

use std::time::{Duration, Instant};

use super::function::FunctionTools;
use crate::aws::function::FunctionTrial;
use crate::aws::{AwsError, AwsErrorKind};
use crate::job::event::DeployEvent;
use crate::rules::edge_function::{FunctionAnswer, ViewerRequest};
use crate::survey::targets::SiteFunction;
use crate::survey::wanted_function::denied;

/// The percentage of its time above which a function may fail where an edge is busy.
const HIGH_UTILIZATION: f64 = 80.0;
/// How long a function may not find what was put in its store, which is known everywhere within seconds.
const STORE_LAG: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(3);

impl SiteFunction {
    /// Compares what the code of this ETag answers with what it should. `Err`: why it is not to be published. Where it may not be
    /// tested, that is told; where nothing runs JavaScript, nothing is. With a password, what lies behind it is not tested.
    pub(super) async fn try_out(&self, step: &FunctionTools<'_>, etag: &str) -> Result<(), String> {
        let name = &self.change.name;
        let mut highest = 0.0;
        for request in self.wanted.samples() {
            step.go_on(name)?;
            match self.try_on(step, etag, &request).await {
                Ok(Ok(utilization)) => highest = utilization.max(highest),
                Ok(Err(why)) => {
                    return Err(format!(
                        "the function {name} is not published: CloudFront's test of it, asked for {request}, {why}"
                    ));
                }
                Err(error) if error.is(&AwsErrorKind::NotImplemented) => return Ok(()),
                Err(error) if error.is_denied() => {
                    let hint = error.hint().unwrap_or_default();
                    let told =
                        format!("the function {name} is published untested: {error}; {hint}");
                    step.tell.tell(DeployEvent::Warned(told));
                    return Ok(());
                }
                Err(error) => return Err(denied(name, &error)),
            }
        }
        if highest > HIGH_UTILIZATION {
            step.tell.tell(DeployEvent::Warned(format!(
                "the function {name} takes {highest} % of the time that CloudFront gives it, and may fail at busy edges: fewer redirects with \
                 wildcards or conditions take less"
            )));
        }
        Ok(())
    }

    /// Returns the percentage of its time that one request took. The inner `Err`: what is wrong with its answer.
    async fn try_on(
        &self,
        step: &FunctionTools<'_>,
        etag: &str,
        request: &ViewerRequest,
    ) -> Result<Result<f64, String>, AwsError> {
        let (name, event) = (&self.change.name, request.event());
        let written = self
            .change
            .store
            .iter()
            .any(|change| !change.puts.is_empty());
        let lag = if written { STORE_LAG } else { Duration::ZERO };
        let until = step.until.min(Instant::now() + lag);
        loop {
            let trial = step.cloudfront.test_function(name, etag, &event).await?;
            let judged = judge(&trial, &self.wanted.answer(request));
            if judged.is_ok() || Instant::now() >= until || !(step.may_go)() {
                return Ok(judged);
            }
            step.stop.sleep(PAUSE).await;
        }
    }
}

fn judge(trial: &FunctionTrial, expected: &FunctionAnswer) -> Result<f64, String> {
    if let Some(error) = &trial.error {
        return Err(format!("failed: {error}"));
    }
    match FunctionAnswer::read(&trial.output) {
        Some(answer) if answer == *expected => Ok(trial.utilization.parse().unwrap_or_default()),
        Some(answer) => Err(format!("answered {answer} instead of {expected}")),
        None => Err(format!("answered {} instead of {expected}", trial.output)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_held_to_what_is_wanted() {
        let pass = r#"{"request":{"uri":"/a"}}"#;
        for (output, error, utilization, judged) in [
            (pass, None, "12", Ok(12.0)),
            (pass, None, "", Ok(0.0)),
            (
                pass,
                Some("x is not defined"),
                "12",
                Err("failed: x is not defined"),
            ),
            (
                r#"{"request":{"uri":"/b"}}"#,
                None,
                "12",
                Err("answered /b instead of /a"),
            ),
            ("{}", None, "12", Err("answered {} instead of /a")),
        ] {
            let trial = FunctionTrial {
                output: output.to_owned(),
                error: error.map(str::to_owned),
                utilization: utilization.to_owned(),
            };
            let expected = FunctionAnswer::Pass("/a".to_owned());
            assert_eq!(judge(&trial, &expected), judged.map_err(str::to_owned));
        }
    }
}
