//! The knobs of clusters, networks and clients: mostly as anybody has them, sometimes at an extreme.

use std::time::Duration;

use klamm_protocol::compression::Compression;

use super::Scope;
use super::dice::Dice;
use crate::Release;
use crate::plan::setup::{ClientLine, ClusterLine, ConsumerLine, NetworkLine, ProducerLine};
use crate::plan::values::{
    AcksChoice, ClientName, IsolationChoice, PartitionName, Place, ResetChoice, Start,
};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A release: mostly the default one.
pub(super) fn release(dice: &mut Dice, mixed: bool) -> Release {
    if !mixed && !dice.one_in(6) {
        return Release::default();
    }
    let all: Vec<Release> = Release::all().collect();
    dice.pick(&all)
}

pub(super) fn cluster(dice: &mut Dice, brokers: i32, mixed: bool) -> ClusterLine {
    ClusterLine {
        brokers,
        version: release(dice, mixed),
        min_insync: if brokers >= 3 { dice.pick(&[1, 1, 2]) } else { 1 },
        replication: dice.pick(&[ms(0), us(200), ms(1), ms(1), ms(5), ms(50)]),
        metadata: dice.pick(&[ms(0), ms(1), ms(5), ms(50), ms(500)]),
        max_lag: dice.pick(&[ms(500), secs(2), secs(10), secs(30)]),
        flush: dice.pick(&[ms(1), ms(100), ms(500), secs(60)]),
        max_message: dice.pick(&[1_048_588, 1_048_588, 1_048_588, 20_000, 1_500]),
        ..ClusterLine::plain()
    }
}

pub(super) fn network(dice: &mut Dice) -> NetworkLine {
    let latency = dice.pick(&[us(10), us(100), us(100), us(500), ms(5), ms(40)]);
    let buffers = dice.pick(&[1 << 20, 1 << 20, 65_536, 4_096, 512]);
    let slow = dice.pick(&[ms(20), ms(20), ms(200), secs(2)]);
    NetworkLine {
        latency,
        jitter: dice.pick(&[us(0), us(200), us(200), ms(1), ms(10)]),
        slow_one_in: dice.pick(&[0, 1000, 1000, 100, 20]),
        slow,
        split_one_in: dice.pick(&[0, 16, 16, 4, 1]),
        piece: dice.pick(&[1, 7, 64, 64, 1460]),
        pieces: dice.pick(&[1, 4, 4, 16]),
        bandwidth: dice.pick(&[0, 0, 0, 0, 10_000_000, 2_000_000]),
        // A window of 512 bytes over a long way is no network.
        buffers: if latency >= ms(5) || slow > ms(20) { buffers.max(65_536) } else { buffers },
    }
}

/// How long a request may take in a network where nothing goes wrong: shorter timeouts would be all that ever happens.
pub(super) fn least_timeout(network: &NetworkLine) -> Duration {
    let slow = if network.slow_one_in > 0 { network.slow * 4 } else { Duration::ZERO };
    (network.latency + network.jitter) * 10 + slow
}

pub(super) fn client(dice: &mut Dice, least_timeout: Duration) -> ClientLine {
    let reconnect = dice.pick(&[ms(50), ms(50), ms(1), ms(1000)]);
    ClientLine {
        metadata_max_age: dice.pick(&[secs(300), secs(300), secs(5), ms(200)]),
        max_idle: dice.pick(&[secs(540), secs(540), secs(2), ms(300)]),
        request_timeout: dice.pick(&[secs(30), secs(30), secs(5), ms(500)]).max(least_timeout),
        reconnect,
        reconnect_max: dice.pick(&[secs(1), secs(1), secs(10), ms(50)]).max(reconnect),
        max_block: dice.pick(&[secs(60), secs(60), secs(5), ms(100)]),
        setup_timeout: dice.pick(&[secs(10), secs(10), secs(1), ms(300)]).max(least_timeout),
        unknown_topic: dice.pick(&[secs(10), secs(10), secs(60), ms(500)]),
        close_timeout: dice.pick(&[secs(30), secs(30), secs(120), secs(1)]),
        ..ClientLine::plain()
    }
}

