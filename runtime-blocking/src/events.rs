//! Events that are waited for.

use klamm_engine::{ClientEvent, block_on};

/// Looks on at a client: as an iterator it waits for the next event, and ends when the client is closed. See
/// [`klamm_engine::Events`].
#[derive(Debug)]
pub struct Events {
    inner: klamm_engine::Events,
}

impl Events {
    pub(crate) const fn new(inner: klamm_engine::Events) -> Self {
        Self { inner }
    }

    /// The next event, if it is there.
    pub fn try_next(&mut self) -> Option<ClientEvent> {
        self.inner.try_next()
    }

    /// As [`klamm_engine::Events::take_dropped`].
    pub fn take_dropped(&mut self) -> u64 {
        self.inner.take_dropped()
    }
}

impl Iterator for Events {
    type Item = ClientEvent;

    fn next(&mut self) -> Option<ClientEvent> {
        block_on(self.inner.next())
    }
}
