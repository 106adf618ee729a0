//! ListGroups (16).

use klamm_protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::groups::{Group, Kind};
use crate::cluster::{Cluster, Operation, Origin, Resource};

/// The type of groups whose members assign among themselves.
const CLASSIC: &str = "classic";
/// The type of groups to whose members the coordinator assigns, and the protocol type of all consumers.
const CONSUMER: &str = "consumer";

impl Serve for ListGroupsRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<ListGroupsResponse> {
        if cluster.groups.is_any_loading(origin.now, origin.broker) {
            return Reply::Now(self.refuse(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
        }
        let is_own = |group: &&Group| cluster.groups.coordinator(&group.id) == Some(origin.broker);
        let is_known = |group: &Str| cluster.may(origin, Resource::Group, group, Operation::Describe);
        let groups = cluster.groups.iter().filter(is_own).map(listed).filter(|group| {
            let fits_filters =
                fits(&self.states_filter, &group.group_state) && fits(&self.types_filter, &group.group_type);
            fits_filters && is_known(&group.group_id)
        });
        Reply::Now(ListGroupsResponse { groups: groups.collect(), ..ListGroupsResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> ListGroupsResponse {
        ListGroupsResponse { error_code: error, ..ListGroupsResponse::default() }
    }
}

/// An empty filter lets everything through.
fn fits(filter: &[Str], value: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
}

fn listed(group: &Group) -> ListedGroup {
    ListedGroup {
        group_id: group.id.clone(),
        protocol_type: match &group.kind {
            Kind::Classic(group) => group.now.protocol_type.clone().unwrap_or_default(),
            Kind::Consumer(_) => Str::from_static(CONSUMER),
        },
        group_state: Str::from_static(group.state_name()),
        group_type: Str::from_static(match &group.kind {
            Kind::Classic(_) => CLASSIC,
            Kind::Consumer(_) => CONSUMER,
        }),
        ..ListedGroup::default()
    }
}
