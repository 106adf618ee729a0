use super::{Deadlines, earliest};
use crate::Instant;

const fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

#[test]
fn expires_in_order_of_time_then_key() {
    let mut deadlines = Deadlines::new();
    for (key, millis) in [(3, 20), (1, 10), (2, 10), (4, 30)] {
        deadlines.set(key, at(millis));
    }
    assert_eq!(deadlines.next(), Some(at(10)));
    assert_eq!(deadlines.expire(at(9)), None);
    assert_eq!(deadlines.expire(at(20)), Some(1));
    assert_eq!(deadlines.expire(at(20)), Some(2));
    assert_eq!(deadlines.expire(at(20)), Some(3));
    assert_eq!(deadlines.expire(at(20)), None);
    assert_eq!(deadlines.len(), 1);
}

#[test]
fn a_moved_or_cleared_deadline_leaves_nothing_behind() {
    let mut deadlines = Deadlines::new();
    deadlines.set("a", at(10));
    deadlines.set("a", at(5));
    deadlines.set("a", at(50));
    assert_eq!(deadlines.next(), Some(at(50)));
    assert_eq!(deadlines.get(&"a"), Some(at(50)));
    assert_eq!(deadlines.clear(&"a"), Some(at(50)));
    assert_eq!(deadlines.clear(&"a"), None);
    assert_eq!(deadlines.next(), None);
    assert!(deadlines.is_empty());
}

#[test]
fn earliest_of_two() {
    assert_eq!(earliest(None, None), None);
    assert_eq!(earliest(Some(at(2)), None), Some(at(2)));
    assert_eq!(earliest(None, Some(at(1))), Some(at(1)));
    assert_eq!(earliest(Some(at(2)), Some(at(1))), Some(at(1)));
}
