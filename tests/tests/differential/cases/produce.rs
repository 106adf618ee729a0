//! Produce: what is accepted, what is refused, and how.

use klamm_protocol::Uuid;
use klamm_protocol::compression::{Compression, Compressor};
use klamm_protocol::messages::produce::{PartitionProduceData, ProduceRequest};
use klamm_protocol::records::{BatchEncoder, BatchLimits, LegacyFormat, RecordRef, Stamp};
use klamm_tests::Outcome;

use crate::case::Case;
use crate::records::{batch, batch_of, bytes, patched, resealed};
use crate::requests::produce_to;
use crate::talk::{FIRST, Talk, Topic};

/// Places in the header of a batch of format 2.
mod at {
    pub(super) const BASE_OFFSET: usize = 0;
    pub(super) const LENGTH: usize = 8;
    pub(super) const LEADER_EPOCH: usize = 12;
    pub(super) const MAGIC: usize = 16;
    pub(super) const ATTRIBUTES: usize = 21;
    pub(super) const LAST_OFFSET_DELTA: usize = 23;
    pub(super) const BASE_TIMESTAMP: usize = 27;
    pub(super) const MAX_TIMESTAMP: usize = 35;
    pub(super) const PRODUCER_EPOCH: usize = 51;
    pub(super) const BASE_SEQUENCE: usize = 53;
    pub(super) const COUNT: usize = 57;
    pub(super) const RECORDS: usize = 61;
}

/// Where it is said whether a damaged batch is refused.
const REFUSED: &str = "produce.responses[0].partition_responses[0].error_code";
/// Where it is said what was read.
const READ: &str = "read.responses[0].partitions[0].records";
const BOTH_BATCHES: &str = "b\"<batch 0..1 v2 None epoch Some(0) max 0> 0@-1 k=aaa 1@0 k=bbb\
     <batch 2..3 v2 None epoch Some(0) max T+1> 2@T+0 k=aaa 3@T+1 k=bbb\"";
const FIRST_SEGMENT: &str = "b\"<batch 0..1 v2 None epoch Some(0) max 0> 0@-1 k=aaa 1@0 k=bbb\"";

const HOUR: i64 = 3_600_000;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend((-2..=2).map(acks));
    cases.extend(damages().into_iter().map(damaged));
    cases.extend([
        damaged(("offset_deltas_with_a_gap", |batch| resealed(patched(batch, at::RECORDS + 3, &[0x0a]))))
            .parts("Records within a batch", REFUSED, "INVALID_RECORD", "NONE"),
        damaged(("append_time_flag", |batch| resealed(patched(batch, at::ATTRIBUTES, &[0, 8])))).parts(
            "Time flags of produced batches",
            REFUSED,
            "INVALID_TIMESTAMP",
            "NONE",
        ),
        damaged(("base_timestamp_minus_1", |batch| {
            resealed(patched(batch, at::BASE_TIMESTAMP, &(-1i64).to_be_bytes()))
        }))
        .differs("Segments", READ, BOTH_BATCHES, FIRST_SEGMENT),
    ]);
    cases.extend([3, 6, 7].map(codecs));
    cases.extend(timestamps().into_iter().map(timestamp));
    cases.extend([
        Case::new("produce::every_version", every_version),
        Case::new("produce::legacy_formats_in_version_3", legacy_formats),
        Case::new("produce::no_records_at_all", nothing),
        Case::new("produce::several_batches", several_batches),
        Case::new("produce::too_large_a_batch", too_large),
        Case::new("produce::unknown_topic", unknown_topic),
        Case::new("produce::unknown_topic_ids", unknown_ids),
        Case::new("produce::unknown_partitions", unknown_partitions),
        Case::new("produce::topic_named_twice", named_twice),
        Case::new("produce::internal_topic", internal_topic).parts(
            "Internal topics",
            "offsets.responses[0].partition_responses[0].error_code",
            "UNKNOWN_TOPIC_OR_PARTITION",
            "INVALID_TOPIC_EXCEPTION",
        ),
        Case::new("produce::null_key_to_a_compacted_topic", compacted),
        Case::new("produce::log_append_time", log_append_time),
        Case::new("produce::topic_compression", topic_compression).parts(
            "Compression of topics",
            READ,
            "b\"<batch 0..0 v2 None epoch Some(0) max T+0> 0@T+0 k=120 bytes<batch 1..1 v2 Gzip epoch Some(0) max T+0> 1@T+0 k=120 bytes<batch 2..2 v2 Lz4 epoch Some(0) max T+0> 2@T+0 k=120 bytes\"",
            "b\"<batch 0..0 v2 Gzip epoch Some(0) max T+0> 0@T+0 k=120 bytes<batch 1..1 v2 Gzip epoch Some(0) max T+0> 1@T+0 k=120 bytes<batch 2..2 v2 Gzip epoch Some(0) max T+0> 2@T+0 k=120 bytes\"",
        ),
        Case::new("produce::not_leader", not_leader),
        Case::new("produce::fewer_replicas_than_required", too_few_replicas),
        Case::new("produce::three_replicas", three_replicas),
        Case::new("produce::transactional_without_an_id", transactional),
        Case::new("produce::transactional_id_without_a_transaction", transactional_id),
        Case::new("produce::mixed_partitions", mixed),
        Case::new("produce::acks_0_with_an_error_closes", silent_error),
        Case::new("produce::after_the_topic_was_deleted", deleted),
    ]);
    cases
}

