//! Everything at once, at random: whatever happens, nothing that is committed is lost without being told, and in the
//! end all replicas are equal.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_core::Entropy;
use klamm_protocol::ErrorCode;
use klamm_protocol::messages::produce::ProduceResponse;
use klamm_protocol::records::Batches;
use klamm_sim::cluster::{ConnectionId, Crash};
use klamm_sim::observe::ClusterEvent;

use super::driver::{MS, three};
use crate::events::events;
use crate::wire::{Got, Wire};

struct Storm {
    wire: Wire,
    entropy: Entropy,
    /// What is offered and not answered.
    offered: BTreeMap<ConnectionId, String>,
    /// What was acknowledged by all replicas in sync, by offset.
    acknowledged: BTreeMap<i64, Vec<String>>,
    committed: i64,
    /// The epoch of the last leader that took over.
    epoch: i32,
    /// Acknowledgements from here on may be of a leader that was succeeded, until they have come.
    excused: Option<i64>,
    start: i64,
    values: u32,
    losses: u32,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let mut entropy = Entropy::new(seed);
        let (replication, metadata) = (entropy.below(3), entropy.below(3));
        let mut wire = three(|config| {
            config.replication_latency = 7 * MS * u32::try_from(replication).unwrap();
            config.metadata_latency = 20 * MS * u32::try_from(metadata).unwrap();
            config.replica_max_lag = 300 * MS;
            config.flush_interval = 500 * MS;
        });
        wire.pass(100 * MS);
        wire.cluster.record_events(true);
        Self {
            wire,
            entropy,
            offered: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            committed: 0,
            epoch: 0,
            excused: None,
            start: 0,
            values: 0,
            losses: 0,
        }
    }

    fn broker(&mut self) -> i32 {
        i32::try_from(self.entropy.below(3)).unwrap() + 1
    }

    fn offer(&mut self) {
        let broker = self.broker();
        let acks = if self.entropy.below(3) == 0 { 1 } else { -1 };
        self.values += 1;
        let value = format!("value {}", self.values);
        let connection = self.wire.offer(broker, acks, &value);
        if acks == -1 {
            self.offered.insert(connection, value);
        }
    }

    fn step(&mut self) {
        let (broker, now) = (self.broker(), self.wire.now);
        let other = self.broker();
        let cluster = &mut self.wire.cluster;
        match self.entropy.below(40) {
            0 => drop(cluster.kill(now, broker)),
            1 => drop(cluster.crash(now, broker, Crash { keep_unflushed: false })),
            2..6 => drop(cluster.restart(broker)),
            6 => drop(cluster.isolate_from_controller(now, broker)),
            7 | 8 => drop(cluster.reconnect_to_controller(now, broker)),
            9 => cluster.hold_metadata(broker),
            10 | 11 => cluster.resume_metadata(now, broker),
            12 => cluster.cut_replication(now, broker, other),
            13 => cluster.slow_replication(now, broker, other, 30 * MS),
            14 | 15 => cluster.heal_replication(now, None),
            16 => drop(cluster.elect(now, "t", 0, broker)),
            17 => drop(cluster.elect_preferred(now, "t", 0)),
            18 => drop(cluster.elect_unclean(now, "t", 0)),
            19 => drop(cluster.delete_records(now, "t", 0, self.start + 1)),
            20..25 => self.wire.pass(Duration::from_millis(self.entropy.below(400))),
            _ => self.offer(),
        }
        self.look();
    }

    /// Takes in what was told and answered.
    fn look(&mut self) {
        for event in events(&mut self.wire) {
            match event {
                ClusterEvent::Committed { high_watermark, .. } => {
                    assert!(high_watermark > self.committed, "{high_watermark} after {}", self.committed);
                    self.committed = high_watermark;
                }
                ClusterEvent::Lost { from_offset, leader_epoch, .. } => {
                    self.losses += 1;
                    // Of a leader that was succeeded long ago: its successor has committed other records.
                    if leader_epoch > self.epoch {
                        drop(self.acknowledged.split_off(&from_offset));
                        self.committed = self.committed.min(from_offset);
                    } else {
                        self.excused = Some(from_offset);
                    }
                }
                ClusterEvent::Elected { leader_epoch, leader, .. } if leader > 0 => self.epoch = leader_epoch,
                ClusterEvent::LogStart { offset, .. } => {
                    self.start = self.start.max(offset);
                    self.acknowledged = self.acknowledged.split_off(&offset);
                }
                _ => {}
            }
        }
        while let (Some(connection), got) = self.wire.next::<ProduceResponse>() {
            let Got::Response(response) = got else { continue };
            let outcome = &response.responses[0].partition_responses[0];
            let is_excused = self.excused.is_some_and(|from| from <= outcome.base_offset);
            let value = self.offered.remove(&connection);
            if let Some(value) = value.filter(|_| outcome.error_code == ErrorCode::NONE && !is_excused) {
                self.acknowledged.entry(outcome.base_offset).or_default().push(value);
            }
        }
        self.excused = None;
    }

    /// Ends all faults, and looks at what is there.
    fn end(mut self) -> u32 {
        let now = self.wire.now;
        for broker in 1..=3 {
            self.wire.cluster.resume_metadata(now, broker);
            self.wire.cluster.reconnect_to_controller(now, broker);
            self.wire.cluster.restart(broker);
        }
        self.wire.cluster.heal_replication(now, None);
        self.wire.pass(Duration::from_secs(5));
        self.look();
        let state = self.wire.cluster.partition("t", 0).unwrap();
        let replicas: Vec<_> = (1..=3).map(|broker| self.wire.cluster.replica("t", 0, broker)).collect();
        assert_eq!(state.isr.len(), 3, "{state:?} {replicas:?}");
        let ends: Vec<_> = (1..=3).map(|broker| self.wire.ends(broker)).collect();
        assert!(ends.iter().all(|own| own.0 == own.1 && *own == ends[0]), "{ends:?}");
        // A leader that had not heard of a deletion begins earlier than others.
        let start =
            (1..=3).map(|broker| self.wire.cluster.replica("t", 0, broker).unwrap().log_start_offset).max();
        let log = |broker| {
            let bytes = self.wire.cluster.replica_batches("t", 0, broker).unwrap();
            let batches = Batches::new(&bytes).map(Result::unwrap);
            let common = batches.filter(|batch| Some(batch.base_offset()) >= start);
            common.map(|batch| batch.bytes().to_vec()).collect::<Vec<_>>()
        };
        assert!(log(1) == log(2) && log(2) == log(3), "the logs differ");
        assert_eq!(self.wire.ends(1).0, self.committed, "all is committed");
        let records = self.wire.cluster.records("t", 0).unwrap();
        let stored: BTreeMap<i64, _> = records.iter().map(|record| (record.offset, &record.value)).collect();
        for (offset, values) in &self.acknowledged {
            let value = stored.get(offset).unwrap_or_else(|| panic!("{values:?} at {offset} is lost"));
            let text = String::from_utf8(value.as_ref().unwrap().to_vec()).unwrap();
            assert!(values.contains(&text), "{text} instead of {values:?} at {offset}");
        }
        self.losses
    }
}

#[test]
fn nothing_committed_is_lost_unless_it_is_told_and_replicas_become_equal() {
    let mut losses = 0;
    for seed in 0..300 {
        let mut storm = Storm::new(seed);
        for _ in 0..150 {
            storm.step();
        }
        losses += storm.end();
    }
    assert!(losses > 50, "only {losses} losses were told: the storm is too mild");
}
