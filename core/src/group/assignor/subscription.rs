//! What members of a classic group tell each other, and its forms on the wire.

use alloc::{collections::BTreeMap, vec::Vec};

use bytes::Bytes;
use klamm_protocol::{
    Ints, Message, Str,
    messages::consumer_protocol::{
        ConsumerProtocolAssignment, ConsumerProtocolSubscription, ConsumerProtocolSubscriptionTopicPartition,
        TopicPartition,
    },
    wire::{DecodeError, EncodeError, Reader, Writer},
};

use super::Joining;

/// The generation of a member that has none.
const NO_GENERATION: i32 = -1;

/// Some partitions of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicPartitions {
    /// The topic.
    pub topic: Str,
    /// The partitions' numbers.
    pub partitions: Ints,
}

impl TopicPartitions {
    /// Some partitions of a topic.
    #[must_use]
    pub fn new(topic: impl Into<Str>, partitions: impl Into<Ints>) -> Self {
        Self { topic: topic.into(), partitions: partitions.into() }
    }
}

/// Partitions in the order of their topics' names and their numbers, each once.
#[must_use]
pub fn sorted(partitions: impl IntoIterator<Item = (Str, i32)>) -> Vec<TopicPartitions> {
    let mut by_topic: BTreeMap<Str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        by_topic.entry(topic).or_default().push(partition);
    }
    let in_order = by_topic.into_iter().map(|(topic, mut partitions)| {
        partitions.sort_unstable();
        partitions.dedup();
        TopicPartitions::new(topic, partitions)
    });
    in_order.collect()
}

/// What a member says of itself when it joins (`ConsumerProtocolSubscription`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The topics that it wants.
    pub topics: Vec<Str>,
    /// What the assignor wants to be told; its form is the assignor's.
    pub user_data: Option<Bytes>,
    /// What it consumes and keeps while the group rebalances. Members before version 1 do not say.
    pub owned: Vec<TopicPartitions>,
    /// The generation in which it was assigned that (KIP-792). Members before version 2 do not say, and those that
    /// are new or lost their membership have none.
    pub generation: Option<i32>,
    /// Where it is (KIP-881). Members before version 3 do not say.
    pub rack: Option<Str>,
}

impl Subscription {
    /// The newest version, which is also read as such by members that know only older ones.
    pub const VERSION: i16 = ConsumerProtocolSubscription::MAX_VERSION;

    pub(super) fn new(joining: &Joining, user_data: Option<Bytes>) -> Self {
        let Joining { topics, owned, generation, rack, .. } = joining;
        let mut subscription = Self {
            topics: topics.clone(),
            user_data,
            owned: owned.clone(),
            generation: *generation,
            rack: rack.clone(),
        };
        subscription.topics.sort_unstable();
        subscription.topics.dedup();
        subscription.owned.sort_unstable_by(|one, other| one.topic.cmp(&other.topic));
        subscription
    }

    /// The bytes for JoinGroup.
    ///
    /// # Errors
    /// A name is longer than 32,767 bytes.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        self.encode_as(Self::VERSION)
    }

    /// The bytes in an older version's form: what that lacks is left out.
    ///
    /// # Errors
    /// There is no such version, or a name is longer than 32,767 bytes.
    pub fn encode_as(&self, version: i16) -> Result<Bytes, EncodeError> {
        let owned = self.owned.iter().map(|each| ConsumerProtocolSubscriptionTopicPartition {
            topic: each.topic.clone(),
            partitions: each.partitions.clone(),
            ..Default::default()
        });
        let message = ConsumerProtocolSubscription {
            topics: self.topics.clone(),
            user_data: self.user_data.clone(),
            owned_partitions: owned.collect(),
            generation_id: self.generation.unwrap_or(NO_GENERATION),
            rack_id: self.rack.clone(),
            ..Default::default()
        };
        encode(&message, version)
    }

    /// Reads what a member said. Versions that are not known yet are read as the newest that is.
    ///
    /// # Errors
    /// The bytes are no subscription.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let message: ConsumerProtocolSubscription = decode(bytes)?;
        let owned = message.owned_partitions.into_iter();
        Ok(Self {
            topics: message.topics,
            user_data: message.user_data,
            owned: owned
                .map(|each| TopicPartitions { topic: each.topic, partitions: each.partitions })
                .collect(),
            generation: known(message.generation_id),
            rack: message.rack_id.filter(|rack| !rack.is_empty()),
        })
    }
}

