//! Time and allocations a record, beside the crate `kafka-protocol`, in one run.
//!
//! Each figure is the fastest of many samples, which are taken in turns: what disturbs the machine disturbs all.
#![expect(clippy::unwrap_used, reason = "a benchmark's report; wrong results must stop it")]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records as peer;
use klamm_bench::counting::{Case, Counting};
use klamm_bench::records::{Data, RECORDS, Shape, append, iterate, seal};
use klamm_protocol::compression::{Compression, Compressor};
use klamm_protocol::records::Scratch;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SAMPLES: usize = 60;
const ROUNDS: usize = 20;

/// The same records as the other crate has them.
fn peer_records(data: &Data) -> Vec<peer::Record> {
    let records = (0i64..).zip(data.records()).map(|(offset, record)| {
        let headers: IndexMap<StrBytes, Option<Bytes>> = record
            .headers
            .iter()
            .map(|header| {
                (StrBytes::from_string(header.key.to_owned()), header.value.map(Bytes::copy_from_slice))
            })
            .collect();
        peer::Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: -1,
            producer_epoch: -1,
            timestamp_type: peer::TimestampType::Creation,
            offset,
            sequence: i32::try_from(offset).unwrap(),
            timestamp: record.timestamp,
            key: record.key.map(Bytes::copy_from_slice),
            value: record.value.map(Bytes::copy_from_slice),
            headers,
        }
    });
    records.collect()
}

fn peer_encode(records: &[peer::Record]) -> BytesMut {
    let options = peer::RecordEncodeOptions { version: 2, compression: peer::Compression::None };
    let mut out = BytesMut::new();
    peer::RecordBatchEncoder::encode(&mut out, records, &options).unwrap();
    out
}

fn peer_decode(encoded: &Bytes) -> usize {
    let set = peer::RecordBatchDecoder::decode(&mut encoded.clone()).unwrap();
    set.records.iter().map(|record| record.value.as_ref().map_or(0, Bytes::len)).sum()
}

fn codec_cases<'a>(data: &'a Data, compression: Compression) -> [Case<'a>; 2] {
    let (write, read) = match compression {
        Compression::None => ("klamm: append, seal, header", "klamm: read with CRC"),
        Compression::Gzip => ("klamm: the same with gzip", "klamm: read gzip"),
        Compression::Snappy => ("klamm: the same with snappy", "klamm: read snappy"),
        Compression::Lz4 => ("klamm: the same with lz4", "klamm: read lz4"),
        Compression::Zstd => ("klamm: the same with zstd", "klamm: read zstd"),
    };
    let mut compressor = Compressor::new(compression);
    let encoded = data.encoded(compression);
    let mut scratch = Scratch::new();
    [
        Case::new(write, RECORDS, move || {
            black_box(seal(append(data), &mut compressor));
        }),
        Case::new(read, RECORDS, move || {
            assert!(iterate(&encoded, &mut scratch, true) > 0);
        }),
    ]
}

fn measure(title: &str, shape: Shape) {
    let data = Data::new(shape);
    let records = peer_records(&data);
    let encoded = data.encoded(Compression::None);
    let shared = Bytes::from(encoded.clone());
    assert_eq!(peer_decode(&shared), RECORDS * 100, "both read the same batch");
    let mut scratch = Scratch::new();
    let mut cases = vec![
        Case::new("klamm: append", RECORDS, || drop(black_box(append(&data)))),
        Case::new("klamm: iterate", RECORDS, || {
            assert!(iterate(&encoded, &mut scratch, false) > 0);
        }),
        Case::new("kafka-protocol: encode", RECORDS, || drop(black_box(peer_encode(&records)))),
        Case::new("kafka-protocol: decode", RECORDS, || {
            assert!(peer_decode(&shared) > 0);
        }),
    ];
    cases.extend(Compression::ALL.into_iter().flat_map(|codec| codec_cases(&data, codec)));
    Case::measure(&mut cases, SAMPLES, ROUNDS);
    Case::report(title, "record", &cases);
}

fn main() {
    measure("no key, value of 100 bytes", Shape::Plain);
    measure("key of 16, value of 100 bytes, 2 headers", Shape::Full);
}
