//! Runs CloudFront Functions of runtime cloudfront-js-2.0 in a JavaScript engine (Developer Guide, "JavaScript runtime 2.0 features
//! for CloudFront Functions").

use std::cell::RefCell;
use std::mem::ManuallyDrop;

use boa_engine::builtins::promise::PromiseState;
use boa_engine::object::builtins::JsPromise;
use boa_engine::{
    Context, JsError, JsNativeError, JsObject, JsResult, JsString, JsValue, NativeFunction, Source,
    js_string,
};

use super::key_values::BoundStore;

mod binary;
mod event;
mod syntax;

pub(crate) use event::{change, run};
pub(crate) use syntax::check;

/// What a function finds around it.
const PRELUDE: &str = include_str!("javascript/prelude.js");

/// Globals of the engine that CloudFront's runtime does not have, or forbids.
const MISSING: [&str; 14] = [
    "eval",
    "Function",
    "Proxy",
    "Reflect",
    "BigInt",
    "BigInt64Array",
    "BigUint64Array",
    "Map",
    "Set",
    "WeakMap",
    "WeakSet",
    "WeakRef",
    "FinalizationRegistry",
    "Iterator",
];

/// Turns of one loop. A function has under 1 ms of CPU, and so far fewer.
const MOST_TURNS: u64 = 100_000;
/// Calls within each other.
const MOST_CALLS: usize = 200;

/// Sources that a thread keeps engines for.
const MOST_ENGINES: usize = 8;

thread_local! {
    /// The store of the function that runs on this thread.
    static STORE: RefCell<Option<BoundStore>> = const { RefCell::new(None) };
    /// Never dropped, as the engine's own memory may be gone before when a thread ends.
    static ENGINES: RefCell<ManuallyDrop<Vec<Engine>>> = const { RefCell::new(ManuallyDrop::new(Vec::new())) };
}

/// What came of a run.
pub(crate) struct Execution {
    /// What it told `console.log`, a line each.
    pub logs: Vec<String>,
    /// JSON, or why there is none.
    pub result: Result<String, String>,
}

/// A source that has been loaded.
struct Engine {
    code: String,
    context: Context,
    /// What prelude.js returns.
    helper: JsObject,
    /// `None` where loading failed.
    handler: JsResult<JsObject>,
}

/// Runs a source's handler. `call` is JSON: a viewer's request as event.rs tells it, or `event` as a tester wrote it.
///
/// A source is loaded once a thread and stays until a run of it fails: that takes 24 ms for a function of 7 KB in a dev build, and
/// each request thereafter 0.6 ms.
pub(crate) fn execute(code: &str, store: Option<BoundStore>, call: &str) -> Execution {
    STORE.set(store);
    let execution = kept(code)
        .map_or_else(|| Engine::load(code), Ok)
        .map(|mut engine| {
            let result = engine.run(call);
            let logs = engine.logs();
            if result.is_ok() {
                ENGINES.with_borrow_mut(|engines| {
                    engines.truncate(MOST_ENGINES - 1);
                    engines.insert(0, engine);
                });
            }
            Execution {
                logs,
                result: result.map_err(|error| error.to_string()),
            }
        });
    STORE.set(None);
    execution.unwrap_or_else(|error| Execution {
        logs: Vec::new(),
        result: Err(error.to_string()),
    })
}

fn kept(code: &str) -> Option<Engine> {
    ENGINES.with_borrow_mut(|engines| {
        let place = engines.iter().position(|engine| engine.code == code)?;
        Some(engines.remove(place))
    })
}

impl Engine {
    fn load(code: &str) -> JsResult<Self> {
        let mut context = Context::default();
        let limits = context.runtime_limits_mut();
        limits.set_loop_iteration_limit(MOST_TURNS);
        limits.set_recursion_limit(MOST_CALLS);
        let helper = prelude(&mut context)?;
        Ok(Self {
            code: code.to_owned(),
            handler: handler(code, &mut context),
            context,
            helper,
        })
    }

    /// The JSON of what the handler returns, as prelude.js tells it.
    fn run(&mut self, call: &str) -> JsResult<String> {
        let handler = self.handler.clone()?;
        let call = JsValue::from(JsString::from(call));
        let (helper, context) = (&self.helper, &mut self.context);
        let event = ask(helper, &[js_string!("event").into(), call.clone()], context)?;
        let returned = ask(&handler, &[event], context)?;
        let result = settled(returned, context)?;
        let arguments = [js_string!("outcome").into(), call, result];
        text(&ask(helper, &arguments, context)?)
    }

