//! What few plans have: situations that need several things at a time, which would hardly ever be drawn together.

use std::time::Duration;

use klamm_protocol::ApiKey;

use super::Scope;
use super::dice::Dice;
use super::faults::{lasting, one, order, partition_of};
use crate::Release;
use crate::cluster;
use crate::plan::action::{Pace, Seek, Send};
use crate::plan::fault::{
    CloseClient, Crash, Create, CutReplication, Delete, DeleteRecords, Elect, FlipBit, Hide, HoldMetadata,
    Isolate, KillClient, Quota, Retain, ShutDown, Slow, SlowReplication,
};
use crate::plan::values::{
    AcksChoice, ClientName, ConsumerName, Direction, Place, ProducerName, SaslChoice, SendMode, Start,
};
use crate::plan::{Plan, Step, What};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// One plan in so many has something of this.
const ONE_IN: u64 = 8;

/// One plan in so many has something of what was thought of later: apart, so that the others stay as they are.
const RARER_ONE_IN: u64 = 16;

/// Adds to a plan what is drawn for its seed, mostly nothing.
pub(super) fn add(plan: &mut Plan, scope: &Scope) {
    let mut dice = Dice::rarer(plan.seed);
    if dice.one_in(RARER_ONE_IN) {
        let rarity = dice.pick(&[renewed_sessions, one_by_one, unread_losses]);
        rarity(&mut dice, scope, plan);
    }
    let mut dice = Dice::rare(plan.seed);
    if !dice.one_in(ONE_IN) {
        return;
    }
    let rarities = [
        racks,
        racks,
        ancient,
        closing,
        comebacks,
        quotas,
        shutdowns,
        flipped_bits,
        silence,
        renewal,
        gone,
        availability,
        new_leaders,
        late_permits,
    ];
    let rarity = dice.pick(&rarities);
    rarity(&mut dice, scope, plan);
}

fn at(dice: &mut Dice, plan: &Plan) -> Duration {
    dice.duration(Duration::ZERO, plan.heal_at)
}

fn a_client(dice: &mut Dice, scope: &Scope) -> ClientName {
    ClientName(dice.number(0, scope.clients.saturating_sub(1)))
}

fn releases(names: &[&str]) -> Vec<Release> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

/// Clients have to prove who they are, and again before long.
fn renewed_sessions(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    if scope.mixed {
        return;
    }
    plan.cluster.version = dice.pick(&releases(&["2.2", "2.8", "3.9", "4.2"]));
    // SCRAM is made to cost time: some milliseconds of real time whenever somebody authenticates.
    (plan.cluster.sasl, plan.cluster.reauth) = dice.pick(&[
        (SaslChoice::Plain, secs(3)),
        (SaslChoice::Plain, secs(10)),
        (SaslChoice::Plain, secs(60)),
        (SaslChoice::Scram256, secs(900)),
        (SaslChoice::Scram512, secs(900)),
    ]);
    // It takes several messages to and fro.
    for (_, line) in &mut plan.clients {
        line.setup_timeout = line.setup_timeout.max(secs(5));
    }
}

/// Consumers read one partition after the other, and have memory for some of them.
fn one_by_one(dice: &mut Dice, _: &Scope, plan: &mut Plan) {
    for (_, line) in &mut plan.consumers {
        // Long enough for a fetch: what is dropped again before it comes is never read.
        line.apart = dice.pick(&[ms(200), ms(500), secs(1)]);
        line.memory = dice.pick(&[20_000, 40_000, 100_000]);
        line.partition_bytes = dice.pick(&[1_024, 4_096]);
    }
}

/// What is read ahead is lost by brokers before applications take it.
fn unread_losses(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    if scope.mixed {
        return;
    }
    plan.cluster.version = dice.pick(&releases(&["2.2", "2.8", "3.9", "4.2"]));
    plan.cluster.flush = dice.pick(&[ms(100), ms(500), secs(60)]);
    for (_, line) in &mut plan.topics {
        line.replication = dice.pick(&[1, 1, line.replication]);
    }
    let consumers: Vec<ConsumerName> = plan.consumers.iter().map(|(name, _)| *name).collect();
    for name in consumers {
        let stops = at(dice, plan);
        let goes_on = stops + dice.log_duration(ms(500), ms(30_000));
        let stop = Pace { read: false, ..Pace::plain() };
        plan.steps.push(Step::new(stops, What::Consume(name, stop.into())));
        plan.steps.push(Step::new(goes_on, What::Consume(name, Pace::plain().into())));
    }
    for _ in 0..dice.between(1, 4) {
        let (at, broker) = (at(dice, plan), dice.broker(scope.brokers));
        let lasts = dice.log_duration(ms(10), ms(3_000));
        plan.steps.extend(one(at, Crash { keep_unflushed: false, lasts, ..Crash::plain(broker) }));
    }
}

