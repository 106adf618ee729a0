//! What the brokers do with requests: one file an API.

mod api_versions;
mod cluster_description;
mod configs;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_topics;
mod describe_groups;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leader_epoch;
mod leave_group;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod produce;
mod sync_group;
mod topic_partitions;

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::messages::{
    RequestHeader, ResponseHeader, request_header_version, response_header_version,
};
use klamm_protocol::wire::{Reader, Writer};
use klamm_protocol::{ApiKey, ErrorCode, Message, Request, Str};

use super::faults::Fault;
use super::links::{Call, ConnectionId};
use super::{Cluster, Origin};
use crate::Release;
use crate::observe::Refusal;

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
pub(crate) trait Serve: Request {
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
    INIT_PRODUCER_ID => klamm_protocol::messages::init_producer_id::InitProducerIdRequest,
    OFFSET_FOR_LEADER_EPOCH =>
        klamm_protocol::messages::offset_for_leader_epoch::OffsetForLeaderEpochRequest,
    DESCRIBE_CONFIGS => klamm_protocol::messages::describe_configs::DescribeConfigsRequest,
    CREATE_PARTITIONS => klamm_protocol::messages::create_partitions::CreatePartitionsRequest,
    DELETE_GROUPS => klamm_protocol::messages::delete_groups::DeleteGroupsRequest,
    OFFSET_DELETE => klamm_protocol::messages::offset_delete::OffsetDeleteRequest,
    DESCRIBE_CLUSTER => klamm_protocol::messages::describe_cluster::DescribeClusterRequest,
    DESCRIBE_TOPIC_PARTITIONS =>
        klamm_protocol::messages::describe_topic_partitions::DescribeTopicPartitionsRequest,
}

/// The APIs of a release, as far as they are served here: key, lowest and highest version.
pub(crate) fn advertised(release: Release) -> Vec<(i16, i16, i16)> {
    let served = |key: i16| SERVED.iter().find(|api| api.0 == key);
    let range = |(key, min, max): (i16, i16, i16)| {
        let known = served(key)?.max_version()?;
        Some((key, min, max.min(known)))
    };
    release.apis().filter_map(range).collect()
}

impl Cluster {
    /// Serves one frame.
    pub(super) fn serve(&mut self, now: Instant, connection: ConnectionId, broker: i32, frame: Bytes) {
        let (call, client_id, reader) = match self.accept(broker, frame) {
            Ok(accepted) => accepted,
            Err(reason) => return self.reject(connection, reason),
        };
        let origin = Origin { now, connection, broker, version: call.version };
        self.links.begin(connection, call, client_id.as_ref());
        if call.fault == Some(Fault::DropBefore) {
            return self.close(connection);
        }
        if !self.supports(call.api, call.version) {
            return self.refuse_version(&origin, call.api);
        }
        self.dispatch(&origin, call, reader);
    }

    /// Reads the header, if this is a request that the broker knows.
    fn accept(&mut self, broker: i32, frame: Bytes) -> Result<(Call, Option<Str>, Reader), Refusal> {
        let Some(&[a, b, c, d]) = frame.first_chunk() else { return Err(Refusal::TooShort) };
        let (api, version) = (ApiKey(i16::from_be_bytes([a, b])), i16::from_be_bytes([c, d]));
        if self.apis.iter().all(|(key, ..)| *key != api.0) {
            return Err(Refusal::UnknownApi(api));
        }
        let mut reader = Reader::new(frame);
        let header_version = request_header_version(api, version).ok_or(Refusal::UnknownApi(api))?;
        let header =
            RequestHeader::decode(&mut reader, header_version).map_err(|_| Refusal::Header(api, version))?;
        let fault = self.faults.take(api, broker);
        let call = Call { api, version, correlation_id: header.correlation_id, fault };
        Ok((call, header.client_id, reader))
    }

    fn supports(&self, api: ApiKey, version: i16) -> bool {
        // From 4.0 on these versions are advertised for the sake of a client, and not understood (KAFKA-18659).
        if api == ApiKey::PRODUCE && version < 3 && self.config.release.at_least([4, 0, 0]) {
            return false;
        }
        self.apis.iter().any(|(key, min, max)| *key == api.0 && (*min..=*max).contains(&version))
    }

    fn run<R: Serve>(&mut self, origin: &Origin, call: Call, mut reader: Reader) {
        let connection = origin.connection;
        let request = match R::decode(&mut reader, call.version) {
            Ok(request) => request,
            Err(error) => {
                return self.reject(connection, Refusal::Body(call.api, call.version, error.to_string()));
            }
        };
        if reader.finish().is_err() {
            return self.reject(connection, Refusal::TrailingBytes(call.api, call.version));
        }
        if let Some(Fault::Error(error)) = call.fault {
            return self.respond(origin.now, connection, &request.refuse_in(call.version, error));
        }
        match request.serve(self, origin) {
            Reply::Now(response) => self.respond(origin.now, connection, &response),
            Reply::Later => {}
            Reply::Nothing => self.links.finish(connection),
            Reply::Close => self.close(connection),
        }
    }

    /// Answers the request that the connection works on.
    pub(super) fn respond<M: Message>(&mut self, now: Instant, connection: ConnectionId, response: &M) {
        let Some(call) = self.links.call(connection) else { return };
        let Some(segments) = encode(call, response) else {
            return self.close(connection);
        };
        match call.fault {
            Some(Fault::DropAfter) => self.close(connection),
            Some(Fault::Delay(delay)) => self.links.send_at(connection, now + delay, segments),
            _ => self.links.send(connection, segments),
        }
    }
}

/// A response as it goes over the wire, the four bytes of its length first. `None`: it cannot be said in the
/// version of the request.
fn encode<M: Message>(call: Call, response: &M) -> Option<Vec<Bytes>> {
    let mut writer = Writer::new();
    let header = ResponseHeader { correlation_id: call.correlation_id, ..ResponseHeader::default() };
    header.encode(&mut writer, response_header_version(call.api, call.version)?).ok()?;
    response.encode(&mut writer, call.version).ok()?;
    let length = i32::try_from(writer.len()).ok()?;
    let mut segments = vec![Bytes::copy_from_slice(&length.to_be_bytes())];
    segments.extend(writer.into_segments());
    Some(segments)
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
