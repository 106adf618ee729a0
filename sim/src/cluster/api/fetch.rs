//! Fetch (1) with sessions (KIP-227).

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_protocol::messages::fetch::{
    AbortedTransaction, EpochEndOffset, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse,
    LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use klamm_protocol::{ErrorCode, RecordBytes, Str, Uuid};

use super::{Reply, Serve};
use crate::cluster::fetching::{Fetch, Found};
use crate::cluster::session::{Context, Header, Key, SessionError, Told, TopicRef, Wanted};
use crate::cluster::{Cluster, Origin};

/// From this version on topics are named by id.
const FIRST_WITH_TOPIC_ID: i16 = 13;
/// From this version on a response says who leads instead (KIP-951).
const FIRST_WITH_LEADER: i16 = 16;

impl Serve for FetchRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<FetchResponse> {
        let by_topic_id = origin.version >= FIRST_WITH_TOPIC_ID;
        let header = Header { id: self.session_id, epoch: self.session_epoch, by_topic_id };
        let wanted = wanted(&self, by_topic_id);
        let forgotten = forgotten(&self, by_topic_id);
        if !matches!(self.isolation_level, 0 | 1) {
            return Reply::Now(failed(ErrorCode::UNKNOWN_SERVER_ERROR));
        }
        let Some(sessions) = cluster.sessions(origin.broker) else { return Reply::Close };
        let context = match sessions.request(origin.now, header, &wanted, &forgotten) {
            Ok(context) => context,
            Err(error) => return Reply::Now(failed(session_error(error))),
        };
        let partitions = match context {
            Context::Incremental(id) => sessions.wanted(id),
            Context::Full | Context::Sessionless => wanted,
        };
        if cluster.is_throttled(origin.connection) {
            // As a real broker does once it knows how much it would have sent.
            let session_id = if let Context::Incremental(id) = context { id } else { 0 };
            return Reply::Now(FetchResponse { session_id, ..FetchResponse::default() });
        }
        let mut fetch = Fetch {
            broker: origin.broker,
            version: origin.version,
            context,
            partitions,
            min_bytes: u64::try_from(self.min_bytes).unwrap_or(0),
            max_bytes: if origin.version < 3 { i32::MAX } else { self.max_bytes },
            committed_only: self.isolation_level == 1,
            rack: Some(Str::copy_of(&self.rack_id))
                .filter(|rack| cluster.config.rack_aware_reads && !rack.is_empty()),
            available: 0,
        };
        cluster.know_transactions(origin.now, &fetch);
        let available = cluster.available(origin, &fetch);
        let wait = u64::try_from(self.max_wait_ms).unwrap_or(0);
        let fault = cluster.fetch_fault(origin.connection);
        let is_told_at_once = fault.is_some_and(|fault| fault.is_told_at_once(&fetch.partitions));
        if fetch.feed(available) || is_told_at_once || wait == 0 || fetch.partitions.is_empty() {
            return Reply::Now(cluster.answer_fetch(origin, &fetch));
        }
        cluster.park(origin.connection, origin.now + Duration::from_millis(wait), fetch);
        Reply::Later
    }

    fn refuse(&self, error: ErrorCode) -> FetchResponse {
        let refused = |topic: &FetchTopic| FetchableTopicResponse {
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            partitions: topic.partitions.iter().map(|wanted| nothing(wanted.partition, error)).collect(),
            ..FetchableTopicResponse::default()
        };
        FetchResponse { responses: self.topics.iter().map(refused).collect(), ..failed(error) }
    }
}

fn topic_ref(name: &Str, id: Uuid, by_topic_id: bool) -> TopicRef {
    if by_topic_id { TopicRef::Id(id) } else { TopicRef::Name(name.clone()) }
}

/// What a request asks for; of a partition that it names more than once, what it asks for last.
fn wanted(request: &FetchRequest, by_topic_id: bool) -> Vec<(Key, Wanted)> {
    let mut all = Vec::new();
    let mut places = BTreeMap::new();
    for topic in &request.topics {
        let name = topic_ref(&topic.topic, topic.topic_id, by_topic_id);
        for partition in &topic.partitions {
            let wanted = Wanted {
                offset: partition.fetch_offset,
                max_bytes: partition.partition_max_bytes,
                // Any negative one is none.
                leader_epoch: partition.current_leader_epoch.max(-1),
                last_epoch: partition.last_fetched_epoch,
            };
            let key = (name.clone(), partition.partition);
            let place = *places.entry(key.clone()).or_insert(all.len());
            match all.get_mut(place) {
                Some((_, known)) => *known = wanted,
                None => all.push((key, wanted)),
            }
        }
    }
    all
}

fn forgotten(request: &FetchRequest, by_topic_id: bool) -> Vec<Key> {
    let keys = request.forgotten_topics_data.iter().flat_map(|topic| {
        let name = topic_ref(&topic.topic, topic.topic_id, by_topic_id);
        topic.partitions.iter().map(move |partition| (name.clone(), *partition))
    });
    keys.collect()
}

const fn session_error(error: SessionError) -> ErrorCode {
    match error {
        SessionError::NotFound => ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
        SessionError::InvalidEpoch => ErrorCode::INVALID_FETCH_SESSION_EPOCH,
        SessionError::TopicIds => ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR,
    }
}

