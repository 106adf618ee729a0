//! The schemas as data: what the generated code is made from, for tools that need to look at a message without
//! knowing its type.
//!
//! A schema is a short text, one line a field (see [`parse`]). The generated types do not use it, except to name the
//! field at fault when decoding fails.

mod locate;
mod model;
mod names;
mod parse;
mod walk;

pub(crate) use self::locate::locate;
pub use self::model::{Field, Kind, Primitive, Schema, Struct, Type, Versions};
pub use self::names::snake_case;
pub use self::parse::{ParseError, parse};
pub use self::walk::{Step, Value, Visitor, walk};
