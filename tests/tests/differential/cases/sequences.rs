//! Idempotent producing: epochs and sequence numbers, right and wrong.

use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::records::Stamp;
use klamm_tests::Outcome;

use crate::case::Case;
use crate::records::batch;
use crate::requests::{identity_request, produce_to};
use crate::talk::{FIRST, Talk};

/// A step: how many records, in which epoch, from which sequence number on.
type Step = (usize, i16, i32);

/// The scripts: batches of one producer, one after another.
const SCRIPTS: &[(&str, &[Step])] = &[
    ("in_order", &[(2, 0, 0), (1, 0, 2), (3, 0, 3)]),
    ("first_is_not_0", &[(1, 0, 5), (1, 0, 6)]),
    ("first_is_not_0_in_a_later_epoch", &[(1, 3, 5), (1, 3, 6)]),
    ("gap", &[(1, 0, 0), (1, 0, 2), (1, 0, 1)]),
    ("back_to_0", &[(3, 0, 0), (2, 0, 0)]),
    ("repeated_last", &[(2, 0, 0), (2, 0, 0), (1, 0, 2)]),
    ("repeated_within_five", &[(1, 0, 0), (1, 0, 1), (1, 0, 2), (1, 0, 3), (1, 0, 4), (1, 0, 0), (1, 0, 3)]),
    (
        "repeated_beyond_five",
        &[(1, 0, 0), (1, 0, 1), (1, 0, 2), (1, 0, 3), (1, 0, 4), (1, 0, 5), (1, 0, 0), (1, 0, 1), (1, 0, 6)],
    ),
    ("repeated_with_other_length", &[(2, 0, 0), (1, 0, 0), (3, 0, 0), (1, 0, 1)]),
    ("overlapping", &[(3, 0, 0), (3, 0, 2), (2, 0, 1)]),
    ("wraps_around", &[(1, 0, i32::MAX), (1, 0, 0), (1, 0, 1)]),
    ("wraps_within_a_batch", &[(3, 0, i32::MAX - 1), (1, 0, 1), (3, 0, i32::MAX - 1)]),
    ("wrap_skips_0", &[(1, 0, i32::MAX), (1, 0, 1)]),
    ("epoch_lower", &[(1, 2, 0), (1, 1, 1), (1, 1, 0), (1, 2, 1)]),
    ("epoch_higher_from_0", &[(1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 0, 1)]),
    ("epoch_higher_not_from_0", &[(1, 0, 0), (1, 1, 1), (1, 0, 1)]),
    ("epoch_skips", &[(1, 0, 0), (1, 7, 0), (1, 3, 0)]),
    ("epoch_highest", &[(1, i16::MAX, 0), (1, i16::MAX, 1), (1, 0, 0)]),
    ("epoch_negative", &[(1, -1, 0), (1, -2, 0)]),
    ("sequence_negative", &[(1, 0, -1), (1, 0, -5)]),
    ("repeated_in_a_later_epoch", &[(2, 0, 0), (2, 1, 0), (2, 0, 0)]),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = SCRIPTS.iter().map(|(name, steps)| script(name, steps)).collect();
    cases.extend([
        Case::new("sequences::unknown_producer_id", unknown_producer),
        Case::new("sequences::two_producers", two_producers),
        Case::new("sequences::two_partitions", two_partitions),
        Case::new("sequences::acks_1", acks_1),
        Case::new("sequences::several_batches", several),
        Case::new("sequences::producer_ids_by_version", ids_by_version),
        Case::new("sequences::producer_id_with_an_epoch", id_with_epoch),
    ]);
    cases
}

fn script(name: &'static str, steps: &'static [Step]) -> Case {
    Case::new(format!("sequences::{name}"), move |talk| {
        let topic = talk.topic("t", 1)?;
        let id = talk.producer_id()?;
        for (index, (count, epoch, sequence)) in steps.iter().enumerate() {
            let stamp = Stamp::idempotent(id, *epoch, *sequence);
            let records = batch(talk.epoch_ms, &["a", "b", "c"][..*count], &stamp);
            talk.produce(&format!("{index}: {count} in epoch {epoch} from {sequence}"), &topic, records)?;
        }
        talk.read("read", &topic, 0)
    })
}

fn unknown_producer(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    for (step, id, sequence) in [("from 0", 999_999, 0), ("from 5", 999_998, 5), ("below -1", -2, 0)] {
        let records = batch(talk.epoch_ms, &["a"], &Stamp::idempotent(id, 0, sequence));
        talk.produce(step, &topic, records)?;
    }
    talk.read("read", &topic, 0)
}

fn two_producers(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let ids = [talk.producer_id()?, talk.producer_id()?];
    for sequence in [0, 1, 3] {
        for (id, who) in ids.into_iter().zip(["first", "second"]) {
            let records = batch(talk.epoch_ms, &[who], &Stamp::idempotent(id, 0, sequence));
            talk.produce(&format!("{who}: {sequence}"), &topic, records)?;
        }
    }
    talk.read("read", &topic, 0)
}

fn two_partitions(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 2)?;
    let id = talk.producer_id()?;
    for (index, sequence) in [(0, 0), (1, 0), (1, 1), (0, 2), (0, 1)] {
        let records = batch(talk.epoch_ms, &["v"], &Stamp::idempotent(id, 0, sequence));
        let request = produce_to(&topic, 12, -1, index, records);
        talk.try_ask(&format!("partition {index}: {sequence}"), 12, &request)?;
    }
    Ok(())
}

/// Duplicates are known whatever the acknowledgement.
fn acks_1(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let id = talk.producer_id()?;
    for sequence in [0, 0, 1, 5] {
        let records = batch(talk.epoch_ms, &["v"], &Stamp::idempotent(id, 0, sequence));
        talk.try_ask(&format!("{sequence}"), 12, &produce_to(&topic, 12, 1, 0, records))?;
    }
    let records = batch(talk.epoch_ms, &["v"], &Stamp::idempotent(id, 0, 1));
    talk.send(FIRST, 12, &produce_to(&topic, 12, 0, 0, records))?;
    talk.read("read", &topic, 0)
}

fn several(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    let id = talk.producer_id()?;
    let mut both = batch(talk.epoch_ms, &["a"], &Stamp::idempotent(id, 0, 0));
    both.extend(batch(talk.epoch_ms, &["b"], &Stamp::idempotent(id, 0, 1)));
    talk.produce("two", &topic, both)?;
    talk.read("read", &topic, 0)
}

fn ids_by_version(talk: &mut Talk) -> Outcome<()> {
    let request = identity_request();
    for version in 0..=5 {
        talk.ask(&format!("v{version}"), version, &request)?;
    }
    let request = InitProducerIdRequest { transaction_timeout_ms: -7, ..request };
    talk.ask("negative timeout", 4, &request)?;
    Ok(())
}

/// Without a transactional id both a known id and an epoch change nothing.
fn id_with_epoch(talk: &mut Talk) -> Outcome<()> {
    let id = talk.producer_id()?;
    for (step, producer_id, producer_epoch) in [
        ("its own id and epoch", id, 0),
        ("an epoch ahead", id, 5),
        ("an id without epoch", id, -1),
        ("an epoch without id", -1, 3),
        ("a strange id", 777_777, 1),
        ("a negative id", -5, 0),
    ] {
        let request = InitProducerIdRequest { producer_id, producer_epoch, ..identity_request() };
        talk.ask(step, 4, &request)?;
    }
    Ok(())
}
