//! Klamm's members of classic groups: among themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_tests::Outcome;
use klamm_tests::client::{Client, Message, ProducerSettings};
use klamm_tests::members::{Member, MemberSettings, Told};
use klamm_tests::program::{klamm, klamm_until};
use klamm_tests::scenario::Stage;

use crate::java_groups::{
    LINES as NUMBERS, expect_all, new_topic as new_tool_topic, produce as produce_numbers,
};

pub(crate) const PARTITIONS: i32 = 4;
/// How long to wait for one member before looking after the others.
const TURN: Duration = Duration::from_millis(50);
/// How many turns a group may take for anything.
const TURNS: usize = 1_200;

type Partitions = Vec<(String, i32)>;

fn all(topic: &str) -> Partitions {
    (0..PARTITIONS).map(|partition| (topic.to_owned(), partition)).collect()
}

pub(crate) fn new_topic(stage: &Stage, client: &dyn Client) -> Outcome<String> {
    let topic = stage.topic("t");
    match stage.cluster().spec().brokers {
        // The oldest brokers cannot be asked by clients.
        1 => stage.cluster().create_topic(&topic, PARTITIONS.try_into()?)?,
        _ => client.create_topic(&topic, PARTITIONS, stage.replication())?,
    }
    Ok(topic)
}

/// So many records for each partition, numbered on from `first`.
pub(crate) fn produce(
    stage: &Stage,
    client: &dyn Client,
    topic: &str,
    numbers: std::ops::Range<usize>,
) -> Outcome<()> {
    // The oldest brokers know no sequence numbers.
    let idempotent = !stage.cluster().spec().version.starts_with("0.10.");
    let producer = client.producer(&ProducerSettings { idempotent, ..ProducerSettings::default() })?;
    for number in numbers {
        for partition in 0..PARTITIONS {
            let value = format!("{partition}:{number}");
            drop(producer.enqueue(&Message::to(topic).partition(partition).value(value))?);
        }
    }
    producer.flush()?;
    producer.close()
}

/// Members of a group, and what they were told.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) members: Vec<Option<Box<dyn Member>>>,
    told: Vec<Vec<Told>>,
    /// How often each value was read.
    read: BTreeMap<String, usize>,
}

impl Group {
    pub(crate) fn join(&mut self, client: &dyn Client, settings: &MemberSettings) -> Outcome<usize> {
        self.members.push(Some(client.member(settings)?));
        self.told.push(Vec::new());
        Ok(self.members.len() - 1)
    }

    pub(crate) fn leave(&mut self, member: usize) {
        if let Some(member) = self.members[member].take() {
            member.close();
        }
    }

    pub(crate) fn assignments(&self) -> Vec<Partitions> {
        self.members
            .iter()
            .map(|member| member.as_ref().map(|each| each.assignment()).unwrap_or_default())
            .collect()
    }

    /// Lets every member have its turn.
    pub(crate) fn turn(&mut self) -> Outcome<()> {
        for (member, told) in self.members.iter_mut().zip(&mut self.told) {
            let Some(member) = member else { continue };
            let Some(event) = member.next(TURN)? else { continue };
            if let Told::Records(records) = &event {
                for record in records {
                    let value = String::from_utf8(record.value.clone().unwrap_or_default())?;
                    *self.read.entry(value).or_default() += 1;
                }
            } else {
                told.push(event);
            }
        }
        Ok(())
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Outcome<()> {
        for _ in 0..TURNS {
            if done(self) {
                return Ok(());
            }
            self.turn()?;
        }
        Err(format!("{what} never came: {:?}, {:?}", self.assignments(), self.told).into())
    }

    /// Until nobody is told anything for a while.
    fn until_quiet(&mut self) -> Outcome<()> {
        let mut quiet = 0;
        while quiet < 20 {
            let before: usize = self.told.iter().map(Vec::len).sum();
            self.turn()?;
            let after: usize = self.told.iter().map(Vec::len).sum();
            quiet = if before == after { quiet + 1 } else { 0 };
        }
        Ok(())
    }

    /// Until so many members have so many partitions each, and no partition is with two.
    pub(crate) fn until_shared(&mut self, topic: &str, shares: &[usize]) -> Outcome<()> {
        let (shares, expected) = (shares.to_vec(), all(topic));
        self.until(&format!("{shares:?}"), move |group| {
            let assignments = group.assignments();
            let mut together: Partitions = assignments.iter().flatten().cloned().collect();
            together.sort();
            assignments.iter().map(Vec::len).eq(shares.iter().copied()) && together == expected
        })
    }

    /// How many records of these values were read.
    pub(crate) fn count(&self, which: impl Fn(&str) -> bool) -> usize {
        self.read.iter().filter(|(value, _)| which(value)).map(|(_, times)| times).sum()
    }

    fn until_read(&mut self, values: usize) -> Outcome<()> {
        self.until("everything", move |group| group.read.len() >= values)
    }

    fn expect_each_once(&self) -> Outcome<()> {
        let twice: Vec<_> = self.read.iter().filter(|(_, times)| **times != 1).collect();
        if twice.is_empty() { Ok(()) } else { Err(format!("read more than once: {twice:?}").into()) }
    }
}

const EACH: usize = 100;
const ALL: usize = EACH * PARTITIONS as usize;

/// Two members share the partitions; when one leaves, the other has them all, and nothing is read twice.
pub(crate) fn share_and_leave(stage: &Stage) -> Outcome<()> {
    sharing_and_leaving(stage, false)
}

/// The same by KIP-848.
pub(crate) fn share_and_leave_by_coordinator(stage: &Stage) -> Outcome<()> {
    sharing_and_leaving(stage, true)
}

fn sharing_and_leaving(stage: &Stage, coordinator_assigns: bool) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    let settings = MemberSettings { coordinator_assigns, ..MemberSettings::new(&topic, &topic) };
    let mut group = Group::default();
    group.join(&*client, &settings)?;
    group.until_shared(&topic, &[4])?;
    let second = group.join(&*client, &settings)?;
    group.until_shared(&topic, &[2, 2])?;
    produce(stage, &*client, &topic, 0..EACH)?;
    group.until_read(ALL)?;
    group.turn()?;
    group.leave(second);
    group.until_shared(&topic, &[4, 0])?;
    produce(stage, &*client, &topic, EACH..2 * EACH)?;
    group.until_read(2 * ALL)?;
    group.expect_each_once()
}

