//! ConsumerGroupHeartbeat (68), KIP-848.

use klamm_protocol::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::groups::{Assignor, Beat, Refused};
use crate::cluster::{Cluster, Origin};

/// Since this version clients make the ids of members.
const CLIENT_MADE_IDS: i16 = 1;
/// The epoch of a member that leaves.
const LEAVING: i32 = -1;
/// The epoch of a static member that leaves for a while.
const LEAVING_FOR_A_WHILE: i32 = -2;

impl Serve for ConsumerGroupHeartbeatRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<ConsumerGroupHeartbeatResponse> {
        let served = serve(&self, cluster, origin);
        Reply::Now(served.unwrap_or_else(|refused| ConsumerGroupHeartbeatResponse {
            error_message: refused.message.map(Str::from),
            ..self.refuse(refused.code)
        }))
    }

    fn refuse(&self, error: ErrorCode) -> ConsumerGroupHeartbeatResponse {
        ConsumerGroupHeartbeatResponse { error_code: error, ..ConsumerGroupHeartbeatResponse::default() }
    }
}

fn serve(
    request: &ConsumerGroupHeartbeatRequest,
    cluster: &mut Cluster,
    origin: &Origin,
) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
    if !cluster.has_consumer_groups() {
        return Err(Refused::by(ErrorCode::UNSUPPORTED_VERSION));
    }
    check(request, origin.version)?;
    cluster.groups.check_coordinator(origin, &request.group_id).map_err(Refused::by)?;
    let client_id = cluster.links.client_id(origin.connection);
    if request.member_epoch < 0 {
        return cluster.groups.leave_consumer_group(origin.now, &cluster.topics, request);
    }
    let beat = Beat { request, client_id: &client_id };
    cluster.groups.consumer_heartbeat(origin.now, &cluster.topics, &beat)
}

fn check(request: &ConsumerGroupHeartbeatRequest, version: i16) -> Result<(), Refused> {
    let invalid = |message: &str| Err(Refused::new(ErrorCode::INVALID_REQUEST, message));
    let is_blank = |text: &Option<Str>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    let needs_id = version >= CLIENT_MADE_IDS || request.member_epoch > 0 || request.member_epoch == LEAVING;
    if needs_id && request.member_id.trim().is_empty() {
        return invalid("The id of the member is missing.");
    }
    if request.group_id.trim().is_empty() {
        return invalid("The id of the group is missing.");
    }
    if is_blank(&request.instance_id) || is_blank(&request.rack_id) {
        return invalid("A name of the instance and a rack must not be empty.");
    }
    match request.member_epoch {
        0 if request.rebalance_timeout_ms == -1 => {
            return invalid("Who joins has to say a rebalance timeout.");
        }
        0 if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) => {
            return invalid("Who joins must not own partitions.");
        }
        0 if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() => {
            return invalid("Who joins has to say what it wants.");
        }
        LEAVING_FOR_A_WHILE if request.instance_id.is_none() => {
            return invalid("Only a static member can leave for a while.");
        }
        epoch if epoch < LEAVING_FOR_A_WHILE => return invalid("There is no such epoch."),
        _ => {}
    }
    match &request.server_assignor {
        Some(name) if Assignor::by_name(name).is_none() => {
            let message = format!("There is no assignor {name}, only uniform and range.");
            Err(Refused::new(ErrorCode::UNSUPPORTED_ASSIGNOR, message))
        }
        _ => Ok(()),
    }
}
