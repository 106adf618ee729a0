//! What can be wrong with a message.

use std::fmt;

use bytes::Bytes;

use crate::message::MessageInfo;
use crate::schema;

/// Bytes that are not what they should be, with the place.
///
/// It holds on to the bytes before the place, from which [`DecodeError::path`] works out the field when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    // Boxed, since this sits in the result of every decoding.
    inner: Box<Inner>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    message: Option<Place>,
    offset: usize,
    reason: DecodeReason,
}

/// The message that was being decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    info: &'static MessageInfo,
    version: i16,
    /// The bytes from the message's start to the end of the frame.
    bytes: Bytes,
    start: usize,
}

/// Why bytes could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeReason {
    /// The message has no such version.
    Version,
    /// There is no such API here.
    ApiKey(i16),
    /// The bytes end before the value does.
    Truncated {
        /// How many bytes the value needs.
        needed: usize,
        /// How many are left.
        remaining: usize,
    },
    /// A length or count below -1.
    NegativeLength(i32),
    /// A count of elements that cannot fit into what is left.
    Count {
        /// How many elements are claimed.
        count: usize,
        /// How many bytes are left.
        remaining: usize,
    },
    /// A null where the version has none.
    Null,
    /// A variable-length integer of more than 32 bits.
    Varint,
    /// A text of more than 32,767 bytes.
    TooLong(usize),
    /// A text that is not UTF-8.
    Utf8,
    /// A marker of presence that is neither -1 nor 1.
    Presence(i8),
    /// A tagged field that is shorter or longer than its size says.
    TagSize,
    /// The decoded message would take more memory than the reader's budget.
    Budget,
    /// Bytes follow the end.
    Trailing(usize),
}

impl DecodeError {
    #[cold]
    pub(crate) fn new(offset: usize, reason: DecodeReason) -> Self {
        Self { inner: Box::new(Inner { message: None, offset, reason }) }
    }

    /// Adds the message, whose bytes start at `start` in the reader.
    #[cold]
    pub(crate) fn within(
        mut self,
        info: &'static MessageInfo,
        version: i16,
        bytes: Bytes,
        start: usize,
    ) -> Self {
        self.inner.message = Some(Place { info, version, bytes, start });
        self
    }

    /// The message that was being decoded, or an empty text when it was none.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.inner.message.as_ref().map_or("", |place| place.info.name)
    }

    /// The version that was being decoded.
    #[must_use]
    pub fn version(&self) -> i16 {
        self.inner.message.as_ref().map_or(0, |place| place.version)
    }

    /// The field at fault, such as `topics[3].partitions[0].leader_epoch`; empty when it is the message as a whole.
    ///
    /// This walks through the message up to the fault.
    #[must_use]
    pub fn path(&self) -> String {
        match &self.inner.message {
            Some(place) if self.inner.reason != DecodeReason::Version => {
                schema::locate(place.info, place.version, &place.bytes, self.inner.offset - place.start)
            }
            _ => String::new(),
        }
    }

    /// Where in the reader's bytes the value at fault starts.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.inner.offset
    }

    /// What is wrong.
    #[must_use]
    pub fn reason(&self) -> DecodeReason {
        self.inner.reason
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.inner.message {
            write!(f, "{} v{}", place.info.name, place.version)?;
            let path = self.path();
            if !path.is_empty() {
                write!(f, ", {path}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{} at byte {}", self.inner.reason, self.inner.offset)
    }
}

impl std::error::Error for DecodeError {}

impl fmt::Display for DecodeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Version => f.write_str("no such version"),
            Self::ApiKey(key) => write!(f, "no API {key}"),
            Self::Truncated { needed, remaining } => write!(f, "{needed} bytes needed, {remaining} left"),
            Self::NegativeLength(length) => write!(f, "length {length}"),
            Self::Count { count, remaining } => write!(f, "{count} elements claimed in {remaining} bytes"),
            Self::Null => f.write_str("null where a value must be"),
            Self::Varint => f.write_str("variable-length integer above 32 bits"),
            Self::TooLong(length) => write!(f, "text of {length} bytes"),
            Self::Utf8 => f.write_str("text is not UTF-8"),
            Self::Presence(marker) => write!(f, "presence marker {marker}"),
            Self::TagSize => f.write_str("tagged field does not match its size"),
            Self::Budget => f.write_str("decoding would exceed the memory budget"),
            Self::Trailing(count) => write!(f, "{count} bytes too many"),
        }
    }
}

/// A message that cannot be written in the version asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    inner: Box<EncodeInner>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct EncodeInner {
    message: &'static str,
    version: i16,
    field: &'static str,
    reason: EncodeReason,
}

/// Why a message could not be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeReason {
    /// The message has no such version.
    Version,
    /// The field is set, and the version has no place for it.
    Unsupported,
    /// The field is null, and the version has no null for it.
    Null,
    /// A text, list or buffer is longer than its length field can say.
    TooLong(usize),
}

impl EncodeError {
    #[cold]
    pub(crate) fn new(field: &'static str, reason: EncodeReason) -> Self {
        Self { inner: Box::new(EncodeInner { message: "", version: 0, field, reason }) }
    }

    #[cold]
    pub(crate) fn within(mut self, message: &'static str, version: i16) -> Self {
        self.inner.message = message;
        self.inner.version = version;
        self
    }

    /// The message that was being encoded, or an empty text when it was none.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.inner.message
    }

    /// The version that was being encoded.
    #[must_use]
    pub fn version(&self) -> i16 {
        self.inner.version
    }

    /// The field at fault with its struct, such as `FetchTopic.topic_id`; empty when it is not known.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.inner.field
    }

    /// What is wrong.
    #[must_use]
    pub fn reason(&self) -> EncodeReason {
        self.inner.reason
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EncodeInner { message, version, field, reason } = &*self.inner;
        if !message.is_empty() {
            write!(f, "{message} v{version}: ")?;
        }
        if !field.is_empty() {
            write!(f, "{field}: ")?;
        }
        match reason {
            EncodeReason::Version => f.write_str("no such version"),
            EncodeReason::Unsupported => f.write_str("is set, but this version has no such field"),
            EncodeReason::Null => f.write_str("is null, but this version has no null for it"),
            EncodeReason::TooLong(length) => write!(f, "length {length} is more than this version can hold"),
        }
    }
}

impl std::error::Error for EncodeError {}
