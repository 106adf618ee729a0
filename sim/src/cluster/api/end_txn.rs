//! EndTxn (26).

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};

use super::{Reply, Serve, as_fenced_before};
use crate::cluster::transactions::{Ending, Identity};
use crate::cluster::{Cluster, Origin};

/// Since this version a client knows the error `PRODUCER_FENCED` (KIP-588).
const FIRST_WITH_FENCED: i16 = 2;
/// Since this version the epoch rises with each transaction (KIP-890).
pub(super) const FIRST_WITH_BUMP: i16 = 5;

impl Serve for EndTxnRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<EndTxnResponse> {
        match end(&self, cluster, origin) {
            Ok(producer) if origin.version >= FIRST_WITH_BUMP => Reply::Now(EndTxnResponse {
                producer_id: producer.id,
                producer_epoch: producer.epoch,
                ..EndTxnResponse::default()
            }),
            Ok(_) => Reply::Now(EndTxnResponse::default()),
            Err(error) => Reply::Now(self.refuse(as_fenced_before(FIRST_WITH_FENCED, origin.version, error))),
        }
    }

    fn refuse(&self, error: ErrorCode) -> EndTxnResponse {
        EndTxnResponse { error_code: error, ..EndTxnResponse::default() }
    }
}

fn end(request: &EndTxnRequest, cluster: &mut Cluster, origin: &Origin) -> Result<Identity, ErrorCode> {
    let id = &request.transactional_id;
    if id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    cluster.check_transaction_coordinator(origin, id)?;
    let producer = Identity { id: request.producer_id, epoch: request.producer_epoch };
    let is_bumping = origin.version >= FIRST_WITH_BUMP;
    let ending = Ending { commit: request.committed, is_bumping };
    let clock = cluster.clock(origin.now);
    cluster.transactions.end(clock, id, (producer, ending), &mut cluster.producer_ids)
}
