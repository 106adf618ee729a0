//! The order of what producers of transactions ask.

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_protocol::messages::add_offsets_to_txn::AddOffsetsToTxnRequest;
use klamm_protocol::messages::add_partitions_to_txn::AddPartitionsToTxnRequest;
use klamm_protocol::messages::end_txn::EndTxnRequest;
use klamm_protocol::messages::produce::ProduceRequest;
use klamm_protocol::messages::txn_offset_commit::TxnOffsetCommitRequest;
use klamm_protocol::{ApiKey, ErrorCode};

use super::Invariant;
use super::batch::Batch;
use super::findings::Findings;
use super::links::{self, Head};
use crate::cluster::ConnectionId;
use crate::observe::ClientId;

/// From this version of EndTxn on partitions are not added before they are written to (KIP-890).
const FIRST_IMPLICIT: i16 = 5;

/// A producer id and epoch, and whose.
type Name = (ClientId, i64, i16);

/// Where the transaction of a producer is, as its requests say.
#[derive(Clone, Copy, Debug, Default)]
struct Stage {
    epoch: i16,
    /// Something was written or is to be added.
    is_begun: bool,
    /// It was asked to commit, and has not been told that this is done.
    commits: bool,
    /// It was told to be committed, perhaps when it no longer waited for that: then it asks again.
    is_committed: bool,
    /// Something may have been written of which nothing was seen.
    is_unsure: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Dialogues {
    stages: BTreeMap<(ClientId, i64), Stage>,
    /// The ends that were asked for and are not answered.
    ends: BTreeMap<(ConnectionId, i32), Name>,
}

impl Dialogues {
    /// A client has sent a request.
    pub(super) fn sent(
        &mut self,
        (id, client): (ConnectionId, ClientId),
        head: &Head,
        frame: &Bytes,
        findings: &mut Findings,
    ) {
        let version = head.version;
        let name = match head.api {
            ApiKey::ADD_PARTITIONS_TO_TXN => links::request::<AddPartitionsToTxnRequest>(frame, version)
                .map(|request| (request.v3_and_below_producer_id, request.v3_and_below_producer_epoch)),
            ApiKey::ADD_OFFSETS_TO_TXN => links::request::<AddOffsetsToTxnRequest>(frame, version)
                .map(|request| (request.producer_id, request.producer_epoch)),
            ApiKey::TXN_OFFSET_COMMIT => links::request::<TxnOffsetCommitRequest>(frame, version)
                .map(|request| (request.producer_id, request.producer_epoch)),
            ApiKey::END_TXN => {
                let Some(request) = links::request::<EndTxnRequest>(frame, version) else { return };
                let name = (client, request.producer_id, request.producer_epoch);
                self.ends.insert((id, head.correlation), name);
                return self.end(name, (request.committed, version), findings);
            }
            _ => None,
        };
        if let Some((producer, epoch)) = name {
            self.add((client, producer, epoch), head.api, findings);
        }
    }

    /// A client has sent batches.
    pub(super) fn produced(&mut self, client: ClientId, request: &ProduceRequest, findings: &mut Findings) {
        if request.transactional_id.is_none() {
            return;
        }
        let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
        for records in partitions.filter_map(|partition| partition.records.clone()) {
            let bytes = records.into_bytes();
            let Ok((batch, _)) = Batch::split(&bytes) else { continue };
            if batch.header.is_transactional() {
                let name = (client, batch.header.producer_id, batch.header.producer_epoch);
                self.add(name, ApiKey::PRODUCE, findings);
            }
        }
    }

    fn stage(&mut self, (client, producer, epoch): Name) -> Option<&mut Stage> {
        let stage = self.stages.entry((client, producer)).or_default();
        if epoch > stage.epoch {
            *stage = Stage { epoch, ..Stage::default() };
        }
        (stage.epoch == epoch).then_some(stage)
    }

    fn add(&mut self, name: Name, api: ApiKey, findings: &mut Findings) {
        let Some(stage) = self.stage(name) else { return };
        stage.is_begun = true;
        if stage.commits {
            let what = format!("{} sent API {} while it commits", shown(name), api.0);
            findings.add(Invariant::TransactionOrder, what);
        }
    }

    fn end(&mut self, name: Name, (commit, version): (bool, i16), findings: &mut Findings) {
        let Some(stage) = self.stage(name) else { return };
        stage.commits = commit;
        // Who does not add partitions before writing to them may abort what it has not written yet.
        let may_be_empty = if commit { stage.is_committed } else { version >= FIRST_IMPLICIT };
        if !stage.is_begun && !stage.is_unsure && !may_be_empty {
            let what = format!("{} ends a transaction in which there is nothing", shown(name));
            findings.add(Invariant::TransactionOrder, what);
        }
    }

    /// A client was told what became of the end of a transaction.
    pub(super) fn answered(&mut self, id: ConnectionId, correlation: i32, version: i16, frame: &Bytes) {
        let Some(name) = self.ends.remove(&(id, correlation)) else { return };
        if self.ends.values().any(|other| *other == name) {
            // The client has asked again, and goes by the answer to that.
            return;
        }
        let response = links::response::<EndTxnRequest>(frame, version);
        if response.is_some_and(|response| response.error_code == ErrorCode::NONE)
            && let Some(stage) = self.stage(name)
        {
            *stage = Stage { epoch: stage.epoch, is_committed: stage.commits, ..Stage::default() };
        }
    }

    /// A connection is over: whether what was being written there has arrived the client cannot know.
    pub(super) fn closed(&mut self, id: ConnectionId, client: Option<ClientId>) {
        self.ends.retain(|(other, _), _| *other != id);
        let of_client = self.stages.iter_mut().filter(|((other, _), _)| Some(*other) == client);
        of_client.for_each(|(_, stage)| stage.is_unsure = true);
    }
}

fn shown((client, producer, epoch): Name) -> String {
    format!("client {} with producer id {producer} and epoch {epoch}", client.0)
}
