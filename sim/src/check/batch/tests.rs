use super::*;

#[test]
fn the_checksum_is_the_castagnoli_one() {
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    assert_eq!(crc32c(b""), 0);
}

#[test]
fn numbers_are_zigzag() {
    for (bytes, number) in [
        (&[0_u8][..], 0_i64),
        (&[1], -1),
        (&[2], 1),
        (&[0xFE, 0x01], 127),
        (&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], i64::MIN),
    ] {
        assert_eq!(Cursor { rest: bytes }.number(), Some(number));
    }
    assert_eq!(Cursor { rest: &[0x80] }.number(), None);
    assert_eq!(Cursor { rest: &[0x80; 11] }.number(), None);
}
