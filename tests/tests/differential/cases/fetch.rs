//! Fetch without sessions: ranges, limits, epochs, and who answers.

use klamm_protocol::Uuid;
use klamm_protocol::compression::Compression;
use klamm_protocol::messages::fetch::{FetchPartition, FetchRequest};
use klamm_protocol::records::Stamp;
use klamm_tests::Outcome;

use crate::case::Case;
use crate::records::{batch, batch_of};
use crate::requests::{fetch_from, fetch_of, fetch_partition, produce_to};
use crate::talk::{FIRST, Talk, Topic};

type Question = (&'static str, fn(&mut FetchRequest));

/// What each request asks of a partition with the records 0, 1 | 2 | 3, 4, 5.
const QUESTIONS: &[Question] = &[
    ("offset_below_the_start", |request| part(request).fetch_offset = -1),
    ("offset_far_below", |request| part(request).fetch_offset = i64::MIN),
    ("offset_at_the_end", |request| part(request).fetch_offset = 6),
    ("offset_above_the_end", |request| part(request).fetch_offset = 7),
    ("offset_within_a_batch", |request| part(request).fetch_offset = 4),
    ("partition_max_bytes_1", |request| part(request).partition_max_bytes = 1),
    ("partition_max_bytes_0", |request| part(request).partition_max_bytes = 0),
    ("partition_max_bytes_negative", |request| part(request).partition_max_bytes = -1),
    ("partition_max_bytes_of_one_and_a_half_batches", |request| part(request).partition_max_bytes = 120),
    ("max_bytes_1", |request| request.max_bytes = 1),
    ("max_bytes_0", |request| request.max_bytes = 0),
    ("max_bytes_negative", |request| request.max_bytes = -1),
    ("min_bytes_there_already", |request| {
        request.min_bytes = 10;
        request.max_wait_ms = 20_000;
    }),
    ("min_bytes_unreachable_but_an_error", |request| {
        request.min_bytes = 1 << 20;
        request.max_wait_ms = 20_000;
        part(request).fetch_offset = 100;
    }),
    ("min_bytes_unreachable_in_time", |request| {
        request.min_bytes = 1 << 20;
        request.max_wait_ms = 50;
    }),
    ("max_wait_negative", |request| {
        request.min_bytes = 1 << 20;
        request.max_wait_ms = -1;
    }),
    ("min_bytes_negative", |request| {
        request.min_bytes = -1;
        request.max_wait_ms = 20_000;
        part(request).fetch_offset = 6;
    }),
    ("read_committed", |request| request.isolation_level = 1),
    ("isolation_unknown", |request| request.isolation_level = 5),
    ("leader_epoch_current", |request| part(request).current_leader_epoch = 0),
    ("leader_epoch_newer", |request| part(request).current_leader_epoch = 1),
    ("leader_epoch_below_minus_1", |request| part(request).current_leader_epoch = -2),
    ("last_fetched_epoch_0", |request| {
        part(request).fetch_offset = 4;
        part(request).last_fetched_epoch = 0;
    }),
    ("last_fetched_epoch_ahead", |request| {
        part(request).fetch_offset = 4;
        part(request).last_fetched_epoch = 3;
    }),
    ("last_fetched_epoch_0_above_the_end", |request| {
        part(request).fetch_offset = 9;
        part(request).last_fetched_epoch = 0;
    }),
    ("unknown_partition", |request| part(request).partition = 4),
    ("negative_partition", |request| part(request).partition = -1),
    ("rack_unknown", |request| request.rack_id = "nowhere".into()),
    ("partition_twice", |request| {
        let mut again = part(request).clone();
        again.fetch_offset = 3;
        request.topics[0].partitions.push(again);
    }),
    ("nothing", |request| request.topics.clear()),
    ("no_partitions", |request| request.topics[0].partitions.clear()),
];

fn part(request: &mut FetchRequest) -> &mut FetchPartition {
    &mut request.topics[0].partitions[0]
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = QUESTIONS.iter().copied().map(question).collect();
    cases.extend([
        Case::new("fetch::every_version", every_version),
        Case::new("fetch::unknown_topics", unknown_topics),
        Case::new("fetch::several_partitions_share_max_bytes", share),
        Case::new("fetch::waits_for_records", waits),
        Case::new("fetch::waits_for_enough_bytes", waits_for_enough),
        Case::new("fetch::not_leader", not_leader),
        Case::new("fetch::wrong_epoch_at_a_follower", wrong_epoch_elsewhere),
        Case::new("fetch::from_a_follower", from_a_follower),
        Case::new("fetch::zstd_needs_version_10", zstd),
        Case::new("fetch::as_a_strange_replica", as_replica).parts(
            "Replicas that fetch",
            "replica 7.responses[0].partitions[0].error_code",
            "NONE",
            "NOT_LEADER_OR_FOLLOWER",
        ),
        Case::new("fetch::pipelined", pipelined),
    ]);
    cases
}

fn filled(talk: &mut Talk) -> Outcome<Topic> {
    let topic = talk.topic("t", 1)?;
    for values in [&["0", "1"][..], &["2"], &["3", "4", "5"]] {
        talk.fill(&topic, 0, batch(talk.epoch_ms, values, &Stamp::NONE))?;
    }
    Ok(topic)
}

fn question((name, ask): Question) -> Case {
    Case::new(format!("fetch::{name}"), move |talk| {
        let topic = filled(talk)?;
        let mut request = fetch_from(&topic, 17, 0);
        ask(&mut request);
        talk.fetch(FIRST, "fetch", 17, &request).map(drop)
    })
}

fn every_version(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    for version in 4..=18 {
        for (step, offset) in [("", 2), (", out of range", 100)] {
            let request = fetch_from(&topic, version, offset);
            talk.fetch(FIRST, &format!("v{version}{step}"), version, &request)?;
        }
    }
    Ok(())
}

fn unknown_topics(talk: &mut Talk) -> Outcome<()> {
    let known = filled(talk)?;
    for (step, name, id) in [
        ("missing", talk.name("missing"), Uuid([7; 16])),
        ("invalid", "no/name".into(), Uuid([0xff; 16])),
        ("empty", "".into(), Uuid::ZERO),
    ] {
        let topic = Topic { name, id };
        for version in [12, 13, 17] {
            let mut request = fetch_from(&topic, version, 0);
            talk.fetch(FIRST, &format!("{step}, v{version}"), version, &request)?;
            request.topics.extend(fetch_from(&known, version, 5).topics);
            talk.fetch(FIRST, &format!("{step} and known, v{version}"), version, &request)?;
        }
    }
    Ok(())
}

fn share(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 3)?;
    for index in 0..3 {
        for values in [["a", "b"], ["c", "d"]] {
            talk.fill(&topic, index, batch(talk.epoch_ms, &values, &Stamp::NONE))?;
        }
    }
    for max_bytes in [1, 100, 200, 330] {
        let wanted = (0..3).map(|index| fetch_partition(index, 0)).collect();
        let request = FetchRequest { max_bytes, ..fetch_of(&topic, 12, wanted) };
        talk.fetch(FIRST, &format!("{max_bytes} bytes"), 12, &request)?;
    }
    let wanted =
        [2, 0, 1].map(|index| FetchPartition { partition_max_bytes: 1, ..fetch_partition(index, 0) });
    talk.fetch(FIRST, "a byte each", 12, &fetch_of(&topic, 12, wanted.to_vec())).map(drop)
}

