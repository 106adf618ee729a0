//! Partitions of members, read for themselves; and commits of who is no member.

use std::time::Duration;

use klamm_tests::Outcome;
use klamm_tests::client::{Client, Consumer, ConsumerSettings, PartitionStream, read};
use klamm_tests::members::MemberSettings;
use klamm_tests::scenario::Stage;

use crate::members::{Group, PARTITIONS, new_topic, produce};

const EACH: usize = 50;
const COMMITTED: Option<i64> = Some(50);
const REVOKED: &str = "the partition was revoked";

type Streams = Vec<Box<dyn PartitionStream>>;

fn streams(group: &mut Group, member: usize, topic: &str) -> Outcome<Streams> {
    let member = group.members[member].as_mut().ok_or("gone")?;
    (0..PARTITIONS).map(|partition| member.partition_stream(topic, partition)).collect()
}

/// So many records, which have to be those of the partition from this offset on.
fn expect(stream: &mut dyn PartitionStream, partition: i32, from: i64) -> Outcome<()> {
    let mut received = Vec::new();
    while received.len() < EACH {
        received.extend(stream.next_batch()?.ok_or("it is over")?);
    }
    for (offset, record) in (from..).zip(&received) {
        assert_eq!((record.partition, record.offset), (partition, offset));
    }
    Ok(())
}

/// Who owns it says what is committed; who does not, may not.
fn expect_over(stream: &mut dyn PartitionStream, why: &str) -> Outcome<()> {
    assert_eq!(stream.ended().as_deref(), Some(why));
    assert_eq!(stream.next_batch()?, None, "nothing that waited is given out");
    let refused = stream.commit().err().ok_or("it committed after its end")?.to_string();
    assert!(refused.contains("not assigned") || refused.contains("closed"), "{refused}");
    Ok(())
}

/// The streams of partitions that go to another member end, and cannot commit; the others go on.
pub(crate) fn revoked(stage: &Stage) -> Outcome<()> {
    moving(stage, false)
}

/// The same by KIP-848.
pub(crate) fn revoked_by_coordinator(stage: &Stage) -> Outcome<()> {
    moving(stage, true)
}

fn moving(stage: &Stage, coordinator_assigns: bool) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    let settings = MemberSettings {
        auto_commit: false,
        coordinator_assigns,
        assignors: vec!["cooperative-sticky"],
        ..MemberSettings::new(&topic, &topic)
    };
    let mut group = Group::default();
    let first = group.join(&*client, &settings)?;
    group.until_shared(&topic, &[4])?;
    let mut streams = streams(&mut group, first, &topic)?;
    produce(stage, &*client, &topic, 0..EACH)?;
    for partition in [2, 0] {
        expect(&mut *streams[usize::try_from(partition)?], partition, 0)?;
    }
    streams[0].commit()?;
    let member = group.members[first].as_mut().ok_or("gone")?;
    assert_eq!((member.committed(&topic, 0)?, member.committed(&topic, 2)?), (COMMITTED, None));

    let second = group.join(&*client, &settings)?;
    group.until_shared(&topic, &[2, 2])?;
    let assignments = group.assignments();
    for (partition, stream) in (0..PARTITIONS).zip(&mut streams) {
        if assignments[second].contains(&(topic.clone(), partition)) {
            expect_over(&mut **stream, REVOKED)?;
        } else {
            assert_eq!(stream.ended(), None);
        }
    }
    produce(stage, &*client, &topic, EACH..2 * EACH)?;
    for (_, partition) in &assignments[first] {
        let stream = &mut streams[usize::try_from(*partition)?];
        if *partition % 2 == 1 {
            expect(&mut **stream, *partition, 0)?;
        }
        expect(&mut **stream, *partition, 50)?;
        stream.commit()?;
        let member = group.members[first].as_mut().ok_or("gone")?;
        assert_eq!(member.committed(&topic, *partition)?, Some(100));
    }
    group.leave(first);
    for (_, partition) in &assignments[first] {
        expect_over(&mut *streams[usize::try_from(*partition)?], "the consumer is closed")?;
    }
    Ok(())
}

