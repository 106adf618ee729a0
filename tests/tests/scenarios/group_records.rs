//! Records that are acknowledged one by one, in any order.

use std::collections::BTreeSet;
use std::time::Duration;

use klamm_tests::Outcome;
use klamm_tests::members::{Handed, MemberSettings, RecordReader, Told};
use klamm_tests::scenario::Stage;

use crate::members::{Group, PARTITIONS, new_topic, produce};

const EACH: usize = 50;
const ALL: Option<i64> = Some(50);
const BEGIN: Option<i64> = Some(0);
/// How long a record may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

type Reader = Box<dyn RecordReader>;

/// The next record, as partition and offset. Nothing may be given up before.
fn record(reader: &mut Reader) -> Outcome<(i32, i64)> {
    loop {
        match reader.next(PATIENCE)?.ok_or("no record came")? {
            Handed::Record(record) => return Ok((record.partition, record.offset)),
            Handed::Other(_) => {}
            told => return Err(format!("{told:?} instead of a record").into()),
        }
    }
}

/// Reads so many, and acknowledges all but the first of each partition.
fn read_but_first(reader: &mut Reader, count: usize) -> Outcome<BTreeSet<(i32, i64)>> {
    let mut read = BTreeSet::new();
    while read.len() < count {
        let (partition, offset) = record(reader)?;
        read.insert((partition, offset));
        if offset > 0 {
            reader.ack(partition, offset)?;
        }
    }
    Ok(read)
}

fn everything() -> BTreeSet<(i32, i64)> {
    (0..PARTITIONS).flat_map(|partition| (0..50).map(move |offset| (partition, offset))).collect()
}

/// What is committed never lies beyond what is not acknowledged; no more is handed out than there is room for.
pub(crate) fn in_any_order(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    produce(stage, &*client, &topic, 0..EACH)?;
    let settings = MemberSettings { auto_commit: false, ..MemberSettings::new(&topic, &topic) };
    let mut reader = client.record_reader(&settings, 10)?;

    let held: Vec<(i32, i64)> = (0..10).map(|_| record(&mut reader)).collect::<Outcome<_>>()?;
    assert_eq!(reader.unacknowledged(), 10);
    assert_eq!(reader.try_next()?, None, "there is no room");
    for (partition, offset) in held.iter().rev().filter(|(_, offset)| *offset > 0) {
        reader.ack(*partition, *offset)?;
        assert_eq!(reader.done_with(&topic, *partition), BEGIN, "the first is not acknowledged");
    }
    let mut read = read_but_first(&mut reader, EACH * 4 - 10)?;
    read.extend(held);
    assert_eq!(read, everything(), "each once");
    reader.commit()?;
    for partition in 0..PARTITIONS {
        assert_eq!(reader.committed(&topic, partition)?, BEGIN);
    }
    assert_eq!(reader.unacknowledged(), 4);

    reader.ack(0, 0)?;
    reader.abandon(1, 0);
    assert_eq!(reader.next(PATIENCE)?, Some(Handed::Abandoned(1, 0)));
    assert_eq!((reader.done_with(&topic, 0), reader.done_with(&topic, 1)), (ALL, BEGIN));
    reader.commit()?;
    assert_eq!((reader.committed(&topic, 0)?, reader.committed(&topic, 1)?), (ALL, BEGIN));

    // Who seeks gets it again, and what was handed out before does not count any more.
    reader.seek(&topic, 1, 0)?;
    reader.seek(&topic, 2, 49)?;
    let late = reader.ack(2, 0).err().ok_or("it was sought away from")?.to_string();
    assert!(late.contains("offset 0"), "{late}");
    for _ in 0..=EACH {
        let (partition, offset) = record(&mut reader)?;
        reader.ack(partition, offset)?;
    }
    reader.ack(3, 0)?;
    reader.close();

    let mut member = client.record_reader(&settings, 1)?;
    let committed = |member: &mut Reader| {
        (0..PARTITIONS).map(|partition| member.committed(&topic, partition)).collect::<Outcome<Vec<_>>>()
    };
    assert_eq!(committed(&mut member)?, [ALL, BEGIN, BEGIN, BEGIN], "it was not to commit by itself");
    member.close();

    let settings = MemberSettings { auto_commit: true, ..settings };
    let mut reader = client.record_reader(&settings, 200)?;
    let read = read_but_first(&mut reader, EACH * 3)?;
    assert!(read.iter().all(|(partition, _)| *partition > 0), "the rest");
    for partition in 1..3 {
        reader.ack(partition, 0)?;
    }
    reader.close();
    let mut after = client.record_reader(&settings, 1)?;
    assert_eq!(committed(&mut after)?, [ALL, ALL, ALL, BEGIN], "closing commits what is acknowledged");
    Ok(())
}

