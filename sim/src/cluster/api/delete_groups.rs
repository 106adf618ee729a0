//! DeleteGroups (42).

use std::collections::BTreeSet;

use klamm_protocol::messages::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::{Cluster, Operation, Origin, Resource};

impl Serve for DeleteGroupsRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<DeleteGroupsResponse> {
        let mut named = BTreeSet::new();
        let once = self.groups_names.iter().filter(|id| named.insert(*id));
        let results = once.map(|id| {
            if !cluster.may(origin, Resource::Group, id, Operation::Delete) {
                return result(id, ErrorCode::GROUP_AUTHORIZATION_FAILED);
            }
            let checked = cluster.groups.check_coordinator(origin, id);
            let deleted = checked.and_then(|()| cluster.groups.delete(id));
            result(id, deleted.err().unwrap_or(ErrorCode::NONE))
        });
        Reply::Now(DeleteGroupsResponse { results: results.collect(), ..DeleteGroupsResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> DeleteGroupsResponse {
        let results = self.groups_names.iter().map(|id| result(id, error)).collect();
        DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() }
    }
}

fn result(id: &Str, error: ErrorCode) -> DeletableGroupResult {
    DeletableGroupResult { group_id: id.clone(), error_code: error, ..DeletableGroupResult::default() }
}
