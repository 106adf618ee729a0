//! Apache's console consumer as people run it: in a group.

use std::thread;

use klamm_protocol::messages::describe_groups::DescribeGroupsRequest;
use klamm_tests::Outcome;
use klamm_tests::program::klamm;
use klamm_tests::scenario::Stage;
use klamm_tests::wire::Wire;

use crate::tools::apache;

const LINES: usize = 1_000;
const PARTITIONS: u16 = 6;

/// A topic of the stage, and where it is.
fn new_topic(stage: &Stage) -> Outcome<(String, String)> {
    let topic = stage.topic("t");
    stage.cluster().create_topic(&topic, PARTITIONS)?;
    Ok((topic, stage.cluster().bootstrap().join(",")))
}

/// Numbers, each with itself as the key.
fn produce(topic: &str, bootstrap: &str) -> Outcome<()> {
    let lines: String = (0..LINES).map(|number| format!("{number}\t{number}\n")).collect();
    klamm(&["produce", topic, "-K", "\\t", "-b", bootstrap], lines.as_bytes(), None)?.succeeded().map(drop)
}

fn consume(topic: &str, bootstrap: &str, arguments: &[&str]) -> Outcome<Vec<usize>> {
    let mut all = vec!["--topic", topic, "--from-beginning", "--group", topic];
    all.extend(arguments);
    let output = apache()?.tool_elsewhere("console-consumer", bootstrap, &all, b"")?;
    String::from_utf8(output)?.lines().map(|line| Ok(line.parse()?)).collect()
}

fn expect_all(mut numbers: Vec<usize>) -> Outcome<()> {
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
fn await_members(group: &str, address: &str, count: usize) -> Outcome<()> {
    let mut wire = Wire::connect(address, "test")?;
    let request = DescribeGroupsRequest { groups: vec![group.to_owned().into()], ..Default::default() };
    loop {
        let group = wire.call(5, &request)?.groups.remove(0);
        if group.group_state == "Stable" && group.members.len() == count {
            return Ok(());
        }
        thread::yield_now();
    }
}