/// What a member is to consume (`ConsumerProtocolAssignment`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The partitions.
    pub partitions: Vec<TopicPartitions>,
    /// What the assignor wants the member to know; its form is the assignor's.
    pub user_data: Option<Bytes>,
}

impl Assignment {
    /// The newest version.
    pub const VERSION: i16 = ConsumerProtocolAssignment::MAX_VERSION;

    /// The bytes for SyncGroup.
    ///
    /// # Errors
    /// A name is longer than 32,767 bytes.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let partitions = self.partitions.iter().map(|each| TopicPartition {
            topic: each.topic.clone(),
            partitions: each.partitions.clone(),
            ..Default::default()
        });
        let message = ConsumerProtocolAssignment {
            assigned_partitions: partitions.collect(),
            user_data: self.user_data.clone(),
            ..Default::default()
        };
        encode(&message, Self::VERSION)
    }

    /// Reads what the leader assigned. Versions that are not known yet are read as the newest that is.
    ///
    /// # Errors
    /// The bytes are no assignment.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let message: ConsumerProtocolAssignment = decode(bytes)?;
        Ok(Self { partitions: plain(message.assigned_partitions), user_data: message.user_data })
    }

    /// How many partitions it is.
    #[must_use]
    pub fn len(&self) -> usize {
        self.partitions.iter().map(|each| each.partitions.len()).sum()
    }

    /// Whether it is no partition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The partitions one by one.
    pub fn iter(&self) -> impl Iterator<Item = (&Str, i32)> {
        self.partitions
            .iter()
            .flat_map(|each| each.partitions.iter().map(|partition| (&each.topic, *partition)))
    }
}

/// A document behind its version.
fn encode<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.write_i16(version);
    message.encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

fn decode<M: Message>(bytes: Bytes) -> Result<M, DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.read_i16().min(M::MAX_VERSION);
    // What newer members append is left unread.
    M::decode(&mut reader, version)
}

fn known(generation: i32) -> Option<i32> {
    (generation >= 0).then_some(generation)
}

fn plain(partitions: Vec<TopicPartition>) -> Vec<TopicPartitions> {
    let plain =
        partitions.into_iter().map(|each| TopicPartitions { topic: each.topic, partitions: each.partitions });
    plain.collect()
}

/// What the sticky assignor's members say: what they were assigned, and when (KIP-341).
pub(super) fn sticky_user_data(assigned: &[TopicPartitions], generation: Option<i32>) -> Option<Bytes> {
    if assigned.is_empty() && generation.is_none() {
        return None;
    }
    let partitions = assigned.iter().map(|each| TopicPartition {
        topic: each.topic.clone(),
        partitions: each.partitions.clone(),
        ..Default::default()
    });
    let mut writer = Writer::new();
    writer.write_array(&partitions.collect::<Vec<_>>(), 0);
    writer.write_i32(generation.unwrap_or(NO_GENERATION));
    // A name that is too long for the wire is no topic's: without the data the member is like a new one.
    writer.check().is_ok().then(|| writer.into_bytes())
}

/// Reads what [`sticky_user_data`] writes, and its form before Kafka 2.3, which lacks the generation. What cannot be
/// read is as good as nothing.
pub(super) fn read_sticky_user_data(bytes: &Bytes) -> (Vec<TopicPartitions>, Option<i32>) {
    let mut reader = Reader::new(bytes.clone());
    let partitions = reader.read_array::<TopicPartition>(0);
    if reader.has_failed() {
        return (Vec::new(), None);
    }
    let generation = reader.read_i32();
    let generation = if reader.has_failed() { None } else { known(generation) };
    (plain(partitions), generation)
}

/// What the cooperative sticky assignor's members say, for leaders before version 2 of the subscription.
pub(super) fn generation_user_data(generation: Option<i32>) -> Bytes {
    Bytes::copy_from_slice(&generation.unwrap_or(NO_GENERATION).to_be_bytes())
}

/// Reads what [`generation_user_data`] writes.
pub(super) fn read_generation_user_data(bytes: &Bytes) -> Option<i32> {
    known(Reader::new(bytes.clone()).read_i32())
}
