//! A group at work: three members consume what is produced meanwhile, one of them is killed, another joins.
//!
//! The members are processes of this program, so that killing one is no more orderly than it would be elsewhere.

mod ledger;
mod load;
mod members;

use std::time::{Duration, Instant};

use klamm_blocking::{GroupDescription, Kafka};

use self::{
    ledger::Ledger,
    load::Load,
    members::{MEMBERS, Member},
};
use crate::{
    args::Demo,
    error::{CliError, Outcome},
    group::ranges,
    output::Output,
};

pub(super) const TOPIC: &str = "demo-group";
const GROUP: &str = "demo";
/// A member that is killed is taken for dead after this: the least that brokers allow.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
/// How often to look at the group.
const LOOK_AROUND: Duration = Duration::from_millis(20);
/// How many records are to be read between two events.
const RECORDS_BETWEEN: u64 = 20_000;

pub(super) fn run(output: &mut Output, kafka: &Kafka, bootstrap: &str, args: &Demo) -> Outcome {
    super::create_topic(kafka, TOPIC, args.partitions)?;
    let patience = Duration::from_secs_f64(args.timeout) + SESSION_TIMEOUT;
    let ledger = Ledger::new(args.partitions);
    output.line(format_args!(
        "\ngroup {GROUP}: members, each a process, read what is produced meanwhile: {} records a second",
        load::RECORDS_A_SECOND
    ))?;
    let load = Load::start(kafka, args)?;
    let mut stage = Stage { output, kafka, args, patience, began: Instant::now() };
    let join = |number| Member::start(number, bootstrap, args.timeout, &ledger);

    let mut members = vec![join(1)?, join(2)?, join(3)?];
    stage.tell("members 1, 2 and 3 join", None)?;
    stage.settle(&[1, 2, 3])?;
    stage.read_on(&ledger)?;
    members[1].kill()?;
    stage.tell("member 2 is killed (SIGKILL)", None)?;
    stage.settle(&[1, 3])?;
    stage.read_on(&ledger)?;
    members.push(join(4)?);
    stage.tell("member 4 joins", None)?;
    stage.settle(&[1, 3, 4])?;
    stage.read_on(&ledger)?;

    let produced = load.stop()?;
    stage.read_all(&ledger, produced.records)?;
    for member in members {
        member.leave(patience)?;
    }
    stage.tell("all is read; the members commit and leave", None)?;
    let uncommitted = stage.uncommitted(&produced.partitions)?;
    let verified = ledger.verify(&produced, 2)?;
    if uncommitted > 0 {
        return Err(CliError::failed(format!(
            "verification failed: {uncommitted} records are not committed"
        )));
    }
    output.line(format_args!("verified: {verified}; all are committed"))?;
    output.flush()
}

/// What is shown, and what is waited for.
struct Stage<'a> {
    output: &'a mut Output,
    kafka: &'a Kafka,
    args: &'a Demo,
    patience: Duration,
    began: Instant,
}

impl Stage<'_> {
    /// A line: when, what, and what the members have by now.
    fn tell(&mut self, what: &str, assignment: Option<&str>) -> Outcome {
        let seconds = self.began.elapsed().as_secs_f64();
        let assignment = assignment.unwrap_or_default();
        self.output.line(format!("{seconds:6.2} s  {what:<32}{assignment}").trim_end())?;
        self.output.flush()
    }

    /// Waits until the coordinator says that just these members have all partitions.
    fn settle(&mut self, members: &[usize]) -> Outcome {
        let deadline = Instant::now() + self.patience;
        loop {
            let described = self.kafka.admin().describe_groups([GROUP]).map_err(CliError::failed)?;
            let described = described.into_values().next().and_then(Result::ok);
            if let Some(shown) = described.as_ref().and_then(|group| self.assignment(group, members)) {
                return self.tell("  the partitions are with", Some(&shown));
            }
            if Instant::now() > deadline {
                let state = described.map_or_else(|| "unknown".into(), |group| group.state.to_string());
                return Err(CliError::failed(format!(
                    "group {GROUP}: {} members did not share the partitions within {} s; the group is {state}",
                    members.len(),
                    self.patience.as_secs()
                )));
            }
            std::thread::sleep(LOOK_AROUND);
        }
    }

    /// What each of these members has, if they are those that there are and have everything.
    fn assignment(&self, group: &GroupDescription, members: &[usize]) -> Option<String> {
        if group.state != "Stable" || group.members.len() != members.len() {
            return None;
        }
        let mut shown = vec!["-".to_owned(); MEMBERS];
        let mut total = 0;
        for number in members {
            let name = members::client_id(*number);
            let member = group.members.iter().find(|member| member.client_id == *name)?;
            let partitions: Vec<i32> =
                member.assigned.iter().flat_map(|each| each.partitions.iter().copied()).collect();
            total += partitions.len();
            if !partitions.is_empty() {
                shown[number - 1] = ranges(&partitions);
            }
        }
        let column = |(at, text): (usize, &String)| format!("{}: {text:<9}", at + 1);
        (i32::try_from(total) == Ok(self.args.partitions))
            .then(|| shown.iter().enumerate().map(column).collect::<Vec<_>>().join(" "))
    }

    /// Waits until the members have read for a while.
    fn read_on(&self, ledger: &Ledger) -> Outcome {
        self.read_all(ledger, ledger.records() + RECORDS_BETWEEN)
    }

    /// Waits until so many records are read.
    fn read_all(&self, ledger: &Ledger, records: u64) -> Outcome {
        let deadline = Instant::now() + self.patience;
        while ledger.records() < records {
            if Instant::now() > deadline {
                return Err(CliError::failed(format!(
                    "group {GROUP}: read {} of {records} records within {} s",
                    ledger.records(),
                    self.patience.as_secs()
                )));
            }
            std::thread::sleep(LOOK_AROUND);
        }
        Ok(())
    }

    /// How many records the group would read again.
    fn uncommitted(&self, produced: &[u64]) -> Result<u64, CliError> {
        let offsets = self.kafka.admin().list_group_offsets(GROUP, true).map_err(CliError::failed)?;
        let mut committed = vec![0; produced.len()];
        for ((topic, partition), offset) in offsets {
            let offset = offset.map_err(CliError::failed)?.map_or(0, |committed| committed.offset);
            if let (true, Ok(at)) = (topic == TOPIC, usize::try_from(partition)) {
                committed[at] = u64::try_from(offset).unwrap_or(0);
            }
        }
        Ok(produced.iter().zip(committed).map(|(produced, committed)| produced.abs_diff(committed)).sum())
    }
}
