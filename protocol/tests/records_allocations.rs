//! How much is allocated: nothing for a record, and nothing for a mere claim.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "a global allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use klamm_protocol::compression::{Compression, Compressor, Decompressor};
use klamm_protocol::records::{
    Batch, BatchEncoder, BatchLimits, Header, ReadOptions, RecordRef, Scratch, Stamp,
};

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn count(bytes: usize) {
    CALLS.set(CALLS.get() + 1);
    BYTES.set(BYTES.get() + bytes);
}

// SAFETY: passes every call on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.saturating_sub(layout.size()));
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and bytes of `work`, on this thread.
fn allocations<T>(work: impl FnOnce() -> T) -> (usize, usize, T) {
    let before = (CALLS.get(), BYTES.get());
    let result = black_box(work());
    (CALLS.get() - before.0, BYTES.get() - before.1, result)
}

const HEADERS: [Header<'static>; 2] =
    [Header { key: "trace", value: Some(b"0123456789abcdef") }, Header { key: "trace", value: None }];
const RECORD: RecordRef<'static> = RecordRef {
    key: Some(b"key-0123456789"),
    value: Some(&[b'v'; 100]),
    headers: &HEADERS,
    timestamp: 1_700_000_000_000,
};
const LIMITS: BatchLimits = BatchLimits { target_bytes: 1 << 20, max_bytes: 1 << 20 };

fn batch(records: usize) -> BatchEncoder {
    let mut batch = BatchEncoder::new(LIMITS);
    for _ in 0..records {
        batch.append(&RECORD).unwrap();
    }
    batch
}

#[test]
fn appending_allocates_for_the_buffer_only() {
    let mut batch = BatchEncoder::new(LIMITS);
    batch.reserve(1 << 20);
    let (calls, _, ()) = allocations(|| {
        for _ in 0..1000 {
            batch.append(&RECORD).unwrap();
        }
    });
    assert_eq!(calls, 0);

    let default = BatchLimits::default();
    let (calls, bytes, open) = allocations(|| {
        let mut batch = BatchEncoder::new(default);
        while batch.append(&RECORD).is_ok() {}
        batch
    });
    assert!(calls <= 3, "{calls} allocations for a batch of 16 KiB");
    assert!(bytes <= default.target_bytes, "{bytes} bytes for a batch of 16 KiB");
    assert!(open.memory() + 61 <= default.target_bytes);
}

#[test]
fn reading_allocates_nothing_and_reuses_codecs() {
    for codec in Compression::ALL {
        let bytes = batch(1000).seal(codec).to_bytes(&Stamp::NONE);
        let mut scratch = Scratch::new();
        let options = ReadOptions::default();
        let read = |scratch: &mut Scratch| {
            let batch = Batch::parse(&bytes).unwrap().unwrap();
            let records = batch.open(scratch, &options).unwrap();
            records.map(|record| record.unwrap().headers.iter().count()).sum::<usize>()
        };
        assert_eq!(read(&mut scratch), 2000);
        let (calls, _, headers) = allocations(|| read(&mut scratch));
        assert_eq!(headers, 2000);
        if cfg!(feature = "zstd") || codec != Compression::Zstd {
            assert_eq!(calls, 0, "{codec}: a warm reader allocates");
        } else {
            assert!(calls < 100, "{codec}: {calls} allocations for 1000 records");
        }
    }
}

#[test]
fn a_new_header_allocates_nothing() {
    let sealed = batch(10).seal(Compression::None);
    let (calls, _, _) = allocations(|| sealed.header(&Stamp::idempotent(1, 2, 3)));
    assert_eq!(calls, 0);
}

#[test]
fn sealing_allocates_once_a_batch() {
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4] {
        let mut compressor = Compressor::new(codec);
        let first = batch(1000).seal_with(&mut compressor);
        let open = batch(1000);
        let (calls, bytes, again) = allocations(|| open.seal_with(&mut compressor));
        assert_eq!(again.payload(), first.payload());
        assert!(calls <= 2, "{codec}: {calls} allocations");
        assert!(bytes <= again.len() + 256, "{codec}: {bytes} bytes for a batch of {}", again.len());
    }
}

#[test]
fn claims_allocate_nothing() {
    let claims: [(Compression, &[u8]); 8] = [
        // One block of 4 MiB, of 4 bytes.
        (Compression::Lz4, &[4, 0x22, 0x4d, 0x18, 0x40, 0x70, 0xdf, 4, 0, 0, 0, 0, 0, 0, 0]),
        (Compression::Lz4, &[4, 0x22, 0x4d, 0x18, 0x40, 0x70, 0xdf, 0, 0, 0x40, 0x80]),
        // 2^32 - 1 bytes from a block of 6, raw and framed.
        (Compression::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0]),
        (Compression::Snappy, b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x06\xff\xff\xff\xff\x0f\0"),
        (Compression::Snappy, b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff\0"),
        // A trailer of 2^32 - 1 bytes.
        (Compression::Gzip, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
        // A content of 2^64 - 1 bytes in a single segment, and a window of 2^41 - 1.
        (Compression::Zstd, &[0x28, 0xb5, 0x2f, 0xfd, 0xe0, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0]),
        (Compression::Zstd, &[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x15, 0, 0, 0, 0]),
    ];
    let mut decompressor = Decompressor::new();
    for codec in Compression::ALL {
        let mut stream = Vec::new();
        assert!(Compressor::new(codec).compress(b"warm", &mut stream));
        decompressor.decompress(codec, &stream, &mut Vec::new(), 100).unwrap();
    }
    for (codec, claim) in claims {
        let limit = 128 << 20;
        let (_, bytes, ()) = allocations(|| {
            let mut out = Vec::new();
            let _ = decompressor.decompress(codec, claim, &mut out, limit);
        });
        assert!(bytes < 192 << 10, "{codec}: {bytes} bytes for a claim of {} bytes", claim.len());
    }
}

#[test]
fn an_lz4_frame_takes_what_its_content_takes_whatever_its_block_size() {
    let plain = b"a record, another record, ".repeat(40);
    let block = lz4_flex::block::compress(&plain);
    // One block, of 4 MiB at most.
    let mut frame = vec![4, 0x22, 0x4d, 0x18, 0x40, 0x70, 0xdf];
    frame.extend_from_slice(&u32::try_from(block.len()).unwrap().to_le_bytes());
    frame.extend_from_slice(&block);
    frame.extend_from_slice(&[0; 4]);
    let mut out = Vec::new();
    let (_, bytes, read) =
        allocations(|| Decompressor::new().decompress(Compression::Lz4, &frame, &mut out, 128 << 20));
    read.unwrap();
    assert_eq!(out, plain);
    assert_eq!(bytes, plain.len());
}