fn any_client(dice: &mut Dice, scope: &Scope) -> ClientName {
    ClientName(dice.number(0, scope.clients.saturating_sub(1)))
}

pub(super) fn producer(dice: &mut Dice, scope: &Scope) -> ProducerLine {
    let acks =
        dice.pick(&[AcksChoice::All, AcksChoice::All, AcksChoice::All, AcksChoice::One, AcksChoice::Zero]);
    let idempotent = acks == AcksChoice::All && !scope.ancient && !dice.one_in(5);
    let linger = dice.pick(&[ms(0), ms(0), ms(5), ms(5), ms(50), secs(1), secs(3600)]);
    let batch = dice.pick(&[16_384, 16_384, 16_384, 1_000, 200, 1, 100_000]);
    let request_timeout =
        dice.pick(&[secs(30), secs(30), secs(5), secs(1), ms(200)]).max(scope.least_timeout);
    let extra = dice.pick(&[secs(90), secs(90), secs(10), secs(1), ms(0)]);
    let memory = dice.pick(&[32 << 20, 32 << 20, 200_000, 32_768, 0]);
    ProducerLine {
        acks,
        idempotent,
        linger,
        batch,
        max_request: dice.pick(&[1_048_576, 1_048_576, 1_048_576, 30_000, 1_024]),
        in_flight: dice.pick(&[5, 5, 5, 1, 2, 3]),
        // One batch at the least.
        memory: memory.max(batch).max(1024),
        delivery_timeout: linger + request_timeout + extra,
        request_timeout,
        retries: dice.pick(&[u32::MAX, u32::MAX, u32::MAX, u32::MAX, 3, 0]),
        codec: dice.pick(&[
            Compression::None,
            Compression::None,
            Compression::None,
            Compression::Lz4,
            Compression::Snappy,
            Compression::Gzip,
            Compression::Zstd,
        ]),
        ..ProducerLine::plain(any_client(dice, scope))
    }
}

/// Where reading begins: at the beginning, mostly.
pub(super) fn place(dice: &mut Dice) -> Place {
    match dice.between(0, 9) {
        0 => Place::Latest,
        1 => Place::Offset(i64::from(dice.number(0, 200))),
        // Some seconds after the worlds' clocks begin.
        2 => Place::Time(1_767_225_600_000 + i64::from(dice.number(0, 20_000))),
        _ => Place::Earliest,
    }
}

pub(super) fn consumer(dice: &mut Dice, scope: &Scope) -> ConsumerLine {
    let mut assign = Vec::new();
    for (topic, partitions) in &scope.topics {
        if dice.one_in(5) {
            continue;
        }
        for partition in 0..*partitions {
            let at = if dice.one_in(8) { place(dice) } else { Place::Earliest };
            assign.push(Start { partition: PartitionName { topic: *topic, partition }, at });
        }
    }
    ConsumerLine {
        isolation: dice.pick(&[IsolationChoice::ReadUncommitted, IsolationChoice::ReadCommitted]),
        reset: dice.pick(&[
            ResetChoice::Earliest,
            ResetChoice::Earliest,
            ResetChoice::Latest,
            ResetChoice::None,
        ]),
        min_bytes: dice.pick(&[1, 1, 1, 1_000, 100_000]),
        max_wait: dice.pick(&[ms(500), ms(500), ms(50), ms(5_000)]),
        max_bytes: dice.pick(&[50 << 20, 50 << 20, 4_096, 1_024]),
        partition_bytes: dice.pick(&[1 << 20, 1 << 20, 4_096, 1]),
        memory: dice.pick(&[64 << 20, 64 << 20, 20_000, 1_024]),
        // A client's consumers share a connection: one may have to wait for the long polls of all others.
        request_timeout: dice.pick(&[secs(30), secs(30), secs(60)]),
        assign,
        hold: dice.pick(&[ms(0), ms(0), ms(0), ms(1), ms(100)]),
        ..ConsumerLine::plain(any_client(dice, scope))
    }
}