fn waiting(topic: &Topic, offset: i64, min_bytes: i32) -> FetchRequest {
    FetchRequest { min_bytes, max_wait_ms: 30_000, ..fetch_from(topic, 12, offset) }
}

fn waits(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    let waiter = talk.connect(1);
    talk.send(waiter, 12, &waiting(&topic, 6, 1))?;
    talk.fill(&topic, 0, batch(talk.epoch_ms, &["6"], &Stamp::NONE))?;
    receive_fetch(talk, "what came")
}

fn waits_for_enough(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    let waiter = talk.connect(1);
    talk.send(waiter, 12, &waiting(&topic, 6, 200))?;
    for values in [["6"], ["7"], ["8"]] {
        talk.fill(&topic, 0, batch(talk.epoch_ms, &values, &Stamp::NONE))?;
    }
    receive_fetch(talk, "what came")
}

/// Takes the answer of the last connection that was made.
fn receive_fetch(talk: &mut Talk, step: &str) -> Outcome<()> {
    let connection = talk.last_connection();
    let response = talk.receive_quietly::<FetchRequest>(connection, 12)?;
    talk.note_fetch(step, &response);
    Ok(())
}

fn not_leader(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[2], &[3]], &[])?;
    for version in [4, 9, 12, 15, 16, 17] {
        for index in [0, 1] {
            let request = fetch_of(&topic, version, vec![fetch_partition(index, 0)]);
            talk.fetch(FIRST, &format!("v{version}, partition {index}"), version, &request)?;
        }
    }
    Ok(())
}

