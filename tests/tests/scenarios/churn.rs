//! Members that are killed, leave and join, and brokers that die, while records are produced and consumed.
//!
//! Members are processes of the tool, killed by SIGKILL. Every record that was acknowledged is read, and is read again only
//! where who read it before was killed or lost its partitions, or a broker died before it was committed.
//!
//! `KLAMM_CHURN=200` makes it 200 random events with 8 members over 64 partitions; `KLAMM_CHURN_SEED` draws others.

mod ledger;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use klamm_tests::Outcome;
use klamm_tests::client::{Message, Producer, ProducerSettings};
use klamm_tests::program::klamm;
use klamm_tests::running::Running;
use klamm_tests::scenario::{Scenario, Stage};

use self::ledger::Ledger;

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(150);
/// New records that each partition has to give after an event.
const PROGRESS: usize = 50;

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A member is killed.
    Kill,
    /// A member leaves in good order.
    Leave,
    /// A member joins.
    Join,
    /// A broker dies and comes back.
    Broker,
}

const SHORT: &[Event] = &[Event::Kill, Event::Join, Event::Leave, Event::Broker, Event::Join, Event::Kill];

/// How many random events are asked for.
fn long() -> Option<usize> {
    std::env::var("KLAMM_CHURN").ok()?.parse().ok()
}

/// The scenario with the time that its form takes.
pub(crate) fn in_time(scenario: Scenario) -> Scenario {
    match long() {
        Some(events) if scenario.name.starts_with("churn") => {
            scenario.within_s(600 + 60 * u64::try_from(events).unwrap_or(0))
        }
        _ => scenario,
    }
}

pub(crate) fn classic(stage: &Stage) -> Outcome<()> {
    churn(stage, "classic")
}

/// By KIP-848.
pub(crate) fn by_coordinator(stage: &Stage) -> Outcome<()> {
    churn(stage, "consumer")
}

fn churn(stage: &Stage, protocol: &'static str) -> Outcome<()> {
    let (partitions, members) = if long().is_some() { (64, 8) } else { (16, 4) };
    let client = stage.connect()?;
    let topic = stage.topic(protocol);
    client.create_topic(&topic, i32::try_from(partitions)?, stage.replication())?;
    let ledger = Ledger::new(partitions);
    let producer = client.producer(&ProducerSettings::default())?;
    let producing = {
        let (ledger, topic) = (ledger.clone(), topic.clone());
        std::thread::spawn(move || {
            let outcome = produce(&*producer, &topic, partitions, &ledger);
            ledger.stop();
            outcome.and_then(|()| producer.close())
        })
    };
    let mut churn = Churn {
        stage,
        protocol,
        topic,
        ledger,
        members: BTreeMap::new(),
        excused: BTreeSet::new(),
        started: 0,
        random: std::env::var("KLAMM_CHURN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1),
    };
    for _ in 0..members {
        churn.join()?;
    }
    churn.settle("the members join")?;
    match long() {
        None => SHORT.iter().try_for_each(|event| churn.happen(*event))?,
        Some(events) => (0..events).try_for_each(|_| {
            let event = churn.draw(members);
            churn.happen(event)
        })?,
    }
    churn.ledger.stop();
    producing.join().map_err(|_| "the producing thread panicked")??;
    churn.end()
}

/// Produces numbered records to all partitions in turn, not too far ahead of those who read.
fn produce(producer: &dyn Producer, topic: &str, partitions: usize, ledger: &Ledger) -> Outcome<()> {
    const UNDER_WAY: usize = 500;
    let mut pending = std::collections::VecDeque::new();
    let mut number = 0;
    loop {
        let goes_on = ledger.may_produce(number);
        if goes_on {
            let (partition, offset) = (number % partitions, number / partitions);
            let message = Message::to(topic).partition(i32::try_from(partition)?).value(offset.to_string());
            pending.push_back((partition, offset, producer.enqueue(&message)?));
            number += 1;
        }
        while pending.len() > if goes_on { UNDER_WAY } else { 0 } {
            let Some((partition, offset, receipt)) = pending.pop_front() else { break };
            let place = receipt.wait()?;
            if place.offset != i64::try_from(offset)? {
                return Err(format!("record {offset} of partition {partition} is at {}", place.offset).into());
            }
            ledger.acknowledged(partition);
        }
        if !goes_on {
            return Ok(());
        }
    }
}

struct Churn<'a> {
    stage: &'a Stage,
    protocol: &'static str,
    topic: String,
    ledger: Ledger,
    members: BTreeMap<u32, Running>,
    /// Members that did not end, or lose partitions, in good order.
    excused: BTreeSet<u32>,
    started: u32,
    random: u64,
}

