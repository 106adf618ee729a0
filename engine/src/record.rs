//! What an application hands to a producer, and what it gets back.

use std::borrow::Cow;

use bytes::Bytes;
use klamm_protocol::{
    Str,
    records::{Header, RecordRef},
};

/// The bytes of a key, a value or a header's value: borrowed or owned. Implement `From<&YourType>` for it to produce
/// types of your own; [`FromBytes`](crate::records::FromBytes) is its counterpart for what is read.
///
/// A producer copies the bytes into the batch as soon as there is room, so borrowing is free of allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Bytes of somebody else.
    Borrowed(&'a [u8]),
    /// Bytes that came along.
    Owned(Bytes),
    /// A number or a truth value, as the Java client's serializers write them.
    Short(Short),
}

/// At most eight bytes, in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    bytes: [u8; 8],
    len: u8,
}

impl Short {
    fn new(bytes: &[u8]) -> Self {
        let mut short = Self { bytes: [0; 8], len: 0 };
        for (place, byte) in short.bytes.iter_mut().zip(bytes) {
            *place = *byte;
            short.len += 1;
        }
        short
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Value<'_> {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
            Self::Short(short) => short.as_bytes(),
        }
    }

    /// The same bytes, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        Value::Owned(match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Self::Owned(bytes) => bytes,
            Self::Short(short) => return Value::Short(short),
        })
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(
            /// Big-endian, in its full width.
            impl From<$number> for Value<'_> {
                fn from(number: $number) -> Self {
                    Self::Short(Short::new(&number.to_be_bytes()))
                }
            }
        )*
    };
}
numbers!(i16, i32, i64, u16, u32, u64, f32, f64);

/// One byte: 1 or 0.
impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Short(Short::new(&[u8::from(value)]))
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Borrowed(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Borrowed(bytes)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Borrowed(text.as_bytes())
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Borrowed(text.as_bytes())
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Borrowed(bytes)
    }
}

impl<'a> From<&'a Bytes> for Value<'a> {
    fn from(bytes: &'a Bytes) -> Self {
        Self::Borrowed(bytes)
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Owned(Bytes::from(text))
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(Bytes::from(bytes))
    }
}

impl From<Bytes> for Value<'_> {
    fn from(bytes: Bytes) -> Self {
        Self::Owned(bytes)
    }
}

/// A record to be produced.
///
/// ```
/// # use klamm_engine::Record;
/// let record = Record::to("orders").key("customer-7").value("3 apples").header("trace", "a1");
/// assert_eq!(record.topic(), "orders");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a record is written by giving it to a producer"]
pub struct Record<'a> {
    topic: Cow<'a, str>,
    partition: Option<i32>,
    key: Option<Value<'a>>,
    value: Option<Value<'a>>,
    headers: Vec<(Cow<'a, str>, Option<Value<'a>>)>,
    timestamp: Option<i64>,
}

impl<'a> Record<'a> {
    /// A record for `topic`, without key, with a null value.
    pub fn to(topic: impl Into<Cow<'a, str>>) -> Self {
        Self {
            topic: topic.into(),
            partition: None,
            key: None,
            value: None,
            headers: Vec::new(),
            timestamp: None,
        }
    }

    /// A record for the producer's default topic, without key, with a null value.
    #[expect(clippy::new_without_default, reason = "a record of nothing is no default")]
    pub fn new() -> Self {
        Self::to("")
    }