/// What is acknowledged while a partition is being given up counts, and what is later does not: who is next gets it.
pub(crate) fn revoked(stage: &Stage) -> Outcome<()> {
    revoking(stage, false)
}

/// The same by KIP-848.
pub(crate) fn revoked_by_coordinator(stage: &Stage) -> Outcome<()> {
    revoking(stage, true)
}

fn revoking(stage: &Stage, coordinator_assigns: bool) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    produce(stage, &*client, &topic, 0..EACH)?;
    let settings = MemberSettings {
        coordinator_assigns,
        assignors: vec!["cooperative-sticky"],
        ..MemberSettings::new(&topic, &topic)
    };
    let mut reader = client.record_reader(&settings, 1_000)?;
    assert_eq!(read_but_first(&mut reader, EACH * 4)?, everything());

    let mut group = Group::default();
    let second = group.join(&*client, &settings)?;
    let given_up = loop {
        group.turn()?;
        match reader.next(Duration::from_millis(50))? {
            Some(Handed::Revoking(partitions)) => break partitions,
            Some(Handed::Other(_)) | None => {}
            told => return Err(format!("{told:?} instead of a revocation").into()),
        }
    };
    let [in_time, late] = *given_up else { return Err(format!("{given_up:?} are given up").into()) };
    reader.ack(in_time, 0)?;
    reader.release();
    let refused = reader.ack(late, 0).err().ok_or("it was given up")?.to_string();
    assert!(refused.contains("given up"), "{refused}");
    while group.assignments()[second].len() < 2 {
        group.turn()?;
        drop(reader.next(Duration::from_millis(50))?);
    }
    for partition in 0..PARTITIONS {
        if !given_up.contains(&partition) {
            reader.ack(partition, 0)?;
        }
    }
    while group.count(|value| value.starts_with(&format!("{late}:"))) < EACH {
        group.turn()?;
        drop(reader.next(Duration::from_millis(1))?);
    }
    assert_eq!(group.count(|_| true), EACH, "nothing of the other");
    reader.close();
    let member = group.members[second].as_mut().ok_or("gone")?;
    for partition in (0..PARTITIONS).filter(|partition| *partition != late) {
        assert_eq!(member.committed(&topic, partition)?, ALL);
    }
    Ok(())
}

/// A member that begins at the end, and gets nothing, has said where that is: who comes next passes over nothing.
pub(crate) fn begin_at_the_end(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    produce(stage, &*client, &topic, 0..EACH)?;
    let settings = MemberSettings { from_end: true, ..MemberSettings::new(&topic, &topic) };
    let mut first = client.member(&settings)?;
    let mut begun = 0;
    while begun < PARTITIONS {
        match first.next(PATIENCE)?.ok_or("it was not told where it begins")? {
            Told::Other(told) if told.contains("Reset") => begun += 1,
            Told::Records(records) => return Err(format!("{} records came", records.len()).into()),
            _ => {}
        }
    }
    first.close();
    produce(stage, &*client, &topic, EACH..2 * EACH)?;
    let mut second = client.member(&settings)?;
    let mut read = BTreeSet::new();
    while read.len() < EACH * 4 {
        if let Told::Records(records) = second.next(PATIENCE)?.ok_or("records were passed over")? {
            read.extend(records.iter().map(|record| (record.partition, record.offset - 50)));
        }
    }
    assert_eq!(read, everything());
    Ok(())
}
