//! What the brokers do with requests: one file an API.

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_configs;
mod answers;
mod api_versions;
mod blame;
mod cluster_description;
mod configs;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_transactions;
mod elect_leaders;
mod end_txn;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leader_epoch;
mod leave_group;
mod list_groups;
mod list_offsets;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod parts;
mod produce;
mod respond;
mod strike;
mod sync_group;
mod topic_partitions;
mod txn_offset_commit;
mod write_txn_markers;

use std::any::Any;

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::messages::{RequestHeader, request_header_version};
use klamm_protocol::wire::Reader;
use klamm_protocol::{ApiKey, ErrorCode, Message, Request, Str};

pub(crate) use answers::Answer;
pub(crate) use parts::Parts;
pub(in crate::cluster) use respond::encode;

use super::links::{Call, ConnectionId};
use super::{Cluster, Origin};
use crate::Release;
use crate::observe::Refusal;

/// No request is longer (`socket.request.max.bytes`).
const MAX_REQUEST_BYTES: usize = 100 << 20;

/// What becomes of a request.
pub(crate) enum Reply<T> {
    Now(T),
    /// It is parked with its connection.
    Later,
    /// There is no response (`acks=0`).
    Nothing,
    /// The broker closes the connection.
    Close,
}

/// A request that brokers understand.
pub(crate) trait Serve: Any + Parts + Request<Response: Answer> {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<Self::Response>;

    /// The response that refuses the request as a whole with an error.
    fn refuse(&self, error: ErrorCode) -> Self::Response;

    /// The same, where the form of the response depends on the version of the request.
    fn refuse_in(&self, _version: i16, error: ErrorCode) -> Self::Response {
        self.refuse(error)
    }
}

macro_rules! apis {
    ($($api:ident => $request:path,)*) => {
        /// The APIs that have a file here.
        const SERVED: &[ApiKey] = &[$(ApiKey::$api),*];

        impl Cluster {
            fn dispatch(&mut self, origin: &Origin, call: Call, reader: Reader) {
                match call.api {
                    $(ApiKey::$api => self.run::<$request>(origin, call, reader),)*
                    _ => self.close(origin.connection),
                }
            }
        }
    };
}