fn acks(acks: i16) -> Case {
    Case::new(format!("produce::acks::{}", acks.to_string().replace('-', "minus_")), move |talk| {
        let topic = talk.topic("t", 1)?;
        let records = batch(talk.epoch_ms, &["a", "b"], &Stamp::NONE);
        let request = produce_to(&topic, 12, acks, 0, records);
        if acks == 0 {
            talk.send(FIRST, 12, &request)?;
        } else {
            talk.try_ask("produce", 12, &request)?;
        }
        talk.read("read", &topic, 0)
    })
}

type Damage = (&'static str, fn(Vec<u8>) -> Vec<u8>);

/// Ways to damage a batch of two records.
fn damages() -> Vec<Damage> {
    vec![
        ("wrong_checksum", |batch| patched(batch, at::RECORDS + 3, &[0x7f])),
        ("magic_3", |batch| patched(batch, at::MAGIC, &[3])),
        ("magic_minus_1", |batch| patched(batch, at::MAGIC, &[0xff])),
        ("cut_by_a_byte", |mut batch| {
            batch.pop();
            batch
        }),
        ("cut_in_the_header", |mut batch| {
            batch.truncate(30);
            batch
        }),
        ("length_too_small", |batch| patched(batch, at::LENGTH, &[0, 0, 0, 10])),
        ("length_negative", |batch| patched(batch, at::LENGTH, &[0xff; 4])),
        ("garbage_behind", |mut batch| {
            batch.extend_from_slice(&[1, 2, 3]);
            batch
        }),
        ("base_offset_9", |batch| patched(batch, at::BASE_OFFSET, &9i64.to_be_bytes())),
        ("leader_epoch_7", |batch| patched(batch, at::LEADER_EPOCH, &7i32.to_be_bytes())),
        ("count_too_high", |batch| resealed(patched(batch, at::COUNT, &3i32.to_be_bytes()))),
        ("count_too_low", |batch| resealed(patched(batch, at::COUNT, &1i32.to_be_bytes()))),
        ("count_negative", |batch| resealed(patched(batch, at::COUNT, &(-1i32).to_be_bytes()))),
        ("count_0", |batch| resealed(patched(batch, at::COUNT, &[0; 4]))),
        ("last_delta_too_high", |batch| resealed(patched(batch, at::LAST_OFFSET_DELTA, &5i32.to_be_bytes()))),
        ("last_delta_too_low", |batch| resealed(patched(batch, at::LAST_OFFSET_DELTA, &[0; 4]))),
        ("last_delta_negative", |batch| {
            resealed(patched(batch, at::LAST_OFFSET_DELTA, &(-1i32).to_be_bytes()))
        }),
        ("no_records", |mut batch| {
            batch.truncate(at::RECORDS);
            let batch = patched(batch, at::LENGTH, &49i32.to_be_bytes());
            let batch = patched(batch, at::LAST_OFFSET_DELTA, &(-1i32).to_be_bytes());
            resealed(patched(batch, at::COUNT, &[0; 4]))
        }),
        ("record_length_too_high", |batch| resealed(patched(batch, at::RECORDS, &[0x7e]))),
        ("record_length_too_low", |batch| resealed(patched(batch, at::RECORDS, &[0x04]))),
        ("unknown_codec", |batch| resealed(patched(batch, at::ATTRIBUTES, &[0, 5]))),
        ("codec_says_gzip", |batch| resealed(patched(batch, at::ATTRIBUTES, &[0, 1]))),
        ("reserved_attributes", |batch| resealed(patched(batch, at::ATTRIBUTES, &[0x40, 0]))),
        ("control_flag", |batch| resealed(patched(batch, at::ATTRIBUTES, &[0, 0x20]))),
        ("delete_horizon_flag", |batch| resealed(patched(batch, at::ATTRIBUTES, &[0, 0x40]))),
        ("max_timestamp_minus_1", |batch| {
            resealed(patched(batch, at::MAX_TIMESTAMP, &(-1i64).to_be_bytes()))
        }),
        ("epoch_without_producer", |batch| resealed(patched(batch, at::PRODUCER_EPOCH, &3i16.to_be_bytes()))),
        ("sequence_without_producer", |batch| {
            resealed(patched(batch, at::BASE_SEQUENCE, &3i32.to_be_bytes()))
        }),
    ]
}

fn damaged((name, damage): Damage) -> Case {
    Case::new(format!("produce::damaged::{name}"), move |talk| {
        let topic = talk.topic("t", 1)?;
        let good = batch(talk.epoch_ms, &["aaa", "bbb"], &Stamp::NONE);
        talk.produce("produce", &topic, damage(good.clone()))?;
        // What was refused leaves no trace, and the connection is usable, or a new one is.
        talk.produce("produce a good one", &topic, good)?;
        talk.read("read", &topic, 0)
    })
}

/// Each codec in a version; zstd is only allowed since version 7.
fn codecs(version: i16) -> Case {
    Case::new(format!("produce::codecs_in_version_{version}"), move |talk| {
        let topic = talk.topic("t", 1)?;
        for codec in Compression::ALL {
            let value = "compressible, compressible, compressible, compressible".repeat(4);
            let records = batch_of(&[(&value, talk.epoch_ms), (&value, talk.epoch_ms)], codec, &Stamp::NONE);
            talk.try_ask(&format!("{codec:?}"), version, &produce_to(&topic, version, -1, 0, records))?;
        }
        talk.read("read", &topic, 0)
    })
}

/// Timestamps relative to now, and settings of the topic.
type Times = (&'static str, &'static [i64], &'static [(&'static str, &'static str)]);

fn timestamps() -> Vec<Times> {
    vec![
        ("two_hours_ahead", &[0, 2 * HOUR], &[]),
        ("half_an_hour_ahead", &[HOUR / 2, 0], &[]),
        ("too_old", &[0, -2 * HOUR], &[("message.timestamp.before.max.ms", "3600000")]),
        ("none", &[i64::MIN, i64::MIN], &[]),
        ("falling", &[0, -5, -10], &[]),
    ]
}

fn timestamp((name, deltas, settings): Times) -> Case {
    Case::new(format!("produce::timestamps::{name}"), move |talk| {
        let topic = talk.topic_with("t", &[&[1]], settings)?;
        let now = talk.epoch_ms + HOUR;
        let time = |delta: &i64| if *delta == i64::MIN { -1 } else { now + delta };
        let records: Vec<_> = deltas.iter().map(|delta| ("v", time(delta))).collect();
        talk.seen.hidden.push("records");
        talk.produce("produce", &topic, batch_of(&records, Compression::None, &Stamp::NONE))?;
        talk.read("read", &topic, 0)
    })
}

fn every_version(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 2)?;
    for version in 3..=13 {
        let records = batch(talk.epoch_ms, &["a", "b"], &Stamp::NONE);
        talk.try_ask(&format!("v{version}"), version, &produce_to(&topic, version, -1, 0, records.clone()))?;
        let elsewhere = produce_to(&topic, version, 1, 7, records);
        talk.try_ask(&format!("v{version} to a partition that is not there"), version, &elsewhere)?;
    }
    talk.read("read", &topic, 0)
}

fn legacy_formats(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let mut encoder = BatchEncoder::new(BatchLimits::default());
    let timestamp = talk.epoch_ms;
    encoder.append(&RecordRef { key: None, value: Some(b"old"), headers: &[], timestamp })?;
    let new = encoder.seal(Compression::None);
    for format in [LegacyFormat::V0, LegacyFormat::V1] {
        let old = new.to_legacy(format, &mut Compressor::new(Compression::None))?;
        talk.try_ask(&format!("{format:?}"), 3, &produce_to(&topic, 3, -1, 0, old.to_vec()))?;
        talk.try_ask(&format!("{format:?} in version 12"), 12, &produce_to(&topic, 12, -1, 0, old.to_vec()))?;
    }
    talk.read("read", &topic, 0)
}

fn nothing(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    talk.produce("empty", &topic, Vec::new())?;
    // Null in their place is left out: Kafka never answers that.
    let mut request = produce_to(&topic, 12, -1, 0, Vec::new());
    request.topic_data[0].partition_data.clear();
    talk.try_ask("no partitions", 12, &request)?;
    request.topic_data.clear();
    talk.try_ask("no topics", 12, &request)?;
    talk.read("read", &topic, 0)
}

fn several_batches(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let mut both = batch(talk.epoch_ms, &["a"], &Stamp::NONE);
    both.extend(batch(talk.epoch_ms, &["b"], &Stamp::NONE));
    talk.produce("two batches", &topic, both)?;
    talk.read("read", &topic, 0)
}

fn too_large(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[1]], &[("max.message.bytes", "200")])?;
    let of_size =
        |talk: &Talk, bytes: usize| batch(talk.epoch_ms, &["x".repeat(bytes).as_str()], &Stamp::NONE);
    let rest = of_size(talk, 100).len() - 100;
    let records = of_size(talk, 201 - rest);
    talk.produce("201 bytes", &topic, records)?;
    let records = of_size(talk, 200 - rest);
    talk.produce("200 bytes", &topic, records)?;
    let value = "x".repeat(5000);
    let small = batch_of(&[(&value, talk.epoch_ms)], Compression::Gzip, &Stamp::NONE);
    talk.produce("5000 bytes that are few when compressed", &topic, small)?;
    talk.read("read", &topic, 0)
}

