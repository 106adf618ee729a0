//! What a consumer knows of one broker.

use super::{roster::Roster, session::FetchSession};
use crate::Instant;

/// A broker that leads or serves assigned partitions.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) roster: Roster,
    pub(super) session: FetchSession,
    /// Since when a fetch is under way.
    pub(super) fetching: Option<Instant>,
    /// How many requests are under way.
    pub(super) under_way: usize,
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
    /// Until then it is not told our rack, so that it serves the records of its partitions itself.
    pub(super) rackless_until: Option<Instant>,
    /// Which partition comes first in the next full fetch.
    pub(super) turn: usize,
}
