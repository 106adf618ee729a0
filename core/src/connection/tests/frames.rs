//! How received bytes are kept.

use std::vec::Vec;

use bytes::Bytes;

use crate::connection::frame::Frames;

const MAX: u32 = 100 << 20;

fn push(frames: &mut Frames, bytes: &[u8]) {
    frames.space().extend_from_slice(bytes);
}

fn head(length: usize) -> [u8; 4] {
    i32::try_from(length).unwrap().to_be_bytes()
}

#[test]
fn small_frames_share_a_buffer() {
    let mut frames = Frames::new(MAX);
    let mut bytes = Vec::new();
    for text in [b"first", b"secnd", b"third"] {
        bytes.extend_from_slice(&head(5));
        bytes.extend_from_slice(text);
    }
    push(&mut frames, &bytes[..26]);
    let cut: Vec<Bytes> = core::iter::from_fn(|| frames.cut()).collect();
    assert_eq!(cut, [&b"first"[..], b"secnd"]);
    assert!(frames.is_mid_frame());
    push(&mut frames, &bytes[26..]);
    assert_eq!(frames.cut().as_deref(), Some(&b"third"[..]));
    assert!(!frames.is_mid_frame());
    let distance = cut[1].as_ptr().addr() - cut[0].as_ptr().addr();
    assert_eq!(distance, 9, "one buffer");
}

#[test]
fn a_large_frame_has_a_buffer_of_its_size() {
    let mut frames = Frames::new(MAX);
    for length in [20_000, 1 << 20, 999_999] {
        push(&mut frames, &head(length));
        let place = frames.space().as_ptr();
        assert_eq!(frames.space().capacity(), length + 4);
        push(&mut frames, &std::vec![1; length / 2]);
        push(&mut frames, &std::vec![1; length - length / 2]);
        let frame = frames.cut().unwrap();
        assert_eq!(frame.len(), length);
        assert_eq!(frame.as_ptr().addr(), place.addr() + 4, "read in place");
    }
}

#[test]
fn a_very_large_frame_grows_to_its_size() {
    let mut frames = Frames::new(MAX);
    let length = (11 << 20) + 12_345;
    push(&mut frames, &head(length));
    let mut left = length;
    while left > 0 {
        let space = frames.space();
        let room = (space.capacity() - space.len()).min(left);
        assert!(room > 0);
        push(&mut frames, &std::vec![2; room]);
        left -= room;
    }
    let capacity = frames.space().capacity();
    assert!(capacity < length + 256, "{capacity} for {length}");
    assert_eq!(frames.cut().map(|frame| frame.len()), Some(length));
}

#[test]
fn what_follows_a_large_frame_is_kept_and_does_not_keep_it() {
    let mut frames = Frames::new(MAX);
    let length = 50_000;
    push(&mut frames, &head(length));
    push(&mut frames, &std::vec![3; length]);
    push(&mut frames, &head(4));
    push(&mut frames, b"ne");
    let large = frames.cut().unwrap();
    assert_eq!(large.len(), length);
    assert!(large.is_unique(), "the rest was moved away");
    push(&mut frames, b"xt");
    assert_eq!(frames.cut().as_deref(), Some(&b"next"[..]));
}
