//! ListOffsets and OffsetForLeaderEpoch.

use klamm_protocol::Str;
use klamm_protocol::compression::Compression;
use klamm_protocol::messages::list_offsets::ListOffsetsPartition;
use klamm_protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use klamm_protocol::records::Stamp;
use klamm_tests::Outcome;

use crate::case::Case;
use crate::records::{batch, batch_of};
use crate::requests::list_offset;
use crate::talk::{Talk, Topic};

/// Timestamps with a meaning of their own.
const SPECIAL: &[(&str, i64)] = &[
    ("latest", -1),
    ("earliest", -2),
    ("max_timestamp", -3),
    ("earliest_local", -4),
    ("latest_tiered", -5),
    ("earliest_pending_upload", -6),
    ("no_meaning", -7),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = SPECIAL.iter().map(|(name, timestamp)| special(name, *timestamp)).collect();
    cases.extend([
        Case::new("list_offsets::by_timestamp", by_timestamp),
        Case::new("list_offsets::by_timestamp_out_of_order", out_of_order),
        Case::new("list_offsets::by_timestamp_in_compressed_batches", compressed),
        Case::new("list_offsets::records_without_timestamps", without_timestamps),
        Case::new("list_offsets::empty_partition", empty),
        Case::new("list_offsets::leader_epochs", list_epochs),
        Case::new("list_offsets::unknown_partitions", list_unknown),
        Case::new("list_offsets::not_leader", list_not_leader),
        Case::new("list_offsets::partition_named_twice", list_twice),
        Case::new("list_offsets::isolation", isolation),
        Case::new("list_offsets::replica_ids", list_replica_ids),
        Case::new("leader_epochs::every_version", epochs_by_version),
        Case::new("leader_epochs::epochs_asked_for", epochs_asked_for),
        Case::new("leader_epochs::current_epoch", current_epochs),
        Case::new("leader_epochs::unknown_partitions", epochs_unknown),
        Case::new("leader_epochs::not_leader", epochs_not_leader),
        Case::new("leader_epochs::replica_ids", epochs_replica_ids),
        Case::new("leader_epochs::partition_named_twice", epochs_twice),
    ]);
    cases
}

fn filled(talk: &mut Talk) -> Outcome<Topic> {
    let topic = talk.topic("t", 1)?;
    let epoch_ms = talk.epoch_ms;
    for records in [&[("0", 0), ("1", 10)][..], &[("2", 30), ("3", 20)], &[("4", 5)], &[("5", 40)]] {
        let records: Vec<_> = records.iter().map(|(value, time)| (*value, epoch_ms + time)).collect();
        talk.fill(&topic, 0, batch_of(&records, Compression::None, &Stamp::NONE))?;
    }
    Ok(topic)
}

fn at(timestamp: i64) -> ListOffsetsPartition {
    ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() }
}

fn special(name: &'static str, timestamp: i64) -> Case {
    Case::new(format!("list_offsets::{name}_in_every_version"), move |talk| {
        let topic = filled(talk)?;
        for version in 1..=11 {
            talk.try_ask(&format!("v{version}"), version, &list_offset(&topic.name, at(timestamp)))?;
        }
        Ok(())
    })
}

fn by_timestamp(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    for (step, time) in [
        ("long before", -100_000),
        ("before", -1),
        ("exactly the first", 0),
        ("between", 3),
        ("within a batch", 10),
        ("between batches", 15),
        ("only in a later batch", 35),
        ("exactly the last", 40),
        ("after", 41),
    ] {
        talk.ask(step, 10, &list_offset(&topic.name, at(talk.epoch_ms + time)))?;
    }
    for (step, time) in [("1970", 0), ("the highest", i64::MAX), ("the lowest", i64::MIN)] {
        talk.try_ask(step, 10, &list_offset(&topic.name, at(time)))?;
    }
    Ok(())
}

fn out_of_order(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let epoch_ms = talk.epoch_ms;
    for time in [50, 10, 30] {
        let records = [("a", epoch_ms + time), ("b", epoch_ms + time - 5), ("c", epoch_ms + time + 5)];
        talk.fill(&topic, 0, batch_of(&records, Compression::None, &Stamp::NONE))?;
    }
    for time in [0, 6, 11, 16, 36, 46, 51, 55, 56] {
        talk.ask(&format!("{time}"), 10, &list_offset(&topic.name, at(epoch_ms + time)))?;
    }
    talk.ask("max", 10, &list_offset(&topic.name, at(-3)))?;
    Ok(())
}

fn compressed(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let epoch_ms = talk.epoch_ms;
    let value = "compressible, compressible, compressible, compressible".repeat(3);
    for codec in [Compression::Gzip, Compression::Zstd] {
        let records: Vec<_> = (0..4).map(|time| (value.as_str(), epoch_ms + time)).collect();
        talk.fill(&topic, 0, batch_of(&records, codec, &Stamp::NONE))?;
    }
    for time in 0..5 {
        talk.ask(&format!("{time}"), 10, &list_offset(&topic.name, at(epoch_ms + time)))?;
    }
    talk.ask("max", 10, &list_offset(&topic.name, at(-3)))?;
    Ok(())
}

fn without_timestamps(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    talk.fill(&topic, 0, batch_of(&[("a", -1), ("b", -1)], Compression::None, &Stamp::NONE))?;
    for timestamp in [0, -1, -2, -3, 5] {
        talk.ask(&format!("{timestamp}"), 10, &list_offset(&topic.name, at(timestamp)))?;
    }
    Ok(())
}

