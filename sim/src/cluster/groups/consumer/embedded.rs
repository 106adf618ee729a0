//! What classic members say to each other within requests: subscriptions and assignments.

use bytes::Bytes;
use klamm_protocol::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition,
};
use klamm_protocol::wire::{Reader, Writer};
use klamm_protocol::{ErrorCode, Message, Str};

use super::{Partitions, Refused};
use crate::cluster::topics::Topics;

/// Later versions only add to what comes first.
const NEWEST: i16 = 3;

/// What a member wants and has, as it says itself.
pub(crate) fn subscription(metadata: &Bytes) -> Option<ConsumerProtocolSubscription> {
    decode(metadata)
}

/// What a leader has assigned, by the ids of the topics that there are.
pub(crate) fn assignment(bytes: &Bytes, topics: &Topics) -> Result<Partitions, Refused> {
    if bytes.is_empty() {
        return Ok(Partitions::new());
    }
    let refused = |message: &str| Refused::new(ErrorCode::GROUP_ID_NOT_FOUND, message);
    let assignment: ConsumerProtocolAssignment =
        decode(bytes).ok_or_else(|| refused("The members' assignments cannot be read."))?;
    if assignment.user_data.is_some_and(|data| !data.is_empty()) {
        return Err(refused("What an assignor of the members' own has said would be lost."));
    }
    Ok(by_id(
        assignment.assigned_partitions.iter().map(|topic| (&topic.topic, &topic.partitions[..])),
        topics,
    ))
}

/// Partitions by the ids of the topics that there are.
pub(crate) fn by_id<'a>(named: impl Iterator<Item = (&'a Str, &'a [i32])>, topics: &Topics) -> Partitions {
    let known = named.filter(|(_, indexes)| !indexes.is_empty());
    known
        .filter_map(|(name, indexes)| Some((topics.get(name)?.id(), indexes.iter().copied().collect())))
        .collect()
}

/// An assignment in the version in which the member has said what it wants.
pub(crate) fn assignment_for(metadata: &Bytes, partitions: &Partitions, topics: &Topics) -> Bytes {
    let version = Reader::new(metadata.clone()).read_i16().clamp(0, NEWEST);
    let named = partitions.iter().filter_map(|(id, indexes)| {
        Some(TopicPartition {
            topic: topics.name_of(*id)?.clone(),
            partitions: indexes.iter().copied().collect(),
            ..TopicPartition::default()
        })
    });
    let assignment = ConsumerProtocolAssignment {
        assigned_partitions: named.collect(),
        ..ConsumerProtocolAssignment::default()
    };
    let mut writer = Writer::new();
    writer.write_i16(version);
    // What is encoded here has no fields that any version lacks.
    if assignment.encode(&mut writer, version).is_err() {
        return Bytes::new();
    }
    writer.into_bytes()
}

fn decode<M: Message>(bytes: &Bytes) -> Option<M> {
    let mut reader = Reader::new(bytes.clone());
    let version = reader.read_i16();
    if version < 0 {
        return None;
    }
    M::decode(&mut reader, version.min(NEWEST)).ok()
}
