//! InitProducerId (22) for producers without transactions.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::{Reply, Serve};
use crate::cluster::{Cluster, Origin};
use crate::observe::ClusterEvent;

impl Serve for InitProducerIdRequest {
    fn serve(self, cluster: &mut Cluster, _: &Origin) -> Reply<InitProducerIdResponse> {
        if let Some(id) = &self.transactional_id {
            // There is no transaction coordinator; an empty id is wrong anywhere.
            let error =
                if id.is_empty() { ErrorCode::INVALID_REQUEST } else { ErrorCode::UNSUPPORTED_VERSION };
            return Reply::Now(self.refuse(error));
        }
        if (self.producer_id == -1) != (self.producer_epoch == -1) {
            return Reply::Now(self.refuse(ErrorCode::INVALID_REQUEST));
        }
        let producer_id = cluster.next_producer_id;
        cluster.next_producer_id += 1;
        // Only a fault has a new id begin anywhere else than at 0.
        let epoch = std::mem::take(&mut cluster.next_producer_epoch);
        cluster.events.tell(|| ClusterEvent::ProducerId { producer_id, epoch });
        Reply::Now(InitProducerIdResponse {
            producer_id,
            producer_epoch: epoch,
            ..InitProducerIdResponse::default()
        })
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
