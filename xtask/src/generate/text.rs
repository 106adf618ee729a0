//! The text of a struct.

use std::fmt::Write;

use super::item::{Item, Member};
use super::{read, write};
use crate::schema::model::Kind;

/// The struct with its implementations.
pub(super) fn item(item: &Item) -> String {
    let natural = item.members.iter().all(Member::has_natural_default);
    let derived = if natural { "Clone, Debug, Default, PartialEq" } else { "Clone, Debug, PartialEq" };
    let name = &item.name;
    let mut text = format!("/// {}\n#[derive({derived})]\npub struct {name} {{", title(item));
    for member in &item.members {
        _ = write!(text, "/// {}\npub {}: {},", facts(member), member.name(), member.rust_type());
    }
    text.push_str("/// Tagged fields that are not known here.\npub unknown_tags: UnknownTags, }\n\n");
    if !natural {
        _ = write!(text, "impl Default for {name} {{ fn default() -> Self {{ Self {{");
        for member in &item.members {
            _ = write!(text, "{}: {},", member.name(), member.default_value());
        }
        text.push_str("unknown_tags: UnknownTags::new() } } }\n\n");
    }
    let (read, write) = (read::body(item), write::body(item));
    _ = write!(
        text,
        "impl Fields for {name} {{ const MIN_SIZE: usize = {};\n\n\
         fn read(reader: &mut Reader, {}: i16) -> Self {{ {read} }}\n\n\
         fn write(&self, writer: &mut Writer, {}: i16) {{ {write} }} }}\n\n",
        item.min_size,
        version_parameter(&read),
        version_parameter(&write),
    );
    if item.is_message {
        text.push_str(&message(item));
    }
    text
}

fn version_parameter(body: &str) -> &'static str {
    if has_word(body, "version") { "version" } else { "_version" }
}

fn title(item: &Item) -> String {
    let schema = &item.schema;
    if !item.is_message {
        return format!("Part of `{}`, versions {}.", schema.name, item.usage);
    }
    let key = schema.key.map(|key| format!(", API {key}")).unwrap_or_default();
    let unstable = if schema.unstable { "; the last is not final" } else { "" };
    format!("`{}`{key}, versions {} (flexible {}{unstable}).", schema.name, schema.versions, schema.flexible)
}

/// What the schema says of a field.
fn facts(member: &Member) -> String {
    let field = &member.field;
    let mut text = format!("`{}`, versions {}", field.ty, field.versions);
    if !field.nullable.is_empty() {
        _ = write!(text, ", nullable {}", field.nullable);
    }
    if let Some(tag) = field.tag {
        _ = write!(text, ", tag {tag}");
    }
    if let Some(default) = &field.default {
        _ = write!(text, ", default `{default}`");
    }
    if let Some(entity) = &field.entity {
        _ = write!(text, ", a `{entity}`");
    }
    text.push_str(if field.ignorable { ", ignorable." } else { "." });
    text
}

fn message(item: &Item) -> String {
    let (name, schema) = (&item.name, &item.schema);
    let first_flexible = if schema.flexible.intersect(schema.versions).is_empty() {
        "i16::MAX".into()
    } else {
        schema.flexible.low.to_string()
    };
    let mut text = format!(
        "impl Message for {name} {{ const INFO: &'static MessageInfo = &MessageInfo {{ \
         name: {:?}, min_version: {}, max_version: {}, first_flexible: {first_flexible}, \
         schema: include_str!(\"../../schema/{}.txt\") }}; }}\n\n",
        schema.name, schema.versions.low, schema.versions.high, schema.name,
    );
    if schema.kind == Kind::Request {
        let response = super::api_name(schema).to_owned() + "Response";
        let key = schema.key.unwrap_or(-1);
        _ = write!(
            text,
            "impl Request for {name} {{ const API_KEY: ApiKey = ApiKey({key});\n type Response = {response}; }}\n\n"
        );
    }
    text
}

/// The imports that a module's text needs.
pub(super) fn imports(body: &str) -> String {
    let mut text = String::new();
    if has_word(body, "Bytes") {
        text.push_str("use bytes::Bytes;\n\n");
    }
    let values = ["ApiKey", "ErrorCode", "Ints", "RecordBytes", "Request", "Str", "Uuid"];
    let used: Vec<&str> = values.into_iter().filter(|name| has_word(body, name)).collect();
    _ = writeln!(text, "use crate::{{Fields, Message, MessageInfo, UnknownTags, {}}};", used.join(", "));
    text.push_str("use crate::wire::{Reader, Writer};\n\n");
    text
}

/// Whether a name occurs in code, as against in a comment.
fn has_word(text: &str, word: &str) -> bool {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("///"));
    code.flat_map(|line| line.split(|letter: char| !letter.is_alphanumeric() && letter != '_'))
        .any(|each| each == word)
}