apis! {
    PRODUCE => klamm_protocol::messages::produce::ProduceRequest,
    FETCH => klamm_protocol::messages::fetch::FetchRequest,
    LIST_OFFSETS => klamm_protocol::messages::list_offsets::ListOffsetsRequest,
    METADATA => klamm_protocol::messages::metadata::MetadataRequest,
    OFFSET_COMMIT => klamm_protocol::messages::offset_commit::OffsetCommitRequest,
    OFFSET_FETCH => klamm_protocol::messages::offset_fetch::OffsetFetchRequest,
    FIND_COORDINATOR => klamm_protocol::messages::find_coordinator::FindCoordinatorRequest,
    JOIN_GROUP => klamm_protocol::messages::join_group::JoinGroupRequest,
    HEARTBEAT => klamm_protocol::messages::heartbeat::HeartbeatRequest,
    LEAVE_GROUP => klamm_protocol::messages::leave_group::LeaveGroupRequest,
    SYNC_GROUP => klamm_protocol::messages::sync_group::SyncGroupRequest,
    DESCRIBE_GROUPS => klamm_protocol::messages::describe_groups::DescribeGroupsRequest,
    LIST_GROUPS => klamm_protocol::messages::list_groups::ListGroupsRequest,
    API_VERSIONS => klamm_protocol::messages::api_versions::ApiVersionsRequest,
    CREATE_TOPICS => klamm_protocol::messages::create_topics::CreateTopicsRequest,
    DELETE_TOPICS => klamm_protocol::messages::delete_topics::DeleteTopicsRequest,
    DELETE_RECORDS => klamm_protocol::messages::delete_records::DeleteRecordsRequest,
    INIT_PRODUCER_ID => klamm_protocol::messages::init_producer_id::InitProducerIdRequest,
    ADD_PARTITIONS_TO_TXN => klamm_protocol::messages::add_partitions_to_txn::AddPartitionsToTxnRequest,
    ADD_OFFSETS_TO_TXN => klamm_protocol::messages::add_offsets_to_txn::AddOffsetsToTxnRequest,
    END_TXN => klamm_protocol::messages::end_txn::EndTxnRequest,
    WRITE_TXN_MARKERS => klamm_protocol::messages::write_txn_markers::WriteTxnMarkersRequest,
    TXN_OFFSET_COMMIT => klamm_protocol::messages::txn_offset_commit::TxnOffsetCommitRequest,
    OFFSET_FOR_LEADER_EPOCH =>
        klamm_protocol::messages::offset_for_leader_epoch::OffsetForLeaderEpochRequest,
    DESCRIBE_CONFIGS => klamm_protocol::messages::describe_configs::DescribeConfigsRequest,
    ALTER_CONFIGS => klamm_protocol::messages::alter_configs::AlterConfigsRequest,
    DESCRIBE_LOG_DIRS => klamm_protocol::messages::describe_log_dirs::DescribeLogDirsRequest,
    CREATE_PARTITIONS => klamm_protocol::messages::create_partitions::CreatePartitionsRequest,
    DELETE_GROUPS => klamm_protocol::messages::delete_groups::DeleteGroupsRequest,
    ELECT_LEADERS => klamm_protocol::messages::elect_leaders::ElectLeadersRequest,
    INCREMENTAL_ALTER_CONFIGS =>
        klamm_protocol::messages::incremental_alter_configs::IncrementalAlterConfigsRequest,
    OFFSET_DELETE => klamm_protocol::messages::offset_delete::OffsetDeleteRequest,
    DESCRIBE_PRODUCERS => klamm_protocol::messages::describe_producers::DescribeProducersRequest,
    DESCRIBE_TRANSACTIONS => klamm_protocol::messages::describe_transactions::DescribeTransactionsRequest,
    LIST_TRANSACTIONS => klamm_protocol::messages::list_transactions::ListTransactionsRequest,
    DESCRIBE_CLUSTER => klamm_protocol::messages::describe_cluster::DescribeClusterRequest,
    CONSUMER_GROUP_HEARTBEAT =>
        klamm_protocol::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest,
    CONSUMER_GROUP_DESCRIBE =>
        klamm_protocol::messages::consumer_group_describe::ConsumerGroupDescribeRequest,
    DESCRIBE_TOPIC_PARTITIONS =>
        klamm_protocol::messages::describe_topic_partitions::DescribeTopicPartitionsRequest,
}

/// The APIs of a release, as far as they are served here: key, lowest and highest version.
pub(crate) fn advertised(release: Release) -> Vec<(i16, i16, i16)> {
    let served = |key: i16| SERVED.iter().find(|api| api.0 == key);
    let authentication = [ApiKey::SASL_HANDSHAKE, ApiKey::SASL_AUTHENTICATE];
    let range = |(key, min, max): (i16, i16, i16)| {
        let known = served(key).or_else(|| authentication.iter().find(|api| api.0 == key))?.max_version()?;
        Some((key, min, max.min(known)))
    };
    release.apis().filter_map(range).collect()
}

impl Cluster {
    /// Serves one frame.
    pub(super) fn serve(&mut self, now: Instant, connection: ConnectionId, broker: i32, frame: Bytes) {
        if self.expects_bare(connection) {
            return self.handle_bare(now, connection, &frame);
        }
        let (call, client_id, reader) = match self.accept(connection, frame) {
            Ok(accepted) => accepted,
            Err(reason) => return self.reject(connection, reason),
        };
        let origin = Origin { now, connection, broker, version: call.version };
        self.links.begin(connection, call, client_id.as_ref());
        match self.busy_until(&origin, call) {
            Some(at) => self.links.hold(connection, at, reader),
            None => self.start(&origin, call, reader),
        }
    }

