//! The memory of a producer: bytes, and records if their number is bounded too.

use std::{
    sync::Arc,
    task::{Poll, Waker},
};

use klamm_core::Instant;

use crate::{
    budget::{Budget, NoRoom},
    shared::Shared,
};

/// What is buffered, in flight, or kept to be sent again is charged here.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) bytes: Arc<Budget>,
    pub(super) records: Option<Arc<Budget>>,
}

/// What was taken for records that are not accepted yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) bytes: usize,
    /// 0 or 1; always 0 if the number of records is not bounded.
    pub(super) records: usize,
}

impl Memory {
    pub(super) fn new(bytes: usize, records: Option<usize>) -> Self {
        Self {
            bytes: Arc::new(Budget::new(bytes)),
            records: records.map(|records| Arc::new(Budget::new(records))),
        }
    }

    /// What one record of `bytes` takes.
    pub(super) fn grant_of(&self, bytes: usize) -> Grant {
        Grant { bytes, records: usize::from(self.records.is_some()) }
    }

    /// Takes the room for one record without waiting, unless it is in `granted` already.
    #[inline]
    pub(super) fn take_record(&self, granted: &mut Grant) -> bool {
        match &self.records {
            Some(records) if granted.records == 0 => {
                let taken = records.try_take(1);
                granted.records = usize::from(taken);
                taken
            }
            _ => true,
        }
    }

    /// Takes what is needed if that needs no waiting: all or nothing.
    pub(super) fn try_take(&self, needed: Grant, granted: &mut Grant) -> bool {
        if !self.bytes.try_take(needed.bytes) {
            return false;
        }
        granted.bytes += needed.bytes;
        let taken = needed.records == 0 || self.take_record(granted);
        if !taken {
            self.give_back(granted);
        }
        taken
    }

    pub(super) fn release_records(&self, records: u32, wakers: &mut Vec<Waker>) {
        if let Some(budget) = &self.records {
            budget.release(records as usize, wakers);
        }
    }

    pub(super) fn give_back(&self, granted: &mut Grant) {
        let Grant { bytes, records } = std::mem::take(granted);
        if bytes > 0 {
            self.bytes.give_back(bytes);
        }
        if let Some(budget) = &self.records {
            budget.give_back(records);
        }
    }

    /// Waits for room until `deadline`. What it got is in `granted`, also if the wait fails or is given up: who holds
    /// that gives it back.
    ///
    /// Who waits for bytes holds room for a record at most, and those who hold bytes do not wait for records: so no
    /// two wait for each other.
    pub(super) async fn take(
        &self,
        shared: &Shared,
        needed: Grant,
        granted: &mut Grant,
        deadline: Instant,
    ) -> Result<(), NoRoom> {
        if let Some(records) = self.records.as_ref().filter(|_| needed.records > granted.records) {
            wait_for(records, needed.records, shared, deadline).await?;
            granted.records = needed.records;
        }
        wait_for(&self.bytes, needed.bytes, shared, deadline).await?;
        granted.bytes += needed.bytes;
        Ok(())
    }

    pub(super) fn close(&self, wakers: &mut Vec<Waker>) {
        self.bytes.close(wakers);
        if let Some(records) = &self.records {
            records.close(wakers);
        }
    }

    /// When the first wait is over.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let records = self.records.as_ref().and_then(|records| records.next_deadline());
        [self.bytes.next_deadline(), records].into_iter().flatten().min()
    }

    /// Ends the waits that are over.
    pub(super) fn expire(&self, now: Instant, wakers: &mut Vec<Waker>) {
        self.bytes.expire(now, wakers);
        if let Some(records) = &self.records {
            records.expire(now, wakers);
        }
    }
}

async fn wait_for(
    budget: &Arc<Budget>,
    amount: usize,
    shared: &Shared,
    deadline: Instant,
) -> Result<(), NoRoom> {
    let mut take = budget.take(amount, deadline);
    let mut armed = false;
    std::future::poll_fn(|context| {
        let polled = std::pin::Pin::new(&mut take).poll(context);
        if matches!(polled, Poll::Pending) && !std::mem::replace(&mut armed, true) {
            // After it is in the queue: who looks for deadlines from now on finds it.
            shared.wake_by(deadline);
        }
        polled
    })
    .await
}
