//! Members of a group in worlds: they are killed, paused and joined by others, brokers go and come back, and every
//! record that was acknowledged is read.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use klamm_core::Entropy;
use klamm_engine::{
    GroupEvent, GroupProtocol, NewTopic, OffsetReset, Record, TopicPartition, assignor::Assignor,
};
use klamm_sim::{Kafka, World, observe::ClientId};

const TOPIC: &str = "numbers";
const PARTITIONS: i32 = 6;
const RECORDS: usize = 300;
const LIMIT: Duration = Duration::from_secs(900);

/// How members behave.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Eager,
    Cooperative,
    Coordinator,
}

/// What all members together have read, and who has which partition.
#[derive(Default)]
struct Seen {
    read: BTreeMap<String, usize>,
    owners: BTreeMap<TopicPartition, Vec<String>>,
    /// A member was paused: it may not know yet that it is none any more.
    may_overlap: bool,
}

type Shared = Rc<RefCell<Seen>>;

/// Reads until it is closed.
async fn consume(kafka: Kafka, name: String, manner: Manner, seen: Shared) {
    let builder = kafka
        .group("group")
        .subscribe([TOPIC])
        .offset_reset(OffsetReset::Earliest)
        .session_timeout(Duration::from_secs(10))
        .auto_commit(Some(Duration::from_secs(1)));
    let builder = match manner {
        Manner::Eager => builder.assignors([Assignor::Range]),
        Manner::Cooperative => builder.assignors([Assignor::CooperativeSticky]),
        Manner::Coordinator => builder.protocol(GroupProtocol::Consumer),
    };
    let consumer = builder.build().unwrap();
    loop {
        match consumer.next().await.unwrap() {
            GroupEvent::Batch(batch) => {
                let mut seen = seen.borrow_mut();
                for record in batch.records() {
                    let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                    *seen.read.entry(value).or_default() += 1;
                }
            }
            GroupEvent::Assigned(partitions) => {
                let mut seen = seen.borrow_mut();
                let may_overlap = seen.may_overlap;
                for each in partitions {
                    let owners = seen.owners.entry((each.topic, each.partition)).or_default();
                    assert!(
                        may_overlap || owners.is_empty(),
                        "{name} and {owners:?} have {}",
                        each.partition
                    );
                    owners.push(name.clone());
                }
            }
            GroupEvent::Revoking(revocation) => forget(&seen, revocation.partitions(), &name),
            GroupEvent::Lost { partitions, .. } => forget(&seen, &partitions, &name),
            _ => {}
        }
    }
}

fn forget(seen: &Shared, partitions: &[TopicPartition], name: &str) {
    let mut seen = seen.borrow_mut();
    for partition in partitions {
        seen.owners.entry(partition.clone()).or_default().retain(|owner| owner != name);
    }
}

/// Starts a member as a process of its own.
async fn join(world: &World, name: String, manner: Manner, seen: &Shared) -> ClientId {
    let kafka = world.kafka(&name).connect().await.unwrap();
    let client = world.client(&name);
    drop(world.spawn_in(client, &name, consume(kafka, name.clone(), manner, Rc::clone(seen))));
    client
}

/// Sends numbered records to all partitions in turns, a few at a time.
async fn produce(world: World) -> usize {
    let kafka = world.kafka("producer").connect().await.unwrap();
    let producer = kafka.producer().build().unwrap();
    for number in 0..RECORDS {
        let partition = i32::try_from(number).unwrap() % PARTITIONS;
        let record = Record::to(TOPIC).partition(partition);
        producer.send(record.value(number.to_string())).await.unwrap();
        world.sleep(Duration::from_millis(200)).await;
    }
    RECORDS
}

async fn create(world: &World) {
    let kafka = world.kafka("setup").connect().await.unwrap();
    let topic = NewTopic::new(TOPIC).partitions(PARTITIONS).replication(3);
    let created = kafka.admin().create_topics([topic]).await.unwrap();
    assert!(created.values().all(Result::is_ok), "{created:?}");
}

/// Until everything is read and each partition has one owner.
async fn settle(world: &World, members: usize, seen: &Shared) {
    loop {
        {
            let seen = seen.borrow();
            let one_each = seen.owners.values().filter(|owners| owners.len() == 1).count();
            let mut owners: Vec<&String> = seen.owners.values().flatten().collect();
            owners.sort();
            owners.dedup();
            if seen.read.len() == RECORDS
                && one_each == usize::try_from(PARTITIONS).unwrap()
                && owners.len() == members.min(seen.owners.len())
            {
                return;
            }
        }
        world.sleep(Duration::from_millis(500)).await;
    }
}

/// What happens to the members and the brokers meanwhile.
async fn trouble(world: &World, seed: u64, manner: Manner, seen: &Shared) -> usize {
    let mut entropy = Entropy::new(seed);
    let mut members = BTreeMap::new();
    for number in 0..3 {
        let name = format!("member-{number}");
        members.insert(name.clone(), join(world, name, manner, seen).await);
    }
    for number in 3..9 {
        world.sleep(Duration::from_millis(2_000 + entropy.below(8_000))).await;
        match entropy.below(4) {
            0 => {
                let name = format!("member-{number}");
                members.insert(name.clone(), join(world, name, manner, seen).await);
            }
            1 if members.len() > 1 => {
                let (name, client) = members.pop_first().unwrap();
                world.kill_client(client);
                for owners in seen.borrow_mut().owners.values_mut() {
                    owners.retain(|owner| *owner != name);
                }
            }
            2 => {
                let client = *members.values().next().unwrap();
                seen.borrow_mut().may_overlap = true;
                world.pause_client(client, Duration::from_secs(1 + entropy.below(30)));
            }
            _ => {
                let broker = 1 + i32::try_from(entropy.below(3)).unwrap();
                world.cluster(|cluster, now| cluster.kill(now, broker));
                world.sleep(Duration::from_secs(1 + entropy.below(5))).await;
                world.cluster(|cluster, _| cluster.restart(broker));
            }
        }
    }
    members.len()
}

fn run(seed: u64, manner: Manner) -> u64 {
    let world = World::builder().seed(seed).build();
    let seen = Shared::default();
    let acting = {
        let (world, seen) = (world.clone(), Rc::clone(&seen));
        async move {
            create(&world).await;
            let producing = world.spawn("produce", produce(world.clone()));
            let members = trouble(&world, seed, manner, &seen).await;
            assert_eq!(producing.await, Ok(RECORDS));
            settle(&world, members, &seen).await;
        }
    };
    world.block_on(acting, LIMIT).unwrap_or_else(|stuck| {
        let seen = seen.borrow();
        panic!("seed {seed}, {manner:?}: {} read, owners {:?}\n{stuck}", seen.read.len(), seen.owners)
    });
    world.trace_hash()
}

#[test]
fn eager_members_read_everything() {
    for seed in 0..8 {
        run(seed, Manner::Eager);
    }
}

#[test]
fn cooperative_members_read_everything() {
    for seed in 0..8 {
        run(seed, Manner::Cooperative);
    }
}

#[test]
fn members_that_the_coordinator_assigns_to_read_everything() {
    for seed in 0..8 {
        run(seed, Manner::Coordinator);
    }
}

#[test]
fn a_group_runs_the_same_again() {
    assert_eq!(run(7, Manner::Eager), run(7, Manner::Eager));
    assert_eq!(run(7, Manner::Coordinator), run(7, Manner::Coordinator));
}
