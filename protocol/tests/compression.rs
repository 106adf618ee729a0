//! The codecs on their own: round trips, limits, broken streams, levels.

use klamm_protocol::compression::{Compression, Compressor, DecompressError, Decompressor, LevelError};
use proptest::collection::vec;
use proptest::prelude::*;

const CODECS: [Compression; 4] =
    [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let run = prop_oneof![
        (any::<u8>(), 0..70_000usize).prop_map(|(byte, len)| vec![byte; len]),
        vec(any::<u8>(), 0..3000),
        (vec(any::<u8>(), 1..50), 1..2000usize).prop_map(|(word, times)| word.repeat(times)),
    ];
    vec(run, 0..4).prop_map(|runs| runs.concat())
}

fn compress(codec: Compression, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(Compressor::new(codec).compress(plain, &mut out));
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn payloads_round_trip_within_their_limit(plains in vec(payload(), 1..4)) {
        let mut decompressor = Decompressor::new();
        let mut read = Vec::new();
        for codec in CODECS {
            let mut compressor = Compressor::new(codec);
            for plain in &plains {
                let mut out = b"before".to_vec();
                prop_assert!(compressor.compress(plain, &mut out));
                let stream = out.strip_prefix(b"before").unwrap();
                decompressor.decompress(codec, stream, &mut read, plain.len()).unwrap();
                prop_assert_eq!(&read, plain, "{}", codec);
                if let Some(limit) = plain.len().checked_sub(1) {
                    let beyond = decompressor.decompress(codec, stream, &mut read, limit);
                    prop_assert_eq!(beyond, Err(DecompressError::TooLarge { limit }), "{}", codec);
                }
                let mut out = Vec::new();
                prop_assert!(compressor.compress_format_0(plain, &mut out));
                decompressor.decompress_format_0(codec, &out, &mut read, plain.len()).unwrap();
                prop_assert_eq!(&read, plain, "{} in format 0", codec);
            }
        }
    }

    #[test]
    fn broken_streams_are_errors_or_bounded(
        plain in vec(0..4u8, 1..3000),
        cut in any::<prop::sample::Index>(),
        flips in vec((any::<prop::sample::Index>(), 1..=255u8), 1..6),
    ) {
        let limit = 10_000;
        let mut decompressor = Decompressor::new();
        for codec in CODECS {
            let stream = compress(codec, &plain);
            let mut out = Vec::new();
            let cut_short = &stream[..cut.index(stream.len())];
            let read = decompressor.decompress(codec, cut_short, &mut out, limit);
            prop_assert!(read.is_err() || out.len() < plain.len(), "{}: a cut stream gave everything", codec);
            let mut flipped = stream.clone();
            for (index, bits) in &flips {
                flipped[index.index(stream.len())] ^= bits;
            }
            let _ = decompressor.decompress(codec, &flipped, &mut out, limit);
            prop_assert!(out.len() <= limit + 1);
            // A decompressor that met nonsense still works.
            decompressor.decompress(codec, &stream, &mut out, limit).unwrap();
            prop_assert_eq!(&out, &plain);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300), codec in prop::sample::select(CODECS.to_vec())) {
        let mut stream = compress(codec, b"x")[..4].to_vec();
        stream.extend_from_slice(&bytes);
        let mut out = Vec::new();
        let mut decompressor = Decompressor::new();
        for input in [&stream, &bytes] {
            let _ = decompressor.decompress(codec, input, &mut out, 1 << 20);
            prop_assert!(out.len() <= (1 << 20) + 1);
        }
    }
}

#[test]
fn the_java_client_would_write_the_same_framing() {
    let plain = [7u8; 100_000];
    assert_eq!(&compress(Compression::Gzip, &plain)[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    assert_eq!(&compress(Compression::Snappy, &plain)[..16], b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    let lz4 = compress(Compression::Lz4, &plain);
    assert_eq!(&lz4[..7], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
    assert_eq!(lz4[lz4.len() - 4..], [0; 4]);
    let mut format_0 = Vec::new();
    assert!(Compressor::new(Compression::Lz4).compress_format_0(&plain, &mut format_0));
    assert_eq!(format_0[6], 0x1a, "the header checksum covers the magic");
    let read = Decompressor::new().decompress(Compression::Lz4, &format_0, &mut Vec::new(), 1 << 20);
    assert!(read.is_err(), "format 0's header checksum is wrong elsewhere");
}

#[test]
fn lz4_frames_of_other_writers_are_read() {
    use lz4_flex::block::compress;
    let (first, second) = (b"the first block, the first block, the first block", b"first block again");
    // Linked blocks of 4 MiB; the second one is stored.
    let mut frame = vec![0x04, 0x22, 0x4d, 0x18, 0x40, 0x70, 0xdf];
    let block = compress(first);
    frame.extend_from_slice(&u32::try_from(block.len()).unwrap().to_le_bytes());
    frame.extend_from_slice(&block);
    frame.extend_from_slice(&(u32::try_from(second.len()).unwrap() | 1 << 31).to_le_bytes());
    frame.extend_from_slice(second);
    frame.extend_from_slice(&[0; 4]);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let mut out = Vec::new();
    let stream = [&skippable[..], &frame, &frame].concat();
    Decompressor::new().decompress(Compression::Lz4, &stream, &mut out, 1 << 20).unwrap();
    assert_eq!(out, [&first[..], second, first, second].concat());
}

#[test]
fn gzip_header_fields_are_skipped() {
    let stream = compress(Compression::Gzip, b"content");
    let mut with_fields = vec![0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3];
    with_fields.extend_from_slice(b"\x02\0xy name\0comment\0\x12\x34");
    with_fields.extend_from_slice(&stream[10..]);
    let mut out = Vec::new();
    Decompressor::new().decompress(Compression::Gzip, &with_fields, &mut out, 100).unwrap();
    assert_eq!(out, b"content");
}

#[test]
fn levels_are_checked() {
    assert_eq!(
        Compressor::check_level(Compression::Gzip, 10),
        Err(LevelError::OutOfRange { codec: Compression::Gzip, level: 10, min: 1, max: 9 })
    );
    assert_eq!(
        Compressor::with_level(Compression::Lz4, 9).unwrap_err(),
        LevelError::NoLevels { codec: Compression::Lz4, level: 9 }
    );
    let message = Compressor::with_level(Compression::Zstd, 23).unwrap_err().to_string();
    assert!(message.contains("zstd") && message.contains("23"), "{message}");
    assert!(Compressor::with_level(Compression::Zstd, 1).is_ok());
    assert!(Compressor::with_level(Compression::Gzip, 1).is_ok());
    assert!("LZ4".parse::<Compression>().unwrap_err().to_string().contains("lz4"));
}

#[test]
#[cfg(feature = "zstd")]
fn higher_levels_compress_better() {
    let plain: Vec<u8> = (0..60_000u32).flat_map(|n| (n * n % 1013).to_string().into_bytes()).collect();
    for (codec, low, high) in [(Compression::Gzip, 1, 9), (Compression::Zstd, -5, 19)] {
        let [low, high] = [low, high].map(|level| {
            let mut out = Vec::new();
            assert!(Compressor::with_level(codec, level).unwrap().compress(&plain, &mut out));
            out.len()
        });
        assert!(high < low, "{codec}: {high} bytes at the highest level, {low} at the lowest");
    }
}