fn empty(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    for timestamp in [0, -1, -2, -3, -4, -5, 5] {
        talk.ask(&format!("{timestamp}"), 10, &list_offset(&topic.name, at(timestamp)))?;
    }
    Ok(())
}

fn list_epochs(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    for current_leader_epoch in [-1, 0, 1, -2, i32::MAX] {
        for timestamp in [-1, -2, talk.epoch_ms] {
            let wanted = ListOffsetsPartition { current_leader_epoch, ..at(timestamp) };
            let step = format!("epoch {current_leader_epoch}, {}", talk.seen.relative(timestamp));
            talk.ask(&step, 10, &list_offset(&topic.name, wanted))?;
        }
    }
    Ok(())
}

fn list_unknown(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    for partition_index in [1, -1, i32::MAX] {
        let wanted = ListOffsetsPartition { partition_index, ..at(-1) };
        talk.ask(&format!("partition {partition_index}"), 10, &list_offset(&topic.name, wanted))?;
    }
    for (step, name) in
        [("missing", talk.name("missing")), ("invalid", "no/name".into()), ("empty", "".into())]
    {
        talk.ask(step, 10, &list_offset(&name, at(-1)))?;
    }
    Ok(())
}

fn list_not_leader(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[2], &[3]], &[])?;
    let shared = talk.topic_with("shared", &[&[2, 1, 3]], &[("min.insync.replicas", "1")])?;
    for timestamp in [-1, -2, -3, 0] {
        talk.ask(&format!("a stranger, {timestamp}"), 10, &list_offset(&topic.name, at(timestamp)))?;
        talk.ask(&format!("a follower, {timestamp}"), 10, &list_offset(&shared.name, at(timestamp)))?;
    }
    Ok(())
}

fn list_twice(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 2)?;
    let mut request = list_offset(&topic.name, at(-1));
    request.topics[0].partitions.push(at(-2));
    request.topics[0].partitions.push(ListOffsetsPartition { partition_index: 1, ..at(-1) });
    talk.ask("partition 0 twice", 10, &request)?;
    Ok(())
}

fn isolation(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    for isolation_level in [0, 1, 2, -1] {
        let mut request = list_offset(&topic.name, at(-1));
        request.isolation_level = isolation_level;
        talk.try_ask(&format!("level {isolation_level}"), 10, &request)?;
    }
    Ok(())
}

fn list_replica_ids(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    for replica_id in [-2, 1, 2, 9] {
        let mut request = list_offset(&topic.name, at(-1));
        request.replica_id = replica_id;
        talk.try_ask(&format!("replica {replica_id}"), 10, &request)?;
    }
    Ok(())
}

fn epoch_request(topic: &Str, partitions: Vec<OffsetForLeaderPartition>) -> OffsetForLeaderEpochRequest {
    let topic = OffsetForLeaderTopic { topic: topic.clone(), partitions, ..Default::default() };
    OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic], ..Default::default() }
}

fn epoch(current_leader_epoch: i32, leader_epoch: i32) -> OffsetForLeaderPartition {
    OffsetForLeaderPartition { partition: 0, current_leader_epoch, leader_epoch, ..Default::default() }
}

fn epochs_by_version(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    for version in 2..=4 {
        talk.ask(&format!("v{version}"), version, &epoch_request(&topic.name, vec![epoch(-1, 0)]))?;
    }
    Ok(())
}

fn epochs_asked_for(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    let empty = talk.topic("empty", 1)?;
    for asked in [0, 1, 5, -1, -2, i32::MAX] {
        talk.ask(&format!("{asked}"), 4, &epoch_request(&topic.name, vec![epoch(-1, asked)]))?;
        talk.ask(&format!("{asked}, empty"), 4, &epoch_request(&empty.name, vec![epoch(-1, asked)]))?;
    }
    Ok(())
}

fn current_epochs(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    for current in [0, 1, -1, -2] {
        talk.ask(&format!("{current}"), 4, &epoch_request(&topic.name, vec![epoch(current, 0)]))?;
    }
    Ok(())
}

fn epochs_unknown(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    for partition in [1, -1] {
        let wanted = OffsetForLeaderPartition { partition, ..epoch(-1, 0) };
        talk.ask(&format!("partition {partition}"), 4, &epoch_request(&topic.name, vec![wanted]))?;
    }
    for (step, name) in [("missing", talk.name("missing")), ("invalid", "no/name".into())] {
        talk.ask(step, 4, &epoch_request(&name, vec![epoch(-1, 0)]))?;
    }
    Ok(())
}

fn epochs_not_leader(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[2]], &[])?;
    let shared = talk.topic_with("shared", &[&[2, 1, 3]], &[("min.insync.replicas", "1")])?;
    talk.ask("a stranger", 4, &epoch_request(&topic.name, vec![epoch(-1, 0)]))?;
    for current in [-1, 0, 1] {
        let request = epoch_request(&shared.name, vec![epoch(current, 0)]);
        talk.ask(&format!("a follower, epoch {current}"), 4, &request)?;
    }
    Ok(())
}

fn epochs_replica_ids(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    talk.fill(&topic, 0, batch(talk.epoch_ms, &["a"], &Stamp::NONE))?;
    for replica_id in [-2, 1, 9] {
        let mut request = epoch_request(&topic.name, vec![epoch(-1, 0)]);
        request.replica_id = replica_id;
        talk.ask(&format!("replica {replica_id}"), 4, &request)?;
    }
    Ok(())
}

fn epochs_twice(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    let request = epoch_request(&topic.name, vec![epoch(-1, 0), epoch(-1, 3)]);
    talk.ask("twice", 4, &request)?;
    Ok(())
}