    /// Looks at a request whose header has been read.
    pub(super) fn start(&mut self, origin: &Origin, call: Call, mut reader: Reader) {
        if !self.supports(origin.connection, call) {
            self.refuse_version(origin, call);
        } else if self.admits(origin, call, &mut reader) {
            self.dispatch(origin, call, reader);
        }
    }

    /// Reads the header, if this is a request that the broker knows.
    fn accept(&self, connection: ConnectionId, frame: Bytes) -> Result<(Call, Option<Str>, Reader), Refusal> {
        if frame.len() > MAX_REQUEST_BYTES {
            return Err(Refusal::TooLong(frame.len()));
        }
        let Some(&[a, b, c, d]) = frame.first_chunk() else { return Err(Refusal::TooShort) };
        let (api, version) = (ApiKey(i16::from_be_bytes([a, b])), i16::from_be_bytes([c, d]));
        let known = self.links.advertised(connection).and_then(|advertised| advertised.range(api.0));
        known.ok_or(Refusal::UnknownApi(api))?;
        let size = frame.len();
        let mut reader = Reader::new(frame);
        let header_version = request_header_version(api, version).ok_or(Refusal::UnknownApi(api))?;
        let header =
            RequestHeader::decode(&mut reader, header_version).map_err(|_| Refusal::Header(api, version))?;
        let call = Call { api, version, correlation_id: header.correlation_id, size };
        Ok((call, header.client_id, reader))
    }

    fn supports(&self, connection: ConnectionId, call: Call) -> bool {
        let Some(advertised) = self.links.advertised(connection) else { return false };
        // From 4.0 on these versions are advertised for the sake of a client, and not understood (KAFKA-18659).
        if call.api == ApiKey::PRODUCE && call.version < 3 && advertised.release.at_least([4, 0, 0]) {
            return false;
        }
        let range = advertised.range(call.api.0);
        range.is_some_and(|(_, min, max)| (min..=max).contains(&call.version))
    }

    fn run<R: Serve>(&mut self, origin: &Origin, call: Call, mut reader: Reader) {
        let connection = origin.connection;
        let mut request = match R::decode(&mut reader, call.version) {
            Ok(request) => request,
            Err(error) => {
                return self.reject(connection, Refusal::Body(call.api, call.version, error.to_string()));
            }
        };
        if reader.finish().is_err() {
            return self.reject(connection, Refusal::TrailingBytes(call.api, call.version));
        }
        let struck = self.strike(origin, call, &mut request);
        let reply = match struck.or_else(|| self.deny(origin, &mut request)) {
            Some(reply) => reply,
            None => {
                let reply = request.serve(self, origin);
                self.blame(origin, call, &reply);
                reply
            }
        };
        match reply {
            Reply::Now(response) => self.respond(origin.now, connection, &response),
            Reply::Later => {}
            Reply::Nothing => self.respond_nothing(origin.now, connection),
            Reply::Close => self.close(connection),
        }
    }
}

/// Before some version of each API a producer that was fenced was told that its epoch is invalid (KIP-588).
const fn as_fenced_before(first: i16, version: i16, error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::PRODUCER_FENCED if version < first => ErrorCode::INVALID_PRODUCER_EPOCH,
        error => error,
    }
}

/// The bits of operations, as in an authorized-operations field.
pub(crate) const fn operations(codes: &[u8]) -> i32 {
    let mut bits = 0;
    let mut index = 0;
    while index < codes.len() {
        bits |= 1 << codes[index];
        index += 1;
    }
    bits
}

/// What anybody may do with a topic: read, write, create, delete, alter, describe, and both of its configuration.
pub(crate) const TOPIC_OPERATIONS: i32 = operations(&[3, 4, 5, 6, 7, 8, 10, 11]);
/// What anybody may do with the cluster: create, alter, describe, act on it, both of its configuration, and write
/// idempotently.
pub(crate) const CLUSTER_OPERATIONS: i32 = operations(&[5, 7, 8, 9, 10, 11, 12]);
/// The field was not asked for.
pub(crate) const NO_OPERATIONS: i32 = i32::MIN;
