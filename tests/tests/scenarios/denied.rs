//! What a user has no right to: the caller is told what it is and which permission is lacking, and nothing else ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use klamm_engine::{Mechanism, Sasl};
use klamm_sim::cluster::Operation;
use klamm_tests::Outcome;
use klamm_tests::client::{Client, Consumer, ConsumerSettings, Message, ProducerSettings, read};
use klamm_tests::members::{Member, MemberSettings, Told};
use klamm_tests::scenario::Stage;
use klamm_tests::security::{Credentials, Door, LIMITED, LIMITED_PREFIX, Secured};
use klamm_tests::transactions::TransactionalSettings;

/// What each of these errors says.
const PERMISSION: &str = "permission (ACL)";
const OF_TOPIC: &str = "TOPIC_AUTHORIZATION_FAILED";
const OF_GROUP: &str = "GROUP_AUTHORIZATION_FAILED";

/// How long it may take until an error is there.
const SOON: Duration = Duration::from_secs(20);

/// Somebody who may do everything and somebody who may not; a topic that is not for the latter, and one that is.
struct House {
    secured: Arc<Secured>,
    admin: Box<dyn Client>,
    alice: Box<dyn Client>,
    secret: String,
    own: String,
}

impl House {
    fn new(stage: &Stage, name: &str) -> Outcome<Self> {
        let secured = Secured::of(stage.cluster().spec().kind)?;
        let by = |sasl| Credentials { tls: None, sasl: Some(sasl) };
        let addresses = secured.bootstrap(Door::SaslPlaintext);
        let admin = stage.connect_through(&addresses, by(secured.sasl(Mechanism::Plain)))?;
        let alice = stage.connect_through(&addresses, by(Sasl::plain(LIMITED.0, LIMITED.1)))?;
        let secret = stage.topic(&format!("{name}-secret"));
        let own = format!("{LIMITED_PREFIX}{}", stage.topic(&format!("{name}-own")));
        admin.create_topic(&secret, 1, 1)?;
        alice.create_topic(&own, 1, 1)?;
        let house = Self { secured, admin, alice, secret, own };
        for topic in [&house.secret, &house.own] {
            house.fill(topic)?;
        }
        Ok(house)
    }

    fn fill(&self, topic: &str) -> Outcome<()> {
        let producer = self.admin.producer(&ProducerSettings::default())?;
        producer.send(&Message::to(topic).value(topic)).map(drop)
    }

    /// A topic of which the limited user may know, but not read it.
    fn seen(&self, name: &str) -> Outcome<String> {
        let topic = format!("{}-{name}", self.secret);
        self.admin.create_topic(&topic, 1, 1)?;
        self.fill(&topic)?;
        self.secured.allow_limited(&topic, Operation::Describe)?;
        Ok(topic)
    }
}

/// What an operation says that is denied.
fn lacks<T>(what: &str, result: Outcome<T>, told: &[&str]) -> Outcome<()> {
    let Err(error) = result else { return Err(format!("alice may {what}").into()) };
    let said = error.to_string();
    for told in told.iter().chain([&PERMISSION]) {
        assert!(said.contains(told), "{what}: {told} is not told: {said}");
    }
    Ok(())
}

pub(crate) fn writing(stage: &Stage) -> Outcome<()> {
    let House { alice, admin, secret, own, .. } = House::new(stage, "denied")?;
    lacks("create topics", alice.create_topic(&stage.topic("denied-other"), 1, 1), &[OF_TOPIC])?;
    lacks("delete topics", alice.delete_topic(&secret), &[OF_TOPIC])?;
    assert!(!alice.list_topics()?.contains(&secret), "alice sees what is secret");
    assert!(admin.list_topics()?.contains(&secret), "it was deleted");
    let producer = alice.producer(&ProducerSettings::default())?;
    lacks("write", producer.send(&Message::to(&secret).value("v")), &[&secret, OF_TOPIC])?;
    // The same producer goes on elsewhere.
    producer.send(&Message::to(&own).value("v"))?;

    let id = stage.topic("denied-transactional");
    let mut foreign = alice.transactional(&TransactionalSettings::new(&id))?;
    lacks("have transactions", foreign.init(), &["TRANSACTIONAL_ID_AUTHORIZATION_FAILED"])?;
    let mut transactional =
        alice.transactional(&TransactionalSettings::new(&format!("{LIMITED_PREFIX}{id}")))?;
    transactional.init()?;
    let txn = transactional.begin()?;
    txn.send(&Message::to(&own).value("aborted"))?;
    lacks("write in a transaction", txn.send(&Message::to(&secret).value("v")), &[&secret, OF_TOPIC])?;
    txn.abort()?;
    let txn = transactional.begin()?;
    txn.send(&Message::to(&own).value("committed"))?;
    txn.commit()?;
    let committed = ConsumerSettings { read_committed: true, ..ConsumerSettings::default() };
    let records = read(&mut *admin.consumer_with(&committed, &own, &[0])?, 3)?;
    let values: Vec<_> = records.iter().filter_map(|record| record.value.as_deref()).collect();
    assert_eq!(values, [own.as_bytes(), b"v", b"committed"]);
    Ok(())
}

