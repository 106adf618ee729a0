//! Every served request in every version of every release gets an answer that can be said in that version.

use std::time::Duration;

use bytes::Bytes;
use klamm_protocol::messages::api_versions::ApiVersionsRequest;
use klamm_protocol::messages::produce::ProduceRequest;
use klamm_protocol::messages::{
    AnyRequest, AnyResponse, RequestHeader, ResponseHeader, request_header_version, response_header_version,
};
use klamm_protocol::wire::{Reader, Writer};
use klamm_protocol::{ApiKey, ErrorCode, Message};
use klamm_sim::Release;
use klamm_sim::cluster::{Fault, Output};

use crate::wire::Wire;

const THROTTLED: Duration = Duration::from_millis(5);

macro_rules! requests {
    ($($api:ident => $module:ident::$request:ident,)*) => {
        fn default_of(api: ApiKey) -> AnyRequest {
            match api {
                $(ApiKey::$api => klamm_protocol::messages::$module::$request::default().into(),)*
                other => panic!("{other:?} is served, and not in this list"),
            }
        }
    };
}

requests! {
    FETCH => fetch::FetchRequest,
    LIST_OFFSETS => list_offsets::ListOffsetsRequest,
    METADATA => metadata::MetadataRequest,
    OFFSET_COMMIT => offset_commit::OffsetCommitRequest,
    OFFSET_FETCH => offset_fetch::OffsetFetchRequest,
    FIND_COORDINATOR => find_coordinator::FindCoordinatorRequest,
    JOIN_GROUP => join_group::JoinGroupRequest,
    HEARTBEAT => heartbeat::HeartbeatRequest,
    LEAVE_GROUP => leave_group::LeaveGroupRequest,
    SYNC_GROUP => sync_group::SyncGroupRequest,
    DESCRIBE_GROUPS => describe_groups::DescribeGroupsRequest,
    LIST_GROUPS => list_groups::ListGroupsRequest,
    DELETE_GROUPS => delete_groups::DeleteGroupsRequest,
    OFFSET_DELETE => offset_delete::OffsetDeleteRequest,
    SASL_HANDSHAKE => sasl_handshake::SaslHandshakeRequest,
    SASL_AUTHENTICATE => sasl_authenticate::SaslAuthenticateRequest,
    API_VERSIONS => api_versions::ApiVersionsRequest,
    CREATE_TOPICS => create_topics::CreateTopicsRequest,
    DELETE_TOPICS => delete_topics::DeleteTopicsRequest,
    ADD_PARTITIONS_TO_TXN => add_partitions_to_txn::AddPartitionsToTxnRequest,
    ADD_OFFSETS_TO_TXN => add_offsets_to_txn::AddOffsetsToTxnRequest,
    END_TXN => end_txn::EndTxnRequest,
    TXN_OFFSET_COMMIT => txn_offset_commit::TxnOffsetCommitRequest,
    WRITE_TXN_MARKERS => write_txn_markers::WriteTxnMarkersRequest,
    DESCRIBE_PRODUCERS => describe_producers::DescribeProducersRequest,
    DESCRIBE_TRANSACTIONS => describe_transactions::DescribeTransactionsRequest,
    LIST_TRANSACTIONS => list_transactions::ListTransactionsRequest,
    INIT_PRODUCER_ID => init_producer_id::InitProducerIdRequest,
    OFFSET_FOR_LEADER_EPOCH => offset_for_leader_epoch::OffsetForLeaderEpochRequest,
    ALTER_CONFIGS => alter_configs::AlterConfigsRequest,
    INCREMENTAL_ALTER_CONFIGS => incremental_alter_configs::IncrementalAlterConfigsRequest,
    DELETE_RECORDS => delete_records::DeleteRecordsRequest,
    ELECT_LEADERS => elect_leaders::ElectLeadersRequest,
    DESCRIBE_LOG_DIRS => describe_log_dirs::DescribeLogDirsRequest,
    DESCRIBE_CONFIGS => describe_configs::DescribeConfigsRequest,
    CREATE_PARTITIONS => create_partitions::CreatePartitionsRequest,
    DESCRIBE_CLUSTER => describe_cluster::DescribeClusterRequest,
    CONSUMER_GROUP_HEARTBEAT => consumer_group_heartbeat::ConsumerGroupHeartbeatRequest,
    CONSUMER_GROUP_DESCRIBE => consumer_group_describe::ConsumerGroupDescribeRequest,
    DESCRIBE_TOPIC_PARTITIONS => describe_topic_partitions::DescribeTopicPartitionsRequest,
}

fn minimal(api: ApiKey, version: i16) -> AnyRequest {
    if api == ApiKey::API_VERSIONS && version >= 3 {
        let name = || "test".into();
        let software = ApiVersionsRequest {
            client_software_name: name(),
            client_software_version: name(),
            ..ApiVersionsRequest::default()
        };
        return software.into();
    }
    if api == ApiKey::PRODUCE {
        return ProduceRequest { acks: 1, ..ProduceRequest::default() }.into();
    }
    default_of(api)
}

fn ask(wire: &mut Wire, api: ApiKey, version: i16) -> AnyResponse {
    let connection = wire.connect(1);
    let mut writer = Writer::new();
    let header = RequestHeader {
        request_api_key: api.0,
        request_api_version: version,
        correlation_id: 1,
        ..RequestHeader::default()
    };
    header.encode(&mut writer, request_header_version(api, version).unwrap()).unwrap();
    minimal(api, version).encode(&mut writer, version).unwrap();
    wire.cluster.handle_request(wire.now, connection, writer.into_bytes());
    // Old brokers hold back what they answer to throttled clients.
    wire.advance(THROTTLED);
    let output = wire.cluster.poll_output();
    let Some(Output::Response { segments, .. }) = output else { panic!("{api:?} v{version}: {output:?}") };
    wire.cluster.handle_closed(connection);
    let mut reader = Reader::new(Bytes::from(segments.concat()).slice(4..));
    ResponseHeader::decode(&mut reader, response_header_version(api, version).unwrap()).unwrap();
    let response = AnyResponse::decode(api, version, &mut reader).unwrap();
    reader.finish().unwrap();
    response
}

#[test]
fn all_answer() {
    for release in Release::all() {
        let mut wire = Wire::with_topic(1, &release.to_string());
        let response = wire.ask(1, 0, &ApiVersionsRequest::default());
        assert!(response.api_keys.len() >= 5);
        for range in response.api_keys {
            let api = ApiKey(range.api_key);
            // From 4.0 on brokers advertise versions of Produce that they do not understand.
            let is_pretence = api == ApiKey::PRODUCE && release.to_string().starts_with('4');
            let min_version = if is_pretence { 3 } else { range.min_version };
            for version in min_version..=range.max_version {
                ask(&mut wire, api, version);
                for fault in [
                    Fault::error(ErrorCode::REQUEST_TIMED_OUT),
                    Fault::error_after(ErrorCode::REQUEST_TIMED_OUT),
                    Fault::throttle(THROTTLED),
                    Fault::unknown_tag(),
                ] {
                    wire.cluster.inject(wire.now, &fault.api(api));
                    ask(&mut wire, api, version);
                }
            }
        }
    }
}
