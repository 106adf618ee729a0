use core::time::Duration;
use std::vec::Vec;

use super::Backoff;
use crate::Entropy;

#[test]
fn doubles_from_initial_to_max() {
    let mut entropy = Entropy::new(7);
    let expected = [100, 100, 200, 400, 800, 1000, 1000, 1000];
    for (failures, millis) in (0..).zip(expected) {
        let delay = Backoff::RETRY.delay(failures, &mut entropy);
        let nominal = Duration::from_millis(millis);
        assert!(delay >= nominal * 4 / 5 && delay <= nominal * 6 / 5, "{failures}: {delay:?}");
    }
}

#[test]
fn jitter_spreads_over_the_whole_band() {
    let mut entropy = Entropy::new(1);
    let delays: Vec<_> = (0..1000).map(|_| Backoff::RETRY.delay(1, &mut entropy)).collect();
    assert!(delays.iter().min() < Some(&Duration::from_millis(82)));
    assert!(delays.iter().max() > Some(&Duration::from_millis(118)));
}

#[test]
fn extremes_do_not_overflow() {
    let backoff = Backoff { initial: Duration::MAX, max: Duration::MAX };
    assert!(backoff.delay(u32::MAX, &mut Entropy::new(0)) > Duration::from_secs(1 << 33));
    let none = Backoff { initial: Duration::ZERO, max: Duration::ZERO };
    assert_eq!(none.delay(9, &mut Entropy::new(0)), Duration::ZERO);
}
