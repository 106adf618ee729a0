//! Kafka's messages, record batches and codecs.
//!
//! - [`wire`]: reading and writing the primitives of the protocol,
//! - [`messages`]: one type for every request, response and header, generated from the schemas in `schema/`,
//! - [`records`]: record batches of all formats, and [`compression`]: their codecs,
//! - the value types that messages are made of: [`Str`], [`Uuid`], [`Ints`], [`RecordBytes`], [`ErrorCode`],
//!   [`ApiKey`].
//!
//! Decoding is safe against any bytes: it does not panic, and it allocates in proportion to its input.
#![forbid(unsafe_code)]

mod any_message;
mod api_key;
pub mod compression;
mod error_code;
mod ints;
mod message;
pub mod messages;
#[cfg(feature = "planted-bugs")]
#[doc(hidden)]
pub mod planted;
mod record_bytes;
pub mod records;
pub mod schema;
mod str;
mod unknown_tags;
mod uuid;
pub mod wire;

pub use crate::api_key::ApiKey;
pub use crate::error_code::ErrorCode;
pub use crate::ints::Ints;
pub use crate::message::{Fields, Message, MessageInfo, Request};
pub use crate::record_bytes::RecordBytes;
pub use crate::str::Str;
pub use crate::unknown_tags::{UnknownTag, UnknownTags};
pub use crate::uuid::{InvalidUuid, Uuid};
