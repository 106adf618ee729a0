//! One schema for all versions of a message, out of two releases.

use std::error::Error;

use crate::schema::model::{Field, Kind, Schema, Versions};

/// The messages of the newer release, extended by the versions and messages that only the older one has.
pub(crate) fn merge(old: &[Schema], new: &[Schema]) -> Result<Vec<Schema>, Box<dyn Error>> {
    let mut merged = Vec::new();
    for newer in new {
        let older = old.iter().find(|each| each.name == newer.name);
        merged.push(match older {
            Some(older) if newer.versions.is_empty() => older.clone(),
            Some(older) if older.versions.low < newer.versions.low && !was_preview(old, newer) => {
                extend(older, newer)
            }
            _ => newer.clone(),
        });
    }
    merged.retain(|schema| !schema.versions.is_empty() && is_wanted(schema));
    match merged.iter().find(|schema| schema.versions.low > 0 && !was_preview(old, schema)) {
        Some(schema) => Err(format!("{} lacks its first versions", schema.name).into()),
        None => Ok(merged),
    }
}

/// Requests, responses and headers, and of the documents those that clients exchange.
fn is_wanted(schema: &Schema) -> bool {
    schema.kind != Kind::Data || schema.name.starts_with("ConsumerProtocol")
}

/// Whether all that the older release had of an API was a preview, which never became part of the protocol.
fn was_preview(old: &[Schema], schema: &Schema) -> bool {
    old.iter().any(|each| each.key == schema.key && each.unstable && each.versions.high == 0)
}

fn extend(older: &Schema, newer: &Schema) -> Schema {
    let removed = Versions { low: older.versions.low, high: newer.versions.low - 1 };
    Schema {
        versions: Versions { low: removed.low, high: newer.versions.high },
        fields: extend_fields(&older.fields, &newer.fields, removed),
        ..newer.clone()
    }
}

/// The newer fields, with those that only removed versions have put in behind their predecessors.
fn extend_fields(older: &[Field], newer: &[Field], removed: Versions) -> Vec<Field> {
    let mut fields = newer.to_vec();
    let mut place = 0;
    for old in older {
        if let Some(index) = fields.iter().position(|each| each.name == old.name) {
            let field = &mut fields[index];
            field.fields = extend_fields(&old.fields, &field.fields, removed);
            // Whether it may be left out in a removed version, the older release alone knows.
            let missing_there = old.versions.intersect(removed) != removed;
            field.ignorable |= missing_there && old.ignorable;
            place = index + 1;
        } else if !old.versions.intersect(removed).is_empty() {
            let versions = old.versions.intersect(removed);
            fields
                .insert(place, Field { versions, nullable: old.nullable.intersect(versions), ..old.clone() });
            place += 1;
        }
    }
    fields
}
