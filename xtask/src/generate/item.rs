//! The structs to generate: a message's own, and those nested in it.

use std::error::Error;

use super::types::wire_min;
use crate::schema::model::{Field, Schema, Type, Versions};

/// A struct to generate.
pub(super) struct Item {
    /// Its name in Rust.
    pub(super) name: String,
    /// The message it is, or is part of.
    pub(super) schema: Schema,
    /// Whether it is the message itself.
    pub(super) is_message: bool,
    /// The versions in which it occurs.
    pub(super) usage: Versions,
    /// Its fields that occur in some version.
    pub(super) members: Vec<Member>,
    /// The fewest bytes it takes in any version.
    pub(super) min_size: usize,
}

/// A field to generate.
#[derive(PartialEq, Eq)]
pub(super) struct Member {
    pub(super) field: Field,
    /// The name in Rust of the struct that it is or is a list of.
    pub(super) struct_name: Option<String>,
    /// The versions that have it, out of those in which its struct occurs.
    pub(super) versions: Versions,
    /// Those in which it may be null.
    pub(super) nullable: Versions,
}

/// Adds the structs of a message.
///
/// The request and the response of an API share a module. A nested struct that both have is generated once if it is
/// the same in both, else the second gets its message's name as a prefix.
pub(super) fn collect(schema: &Schema, items: &mut Vec<Item>) -> Result<(), Box<dyn Error>> {
    let mut nested: Vec<(String, Versions)> = Vec::new();
    find_nested(schema, &schema.fields, schema.versions, &mut nested);
    let mut own = Vec::new();
    own.push(item(schema, &schema.name, &schema.fields, schema.versions, true)?);
    for (name, usage) in &nested {
        let fields = definition(schema, name).ok_or_else(|| format!("{}: no struct {name}", schema.name))?;
        own.push(item(schema, name, fields, *usage, false)?);
    }
    // A new name makes those that refer to it differ as well.
    while let Some(name) = own.iter().find(|each| collides(each, items)).map(|each| each.name.clone()) {
        rename(&mut own, &name, &format!("{}{name}", schema.name));
    }
    own.retain(|each| items.iter().all(|other| other.name != each.name));
    items.append(&mut own);
    Ok(())
}

/// Whether another struct of the same name is there already.
fn collides(item: &Item, items: &[Item]) -> bool {
    items.iter().any(|other| other.name == item.name && !same(other, item))
}

fn same(one: &Item, other: &Item) -> bool {
    one.usage == other.usage && one.members == other.members && one.min_size == other.min_size
}

fn rename(items: &mut [Item], from: &str, to: &str) {
    for item in items {
        if item.name == from {
            item.name = to.into();
        }
        for member in &mut item.members {
            if member.struct_name.as_deref() == Some(from) {
                member.struct_name = Some(to.into());
            }
        }
    }
}

/// The structs that fields refer to, with the versions in which they occur.
fn find_nested(schema: &Schema, fields: &[Field], usage: Versions, found: &mut Vec<(String, Versions)>) {
    for field in fields {
        let usage = field.versions.intersect(usage);
        let Some(name) = field.ty.struct_name() else { continue };
        if usage.is_empty() {
            continue;
        }
        match found.iter_mut().find(|each| each.0 == name) {
            Some((_, all)) => {
                *all = Versions { low: all.low.min(usage.low), high: all.high.max(usage.high) };
            }
            None => found.push((name.into(), usage)),
        }
        find_nested(schema, schema.fields_of(field), usage, found);
    }
}

fn definition<'a>(schema: &'a Schema, name: &str) -> Option<&'a [Field]> {
    let common = schema.structs.iter().find(|each| each.name == name).map(|each| each.fields.as_slice());
    common
        .or_else(|| inline_definition(&schema.fields, name))
        .or_else(|| schema.structs.iter().find_map(|each| inline_definition(&each.fields, name)))
}

fn inline_definition<'a>(fields: &'a [Field], name: &str) -> Option<&'a [Field]> {
    fields.iter().find_map(|field| {
        if field.ty.struct_name() == Some(name) && !field.fields.is_empty() {
            return Some(field.fields.as_slice());
        }
        inline_definition(&field.fields, name)
    })
}

fn item(
    schema: &Schema,
    name: &str,
    fields: &[Field],
    usage: Versions,
    is_message: bool,
) -> Result<Item, Box<dyn Error>> {
    let mut members = Vec::new();
    for field in fields {
        let versions = field.versions.intersect(usage);
        if versions.is_empty() {
            continue;
        }
        if let Type::Array(element) = &field.ty
            && matches!(**element, Type::Array(_))
        {
            return Err(format!("{name}.{}: a list of lists", field.name).into());
        }
        members.push(Member {
            field: Field { fields: Vec::new(), ..field.clone() },
            struct_name: field.ty.struct_name().map(String::from),
            versions,
            nullable: field.nullable.intersect(versions),
        });
    }
    let sizes = (usage.low..=usage.high).map(|version| wire_min(schema, fields, version));
    let min_size = sizes.min().unwrap_or(0);
    if min_size == 0 && !is_message {
        return Err(format!("{name} can be empty on the wire").into());
    }
    Ok(Item {
        name: name.into(),
        schema: schema.clone(),
        is_message,
        usage,
        members,
        min_size: min_size.max(1),
    })
}
