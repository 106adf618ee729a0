//! LeaveGroup (13).

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};

use super::{Reply, Serve};
use crate::cluster::{Cluster, Origin};

/// Since this version a request has several members.
const BATCHED: i16 = 3;

impl Serve for LeaveGroupRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<LeaveGroupResponse> {
        if self.group_id.is_empty() {
            return Reply::Now(self.refuse(ErrorCode::INVALID_GROUP_ID));
        }
        if let Err(error) = cluster.groups.check_coordinator(origin, &self.group_id) {
            return Reply::Now(self.refuse(error));
        }
        if origin.version < BATCHED {
            let member = MemberIdentity { member_id: self.member_id.clone(), ..MemberIdentity::default() };
            let results = cluster.groups.leave(origin.now, &cluster.topics, &self.group_id, &[member]);
            let error = results.into_iter().find_map(Result::err).unwrap_or(ErrorCode::NONE);
            return Reply::Now(self.refuse(error));
        }
        let results = cluster.groups.leave(origin.now, &cluster.topics, &self.group_id, &self.members);
        let members = self.members.iter().zip(results).map(|(member, result)| MemberResponse {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            error_code: result.err().unwrap_or(ErrorCode::NONE),
            ..MemberResponse::default()
        });
        Reply::Now(LeaveGroupResponse { members: members.collect(), ..LeaveGroupResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> LeaveGroupResponse {
        LeaveGroupResponse { error_code: error, ..LeaveGroupResponse::default() }
    }
}
