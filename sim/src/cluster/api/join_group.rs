//! JoinGroup (11).

use klamm_core::Instant;
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::groups::Join;
use crate::cluster::{Cluster, ConnectionId, Origin};

/// Since this version a response need not name a protocol.
const NULLABLE_PROTOCOL: i16 = 7;

impl Serve for JoinGroupRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<JoinGroupResponse> {
        if self.group_id.is_empty() {
            return Reply::Now(self.refuse_in(origin.version, ErrorCode::INVALID_GROUP_ID));
        }
        if let Err(error) = cluster.groups.check_coordinator(origin, &self.group_id) {
            let mut response = self.refuse_in(origin.version, error);
            if cluster.config.release.at_least([4, 0, 0]) {
                response.member_id = Str::default();
            }
            return Reply::Now(response);
        }
        let join = Join {
            connection: origin.connection,
            client_id: cluster.links.client_id(origin.connection),
            needs_member_id: origin.version >= 4,
            can_skip_assignment: origin.version >= 9,
            request: self,
        };
        cluster.groups.join(origin.now, &cluster.topics, &join);
        Reply::Later
    }

    fn refuse(&self, error: ErrorCode) -> JoinGroupResponse {
        JoinGroupResponse {
            error_code: error,
            member_id: self.member_id.clone(),
            ..JoinGroupResponse::default()
        }
    }

    fn refuse_in(&self, version: i16, error: ErrorCode) -> JoinGroupResponse {
        let protocol_name = (version < NULLABLE_PROTOCOL).then(Str::default);
        JoinGroupResponse { protocol_name, ..self.refuse(error) }
    }
}

impl Cluster {
    /// Answers a join in the version in which it came.
    pub(in crate::cluster) fn respond_to_join(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        mut response: JoinGroupResponse,
    ) {
        let version = self.links.call(connection).map_or(0, |call| call.version);
        if version < NULLABLE_PROTOCOL {
            response.protocol_name.get_or_insert_with(Str::default);
        }
        self.respond(now, connection, &response);
    }
}
