//! The profiles that are not drawn from everything.

use std::time::Duration;

use super::dice::Dice;
use super::{entity, plain_client};
use crate::plan::action::{Flush, Pace, Send};
use klamm_protocol::ApiKey;

use crate::cluster;
use crate::plan::fault::{Crash, PauseClient, Reset};
use crate::plan::setup::{ClusterLine, ConsumerLine, NetworkLine, ProducerLine, TopicLine};
use crate::plan::values::{
    ClientName, ConsumerName, PartitionName, Place, ProducerName, ResetChoice, SendMode, Start, TopicName,
};
use crate::plan::{Fault, Plan, Profile, Step, What};

const CLIENT: ClientName = ClientName(0);
const PRODUCER: ProducerName = ProducerName(0);
const CONSUMER: ConsumerName = ConsumerName(0);
const TOPIC: TopicName = TopicName(0);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn from_the_beginning(partitions: i32) -> Vec<Start> {
    let partitions = (0..partitions).map(|partition| PartitionName { topic: TOPIC, partition });
    partitions.map(|partition| Start { partition, at: Place::Earliest }).collect()
}

fn produce(at: Duration, action: impl Into<crate::plan::ProduceAction>) -> Step {
    Step::new(at, What::Produce(PRODUCER, action.into()))
}

fn fault(fault: impl Into<Fault>) -> What {
    What::Fault(fault.into())
}

/// One of each: cluster of `brokers`, topic, client, producer and consumer.
fn ordinary(profile: Profile, seed: u64, brokers: i32, partitions: i32) -> Plan {
    let mut plan = Plan::empty(seed);
    plan.profile = Some(profile);
    plan.cluster = ClusterLine { brokers, replication: ms(1), metadata: ms(5), ..ClusterLine::plain() };
    let replication = i16::try_from(brokers.min(3)).unwrap_or(1);
    plan.topics.push((TOPIC, TopicLine { partitions, replication }));
    plan.clients.push(plain_client());
    plan.producers.push((PRODUCER, ProducerLine::plain(CLIENT)));
    let assign = from_the_beginning(partitions);
    let consumer = ConsumerLine { reset: ResetChoice::Earliest, assign, ..ConsumerLine::plain(CLIENT) };
    plan.consumers.push((CONSUMER, consumer));
    plan
}

/// The faults of the smoke profile, one a seed, or none.
fn smoke_fault(seed: u64) -> Option<What> {
    Some(match seed % 8 {
        1 => fault(Crash::plain(1)),
        2 => fault(Crash { keep_unflushed: false, ..Crash::plain(1) }),
        3 => fault(Reset::plain()),
        4 => fault(Reset { after: 777, ..Reset::plain() }),
        5 => What::Order(cluster::Fault::drop_after().api(ApiKey::PRODUCE).times(3)),
        6 => What::Order(cluster::Fault::drop_after().api(ApiKey::FETCH).times(3)),
        7 => fault(PauseClient { lasts: secs(20), ..PauseClient::plain(CLIENT) }),
        _ => return None,
    })
}

/// Everything ordinary, and one fault.
pub(super) fn smoke(seed: u64) -> Plan {
    let mut plan = ordinary(Profile::Smoke, seed, 3, 3);
    for (at, mode, keys) in
        [(ms(0), SendMode::Enqueue, 0), (ms(40), SendMode::Send, 7), (ms(400), SendMode::Try, 0)]
    {
        let records = if mode == SendMode::Send { 40 } else { 300 };
        plan.steps.push(produce(at, Send { records, keys, mode, every: ms(1), ..Send::plain(TOPIC) }));
    }
    plan.steps.push(produce(ms(500), Flush::plain()));
    let at = ms(50 + seed % 13 * 20);
    plan.steps.extend(smoke_fault(seed).map(|what| Step::new(at, what)));
    plan.heal_at = secs(2);
    plan.steps.sort_by_key(|step| step.at);
    plan
}

/// Four months in which there is mostly nothing to do.
pub(super) fn soak(seed: u64) -> Plan {
    const LENGTH: Duration = secs(10_000_000);
    let mut dice = Dice::new(seed, entity::WORLD);
    let mut plan = ordinary(Profile::Soak, seed, 3, 2);
    // A fetch waits as long as it may: a poll each half a second would be all that there is to simulate.
    plan.consumers[0].1.max_wait = secs(25);
    for _ in 0..20 {
        let at = dice.duration(Duration::ZERO, LENGTH);
        let records = dice.number(1, 500);
        plan.steps.push(produce(at, Send { records, every: ms(1), ..Send::plain(TOPIC) }));
    }
    for _ in 0..dice.between(0, 6) {
        let at = dice.duration(Duration::ZERO, LENGTH);
        let broker = dice.broker(3);
        let lasts = dice.log_duration(ms(100), secs(100_000));
        plan.steps.push(Step::new(at, fault(Crash { lasts, ..Crash::plain(broker) })));
    }
    // The reader is away for days.
    let away = dice.duration(Duration::ZERO, LENGTH / 2);
    let pace = |at, pace: Pace| Step::new(at, What::Consume(CONSUMER, pace.into()));
    plan.steps.push(pace(away, Pace { read: false, ..Pace::plain() }));
    plan.steps.push(pace(away + dice.duration(secs(60), LENGTH / 4), Pace::plain()));
    plan.heal_at = LENGTH;
    plan.steps.sort_by_key(|step| step.at);
    plan
}

/// Two records, two brokers, one fault, and a network without randomness: small enough for all orders of events.
pub(super) fn exhaustive(seed: u64) -> Plan {
    let mut dice = Dice::new(seed, entity::WORLD);
    let mut plan = ordinary(Profile::Exhaustive, seed, 2, 1);
    plan.network =
        NetworkLine { jitter: Duration::ZERO, slow_one_in: 0, split_one_in: 0, ..NetworkLine::plain() };
    plan.cluster.replication = dice.pick(&[ms(0), ms(1)]);
    plan.cluster.metadata = Duration::ZERO;
    plan.producers[0].1.linger = dice.pick(&[ms(0), ms(1)]);
    plan.producers[0].1.batch = dice.pick(&[1, 16_384]);
    plan.steps.push(produce(ms(0), Send { records: 2, ..Send::plain(TOPIC) }));
    let at = ms(dice.between(0, 3));
    let broker = dice.broker(2);
    let what = match dice.between(0, 3) {
        0 => fault(Crash { lasts: ms(5), ..Crash::plain(broker) }),
        1 => fault(Reset::plain()),
        2 => What::Order(cluster::Fault::drop_after().api(ApiKey::PRODUCE)),
        _ => What::Order(cluster::Fault::drop_before().api(ApiKey::FETCH)),
    };
    plan.steps.push(Step::new(at, what));
    plan.heal_at = ms(50);
    plan.steps.sort_by_key(|step| step.at);
    plan
}
