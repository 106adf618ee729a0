//! Fields as Rust sees them.

use super::item::Member;
use crate::schema::model::{Field, Primitive, Schema, Type, Versions};
use crate::schema::names::snake_case;

/// The fewest bytes that fields take in a version.
pub(super) fn wire_min(schema: &Schema, fields: &[Field], version: i16) -> usize {
    let flexible = schema.flexible.contains(version);
    let present = fields.iter().filter(|field| field.tag.is_none() && field.versions.contains(version));
    let sizes = present.map(|field| match &field.ty {
        _ if field.inflexible => 2,
        Type::Array(_) => length_min(flexible, 4),
        Type::Struct(_) if field.nullable.contains(version) => 1,
        Type::Struct(_) => wire_min(schema, schema.fields_of(field), version),
        Type::Primitive(primitive) => match primitive {
            Primitive::Bool | Primitive::Int8 => 1,
            Primitive::Int16 | Primitive::Uint16 => 2,
            Primitive::Int32 | Primitive::Uint32 => 4,
            Primitive::Int64 | Primitive::Float64 => 8,
            Primitive::Uuid => 16,
            Primitive::String => length_min(flexible, 2),
            Primitive::Bytes | Primitive::Records => length_min(flexible, 4),
        },
    });
    sizes.sum::<usize>() + usize::from(flexible)
}

fn length_min(flexible: bool, inflexible_size: usize) -> usize {
    if flexible { 1 } else { inflexible_size }
}

impl Member {
    /// The field's name in Rust.
    pub(super) fn name(&self) -> String {
        let name = snake_case(&self.field.name);
        match name.as_str() {
            "type" | "match" | "ref" | "use" | "move" | "final" | "virtual" | "override" | "abstract" => {
                format!("r#{name}")
            }
            _ => name,
        }
    }

    /// Whether the Rust type is an `Option`.
    pub(super) fn is_option(&self) -> bool {
        !self.nullable.is_empty() || self.is(Primitive::Records)
    }

    pub(super) fn is(&self, primitive: Primitive) -> bool {
        self.field.ty == Type::Primitive(primitive)
    }

    pub(super) fn is_error_code(&self) -> bool {
        self.is(Primitive::Int16) && self.field.name.ends_with("ErrorCode")
    }

    pub(super) fn is_ints(&self) -> bool {
        matches!(&self.field.ty, Type::Array(element) if **element == Type::Primitive(Primitive::Int32))
    }

    fn is_array(&self) -> bool {
        matches!(self.field.ty, Type::Array(_))
    }

    /// The Rust type without `Option`.
    pub(super) fn inner_type(&self) -> String {
        match &self.field.ty {
            Type::Array(_) if self.is_ints() => "Ints".into(),
            Type::Array(element) => format!("Vec<{}>", self.element_type(element)),
            other => self.element_type(other),
        }
    }

    fn element_type(&self, ty: &Type) -> String {
        let Type::Primitive(primitive) = ty else { return self.struct_name.clone().unwrap_or_default() };
        let name = match primitive {
            Primitive::Int16 if self.is_error_code() => "ErrorCode",
            Primitive::Bool => "bool",
            Primitive::Int8 => "i8",
            Primitive::Int16 => "i16",
            Primitive::Uint16 => "u16",
            Primitive::Int32 => "i32",
            Primitive::Uint32 => "u32",
            Primitive::Int64 => "i64",
            Primitive::Float64 => "f64",
            Primitive::String => "Str",
            Primitive::Uuid => "Uuid",
            Primitive::Bytes => "Bytes",
            Primitive::Records => "RecordBytes",
        };
        name.into()
    }

    /// The Rust type.
    pub(super) fn rust_type(&self) -> String {
        let inner = self.inner_type();
        if self.is_option() { format!("Option<{inner}>") } else { inner }
    }

    fn default_is_null(&self) -> bool {
        self.is(Primitive::Records) || self.field.default.as_deref() == Some("null")
    }