fn unknown_topic(talk: &mut Talk) -> Outcome<()> {
    let records = batch(talk.epoch_ms, &["a"], &Stamp::NONE);
    for (step, name) in
        [("missing", talk.name("missing")), ("invalid", "no/name".into()), ("empty", "".into())]
    {
        let topic = Topic { name, id: Uuid::ZERO };
        for acks in [-1, 1] {
            let request = produce_to(&topic, 12, acks, 0, records.clone());
            talk.try_ask(&format!("{step}, acks {acks}"), 12, &request)?;
        }
    }
    Ok(())
}

fn unknown_ids(talk: &mut Talk) -> Outcome<()> {
    let records = batch(talk.epoch_ms, &["a"], &Stamp::NONE);
    for (step, id) in [("unknown", Uuid([7; 16])), ("zero", Uuid::ZERO)] {
        let topic = Topic { name: "".into(), id };
        talk.try_ask(step, 13, &produce_to(&topic, 13, -1, 0, records.clone()))?;
    }
    Ok(())
}

fn unknown_partitions(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let records = batch(talk.epoch_ms, &["a"], &Stamp::NONE);
    for index in [1, -1, i32::MAX] {
        for version in [12, 13] {
            let request = produce_to(&topic, version, -1, index, records.clone());
            talk.try_ask(&format!("partition {index}, v{version}"), version, &request)?;
        }
    }
    Ok(())
}

