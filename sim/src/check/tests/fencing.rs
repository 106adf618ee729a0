use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::Str;

use crate::check::{Bounds, Checker, Invariant};
use crate::observe::{
    ActorId, ClientId, ClusterEvent, Observation, Observe, TopicPartition, Transacting, TransactionPhase,
    TransactorFacts, ValueId,
};

const OLD: ActorId = ActorId(1);
const NEW: ActorId = ActorId(2);

/// Two applications with one transactional id, of which each has written a record in a transaction.
struct Takeover {
    checker: Checker,
    now: Instant,
}

impl Takeover {
    fn new() -> Self {
        let facts = TransactorFacts { id: "id".into(), to: "t".into(), from: None };
        let mut takeover =
            Self { checker: Checker::new(Bounds::default()), now: Instant::from_millis(1_000) };
        for (actor, client) in [(OLD, ClientId(1)), (NEW, ClientId(2))] {
            takeover.tells(actor, Transacting::Made(client, &facts));
        }
        takeover
    }

    fn observe(&mut self, observation: &Observation<'_>) {
        self.now = self.now + Duration::from_millis(1);
        self.checker.observe(self.now, observation);
    }

    fn tells(&mut self, actor: ActorId, what: Transacting<'_>) -> &mut Self {
        self.observe(&Observation::Transacting(actor, what));
        self
    }

    fn writes(&mut self, actor: ActorId) -> &mut Self {
        let to = TopicPartition { topic: Str::from("t"), partition: 0 };
        let value = ValueId::new(actor, None, 0, 3, 40);
        self.tells(actor, Transacting::Began(0))
            .tells(actor, Transacting::Sent { attempt: 0, value, to: &to })
    }

    fn decides(&mut self) -> &mut Self {
        let phase = TransactionPhase::Committing;
        let event = ClusterEvent::Transaction { id: "id".into(), producer_id: 7, epoch: 0, phase };
        self.observe(&Observation::Cluster(event));
        self
    }

    fn commits(&mut self, actor: ActorId) -> &mut Self {
        self.tells(actor, Transacting::Committed(0))
    }

    fn found(&self) -> Vec<Invariant> {
        self.checker.violations().iter().map(|violation| violation.invariant).collect()
    }
}

#[test]
fn whose_id_was_taken_over_cannot_commit() {
    let mut takeover = Takeover::new();
    takeover.writes(OLD).writes(NEW).decides().commits(NEW).commits(OLD);
    assert_eq!(takeover.found(), [Invariant::Fenced]);
}

#[test]
fn who_had_committed_before_may_hear_of_it_late() {
    let mut takeover = Takeover::new();
    takeover.writes(OLD).decides().writes(NEW).decides().commits(NEW).commits(OLD);
    assert_eq!(takeover.found(), []);
}
