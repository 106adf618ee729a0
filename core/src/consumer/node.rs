//! What a consumer knows of one broker.

use alloc::collections::BTreeSet;

use super::session::FetchSession;
use crate::{Instant, PartitionIndex};

/// A broker that leads assigned partitions.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// The assigned partitions that it leads.
    pub(super) members: BTreeSet<PartitionIndex>,
    pub(super) session: FetchSession,
    /// The fetch under way.
    pub(super) fetching: Option<u64>,
    /// How many requests failed as a whole, in a row.
    pub(super) failures: u32,
    /// Nothing is sent before this instant.
    pub(super) retry_at: Option<Instant>,
    /// When there is something to do that depends on time alone.
    pub(super) wake_at: Option<Instant>,
    /// Its Fetch is older than version 3, which knows no limit for the whole response (KIP-74).
    pub(super) unlimited: bool,
    /// Its ListOffsets is older than version 2, which knows no isolation (KIP-98).
    pub(super) without_isolation: bool,
    /// Which partition comes first in the next fetch.
    pub(super) turn: usize,
}
