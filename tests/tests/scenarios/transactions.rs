//! Transactions: what is seen of them, who may end them, and what is copied by them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use klamm_engine::{GroupMetadata, Str, TransactionError};
use klamm_tests::Outcome;
use klamm_tests::client::{Client, Consumer, ConsumerSettings, Message, ProducerSettings};
use klamm_tests::members::{MemberSettings, Told};
use klamm_tests::program::{klamm, klamm_killed};
use klamm_tests::scenario::Stage;
use klamm_tests::transactions::{Transactional, TransactionalSettings, Txn};

const PARTITIONS: i32 = 3;
const LAST: &str = "the last";

type Values = BTreeMap<i32, Vec<String>>;

/// Whether the brokers know nothing of a transaction's members (KIP-447).
fn is_old(stage: &Stage) -> bool {
    stage.cluster().spec().version.starts_with("0.")
}

fn new_topic(stage: &Stage, name: &str, partitions: i32) -> Outcome<String> {
    let topic = stage.topic(name);
    stage.cluster().create_topic(&topic, partitions.try_into()?)?;
    Ok(topic)
}

fn transactional(client: &dyn Client, id: &str) -> Outcome<Box<dyn Transactional>> {
    client.transactional(&TransactionalSettings::new(id))
}

/// So many records for each partition, by number.
fn write(txn: &dyn Txn, topic: &str, name: &str, count: usize) -> Outcome<()> {
    for number in 0..count {
        for partition in 0..PARTITIONS {
            txn.enqueue(&Message::to(topic).partition(partition).value(format!("{name} {number}")))?;
        }
    }
    Ok(())
}

fn expected(names: &[(&str, usize)]) -> Vec<String> {
    names.iter().flat_map(|(name, count)| (0..*count).map(move |number| format!("{name} {number}"))).collect()
}

fn committed(client: &dyn Client, topic: &str) -> Outcome<Box<dyn Consumer>> {
    let partitions: Vec<i32> = (0..PARTITIONS).collect();
    let settings = ConsumerSettings { read_committed: true, ..ConsumerSettings::default() };
    client.consumer_with(&settings, topic, &partitions)
}

/// What is read of each partition before its last record.
fn read_to_last(consumer: &mut dyn Consumer) -> Outcome<Values> {
    let mut values = Values::new();
    let mut ended = 0;
    while ended < PARTITIONS {
        for record in consumer.next_batch()? {
            let value = String::from_utf8(record.value.unwrap_or_default())?;
            if value.starts_with(LAST) {
                ended += 1;
            } else {
                values.entry(record.partition).or_default().push(value);
            }
        }
    }
    Ok(values)
}

fn expect(what: &str, values: &Values, names: &[(&str, usize)]) -> Outcome<()> {
    let expected = expected(names);
    for partition in 0..PARTITIONS {
        let read = values.get(&partition).cloned().unwrap_or_default();
        if read != expected {
            return Err(format!("{what}, partition {partition}: {read:?} instead of {expected:?}").into());
        }
    }
    Ok(())
}

/// What is committed is seen, what is aborted is not, and it goes on after an abort.
pub(crate) fn end(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, "t", PARTITIONS)?;
    let mut producer = transactional(&*client, &stage.topic("id"))?;
    let txn = producer.begin()?;
    write(&*txn, &topic, "one", 20)?;
    txn.commit()?;
    let txn = producer.begin()?;
    write(&*txn, &topic, "aborted", 20)?;
    txn.send(&Message::to(&topic).partition(0).value("aborted 20"))?;
    txn.abort()?;
    // Nothing in it: nothing is to be ended.
    producer.begin()?.commit()?;
    producer.begin()?.abort()?;
    let txn = producer.begin()?;
    write(&*txn, &topic, "two", 5)?;
    txn.commit()?;
    let txn = producer.begin()?;
    txn.send(&Message::to(&topic).partition(1).value("dropped 0"))?;
    drop(txn);
    for number in 0..5 {
        let txn = producer.begin()?;
        let value =
            |partition: i32| Message::to(&topic).partition(partition).value(format!("three {number}"));
        for partition in 0..PARTITIONS {
            txn.enqueue(&value(partition))?;
        }
        txn.commit()?;
    }
    let txn = producer.begin()?;
    write(&*txn, &topic, LAST, 1)?;
    txn.commit()?;
    producer.close()?;

    let values = read_to_last(&mut *committed(&*client, &topic)?)?;
    expect("committed", &values, &[("one", 20), ("two", 5), ("three", 5)])?;
    let partitions: Vec<i32> = (0..PARTITIONS).collect();
    let all = read_to_last(&mut *client.consumer(&topic, &partitions)?)?;
    let seen = |partition: i32, value: &str| {
        all.get(&partition).is_some_and(|values| values.iter().any(|each| each == value))
    };
    if !seen(0, "aborted 20") || !seen(1, "dropped 0") {
        return Err(format!("what was aborted is not in the log: {all:?}").into());
    }
    Ok(())
}

