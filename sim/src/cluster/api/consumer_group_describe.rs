//! ConsumerGroupDescribe (69), KIP-848.

use klamm_protocol::messages::consumer_group_describe::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup,
};
use klamm_protocol::{ErrorCode, Str};

use super::describe_groups::{CLIENT_HOST, group_operations};
use super::{Reply, Serve};
use crate::cluster::{Cluster, Operation, Origin, Resource};

impl Serve for ConsumerGroupDescribeRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<ConsumerGroupDescribeResponse> {
        if !cluster.has_consumer_groups() {
            return Reply::Now(self.refuse(ErrorCode::UNSUPPORTED_VERSION));
        }
        let mut groups: Vec<_> = self.group_ids.iter().map(|id| describe(cluster, origin, id)).collect();
        if self.include_authorized_operations {
            for group in groups.iter_mut().filter(|group| group.error_code.is_ok()) {
                group.authorized_operations = group_operations(cluster.config.release);
            }
        }
        Reply::Now(ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> ConsumerGroupDescribeResponse {
        let groups = self.group_ids.iter().map(|id| failed(id, error, None)).collect();
        ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() }
    }
}

fn failed(id: &Str, error: ErrorCode, message: Option<String>) -> DescribedGroup {
    DescribedGroup {
        group_id: id.clone(),
        error_code: error,
        error_message: message.map(Str::from),
        ..DescribedGroup::default()
    }
}

fn describe(cluster: &Cluster, origin: &Origin, id: &Str) -> DescribedGroup {
    if !cluster.may(origin, Resource::Group, id, Operation::Describe) {
        return failed(id, ErrorCode::GROUP_AUTHORIZATION_FAILED, None);
    }
    if id.is_empty() {
        return failed(id, ErrorCode::INVALID_GROUP_ID, None);
    }
    if let Err(error) = cluster.groups.check_coordinator(origin, id) {
        return failed(id, error, None);
    }
    let known = cluster.groups.get(id);
    match known.map(|group| group.consumer()) {
        Some(Some(group)) => group.describe(&cluster.topics, CLIENT_HOST),
        Some(None) => {
            let message = format!("Group {id} is no consumer group.");
            failed(id, ErrorCode::GROUP_ID_NOT_FOUND, Some(message))
        }
        None => failed(id, ErrorCode::GROUP_ID_NOT_FOUND, Some(format!("There is no group {id}."))),
    }
}
