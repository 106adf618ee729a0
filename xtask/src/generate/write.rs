//! The bodies of `Fields::write`.

use std::fmt::Write;

use super::item::{Item, Member};
use super::types::{condition, opposite};
use crate::schema::model::{Primitive, Type};

/// The body of the function.
pub(super) fn body(item: &Item) -> String {
    let (tagged, plain): (Vec<&Member>, Vec<&Member>) =
        item.members.iter().partition(|member| member.field.tag.is_some());
    let mut text = String::new();
    for member in plain {
        let written = value(item, member);
        let otherwise = if member.field.ignorable { String::new() } else { unsupported(item, member) };
        match condition(member.versions, item.usage) {
            None => text.push_str(&written),
            Some(condition) if otherwise.is_empty() => _ = write!(text, "if {condition} {{ {written} }}"),
            Some(condition) => {
                _ = write!(
                    text,
                    "if {condition} {{ {written} }} else if {} {{ {otherwise} }}",
                    member.is_set()
                );
            }
        }
    }
    if tagged.is_empty() {
        text.push_str("writer.write_unknown_tags(&self.unknown_tags);");
        return text;
    }
    for member in &tagged {
        let present = condition(member.versions, item.usage);
        let is_set = member.is_set();
        let name = has(member);
        match present {
            None => _ = write!(text, "let {name} = {is_set};"),
            Some(present) => {
                _ = write!(text, "let {name} = {present} && {is_set};");
                if !member.field.ignorable {
                    _ = write!(text, "if !{name} && {is_set} {{ {} }}", unsupported(item, member));
                }
            }
        }
    }
    let known: Vec<String> = tagged.iter().map(|member| format!("usize::from({})", has(member))).collect();
    _ = write!(text, "let mut tags = writer.begin_tags(&self.unknown_tags, {});", known.join(" + "));
    let mut ascending = tagged;
    ascending.sort_by_key(|member| member.field.tag);
    for member in ascending {
        let tag = member.field.tag.unwrap_or_default();
        _ = write!(
            text,
            "if {} {{ let mark = writer.begin_tag(&mut tags, {tag}); {} writer.end_tag(&mark); }}",
            has(member),
            value(item, member)
        );
    }
    text.push_str("writer.end_tags(tags);");
    text
}

fn has(member: &Member) -> String {
    format!("has_{}", member.name().trim_start_matches("r#"))
}

fn full_name(item: &Item, member: &Member) -> String {
    format!("{}.{}", item.name, member.name().trim_start_matches("r#"))
}

fn unsupported(item: &Item, member: &Member) -> String {
    format!("writer.unsupported({:?});", full_name(item, member))
}

/// Writing a value in a version that has it.
fn value(item: &Item, member: &Member) -> String {
    let place = format!("self.{}", member.name());
    if !member.is_option() {
        return plain(member, &place);
    }
    // A marker of presence belongs to the versions with null only.
    if matches!(member.field.ty, Type::Struct(_)) {
        let nullable = format!("writer.write_nullable({place}.as_ref(), version);");
        return match condition(member.nullable, member.versions) {
            None => nullable,
            Some(condition) => format!(
                "if {condition} {{ {nullable} }} else if let Some(value) = &{place} {{ value.write(writer, version); }} else {{ {} }}",
                unexpected_null(item, member)
            ),
        };
    }
    let written = nullable(member, &place);
    let check = match opposite(member.nullable, member.versions) {
        None => String::new(),
        Some(always) if always == "true" => {
            format!("if {place}.is_none() {{ {} }}", unexpected_null(item, member))
        }
        Some(without) => {
            format!("if {without} && {place}.is_none() {{ {} }}", unexpected_null(item, member))
        }
    };
    format!("{check}{written}")
}

fn unexpected_null(item: &Item, member: &Member) -> String {
    format!("writer.unexpected_null({:?});", full_name(item, member))
}

fn plain(member: &Member, place: &str) -> String {
    match &member.field.ty {
        Type::Array(_) if member.is_ints() => format!("writer.write_ints(&{place});"),
        Type::Array(_) => format!("writer.write_array(&{place}, version);"),
        Type::Struct(_) => format!("{place}.write(writer, version);"),
        Type::Primitive(primitive) => match primitive {
            Primitive::Int16 if member.is_error_code() => format!("writer.write_i16({place}.0);"),
            Primitive::String => format!("writer.write_string(&{place});"),
            Primitive::Bytes => format!("writer.write_bytes(&{place});"),
            Primitive::Uuid => format!("writer.write_uuid({place});"),
            _ => format!("writer.write_{}({place});", member.inner_type()),
        },
    }
}

fn nullable(member: &Member, place: &str) -> String {
    match &member.field.ty {
        Type::Array(_) if member.is_ints() => format!("writer.write_nullable_ints({place}.as_deref());"),
        Type::Array(_) => format!("writer.write_nullable_array({place}.as_deref(), version);"),
        Type::Primitive(Primitive::String) if member.field.inflexible => {
            format!("writer.write_legacy_string({place}.as_ref());")
        }
        Type::Primitive(Primitive::String) => format!("writer.write_nullable_string({place}.as_ref());"),
        Type::Primitive(Primitive::Bytes) => format!("writer.write_nullable_bytes({place}.as_ref());"),
        _ => format!("writer.write_records({place}.as_ref());"),
    }
}
