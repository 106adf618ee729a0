//! What decoding allocates.
#![expect(unsafe_code, reason = "an allocator that counts has to be one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use klamm_protocol::messages::metadata::{
    MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_protocol::messages::{AnyRequest, AnyResponse};
use klamm_protocol::wire::{DecodeReason, Reader, Writer};
use klamm_protocol::{ApiKey, Message, Str};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts what this thread asks for.
struct Counting;

fn note(size: usize) {
    // The thread's counters may be gone already when it ends.
    _ = COUNT.try_with(|count| count.set(count.get() + 1));
    _ = BYTES.try_with(|bytes| bytes.set(bytes.get() + size));
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are those that the system's allocator wants.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often and how much a piece of work allocates.
fn allocations<T>(work: impl FnOnce() -> T) -> (usize, usize, T) {
    COUNT.set(0);
    BYTES.set(0);
    let result = work();
    (COUNT.get(), BYTES.get(), result)
}

/// A cluster of 100 topics with 100 partitions on three replicas each.
fn large_metadata() -> MetadataResponse {
    let partition = |index: i32| MetadataResponsePartition {
        partition_index: index,
        leader_id: index % 3,
        leader_epoch: 5,
        replica_nodes: [0, 1, 2].into(),
        isr_nodes: [0, 1, 2].into(),
        ..MetadataResponsePartition::default()
    };
    let topic = |index: usize| MetadataResponseTopic {
        name: Some(Str::from(format!("topic-{index}"))),
        partitions: (0..100).map(partition).collect(),
        ..MetadataResponseTopic::default()
    };
    MetadataResponse { topics: (0..100).map(topic).collect(), ..MetadataResponse::default() }
}

#[test]
fn metadata_costs_a_fraction_of_an_allocation_a_partition() {
    let response = large_metadata();
    let (count, _, writer) = allocations(|| {
        let mut writer = Writer::with_capacity(response.encoded_len(12).unwrap());
        response.encode(&mut writer, 12).unwrap();
        writer
    });
    assert_eq!(count, 1, "encoding into a buffer of the right size");

    let frame = writer.into_bytes();
    // The first clone makes the buffer a shared one.
    let again = frame.clone();
    let (count, bytes, decoded) =
        allocations(|| MetadataResponse::decode(&mut Reader::new(again), 12).unwrap());
    assert_eq!(decoded, response);
    drop(frame);
    // One list of partitions a topic and the list of topics.
    assert_eq!(count, 101, "10,000 partitions");
    assert!(bytes < 10_000 * 112, "{bytes} bytes for 10,000 partitions");
}

#[test]
fn a_claim_of_a_billion_elements_costs_nothing() {
    // The same 13 bytes as a message of every API in every version.
    let mut claims = vec![vec![0, 0, 0, 0, 0x3b, 0x9a, 0xca, 0, 0, 0, 0, 0, 0]];
    claims.push(vec![0x3b, 0x9a, 0xca, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    claims.push(vec![0x80, 0x94, 0xeb, 0xdc, 0x03, 0, 0, 0, 0, 0, 0, 0, 0]);
    claims.push(vec![0, 0, 0, 0, 0x80, 0x94, 0xeb, 0xdc, 0x03, 0, 0, 0, 0]);
    let mut refused = 0;
    for claim in claims.into_iter().map(Bytes::from) {
        for key in ApiKey::all() {
            for version in key.min_version().unwrap()..=key.max_version().unwrap() {
                let (_, bytes, error) = allocations(|| {
                    let mut reader = Reader::new(claim.clone());
                    AnyRequest::decode(key, version, &mut reader).err()
                });
                let count = |reason| matches!(reason, DecodeReason::Count { count: 999_999_999.., .. });
                if error.is_some_and(|error| count(error.reason())) {
                    refused += 1;
                }
                assert!(bytes < 4096, "{key:?} v{version}: {bytes} bytes");
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_refused_frame_allocates_less_than_a_kilobyte() {
    let frame = Bytes::from_static(&[0, 0, 0, 0, 0x3b, 0x9a, 0xca, 0, 0, 0, 0, 0, 0]);
    let (_, bytes, result) = allocations(|| {
        AnyResponse::decode(ApiKey::METADATA, 3, &mut Reader::new(frame)).map_err(|error| error.reason())
    });
    assert_eq!(result.unwrap_err(), DecodeReason::Count { count: 1_000_000_000, remaining: 5 });
    assert!(bytes < 1024, "{bytes} bytes");
}

#[test]
fn the_budget_bounds_all_lists_together() {
    let response = large_metadata();
    let mut writer = Writer::new();
    response.encode(&mut writer, 12).unwrap();
    let mut reader = Reader::new(writer.into_bytes());
    reader.set_budget(100_000);
    let (_, bytes, result) = allocations(|| MetadataResponse::decode(&mut reader, 12));
    let error = result.unwrap_err();
    assert_eq!(error.reason(), DecodeReason::Budget);
    assert!(error.path().ends_with("].partitions"), "{error}");
    assert!(bytes < 200_000, "{bytes} bytes");
}
