//! Watches every request: how many there are, when the server asks us to slow down, and what time it says it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;

use crate::system::uptime;

/// Shared by all clients of a run. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct RequestWatch(Arc<RequestCounts>);

#[derive(Debug, Default)]
struct RequestCounts {
    requests: AtomicU64,
    throttled: AtomicU64,
}

impl RequestWatch {
    /// Returns the number of attempts answered so far.
    pub fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// Returns the number of answers so far that asked us to slow down.
    pub fn throttled(&self) -> u64 {
        self.0.throttled.load(Ordering::Relaxed)
    }
}

/// The time by one server's clock, as its successful answers tell it: nobody else's answers are taken for it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct ServerClock(
    /// Server time less our own suspend-counting clock, in seconds; 0 until an answer came.
    Arc<AtomicI64>,
);

impl ServerClock {
    /// Returns seconds since 1970 as the server counts them, from its last Date and our own clock since. Our wall clock is never
    /// asked once a server has answered.
    pub fn server_now(&self) -> i64 {
        match self.0.load(Ordering::Relaxed) {
            0 => jiff::Timestamp::now().as_second(),
            offset => offset + uptime().as_secs() as i64,
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for RequestWatch {
    fn name(&self) -> &'static str {
        "Watch"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        if matches!(answer.status().as_u16(), 429 | 503) {
            self.0.throttled.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[dyn_dispatch_hint]
impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "ServerClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        if answer.status().is_success()
            && let Some(date) = answer.headers().get("date")
            && let Ok(date) = DateTime::from_str(date, Format::HttpDate)
        {
            let offset = date.secs() - uptime().as_secs() as i64;
            self.0.store(offset, Ordering::Relaxed);
        }
        Ok(())
    }
}