fn failed(error: ErrorCode) -> FetchResponse {
    FetchResponse { error_code: error, ..FetchResponse::default() }
}

fn nothing(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        aborted_transactions: None,
        records: Some(RecordBytes::default()),
        preferred_read_replica: -1,
        ..PartitionData::default()
    }
}

fn data(partition_index: i32, found: Found, committed_only: bool) -> PartitionData {
    let diverging = found.diverging.map(|(epoch, end_offset)| EpochEndOffset {
        epoch,
        end_offset,
        ..EpochEndOffset::default()
    });
    PartitionData {
        high_watermark: found.high_watermark,
        last_stable_offset: found.last_stable_offset,
        log_start_offset: found.log_start_offset,
        diverging_epoch: diverging.unwrap_or_default(),
        aborted_transactions: committed_only.then(|| found.aborted.into_iter().map(aborted).collect()),
        records: Some(found.records),
        preferred_read_replica: found.preferred.unwrap_or(-1),
        ..nothing(partition_index, ErrorCode::NONE)
    }
}

fn aborted((producer_id, first_offset): (i64, i64)) -> AbortedTransaction {
    AbortedTransaction { producer_id, first_offset, ..AbortedTransaction::default() }
}

fn told(partition: &PartitionData) -> Told {
    Told {
        high_watermark: partition.high_watermark,
        log_start_offset: partition.log_start_offset,
        is_error: !partition.error_code.is_ok(),
        has_records: partition.records.as_ref().is_some_and(|records| !records.is_empty()),
        must_tell: partition.diverging_epoch.epoch >= 0 || partition.preferred_read_replica >= 0,
    }
}

impl Cluster {
    /// The response to a fetch, with what can be read now.
    pub(crate) fn answer_fetch(&mut self, origin: &Origin, fetch: &Fetch) -> FetchResponse {
        let mut response = FetchResponse::default();
        let mut opened = Vec::new();
        let fault = self.fetch_fault(origin.connection);
        self.know_transactions(origin.now, fetch);
        let read = self.read(origin, fetch);
        let mut results: Vec<_> = fetch.partitions.iter().zip(read).collect();
        // What nobody knows comes last.
        results.sort_by_key(|(_, result)| result.as_ref().is_err_and(|error| is_unknown(*error)));
        for ((key, wanted), result) in results {
            let result = fault.iter().fold(result, |result, fault| fault.happen(key, result));
            let partition = match result {
                Ok(found) => data(key.1, found, fetch.committed_only),
                Err(error) => self.unreadable(origin, key, error, &mut response),
            };
            let told = told(&partition);
            let is_new = match fetch.context {
                Context::Incremental(id) => {
                    self.sessions(origin.broker).is_none_or(|sessions| sessions.tell(id, key, &told))
                }
                Context::Full => {
                    opened.push((key.clone(), *wanted, told));
                    true
                }
                Context::Sessionless => true,
            };
            if is_new {
                add(&mut response, &key.0, partition);
            }
        }
        response.session_id = match fetch.context {
            Context::Incremental(id) => id,
            Context::Sessionless => 0,
            Context::Full => {
                let by_topic_id = origin.version >= FIRST_WITH_TOPIC_ID;
                let open = |sessions: &mut crate::cluster::session::Sessions| {
                    sessions.open(origin.now, by_topic_id, &opened)
                };
                self.sessions(origin.broker).map_or(0, open)
            }
        };
        response
    }

    /// The response for a partition that cannot be read; it says who leads the partition if that is why.
    fn unreadable(
        &self,
        origin: &Origin,
        key: &Key,
        error: ErrorCode,
        response: &mut FetchResponse,
    ) -> PartitionData {
        let mut result = nothing(key.1, error);
        if is_unknown(error) {
            result.aborted_transactions = Some(Vec::new());
        }
        let names_leader =
            matches!(error, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH);
        let partition = self.topic_seen(origin.broker, &key.0).and_then(|topic| topic.partition(key.1));
        let Some(partition) = partition.filter(|_| names_leader && origin.version >= FIRST_WITH_LEADER)
        else {
            return result;
        };
        let (leader_id, leader_epoch) = (partition.leader, partition.leader_epoch);
        result.current_leader = LeaderIdAndEpoch { leader_id, leader_epoch, ..LeaderIdAndEpoch::default() };
        if let Some(broker) = self.node_seen(origin.broker, leader_id)
            && response.node_endpoints.iter().all(|endpoint| endpoint.node_id != leader_id)
        {
            response.node_endpoints.push(NodeEndpoint {
                node_id: leader_id,
                host: broker.host.clone(),
                port: broker.port,
                ..NodeEndpoint::default()
            });
        }
        result
    }
}

const fn is_unknown(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID)
}

/// Puts a partition into the response, beside the one before if that is of the same topic.
fn add(response: &mut FetchResponse, topic: &TopicRef, partition: PartitionData) {
    let (name, topic_id) = match topic {
        TopicRef::Name(name) => (name.clone(), Uuid::ZERO),
        TopicRef::Id(id) => (Str::default(), *id),
    };
    match response.responses.last_mut() {
        Some(last) if last.topic == name && last.topic_id == topic_id => last.partitions.push(partition),
        _ => response.responses.push(FetchableTopicResponse {
            topic: name,
            topic_id,
            partitions: vec![partition],
            ..FetchableTopicResponse::default()
        }),
    }
}