fn fenced<T>(outcome: Outcome<T>) -> Outcome<()> {
    let Err(error) = outcome else { return Err("a fenced producer went on".into()) };
    match error.downcast_ref::<TransactionError>() {
        Some(error) if error.fenced() && !error.outcome_unknown() => Ok(()),
        _ => Err(format!("another error than that it is fenced: {error}").into()),
    }
}

/// Who takes a transactional id over ends what was open, and the one before can do nothing any more.
pub(crate) fn successor_fences(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, "t", PARTITIONS)?;
    let id = stage.topic("id");
    let mut first = transactional(&*client, &id)?;
    let mut idle = transactional(&*client, &stage.topic("other-id"))?;
    idle.init()?;
    let txn = first.begin()?;
    write(&*txn, &topic, "first", 1)?;
    txn.send(&Message::to(&topic).partition(0).value("first 1"))?;

    let other = stage.connect()?;
    let mut second = transactional(&*other, &id)?;
    second.init()?;
    fenced(txn.commit())?;
    fenced(first.begin().map(drop))?;
    let txn = second.begin()?;
    write(&*txn, &topic, "second", 3)?;
    txn.commit()?;

    // One that has nothing open finds it out with its next transaction.
    let mut third = transactional(&*other, &stage.topic("other-id"))?;
    third.init()?;
    let txn = idle.begin()?;
    let refused = txn.send(&Message::to(&topic).partition(0).value("idle 0"));
    if refused.is_ok() {
        return Err("a fenced producer wrote".into());
    }
    fenced(txn.commit())?;

    let txn = third.begin()?;
    write(&*txn, &topic, LAST, 1)?;
    txn.commit()?;
    expect("committed", &read_to_last(&mut *committed(&*client, &topic)?)?, &[("second", 3)])
}

/// Waits until a group has committed an offset of partition 0, and from 2.5 on until no transaction can change that.
///
/// Brokers before 4.0 carry the end of a transaction out for its offsets when they have answered already. What the next one
/// sends until then ends with the one before.
fn await_offset(client: &dyn Client, group: &str, topic: &str, offset: i64) -> Outcome<()> {
    let settings = ConsumerSettings { group: Some(group.to_owned()), ..ConsumerSettings::default() };
    let mut onlooker = client.consumer_with(&settings, topic, &[0])?;
    for _ in 0..1_000 {
        if onlooker.committed(topic, 0)? == Some(offset) {
            return Ok(());
        }
    }
    Err(format!("{offset} is not committed").into())
}

