//! What the network is like: in general, and between two hosts.

use std::{collections::BTreeMap, time::Duration};

use crate::{Draws, observe::ClientId};

/// An end of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// The machine of a client process.
    Client(ClientId),
    /// The machine of a broker, by its id.
    Broker(i32),
    /// The machines of all clients, of those to come as well.
    EveryClient,
    /// The machines of all brokers.
    EveryBroker,
}

impl Host {
    /// Whether this names the other one, by itself or among others.
    pub(super) fn includes(self, other: Self) -> bool {
        self == other || self == other.every()
    }

    /// All of its kind.
    const fn every(self) -> Self {
        match self {
            Self::Client(_) | Self::EveryClient => Self::EveryClient,
            Self::Broker(_) | Self::EveryBroker => Self::EveryBroker,
        }
    }
}

/// How long bytes are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// The shortest time.
    pub base: Duration,
    /// Up to so much is added, each value as often as another.
    pub jitter: Duration,
    /// Once in so many times it takes longer; 0: never.
    pub slow_one_in: u64,
    /// Up to so much is added then.
    pub slow: Duration,
}

impl Latency {
    /// Always the same.
    #[must_use]
    pub const fn constant(base: Duration) -> Self {
        Self { base, jitter: Duration::ZERO, slow_one_in: 0, slow: Duration::ZERO }
    }

    pub(super) fn draw(&self, draws: &mut Draws) -> Duration {
        let mut latency = self.base + up_to(self.jitter, draws);
        if draws.one_in(self.slow_one_in) {
            latency += up_to(self.slow, draws);
        }
        latency
    }
}

fn up_to(most: Duration, draws: &mut Draws) -> Duration {
    if most.is_zero() {
        return most;
    }
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(draws.below(nanos.saturating_add(1)))
}

/// In which pieces bytes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunking {
    /// Once in so many times what was written arrives in several pieces; 0: never, 1: always.
    pub split_one_in: u64,
    /// Pieces are 1 to so many bytes long. What is left after [`most_pieces`](Self::most_pieces) arrives whole.
    pub longest_piece: usize,
    /// At the most so many pieces are cut off.
    pub most_pieces: usize,
}

impl Chunking {
    /// What is written at once arrives at once.
    pub const WHOLE: Self = Self { split_one_in: 0, longest_piece: 0, most_pieces: 0 };
    /// Every byte by itself.
    pub const BYTES: Self = Self { split_one_in: 1, longest_piece: 1, most_pieces: usize::MAX };

    /// The length of the next piece of so many bytes, of which `cut` were cut off already.
    pub(super) fn piece(&self, left: usize, cut: usize, draws: &mut Draws) -> usize {
        if cut >= self.most_pieces || left <= 1 {
            return left;
        }
        let longest = u64::try_from(self.longest_piece.max(1)).unwrap_or(u64::MAX);
        usize::try_from(draws.between(1, longest)).unwrap_or(left).min(left)
    }
}

/// What a network is like where no fault says otherwise.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NetworkConfig {
    /// One way. Default: 100 to 300 µs, and once in 1000 times up to 20 ms more.
    pub latency: Latency,
    /// Default: once in 16 times up to 4 pieces of at most 64 bytes are cut off.
    pub chunking: Chunking,
    /// Bytes a second of each connection and direction; `None`, the default: without limit.
    pub bandwidth: Option<u64>,
    /// Bytes that a client can write before they arrive. Default 1 MiB.
    pub send_buffer: usize,
    /// Bytes that arrive before a client reads them; more wait. Default 1 MiB.
    pub receive_buffer: usize,
    /// How long name resolution takes. Default: 50 to 150 µs, and once in 100 times up to 50 ms more.
    pub resolving: Latency,
    /// How long bytes may be held back by a partition until the sender gives up the connection, as TCP does. Default
    /// 2 minutes.
    pub retransmission_timeout: Duration,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        let latency = |base, jitter, slow_one_in, slow_ms| Latency {
            base: Duration::from_micros(base),
            jitter: Duration::from_micros(jitter),
            slow_one_in,
            slow: Duration::from_millis(slow_ms),
        };
        Self {
            latency: latency(100, 200, 1000, 20),
            chunking: Chunking { split_one_in: 16, longest_piece: 64, most_pieces: 4 },
            bandwidth: None,
            send_buffer: 1 << 20,
            receive_buffer: 1 << 20,
            resolving: latency(50, 100, 100, 50),
            retransmission_timeout: Duration::from_secs(120),
        }
    }
}

impl NetworkConfig {
    /// A network without randomness: what is sent arrives whole after 100 µs.
    #[must_use]
    pub fn ideal() -> Self {
        let latency = Latency::constant(Duration::from_micros(100));
        Self { latency, chunking: Chunking::WHOLE, resolving: latency, ..Self::default() }
    }
}

/// Why nothing passes between two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Bytes wait; senders give up after a while.
    Partition,
    /// Bytes wait, for as long as it takes.
    Clog,
}

/// What connecting leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Refuses,
    Hangs,
}

/// What is different between two hosts, in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rule {
    pub(super) block: Option<Block>,
    pub(super) latency: Option<Latency>,
    pub(super) chunking: Option<Chunking>,
    pub(super) bandwidth: Option<u64>,
}

/// All that is different from the configuration.
#[derive(Debug, Default)]
pub(super) struct Rules {
    between: BTreeMap<(Host, Host), Rule>,
    doors: BTreeMap<i32, Door>,
}

impl Rules {
    /// What holds from one host to another: what was said of the two goes before what was said of all.
    pub(super) fn rule(&self, from: Host, to: Host) -> Rule {
        let mut all = Rule::default();
        if self.between.is_empty() {
            return all;
        }
        let pairs = [(from, to), (from.every(), to), (from, to.every()), (from.every(), to.every())];
        for rule in pairs.iter().filter_map(|pair| self.between.get(pair)) {
            all.block = all.block.or(rule.block);
            all.latency = all.latency.or(rule.latency);
            all.chunking = all.chunking.or(rule.chunking);
            all.bandwidth = all.bandwidth.or(rule.bandwidth);
        }
        all
    }

    pub(super) fn block(&self, from: Host, to: Host) -> Option<Block> {
        self.rule(from, to).block
    }

    pub(super) fn entry(&mut self, from: Host, to: Host) -> &mut Rule {
        self.between.entry((from, to)).or_default()
    }

    pub(super) fn door(&self, broker: i32) -> Option<Door> {
        self.doors.get(&broker).copied()
    }

    pub(super) fn set_door(&mut self, broker: i32, door: Option<Door>) {
        match door {
            Some(door) => self.doors.insert(broker, door),
            None => self.doors.remove(&broker),
        };
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
