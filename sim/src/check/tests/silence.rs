use std::time::Duration;

use klamm_core::Instant;

use crate::check::{Bounds, Checker, Invariant};
use crate::observe::{ActorId, ClientId, ClusterEvent, MemberFacts, Membering, Observation, Observe, Phase};

const MEMBER: ActorId = ActorId(1);

/// A member with a session of 6 s that has to ask for records every 5 s, in a world without faults.
struct Life {
    checker: Checker,
    now: Instant,
}

impl Life {
    fn new() -> Self {
        let mut life = Self::with_faults();
        life.after(0, &Observation::Phase(Phase::Healed));
        life
    }

    fn with_faults() -> Self {
        let facts = MemberFacts {
            group: "g".into(),
            topics: vec!["t".into()],
            is_static: true,
            patience_ns: 11_000_000_000,
            join_ns: 30_000_000_000,
            max_poll_ns: 5_000_000_000,
            heartbeat_ns: 3_000_000_000,
        };
        let mut life = Self { checker: Checker::new(Bounds::default()), now: Instant::from_millis(1_000) };
        life.tells(0, Membering::Made(ClientId(1), &facts));
        life.tells(1, Membering::Assigned { generation: 1, member: "m", partitions: &[] });
        life
    }

    fn after(&mut self, seconds: u64, observation: &Observation<'_>) {
        self.now = self.now + Duration::from_secs(seconds);
        self.checker.observe(self.now, observation);
    }

    fn tells(&mut self, seconds: u64, what: Membering<'_>) -> &mut Self {
        self.after(seconds, &Observation::Membering(MEMBER, what));
        self
    }

    fn expires(&mut self, seconds: u64) -> Vec<Invariant> {
        let event = ClusterEvent::MemberGone { group: "g".into(), member: "m".into(), expired: true };
        self.after(seconds, &Observation::Cluster(event));
        self.checker.violations().iter().map(|violation| violation.invariant).collect()
    }
}

#[test]
fn a_member_that_asks_for_records_is_not_taken_for_dead() {
    assert_eq!(Life::new().expires(20), [Invariant::Heartbeats]);
}

#[test]
fn one_whose_application_is_silent_for_too_long_goes() {
    assert_eq!(Life::new().tells(20, Membering::Idles).expires(4), [Invariant::Heartbeats]);
    assert_eq!(Life::new().tells(20, Membering::Idles).expires(5), []);
}

#[test]
fn one_that_asks_again_has_the_time_to_come_back() {
    let mut life = Life::new();
    assert_eq!(life.tells(20, Membering::Idles).tells(9, Membering::Reads).expires(11), []);
    let mut life = Life::new();
    let found = life.tells(20, Membering::Idles).tells(9, Membering::Reads).expires(12);
    assert_eq!(found, [Invariant::Heartbeats]);
}

#[test]
fn before_the_faults_are_over_anybody_may_be_taken_for_dead() {
    let mut life = Life::with_faults();
    assert_eq!(life.tells(1, Membering::Idles).tells(1, Membering::Reads).expires(20), []);
}