/// Offsets become visible with the transaction, and those of a member that the group has gone on without are refused.
pub(crate) fn offsets(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, "t", PARTITIONS)?;
    let group = stage.topic("g");
    let mut producer = transactional(&*client, &stage.topic("id"))?;
    let txn = producer.begin()?;
    write(&*txn, &topic, "one", 10)?;
    txn.commit()?;

    let nobody = GroupMetadata::without_member(Str::copy_of(&group));
    let txn = producer.begin()?;
    txn.send(&Message::to(&topic).partition(0).value("two 0"))?;
    txn.send_offsets(&nobody, &topic, &[(0, 3), (1, 4)])?;
    txn.commit()?;
    await_offset(&*client, &group, &topic, 3)?;
    let txn = producer.begin()?;
    txn.send_offsets(&nobody, &topic, &[(0, 7)])?;
    txn.abort()?;
    await_offset(&*client, &group, &topic, 3)?;
    // Offsets alone, several times in one transaction.
    let txn = producer.begin()?;
    txn.send_offsets(&nobody, &topic, &[(1, 5)])?;
    txn.send_offsets(&nobody, &topic, &[(1, 6), (2, 1)])?;
    txn.commit()?;

    let settings = MemberSettings { auto_commit: false, ..MemberSettings::new(&group, &topic) };
    let mut member = client.member(&settings)?;
    let found: Vec<_> = (0..PARTITIONS).map(|at| member.committed(&topic, at)).collect::<Result<_, _>>()?;
    if found != [Some(3), Some(6), Some(1)] {
        return Err(format!("committed: {found:?}").into());
    }
    for _ in 0..1_000 {
        if let Some(Told::Records(_)) = member.next(Duration::from_millis(100))? {
            break;
        }
    }
    let old = member.metadata().ok_or("no member")?;
    let txn = producer.begin()?;
    txn.send_offsets(&old, &topic, &[(2, 2)])?;
    txn.commit()?;
    let mut found = member.committed(&topic, 2)?;
    // Brokers before 2.5 do not wait for the end of the transaction, which is written after the commit is answered.
    for _ in 0..1_000 {
        if found == Some(2) || !is_old(stage) {
            break;
        }
        found = member.committed(&topic, 2)?;
    }
    if found != Some(2) {
        return Err(format!("a member's offset is not committed: {found:?}").into());
    }
    member.close();
    // Brokers before 2.5 are not told who it was.
    if !is_old(stage) {
        let mut other = client.member(&settings)?;
        for _ in 0..1_000 {
            if let Some(Told::Records(_)) = other.next(Duration::from_millis(100))? {
                break;
            }
        }
        let txn = producer.begin()?;
        let Err(error) = txn.send_offsets(&old, &topic, &[(2, 3)]) else {
            return Err("the offsets of a member that left were taken".into());
        };
        let told = error.downcast_ref::<TransactionError>().is_some_and(TransactionError::requires_abort);
        if !told {
            return Err(format!("{error} does not require an abort").into());
        }
        txn.abort()?;
        other.close();
    }
    producer.begin()?.commit()?;
    producer.close()
}

/// A transaction that is left open is aborted by the coordinator, and the producer finds it out.
pub(crate) fn times_out(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, "t", PARTITIONS)?;
    let id = stage.topic("id");
    let settings =
        TransactionalSettings { timeout: Duration::from_millis(500), ..TransactionalSettings::new(&id) };
    let mut producer = client.transactional(&settings)?;
    let txn = producer.begin()?;
    write(&*txn, &topic, "too late", 1)?;
    txn.send(&Message::to(&topic).partition(0).value("too late 1"))?;

    // What comes behind it can be read once it is over.
    let plain = client.producer(&ProducerSettings::default())?;
    for partition in 0..PARTITIONS {
        plain.send(&Message::to(&topic).partition(partition).value(LAST))?;
    }
    expect("committed", &read_to_last(&mut *committed(&*client, &topic)?)?, &[])?;

    let Err(error) = txn.commit() else { return Err("what had timed out was committed".into()) };
    let error = error.downcast_ref::<TransactionError>().ok_or("another error")?;
    if error.outcome_unknown() || !(error.fenced() || error.requires_abort()) {
        return Err(format!("it is not said what became of it: {error}").into());
    }
    // Whether the same producer may go on is the coordinator's to say; its successor may.
    let went_on = producer.begin().map(drop);
    if went_on.is_ok() == error.fenced() {
        return Err(format!("{error}, and then {went_on:?}").into());
    }
    let mut successor = client.transactional(&settings)?;
    successor.begin()?.commit()?;
    successor.close()
}

