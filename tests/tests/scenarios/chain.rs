//! A chain of three topics, copied by members of two groups in transactions, while members and brokers are killed.
//!
//! Members are processes over every adapter, and one of Java's client where it takes part. They are killed by SIGKILL, or
//! stopped for so long that the group and the coordinator go on without them, and then let go on. Whoever reads committed
//! records finds each record once at the end of the chain, and each partition in its order.
//!
//! `KLAMM_CHAIN_S=600` makes it random events for 600 s; `KLAMM_CHURN_SEED` draws others.

mod ledger;
mod member;

use std::time::{Duration, Instant};

use klamm_tests::Outcome;
use klamm_tests::adapters::Adapter;
use klamm_tests::client::{ConsumerSettings, ProducerSettings};
use klamm_tests::real::RealKafka;
use klamm_tests::running::Running;
use klamm_tests::scenario::{Scenario, Stage};

use self::ledger::Ledger;
use self::member::Member;
use crate::tools::apache;

pub(crate) use self::member::run as member;

const PARTITIONS: i32 = 6;
/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(150);
/// New records that each partition has to give after an event.
const PROGRESS: usize = 50;

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A member is killed, and started again.
    Kill,
    /// A member is stopped, and goes on after the others went on without it.
    Pause,
    /// A broker dies, and comes back.
    Broker,
    /// A member is killed while a broker is down.
    Both,
    /// All members are killed at once.
    All,
}

const SHORT: &[Event] = &[Event::Kill, Event::Broker, Event::Pause, Event::Both, Event::Kill];

fn long() -> Option<Duration> {
    let seconds = std::env::var("KLAMM_CHAIN_S").ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The scenario with the time that its form takes.
pub(crate) fn in_time(scenario: Scenario) -> Scenario {
    match long() {
        Some(time) if scenario.name.starts_with("chain") => scenario.within_s(600 + time.as_secs()),
        _ => scenario,
    }
}

/// Members of Klamm only, in classic groups.
pub(crate) fn classic(stage: &Stage) -> Outcome<()> {
    run(stage, false, None)
}

/// One of each group's members is of Java's client, and the coordinator assigns (KIP-848).
pub(crate) fn with_java(stage: &Stage) -> Outcome<()> {
    run(stage, true, Some(apache()?))
}

fn run(stage: &Stage, coordinator_assigns: bool, apache: Option<RealKafka>) -> Outcome<()> {
    let client = stage.connect()?;
    let topics = ["first", "second", "third"].map(|name| stage.topic(name));
    for topic in &topics {
        client.create_topic(topic, PARTITIONS, stage.replication())?;
    }
    let ledger = Ledger::new(usize::try_from(PARTITIONS)?);
    let mut chain = Chain::new(stage, &topics, coordinator_assigns, apache, ledger.clone())?;
    let producing = {
        let (ledger, topic) = (ledger.clone(), topics[0].clone());
        let producer = client.producer(&ProducerSettings::default())?;
        std::thread::spawn(move || {
            let outcome = ledger.produce(&*producer, &topic).and_then(|()| producer.close());
            if let Err(error) = outcome {
                ledger.fail(format!("producing: {error}"));
            }
        })
    };
    let settings = ConsumerSettings { read_committed: true, ..ConsumerSettings::default() };
    let partitions: Vec<i32> = (0..PARTITIONS).collect();
    let mut consumer = client.consumer_with(&settings, &topics[2], &partitions)?;
    let reading = {
        let ledger = ledger.clone();
        std::thread::spawn(move || ledger.read(&mut *consumer))
    };
    chain.happen_all()?;
    // Whatever the dead may have left comes before what these write.
    chain.happen(Event::All)?;
    ledger.stop();
    producing.join().map_err(|_| "the producing thread panicked")?;
    chain.explain("all is produced", ledger.until_all_read(PATIENCE))?;
    Ok(reading.join().map_err(|_| "the reading thread panicked")?)
}

struct Chain<'a> {
    stage: &'a Stage,
    apache: Option<RealKafka>,
    ledger: Ledger,
    members: Vec<(Member, Running)>,
    random: u64,
}

