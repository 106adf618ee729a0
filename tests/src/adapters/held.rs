//! The records that a reader has, and what it is to give up.

use std::collections::BTreeMap;

use klamm_engine::{GroupEvent, GroupRecord, GroupRecordEvent, Revocation};

use super::convert;
use crate::Outcome;
use crate::members::Handed;

#[derive(Default)]
pub(super) struct Held {
    records: BTreeMap<(i32, i64), GroupRecord>,
    pub(super) revocation: Option<Revocation>,
}

impl Held {
    /// Keeps what an event brought.
    pub(super) fn take(&mut self, event: GroupRecordEvent) -> Handed {
        match event {
            GroupRecordEvent::Record(record) => {
                let received = convert::consumed(&record);
                self.records.insert((record.partition, record.offset), record);
                Handed::Record(received)
            }
            GroupRecordEvent::Abandoned { partition, offset, .. } => Handed::Abandoned(partition, offset),
            GroupRecordEvent::Group(GroupEvent::Revoking(revocation)) => {
                let partitions = revocation.partitions().iter().map(|(_, partition)| *partition).collect();
                self.revocation = Some(revocation);
                Handed::Revoking(partitions)
            }
            event => Handed::Other(format!("{event:?}")),
        }
    }

    /// Gives a record away.
    pub(super) fn give(&mut self, partition: i32, offset: i64) -> Outcome<GroupRecord> {
        Ok(self.records.remove(&(partition, offset)).ok_or("it does not have this record")?)
    }
}
