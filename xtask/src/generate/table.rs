//! What is generated for all APIs together.

use std::fmt::Write;

use crate::schema::model::{Kind, Schema};
use crate::schema::names::snake_case;

/// Requests that brokers and controllers send to each other, although brokers list some of them. Kafka's schemas do
/// not say so: its brokers demand the right to act for the cluster.
const CLUSTER_KEYS: [i16; 20] = [4, 5, 6, 7, 27, 52, 53, 54, 56, 58, 62, 63, 67, 70, 73, 83, 84, 85, 86, 87];

/// An API: its request and its response.
pub(super) struct Api<'a> {
    name: &'a str,
    key: i16,
    request: &'a Schema,
    response: &'a Schema,
}

/// All APIs, by key.
pub(super) fn apis(schemas: &[Schema]) -> Vec<Api<'_>> {
    let mut apis = Vec::new();
    for request in schemas.iter().filter(|schema| schema.kind == Kind::Request) {
        let answers = |each: &&Schema| each.kind == Kind::Response && each.key == request.key;
        if let (Some(key), Some(response)) = (request.key, schemas.iter().find(answers)) {
            apis.push(Api { name: super::api_name(request), key, request, response });
        }
    }
    apis.sort_by_key(|api| api.key);
    apis
}

/// `any.rs`.
pub(super) fn any(apis: &[Api<'_>]) -> String {
    let mut text = String::from("//! A message of any API.\n\nuse crate::any_message::any_message;\n\n");
    for (name, suffix) in [("AnyRequest", "Request"), ("AnyResponse", "Response")] {
        let what = suffix.to_lowercase();
        _ = write!(text, "any_message! {{ /// A {what} of any API.\n{name}:\n");
        for api in apis {
            let path = format!("{}::{}{suffix}", snake_case(api.name), api.name);
            _ = writeln!(text, "    {} = {}, super::{path};", api.name, api.key);
        }
        text.push_str("}\n\n");
    }
    text
}

/// `api_table.rs`.
pub(super) fn api_table(apis: &[Api<'_>]) -> String {
    let mut text = String::from(
        "//! Every API: its number, versions and audience.\n\n\
         use crate::api_key::{ApiEntry, ApiKey, Audience};\n\nimpl ApiKey {\n",
    );
    for api in apis {
        let (name, key) = (api.name, api.key);
        let constant = snake_case(name).to_uppercase();
        _ = writeln!(text, "/// `{name}`.\npub const {constant}: Self = Self({key});");
    }
    text.push_str("}\n\n/// The table, indexed by key.\npub(crate) const TABLE: &[ApiEntry] = &[\n");
    for api in apis {
        let versions = api.request.versions;
        let stable = versions.high - i16::from(api.request.unstable);
        let clients = api.request.listeners.iter().any(|listener| listener == "broker");
        let audience = if clients && !CLUSTER_KEYS.contains(&api.key) { "Clients" } else { "Cluster" };
        _ = writeln!(
            text,
            "ApiEntry {{ name: {:?}, min_version: {}, max_version: {}, max_stable_version: {stable}, \
             flexible_request: {}, flexible_response: {}, audience: Audience::{audience} }},",
            api.name,
            versions.low,
            versions.high,
            first_flexible(api.request),
            first_flexible(api.response),
        );
    }
    text.push_str("];\n");
    text
}

fn first_flexible(schema: &Schema) -> String {
    let flexible = schema.flexible.intersect(schema.versions);
    if flexible.is_empty() { "i16::MAX".into() } else { schema.flexible.low.to_string() }
}

/// `mod.rs`.
pub(super) fn root(modules: &[&String]) -> String {
    let mut text = String::from(
        "//! One type for every request, response and header, and for every struct inside them.\n//!\n\
         //! Names are those of Kafka's schemas; fields say in which versions they exist. Setting a field that the\n\
         //! version lacks makes encoding fail, unless the field is ignorable.\n\n",
    );
    text.push_str("mod any;\npub(crate) mod api_table;\n");
    for module in modules {
        let public = if *module == "header" { "" } else { "pub " };
        _ = writeln!(text, "{public}mod {module};");
    }
    text.push_str(
        "\npub use self::any::{AnyRequest, AnyResponse};\n\
         pub use self::header::{RequestHeader, ResponseHeader};\n\
         pub use crate::api_key::{request_header_version, response_header_version};\n",
    );
    text
}