fn named_twice(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 2)?;
    let mut request = produce_to(&topic, 12, -1, 0, batch(talk.epoch_ms, &["a"], &Stamp::NONE));
    let other = produce_to(&topic, 12, -1, 1, batch(talk.epoch_ms, &["b"], &Stamp::NONE));
    request.topic_data.extend(other.topic_data);
    talk.try_ask("its partitions one by one", 12, &request)?;
    let again = PartitionProduceData {
        index: 0,
        records: bytes(batch(talk.epoch_ms, &["c"], &Stamp::NONE)),
        ..Default::default()
    };
    let mut request = produce_to(&topic, 12, -1, 0, batch(talk.epoch_ms, &["d"], &Stamp::NONE));
    request.topic_data[0].partition_data.push(again);
    talk.try_ask("a partition twice", 12, &request)?;
    let (_, end) = talk.end_offset(FIRST, &topic.name, 0)?;
    talk.seen.note("end", end.to_string());
    Ok(())
}

fn internal_topic(talk: &mut Talk) -> Outcome<()> {
    let group = talk.name("g");
    talk.coordinator(&group)?;
    let topic = Topic { name: "__consumer_offsets".into(), id: Uuid::ZERO };
    talk.produce("offsets", &topic, batch(talk.epoch_ms, &["a"], &Stamp::NONE))
}

