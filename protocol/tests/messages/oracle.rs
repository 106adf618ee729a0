//! An interpreter of the schemas: what a message given as JSON must look like on the wire, and back.
//!
//! It shares with the generated code only the schema files. Its writing shares nothing at all with it; its reading
//! uses [`walk`].

use std::ops::ControlFlow;

use bytes::Bytes;
use klamm_protocol::Uuid;
use klamm_protocol::schema::{Field, Primitive, Schema, Step, Type, Value, Visitor, walk};
use klamm_protocol::wire::Reader;
use serde_json::{Map, Value as Json, json};

use crate::encoding::{base64, camel_case, json_bytes};

/// The bytes of a message that is given as Kafka's own JSON form of it.
pub(crate) fn encode(schema: &Schema, version: i16, json: &Json) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder { schema, version, flexible: schema.flexible.contains(version) }.fields(
        &schema.fields,
        json,
        &mut bytes,
    );
    bytes
}

struct Encoder<'a> {
    schema: &'a Schema,
    version: i16,
    flexible: bool,
}

impl Encoder<'_> {
    fn fields(&self, fields: &[Field], json: &Json, out: &mut Vec<u8>) {
        let mut tagged = Vec::new();
        for field in fields.iter().filter(|field| field.versions.contains(self.version)) {
            let value = &json[camel_case(&field.name)];
            match field.tag {
                None => self.value(field, value, out),
                // Kafka's JSON has a tagged field only when it differs from its default.
                Some(tag) if json.get(camel_case(&field.name)).is_some() => tagged.push((tag, field, value)),
                Some(_) => {}
            }
        }
        if !self.flexible {
            return;
        }
        tagged.sort_by_key(|each| each.0);
        varint(tagged.len(), out);
        for (tag, field, value) in tagged {
            let mut data = Vec::new();
            self.value(field, value, &mut data);
            varint(tag as usize, out);
            varint(data.len(), out);
            out.append(&mut data);
        }
    }

    fn value(&self, field: &Field, json: &Json, out: &mut Vec<u8>) {
        let nullable = field.nullable.contains(self.version);
        assert!(nullable || !json.is_null(), "{}", field.name);
        match &field.ty {
            Type::Array(element) => {
                let list = json.as_array();
                self.length(list.map(Vec::len), 4, out);
                for each in list.into_iter().flatten() {
                    self.single(field, element, each, out);
                }
            }
            Type::Struct(_) if nullable => {
                out.push(if json.is_null() { 0xff } else { 1 });
                if !json.is_null() {
                    self.single(field, &field.ty, json, out);
                }
            }
            ty => self.single(field, ty, json, out),
        }
    }

    fn single(&self, field: &Field, ty: &Type, json: &Json, out: &mut Vec<u8>) {
        let Type::Primitive(primitive) = ty else {
            return self.fields(self.schema.fields_of(field), json, out);
        };
        let integer = || json.as_i64().unwrap();
        match primitive {
            Primitive::Bool => out.push(u8::from(json.as_bool().unwrap())),
            Primitive::Int8 => out.extend(i8::try_from(integer()).unwrap().to_be_bytes()),
            Primitive::Int16 => out.extend(i16::try_from(integer()).unwrap().to_be_bytes()),
            Primitive::Uint16 => out.extend(u16::try_from(integer()).unwrap().to_be_bytes()),
            Primitive::Int32 => out.extend(i32::try_from(integer()).unwrap().to_be_bytes()),
            Primitive::Uint32 => out.extend(u32::try_from(integer()).unwrap().to_be_bytes()),
            Primitive::Int64 => out.extend(integer().to_be_bytes()),
            Primitive::Float64 => out.extend(json.as_f64().unwrap().to_be_bytes()),
            Primitive::Uuid => out.extend(json.as_str().unwrap().parse::<Uuid>().unwrap().0),
            Primitive::String => {
                let text = json.as_str().map(str::as_bytes);
                if field.inflexible {
                    out.extend(text.map_or(-1, |text| text.len() as i16).to_be_bytes());
                } else {
                    self.length(text.map(<[u8]>::len), 2, out);
                }
                out.extend(text.unwrap_or_default());
            }
            Primitive::Bytes | Primitive::Records => {
                let bytes = (!json.is_null()).then(|| json_bytes(json));
                self.length(bytes.as_ref().map(Vec::len), 4, out);
                out.extend(bytes.unwrap_or_default());
            }
        }
    }

    fn length(&self, length: Option<usize>, width: usize, out: &mut Vec<u8>) {
        if self.flexible {
            return varint(length.map_or(0, |length| length + 1), out);
        }
        let length = length.map_or(-1, |length| i32::try_from(length).unwrap());
        out.extend(&length.to_be_bytes()[4 - width..]);
    }
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A message as Kafka's own JSON form of it, or `None` when the bytes are not exactly such a message.
pub(crate) fn decode(schema: &Schema, version: i16, bytes: &[u8]) -> Option<Json> {
    let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
    let mut builder = Builder { open: Vec::new(), result: Json::Null };
    let done = walk(schema, version, &mut reader, &mut builder);
    builder.close();
    (done == ControlFlow::Continue(()) && reader.finish().is_ok()).then_some(builder.result)
}

/// Builds JSON from a walk.
struct Builder {
    /// The values that are being built, each with the key it will have.
    open: Vec<(String, Json)>,
    result: Json,
}

impl Builder {
    fn close(&mut self) {
        while !self.open.is_empty() {
            self.leave();
        }
    }
}

impl Visitor for Builder {
    fn enter(&mut self, step: Step<'_>, _offset: usize) -> ControlFlow<()> {
        let key = match step {
            Step::Field(name) => camel_case(name),
            Step::Index(_) => String::new(),
            Step::UnknownTag(tag) => format!("#{tag}"),
        };
        self.open.push((key, Json::Null));
        ControlFlow::Continue(())
    }

    fn value(&mut self, value: Value) {
        let json = match value {
            Value::Null => Json::Null,
            Value::Bool(value) => json!(value),
            Value::Int(value) => json!(value),
            Value::Float(value) => json!(value),
            Value::String(value) => json!(value.as_str()),
            Value::Uuid(value) => json!(value.to_string()),
            Value::Bytes(value) => json!(base64(&value)),
            Value::Array(_) => Json::Array(Vec::new()),
            Value::Struct => Json::Object(Map::new()),
        };
        match self.open.last_mut() {
            Some((_, place)) => *place = json,
            None => self.result = json,
        }
    }

    fn leave(&mut self) {
        let (key, value) = self.open.pop().unwrap();
        match self.open.last_mut().map_or(&mut self.result, |each| &mut each.1) {
            Json::Array(list) => list.push(value),
            Json::Object(map) => drop(map.insert(key, value)),
            other => panic!("{other} has no parts"),
        }
    }
}
