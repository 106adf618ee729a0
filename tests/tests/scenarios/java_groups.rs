//! Apache's console consumer as people run it: in a group.

use std::thread;
use std::time::Duration;

use klamm_blocking::Kafka;
use klamm_tests::Outcome;
use klamm_tests::members::{MemberSettings, Told};
use klamm_tests::program::klamm;
use klamm_tests::scenario::Stage;

use crate::tools::apache;

pub(crate) const LINES: usize = 1_000;
const PARTITIONS: u16 = 6;

/// A topic of the stage, and where it is.
pub(crate) fn new_topic(stage: &Stage) -> Outcome<(String, String)> {
    topic_named(stage, "t")
}

fn topic_named(stage: &Stage, name: &str) -> Outcome<(String, String)> {
    let topic = stage.topic(name);
    stage.cluster().create_topic(&topic, PARTITIONS)?;
    Ok((topic, stage.cluster().bootstrap().join(",")))
}

/// Numbers, each with itself as the key.
pub(crate) fn produce(topic: &str, bootstrap: &str) -> Outcome<()> {
    let lines: String = (0..LINES).map(|number| format!("{number}\t{number}\n")).collect();
    klamm(&["produce", topic, "-K", "\\t", "-b", bootstrap], lines.as_bytes(), None)?.succeeded().map(drop)
}

fn consume(topic: &str, bootstrap: &str, arguments: &[&str]) -> Outcome<Vec<usize>> {
    let mut all = vec!["--topic", topic, "--from-beginning", "--group", topic];
    all.extend(arguments);
    let output = apache()?.tool_elsewhere("console-consumer", bootstrap, &all, b"")?;
    String::from_utf8(output)?.lines().map(|line| Ok(line.parse()?)).collect()
}

pub(crate) fn expect_all(mut numbers: Vec<usize>) -> Outcome<()> {
    numbers.sort_unstable();
    let is_complete = numbers.iter().copied().eq(0..LINES);
    if is_complete { Ok(()) } else { Err(format!("{} numbers: {numbers:?}", numbers.len()).into()) }
}

/// A consumer stops in the middle, and the next one of its group goes on there.
pub(crate) fn resumes(stage: &Stage) -> Outcome<()> {
    let (topic, bootstrap) = new_topic(stage)?;
    produce(&topic, &bootstrap)?;
    let mut numbers = consume(&topic, &bootstrap, &["--max-messages", "600", "--timeout-ms", "60000"])?;
    numbers.extend(consume(&topic, &bootstrap, &["--max-messages", "400", "--timeout-ms", "60000"])?);
    expect_all(numbers)
}

/// Two consumers of a group read what is produced when both are there: each number comes to one of them.
pub(crate) fn shares(stage: &Stage) -> Outcome<()> {
    let (topic, bootstrap) = new_topic(stage)?;
    let consumer = || {
        let (topic, bootstrap) = (topic.clone(), bootstrap.clone());
        // They end when nothing more comes.
        thread::spawn(move || consume(&topic, &bootstrap, &["--timeout-ms", "15000"]))
    };
    let consumers = [consumer(), consumer()];
    await_members(&topic, &bootstrap, consumers.len())?;
    produce(&topic, &bootstrap)?;
    let mut numbers = Vec::new();
    for consumer in consumers {
        let own = consumer.join().map_err(|_| "the thread of a consumer panicked")??;
        if own.is_empty() {
            return Err("one consumer got everything".into());
        }
        numbers.extend(own);
    }
    expect_all(numbers)
}

/// Waits until a group is stable with so many members.
fn await_members(group: &str, bootstrap: &str, count: usize) -> Outcome<()> {
    let kafka = Kafka::builder(bootstrap.split(',')).connect()?;
    loop {
        // It comes to be with its first member.
        let described = kafka.admin().describe_groups([group])?.into_values().next();
        if let Some(Ok(group)) = described
            && group.state.as_str() == "Stable"
            && group.members.len() == count
        {
            return Ok(());
        }
        thread::yield_now();
    }
}

/// A member of Klamm's and one of Apache's share a topic: each number comes to one of them.
pub(crate) fn shares_with_klamm(stage: &Stage) -> Outcome<()> {
    sharing_with_klamm(stage, false)
}

/// The same by KIP-848.
pub(crate) fn shares_with_klamm_by_coordinator(stage: &Stage) -> Outcome<()> {
    sharing_with_klamm(stage, true)
}

fn sharing_with_klamm(stage: &Stage, coordinator_assigns: bool) -> Outcome<()> {
    let settings = MemberSettings {
        coordinator_assigns,
        assignors: vec!["range", "cooperative-sticky"],
        ..MemberSettings::new("", "")
    };
    let java: Other = Box::new(move |topic, bootstrap| {
        let protocol = if coordinator_assigns { "consumer" } else { "classic" };
        let protocol = format!("group.protocol={protocol}");
        consume(topic, bootstrap, &["--timeout-ms", "15000", "--command-property", &protocol])
    });
    share(stage, "t", settings, First::Any, java)
}

/// Reads a topic, as a member of the group of the same name, until nothing comes for 15 s.
pub(crate) type Other = Box<dyn FnOnce(&str, &str) -> Outcome<Vec<usize>> + Send>;

/// Who is the first member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// Whoever is.
    Any,
    Klamm,
    Other,
}

/// A member of Klamm's, made like this, and another one share a topic: each number comes to one of them.
pub(crate) fn share(
    stage: &Stage,
    name: &str,
    settings: MemberSettings,
    first: First,
    other: Other,
) -> Outcome<()> {
    let (topic, bootstrap) = topic_named(stage, name)?;
    let settings = MemberSettings { group: topic.clone(), topics: vec![topic.clone()], ..settings };
    let client = stage.connect()?;
    let start = || {
        let (topic, bootstrap) = (topic.clone(), bootstrap.clone());
        thread::spawn(move || other(&topic, &bootstrap))
    };
    let (mut member, other) = if first == First::Klamm {
        let mut member = client.member(&settings)?;
        while member.assignment().len() < usize::from(PARTITIONS) {
            member.next(Duration::from_millis(100))?;
        }
        (member, start())
    } else {
        let other = start();
        if first == First::Other {
            await_members(&topic, &bootstrap, 1)?;
        }
        (client.member(&settings)?, other)
    };
    let mut numbers = Vec::new();
    let mut is_produced = false;
    while !is_produced || !other.is_finished() {
        if let Some(Told::Records(records)) = member.next(Duration::from_millis(100))? {
            for record in records {
                numbers.push(String::from_utf8(record.value.unwrap_or_default())?.parse()?);
            }
        }
        if !is_produced && other.is_finished() {
            let outcome = other.join().map_err(|_| "the thread of a consumer panicked")?;
            return Err(format!("the other consumer ended before partitions were shared: {outcome:?}").into());
        }
        if !is_produced && member.assignment().len() == usize::from(PARTITIONS / 2) {
            produce(&topic, &bootstrap)?;
            is_produced = true;
        }
    }
    let others = other.join().map_err(|_| "the thread of a consumer panicked")??;
    if others.is_empty() || numbers.is_empty() {
        return Err("one consumer got everything".into());
    }
    numbers.extend(others);
    expect_all(numbers)
}
