//! FindCoordinator (10).

use klamm_protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::{Cluster, Operation, Origin, Resource};

/// The key is the id of a group.
const GROUP: i8 = 0;
/// The key is a transactional id.
const TRANSACTION: i8 = 1;

/// Since this version a request has several keys.
const BATCHED: i16 = 4;

impl Serve for FindCoordinatorRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<FindCoordinatorResponse> {
        Reply::Now(if origin.version < BATCHED {
            single(cluster.find_coordinator(origin, self.key_type, &self.key))
        } else {
            let find = |key| cluster.find_coordinator(origin, self.key_type, key);
            let coordinators = self.coordinator_keys.iter().map(find).collect();
            FindCoordinatorResponse {
                error_message: None,
                coordinators,
                ..FindCoordinatorResponse::default()
            }
        })
    }

    fn refuse(&self, error: ErrorCode) -> FindCoordinatorResponse {
        single(unknown(&self.key, error, error.name()))
    }

    fn refuse_in(&self, version: i16, error: ErrorCode) -> FindCoordinatorResponse {
        if version < BATCHED {
            return self.refuse(error);
        }
        let coordinators = self.coordinator_keys.iter().map(|key| unknown(key, error, error.name()));
        FindCoordinatorResponse { coordinators: coordinators.collect(), ..FindCoordinatorResponse::default() }
    }
}

fn unknown(key: &Str, error: ErrorCode, message: Option<&str>) -> Coordinator {
    Coordinator {
        key: key.clone(),
        node_id: -1,
        port: -1,
        error_code: error,
        error_message: message.map(Str::copy_of),
        ..Coordinator::default()
    }
}

/// In the form of a response to one key.
fn single(found: Coordinator) -> FindCoordinatorResponse {
    FindCoordinatorResponse {
        error_code: found.error_code,
        // The text of no error.
        error_message: if found.error_code.is_ok() { Some("NONE".into()) } else { found.error_message },
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..FindCoordinatorResponse::default()
    }
}

impl Cluster {
    fn find_coordinator(&self, origin: &Origin, key_type: i8, key: &Str) -> Coordinator {
        let (resource, error) = match key_type {
            GROUP => (Resource::Group, ErrorCode::GROUP_AUTHORIZATION_FAILED),
            _ => (Resource::TransactionalId, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        };
        if !self.may(origin, resource, key, Operation::Describe) {
            return unknown(key, error, error.name());
        }
        let coordinator = match key_type {
            GROUP => self.groups.coordinator(key),
            TRANSACTION => self.transactions.coordinator(key),
            _ => {
                // As a broker answers for kinds of coordinators that it does not have.
                let message = "This broker coordinates groups and transactions only, no share groups.";
                return unknown(key, ErrorCode::INVALID_REQUEST, Some(message));
            }
        };
        match coordinator.and_then(|id| self.broker(id)) {
            Some(broker) => Coordinator {
                key: key.clone(),
                node_id: broker.node.id,
                host: broker.node.host.clone(),
                port: broker.node.port,
                error_code: ErrorCode::NONE,
                error_message: Some(Str::default()),
                ..Coordinator::default()
            },
            None => {
                unknown(key, ErrorCode::COORDINATOR_NOT_AVAILABLE, Some("The coordinator is not available."))
            }
        }
    }
}
