//! Which answers ask the client to pause (KIP-219).

use klamm_protocol::messages::AnyResponse;

/// How long the broker asks the client to send nothing, in milliseconds; 0 if it does not.
///
/// Older versions carry the field as well, but there the broker has already delayed the answer.
pub(super) fn millis(response: &AnyResponse, version: i16) -> i32 {
    macro_rules! table {
        ($($name:ident $since:literal,)*) => {
            match response {
                $(AnyResponse::$name(response) if version >= $since => response.throttle_time_ms,)*
                _ => 0,
            }
        };
    }
    table! {
        Produce 6, Fetch 8, ListOffsets 3, Metadata 6, OffsetCommit 4, OffsetFetch 4, FindCoordinator 2,
        JoinGroup 3, Heartbeat 2, LeaveGroup 2, SyncGroup 2, DescribeGroups 2, ListGroups 2, ApiVersions 2,
        CreateTopics 3, DeleteTopics 2, DeleteRecords 1, InitProducerId 1, OffsetForLeaderEpoch 2,
        AddPartitionsToTxn 1, AddOffsetsToTxn 1, EndTxn 1, TxnOffsetCommit 1, DescribeAcls 1, CreateAcls 1,
        DeleteAcls 1, DescribeConfigs 2, AlterConfigs 1, AlterReplicaLogDirs 1, DescribeLogDirs 1,
        CreatePartitions 1, CreateDelegationToken 1, RenewDelegationToken 1, ExpireDelegationToken 1,
        DescribeDelegationToken 1, DeleteGroups 1, ElectLeaders 0, IncrementalAlterConfigs 0,
        AlterPartitionReassignments 0, ListPartitionReassignments 0, OffsetDelete 0, DescribeClientQuotas 0,
        AlterClientQuotas 0, DescribeUserScramCredentials 0, AlterUserScramCredentials 0, UpdateFeatures 0,
        DescribeCluster 0, DescribeProducers 0, DescribeTransactions 0, ListTransactions 0,
        ConsumerGroupHeartbeat 0, ConsumerGroupDescribe 0, GetTelemetrySubscriptions 0, PushTelemetry 0,
        ListConfigResources 0, DescribeTopicPartitions 0, ShareGroupHeartbeat 0, ShareGroupDescribe 0,
        ShareFetch 0, ShareAcknowledge 0,
    }
}
