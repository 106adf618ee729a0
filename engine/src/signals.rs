//! What the data plane tells the control plane without its lock: batches that were opened or filled.

use std::sync::{Arc, Mutex};

use klamm_core::{
    PartitionIndex, ProducerHandle,
    producer::{BatchId, Signal},
};

use crate::wait::lock;

/// A batch was opened or filled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchSignal {
    pub(crate) producer: ProducerHandle,
    pub(crate) partition: PartitionIndex,
    pub(crate) batch: BatchId,
    pub(crate) signal: Signal,
}

/// The signals that the control plane has not heard of yet.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    waiting: Mutex<Vec<BatchSignal>>,
}

impl Signals {
    /// Takes all, in their order.
    pub(crate) fn take(&self) -> Vec<BatchSignal> {
        std::mem::take(&mut *lock(&self.waiting))
    }
}

/// One producer's way to tell.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    pub(crate) producer: ProducerHandle,
    signals: Arc<Signals>,
}

impl Feed {
    pub(crate) const fn new(producer: ProducerHandle, signals: Arc<Signals>) -> Self {
        Self { producer, signals }
    }

    /// Tells of a batch. Returns whether the control plane is to be woken for it: if not, it will be woken for an
    /// earlier one.
    ///
    /// To be called under the lock of the batch's partition. Otherwise a record might be accepted into a batch that
    /// the control plane has not heard of, and a flush that follows would miss it.
    pub(crate) fn tell(&self, partition: PartitionIndex, batch: BatchId, signal: Signal) -> bool {
        let mut waiting = lock(&self.signals.waiting);
        waiting.push(BatchSignal { producer: self.producer, partition, batch, signal });
        waiting.len() == 1
    }
}
