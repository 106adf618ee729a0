//! Every API: its number, versions and audience.

use crate::api_key::{ApiEntry, ApiKey, Audience};

impl ApiKey {
    /// `Produce`, key 0.
    pub const PRODUCE: Self = Self(0);
    /// `Fetch`, key 1.
    pub const FETCH: Self = Self(1);
    /// `ListOffsets`, key 2.
    pub const LIST_OFFSETS: Self = Self(2);
    /// `Metadata`, key 3.
    pub const METADATA: Self = Self(3);
    /// `LeaderAndIsr`, key 4.
    pub const LEADER_AND_ISR: Self = Self(4);
    /// `StopReplica`, key 5.
    pub const STOP_REPLICA: Self = Self(5);
    /// `UpdateMetadata`, key 6.
    pub const UPDATE_METADATA: Self = Self(6);
    /// `ControlledShutdown`, key 7.
    pub const CONTROLLED_SHUTDOWN: Self = Self(7);
    /// `OffsetCommit`, key 8.
    pub const OFFSET_COMMIT: Self = Self(8);
    /// `OffsetFetch`, key 9.
    pub const OFFSET_FETCH: Self = Self(9);
    /// `FindCoordinator`, key 10.
    pub const FIND_COORDINATOR: Self = Self(10);
    /// `JoinGroup`, key 11.
    pub const JOIN_GROUP: Self = Self(11);
    /// `Heartbeat`, key 12.
    pub const HEARTBEAT: Self = Self(12);
    /// `LeaveGroup`, key 13.
    pub const LEAVE_GROUP: Self = Self(13);
    /// `SyncGroup`, key 14.
    pub const SYNC_GROUP: Self = Self(14);
    /// `DescribeGroups`, key 15.
    pub const DESCRIBE_GROUPS: Self = Self(15);
    /// `ListGroups`, key 16.
    pub const LIST_GROUPS: Self = Self(16);
    /// `SaslHandshake`, key 17.
    pub const SASL_HANDSHAKE: Self = Self(17);
    /// `ApiVersions`, key 18.
    pub const API_VERSIONS: Self = Self(18);
    /// `CreateTopics`, key 19.
    pub const CREATE_TOPICS: Self = Self(19);
    /// `DeleteTopics`, key 20.
    pub const DELETE_TOPICS: Self = Self(20);
    /// `DeleteRecords`, key 21.
    pub const DELETE_RECORDS: Self = Self(21);
    /// `InitProducerId`, key 22.
    pub const INIT_PRODUCER_ID: Self = Self(22);
    /// `OffsetForLeaderEpoch`, key 23.
    pub const OFFSET_FOR_LEADER_EPOCH: Self = Self(23);
    /// `AddPartitionsToTxn`, key 24.
    pub const ADD_PARTITIONS_TO_TXN: Self = Self(24);
    /// `AddOffsetsToTxn`, key 25.
    pub const ADD_OFFSETS_TO_TXN: Self = Self(25);
    /// `EndTxn`, key 26.
    pub const END_TXN: Self = Self(26);
    /// `WriteTxnMarkers`, key 27.
    pub const WRITE_TXN_MARKERS: Self = Self(27);
    /// `TxnOffsetCommit`, key 28.
    pub const TXN_OFFSET_COMMIT: Self = Self(28);
    /// `DescribeAcls`, key 29.
    pub const DESCRIBE_ACLS: Self = Self(29);
    /// `CreateAcls`, key 30.
    pub const CREATE_ACLS: Self = Self(30);
    /// `DeleteAcls`, key 31.
    pub const DELETE_ACLS: Self = Self(31);
    /// `DescribeConfigs`, key 32.
    pub const DESCRIBE_CONFIGS: Self = Self(32);
    /// `AlterConfigs`, key 33.
    pub const ALTER_CONFIGS: Self = Self(33);
    /// `AlterReplicaLogDirs`, key 34.
    pub const ALTER_REPLICA_LOG_DIRS: Self = Self(34);
    /// `DescribeLogDirs`, key 35.
    pub const DESCRIBE_LOG_DIRS: Self = Self(35);
    /// `SaslAuthenticate`, key 36.
    pub const SASL_AUTHENTICATE: Self = Self(36);
    /// `CreatePartitions`, key 37.
    pub const CREATE_PARTITIONS: Self = Self(37);
    /// `CreateDelegationToken`, key 38.
    pub const CREATE_DELEGATION_TOKEN: Self = Self(38);
    /// `RenewDelegationToken`, key 39.
    pub const RENEW_DELEGATION_TOKEN: Self = Self(39);
    /// `ExpireDelegationToken`, key 40.
    pub const EXPIRE_DELEGATION_TOKEN: Self = Self(40);
    /// `DescribeDelegationToken`, key 41.
    pub const DESCRIBE_DELEGATION_TOKEN: Self = Self(41);
    /// `DeleteGroups`, key 42.
    pub const DELETE_GROUPS: Self = Self(42);
    /// `ElectLeaders`, key 43.
    pub const ELECT_LEADERS: Self = Self(43);
    /// `IncrementalAlterConfigs`, key 44.
    pub const INCREMENTAL_ALTER_CONFIGS: Self = Self(44);
    /// `AlterPartitionReassignments`, key 45.
    pub const ALTER_PARTITION_REASSIGNMENTS: Self = Self(45);
    /// `ListPartitionReassignments`, key 46.
    pub const LIST_PARTITION_REASSIGNMENTS: Self = Self(46);
    /// `OffsetDelete`, key 47.
    pub const OFFSET_DELETE: Self = Self(47);
    /// `DescribeClientQuotas`, key 48.
    pub const DESCRIBE_CLIENT_QUOTAS: Self = Self(48);
    /// `AlterClientQuotas`, key 49.
    pub const ALTER_CLIENT_QUOTAS: Self = Self(49);
    /// `DescribeUserScramCredentials`, key 50.
    pub const DESCRIBE_USER_SCRAM_CREDENTIALS: Self = Self(50);
    /// `AlterUserScramCredentials`, key 51.
    pub const ALTER_USER_SCRAM_CREDENTIALS: Self = Self(51);
    /// `Vote`, key 52.
    pub const VOTE: Self = Self(52);
    /// `BeginQuorumEpoch`, key 53.
    pub const BEGIN_QUORUM_EPOCH: Self = Self(53);
    /// `EndQuorumEpoch`, key 54.
    pub const END_QUORUM_EPOCH: Self = Self(54);
    /// `DescribeQuorum`, key 55.
    pub const DESCRIBE_QUORUM: Self = Self(55);
    /// `AlterPartition`, key 56.
    pub const ALTER_PARTITION: Self = Self(56);
    /// `UpdateFeatures`, key 57.
    pub const UPDATE_FEATURES: Self = Self(57);
    /// `Envelope`, key 58.
    pub const ENVELOPE: Self = Self(58);
    /// `FetchSnapshot`, key 59.
    pub const FETCH_SNAPSHOT: Self = Self(59);
    /// `DescribeCluster`, key 60.
    pub const DESCRIBE_CLUSTER: Self = Self(60);
    /// `DescribeProducers`, key 61.
    pub const DESCRIBE_PRODUCERS: Self = Self(61);
    /// `BrokerRegistration`, key 62.
    pub const BROKER_REGISTRATION: Self = Self(62);
    /// `BrokerHeartbeat`, key 63.
    pub const BROKER_HEARTBEAT: Self = Self(63);
    /// `UnregisterBroker`, key 64.
    pub const UNREGISTER_BROKER: Self = Self(64);
    /// `DescribeTransactions`, key 65.
    pub const DESCRIBE_TRANSACTIONS: Self = Self(65);
    /// `ListTransactions`, key 66.
    pub const LIST_TRANSACTIONS: Self = Self(66);
    /// `AllocateProducerIds`, key 67.
    pub const ALLOCATE_PRODUCER_IDS: Self = Self(67);
    /// `ConsumerGroupHeartbeat`, key 68.
    pub const CONSUMER_GROUP_HEARTBEAT: Self = Self(68);
    /// `ConsumerGroupDescribe`, key 69.
    pub const CONSUMER_GROUP_DESCRIBE: Self = Self(69);
    /// `ControllerRegistration`, key 70.
    pub const CONTROLLER_REGISTRATION: Self = Self(70);
    /// `GetTelemetrySubscriptions`, key 71.
    pub const GET_TELEMETRY_SUBSCRIPTIONS: Self = Self(71);
    /// `PushTelemetry`, key 72.
    pub const PUSH_TELEMETRY: Self = Self(72);
    /// `AssignReplicasToDirs`, key 73.
    pub const ASSIGN_REPLICAS_TO_DIRS: Self = Self(73);
    /// `ListConfigResources`, key 74.
    pub const LIST_CONFIG_RESOURCES: Self = Self(74);
    /// `DescribeTopicPartitions`, key 75.
    pub const DESCRIBE_TOPIC_PARTITIONS: Self = Self(75);
    /// `ShareGroupHeartbeat`, key 76.
    pub const SHARE_GROUP_HEARTBEAT: Self = Self(76);
    /// `ShareGroupDescribe`, key 77.
    pub const SHARE_GROUP_DESCRIBE: Self = Self(77);
    /// `ShareFetch`, key 78.
    pub const SHARE_FETCH: Self = Self(78);
    /// `ShareAcknowledge`, key 79.
    pub const SHARE_ACKNOWLEDGE: Self = Self(79);
    /// `AddRaftVoter`, key 80.
    pub const ADD_RAFT_VOTER: Self = Self(80);
    /// `RemoveRaftVoter`, key 81.
    pub const REMOVE_RAFT_VOTER: Self = Self(81);
    /// `UpdateRaftVoter`, key 82.
    pub const UPDATE_RAFT_VOTER: Self = Self(82);
    /// `InitializeShareGroupState`, key 83.
    pub const INITIALIZE_SHARE_GROUP_STATE: Self = Self(83);
    /// `ReadShareGroupState`, key 84.
    pub const READ_SHARE_GROUP_STATE: Self = Self(84);
    /// `WriteShareGroupState`, key 85.
    pub const WRITE_SHARE_GROUP_STATE: Self = Self(85);
    /// `DeleteShareGroupState`, key 86.
    pub const DELETE_SHARE_GROUP_STATE: Self = Self(86);
    /// `ReadShareGroupStateSummary`, key 87.
    pub const READ_SHARE_GROUP_STATE_SUMMARY: Self = Self(87);
    /// `StreamsGroupHeartbeat`, key 88.
    pub const STREAMS_GROUP_HEARTBEAT: Self = Self(88);
    /// `StreamsGroupDescribe`, key 89.
    pub const STREAMS_GROUP_DESCRIBE: Self = Self(89);
    /// `DescribeShareGroupOffsets`, key 90.
    pub const DESCRIBE_SHARE_GROUP_OFFSETS: Self = Self(90);
    /// `AlterShareGroupOffsets`, key 91.
    pub const ALTER_SHARE_GROUP_OFFSETS: Self = Self(91);
    /// `DeleteShareGroupOffsets`, key 92.
    pub const DELETE_SHARE_GROUP_OFFSETS: Self = Self(92);
    /// `StreamsGroupTopologyDescriptionUpdate`, key 93.
    pub const STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE: Self = Self(93);
    /// `UnregisterController`, key 94.
    pub const UNREGISTER_CONTROLLER: Self = Self(94);
}