    /// The default as an expression.
    pub(super) fn default_value(&self) -> String {
        if self.is_option() && self.default_is_null() {
            return "None".into();
        }
        let value = match (&self.field.ty, self.field.default.as_deref()) {
            (Type::Primitive(Primitive::String), Some(text)) => format!("Str::from_static({text:?})"),
            (Type::Primitive(Primitive::Bool), default) => default.unwrap_or("false").into(),
            (Type::Primitive(Primitive::Float64), default) => format!("{}f64", default.unwrap_or("0")),
            (Type::Primitive(primitive), default) if is_integer(*primitive) => {
                let default = default.unwrap_or("0");
                match default {
                    "0" if self.is_error_code() => "ErrorCode::NONE".into(),
                    "-2147483648" => "i32::MIN".into(),
                    "2147483647" => "i32::MAX".into(),
                    "9223372036854775807" => "i64::MAX".into(),
                    _ => default.into(),
                }
            }
            (Type::Primitive(Primitive::Uuid), _) => "Uuid::ZERO".into(),
            (Type::Array(_), _) if !self.is_ints() => "Vec::new()".into(),
            (Type::Struct(_), _) => format!("{}::default()", self.inner_type()),
            _ => format!("{}::new()", self.inner_type()).replace("Str::new()", "Str::default()"),
        };
        if self.is_option() { format!("Some({value})") } else { value }
    }

    /// Whether the default is what `Default` gives for the type.
    pub(super) fn has_natural_default(&self) -> bool {
        if self.is_option() { self.default_is_null() } else { self.field.default.is_none() }
    }

    /// Whether the value differs from its default, as an expression.
    pub(super) fn is_set(&self) -> String {
        let place = format!("self.{}", self.name());
        if self.is_option() {
            if self.default_is_null() {
                return format!("{place}.is_some()");
            }
            let differs = if matches!(self.field.ty, Type::Struct(_)) {
                format!("*value != {}::default()", self.inner_type())
            } else {
                "!value.is_empty()".into()
            };
            return format!("{place}.as_ref().is_none_or(|value| {differs})");
        }
        match &self.field.ty {
            Type::Primitive(Primitive::Bool) if self.field.default.is_some() => format!("!{place}"),
            Type::Primitive(Primitive::Bool) => place,
            Type::Primitive(Primitive::Uuid) => format!("!{place}.is_zero()"),
            Type::Primitive(Primitive::String | Primitive::Bytes) if self.field.default.is_none() => {
                format!("!{place}.is_empty()")
            }
            _ if self.is_array() => format!("!{place}.is_empty()"),
            _ if self.is_error_code() => format!("{place}.is_error()"),
            _ => format!("{place} != {}", self.default_value()),
        }
    }
}

fn is_integer(primitive: Primitive) -> bool {
    matches!(
        primitive,
        Primitive::Int8
            | Primitive::Int16
            | Primitive::Uint16
            | Primitive::Int32
            | Primitive::Uint32
            | Primitive::Int64
    )
}

/// The condition that the version is in a range, given that it is in `all`. `None` when it always is.
pub(super) fn condition(range: Versions, all: Versions) -> Option<String> {
    let range = range.intersect(all);
    match (range.low > all.low, range.high < all.high) {
        (false, false) => None,
        _ if range.is_empty() => Some("false".into()),
        _ if range.low == range.high => Some(format!("version == {}", range.low)),
        (true, false) => Some(format!("version >= {}", range.low)),
        (false, true) => Some(format!("version <= {}", range.high)),
        (true, true) => Some(format!("({}..={}).contains(&version)", range.low, range.high)),
    }
}

/// The condition that the version is outside of a range, given that it is in `all`. `None` when it never is.
pub(super) fn opposite(range: Versions, all: Versions) -> Option<String> {
    let range = range.intersect(all);
    match (range.low > all.low, range.high < all.high) {
        (false, false) => None,
        _ if range.is_empty() => Some("true".into()),
        (true, false) => Some(format!("version < {}", range.low)),
        (false, true) => Some(format!("version > {}", range.high)),
        (true, true) => Some(format!("!({}..={}).contains(&version)", range.low, range.high)),
    }
}
