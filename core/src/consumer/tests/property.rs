//! Sequences of operations: every record is seen exactly once and in order in each assignment epoch, whatever
//! fails, and in the end all are seen.

use std::{vec, vec::Vec};

use core::time::Duration;

use klamm_protocol::{ErrorCode, Str};
use proptest::prelude::*;

use super::world::World;
use crate::{
    BrokerId, PartitionIndex,
    consumer::{ConsumerConfig, OffsetReset, StartAt},
};

const PARTITIONS: u32 = 4;
const BROKERS: i32 = 3;

#[derive(Clone, Debug)]
pub(super) enum Op {
    Append(u32, i64),
    Answer(usize),
    Lose(usize, bool),
    Read(usize),
    Move(u32, i32),
    TellLeader(u32),
    Seek(u32, u8),
    Pause(u32),
    Resume(u32),
    Reassign(u32),
    ForgetSessions(i32),
    Fail(u32, i16),
    DeleteBelow(u32, u8),
    /// Another replica is closest, or none, and how far it lags.
    Closest(u32, Option<i32>, i64),
    Advance(u64),
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let partition = 0..PARTITIONS;
    prop_oneof![
        3 => (partition.clone(), 1..20i64).prop_map(|(partition, count)| Op::Append(partition, count)),
        8 => (0..8usize).prop_map(Op::Answer),
        1 => (0..8usize, any::<bool>()).prop_map(|(at, seen)| Op::Lose(at, seen)),
        5 => (0..8usize).prop_map(Op::Read),
        1 => (partition.clone(), 0..BROKERS).prop_map(|(partition, broker)| Op::Move(partition, broker)),
        1 => partition.clone().prop_map(Op::TellLeader),
        1 => (partition.clone(), any::<u8>()).prop_map(|(partition, percent)| Op::Seek(partition, percent)),
        1 => partition.clone().prop_map(Op::Pause),
        1 => partition.clone().prop_map(Op::Resume),
        1 => partition.clone().prop_map(Op::Reassign),
        1 => (0..BROKERS).prop_map(Op::ForgetSessions),
        1 => (partition.clone(), prop_oneof![Just(2i16), Just(3), Just(5), Just(6), Just(29), Just(56), Just(74), Just(100)])
            .prop_map(|(partition, code)| Op::Fail(partition, code)),
        1 => (partition.clone(), any::<u8>())
            .prop_map(|(partition, percent)| Op::DeleteBelow(partition, percent)),
        2 => (partition, prop::option::of(0..BROKERS), 0..20i64)
            .prop_map(|(partition, broker, lag)| Op::Closest(partition, broker, lag)),
        4 => (0..700u64).prop_map(Op::Advance),
    ]
}

pub(super) fn apply(world: &mut World, op: &Op) {
    match *op {
        Op::Append(partition, count) => world.log(partition).append(count),
        Op::Answer(at) => world.answer(at),
        Op::Lose(at, seen) => world.lose(at, seen),
        Op::Read(at) => world.read(at),
        Op::Move(partition, broker) => {
            let log = world.log(partition);
            log.leader = BrokerId(broker);
            log.epoch += 1;
        }
        Op::TellLeader(partition) => world.tell_leader(partition),
        Op::Seek(partition, percent) => {
            let end = world.log(partition).end;
            world.seek(partition, end * i64::from(percent) / 255);
        }
        Op::Pause(partition) => world.consumer.pause(world.now, &[PartitionIndex(partition)]),
        Op::Resume(partition) => world.consumer.resume(world.now, &[PartitionIndex(partition)]),
        Op::Reassign(partition) => {
            world.consumer.unassign(world.now, &[PartitionIndex(partition)]);
            world.assign(partition, StartAt::Offset(0));
        }
        Op::ForgetSessions(broker) => world.brokers.forget_sessions(BrokerId(broker)),
        Op::Fail(partition, code) => world.log(partition).error = Some(ErrorCode(code)),
        Op::DeleteBelow(partition, percent) => {
            let log = world.log(partition);
            log.delete_below(log.end * i64::from(percent) / 255);
        }
        Op::Closest(partition, broker, lag) => {
            let log = world.log(partition);
            (log.closest, log.lag) = (broker.map(BrokerId), lag);
        }
        Op::Advance(millis) => world.advance(millis),
    }
}

/// Outputs are drained after every `drain_every` operations.
fn run(fetch_version: i16, buffer_bytes: usize, drain_every: usize, ops: &[Op]) {
    let config = ConsumerConfig {
        buffer_bytes,
        max_partition_fetch_bytes: 700,
        offset_reset: OffsetReset::Earliest,
        client_rack: Str::from("here"),
        replica_max_age: Duration::from_secs(2),
        ..ConsumerConfig::default()
    };
    let mut world = World::new(config, fetch_version, PARTITIONS, BROKERS);
    for partition in 0..PARTITIONS {
        world.assign(partition, StartAt::Offset(0));
    }
    for ops in ops.chunks(drain_every) {
        for op in ops {
            apply(&mut world, op);
        }
        world.drain();
    }
    let all: Vec<PartitionIndex> = (0..PARTITIONS).map(PartitionIndex).collect();
    world.consumer.resume(world.now, &all);
    world.settle();

    // All is given back when nothing is assigned.
    world.consumer.unassign(world.now, &all);
    world.drain();
    while !world.requests.is_empty() {
        world.answer(0);
        world.drain();
    }
    assert!(world.queue.is_empty());
    assert_eq!(world.consumer.used_bytes(), 0);
    assert_eq!(world.consumer.poll_timeout(), None);
    assert!(world.consumer.is_at_rest());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// Sessions with topic ids.
    #[test]
    fn exactly_once_with_ids(ops in prop::collection::vec(op(), 1..120)) {
        run(17, 64 * 1024, 1, &ops);
    }

    /// Sessions with topic names, and so little memory that it is always short.
    #[test]
    fn exactly_once_with_names_in_little_memory(ops in prop::collection::vec(op(), 1..120)) {
        run(12, 2 * 1024, 1, &ops);
    }

    /// Inputs may be batched.
    #[test]
    fn exactly_once_with_rare_drains(ops in prop::collection::vec(op(), 1..120)) {
        run(17, 16 * 1024, 4, &ops);
    }

    /// No sessions.
    #[test]
    fn exactly_once_without_sessions(ops in prop::collection::vec(op(), 1..120)) {
        run(6, 16 * 1024, 1, &ops);
    }
}