/// Consumers read from the replica in their rack, and something happens to it.
fn racks(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    plan.cluster.racks = dice.number(2, 3);
    for (_, line) in &mut plan.consumers {
        line.rack = Some(dice.number(0, plan.cluster.racks - 1));
    }
    for (_, line) in &mut plan.clients {
        line.metadata_max_age = dice.pick(&[line.metadata_max_age, secs(1), secs(5)]);
    }
    for _ in 0..dice.between(1, 5) {
        let at = at(dice, plan);
        let (broker, other, lasts) = (dice.broker(scope.brokers), dice.broker(scope.brokers), lasting(dice));
        let partition = partition_of(dice, scope);
        plan.steps.extend(match dice.between(0, 8) {
            0 | 1 => one(at, Crash { keep_unflushed: true, lasts, ..Crash::plain(broker) }),
            2 => one(at, SlowReplication { lasts, ..SlowReplication::plain(broker, ms(300)) }),
            3 => one(at, CutReplication { from: Some(other), lasts, ..CutReplication::plain(broker) }),
            4 => one(at, Hide { other: Some(other), lasts, ..Hide::plain(broker) }),
            5 => one(at, Isolate { broker, lasts }),
            6 => one(at, DeleteRecords { partition, percent: 100 }),
            7 => one(at, Retain { topic: partition.topic, bytes: 0 }),
            _ => one(at, HoldMetadata { broker, lasts }),
        });
    }
}

/// Brokers that know neither idempotence nor how to leave a topic unmade, nor a fetch that is never cut off.
fn ancient(dice: &mut Dice, _: &Scope, plan: &mut Plan) {
    plan.cluster.version = dice.pick(&releases(&["0.10.0", "0.10.1", "0.10.2"]));
    for (_, line) in &mut plan.clients {
        line.auto_create = dice.one_in(2);
    }
    for (_, line) in &mut plan.producers {
        let is_optional = line.acks == AcksChoice::All && !dice.one_in(4);
        (line.idempotent, line.idempotence_optional) = (is_optional, is_optional);
    }
    for (_, line) in &mut plan.consumers {
        line.partition_bytes = dice.pick(&[1, 100, 4_096, line.partition_bytes]);
    }
}

/// Clients are closed in the midst of things, and have hardly any time for that.
fn closing(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    for (_, line) in &mut plan.clients {
        line.close_timeout = dice.pick(&[ms(1), ms(10), ms(100), secs(1), line.close_timeout]);
    }
    for _ in 0..dice.between(1, 2) {
        let (at, client) = (at(dice, plan), a_client(dice, scope));
        plan.steps.extend(one(at, CloseClient { client }));
        if dice.one_in(2) {
            let lasts = dice.log_duration(ms(10), ms(3_000));
            let before = at.saturating_sub(dice.duration(ms(0), ms(20)));
            plan.steps.extend(one(before, Slow { lasts, ..Slow::plain(lasts) }));
        }
    }
}

/// Clients are killed and come back.
fn comebacks(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    for _ in 0..dice.between(1, 3) {
        let (at, client) = (at(dice, plan), a_client(dice, scope));
        let lasts = dice.log_duration(ms(1), ms(10_000));
        plan.steps.extend(one(at, KillClient { client, lasts }));
    }
}

/// Clients may send and receive so much only.
fn quotas(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    for _ in 0..dice.between(1, 3) {
        let at = at(dice, plan);
        let quota = Quota {
            client: (!dice.one_in(2)).then(|| a_client(dice, scope)),
            produce: dice.pick(&[0, 2_000, 20_000, 200_000]),
            fetch: dice.pick(&[0, 2_000, 20_000, 200_000]),
            requests: dice.pick(&[0, 0, 5, 50]),
            lasts: dice.log_duration(ms(100), ms(30_000)),
        };
        plan.steps.extend(one(at, quota));
    }
}

/// Brokers are restarted in an orderly way, one after the other or all at a time.
fn shutdowns(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    let from = at(dice, plan);
    let pause = dice.log_duration(ms(1), ms(5_000));
    for broker in 1..=scope.brokers {
        let at = from + pause * broker.unsigned_abs();
        let shutdown = ShutDown {
            broker,
            takes: dice.log_duration(ms(1), ms(2_000)),
            lasts: dice.log_duration(ms(1), ms(3_000)),
        };
        plan.steps.extend(one(at, shutdown));
    }
}

/// Bits arrive wrong.
fn flipped_bits(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    for _ in 0..dice.between(1, 4) {
        let at = at(dice, plan);
        let flip = FlipBit {
            client: (!dice.one_in(2)).then(|| a_client(dice, scope)),
            broker: (!dice.one_in(2)).then(|| dice.broker(scope.brokers)),
            direction: dice.pick(&[Direction::ToClient, Direction::ToClient, Direction::ToBroker]),
            after: dice.log_between(1, 5_000) - 1,
        };
        plan.steps.extend(one(at, flip));
    }
}

/// Nobody tells what the cluster looks like, for longer than clients wait for that.
fn silence(dice: &mut Dice, _: &Scope, plan: &mut Plan) {
    let lasts = dice.duration(secs(290), secs(400));
    let fault = match dice.between(0, 1) {
        0 => cluster::Fault::drop_before(),
        _ => cluster::Fault::delay(secs(100)),
    };
    plan.steps.extend(order(dice.duration(ms(0), ms(500)), fault.api(ApiKey::METADATA).lasting(lasts)));
    for (_, line) in &mut plan.clients {
        line.metadata_max_age = line.metadata_max_age.min(secs(5));
    }
    plan.heal_at = plan.heal_at.max(secs(420));
}

