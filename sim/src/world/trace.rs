//! What happened, as fixed records and as one number.

use std::fmt;

use bytes::Bytes;
use klamm_core::Instant;

/// What a [`TraceRecord`] is about. Numbers are part of the trace hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum TraceKind {
    /// An actor was polled.
    Actor = 1,
    /// A client's control task was driven.
    Control = 2,
    /// A connection's task was driven.
    Connection = 3,
    /// Bytes of a client arrived at a broker: how many, and their checksum.
    Upstream = 4,
    /// Bytes of a broker arrived at a client: how many, and their checksum.
    Downstream = 5,
    /// The cluster did what was due.
    Cluster = 6,
    /// Sleepers were woken: how many.
    Timers = 7,
    /// A client's bytes were handed to the network: how many.
    Written = 8,
    /// A broker's frame was handed to the network: how many bytes.
    Answered = 9,
    /// A connection was established: the broker.
    Opened = 10,
    /// A connection ended at one of its ends: 1 at the client's, 2 at the broker's.
    Ended = 11,
    /// A fault was ordered, or a command given: a checksum of its name.
    Command = 12,
}

/// One thing that happened, in a form that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceRecord {
    /// When.
    pub at: Instant,
    /// What.
    pub kind: TraceKind,
    /// To whom: a number that is the same in each run.
    pub entity: u64,
    /// See [`TraceKind`]; otherwise 0.
    pub size: u64,
    /// See [`TraceKind`]; otherwise 0.
    pub checksum: u32,
}

impl fmt::Display for TraceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:x} {} {:08x}", self.at, self.kind, self.entity, self.size, self.checksum)
    }
}

/// The hash of all that happened, and what happened if that is kept.
#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    events: u64,
    kept: Option<Vec<TraceRecord>>,
}

impl Trace {
    pub(super) fn new(keep: bool) -> Self {
        Self { hash: 0x6b6c_616d_6d00_0001, events: 0, kept: keep.then(Vec::new) }
    }

    /// A node's step was taken.
    pub(super) const fn count(&mut self) {
        self.events += 1;
    }

    pub(super) fn record(&mut self, at: Instant, kind: TraceKind, entity: u64, size: u64, checksum: u32) {
        let words = [at.as_nanos(), entity, size << 8 | kind as u64, u64::from(checksum)];
        for word in words {
            // A multiplication by an odd number and a shift: each word changes all later ones.
            let mixed = (self.hash ^ word).wrapping_mul(0x9FB2_1C65_1E98_DF25);
            self.hash = mixed ^ (mixed >> 29);
        }
        if let Some(kept) = &mut self.kept {
            kept.push(TraceRecord { at, kind, entity, size, checksum });
        }
    }

    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) const fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn kept(&self) -> &[TraceRecord] {
        self.kept.as_deref().unwrap_or_default()
    }
}

/// A checksum of bytes in pieces.
pub(super) fn checksum(pieces: &[Bytes]) -> u32 {
    pieces.iter().fold(0, |sum, piece| crc32c::crc32c_append(sum, piece))
}