fn compacted(talk: &mut Talk) -> Outcome<()> {
    for policy in ["compact", "compact,delete"] {
        let topic = talk.topic_with(&policy.replace(',', "-"), &[&[1]], &[("cleanup.policy", policy)])?;
        let mut encoder = BatchEncoder::new(BatchLimits::default());
        for (key, value) in [(Some(b"k".as_slice()), b"v".as_slice()), (None, b"no key"), (None, b"again")] {
            let timestamp = talk.epoch_ms;
            encoder.append(&RecordRef { key, value: Some(value), headers: &[], timestamp })?;
        }
        let records = encoder.seal(Compression::None).to_bytes(&Stamp::NONE).to_vec();
        talk.produce(&format!("{policy}: no key"), &topic, records)?;
        talk.produce(&format!("{policy}: a key"), &topic, batch(talk.epoch_ms, &["v"], &Stamp::NONE))?;
        talk.read(&format!("{policy}: read"), &topic, 0)?;
    }
    Ok(())
}

fn log_append_time(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[1]], &[("message.timestamp.type", "LogAppendTime")])?;
    let ahead = talk.epoch_ms + 9 * HOUR;
    for codec in [Compression::None, Compression::Gzip] {
        let value = "compressible, compressible, compressible".repeat(3);
        let records = batch_of(&[(&value, ahead), (&value, -1)], codec, &Stamp::NONE);
        talk.produce(&format!("{codec:?}"), &topic, records)?;
    }
    talk.read("read", &topic, 0)
}

fn topic_compression(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[1]], &[("compression.type", "gzip")])?;
    let value = "compressible, compressible, compressible".repeat(3);
    for codec in [Compression::None, Compression::Gzip, Compression::Lz4] {
        let records = batch_of(&[(&value, talk.epoch_ms)], codec, &Stamp::NONE);
        talk.produce(&format!("{codec:?}"), &topic, records)?;
    }
    talk.read("read", &topic, 0)
}

