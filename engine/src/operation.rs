//! One answer that somebody waits for.

use std::sync::Arc;

use klamm_core::client::Done;

use crate::{
    sync::Mutex,
    wait::{Waiters, lock, until},
};

/// The driver is gone: nothing will be answered any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

/// The place of one answer.
#[derive(Debug, Default)]
pub(crate) struct Operation {
    answer: Mutex<Option<Result<Done, Stopped>>>,
    waiters: Waiters,
}

impl Operation {
    /// Gives the answer. Wakers go to `wakers`.
    pub(crate) fn answer(&self, answer: Result<Done, Stopped>, wakers: &mut Vec<std::task::Waker>) {
        *lock(&self.answer) = Some(answer);
        self.waiters.take(wakers);
    }

    /// Waits for the answer. Cancel safety: giving up leaves the operation to run on unheard.
    pub(crate) async fn wait(self: Arc<Self>) -> Result<Done, Stopped> {
        until(&self.waiters, || self.try_take()).await
    }

    /// Takes the answer, if it is there.
    pub(crate) fn try_take(&self) -> Option<Result<Done, Stopped>> {
        lock(&self.answer).take()
    }
}