/// A topic is copied by members that come and go: each record is there once.
pub(crate) fn copy_exactly_once(stage: &Stage) -> Outcome<()> {
    const COUNT: usize = 400;
    let client = stage.connect()?;
    let from = new_topic(stage, "from", PARTITIONS)?;
    let to = new_topic(stage, "to", PARTITIONS)?;
    let input = client.producer(&ProducerSettings::default())?;
    let produce = |numbers: std::ops::Range<usize>| -> Outcome<()> {
        for number in numbers {
            for partition in 0..PARTITIONS {
                let value = format!("n {number}");
                drop(input.enqueue(&Message::to(&from).partition(partition).value(value))?);
            }
        }
        input.flush()
    };
    let settings = MemberSettings { auto_commit: false, ..MemberSettings::new(&stage.topic("g"), &from) };
    let phase = AtomicUsize::new(0);
    let copy = |name: &str, until: usize| -> Outcome<()> {
        let client = stage.connect()?;
        let mut is_over = || phase.load(Ordering::SeqCst) >= until;
        client.copy_exactly_once(&settings, &stage.topic(name), &to, &mut is_over)
    };
    let (outcomes, values) = std::thread::scope(|scope| -> Outcome<_> {
        let first = scope.spawn(|| copy("a", 2));
        produce(0..COUNT / 4)?;
        let second = scope.spawn(|| copy("b", 3));
        let mut output = committed(&*client, &to)?;
        let mut read = Values::new();
        let mut read_until = |count: usize| -> Outcome<()> {
            while (0..PARTITIONS).any(|at| read.get(&at).map_or(0, Vec::len) < count) {
                for record in output.next_batch()? {
                    let value = String::from_utf8(record.value.unwrap_or_default())?;
                    read.entry(record.partition).or_default().push(value);
                }
            }
            Ok(())
        };
        read_until(COUNT / 4)?;
        produce(COUNT / 4..COUNT / 2)?;
        read_until(COUNT / 2)?;
        phase.store(2, Ordering::SeqCst);
        let first = first.join().map_err(|_| "panicked")?;
        produce(COUNT / 2..COUNT)?;
        read_until(COUNT)?;
        phase.store(3, Ordering::SeqCst);
        Ok(((first, second.join().map_err(|_| "panicked")?), read))
    })?;
    outcomes.0?;
    outcomes.1?;
    expect("copied", &values, &[("n", COUNT)])
}

/// `klamm copy` goes on where it was, however often it is killed: each record is there once.
pub(crate) fn tool_copies(stage: &Stage) -> Outcome<()> {
    const COUNT: usize = 10_000;
    const KILLS: usize = 3;
    let client = stage.connect()?;
    let from = new_topic(stage, "from", PARTITIONS)?;
    let to = new_topic(stage, "to", PARTITIONS)?;
    let input = client.producer(&ProducerSettings::default())?;
    for number in 0..COUNT {
        for partition in 0..PARTITIONS {
            drop(input.enqueue(&Message::to(&from).partition(partition).value(format!("n {number}")))?);
        }
    }
    input.flush()?;
    let (id, bootstrap) = (stage.topic("id"), stage.cluster().bootstrap().join(","));
    let mut arguments = vec!["copy", &from, &to, "--exactly-once", "--transactional-id", &id];
    arguments.extend(["--transaction-records", "100", "--bootstrap", &bootstrap]);

    let mut output = committed(&*client, &to)?;
    let (mut values, mut read) = (Values::new(), 0);
    for kill in 1..=KILLS {
        klamm_killed(&arguments, || {
            while read < kill * COUNT / 2 {
                for record in output.next_batch()? {
                    let value = String::from_utf8(record.value.unwrap_or_default())?;
                    values.entry(record.partition).or_default().push(value);
                    read += 1;
                }
            }
            Ok(())
        })?;
    }
    arguments.push("--exit-at-end");
    klamm(&arguments, b"", None)?.succeeded()?;
    let again = String::from_utf8(klamm(&arguments, b"", None)?.succeeded()?)?;
    if !again.starts_with("copied 0 records") {
        return Err(format!("there was nothing left to copy: {again}").into());
    }
    for partition in 0..PARTITIONS {
        input.send(&Message::to(&to).partition(partition).value(LAST))?;
    }
    for (partition, rest) in read_to_last(&mut *output)? {
        values.entry(partition).or_default().extend(rest);
    }
    expect("copied", &values, &[("n", COUNT)])
}
