//! DescribeLogDirs (35), KIP-113: how large the logs of a broker are.

use std::collections::BTreeMap;

use klamm_protocol::messages::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
    DescribeLogDirsTopic,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::{Cluster, Origin};

/// Where the logs would be, if they were in files.
const LOG_DIR: &str = "/var/lib/kafka/data";
/// How much room there is: not known.
const UNKNOWN_BYTES: i64 = -1;

impl Serve for DescribeLogDirsRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<DescribeLogDirsResponse> {
        let is_wanted = |name: &str, index: i32| {
            self.topics.as_ref().is_none_or(|topics| {
                topics.iter().any(|topic| topic.topic == name && topic.partitions.contains(&index))
            })
        };
        let mut topics: BTreeMap<Str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
        for topic in cluster.topics.iter() {
            let name = &topic.image.name;
            for (partition, partition_index) in topic.partitions.iter().zip(0..) {
                let replica = partition.replica(origin.broker);
                let Some(replica) = replica.filter(|_| is_wanted(name, partition_index)) else { continue };
                let lag = replica.high_watermark.saturating_sub(replica.log.end_offset());
                topics.entry(name.clone()).or_default().push(DescribeLogDirsPartition {
                    partition_index,
                    partition_size: i64::try_from(replica.log.len()).unwrap_or(i64::MAX),
                    offset_lag: lag.max(0),
                    ..DescribeLogDirsPartition::default()
                });
            }
        }
        let described =
            |(name, partitions)| DescribeLogDirsTopic { name, partitions, ..DescribeLogDirsTopic::default() };
        let dir = DescribeLogDirsResult {
            log_dir: Str::from_static(LOG_DIR),
            topics: topics.into_iter().map(described).collect(),
            total_bytes: UNKNOWN_BYTES,
            usable_bytes: UNKNOWN_BYTES,
            ..DescribeLogDirsResult::default()
        };
        Reply::Now(DescribeLogDirsResponse { results: vec![dir], ..DescribeLogDirsResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> DescribeLogDirsResponse {
        DescribeLogDirsResponse { error_code: error, ..DescribeLogDirsResponse::default() }
    }
}
