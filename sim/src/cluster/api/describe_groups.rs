//! DescribeGroups (15).

use klamm_protocol::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use klamm_protocol::{ErrorCode, Str};

use super::{NO_OPERATIONS, Reply, Serve, operations};
use crate::Release;
use crate::cluster::groups::{ClassicGroup, Group, State};
use crate::cluster::{Cluster, Operation, Origin, Resource};

/// Where members seem to come from: the machine knows no addresses.
pub(super) const CLIENT_HOST: &str = "/127.0.0.1";

impl Serve for DescribeGroupsRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<DescribeGroupsResponse> {
        let operations = if self.include_authorized_operations {
            group_operations(cluster.config.release)
        } else {
            NO_OPERATIONS
        };
        let since_4_0 = cluster.config.release.at_least([4, 0, 0]);
        let describe = |id: &Str| {
            let described = describe(cluster, origin, id);
            let is_there = described.error_code.is_ok();
            DescribedGroup {
                authorized_operations: if is_there || !since_4_0 { operations } else { NO_OPERATIONS },
                ..described
            }
        };
        let groups = self.groups.iter().map(describe).collect();
        Reply::Now(DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> DescribeGroupsResponse {
        let groups = self.groups.iter().map(|id| failed(id, error)).collect();
        DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() }
    }
}

/// What anybody may do with a group: read, delete, describe, and since 4.0 both of its configuration.
pub(super) const fn group_operations(release: Release) -> i32 {
    if release.at_least([4, 0, 0]) { operations(&[3, 6, 8, 10, 11]) } else { operations(&[3, 6, 8]) }
}

fn failed(id: &Str, error: ErrorCode) -> DescribedGroup {
    DescribedGroup { group_id: id.clone(), error_code: error, ..DescribedGroup::default() }
}

fn describe(cluster: &Cluster, origin: &Origin, id: &Str) -> DescribedGroup {
    if !cluster.may(origin, Resource::Group, id, Operation::Describe) {
        return failed(id, ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    if let Err(error) = cluster.groups.check_coordinator(origin, id) {
        return failed(id, error);
    }
    let known = cluster.groups.get(id).and_then(Group::classic);
    let Some(group) = known else { return dead(origin.version, id) };
    let protocol = group.now.protocol.as_ref().filter(|_| group.state == State::Stable);
    DescribedGroup {
        group_id: id.clone(),
        group_state: Str::from_static(group.state.name()),
        protocol_type: group.now.protocol_type.clone().unwrap_or_default(),
        protocol_data: protocol.cloned().unwrap_or_default(),
        members: members(group, protocol),
        ..DescribedGroup::default()
    }
}

/// A group that does not exist: until version 6 that was no error.
fn dead(version: i16, id: &Str) -> DescribedGroup {
    let mut dead = DescribedGroup {
        group_id: id.clone(),
        group_state: Str::from_static("Dead"),
        ..DescribedGroup::default()
    };
    if version >= 6 {
        dead.error_code = ErrorCode::GROUP_ID_NOT_FOUND;
        dead.error_message = Some(Str::from(format!("Group {id} not found.")));
    }
    dead
}

/// Outside of a generation members have said nothing; what they have got is what they got last.
fn members(group: &ClassicGroup, protocol: Option<&Str>) -> Vec<DescribedGroupMember> {
    let members = group.now.members.values().map(|member| DescribedGroupMember {
        member_id: member.id.clone(),
        group_instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: Str::from_static(CLIENT_HOST),
        member_metadata: protocol.map(|name| member.metadata(name)).unwrap_or_default(),
        member_assignment: member.assignment.clone(),
        ..DescribedGroupMember::default()
    });
    members.collect()
}
