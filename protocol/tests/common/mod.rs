//! Random records, and what is written of them.

use klamm_protocol::records::{BatchEncoder, BatchLimits, Header, Record, RecordRef};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnedRecord {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) timestamp: i64,
}

impl OwnedRecord {
    pub(crate) fn with_ref<T>(&self, use_it: impl FnOnce(&RecordRef<'_>) -> T) -> T {
        let headers: Vec<_> =
            self.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        use_it(&RecordRef {
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &headers,
            timestamp: self.timestamp,
        })
    }

    pub(crate) fn of(record: &Record<'_>) -> Self {
        Self {
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.iter().map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect(),
            timestamp: record.timestamp,
        }
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..40),
        2 => (any::<u8>(), 0..400usize).prop_map(|(byte, len)| vec![byte; len]),
        1 => vec(any::<u8>(), 8_180..8_200),
    ]
}

pub(crate) fn record() -> impl Strategy<Value = OwnedRecord> {
    let timestamp =
        prop_oneof![Just(-1), 0..10_000i64, 1_700_000_000_000..1_700_000_900_000i64, 0..=i64::MAX];
    let headers = vec((".{0,6}", option::of(vec(any::<u8>(), 0..20))), 0..4);
    (option::of(bytes()), option::of(bytes()), headers, timestamp)
        .prop_map(|(key, value, headers, timestamp)| OwnedRecord { key, value, headers, timestamp })
}

pub(crate) fn records() -> impl Strategy<Value = Vec<OwnedRecord>> {
    vec(record(), 1..40)
}

pub(crate) const UNLIMITED: BatchLimits = BatchLimits { target_bytes: 1 << 30, max_bytes: 1 << 30 };

pub(crate) fn encode(records: &[OwnedRecord]) -> BatchEncoder {
    let mut batch = BatchEncoder::new(UNLIMITED);
    for record in records {
        record.with_ref(|record| batch.append(record)).unwrap();
    }
    batch
}
