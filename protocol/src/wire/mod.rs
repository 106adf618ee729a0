//! Reading and writing the primitives of the protocol.
//!
//! [`Reader`] and [`Writer`] note the first failure and carry on: a failed reader yields zeros and empty values, a
//! failed writer ignores what it is given. The caller asks once, at the end, with [`Reader::check`] and
//! [`Writer::check`]. This keeps the generated code small and fast; nothing is looped or allocated after a failure
//! that was not paid for before it.

mod elements;
mod error;
mod reader;
mod writer;

pub use self::error::{DecodeError, DecodeReason, EncodeError, EncodeReason};
pub use self::reader::{Reader, Tags};
pub use self::writer::{LengthMark, UnwrittenTags, Writer};
