//! Random valid messages, in Kafka's own JSON form.

use klamm_protocol::Uuid;
use klamm_protocol::schema::{Field, Primitive, Schema, Type};
use serde_json::{Map, Value as Json, json};

use crate::encoding::{base64, camel_case};

/// A small generator of random numbers (SplitMix64), the same on every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in `n` times.
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// An integer of a width, often one at the edges.
    fn integer(&mut self, bits: u32, signed: bool) -> i64 {
        let (min, max) =
            if signed { (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits)) } else { (0, (1i64 << bits) - 1) };
        match self.below(8) {
            0 => min,
            1 => max,
            2 => 0,
            3 => -i64::from(signed),
            4 | 5 => self.below(100) as i64,
            _ => (self.next() as i64 >> (64 - bits)).clamp(min, max),
        }
    }

    fn text(&mut self) -> String {
        const LETTERS: [char; 10] = ['a', 'b', 'Z', '0', '-', '"', '\\', 'ü', '日', '🦀'];
        // Beyond 127 bytes a compact length takes two bytes.
        let len = if self.one_in(30) { 120 + self.below(40) } else { self.below(9) };
        (0..len).map(|_| LETTERS[self.below(LETTERS.len())]).collect()
    }

    fn bytes(&mut self) -> Vec<u8> {
        // Beyond a kilobyte the writer passes buffers on by reference.
        let len = if self.one_in(20) { 1000 + self.below(3000) } else { self.below(40) };
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// A random message that is valid in the version.
pub(crate) fn message(schema: &Schema, version: i16, random: &mut Random) -> Json {
    Generator { schema, version, random }.fields(&schema.fields)
}

/// A message whose lists have `count` elements each, all of them as small as can be. Of lists inside of lists only the
/// first is long.
pub(crate) fn densest(schema: &Schema, version: i16, count: usize) -> Json {
    let generator = Generator { schema, version, random: &mut Random::new(0) };
    generator.dense(&schema.fields, count)
}

/// The message with every field of the version at its default.
pub(crate) fn default(schema: &Schema, version: i16) -> Json {
    let generator = Generator { schema, version, random: &mut Random::new(0) };
    generator.defaults(&schema.fields)
}

struct Generator<'a> {
    schema: &'a Schema,
    version: i16,
    random: &'a mut Random,
}

impl Generator<'_> {
    fn fields(&mut self, fields: &[Field]) -> Json {
        let mut map = Map::new();
        let version = self.version;
        for field in fields.iter().filter(|field| field.versions.contains(version)) {
            let value = self.value(field);
            // A tagged field is there when it is not at its default.
            if field.tag.is_none() || (value != self.default(field) && !self.random.one_in(3)) {
                map.insert(camel_case(&field.name), value);
            }
        }
        Json::Object(map)
    }

    fn value(&mut self, field: &Field) -> Json {
        if field.nullable.contains(self.version) && self.random.one_in(4) {
            return Json::Null;
        }
        match &field.ty {
            Type::Array(element) => {
                let count = if self.random.one_in(200) { 130 } else { self.random.below(4) };
                // Many elements of structs that hold lists of structs again would be very many.
                let count = if element.struct_name().is_some() { count.min(4) } else { count };
                (0..count).map(|_| self.single(field, element)).collect()
            }
            ty => self.single(field, ty),
        }
    }

    fn single(&mut self, field: &Field, ty: &Type) -> Json {
        let Type::Primitive(primitive) = ty else {
            return self.fields(self.schema.fields_of(field));
        };
        let random = &mut *self.random;
        match primitive {
            Primitive::Bool => json!(random.one_in(2)),
            Primitive::Int8 => json!(random.integer(8, true)),
            Primitive::Int16 => json!(random.integer(16, true)),
            Primitive::Uint16 => json!(random.integer(16, false)),
            Primitive::Int32 => json!(random.integer(32, true)),
            Primitive::Uint32 => json!(random.integer(32, false)),
            Primitive::Int64 => json!(random.integer(64, true)),
            Primitive::Float64 => json!(random.integer(32, true) as f64 / 8.0),
            Primitive::String => json!(random.text()),
            Primitive::Uuid => {
                let halves = [random.next(), random.next()].map(u64::to_be_bytes);
                let bytes: [u8; 16] = halves.concat().try_into().unwrap();
                json!(Uuid(bytes).to_string())
            }
            Primitive::Bytes | Primitive::Records => json!(base64(&random.bytes())),
        }
    }

    fn dense(&self, fields: &[Field], count: usize) -> Json {
        let mut json = self.defaults(fields);
        for field in fields.iter().filter(|each| each.versions.contains(self.version)) {
            let Type::Array(element) = &field.ty else { continue };
            let list: Json = match **element {
                Type::Primitive(primitive) => vec![self.own_default(primitive); count].into(),
                _ => {
                    let fields = self.schema.fields_of(field);
                    let mut list = vec![self.defaults(fields); count];
                    list[0] = self.dense(fields, count);
                    list.into()
                }
            };
            json[camel_case(&field.name)] = list;
        }
        json
    }

    fn defaults(&self, fields: &[Field]) -> Json {
        let present = fields.iter().filter(|each| each.tag.is_none() && each.versions.contains(self.version));
        present.map(|each| (camel_case(&each.name), self.default(each))).collect()
    }

    /// The default of a field as JSON.
    fn default(&self, field: &Field) -> Json {
        let own = match &field.ty {
            Type::Array(_) => json!([]),
            Type::Struct(_) => self.defaults(self.schema.fields_of(field)),
            Type::Primitive(Primitive::Records) if !field.nullable.contains(self.version) => json!(""),
            Type::Primitive(primitive) => self.own_default(*primitive),
        };
        match field.default.as_deref() {
            None => own,
            Some("null") => Json::Null,
            Some(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        }
    }

    fn own_default(&self, primitive: Primitive) -> Json {
        match primitive {
            Primitive::Bool => json!(false),
            Primitive::String | Primitive::Bytes => json!(""),
            Primitive::Records => Json::Null,
            Primitive::Uuid => json!(Uuid::ZERO.to_string()),
            _ => json!(0),
        }
    }
}