    /// With this key. An empty key is not the same as none.
    pub fn key(mut self, key: impl Into<Value<'a>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// With this value. Without one the record is a tombstone: in a compacted topic it deletes its key.
    pub fn value(mut self, value: impl Into<Value<'a>>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// With one more header. Several of the same name are kept, in their order.
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// With one more header, whose value is null.
    pub fn null_header(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.headers.push((name.into(), None));
        self
    }

    /// For this partition, instead of the one that the producer's partitioner picks.
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// With this timestamp, in milliseconds since 1970. Default: the time of sending. A topic may be configured to
    /// replace it by the time of writing.
    pub const fn timestamp(mut self, timestamp_ms: i64) -> Self {
        self.timestamp = Some(timestamp_ms);
        self
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The record, borrowed from nobody.
    pub fn into_owned(self) -> Record<'static> {
        Record {
            topic: Cow::Owned(self.topic.into_owned()),
            partition: self.partition,
            key: self.key.map(Value::into_owned),
            value: self.value.map(Value::into_owned),
            headers: (self.headers.into_iter())
                .map(|(name, value)| (Cow::Owned(name.into_owned()), value.map(Value::into_owned)))
                .collect(),
            timestamp: self.timestamp,
        }
    }

    pub(crate) const fn named_partition(&self) -> Option<i32> {
        self.partition
    }

    pub(crate) const fn named_timestamp(&self) -> Option<i64> {
        self.timestamp
    }

    /// The key's bytes, as a partitioner of the application's own wants them.
    #[must_use]
    pub fn key_bytes(&self) -> Option<&[u8]> {
        self.key.as_ref().map(Value::as_bytes)
    }

    /// The value's bytes.
    #[must_use]
    pub fn value_bytes(&self) -> Option<&[u8]> {
        self.value.as_ref().map(Value::as_bytes)
    }

    /// The bytes of key, value and headers, as [`Producer::reserve`](crate::Producer::reserve) counts them: each header
    /// counts 10 on top of its name and its value.
    #[must_use]
    pub fn size(&self) -> usize {
        let length = |value: &Option<Value<'_>>| value.as_ref().map_or(0, |value| value.as_bytes().len());
        let headers: usize = self.headers.iter().map(|(name, value)| 10 + name.len() + length(value)).sum();
        length(&self.key) + length(&self.value) + headers
    }

    /// More than the record can take, in bytes, also if it opens a batch.
    pub(crate) fn reserved_bytes(&self) -> usize {
        reserved_bytes(self.size())
    }

    /// Lends the record out in the form that batches are made from.
    pub(crate) fn with_ref<R>(&self, timestamp: i64, use_it: impl FnOnce(&RecordRef<'_>) -> R) -> R {
        if self.headers.is_empty() {
            return use_it(&self.lend(&[], timestamp));
        }
        const ON_THE_STACK: usize = 8;
        let mut few = [Header { key: "", value: None }; ON_THE_STACK];
        if self.headers.len() <= ON_THE_STACK {
            for (place, (name, value)) in few.iter_mut().zip(&self.headers) {
                *place = Header { key: name, value: value.as_ref().map(Value::as_bytes) };
            }
            return use_it(&self.lend(&few[..self.headers.len()], timestamp));
        }
        let header = self
            .headers
            .iter()
            .map(|(name, value)| Header { key: name, value: value.as_ref().map(Value::as_bytes) });
        let many: Vec<Header<'_>> = header.collect();
        use_it(&self.lend(&many, timestamp))
    }

    fn lend<'r>(&'r self, headers: &'r [Header<'r>], timestamp: i64) -> RecordRef<'r> {
        RecordRef {
            key: self.key_bytes(),
            value: self.value.as_ref().map(Value::as_bytes),
            headers,
            timestamp,
        }
    }
}

/// More than a record of this [`size`](Record::size) can take, in bytes, also if it opens a batch.
pub(crate) const fn reserved_bytes(size: usize) -> usize {
    // Lengths, deltas and counts are varints of at most 10 and 5 bytes; the header of a batch has 61.
    const FIXED: usize = 5 + 1 + 10 + 5 + 5 + 5 + 5 + 61;
    size.saturating_add(FIXED)
}

/// Where an acknowledged record is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordMetadata {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// The record's offset. `None` without acknowledgements (`acks=0`), and if the broker had the record already but no
    /// longer knows where.
    pub offset: Option<i64>,
    /// The record's timestamp in milliseconds since 1970, as it is stored.
    pub timestamp: i64,
}