/// The table, indexed by key.
pub(crate) const TABLE: &[ApiEntry] = &[
    ApiEntry {
        name: "Produce",
        min_version: 0,
        max_version: 13,
        max_stable_version: 13,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "Fetch",
        min_version: 0,
        max_version: 18,
        max_stable_version: 18,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ListOffsets",
        min_version: 0,
        max_version: 11,
        max_stable_version: 11,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "Metadata",
        min_version: 0,
        max_version: 13,
        max_stable_version: 13,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "LeaderAndIsr",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "StopReplica",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "UpdateMetadata",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "ControlledShutdown",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "OffsetCommit",
        min_version: 0,
        max_version: 10,
        max_stable_version: 10,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "OffsetFetch",
        min_version: 0,
        max_version: 10,
        max_stable_version: 10,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "FindCoordinator",
        min_version: 0,
        max_version: 6,
        max_stable_version: 6,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "JoinGroup",
        min_version: 0,
        max_version: 9,
        max_stable_version: 9,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "Heartbeat",
        min_version: 0,
        max_version: 4,
        max_stable_version: 4,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "LeaveGroup",
        min_version: 0,
        max_version: 5,
        max_stable_version: 5,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "SyncGroup",
        min_version: 0,
        max_version: 5,
        max_stable_version: 5,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DescribeGroups",
        min_version: 0,
        max_version: 6,
        max_stable_version: 6,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ListGroups",
        min_version: 0,
        max_version: 5,
        max_stable_version: 5,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "SaslHandshake",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ApiVersions",
        min_version: 0,
        max_version: 5,
        max_stable_version: 5,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "CreateTopics",
        min_version: 0,
        max_version: 7,
        max_stable_version: 7,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DeleteTopics",
        min_version: 0,
        max_version: 6,
        max_stable_version: 6,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DeleteRecords",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "InitProducerId",
        min_version: 0,
        max_version: 6,
        max_stable_version: 6,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "OffsetForLeaderEpoch",
        min_version: 0,
        max_version: 4,
        max_stable_version: 4,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "AddPartitionsToTxn",
        min_version: 0,
        max_version: 5,
        max_stable_version: 5,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "AddOffsetsToTxn",
        min_version: 0,
        max_version: 4,
        max_stable_version: 4,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "EndTxn",
        min_version: 0,
        max_version: 5,
        max_stable_version: 5,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "WriteTxnMarkers",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "TxnOffsetCommit",
        min_version: 0,
        max_version: 6,
        max_stable_version: 6,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DescribeAcls",
        min_version: 0,
        max_version: 3,
        max_stable_version: 3,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "CreateAcls",
        min_version: 0,
        max_version: 3,
        max_stable_version: 3,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DeleteAcls",
        min_version: 0,
        max_version: 3,
        max_stable_version: 3,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DescribeConfigs",
        min_version: 0,
        max_version: 4,
        max_stable_version: 4,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "AlterConfigs",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "AlterReplicaLogDirs",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DescribeLogDirs",
        min_version: 0,
        max_version: 5,
        max_stable_version: 5,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "SaslAuthenticate",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "CreatePartitions",
        min_version: 0,
        max_version: 3,
        max_stable_version: 3,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "CreateDelegationToken",
        min_version: 0,
        max_version: 3,
        max_stable_version: 3,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "RenewDelegationToken",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ExpireDelegationToken",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DescribeDelegationToken",
        min_version: 0,
        max_version: 3,
        max_stable_version: 3,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DeleteGroups",
        min_version: 0,
        max_version: 3,
        max_stable_version: 3,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ElectLeaders",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "IncrementalAlterConfigs",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "AlterPartitionReassignments",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ListPartitionReassignments",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "OffsetDelete",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DescribeClientQuotas",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "AlterClientQuotas",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DescribeUserScramCredentials",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "AlterUserScramCredentials",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "Vote",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "BeginQuorumEpoch",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "EndQuorumEpoch",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "DescribeQuorum",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "AlterPartition",
        min_version: 0,
        max_version: 3,
        max_stable_version: 3,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "UpdateFeatures",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "Envelope",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "FetchSnapshot",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DescribeCluster",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DescribeProducers",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "BrokerRegistration",
        min_version: 0,
        max_version: 4,
        max_stable_version: 4,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "BrokerHeartbeat",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "UnregisterBroker",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DescribeTransactions",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ListTransactions",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "AllocateProducerIds",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "ConsumerGroupHeartbeat",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ConsumerGroupDescribe",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ControllerRegistration",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "GetTelemetrySubscriptions",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "PushTelemetry",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "AssignReplicasToDirs",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ListConfigResources",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DescribeTopicPartitions",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ShareGroupHeartbeat",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ShareGroupDescribe",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ShareFetch",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "ShareAcknowledge",
        min_version: 0,
        max_version: 2,
        max_stable_version: 2,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "AddRaftVoter",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "RemoveRaftVoter",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "UpdateRaftVoter",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "InitializeShareGroupState",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "ReadShareGroupState",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "WriteShareGroupState",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "DeleteShareGroupState",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "ReadShareGroupStateSummary",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Cluster,
    },
    ApiEntry {
        name: "StreamsGroupHeartbeat",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "StreamsGroupDescribe",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DescribeShareGroupOffsets",
        min_version: 0,
        max_version: 1,
        max_stable_version: 1,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "AlterShareGroupOffsets",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "DeleteShareGroupOffsets",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "StreamsGroupTopologyDescriptionUpdate",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
    ApiEntry {
        name: "UnregisterController",
        min_version: 0,
        max_version: 0,
        max_stable_version: 0,
        audience: Audience::Clients,
    },
];