/// The next records of a topic; those of others are passed over.
fn next_of(consumer: &mut dyn Consumer, topic: &str) -> Outcome<()> {
    while !consumer.next_batch()?.iter().any(|record| record.topic == topic) {}
    Ok(())
}

pub(crate) fn reading(stage: &Stage) -> Outcome<()> {
    let house = House::new(stage, "reading")?;
    let House { secured, alice, secret, own, .. } = &house;
    let seen = house.seen("seen")?;
    for (what, topic) in [("know of a topic", secret), ("read a topic", &seen)] {
        let told = [topic.as_str(), OF_TOPIC];
        lacks(what, alice.consumer(topic, &[0])?.next_batch(), &told)?;
        lacks(what, alice.consumer(topic, &[0])?.records(1), &told)?;
        let mut consumer = alice.consumer(topic, &[0])?;
        lacks(what, consumer.partition_stream(topic, 0)?.next_batch(), &told)?;
    }
    // Other partitions go on, and so does this one once the right is there, without having been told of again.
    let beside = ConsumerSettings { pattern: Some(format!("^{own}$")), ..ConsumerSettings::default() };
    let mut consumer = alice.consumer_with(&beside, &seen, &[0])?;
    let mut others = 0;
    let refused = loop {
        match consumer.next_batch() {
            Ok(records) => others += records.len(),
            Err(error) => break Err::<(), _>(error),
        }
    };
    lacks("read a topic", refused, &[&seen, OF_TOPIC])?;
    if others == 0 {
        next_of(&mut *consumer, own)?;
    }
    house.fill(own)?;
    next_of(&mut *consumer, own)?;
    secured.allow_limited(&seen, Operation::Read)?;
    next_of(&mut *consumer, &seen)
}

/// Reads as a member until it is told of an error that names this.
fn until_error(member: &mut dyn Member, named: &str, read_of: &mut Vec<String>) -> Outcome<()> {
    let begun = Instant::now();
    while begun.elapsed() < SOON {
        match member.next(Duration::from_secs(1)) {
            Ok(Some(Told::Records(records))) => {
                read_of.extend(records.into_iter().map(|record| record.topic));
            }
            Ok(_) => {}
            // A coordinator that assigns does not say which of the topics it is; the metadata do.
            Err(error) if !error.to_string().contains(named) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(crate) fn groups(stage: &Stage) -> Outcome<()> {
    let house = House::new(stage, "groups")?;
    let House { secured, alice, secret, own, .. } = &house;
    let group = stage.topic("denied-group");
    for coordinator_assigns in [false, true] {
        let mut settings = MemberSettings { coordinator_assigns, ..MemberSettings::new(&group, own) };
        let mut member = alice.member(&settings)?;
        let mut read_of = Vec::new();
        lacks("join groups", until_error(&mut *member, &group, &mut read_of), &[&group, OF_GROUP])?;
        assert!(read_of.is_empty(), "alice reads as a member");
        assert_eq!(member.next(Duration::from_secs(3))?, None, "it is said again");

        // A topic that cannot be known, and one that cannot be read, beside one that can.
        let seen = house.seen(if coordinator_assigns { "coordinated" } else { "classic" })?;
        let own_group = format!("{LIMITED_PREFIX}{group}-{coordinator_assigns}");
        settings.group.clone_from(&own_group);
        for (topic, is_known) in [(secret, false), (&seen, true)] {
            settings.topics = vec![own.clone(), topic.clone()];
            settings.group = format!("{own_group}-{is_known}");
            let mut member = alice.member(&settings)?;
            lacks("read as a member", until_error(&mut *member, topic, &mut read_of), &[topic, OF_TOPIC])?;
            if is_known {
                secured.allow_limited(topic, Operation::Read)?;
            }
            // With the coordinator's assignment a topic that cannot be known has the others wait, as in Kafka.
            let awaited = if is_known {
                vec![own, topic]
            } else if coordinator_assigns {
                vec![]
            } else {
                vec![own]
            };
            let begun = Instant::now();
            while !awaited.iter().all(|topic| read_of.contains(*topic)) {
                assert!(begun.elapsed() < SOON * 2, "{awaited:?} is awaited, and there is {read_of:?}");
                if let Some(Told::Records(records)) = member.next(Duration::from_secs(1))? {
                    read_of.extend(records.into_iter().map(|record| record.topic));
                }
            }
            member.close();
            read_of.clear();
        }
    }
    // Who commits without being a member is not left waiting.
    let settings = ConsumerSettings { group: Some(group), ..ConsumerSettings::default() };
    let mut consumer = alice.consumer_with(&settings, own, &[0])?;
    read(&mut *consumer, 1)?;
    let begun = Instant::now();
    lacks("commit", consumer.commit(), &[OF_GROUP])?;
    lacks("look up offsets", consumer.committed(own, 0), &[OF_GROUP])?;
    assert!(begun.elapsed() < SOON, "it takes {:?} to be refused", begun.elapsed());
    Ok(())
}