/// A member that does not poll loses its partitions: their streams say so, and do not commit for those who come after,
/// even if that is the same member.
pub(crate) fn lost(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    let settings = MemberSettings {
        auto_commit: false,
        max_poll_interval: Duration::from_secs(3),
        ..MemberSettings::new(&topic, &topic)
    };
    produce(stage, &*client, &topic, 0..EACH)?;
    let mut group = Group::default();
    let member = group.join(&*client, &settings)?;
    group.until_shared(&topic, &[4])?;
    let mut before = streams(&mut group, member, &topic)?;
    before[1].seek(0)?;
    expect(&mut *before[1], 1, 0)?;
    assert_eq!(before[1].next_batch()?, None);
    expect_over(&mut *before[1], "the partition was lost to another member")?;
    group.turn()?;
    group.until_shared(&topic, &[4])?;
    let mut after = streams(&mut group, member, &topic)?;
    after[1].seek(0)?;
    expect(&mut *after[1], 1, 0)?;
    expect_over(&mut *before[1], "the partition was lost to another member")?;
    after[1].commit()?;
    drop(before);
    assert_eq!(after[1].ended(), None, "it is not the stream that was dropped");
    let member = group.members[member].as_mut().ok_or("gone")?;
    assert_eq!(member.committed(&topic, 1)?, COMMITTED);
    Ok(())
}

/// Who assigns partitions to itself commits by itself for a group: what it was handed before it asked for more, and at the
/// end everything.
pub(crate) fn no_member_by_itself(stage: &Stage) -> Outcome<()> {
    const PART: usize = 5;
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    produce(stage, &*client, &topic, 0..2 * PART)?;
    let settings = ConsumerSettings {
        group: Some(topic.clone()),
        auto_commit_ms: Some(100),
        max_poll_records: Some(PART),
        ..ConsumerSettings::default()
    };
    let mut first = client.consumer_with(&settings, &topic, &[0])?;
    let (part, end) = (i64::try_from(PART)?, i64::try_from(2 * PART)?);
    for next in [part, end] {
        let last = first.next_batch()?.pop().ok_or("a batch without records")?;
        assert_eq!(last.offset + 1, next);
    }
    until_committed(&mut *first, &topic, 0, part)?;
    let mut stream = first.partition_stream(&topic, 0)?;
    stream.seek(0)?;
    stream.next_batch()?;
    until_committed(&mut *first, &topic, 0, 0)?;
    stream.next_batch()?;
    until_committed(&mut *first, &topic, 0, part)?;
    drop((stream, first));
    let mut second = client.consumer_with(&settings, &topic, &[1])?;
    until_committed(&mut *second, &topic, 0, end)
}

/// Waits until this is committed.
fn until_committed(consumer: &mut dyn Consumer, topic: &str, partition: i32, offset: i64) -> Outcome<()> {
    while consumer.committed(topic, partition)? != Some(offset) {
        std::thread::yield_now();
    }
    Ok(())
}

/// Who assigns partitions to itself commits for a group, as long as that has no members.
pub(crate) fn no_member(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    produce(stage, &*client, &topic, 0..EACH)?;
    let settings = ConsumerSettings { group: Some(topic.clone()), ..ConsumerSettings::default() };
    let consumer = |client: &dyn Client| client.consumer_with(&settings, &topic, &[0, 1]);
    let mut first = consumer(&*client)?;
    read(&mut *first, 2 * EACH)?;
    first.commit()?;
    first.seek(&topic, 1, 7)?;
    first.commit()?;
    drop(first);
    let mut second = consumer(&*client)?;
    let committed = [0, 1, 2].map(|partition| second.committed(&topic, partition));
    let [zero, one, two] = committed;
    assert_eq!((zero?, one?, two?), (COMMITTED, Some(7), None));
    let mut alone = client.consumer(&topic, &[0])?;
    let refused = alone.commit().err().ok_or("it has no group")?.to_string();
    assert!(refused.contains("group_id"), "{refused}");

    let mut group = Group::default();
    group.join(&*client, &MemberSettings { auto_commit: false, ..MemberSettings::new(&topic, &topic) })?;
    group.until_shared(&topic, &[4])?;
    read(&mut *second, 2 * EACH)?;
    assert!(second.commit().is_err(), "a member has the partitions");
    assert_eq!(second.committed(&topic, 1)?, Some(7));
    Ok(())
}
