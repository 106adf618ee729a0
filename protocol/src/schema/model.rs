//! What a schema says.

/// The schema of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// What the message is for.
    pub kind: Kind,
    /// The message's name, such as `MetadataRequest`.
    pub name: String,
    /// The number of the API, for requests and responses.
    pub key: Option<i16>,
    /// The versions there are.
    pub versions: Versions,
    /// The versions with compact lengths and tagged fields (KIP-482).
    pub flexible: Versions,
    /// Whether Kafka still calls the last version unstable.
    pub unstable: bool,
    /// Who serves the API: `broker`, `controller`.
    pub listeners: Vec<String>,
    /// The message's fields, in their order on the wire.
    pub fields: Vec<Field>,
    /// Structs that several fields refer to.
    pub structs: Vec<Struct>,
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body of a request.
    Request,
    /// The body of a response.
    Response,
    /// What precedes a body.
    Header,
    /// A document inside a field of some other message.
    Data,
}

/// A struct that several fields refer to by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struct {
    /// Its name.
    pub name: String,
    /// Its fields, in their order on the wire.
    pub fields: Vec<Field>,
}

/// A field of a message or struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name as Kafka spells it, such as `ErrorCode`.
    pub name: String,
    /// The type of its value.
    pub ty: Type,
    /// The versions that have it.
    pub versions: Versions,
    /// The versions in which it may be null.
    pub nullable: Versions,
    /// Its number, if it is a tagged field.
    pub tag: Option<u32>,
    /// Its default, if that is not the type's own (zero, false, empty).
    pub default: Option<String>,
    /// What the value identifies, such as `topicName`.
    pub entity: Option<String>,
    /// Whether a value may be dropped when the version lacks the field.
    pub ignorable: bool,
    /// Whether its length is never compact.
    pub inflexible: bool,
    /// The fields of its struct type, if that is defined here.
    pub fields: Vec<Self>,
}

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A single value without parts.
    Primitive(Primitive),
    /// A struct, by name.
    Struct(String),
    /// A list.
    Array(Box<Self>),
}

/// The type of a value without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primitive {
    /// One byte, true unless zero.
    Bool,
    /// A signed 8-bit integer.
    Int8,
    /// A signed 16-bit integer.
    Int16,
    /// An unsigned 16-bit integer.
    Uint16,
    /// A signed 32-bit integer.
    Int32,
    /// An unsigned 32-bit integer.
    Uint32,
    /// A signed 64-bit integer.
    Int64,
    /// A double-precision floating-point number.
    Float64,
    /// A UTF-8 text of at most 32,767 bytes.
    String,
    /// A 128-bit identifier.
    Uuid,
    /// A buffer.
    Bytes,
    /// Record batches.
    Records,
}

/// A range of versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The first version.
    pub low: i16,
    /// The last version; `i16::MAX` when there is no end.
    pub high: i16,
}

impl Versions {
    /// No version at all.
    pub const NONE: Self = Self { low: 0, high: -1 };

    /// Whether there is no version in the range.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.low > self.high
    }

    /// Whether the range has this version.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.low <= version && version <= self.high
    }

    /// The versions that both ranges have.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        if both.is_empty() { Self::NONE } else { both }
    }
}

impl Primitive {
    /// Every primitive type with its name.
    pub const ALL: [(&'static str, Self); 12] = [
        ("bool", Self::Bool),
        ("int8", Self::Int8),
        ("int16", Self::Int16),
        ("uint16", Self::Uint16),
        ("int32", Self::Int32),
        ("uint32", Self::Uint32),
        ("int64", Self::Int64),
        ("float64", Self::Float64),
        ("string", Self::String),
        ("uuid", Self::Uuid),
        ("bytes", Self::Bytes),
        ("records", Self::Records),
    ];
}

impl Type {
    /// The name of the struct that this is or is a list of.
    #[must_use]
    pub fn struct_name(&self) -> Option<&str> {
        match self {
            Self::Primitive(_) => None,
            Self::Struct(name) => Some(name),
            Self::Array(element) => element.struct_name(),
        }
    }
}

impl Schema {
    /// The fields of the struct that a field refers to; empty when there is none.
    #[must_use]
    pub fn fields_of<'a>(&'a self, field: &'a Field) -> &'a [Field] {
        if !field.fields.is_empty() {
            return &field.fields;
        }
        let name = field.ty.struct_name();
        let named = self.structs.iter().find(|each| Some(each.name.as_str()) == name);
        if let Some(found) = named {
            return &found.fields;
        }
        name.and_then(|name| defined_in(&self.fields, name)).unwrap_or_default()
    }
}

fn defined_in<'a>(fields: &'a [Field], name: &str) -> Option<&'a [Field]> {
    fields.iter().find_map(|field| {
        if field.ty.struct_name() == Some(name) && !field.fields.is_empty() {
            return Some(field.fields.as_slice());
        }
        defined_in(&field.fields, name)
    })
}