fn not_leader(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[2], &[3]], &[])?;
    for version in [9, 10, 13] {
        for index in [0, 1] {
            let records = batch(talk.epoch_ms, &["a"], &Stamp::NONE);
            let request = produce_to(&topic, version, 1, index, records);
            talk.try_ask(&format!("v{version}, partition {index}"), version, &request)?;
        }
    }
    Ok(())
}

fn too_few_replicas(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[1, 2]], &[("min.insync.replicas", "3")])?;
    for acks in [-1, 1] {
        let records = batch(talk.epoch_ms, &["a"], &Stamp::NONE);
        talk.try_ask(&format!("acks {acks}"), 12, &produce_to(&topic, 12, acks, 0, records))?;
    }
    let (_, end) = talk.end_offset(FIRST, &topic.name, 0)?;
    talk.seen.note("something was written", (end > 0).to_string());
    Ok(())
}

fn three_replicas(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[1, 2, 3]], &[("min.insync.replicas", "3")])?;
    talk.produce("all", &topic, batch(talk.epoch_ms, &["a", "b"], &Stamp::NONE))?;
    talk.read("read", &topic, 0)
}

fn transactional(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let id = talk.producer_id()?;
    let records = batch(talk.epoch_ms, &["a"], &Stamp::idempotent(id, 0, 0).transactional());
    for version in [8, 11, 12] {
        let request = produce_to(&topic, version, -1, 0, records.clone());
        talk.try_ask(&format!("v{version}"), version, &request)?;
    }
    talk.read("read", &topic, 0)
}

fn transactional_id(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let records = batch(talk.epoch_ms, &["a"], &Stamp::NONE);
    let request = ProduceRequest {
        transactional_id: Some(talk.name("transaction")),
        ..produce_to(&topic, 9, -1, 0, records)
    };
    talk.try_ask("v9", 9, &request)?;
    talk.read("read", &topic, 0)
}

fn mixed(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 2)?;
    let missing = Topic { name: talk.name("missing"), id: Uuid::ZERO };
    let mut request = produce_to(&topic, 12, -1, 0, batch(talk.epoch_ms, &["a"], &Stamp::NONE));
    request.topic_data[0].partition_data.push(PartitionProduceData {
        index: 1,
        records: bytes(patched(batch(talk.epoch_ms, &["b"], &Stamp::NONE), at::RECORDS + 2, &[9])),
        ..Default::default()
    });
    let other = produce_to(&missing, 12, -1, 0, batch(talk.epoch_ms, &["c"], &Stamp::NONE));
    request.topic_data.extend(other.topic_data);
    talk.try_ask("one good, one damaged, one missing", 12, &request)?;
    talk.read("read", &topic, 0)
}

fn silent_error(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    for (step, index, records) in [
        ("a missing partition", 3, batch(talk.epoch_ms, &["a"], &Stamp::NONE)),
        ("a damaged batch", 0, patched(batch(talk.epoch_ms, &["a"], &Stamp::NONE), at::RECORDS + 2, &[9])),
        ("no batch", 0, Vec::new()),
    ] {
        talk.try_ask(step, 12, &produce_to(&topic, 12, 0, index, records))?;
    }
    talk.read("read", &topic, 0)
}

fn deleted(talk: &mut Talk) -> Outcome<()> {
    use klamm_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
    let topic = talk.topic("t", 1)?;
    let state = DeleteTopicState { name: Some(topic.name.clone()), ..DeleteTopicState::default() };
    let request = DeleteTopicsRequest { topics: vec![state], timeout_ms: 10_000, ..Default::default() };
    talk.quiet(FIRST, 6, &request)?;
    talk.until("deleted", |talk| Ok(!talk.end_offset(FIRST, &topic.name, 0)?.0.is_ok()))?;
    for version in [12, 13] {
        let records = batch(talk.epoch_ms, &["a"], &Stamp::NONE);
        talk.try_ask(&format!("v{version}"), version, &produce_to(&topic, version, -1, 0, records))?;
    }
    Ok(())
}
