//! Real runs, observed by the checkers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use klamm_engine::{Event, Record, StartAt};
use klamm_protocol::Str;
use klamm_sim::World;
use klamm_sim::check::{Bounds, Checker, Counts, Invariant, Violation};
use klamm_sim::observe::{
    ActorId, ConsumerFacts, Consuming, Observation, Phase, ProducerFacts, Producing, TopicPartition, ValueId,
};
use klamm_sim::world::Host;

const PRODUCER: ActorId = ActorId(0);
const CONSUMER: ActorId = ActorId(1);
const TOPIC: &str = "numbers";
const RECORDS: u64 = 400;
const LIMIT: Duration = Duration::from_secs(600);

fn facts() -> ProducerFacts {
    ProducerFacts {
        acks: -1,
        idempotent: true,
        delivery_timeout_ns: 120_000_000_000,
        max_in_flight: 5,
        batch_size: 16_384,
        max_request_size: 1 << 20,
        buffer_memory: 32 << 20,
        max_block_ns: u64::MAX,
    }
}

/// Produces some records, one after the other, and tells of it. `lie`: tells of an offset that is wrong by one.
async fn produce(world: World, lie: bool) {
    let tell = |what: Producing<'_>| world.tell(&Observation::Producing(PRODUCER, what));
    let (client, kafka) = (world.client("writer"), world.kafka("writer").connect().await.unwrap());
    let producer = kafka.producer().build().unwrap();
    tell(Producing::Made(client, &facts()));
    let topic = Str::from(TOPIC);
    let mut bytes = Vec::new();
    for number in 0..RECORDS {
        let value = ValueId::new(PRODUCER, Some(u32::try_from(number % 7).unwrap()), number, 1, 60);
        value.write_value(&mut bytes);
        tell(Producing::Offered { value, topic: &topic, partition: None });
        let key = value.key_bytes().unwrap();
        let receipt = producer.enqueue(Record::to(TOPIC).key(&key).value(&bytes)).await.unwrap();
        tell(Producing::Accepted(value));
        let written = receipt.await.unwrap();
        let offset = written.offset.map(|offset| offset + i64::from(lie));
        tell(Producing::Written { value, partition: written.partition, offset });
        world.sleep(Duration::from_millis(50)).await;
    }
}

async fn consume(world: World) {
    let tell = |what: Consuming<'_>| world.tell(&Observation::Consuming(CONSUMER, what));
    let (client, kafka) = (world.client("reader"), world.kafka("reader").connect().await.unwrap());
    let consumer = kafka.consumer().assign([(TOPIC, 0, StartAt::Earliest)]).build().unwrap();
    let facts =
        ConsumerFacts { read_committed: false, buffer_memory: 64 << 20, reset: Some(-1), reads_apart: false };
    tell(Consuming::Made(client, &facts));
    let of = TopicPartition { topic: Str::from(TOPIC), partition: 0 };
    tell(Consuming::Positioned(&of, -2));
    loop {
        match consumer.next().await.unwrap() {
            Event::Batch(batch) => {
                for record in batch.records() {
                    let bytes = record.value.unwrap();
                    let value = ValueId::from_value(bytes);
                    tell(Consuming::Delivered { from: &of, offset: record.offset, value, bytes });
                }
            }
            Event::Reset { from, to, .. } => {
                tell(Consuming::Moved { from: &of, position: from, to, truncated: false })
            }
            Event::End { offset, .. } => tell(Consuming::End(&of, offset)),
            Event::Trouble(trouble) => {
                tell(Consuming::Trouble { of: &of, fatal: false, error: &trouble.to_string() })
            }
            event => panic!("{event:?}"),
        }
    }
}

fn run(seed: u64, lie: bool, trouble: impl AsyncFnOnce(&World)) -> (Vec<Violation>, Counts) {
    let checker = Rc::new(RefCell::new(Checker::new(Bounds::default())));
    let world = World::builder().seed(seed).observer(Box::new(Rc::clone(&checker))).build();
    let producing = world.spawn("producer", produce(world.clone(), lie));
    let consuming = world.spawn("consumer", consume(world.clone()));
    let all = async {
        trouble(&world).await;
        world.tell(&Observation::Phase(Phase::Healed));
        producing.await.unwrap();
        world.sleep(Duration::from_secs(5)).await;
        world.tell(&Observation::Phase(Phase::Settled));
    };
    world.block_on(all, LIMIT).unwrap_or_else(|stuck| panic!("{stuck}"));
    drop(consuming);
    let mut checker = checker.borrow_mut();
    (checker.finish(world.now()), checker.counts())
}

#[test]
fn a_run_without_trouble_passes() {
    let (violations, counts) = run(1, false, async |_| {});
    assert_eq!(violations, []);
    assert_eq!((counts.accepted, counts.written, counts.delivered), (RECORDS, RECORDS, RECORDS));
    assert!(counts.batches >= RECORDS, "{counts:?}");
}

#[test]
fn a_run_with_trouble_passes() {
    for seed in 0..5 {
        let (violations, counts) = run(seed, false, async |world| {
            for broker in [1, 2, 3] {
                world.sleep(Duration::from_secs(2)).await;
                let network = world.network();
                let clients = ["writer", "reader"].map(|name| Host::Client(world.client(name)));
                let all = clients.map(|client| network.connections(client, Host::Broker(broker))).concat();
                assert!(all.iter().all(|connection| network.reset(*connection)));
            }
        });
        assert_eq!(violations, [], "seed {seed}");
        assert_eq!((counts.accepted, counts.written, counts.delivered), (RECORDS, RECORDS, RECORDS));
    }
}

#[test]
fn a_lie_is_noticed() {
    let (violations, _) = run(1, true, async |_| {});
    assert_eq!(violations[0].invariant, Invariant::AckedIsThere);
}