impl Churn<'_> {
    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).unwrap_or(0) % bound
    }

    /// What happens next, so that the number of members stays about the same.
    fn draw(&mut self, members: usize) -> Event {
        match (self.below(8), self.members.len()) {
            (0, _) => Event::Broker,
            (_, there) if there <= members / 2 => Event::Join,
            (1..=3, _) => Event::Kill,
            (4, _) => Event::Leave,
            (_, there) if there < 2 * members => Event::Join,
            _ => Event::Leave,
        }
    }

    fn happen(&mut self, event: Event) -> Outcome<()> {
        match event {
            Event::Join => self.join()?,
            Event::Kill => {
                let (number, mut member) = self.any()?;
                self.excused.insert(number);
                member.end("KILL")?;
            }
            Event::Leave => {
                let (number, member) = self.any()?;
                self.leave(number, member)?;
            }
            Event::Broker => self.broker()?,
        }
        self.settle(&format!("{event:?}"))
    }

    fn broker(&mut self) -> Outcome<()> {
        let (cluster, brokers) = (self.stage.cluster(), self.stage.cluster().spec().brokers);
        if !cluster.spec().exclusive {
            return Ok(());
        }
        let broker = 1 + u32::try_from(self.below(usize::try_from(brokers)?))?;
        cluster.kill(broker)?;
        self.ledger.outage();
        if brokers > 1 {
            self.settle(&format!("broker {broker} dies"))?;
        }
        cluster.restart(broker)?;
        self.ledger.outage();
        Ok(())
    }

    fn any(&mut self) -> Outcome<(u32, Running)> {
        let at = self.below(self.members.len().max(1));
        let number = *self.members.keys().nth(at).ok_or("no member is left")?;
        self.members.remove(&number).map(|member| (number, member)).ok_or_else(|| "no such member".into())
    }

    fn join(&mut self) -> Outcome<()> {
        self.started += 1;
        let (number, ledger) = (self.started, self.ledger.clone());
        let (bootstrap, name) = (self.stage.cluster().bootstrap().join(","), format!("member-{number}"));
        let mut arguments = vec!["consume", &self.topic, "--group", &self.topic, "--from-beginning"];
        arguments.extend(["--format", "%p %o %v\\n", "-b", &bootstrap, "--client-id", &name]);
        arguments.extend(["--group-protocol", self.protocol, "--timeout", "150"]);
        if self.protocol == "classic" {
            arguments.extend(["--session-timeout", "6"]);
        }
        let member = Running::start(&arguments, move |lines| ledger.enter(number, lines))?;
        self.members.insert(number, member);
        Ok(())
    }

    fn leave(&mut self, number: u32, mut member: Running) -> Outcome<()> {
        if !member.end("TERM")?.success() {
            return Err(format!("member {number} did not end well: {:?}", member.errors()).into());
        }
        // It says so where it is not its choice that others go on from what was committed.
        if member.errors().iter().any(|line| line.contains("lost ") || line.contains("not committed")) {
            self.excused.insert(number);
        }
        Ok(())
    }

    /// Waits until every partition gives new records.
    fn settle(&self, what: &str) -> Outcome<()> {
        if self.ledger.progress(PROGRESS, PATIENCE) {
            return Ok(());
        }
        let said: Vec<_> = self.members.iter().map(|(number, member)| (number, member.errors())).collect();
        let read = self.ledger.describe();
        Err(format!("after {what} (event by seed), partitions stand still: {read}; members said {said:?}")
            .into())
    }

    /// Everything is read, members end well, and everything is committed.
    fn end(mut self) -> Outcome<()> {
        if !self.ledger.until_all_read(PATIENCE) {
            return Err(format!("not all was read: {}", self.ledger.describe()).into());
        }
        for (number, member) in std::mem::take(&mut self.members) {
            self.leave(number, member)?;
        }
        let bootstrap = self.stage.cluster().bootstrap().join(",");
        let lag = klamm(&["group", "lag", &self.topic, "-o", "json", "-b", &bootstrap], b"", None)?;
        let lag = String::from_utf8(lag.succeeded()?)?;
        if let Some(behind) = lag.lines().find(|line| !line.contains("\"lag\":0,")) {
            return Err(format!("not all is committed: {behind}").into());
        }
        self.ledger.verify(&self.excused)
    }
}
