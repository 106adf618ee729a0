//! Looking through an encoded message by its schema.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::model::{Field, Primitive, Schema, Type};
use crate::Uuid;
use crate::wire::Reader;

/// Where a value is, seen from what it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// In a field of a struct, by the schema's name for it.
    Field(&'a str),
    /// In a list.
    Index(usize),
    /// In a tagged field that the schema does not have.
    UnknownTag(u32),
}

/// A value in an encoded message.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of any width.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A text.
    String(crate::Str),
    /// An identifier.
    Uuid(Uuid),
    /// A buffer, record batches, or the bytes of an unknown tagged field.
    Bytes(Bytes),
    /// A list, whose elements follow.
    Array(usize),
    /// A struct, whose fields follow.
    Struct,
}

/// What [`walk`] tells.
pub trait Visitor {
    /// A value is about to be read at this offset. Breaking ends the walk.
    fn enter(&mut self, step: Step<'_>, offset: usize) -> ControlFlow<()>;
    /// The value itself. After [`Value::Array`] and [`Value::Struct`] the parts are entered and left.
    fn value(&mut self, value: Value);
    /// The value that was entered last is done with.
    fn leave(&mut self);
}

/// Walks through a message from where the reader stands, and tells the visitor what is there.
///
/// Returns `Break` when the visitor broke off, or when the bytes are not such a message: the reader has failed then.
pub fn walk(
    schema: &Schema,
    version: i16,
    reader: &mut Reader,
    visitor: &mut dyn Visitor,
) -> ControlFlow<()> {
    reader.set_flexible(schema.flexible.contains(version));
    Walk { schema, version, reader, visitor }.fields(&schema.fields)
}

struct Walk<'a> {
    schema: &'a Schema,
    version: i16,
    reader: &'a mut Reader,
    visitor: &'a mut dyn Visitor,
}

impl Walk<'_> {
    fn tell(&mut self, value: Value) -> ControlFlow<()> {
        if self.reader.has_failed() {
            return ControlFlow::Break(());
        }
        self.visitor.value(value);
        ControlFlow::Continue(())
    }

    fn fields(&mut self, fields: &[Field]) -> ControlFlow<()> {
        self.tell(Value::Struct)?;
        let version = self.version;
        for field in fields.iter().filter(|each| each.tag.is_none() && each.versions.contains(version)) {
            self.visitor.enter(Step::Field(&field.name), self.reader.position())?;
            self.field(field)?;
            self.visitor.leave();
        }
        let mut tags = self.reader.begin_tags();
        while let Some(tag) = self.reader.next_tag(&mut tags) {
            let known =
                fields.iter().find(|each| each.tag == Some(tag) && each.versions.contains(self.version));
            let step = known.map_or(Step::UnknownTag(tag), |field| Step::Field(&field.name));
            self.visitor.enter(step, self.reader.position())?;
            match known {
                Some(field) => self.field(field)?,
                None => {
                    let data = self.reader.read_rest();
                    self.tell(Value::Bytes(data))?;
                }
            }
            self.visitor.leave();
        }
        if self.reader.has_failed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn field(&mut self, field: &Field) -> ControlFlow<()> {
        let nullable = field.nullable.contains(self.version);
        match &field.ty {
            Type::Array(element) => self.array(field, element),
            Type::Struct(_) if nullable && !self.reader.read_presence() => self.tell(Value::Null),
            Type::Struct(_) => self.fields(self.schema.fields_of(field)),
            Type::Primitive(Primitive::String) if field.inflexible => {
                let text = self.reader.read_legacy_string();
                self.tell(text.map_or(Value::Null, Value::String))
            }
            Type::Primitive(primitive) => self.primitive(*primitive),
        }
    }

    fn array(&mut self, field: &Field, element: &Type) -> ControlFlow<()> {
        let Some(count) = self.reader.read_length() else { return self.tell(Value::Null) };
        self.tell(Value::Array(count))?;
        for index in 0..count {
            self.visitor.enter(Step::Index(index), self.reader.position())?;
            match element {
                Type::Primitive(primitive) => self.primitive(*primitive)?,
                _ => self.fields(self.schema.fields_of(field))?,
            }
            self.visitor.leave();
        }
        ControlFlow::Continue(())
    }

    fn primitive(&mut self, primitive: Primitive) -> ControlFlow<()> {
        let reader = &mut *self.reader;
        let value = match primitive {
            Primitive::Bool => Value::Bool(reader.read_bool()),
            Primitive::Int8 => Value::Int(reader.read_i8().into()),
            Primitive::Int16 => Value::Int(reader.read_i16().into()),
            Primitive::Uint16 => Value::Int(reader.read_u16().into()),
            Primitive::Int32 => Value::Int(reader.read_i32().into()),
            Primitive::Uint32 => Value::Int(reader.read_u32().into()),
            Primitive::Int64 => Value::Int(reader.read_i64()),
            Primitive::Float64 => Value::Float(reader.read_f64()),
            Primitive::Uuid => Value::Uuid(reader.read_uuid()),
            Primitive::String => reader.read_nullable_string().map_or(Value::Null, Value::String),
            Primitive::Bytes | Primitive::Records => {
                reader.read_nullable_bytes().map_or(Value::Null, Value::Bytes)
            }
        };
        self.tell(value)
    }
}
