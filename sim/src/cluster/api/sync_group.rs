//! SyncGroup (14).

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::{Reply, Serve};
use crate::cluster::groups::Sync;
use crate::cluster::{Cluster, Origin};

impl Serve for SyncGroupRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<SyncGroupResponse> {
        // Since version 5 the protocol has to be told (KIP-559).
        if origin.version >= 5 && (self.protocol_type.is_none() || self.protocol_name.is_none()) {
            return Reply::Now(self.refuse(ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
        }
        if self.group_id.is_empty() {
            return Reply::Now(self.refuse(ErrorCode::INVALID_GROUP_ID));
        }
        if let Err(error) = cluster.groups.check_coordinator(origin, &self.group_id) {
            return Reply::Now(self.refuse(error));
        }
        let sync = Sync { connection: origin.connection, request: self };
        cluster.groups.sync(origin.now, &cluster.topics, &sync);
        Reply::Later
    }

    fn refuse(&self, error: ErrorCode) -> SyncGroupResponse {
        SyncGroupResponse { error_code: error, ..SyncGroupResponse::default() }
    }
}
