//! Heartbeat (12).

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use super::{Reply, Serve};
use crate::cluster::groups::Claim;
use crate::cluster::{Cluster, Origin};

impl Serve for HeartbeatRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<HeartbeatResponse> {
        let result = beat(&self, cluster, origin);
        Reply::Now(self.refuse(result.err().unwrap_or(ErrorCode::NONE)))
    }

    fn refuse(&self, error: ErrorCode) -> HeartbeatResponse {
        HeartbeatResponse { error_code: error, ..HeartbeatResponse::default() }
    }
}

fn beat(request: &HeartbeatRequest, cluster: &mut Cluster, origin: &Origin) -> Result<(), ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    match cluster.groups.check_coordinator(origin, &request.group_id) {
        // Nobody can say yet whether the member is one.
        Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => return Ok(()),
        checked => checked?,
    }
    let claim = Claim {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref(),
        generation: request.generation_id,
    };
    cluster.groups.heartbeat(origin.now, &cluster.topics, &request.group_id, &claim)
}
