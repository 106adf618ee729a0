//! One connection.

use std::any::Any;
use std::collections::VecDeque;

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::wire::Reader;
use klamm_protocol::{ErrorCode, Str};

use super::Call;
use crate::cluster::faults::{Orders, Spot};
use crate::cluster::fetching::Fetch;
use crate::cluster::release::Advertised;
use crate::cluster::sasl::Session;

/// The request that a connection works on, and what is to go wrong with it.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) call: Call,
    pub(crate) orders: Option<Box<Orders>>,
    /// What becomes of its answer.
    pub(crate) instead: Option<Instead>,
}

/// What is answered instead of what the broker found.
#[derive(Debug)]
pub(crate) enum Instead {
    /// This response of the API.
    Whole(Box<dyn Any + Send>),
    /// The entries of this response of the API, in the place of those for the same partitions.
    Entries(Box<dyn Any + Send>),
    /// This error, with each entry at the spot.
    Error(Spot, ErrorCode),
}

/// Why a connection does nothing.
#[derive(Debug)]
pub(super) enum Wait {
    Fetch(Box<Fetch>),
    /// The response is held back.
    Release(Vec<Bytes>),
    /// The request is held back.
    Start(Box<Reader>),
    /// The client is throttled.
    Muted,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) broker: i32,
    /// What it has proved.
    pub(super) session: Session,
    pub(super) advertised: Advertised,
    /// As its last request said.
    pub(super) client_id: Str,
    pub(super) work: Option<Work>,
    pub(super) wait: Option<Wait>,
    pub(super) deadline: Option<Instant>,
    pub(super) backlog: VecDeque<Bytes>,
    pub(super) mute_until: Option<Instant>,
    /// When it last got or sent something.
    pub(super) active_at: Instant,
    /// When somebody looks whether it is idle.
    pub(super) idle_at: Option<Instant>,
}

impl Link {
    pub(super) fn new(broker: i32, advertised: Advertised) -> Self {
        Self {
            broker,
            session: Session::default(),
            advertised,
            client_id: Str::default(),
            work: None,
            wait: None,
            deadline: None,
            backlog: VecDeque::new(),
            mute_until: None,
            active_at: Instant::ZERO,
            idle_at: None,
        }
    }

    /// Whether the next request may be read.
    pub(super) const fn is_free(&self) -> bool {
        self.work.is_none() && self.wait.is_none()
    }
}
