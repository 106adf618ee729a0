//! Reading Kafka's own schemas: JSON with comments.

use std::error::Error;
use std::path::Path;

use serde_json::Value;

use crate::jar;
use crate::schema::model::{Field, Kind, Primitive, Schema, Struct, Type, Versions};

/// The schemas in a `kafka-clients` jar.
pub(crate) fn jar(path: &Path) -> Result<Vec<Schema>, Box<dyn Error>> {
    let mut schemas = Vec::new();
    for (name, text) in jar::texts(path, "common/message")? {
        let json: Value =
            serde_json::from_str(&without_comments(&text)).map_err(|error| format!("{name}: {error}"))?;
        schemas.push(schema(&json).map_err(|error| format!("{name}: {error}"))?);
    }
    Ok(schemas)
}

/// Blanks everything from `//` to the end of its line, outside of texts.
fn without_comments(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for line in text.lines() {
        let mut quoted = false;
        let mut end = line.len();
        for (index, pair) in line.as_bytes().windows(2).enumerate() {
            let escaped = index > 0 && line.as_bytes()[index - 1] == b'\\';
            quoted ^= pair[0] == b'"' && !escaped;
            if pair == b"//" && !quoted {
                end = index;
                break;
            }
        }
        result.push_str(&line[..end]);
        result.push('\n');
    }
    result
}

fn schema(json: &Value) -> Result<Schema, Box<dyn Error>> {
    let kind = match text(json, "type")? {
        "request" => Kind::Request,
        "response" => Kind::Response,
        "header" => Kind::Header,
        "data" => Kind::Data,
        other => return Err(format!("type {other}").into()),
    };
    let mut structs = Vec::new();
    for each in list(json, "commonStructs") {
        structs.push(Struct { name: text(each, "name")?.into(), fields: fields(each)? });
    }
    let listeners = list(json, "listeners").iter().filter_map(Value::as_str).map(String::from);
    Ok(Schema {
        kind,
        name: text(json, "name")?.into(),
        key: json.get("apiKey").and_then(Value::as_i64).map(i16::try_from).transpose()?,
        versions: text(json, "validVersions")?.parse()?,
        flexible: json.get("flexibleVersions").and_then(Value::as_str).unwrap_or("none").parse()?,
        unstable: flag(json, "latestVersionUnstable"),
        listeners: listeners.collect(),
        fields: fields(json)?,
        structs,
    })
}

fn fields(json: &Value) -> Result<Vec<Field>, Box<dyn Error>> {
    list(json, "fields").iter().map(field).collect()
}

fn field(json: &Value) -> Result<Field, Box<dyn Error>> {
    let name = text(json, "name")?;
    let versions: Versions = text(json, "versions")?.parse()?;
    let ty: Type = text(json, "type")?.parse()?;
    let tagged: Option<Versions> =
        json.get("taggedVersions").and_then(Value::as_str).map(str::parse).transpose()?;
    if tagged.is_some_and(|tagged| tagged != versions) {
        return Err(format!("{name} is a tagged field in some of its versions only").into());
    }
    let nullable: Versions =
        json.get("nullableVersions").and_then(Value::as_str).unwrap_or("none").parse()?;
    Ok(Field {
        name: name.into(),
        default: default(json.get("default"), &ty),
        ty,
        versions,
        nullable: nullable.intersect(versions),
        tag: json.get("tag").and_then(Value::as_u64).map(u32::try_from).transpose()?,
        entity: json.get("entityType").and_then(Value::as_str).map(String::from),
        ignorable: flag(json, "ignorable"),
        inflexible: json.get("flexibleVersions").and_then(Value::as_str) == Some("none"),
        fields: fields(json)?,
    })
}

/// A default other than the type's own.
fn default(json: Option<&Value>, ty: &Type) -> Option<String> {
    let text = match json? {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let text = match text.strip_prefix("0x").map(|digits| i64::from_str_radix(digits, 16)) {
        Some(Ok(number)) => number.to_string(),
        _ => text,
    };
    let own = match ty {
        Type::Primitive(Primitive::Bool) => "false",
        Type::Primitive(Primitive::String) | Type::Struct(_) | Type::Array(_) => "",
        Type::Primitive(_) => "0",
    };
    (text != own).then_some(text)
}

fn text<'a>(json: &'a Value, key: &str) -> Result<&'a str, Box<dyn Error>> {
    json.get(key).and_then(Value::as_str).ok_or_else(|| format!("no {key}").into())
}

fn list<'a>(json: &'a Value, key: &str) -> &'a [Value] {
    json.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn flag(json: &Value, key: &str) -> bool {
    match json.get(key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}