fn wrong_epoch_elsewhere(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[2, 1, 3]], &[("min.insync.replicas", "1")])?;
    for epoch in [-1, 0, 1] {
        // Since version 11 followers serve consumers, too.
        let wanted = FetchPartition { current_leader_epoch: epoch, ..fetch_partition(0, 0) };
        talk.fetch(FIRST, &format!("epoch {epoch}"), 10, &fetch_of(&topic, 10, vec![wanted]))?;
    }
    Ok(())
}

fn from_a_follower(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic_with("t", &[&[2, 1, 3]], &[("min.insync.replicas", "1")])?;
    talk.fetch(FIRST, "v10", 10, &fetch_of(&topic, 10, vec![fetch_partition(0, 0)]))?;
    talk.fetch(FIRST, "v17", 17, &fetch_of(&topic, 17, vec![fetch_partition(0, 0)])).map(drop)
}

fn zstd(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    talk.fill(&topic, 0, batch(talk.epoch_ms, &["plain"], &Stamp::NONE))?;
    let value = "compressible, compressible, compressible".repeat(5);
    talk.fill(&topic, 0, batch_of(&[(&value, talk.epoch_ms)], Compression::Zstd, &Stamp::NONE))?;
    for version in [9, 10] {
        for offset in [0, 1] {
            let request = fetch_from(&topic, version, offset);
            talk.fetch(FIRST, &format!("v{version} from {offset}"), version, &request)?;
        }
    }
    Ok(())
}

fn as_replica(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    for replica_id in [-2, 7] {
        let request = FetchRequest { replica_id, ..fetch_from(&topic, 12, 0) };
        talk.fetch(FIRST, &format!("replica {replica_id}"), 12, &request)?;
    }
    Ok(())
}

/// Requests are answered in their order, also behind one that has to wait.
fn pipelined(talk: &mut Talk) -> Outcome<()> {
    let topic = filled(talk)?;
    let line = talk.connect(1);
    talk.send(line, 12, &FetchRequest { max_wait_ms: 300, min_bytes: 1 << 20, ..fetch_from(&topic, 12, 5) })?;
    let records = batch(talk.epoch_ms, &["6"], &Stamp::NONE);
    talk.send(line, 12, &produce_to(&topic, 12, -1, 0, records))?;
    talk.send(line, 12, &fetch_from(&topic, 12, 5))?;
    receive_fetch(talk, "waited")?;
    talk.receive::<klamm_protocol::messages::produce::ProduceRequest>(line, "produced", 12)?;
    receive_fetch(talk, "did not wait")
}
