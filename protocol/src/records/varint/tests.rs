use super::{Fault, Fields, Small, len_i32, len_i64};

/// What is appended to a vector, with and without room to spare.
fn collected(small: &Small) -> Vec<u8> {
    let mut roomy = Vec::with_capacity(100);
    small.append_to(&mut roomy);
    let mut tight = Vec::new();
    small.append_to(&mut tight);
    assert_eq!(roomy, tight);
    tight
}

#[test]
fn every_boundary_survives_and_has_the_predicted_length() {
    let mut values = vec![0i64, i64::MIN, i64::MAX];
    for bit in 0..63 {
        for near in [-1, 0, 1] {
            values.push((1i64 << bit) + near);
            values.push(-(1i64 << bit) + near);
        }
    }
    for value in values {
        let mut small = Small::new();
        small.i64(value);
        let bytes = collected(&small);
        assert_eq!(bytes.len(), len_i64(value), "{value}");
        assert_eq!(Fields { rest: &bytes }.i64(), Ok(value));
        if let Ok(value) = i32::try_from(value) {
            let mut small = Small::new();
            small.i32(value);
            let bytes = collected(&small);
            assert_eq!(bytes.len(), len_i32(value), "{value}");
            assert_eq!(Fields { rest: &bytes }.i32(), Ok(value));
        }
    }
}

#[test]
fn too_long_integers_are_errors() {
    let junk_in_fifth = [0xff, 0xff, 0xff, 0xff, 0x1f];
    let six_bytes = [0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
    for bytes in [&junk_in_fifth[..], &six_bytes] {
        assert_eq!(Fields { rest: bytes }.i32(), Err(Fault::Integer));
    }
    let junk_in_tenth = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
    let eleven_bytes = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
    for bytes in [&junk_in_tenth[..], &eleven_bytes] {
        assert_eq!(Fields { rest: bytes }.i64(), Err(Fault::Integer));
    }
    assert_eq!(Fields { rest: &[] }.i32(), Err(Fault::Cut));
    assert_eq!(Fields { rest: &[0x80, 0x80] }.i64(), Err(Fault::Cut));
}
