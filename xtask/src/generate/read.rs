//! The bodies of `Fields::read`.

use std::fmt::Write;

use super::item::{Item, Member};
use super::types::condition;
use crate::schema::model::{Primitive, Type};

/// The body of the function.
pub(super) fn body(item: &Item) -> String {
    let (tagged, plain): (Vec<&Member>, Vec<&Member>) =
        item.members.iter().partition(|member| member.field.tag.is_some());
    let mut text = String::from(if tagged.is_empty() { "Self {" } else { "let mut fields = Self {" });
    for member in plain {
        let value = value(member);
        let value = match condition(member.versions, item.usage) {
            None => value,
            Some(condition) => format!("if {condition} {{ {value} }} else {{ {} }}", member.default_value()),
        };
        _ = write!(text, "{}: {value},", member.name());
    }
    for member in &tagged {
        _ = write!(text, "{}: {},", member.name(), member.default_value());
    }
    if tagged.is_empty() {
        text.push_str("unknown_tags: reader.read_unknown_tags() }");
        return text;
    }
    text.push_str("unknown_tags: UnknownTags::new() };");
    text.push_str(
        "let mut tags = reader.begin_tags(); while let Some(tag) = reader.next_tag(&mut tags) { match tag {",
    );
    for member in &tagged {
        let guard = condition(member.versions, item.usage.intersect(item.schema.flexible));
        let guard = guard.map(|condition| format!(" if {condition}")).unwrap_or_default();
        let tag = member.field.tag.unwrap_or_default();
        _ = write!(text, "{tag}{guard} => fields.{} = {},", member.name(), value(member));
    }
    text.push_str("_ => reader.keep_tag(tag, &mut fields.unknown_tags), } } fields");
    text
}

/// Reading a value in a version that has it.
fn value(member: &Member) -> String {
    let plain = plain(member);
    if !member.is_option() {
        return plain;
    }
    let some = if member.is(Primitive::Records) {
        format!("Some({plain}.into())")
    } else {
        format!("Some({plain})")
    };
    if member.nullable.is_empty() {
        return some;
    }
    match condition(member.nullable, member.versions) {
        None => nullable(member),
        Some(condition) => format!("if {condition} {{ {} }} else {{ {some} }}", nullable(member)),
    }
}

fn plain(member: &Member) -> String {
    match &member.field.ty {
        Type::Array(_) if member.is_ints() => "reader.read_ints()".into(),
        Type::Array(_) => "reader.read_array(version)".into(),
        Type::Struct(_) => format!("{}::read(reader, version)", member.inner_type()),
        Type::Primitive(primitive) => match primitive {
            Primitive::Int16 if member.is_error_code() => "ErrorCode(reader.read_i16())".into(),
            Primitive::String => "reader.read_string()".into(),
            Primitive::Bytes | Primitive::Records => "reader.read_bytes()".into(),
            Primitive::Uuid => "reader.read_uuid()".into(),
            _ => format!("reader.read_{}()", member.inner_type()),
        },
    }
}

fn nullable(member: &Member) -> String {
    let call = match &member.field.ty {
        Type::Array(_) if member.is_ints() => "reader.read_nullable_ints()",
        Type::Array(_) => "reader.read_nullable_array(version)",
        Type::Struct(_) => "reader.read_nullable(version)",
        Type::Primitive(Primitive::String) if member.field.inflexible => "reader.read_legacy_string()",
        Type::Primitive(Primitive::String) => "reader.read_nullable_string()",
        Type::Primitive(Primitive::Bytes) => "reader.read_nullable_bytes()",
        Type::Primitive(_) => "reader.read_records()",
    };
    call.into()
}
