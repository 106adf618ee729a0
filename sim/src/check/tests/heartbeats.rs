use std::time::Duration;

use klamm_core::Instant;

use super::super::heartbeats::Heartbeats;
use crate::observe::ActorId;

const INTERVAL: Duration = Duration::from_secs(3);

/// How many of so many heartbeats, one each `every`, are one too many.
fn refused(every: Duration, count: u32) -> usize {
    let mut heartbeats = Heartbeats::default();
    let interval = u64::try_from(INTERVAL.as_nanos()).unwrap();
    (0..count).filter(|number| heartbeats.beat(Instant::ZERO + every * *number, ActorId(1), interval)).count()
}

#[test]
fn heartbeats_in_time_are_never_too_many() {
    assert_eq!(refused(INTERVAL, 1_000), 0);
    assert_eq!(refused(INTERVAL / 2, 1_000), 0);
}

#[test]
fn a_storm_is_noticed_after_a_burst() {
    assert_eq!(refused(Duration::ZERO, 20), 0);
    assert_eq!(refused(Duration::ZERO, 30), 10);
    assert!(refused(INTERVAL / 100, 100) > 50);
}

#[test]
fn who_had_trouble_begins_anew() {
    let mut heartbeats = Heartbeats::default();
    let beat = |heartbeats: &mut Heartbeats| heartbeats.beat(Instant::ZERO, ActorId(1), 1_000_000_000);
    assert_eq!((0..25).filter(|_| beat(&mut heartbeats)).count(), 5);
    heartbeats.forgive(ActorId(1));
    assert!(!beat(&mut heartbeats));
}
