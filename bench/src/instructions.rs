//! The cases whose instructions are counted, and the gates that their counts must keep.

use std::collections::BTreeMap;
use std::hint::black_box;

use klamm_core::group::assignor::Assignor;
use klamm_protocol::compression::{Compression, Compressor};
use klamm_protocol::records::Scratch;

use crate::assignors::{Group, Rejoin};
use crate::client::{Consuming, Producing};
use crate::fetching::{FETCHES, Fetching};
use crate::messages::{METADATA_PARTITIONS, ROUND_TRIPS, RoundTrips, decode_metadata, metadata};
use crate::records::{Data, RECORDS, Shape, append, iterate, many_batches, seal, walk};

/// How far a count may lie above its gate before that is a failure, in percent.
pub const TOLERANCE_PERCENT: f64 = 2.0;

/// A named piece of work.
#[derive(Clone, Copy)]
pub struct Case {
    /// The name, as in the file of gates.
    pub name: &'static str,
    /// How many units (records, batches) one round works on.
    pub units: usize,
    /// Does the work a number of times, after preparing it.
    pub run: fn(rounds: usize),
}

/// All cases.
pub const CASES: &[Case] = &[
    Case { name: "records/append", units: RECORDS, run: |rounds| run_append(Shape::Plain, rounds) },
    Case {
        name: "records/append-key-headers",
        units: RECORDS,
        run: |rounds| run_append(Shape::Full, rounds),
    },
    Case { name: "records/iterate", units: RECORDS, run: |rounds| run_iterate(Shape::Plain, rounds, false) },
    Case {
        name: "records/iterate-key-headers",
        units: RECORDS,
        run: |rounds| run_iterate(Shape::Full, rounds, false),
    },
    Case {
        name: "records/iterate-crc",
        units: RECORDS,
        run: |rounds| run_iterate(Shape::Plain, rounds, true),
    },
    Case { name: "records/seal-none", units: RECORDS, run: |rounds| run_seal(Compression::None, rounds) },
    Case { name: "records/seal-lz4", units: RECORDS, run: |rounds| run_seal(Compression::Lz4, rounds) },
    Case { name: "records/walk-batch", units: RECORDS, run: run_walk },
    Case { name: "messages/metadata-partition", units: METADATA_PARTITIONS, run: run_metadata },
    Case { name: "connection/round-trip", units: ROUND_TRIPS, run: run_round_trips },
    Case { name: "consumer/fetch-1", units: FETCHES, run: |rounds| run_fetching(1, rounds) },
    Case { name: "consumer/fetch-1000", units: FETCHES, run: |rounds| run_fetching(1_000, rounds) },
    Case { name: "consumer/fetch-10000", units: FETCHES, run: |rounds| run_fetching(10_000, rounds) },
    Case {
        name: "group/sticky-join",
        units: SMALL_GROUP,
        run: |rounds| run_rejoin(Assignor::Sticky, Group::SMALL, rounds),
    },
    Case {
        name: "group/sticky-join-racks",
        units: SMALL_GROUP,
        run: |rounds| run_rejoin(Assignor::Sticky, Group { racks: true, ..Group::SMALL }, rounds),
    },
    Case {
        name: "group/sticky-join-mixed",
        units: SMALL_GROUP,
        run: |rounds| run_rejoin(Assignor::Sticky, Group { mixed: true, ..Group::SMALL }, rounds),
    },
    Case { name: "client/append", units: RECORDS, run: run_client_append },
    Case { name: "client/produce", units: RECORDS, run: run_client_produce },
    Case { name: "client/consume", units: RECORDS, run: run_client_consume },
];

fn run_append(shape: Shape, rounds: usize) {
    let data = Data::new(shape);
    for _ in 0..rounds {
        black_box(append(&data));
    }
}

fn run_iterate(shape: Shape, rounds: usize, check_crc: bool) {
    let encoded = Data::new(shape).encoded(Compression::None);
    let mut scratch = Scratch::new();
    for _ in 0..rounds {
        black_box(iterate(&encoded, &mut scratch, check_crc));
    }
}

fn run_seal(compression: Compression, rounds: usize) {
    let batch = append(&Data::new(Shape::Plain));
    let mut compressor = Compressor::new(compression);
    for _ in 0..rounds {
        black_box(seal(batch.clone(), &mut compressor));
    }
}

fn run_walk(rounds: usize) {
    let batches = many_batches(&Data::new(Shape::Plain));
    for _ in 0..rounds {
        black_box(walk(&batches));
    }
}

fn run_metadata(rounds: usize) {
    let frame = metadata();
    for _ in 0..rounds {
        black_box(decode_metadata(&frame));
    }
}

fn run_round_trips(rounds: usize) {
    let mut round_trips = RoundTrips::new();
    for _ in 0..rounds {
        round_trips.run();
    }
}

fn run_fetching(partitions: u32, rounds: usize) {
    let mut fetching = Fetching::new(partitions);
    for _ in 0..rounds {
        fetching.fetch();
    }
}

const SMALL_GROUP: usize = Group::SMALL.all();

fn run_rejoin(assignor: Assignor, group: Group, rounds: usize) {
    let group = Rejoin::joined(assignor, group);
    for _ in 0..rounds {
        black_box(group.lead());
    }
}

/// Batches that all rounds fit in: nothing is sent, so this is appending alone.
fn run_client_append(rounds: usize) {
    let mut producing = Producing::new(900_000);
    for _ in 0..rounds {
        producing.append();
    }
}

fn run_client_produce(rounds: usize) {
    let mut producing = Producing::new(16_384);
    for _ in 0..rounds {
        producing.produce();
    }
}

fn run_client_consume(rounds: usize) {
    let mut consuming = Consuming::new();
    for _ in 0..rounds {
        consuming.consume();
    }
}

/// What the count of a case says beside its gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Within the tolerance.
    Kept,
    /// Below the gate by more than the tolerance: the gate should be lowered.
    Better,
    /// Above the gate by more than the tolerance.
    Worse,
    /// There is no gate for the case.
    Unknown,
}

/// Counts by the names of cases: instructions a unit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gates(BTreeMap<String, f64>);

impl Gates {
    /// Reads lines of a name and a number; `#` starts a comment.
    ///
    /// # Errors
    /// The line that is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut gates = BTreeMap::new();
        for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
            if line.is_empty() {
                continue;
            }
            let parsed = line
                .split_once(char::is_whitespace)
                .and_then(|(name, count)| Some((name, count.trim().parse::<f64>().ok()?)));
            let (name, count) = parsed.ok_or_else(|| format!("not a name and a number: {line:?}"))?;
            gates.insert(name.to_owned(), count);
        }
        Ok(Self(gates))
    }

    /// The gate of a case.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// Compares a count with the case's gate.
    pub fn judge(&self, name: &str, count: f64) -> Verdict {
        match self.get(name) {
            None => Verdict::Unknown,
            Some(gate) if count > gate * (1.0 + TOLERANCE_PERCENT / 100.0) => Verdict::Worse,
            Some(gate) if count < gate * (1.0 - TOLERANCE_PERCENT / 100.0) => Verdict::Better,
            Some(_) => Verdict::Kept,
        }
    }

    /// The names of gates that belong to no case.
    pub fn stale(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|name| CASES.iter().all(|case| case.name != *name))
    }
}

#[cfg(test)]
mod tests;
