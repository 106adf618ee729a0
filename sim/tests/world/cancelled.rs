//! Futures of the client that are dropped at each of their waits: nothing is lost, doubled or stuck.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use klamm_engine::{
    EventOptions, GroupEvent, GroupProtocol, NewTopic, OffsetReset, Producer, Record, StartAt,
};
use klamm_sim::{Kafka, World, world::NetworkConfig};

const LIMIT: Duration = Duration::from_secs(900);

/// More waits than any future here has.
const MANY: usize = 300;

/// Drops a future when it has waited so many times, or gives what came of it before. None: it is dropped without having
/// been polled.
async fn cut<F: Future>(future: F, waits: usize) -> Option<F::Output> {
    if waits == 0 {
        return None;
    }
    let mut future = pin!(future);
    let mut left = waits;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            left -= 1;
            if left == 0 { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await
}

/// Runs a scenario in a new world for each wait at which a future can be dropped. It says whether the future ended.
fn at_every_wait<F: Future<Output = bool>>(scenario: impl Fn(World, Kafka, usize) -> F) {
    for waits in 0..MANY {
        let world = World::builder().seed(waits as u64).network(NetworkConfig::default()).build();
        let connecting = world.kafka("app").request_timeout(Duration::from_secs(10)).connect();
        let kafka = world.block_on(connecting, LIMIT).unwrap().unwrap();
        let ended = world.block_on(scenario(world.clone(), kafka, waits), LIMIT);
        if ended.unwrap_or_else(|stuck| panic!("dropped at wait {waits}: {stuck}")) {
            assert!(waits > 1, "it never waits");
            return;
        }
    }
    panic!("it does not end within {MANY} waits");
}

fn producer(kafka: &Kafka) -> Producer {
    kafka.producer().linger(Duration::ZERO).build().unwrap()
}

fn times(world: &World, value: &str) -> usize {
    let records = world.cluster(|cluster, _| cluster.records("t", 0)).unwrap_or_default();
    records.iter().filter(|record| record.value.as_deref() == Some(value.as_bytes())).count()
}

/// Everything that was accepted is written once, and the producer has nothing left.
async fn is_sound(world: &World, producer: &Producer, cut_off: &str) {
    producer.send(Record::to("t").value("after")).await.unwrap();
    producer.close().await.unwrap();
    assert!(times(world, cut_off) <= 1, "doubled");
    assert_eq!(times(world, "after"), 1);
    assert_eq!(producer.memory_in_use(), 0);
}

#[test]
fn a_send() {
    at_every_wait(|world, kafka, waits| async move {
        let producer = producer(&kafka);
        let ended = cut(producer.send(Record::to("t").value("cut")), waits).await.is_some();
        is_sound(&world, &producer, "cut").await;
        assert!(!ended || times(&world, "cut") == 1, "acknowledged and lost");
        ended
    });
}

#[test]
fn an_enqueue() {
    at_every_wait(|world, kafka, waits| async move {
        let producer = producer(&kafka);
        let receipt = cut(producer.enqueue(Record::to("t").value("cut")), waits).await;
        let accepted = receipt.is_some();
        drop(receipt);
        is_sound(&world, &producer, "cut").await;
        assert_eq!(
            times(&world, "cut"),
            usize::from(accepted),
            "what is accepted is written, and nothing else"
        );
        accepted
    });
}

#[test]
fn a_receipt() {
    at_every_wait(|world, kafka, waits| async move {
        let producer = producer(&kafka);
        let receipt = producer.enqueue(Record::to("t").value("cut")).await.unwrap();
        let ended = cut(receipt, waits).await.is_some();
        is_sound(&world, &producer, "cut").await;
        assert_eq!(times(&world, "cut"), 1, "who does not wait for the outcome has sent nevertheless");
        ended
    });
}

#[test]
fn a_reservation() {
    at_every_wait(|world, kafka, waits| async move {
        let producer = producer(&kafka);
        let permit = cut(producer.reserve("t", 100), waits).await;
        let ended = permit.is_some();
        drop(permit);
        is_sound(&world, &producer, "cut").await;
        ended
    });
}

#[test]
fn a_flush_and_a_close() {
    for close in [false, true] {
        at_every_wait(|world, kafka, waits| async move {
            let producer = kafka.producer().linger(Duration::from_secs(60)).build().unwrap();
            drop(producer.enqueue(Record::to("t").value("cut")).await.unwrap());
            let ended = if close {
                cut(producer.close(), waits).await.is_some()
            } else {
                cut(producer.flush(), waits).await.is_some()
            };
            producer.close().await.unwrap();
            assert_eq!((times(&world, "cut"), producer.memory_in_use()), (1, 0));
            ended
        });
    }
}

/// Numbers from 0 on, written one by one so that they come in several batches.
async fn write_numbers(kafka: &Kafka, count: usize) {
    let producer = producer(kafka);
    for number in 0..count {
        producer.send(Record::to("t").value(number.to_string())).await.unwrap();
    }
    producer.close().await.unwrap();
}

#[test]
fn a_wait_for_records() {
    at_every_wait(|_, kafka, waits| async move {
        write_numbers(&kafka, 10).await;
        let builder = kafka.consumer().assign([("t", 0, StartAt::Earliest)]).fetch_max_wait_ms(50);
        let consumer = builder.build().unwrap();
        let mut read = Vec::new();
        let first = cut(consumer.next_batch(), waits).await;
        let ended = first.is_some();
        let mut batch = first;
        while read.len() < 10 {
            let next = match batch.take() {
                Some(batch) => batch,
                // Each wait is given up now and then.
                None => match cut(consumer.next_batch(), 1).await {
                    Some(batch) => batch,
                    None => consumer.next_batch().await,
                },
            };
            read.extend(next.unwrap().records().map(|record| record.offset));
        }
        assert!(read.iter().copied().eq(0..10), "{read:?}");
        ended
    });
}

#[test]
fn a_wait_for_records_of_a_group_and_a_commit() {
    for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
        at_every_wait(|_, kafka, waits| async move {
            write_numbers(&kafka, 5).await;
            let builder = kafka.group("g").subscribe(["t"]).offset_reset(OffsetReset::Earliest);
            let consumer = builder.protocol(protocol).auto_commit(None).build().unwrap();
            let (mut read, mut assigned) = (Vec::new(), 0);
            let mut next = cut(consumer.next(), waits).await;
            let ended = next.is_some();
            while read.len() < 5 {
                match match next.take() {
                    Some(event) => event,
                    None => consumer.next().await,
                } {
                    Ok(GroupEvent::Batch(batch)) => read.extend(batch.records().map(|record| record.offset)),
                    Ok(GroupEvent::Assigned(partitions)) => assigned += partitions.len(),
                    other => drop(other.unwrap()),
                }
            }
            assert!(read.iter().copied().eq(0..5), "{read:?}");
            assert_eq!(assigned, 1, "the event is told once");
            let _given_up = cut(consumer.commit(), waits).await;
            consumer.commit().await.unwrap();
            let committed = consumer.committed([("t", 0)]).await.unwrap();
            let offset = committed.values().next().unwrap().as_ref().unwrap().as_ref().unwrap().offset;
            assert_eq!(offset, 5);
            let _given_up = cut(consumer.close(Duration::from_secs(5)), waits).await;
            consumer.close(Duration::from_secs(5)).await;
            ended
        });
    }
}

