use super::Shift;

#[test]
fn combining_equals_the_crc_of_the_whole() {
    let bytes: Vec<u8> = (0..70_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for len in [0, 1, 2, 7, 8, 40, 255, 4096, 65_535, 70_000] {
        let (first, second) = bytes.split_at(bytes.len() - len);
        let combined = Shift::by(len).combine(crc32c::crc32c(first), crc32c::crc32c(second));
        assert_eq!(combined, crc32c::crc32c(&bytes), "second part of {len} bytes");
        let reference = crc32c::crc32c_combine(crc32c::crc32c(first), crc32c::crc32c(second), len);
        assert_eq!(combined, reference);
    }
}
