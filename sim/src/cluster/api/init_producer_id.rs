//! InitProducerId (22).

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::{Reply, Serve, as_fenced_before};
use crate::cluster::transactions::{Identity, Init};
use crate::cluster::{Cluster, Origin};

/// Since this version a client knows the error `PRODUCER_FENCED` (KIP-588).
const FIRST_WITH_FENCED: i16 = 4;

impl Serve for InitProducerIdRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<InitProducerIdResponse> {
        match init(&self, cluster, origin) {
            Ok(producer) => Reply::Now(InitProducerIdResponse {
                producer_id: producer.id,
                producer_epoch: producer.epoch,
                ..InitProducerIdResponse::default()
            }),
            Err(error) => Reply::Now(self.refuse(as_fenced_before(FIRST_WITH_FENCED, origin.version, error))),
        }
    }

    fn refuse(&self, error: ErrorCode) -> InitProducerIdResponse {
        InitProducerIdResponse {
            error_code: error,
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdResponse::default()
        }
    }
}

fn init(
    request: &InitProducerIdRequest,
    cluster: &mut Cluster,
    origin: &Origin,
) -> Result<Identity, ErrorCode> {
    let (producer_id, epoch) = (request.producer_id, request.producer_epoch);
    if (producer_id == -1) != (epoch == -1) {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let Some(id) = &request.transactional_id else { return Ok(cluster.producer_ids.draw()) };
    if id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    cluster.transactions.timeout(request.transaction_timeout_ms)?;
    cluster.check_transaction_coordinator(origin, id)?;
    let expected = (producer_id != -1).then_some(Identity { id: producer_id, epoch });
    let init = Init { id, timeout_ms: request.transaction_timeout_ms, expected };
    let clock = cluster.clock(origin.now);
    cluster.transactions.init(clock, &init, &mut cluster.producer_ids)
}