#[test]
fn a_search_for_the_cluster() {
    at_every_wait(|world, _, waits| async move {
        let given_up = cut(world.kafka("other").connect(), waits).await;
        let ended = given_up.is_some();
        drop(given_up);
        let kafka = world.kafka("third").connect().await.unwrap();
        kafka.close().await;
        ended
    });
}

#[test]
fn administration() {
    at_every_wait(|_, kafka, waits| async move {
        let admin = kafka.admin();
        let created = cut(admin.create_topics([NewTopic::new("t").partitions(1)]), waits).await;
        let ended = created.is_some();
        // It may have been created: that is told, and nothing else is wrong.
        drop(admin.create_topics([NewTopic::new("t").partitions(1)]).await.unwrap());
        let _given_up = cut(admin.list_topics(), waits).await;
        assert!(admin.list_topics().await.unwrap().keys().any(|name| &**name == "t"));
        ended
    });
}

#[test]
fn the_end_of_the_client_and_those_who_look_on() {
    at_every_wait(|_, kafka, waits| async move {
        let mut events = kafka.events(EventOptions::default());
        write_numbers(&kafka, 2).await;
        let _given_up = cut(events.next(), waits).await;
        let ended = cut(kafka.close(), waits).await.is_some();
        kafka.close().await;
        while events.next().await.is_some() {}
        ended
    });
}
