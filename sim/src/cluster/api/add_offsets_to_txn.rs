//! AddOffsetsToTxn (25).

use klamm_protocol::messages::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve, as_fenced_before};
use crate::cluster::transactions::{Adding, Identity, OFFSETS_TOPIC};
use crate::cluster::{Cluster, Origin};

/// Since this version a client knows the error `PRODUCER_FENCED` (KIP-588).
const FIRST_WITH_FENCED: i16 = 2;

impl Serve for AddOffsetsToTxnRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<AddOffsetsToTxnResponse> {
        let error = add(&self, cluster, origin).err().unwrap_or(ErrorCode::NONE);
        Reply::Now(self.refuse(as_fenced_before(FIRST_WITH_FENCED, origin.version, error)))
    }

    fn refuse(&self, error: ErrorCode) -> AddOffsetsToTxnResponse {
        AddOffsetsToTxnResponse { error_code: error, ..AddOffsetsToTxnResponse::default() }
    }
}

fn add(request: &AddOffsetsToTxnRequest, cluster: &mut Cluster, origin: &Origin) -> Result<(), ErrorCode> {
    let id = &request.transactional_id;
    if id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    cluster.check_transaction_coordinator(origin, id)?;
    let producer = Identity { id: request.producer_id, epoch: request.producer_epoch };
    let adding = Adding { id, producer, is_bumping: false };
    let place = (Str::from_static(OFFSETS_TOPIC), cluster.groups.partition_of(&request.group_id));
    let clock = cluster.clock(origin.now);
    cluster.transactions.add(clock, &adding, vec![place])
}
