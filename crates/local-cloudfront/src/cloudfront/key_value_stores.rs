//! KeyValueStores as CloudFront's own API makes and lists them. What they hold is asked of another API: keys.rs.

use hyper::HeaderMap;

use super::{Done, Failed, listed, missing, queried};
use crate::clock::iso_date;
use crate::distribution::code_of;
use crate::http::header;
use crate::key_values::KeyValueStore;
use crate::world::Shared;
use crate::xml::{Element, leaf, node};

fn refused<T>(status: u16, code: &'static str, said: &str) -> Result<T, Failed> {
    Err(Failed(status, code, said.to_owned()))
}

fn not_found() -> Failed {
    missing("EntityNotFound", "key value store")
}

/// Of the store itself, which changes of keys leave as it is.
fn etag(store: &KeyValueStore) -> String {
    format!("ETK{}", code_of(&format!("{}{}", store.id, store.comment)))
}

pub(super) fn create(shared: &Shared, body: &str) -> Result<Done, Failed> {
    let request = Element::parse(body).unwrap_or_default();
    let name = request.text_at("Name");
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(named) {
        return refused(400, "InvalidArgument", "The store's name is not valid.");
    }
    let now = shared.clock.now();
    shared.cloud.key_values(|stores| {
        let Some(store) = stores.create(name, request.text_at("Comment"), now) else {
            return refused(409, "EntityAlreadyExists", "There is one of that name.");
        };
        let place = format!("https://cloudfront.amazonaws.com/2020-05-31/key-value-store/{name}");
        let mut done = Done::ok(element(store)).with("location", place);
        done.status = 201;
        Ok(done.with("etag", etag(store)))
    })
}

/// Whoever asks finds the store ready, from the first time on.
pub(super) fn describe(shared: &Shared, name: &str) -> Result<Done, Failed> {
    shared.cloud.key_values(|stores| {
        let store = stores.named(name).ok_or_else(not_found)?;
        store.ready = true;
        Ok(Done::ok(element(store)).with("etag", etag(store)))
    })
}

pub(super) fn list(shared: &Shared, query: &str) -> Done {
    let most = shared.cloud.page();
    let stores: Vec<_> = shared
        .cloud
        .key_values(|stores| stores.all().cloned().collect());
    let (shown, head) = queried(stores, |store| store.name.as_str(), query, most);
    let items = shown.iter().map(element).collect();
    Done::ok(listed("KeyValueStoreList", head, items))
}

pub(super) fn delete(shared: &Shared, name: &str, headers: &HeaderMap) -> Result<Done, Failed> {
    let store = shared.cloud.key_values(|stores| stores.get(name).cloned());
    let store = store.ok_or_else(not_found)?;
    match header(headers, "if-match") {
        None => {
            let said = "The If-Match version is missing.";
            return refused(400, "InvalidIfMatchVersion", said);
        }
        Some(tag) if tag != etag(&store) => {
            return refused(412, "PreconditionFailed", "The store was changed.");
        }
        Some(_) => {}
    }
    if shared.cloud.has_associated(&store.arn()) {
        let said = "A function is associated with the store.";
        return refused(409, "CannotDeleteEntityWhileInUse", said);
    }
    shared.cloud.key_values(|stores| stores.remove(name));
    Ok(Done::nothing())
}

fn element(store: &KeyValueStore) -> Element {
    let status = if store.ready { "READY" } else { "PROVISIONING" };
    node(
        "KeyValueStore",
        [
            leaf("Name", &store.name),
            leaf("Id", &store.id),
            leaf("Comment", &store.comment),
            leaf("ARN", store.arn()),
            leaf("Status", status),
            leaf("LastModifiedTime", iso_date(store.modified)),
        ],
    )
}