/// What one member committed the next one does not read again.
pub(crate) fn commit_and_resume(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    let settings = MemberSettings { auto_commit: false, ..MemberSettings::new(&topic, &topic) };
    produce(stage, &*client, &topic, 0..EACH)?;
    let mut group = Group::default();
    let first = group.join(&*client, &settings)?;
    group.until_read(ALL)?;
    let member = group.members[first].as_mut().ok_or("gone")?;
    member.commit()?;
    let committed = member.committed(&topic, 1)?;
    if committed != Some(EACH.try_into()?) {
        return Err(format!("{committed:?} is committed").into());
    }
    group.leave(first);
    produce(stage, &*client, &topic, EACH..2 * EACH)?;
    group.join(&*client, &settings)?;
    group.until_read(2 * ALL)?;
    group.expect_each_once()
}

/// A member that is closed has committed what it read.
pub(crate) fn autocommit_on_close(stage: &Stage) -> Outcome<()> {
    committing_on_close(stage, false)
}

/// The same by KIP-848.
pub(crate) fn autocommit_on_close_by_coordinator(stage: &Stage) -> Outcome<()> {
    committing_on_close(stage, true)
}

fn committing_on_close(stage: &Stage, coordinator_assigns: bool) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    let settings = MemberSettings { coordinator_assigns, ..MemberSettings::new(&topic, &topic) };
    produce(stage, &*client, &topic, 0..EACH)?;
    let mut group = Group::default();
    let first = group.join(&*client, &settings)?;
    group.until_read(ALL)?;
    group.leave(first);
    let second = group.join(&*client, &settings)?;
    group.until_shared(&topic, &[0, 4])?;
    let member = group.members[second].as_mut().ok_or("gone")?;
    for (_, partition) in all(&topic) {
        let committed = member.committed(&topic, partition)?;
        if committed != Some(EACH.try_into()?) {
            return Err(format!("{committed:?} is committed of {partition}").into());
        }
    }
    produce(stage, &*client, &topic, EACH..2 * EACH)?;
    group.until_read(2 * ALL)?;
    group.expect_each_once()
}

/// A static member that comes back within its session has the partitions that it had, and nobody else noticed.
pub(crate) fn static_comes_back(stage: &Stage) -> Outcome<()> {
    coming_back(stage, false)
}

/// The same by KIP-848.
pub(crate) fn static_comes_back_by_coordinator(stage: &Stage) -> Outcome<()> {
    coming_back(stage, true)
}

