//! DescribeCluster (60), KIP-700.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};

use super::{CLUSTER_OPERATIONS, NO_OPERATIONS, Reply, Serve};
use crate::cluster::replication::Node;
use crate::cluster::{Cluster, Origin};

/// Endpoint type "brokers" (KIP-919).
const BROKERS: i8 = 1;

impl Serve for DescribeClusterRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<DescribeClusterResponse> {
        if origin.version >= 1 && self.endpoint_type != BROKERS {
            let known = self.endpoint_type == 2;
            let error = if known {
                ErrorCode::MISMATCHED_ENDPOINT_TYPE
            } else {
                ErrorCode::UNSUPPORTED_ENDPOINT_TYPE
            };
            return Reply::Now(self.refuse(error));
        }
        let described = |broker: &Node| DescribeClusterBroker {
            broker_id: broker.id,
            host: broker.host.clone(),
            port: broker.port,
            rack: broker.rack.clone(),
            is_fenced: !broker.is_alive,
            ..DescribeClusterBroker::default()
        };
        let nodes = cluster.nodes_seen(origin.broker);
        let shown = nodes.into_iter().filter(|broker| broker.is_alive || self.include_fenced_brokers);
        let with_operations = self.include_cluster_authorized_operations;
        Reply::Now(DescribeClusterResponse {
            endpoint_type: BROKERS,
            cluster_id: cluster.id.clone(),
            controller_id: cluster.controller_seen(origin.broker),
            brokers: shown.map(described).collect(),
            cluster_authorized_operations: if with_operations { CLUSTER_OPERATIONS } else { NO_OPERATIONS },
            ..DescribeClusterResponse::default()
        })
    }

    fn refuse(&self, error: ErrorCode) -> DescribeClusterResponse {
        DescribeClusterResponse {
            error_code: error,
            error_message: error.name().map(Into::into),
            endpoint_type: BROKERS,
            ..DescribeClusterResponse::default()
        }
    }
}
