//! Who leads what, as clients learn it, and to whom they turn.

use std::collections::BTreeMap;

use klamm_core::Instant;
use klamm_protocol::messages::fetch::{FetchRequest, FetchResponse};
use klamm_protocol::messages::metadata::MetadataResponse;
use klamm_protocol::messages::produce::{ProduceRequest, ProduceResponse};
use klamm_protocol::{ErrorCode, Str, Uuid};

use super::findings::Findings;
use super::oracle::Oracle;
use super::{Bounds, Invariant};
use crate::observe::ClientId;

/// The first version of Metadata whose leader epochs are to be relied on.
const RELIABLE_EPOCHS: i16 = 9;

/// A partition, as one client knows it.
type Key = (ClientId, Uuid, i32);

/// What a client has learned.
#[derive(Clone, Debug)]
struct Learned {
    leader: i32,
    epoch: i32,
    at: Instant,
    /// Replicas from which the leader told to read: one for each rack in which a consumer of the client stands.
    replicas: Vec<i32>,
}

/// The epoch that a client used.
#[derive(Clone, Copy, Debug)]
struct Used {
    epoch: i32,
    at: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Leaders {
    learned: BTreeMap<Key, Learned>,
    used: BTreeMap<Key, Used>,
}

/// Who talks to whom.
pub(super) struct Talk<'a> {
    pub(super) client: ClientId,
    pub(super) broker: i32,
    /// The request may be an old one.
    pub(super) waited: bool,
    pub(super) bounds: &'a Bounds,
    pub(super) oracle: &'a Oracle,
    pub(super) findings: &'a mut Findings,
}

impl Talk<'_> {
    /// A partition's key; `None` if a name stands for several topics.
    fn key(&self, name: &Str, id: Uuid, partition: i32) -> Option<Key> {
        let topic_id = if id == Uuid::default() {
            self.oracle.topic_id(name).filter(|_| self.oracle.generations(name) == 1)?
        } else {
            id
        };
        Some((self.client, topic_id, partition))
    }

    fn name(&self, (_, topic_id, partition): Key) -> String {
        let name = self.oracle.topic_name(topic_id).map_or("an unknown topic", Str::as_str);
        format!("{name}-{partition}")
    }
}

impl Leaders {
    pub(super) fn metadata(&mut self, response: &MetadataResponse, version: i16, talk: &Talk<'_>) {
        let told = |epoch: i32| if version < RELIABLE_EPOCHS { -1 } else { epoch };
        for topic in response.topics.iter().filter(|topic| topic.error_code == ErrorCode::NONE) {
            let name = topic.name.clone().unwrap_or_default();
            for partition in &topic.partitions {
                if let Some(key) = talk.key(&name, topic.topic_id, partition.partition_index) {
                    self.learn(key, partition.leader_id, told(partition.leader_epoch), talk);
                }
            }
        }
    }

    pub(super) fn produce_response(&mut self, response: &ProduceResponse, talk: &Talk<'_>) {
        for topic in &response.responses {
            for partition in &topic.partition_responses {
                let leader = &partition.current_leader;
                let key = talk.key(&topic.name, topic.topic_id, partition.index);
                if let Some(key) = key.filter(|_| leader.leader_id >= 0) {
                    self.learn(key, leader.leader_id, leader.leader_epoch, talk);
                }
            }
        }
    }

    pub(super) fn fetch_response(&mut self, response: &FetchResponse, talk: &Talk<'_>) {
        for topic in &response.responses {
            for partition in &topic.partitions {
                let Some(key) = talk.key(&topic.topic, topic.topic_id, partition.partition_index) else {
                    continue;
                };
                let leader = &partition.current_leader;
                if leader.leader_id >= 0 {
                    self.learn(key, leader.leader_id, leader.leader_epoch, talk);
                }
                let replica = partition.preferred_read_replica;
                if let Some(learned) = self.learned.get_mut(&key).filter(|_| replica >= 0)
                    && !learned.replicas.contains(&replica)
                {
                    learned.replicas.push(replica);
                }
            }
        }
    }

    fn learn(&mut self, key: Key, leader: i32, epoch: i32, talk: &Talk<'_>) {
        let new = Learned { leader, epoch, at: talk.findings.now.at, replicas: Vec::new() };
        let known = self.learned.entry(key).or_insert_with(|| new.clone());
        let differs = leader != known.leader;
        let newer =
            epoch > known.epoch || epoch == known.epoch && differs && (epoch == -1 || known.leader < 0);
        if epoch == -1 && known.epoch >= 0 && differs {
            // Nobody can tell which of the two is newer.
            known.leader = -1;
        } else if newer {
            // It may read on where it was told to, until that replica refuses.
            *known = Learned { replicas: std::mem::take(&mut known.replicas), ..new };
        }
    }

    pub(super) fn produce(&self, request: &ProduceRequest, talk: &mut Talk<'_>) {
        for topic in &request.topic_data {
            for partition in &topic.partition_data {
                if let Some(key) = talk.key(&topic.name, topic.topic_id, partition.index) {
                    self.is_leader(key, "a produce request", talk);
                }
            }
        }
    }

    pub(super) fn fetch(&mut self, request: &FetchRequest, talk: &mut Talk<'_>) {
        for topic in &request.topics {
            for partition in &topic.partitions {
                let Some(key) = talk.key(&topic.topic, topic.topic_id, partition.partition) else { continue };
                self.is_leader(key, "a fetch", talk);
                if partition.current_leader_epoch >= 0 {
                    self.epoch_rises(key, partition.current_leader_epoch, talk);
                }
            }
        }
    }

    fn is_leader(&self, key: Key, what: &str, talk: &mut Talk<'_>) {
        let Some(learned) = self.learned.get(&key) else { return };
        // Of a connection that was asked for before it was known to whom it leads.
        let is_unknown = talk.broker < 0;
        let is_right = is_unknown
            || learned.leader == talk.broker
            || learned.leader < 0
            || learned.replicas.contains(&talk.broker);
        if is_right || talk.waited || talk.findings.now.at <= learned.at + talk.bounds.handover {
            return;
        }
        let what = format!(
            "client {} sent {what} for {} to broker {}; since {} it knew that broker {} leads, in epoch {}",
            talk.client.0,
            talk.name(key),
            talk.broker,
            learned.at,
            learned.leader,
            learned.epoch
        );
        talk.findings.add(Invariant::NewLeader, what);
    }

    fn epoch_rises(&mut self, key: Key, epoch: i32, talk: &mut Talk<'_>) {
        let now = talk.findings.now.at;
        let used = self.used.entry(key).or_insert(Used { epoch, at: now });
        if epoch > used.epoch {
            *used = Used { epoch, at: now };
        } else if epoch < used.epoch && !talk.waited && now > used.at + talk.bounds.handover {
            let (last, at) = (used.epoch, used.at);
            let what = format!(
                "client {} fetched {} from broker {} under epoch {epoch}, and had used {last} since {at}",
                talk.client.0,
                talk.name(key),
                talk.broker
            );
            talk.findings.add(Invariant::EpochsRise, what);
        }
    }
}
