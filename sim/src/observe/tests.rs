use super::*;

#[test]
fn a_value_is_determined_by_its_id() {
    let mut value = Vec::new();
    for len in [24, 25, 31, 32, 100] {
        let id = ValueId::new(ActorId(3), Some(7), 9, 11, len);
        id.write_value(&mut value);
        assert_eq!(value.len(), len);
        assert_eq!(ValueId::from_value(&value), Some(id));
        assert!(id.is_whole(&value));
        for at in 0..len {
            value[at] ^= 1;
            assert!(!id.is_whole(&value), "byte {at} of {len} was changed");
            value[at] ^= 1;
        }
        assert!(!id.is_whole(&value[..len - 1]));
    }
}

#[test]
fn a_key_is_its_number() {
    assert_eq!(ValueId::new(ActorId(0), Some(258), 0, 0, 24).key_bytes(), Some([0, 0, 1, 2]));
    assert_eq!(ValueId::new(ActorId(0), None, 0, 0, 24).key_bytes(), None);
}