fn coming_back(stage: &Stage, coordinator_assigns: bool) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    let named = |name: &str| MemberSettings {
        instance: Some(name.into()),
        coordinator_assigns,
        ..MemberSettings::new(&topic, &topic)
    };
    let mut group = Group::default();
    let first = group.join(&*client, &named("first"))?;
    group.until_shared(&topic, &[4])?;
    let second = group.join(&*client, &named("second"))?;
    group.until_shared(&topic, &[2, 2])?;
    let had = group.assignments();
    group.until_quiet()?;
    group.told[first].clear();
    group.leave(second);
    group.join(&*client, &named("second"))?;
    group.until_shared(&topic, &[2, 0, 2])?;
    let has = group.assignments();
    if has[2] != had[1] {
        return Err(format!("had {had:?}, has {has:?}").into());
    }
    let told = &group.told[first];
    let quiet = told.iter().all(|told| matches!(told, Told::Other(_)));
    if quiet { Ok(()) } else { Err(format!("the other member was told {told:?}").into()) }
}

/// While the group rebalances, a cooperative member keeps what it does not have to give up.
pub(crate) fn cooperative_keeps(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    let settings =
        MemberSettings { assignors: vec!["cooperative-sticky"], ..MemberSettings::new(&topic, &topic) };
    let mut group = Group::default();
    let first = group.join(&*client, &settings)?;
    group.until_shared(&topic, &[4])?;
    group.join(&*client, &settings)?;
    group.until_shared(&topic, &[2, 2])?;
    let revoked: Vec<_> = group.told[first]
        .iter()
        .filter_map(|told| match told {
            Told::Revoked(partitions) => Some(partitions.len()),
            Told::Lost(partitions) => Some(100 + partitions.len()),
            _ => None,
        })
        .collect();
    if revoked != [2] {
        return Err(format!("the first member gave up {revoked:?}: {:?}", group.told[first]).into());
    }
    produce(stage, &*client, &topic, 0..EACH)?;
    group.until_read(ALL)?;
    group.expect_each_once()
}

/// A group goes from range to cooperative-sticky in two rounds of restarts, without losing a record.
pub(crate) fn rolling_upgrade(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    let rounds = [vec!["range"], vec!["cooperative-sticky", "range"], vec!["cooperative-sticky"]];
    let settings = |round: &Vec<&'static str>| MemberSettings {
        assignors: round.clone(),
        ..MemberSettings::new(&topic, &topic)
    };
    let mut group = Group::default();
    let mut members =
        [group.join(&*client, &settings(&rounds[0]))?, group.join(&*client, &settings(&rounds[0]))?];
    group.until_shared(&topic, &[2, 2])?;
    let mut produced = 0;
    for round in &rounds[1..] {
        for member in &mut members {
            produce(stage, &*client, &topic, produced..produced + EACH)?;
            produced += EACH;
            group.leave(*member);
            *member = group.join(&*client, &settings(round))?;
            let mut shares = vec![0; group.members.len()];
            group.until_read(produced * PARTITIONS as usize)?;
            for (at, share) in shares.iter_mut().enumerate() {
                *share = if group.members[at].is_some() { 2 } else { 0 };
            }
            group.until_shared(&topic, &shares)?;
        }
    }
    group.expect_each_once()
}

/// A member from the classic protocol and one by KIP-848 are in one group: the online move from one to the other.
pub(crate) fn moves_to_coordinator(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    let classic = MemberSettings::new(&topic, &topic);
    let modern = MemberSettings { coordinator_assigns: true, ..classic.clone() };
    let mut group = Group::default();
    let first = group.join(&*client, &classic)?;
    group.until_shared(&topic, &[4])?;
    group.join(&*client, &modern)?;
    group.until_shared(&topic, &[2, 2])?;
    produce(stage, &*client, &topic, 0..EACH)?;
    group.until_read(ALL)?;
    group.turn()?;
    group.leave(first);
    group.until_shared(&topic, &[0, 4])?;
    produce(stage, &*client, &topic, EACH..2 * EACH)?;
    group.until_read(2 * ALL)?;
    group.expect_each_once()
}

/// A member that is idle for too long loses its partitions to the other, and has its share again when it polls.
pub(crate) fn idle_member(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    let patient = MemberSettings::new(&topic, &topic);
    let hasty = MemberSettings { max_poll_interval: Duration::from_secs(3), ..patient.clone() };
    let mut group = Group::default();
    let idle = group.join(&*client, &hasty)?;
    group.until_shared(&topic, &[4])?;
    group.join(&*client, &patient)?;
    group.until_shared(&topic, &[2, 2])?;
    // What it was never told that it has, it is not told that it lost.
    let has_two = |told: &Told| matches!(told, Told::Assigned(partitions) if partitions.len() == 2);
    group.until("told of two", move |group| group.told[idle].iter().any(has_two))?;
    let member = group.members[idle].take().ok_or("gone")?;
    group.until_shared(&topic, &[0, 4])?;
    group.members[idle] = Some(member);
    group.until_shared(&topic, &[2, 2])?;
    let lost = |told: &Told| matches!(told, Told::Lost(partitions) if partitions.len() == 2);
    if group.told[idle].iter().any(lost) { Ok(()) } else { Err(format!("{:?}", group.told[idle]).into()) }
}

