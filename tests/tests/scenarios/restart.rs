//! A broker of three is killed and comes back, while records are produced and while they are consumed: every
//! acknowledged record is there exactly once and in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use klamm_tests::Outcome;
use klamm_tests::client::{Client, Message, Place, Producer, ProducerSettings, Received, read};
use klamm_tests::scenario::Stage;

const PARTITIONS: i32 = 6;

/// The acknowledged records: what is at each place.
type Acknowledged = BTreeMap<Place, Vec<u8>>;

/// A count that one thread raises and another waits for; an end is the end of all waiting.
#[derive(Default)]
struct Progress {
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Progress {
    fn set(&self, count: usize) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 = count;
        self.changed.notify_all();
    }

    fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.changed.notify_all();
    }

    /// Waits until the count has grown by `more`.
    fn wait(&self, more: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let goal = state.0 + more;
        while state.0 < goal && !state.1 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Ends a progress when its thread does, however that goes.
struct Ending<'a>(&'a Progress);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Produces to every partition until told to stop; returns what was acknowledged. Records are sent in windows, so
/// that several batches are in flight when the broker goes.
fn produce_until(
    producer: &dyn Producer,
    topic: &str,
    stop: &AtomicBool,
    sent: &Progress,
) -> Outcome<Acknowledged> {
    let _ending = Ending(sent);
    let mut acknowledged = Acknowledged::new();
    let mut serial = 0_u64;
    while !stop.load(Ordering::Acquire) {
        let mut window = Vec::new();
        for _ in 0..20 {
            for partition in 0..PARTITIONS {
                let value = format!("{serial:08}").into_bytes();
                serial += 1;
                let message = Message::to(topic).partition(partition).value(value.clone());
                window.push((producer.enqueue(&message)?, value));
            }
        }
        for (pending, value) in window {
            let twice = acknowledged.insert(pending.wait()?, value);
            assert!(twice.is_none(), "two records acknowledged at one place");
        }
        sent.set(acknowledged.len());
    }
    Ok(acknowledged)
}

/// Kills a broker and brings it back, with work going on before, in between and after.
fn break_and_mend(stage: &Stage, broker: u32, progress: &Progress) -> Outcome<()> {
    progress.wait(500);
    stage.cluster().kill(broker)?;
    progress.wait(500);
    stage.cluster().restart(broker)?;
    progress.wait(500);
    Ok(())
}

/// What was acknowledged is what is there: nothing is missing, nothing is twice, and all is in order.
fn compare(acknowledged: &Acknowledged, received: &[Received]) {
    let mut next = BTreeMap::new();
    for record in received {
        let expected = next.entry(record.partition).or_insert(0_i64);
        assert_eq!(record.offset, *expected, "partition {} skips or repeats", record.partition);
        *expected += 1;
        let place = Place { partition: record.partition, offset: record.offset };
        assert_eq!(acknowledged.get(&place), record.value.as_ref(), "at {place:?}");
    }
    assert_eq!(received.len(), acknowledged.len(), "every acknowledged record, and no other");
}

pub(crate) fn while_producing(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("t");
    let client = stage.connect()?;
    client.create_topic(&topic, PARTITIONS, 3)?;
    let producer = client.producer(&ProducerSettings::default())?;
    let (stop, sent) = (AtomicBool::new(false), Progress::default());
    let acknowledged = thread::scope(|scope| {
        let worker = scope.spawn(|| produce_until(&*producer, &topic, &stop, &sent));
        let broke = break_and_mend(stage, 2, &sent);
        stop.store(true, Ordering::Release);
        let acknowledged = worker.join().map_err(|_| "the producing thread panicked")?;
        broke.and(acknowledged)
    })?;
    producer.close()?;
    let all: Vec<i32> = (0..PARTITIONS).collect();
    let mut consumer = client.consumer(&topic, &all)?;
    compare(&acknowledged, &read(&mut *consumer, acknowledged.len())?);
    Ok(())
}

/// Reads until there is as much as `total` says by then; `usize::MAX` is: not known yet.
fn consume_until(
    client: &dyn Client,
    topic: &str,
    total: &AtomicUsize,
    seen: &Progress,
) -> Outcome<Vec<Received>> {
    let _ending = Ending(seen);
    let all: Vec<i32> = (0..PARTITIONS).collect();
    let mut consumer = client.consumer(topic, &all)?;
    let mut received = Vec::new();
    while received.len() < total.load(Ordering::Acquire) {
        received.extend(consumer.next_batch()?);
        seen.set(received.len());
    }
    Ok(received)
}

pub(crate) fn while_consuming(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("t");
    let (writer, reader) = (stage.connect()?, stage.connect()?);
    writer.create_topic(&topic, PARTITIONS, 3)?;
    let producer = writer.producer(&ProducerSettings::default())?;
    let (stop, total) = (AtomicBool::new(false), AtomicUsize::new(usize::MAX));
    let (sent, seen) = (Progress::default(), Progress::default());
    let (acknowledged, received) = thread::scope(|scope| {
        let consuming = scope.spawn(|| consume_until(&*reader, &topic, &total, &seen));
        let producing = scope.spawn(|| produce_until(&*producer, &topic, &stop, &sent));
        let broke = break_and_mend(stage, 3, &seen);
        stop.store(true, Ordering::Release);
        let mut acknowledged = producing.join().map_err(|_| "the producing thread panicked")??;
        // The last record comes after the total is known, so the reader never waits for one that will not come.
        total.store(acknowledged.len() + 1, Ordering::Release);
        let place = producer.send(&Message::to(&topic).partition(0).value("the last"))?;
        acknowledged.insert(place, b"the last".to_vec());
        let received = consuming.join().map_err(|_| "the consuming thread panicked")??;
        broke?;
        Outcome::Ok((acknowledged, received))
    })?;
    compare(&acknowledged, &received);
    Ok(())
}