/// A topic whose leaders have changed often is made anew under its name, by brokers that give topics no ids.
fn renewal(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    plan.cluster.version = dice.pick(&releases(&["2.4", "2.5", "2.6", "2.7"]));
    for (_, line) in &mut plan.clients {
        line.metadata_max_age = dice.pick(&[line.metadata_max_age, ms(200)]);
    }
    let partition = partition_of(dice, scope);
    let topic = partition.topic;
    let half = plan.heal_at / 2;
    for _ in 0..dice.between(2, 6) {
        let broker = dice.broker(scope.brokers);
        plan.steps.extend(one(dice.duration(ms(0), half), Elect::plain(partition, broker)));
    }
    let at = half + dice.duration(ms(0), ms(100));
    plan.steps.extend(one(at, Delete { topic }));
    let partitions = scope.topics.iter().find(|(name, _)| *name == topic).map_or(1, |(_, count)| *count);
    let again = at + dice.log_duration(ms(1), ms(500));
    plan.steps.extend(one(again, Create { partitions, ..Create::plain(topic) }));
}

/// A broker that leads is left out of what others tell who have not heard of its successor.
fn gone(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    for (_, line) in &mut plan.clients {
        line.metadata_max_age = dice.pick(&[line.metadata_max_age, ms(200), ms(200)]);
    }
    for _ in 0..dice.between(1, 3) {
        let (at, leader) = (at(dice, plan), dice.broker(scope.brokers));
        let lasts = dice.log_duration(ms(100), ms(5_000));
        let partition = partition_of(dice, scope);
        let others: Vec<i32> = (1..=scope.brokers).filter(|broker| *broker != leader).collect();
        for broker in others {
            let mut steps: Vec<Step> = one(at, HoldMetadata { broker, lasts });
            steps.extend(one(at + ms(5), Hide { other: Some(leader), lasts, ..Hide::plain(broker) }));
            plan.steps.extend(steps);
        }
        plan.steps.extend(one(at + ms(2), Elect::plain(partition, leader)));
    }
}

/// Records without a key go to near brokers, and not to those that take nothing.
fn availability(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    plan.cluster.racks = dice.number(1, 3);
    for (_, line) in &mut plan.producers {
        line.availability_timeout = dice.pick(&[ms(0), ms(1), ms(50), secs(1)]);
        line.rack = (!dice.one_in(3)).then(|| dice.number(0, plan.cluster.racks - 1));
        line.in_flight = dice.pick(&[1, 1, line.in_flight]);
    }
    for _ in 0..dice.between(1, 4) {
        let (at, broker) = (at(dice, plan), dice.broker(scope.brokers));
        let lasts = dice.log_duration(ms(100), ms(20_000));
        plan.steps.extend(match dice.between(0, 2) {
            0 => one(at, Crash { keep_unflushed: true, lasts, ..Crash::plain(broker) }),
            1 => one(at, Isolate { broker, lasts }),
            _ => {
                let slow = cluster::Fault::delay(dice.log_duration(ms(50), ms(3_000)));
                order(at, slow.api(ApiKey::PRODUCE).lasting(lasts))
            }
        });
    }
}

/// Leaders that do not know yet how much of their log is committed are asked where it ends.
fn new_leaders(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    plan.cluster.version = dice.pick(&releases(&["2.2", "2.8", "3.9", "4.2"]));
    plan.cluster.replication = dice.pick(&[ms(50), ms(300), secs(1)]);
    let consumers: Vec<ConsumerName> = plan.consumers.iter().map(|(name, _)| *name).collect();
    for _ in 0..dice.between(2, 6) {
        let at = at(dice, plan);
        let partition = partition_of(dice, scope);
        plan.steps.extend(one(at, Elect::plain(partition, dice.broker(scope.brokers))));
        for name in &consumers {
            let to = Start { partition, at: Place::Latest };
            let seek = at + dice.log_duration(ms(1), ms(500));
            plan.steps.push(Step::new(seek, What::Consume(*name, Seek { to }.into())));
        }
    }
}

/// Clients are closed while applications hold permits.
fn late_permits(dice: &mut Dice, scope: &Scope, plan: &mut Plan) {
    let producers: Vec<ProducerName> = plan.producers.iter().map(|(name, _)| *name).collect();
    for client in 0..scope.clients {
        let close = at(dice, plan);
        plan.steps.extend(one(close, CloseClient { client: ClientName(client) }));
        for name in &producers {
            let from = close.saturating_sub(dice.log_duration(ms(1), ms(200)));
            let partition = partition_of(dice, scope);
            let every = Duration::from_micros(dice.between(0, 2_000));
            let send = Send { records: 400, every, mode: SendMode::Reserve, ..Send::plain(partition.topic) };
            plan.steps.push(Step::new(from, What::Produce(*name, send.into())));
        }
    }
}