/// A member that subscribes by an expression has the topics that match, and no others.
pub(crate) fn pattern(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let base = stage.topic("p");
    for name in ["one", "two", "other"] {
        stage.cluster().create_topic(&format!("{base}-{name}"), 1)?;
    }
    let expected: Partitions = ["one", "two"].map(|name| (format!("{base}-{name}"), 0)).into();
    for (coordinator_assigns, name) in [(false, "classic"), (true, "modern")] {
        let settings = MemberSettings {
            pattern: Some(format!("{base}-(one|two)")),
            coordinator_assigns,
            ..MemberSettings::new(&format!("{base}-{name}"), "")
        };
        let mut group = Group::default();
        group.join(&*client, &settings)?;
        let expected = expected.clone();
        group.until("the topics that match", move |group| group.assignments() == [expected.clone()])?;
    }
    Ok(())
}

/// Each broker in turn is killed and comes back, among them the group's coordinator: every record is read.
pub(crate) fn brokers_restart(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = new_topic(stage, &*client)?;
    let settings = MemberSettings::new(&topic, &topic);
    let mut group = Group::default();
    group.join(&*client, &settings)?;
    group.join(&*client, &settings)?;
    group.until_shared(&topic, &[2, 2])?;
    let mut produced = 0;
    for broker in 1..=3 {
        for is_killed in [true, false] {
            if is_killed {
                stage.cluster().kill(broker)?;
            } else {
                stage.cluster().restart(broker)?;
            }
            produce(stage, &*client, &topic, produced..produced + EACH)?;
            produced += EACH;
            group.until_read(produced * PARTITIONS as usize)?;
        }
    }
    group.until_shared(&topic, &[2, 2])
}

/// The tool stops after so many records, or at a signal: it has committed what it printed, and the next one goes on there.
pub(crate) fn tool_resumes(stage: &Stage) -> Outcome<()> {
    let (topic, bootstrap) = new_tool_topic(stage)?;
    produce_numbers(&topic, &bootstrap)?;
    let consume = ["consume", &topic, "--group", &topic, "--from-beginning", "-b", &bootstrap];
    let mut output = klamm(&[&consume[..], &["-n", "333"]].concat(), b"", None)?.succeeded()?;
    for signal in ["TERM", "INT"] {
        if output.iter().filter(|byte| **byte == b'\n').count() == NUMBERS {
            break;
        }
        output.extend(klamm_until(&consume, 1, signal)?.succeeded()?);
    }
    let mut numbers = Vec::new();
    for line in String::from_utf8(output)?.lines() {
        numbers.push(line.parse()?);
    }
    let left = NUMBERS.saturating_sub(numbers.len());
    if left > 0 {
        let count = left.to_string();
        let output = klamm(&[&consume[..], &["-n", &count]].concat(), b"", None)?.succeeded()?;
        for line in String::from_utf8(output)?.lines() {
            numbers.push(line.parse()?);
        }
    }
    expect_all(numbers)
}

/// The tool consumes all topics whose names match, alone and in a group, and none that only contains a match.
pub(crate) fn tool_by_pattern(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let (base, bootstrap) = (stage.topic("x"), stage.cluster().bootstrap().join(","));
    for name in ["1", "2", "other"] {
        let topic = format!("{base}-{name}");
        stage.cluster().create_topic(&topic, PARTITIONS.try_into()?)?;
        produce(stage, &*client, &topic, 0..10)?;
    }
    let expected: Vec<String> = ["1", "2"]
        .iter()
        .flat_map(|name| (0..40).map(|_| format!("{base}-{name}")).collect::<Vec<_>>())
        .collect();
    let pattern = format!("{base}-[0-9]");
    let consume =
        ["consume", &pattern, "--regex", "--from-beginning", "-f", "%t\\n", "-n", "80", "-b", &bootstrap];
    let ways: [&[&str]; 3] =
        [&[], &["--group", &base], &["--group", &pattern, "--group-protocol", "consumer"]];
    for way in ways {
        let output = klamm(&[&consume[..], way].concat(), b"", None)?.succeeded()?;
        let mut topics: Vec<String> = String::from_utf8(output)?.lines().map(str::to_owned).collect();
        topics.sort();
        if topics != expected {
            return Err(format!("{way:?}: {topics:?}").into());
        }
    }
    let wrong = klamm(&["consume", "(", "--regex", "--group", &base, "-b", &bootstrap], b"", None)?;
    if wrong.code != Some(2) || !wrong.errors.contains("subscribe_pattern") {
        return Err(format!("{:?}: {}", wrong.code, wrong.errors).into());
    }
    Ok(())
}