    /// What it has told since it was last asked.
    fn logs(&mut self) -> Vec<String> {
        let logs = ask(
            &self.helper,
            &[js_string!("logs").into()],
            &mut self.context,
        );
        let logs = logs.and_then(|logs| text(&logs)).ok();
        let logs = logs.and_then(|logs| serde_json::from_str(&logs).ok());
        logs.unwrap_or_default()
    }
}

fn prelude(context: &mut Context) -> JsResult<JsObject> {
    let prelude = context.eval(Source::from_bytes(PRELUDE))?;
    let native = NativeFunction::from_fn_ptr(native).to_js_function(context.realm());
    let missing = JsValue::from_json(&MISSING.into_iter().collect(), context)?;
    let helper = ask(&callable(&prelude)?, &[native.into(), missing], context)?;
    callable(&helper)
}

fn handler(code: &str, context: &mut Context) -> JsResult<JsObject> {
    context.eval(Source::from_bytes(&without_imports(code)))?;
    callable(&context.eval(Source::from_bytes("handler"))?)
}

/// The value of a promise, once all that waits for it has run.
fn settled(value: JsValue, context: &mut Context) -> JsResult<JsValue> {
    let Some(promise) = value
        .as_object()
        .and_then(|object| JsPromise::from_object(object).ok())
    else {
        return Ok(value);
    };
    context.run_jobs()?;
    match promise.state() {
        PromiseState::Fulfilled(value) => Ok(value),
        PromiseState::Rejected(reason) => Err(JsError::from_opaque(reason)),
        PromiseState::Pending => Err(failed("The function waits for what never comes.")),
    }
}

/// `import cf from 'cloudfront';` as a constant, so that a script does.
fn without_imports(code: &str) -> String {
    let line = |line: &str| {
        let import = line.trim().strip_prefix("import ")?;
        let (name, module) = import.split_once(" from ")?;
        let module = module.trim_end_matches(';');
        Some(format!("const {name} = require({module});"))
    };
    let lines = code
        .lines()
        .map(|text| line(text).unwrap_or_else(|| text.to_owned()));
    lines.collect::<Vec<_>>().join("\n")
}

fn failed(said: &str) -> JsError {
    JsNativeError::error().with_message(said.to_owned()).into()
}

fn callable(value: &JsValue) -> JsResult<JsObject> {
    let object = value.as_object().filter(JsObject::is_callable);
    object.ok_or_else(|| failed("The handler is not a function."))
}

fn ask(function: &JsObject, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    function.call(&JsValue::undefined(), arguments, context)
}

fn text(value: &JsValue) -> JsResult<String> {
    let text = value.as_string().ok_or_else(|| failed("Not a string."))?;
    Ok(text.to_std_string_escaped())
}

/// What the prelude has Rust do: the first argument names it.
fn native(_: &JsValue, arguments: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    let argument = |index: usize| text(arguments.get(index).unwrap_or(&JsValue::undefined()));
    let said = |text: String| JsValue::from(JsString::from(text));
    let name = argument(0)?;
    let (first, second) = (argument(1)?, arguments.get(2).map(text).transpose()?);
    let second = second.unwrap_or_default();
    match name.as_str() {
        "store" => is_bound(&first).map(|()| JsValue::undefined()),
        "value" => Ok(value(&first).map_or_else(JsValue::undefined, said)),
        "encode" => binary::encode(&first, &second).map(said).map_err(failed),
        "decode" => binary::decode(&first, &second).map(said).map_err(failed),
        "hash" => binary::hash(&first, &second).map(said).map_err(failed),
        _ => binary::hmac(&first, &second, &argument(3)?)
            .map(said)
            .map_err(failed),
    }
}

/// Checks that the function has the store of this id, or any if that is empty.
fn is_bound(id: &str) -> JsResult<()> {
    let is_bound = STORE.with_borrow(|store| {
        let store = store.as_ref();
        store.is_some_and(|store| id.is_empty() || store.id == id)
    });
    is_bound
        .then_some(())
        .ok_or_else(|| failed("The function is associated with no such KeyValueStore."))
}

fn value(key: &str) -> Option<String> {
    STORE.with_borrow(|store| store.as_ref()?.values.get(key).cloned())
}