impl<'a> Chain<'a> {
    fn new(
        stage: &'a Stage,
        topics: &[String; 3],
        coordinator_assigns: bool,
        apache: Option<RealKafka>,
        ledger: Ledger,
    ) -> Outcome<Self> {
        let seed = std::env::var("KLAMM_CHURN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
        let mut adapters =
            [Adapter::Tokio, Adapter::Blocking, Adapter::Smol, Adapter::AsyncStd].into_iter().cycle();
        let mut chain = Self { stage, apache, ledger, members: Vec::new(), random: seed };
        for (from, to) in topics.iter().zip(&topics[1..]) {
            for place in 0..2 + usize::from(chain.apache.is_some()) {
                let member = Member {
                    adapter: if place < 2 { adapters.next() } else { None },
                    bootstrap: stage.cluster().bootstrap().join(","),
                    coordinator_assigns,
                    group: format!("{to}-group"),
                    transactional_id: format!("{to}-{place}"),
                    from: from.clone(),
                    to: to.clone(),
                };
                let running = chain.start(&member)?;
                chain.members.push((member, running));
            }
        }
        Ok(chain)
    }

    fn start(&self, member: &Member) -> Outcome<Running> {
        Running::start_command(member.command(self.apache.as_ref())?, |_| {})
    }

    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).unwrap_or(0) % bound
    }

    fn happen_all(&mut self) -> Outcome<()> {
        self.settle("the members start")?;
        let Some(time) = long() else { return SHORT.iter().try_for_each(|event| self.happen(*event)) };
        let began = Instant::now();
        while began.elapsed() < time {
            let event = match self.below(10) {
                0..=3 => Event::Kill,
                4 | 5 => Event::Broker,
                6 | 7 => Event::Both,
                8 => Event::Pause,
                _ => Event::All,
            };
            self.happen(event)?;
            self.tell(&format!("{event:?} after {} s", began.elapsed().as_secs()));
        }
        Ok(())
    }

    fn tell(&self, what: &str) {
        use std::io::Write as _;
        // Only for who looks on.
        drop(writeln!(std::io::stderr(), "chain: {what}: {} records", self.ledger.total()));
    }

    fn happen(&mut self, event: Event) -> Outcome<()> {
        match event {
            Event::Kill => self.kill()?,
            Event::Pause => self.pause()?,
            Event::Broker => self.broker(false)?,
            Event::Both => self.broker(true)?,
            Event::All => {
                for at in 0..self.members.len() {
                    self.members[at].1.end("KILL")?;
                    self.members[at].1 = self.start(&self.members[at].0)?;
                }
            }
        }
        self.settle(&format!("{event:?}"))
    }

    fn kill(&mut self) -> Outcome<()> {
        let at = self.below(self.members.len());
        self.members[at].1.end("KILL")?;
        self.members[at].1 = self.start(&self.members[at].0)?;
        Ok(())
    }

    /// One of Klamm's is stopped until others have its partitions and its transaction has timed out; who awakes so late may
    /// be told that it can do nothing any more.
    fn pause(&mut self) -> Outcome<()> {
        let at = 1 + (self.members.len() / 2) * self.below(2);
        self.members[at].1.signal("STOP")?;
        self.settle("a member is stopped")?;
        self.members[at].1.signal("CONT")?;
        self.settle("a member goes on late")?;
        if self.members[at].1.has_ended()? {
            self.members[at].1 = self.start(&self.members[at].0)?;
        }
        Ok(())
    }

    fn broker(&mut self, with_member: bool) -> Outcome<()> {
        let broker = 1 + u32::try_from(self.below(3))?;
        self.stage.cluster().kill(broker)?;
        if with_member {
            self.kill()?;
        }
        self.settle(&format!("broker {broker} dies"))?;
        self.stage.cluster().restart(broker)
    }

    /// Waits until every partition gives new records at the chain's end. A member that ended by itself is a failure, unless
    /// it is Java's: that is started again.
    fn settle(&mut self, what: &str) -> Outcome<()> {
        let outcome = self.ledger.progress(PROGRESS, PATIENCE);
        self.explain(what, outcome)?;
        for at in 0..self.members.len() {
            if !self.members[at].1.has_ended()? {
                continue;
            }
            let (member, running) = &self.members[at];
            if member.adapter.is_some() && !what.contains("late") {
                let said = running.errors();
                return Err(format!("after {what}, {} gave up: {said:?}", member.transactional_id).into());
            }
            self.tell(&format!("{} ended: {:?}", member.transactional_id, running.errors().last()));
            self.members[at].1 = self.start(&self.members[at].0)?;
        }
        Ok(())
    }

    fn explain(&self, what: &str, outcome: Outcome<()>) -> Outcome<()> {
        outcome.map_err(|error| {
            let said =
                self.members.iter().map(|(member, running)| (&member.transactional_id, running.errors()));
            let said: Vec<_> = said.collect();
            format!("after {what}: {error}; members said {said:?}").into()
        })
    }
}
