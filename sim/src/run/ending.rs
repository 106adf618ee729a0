//! The second part of a run: everything is well again, and everything comes to its end.

use std::time::Duration;

use super::LATE;
use super::applications::{self, Applications, FRESH};
use super::timetable::Timetable;
use crate::World;
use crate::check::unread as unread_records;
use crate::cluster::Cluster;
use crate::observe::{ActorId, Observation, Phase, TopicPartition};
use crate::plan::action::{CloseConsumer, CloseProducer, Flush, Pace};
use crate::plan::setup::{ClientLine, ConsumerLine};
use crate::plan::values::{
    ClientName, IsolationChoice, MemberName, PartitionName, Place, ResetChoice, Start, TopicName,
};
use crate::plan::{ConsumeAction, Plan};
use crate::workload::{ConsumerActor, Identity, TransactActor};

/// How long nothing may change until a wait is given up.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long a wait may take in any case.
const LIMIT: Duration = Duration::from_secs(7200);
/// How often is flushed in the end.
const FLUSHES: Duration = Duration::from_secs(1);
/// How often it is looked whether a wait is over.
const LOOK: Duration = Duration::from_millis(20);

/// Ends all faults.
pub(super) fn heal(plan: &Plan, world: &World, timetable: &Timetable, applications: &Applications) {
    world.network().heal();
    world.cluster(|cluster, now| {
        cluster.clear_faults();
        cluster.lift_quotas();
        cluster.heal_replication(now, None);
        let brokers: Vec<i32> = cluster.brokers().collect();
        for broker in &brokers {
            if cluster.is_leaving(*broker) {
                cluster.kill(now, *broker);
            }
            cluster.restart(*broker);
            cluster.reconnect_to_controller(now, *broker);
            cluster.resume_metadata(now, *broker);
            for (name, _) in &plan.topics {
                cluster.hide_topic(*broker, &name.to_string(), false);
            }
            brokers.iter().for_each(|other| cluster.hide_broker(*broker, *other, false));
        }
    });
    applications.begin_expected(plan, world);
    world.run_until(timetable.paused_until);
    world.tell(&Observation::Phase(Phase::Healed));
}

/// Brings everything to its end.
pub(super) fn end(plan: &Plan, world: &World, applications: &Applications, notes: &mut Vec<String>) {
    wait(world, || (applications.missing() == 0).then_some(()).ok_or(0));
    if applications.missing() > 0 {
        notes.push(format!("{LATE}{} clients have not found the cluster", applications.missing()));
    }
    let producers = applications.producers();
    // Whoever waits for what lingers for an hour is helped by a flush.
    let (patience, mut last) = (patience(plan), (u64::MAX, world.now()));
    while let Err(left) = idle(applications) {
        if left != last.0 {
            last = (left, world.now());
        }
        if world.now().since(last.1) > patience {
            break;
        }
        producers.iter().filter(|producer| !producer.is_flushing()).for_each(|producer| {
            producer.act(&Flush::plain().into());
        });
        wait_at_most(world, FLUSHES, PATIENCE, || idle(applications));
    }
    let late: Vec<String> = producers
        .iter()
        .filter(|producer| !producer.is_idle())
        .map(|producer| producer.waits_for())
        .collect();
    notes.extend(late.iter().map(|late| format!("{LATE}{late}")));
    settle_transactions(plan, world, applications, notes);
    for consumer in applications.consumers() {
        consumer.act(ConsumeAction::Pace(Pace::plain()));
    }
    applications.members().iter().for_each(|(_, member)| member.act(Pace::plain().into()));
    world.tell(&Observation::Phase(Phase::Calm));
    // Whoever is gone is found out after a session, and then there is a rebalance, at each of which somebody may be slow.
    let slowest = plan.members.iter().map(|(_, line)| line.session + line.max_poll).max();
    let patience = slowest.unwrap_or_default() * 2 + PATIENCE;
    wait_at_most(world, LIMIT, patience, || unread_by_groups(plan, world, applications));
    // For so long nothing may change: nobody is taken for dead who only has nothing to do.
    world.run_for(slowest.unwrap_or_default() * 2);
    // What is in logs with transactions is looked at as a whole.
    let mut readers = if plan.transactors.is_empty() { fresh_readers(plan, world) } else { Vec::new() };
    readers.extend(applications.consumers());
    wait(world, || unread(world, &readers));
    world.tell(&Observation::Phase(Phase::Settled));
    applications.members().iter().for_each(|(_, member)| member.act(CloseConsumer {}.into()));
    wait(world, || {
        let open = applications.members().iter().filter(|(_, member)| !member.is_closed()).count();
        if open == 0 { Ok(()) } else { Err(open as u64) }
    });
    producers.iter().for_each(|producer| producer.act(&CloseProducer::plain().into()));
    wait(world, || idle(applications));
    readers.iter().for_each(|reader| reader.act(ConsumeAction::Close(CloseConsumer {})));
    world.run_for(LOOK);
    for kafka in applications.handles() {
        if let Err(stuck) = world.block_on(kafka.close(), LIMIT) {
            notes.push(format!("{LATE}closing a client has not come to its end: {stuck}"));
        }
    }
}

/// Brings all transactions to their end, has everything processed that groups process in transactions, and shows the logs.
fn settle_transactions(plan: &Plan, world: &World, applications: &Applications, notes: &mut Vec<String>) {
    if plan.transactors.is_empty() {
        return;
    }
    let left = || -> u64 {
        let of_those_here = applications.transactors();
        let left: u64 = of_those_here.iter().map(|transactor| u64::from(transactor.left())).sum();
        left + applications.transactors_to_come(plan)
    };
    let slowest = plan.transactors.iter().map(|(_, line)| line.timeout + line.session).max();
    let latest = plan.transactors.iter().map(|(_, line)| line.joins).max();
    let patience = slowest.unwrap_or_default() * 2 + latest.unwrap_or_default() + PATIENCE;
    wait_at_most(world, LIMIT, patience, || match left() {
        0 => Ok(()),
        left => Err(left),
    });
    if left() > 0 {
        notes.push(format!("{LATE}{} transactions have not been made", left()));
    }
    let began = world.now();
    let mut last = (u64::MAX, began);
    loop {
        let unprocessed = unprocessed(plan, world, applications);
        if unprocessed != last.0 {
            last = (unprocessed, world.now());
        }
        let is_over = world.now().since(last.1) >= patience || world.now().since(began) >= LIMIT;
        if unprocessed == 0 || is_over {
            break;
        }
        world.run_for(FLUSHES);
    }
    applications.transactors().iter().for_each(TransactActor::close);
    wait(world, || {
        let open = applications.transactors().iter().filter(|transactor| !transactor.is_closed()).count();
        if open == 0 { Ok(()) } else { Err(open as u64) }
    });
    // What was left open is aborted by then.
    world.run_for(slowest.unwrap_or_default() + FLUSHES * 5);
    for (of, bytes, ends) in logs(plan, world) {
        world.tell(&Observation::Log(&of, &bytes, ends));
    }
}

/// All batches of all partitions, up to where they are committed, and up to where they are decided.
fn logs(plan: &Plan, world: &World) -> Vec<(TopicPartition, bytes::Bytes, (i64, i64))> {
    world.cluster(|cluster, _| {
        let partitions: Vec<Start> =
            plan.topics.iter().flat_map(|(topic, _)| everything(cluster, *topic)).collect();
        let log = |start: Start| {
            let (topic, partition) = (start.partition.topic.to_string(), start.partition.partition);
            let bytes = cluster.batches(&topic, partition).unwrap_or_default();
            let end = cluster.partition(&topic, partition).map_or(0, |state| state.high_watermark);
            let stable = cluster.last_stable_offset(&topic, partition).unwrap_or(end);
            (TopicPartition { topic: topic.into(), partition }, bytes, (end, stable))
        };
        partitions.into_iter().map(log).collect()
    })
}

/// How many records are visible that groups are still to process in transactions, and how many offsets are undecided.
fn unprocessed(plan: &Plan, world: &World, applications: &Applications) -> u64 {
    let logs = logs(plan, world);
    let undecided: i64 = logs.iter().map(|(_, _, (end, stable))| end - stable).sum();
    let mut left = u64::try_from(undecided).unwrap_or(0);
    if applications.transactors().iter().all(TransactActor::is_closed) {
        return left;
    }
    for (group, topic) in plan.transactors.iter().filter_map(|(_, line)| Some((line.group, line.from?))) {
        for (of, bytes, _) in logs.iter().filter(|(of, ..)| *of.topic == *topic.to_string()) {
            let committed = world.cluster(|cluster, _| {
                cluster.committed_offset(&group.to_string(), &of.topic, of.partition).unwrap_or(0)
            });
            left += unread_records(bytes, committed);
        }
    }
    left
}

/// How long nothing may change in the producers: whatever happens, a record has its outcome by then.
fn patience(plan: &Plan) -> Duration {
    let timeouts = plan.producers.iter().map(|(_, line)| line.delivery_timeout);
    let blocks = plan.clients.iter().map(|(_, line)| line.max_block.max(line.unknown_topic));
    timeouts.max().unwrap_or_default() + blocks.max().unwrap_or_default() + PATIENCE
}

fn wait(world: &World, left: impl Fn() -> Result<(), u64>) {
    wait_at_most(world, LIMIT, PATIENCE, left);
}

/// Waits until `left` says that nothing is left to wait for, as long as what it returns changes now and then.
fn wait_at_most(world: &World, limit: Duration, patience: Duration, left: impl Fn() -> Result<(), u64>) {
    let began = world.now();
    let mut last = (u64::MAX, began);
    while let Err(left) = left() {
        let now = world.now();
        if left != last.0 {
            last = (left, now);
        }
        if now.since(last.1) >= patience || now.since(began) >= limit {
            return;
        }
        world.run_for(LOOK);
    }
}

fn idle(applications: &Applications) -> Result<(), u64> {
    let busy: u64 = applications.producers().iter().map(|producer| producer.left()).sum();
    if busy == 0 { Ok(()) } else { Err(busy) }
}

/// How many records are committed and not read.
fn unread(world: &World, readers: &[ConsumerActor]) -> Result<(), u64> {
    let missing = world.cluster(|cluster, _| {
        let of_reader = |reader: &ConsumerActor| -> u64 {
            let partitions = reader.reading();
            partitions.iter().map(|partition| missing(cluster, partition, reader.position(partition))).sum()
        };
        readers.iter().map(of_reader).sum()
    });
    if missing == 0 { Ok(()) } else { Err(missing) }
}

/// How many records are committed and have not been read by groups; a partition that nobody has, or more than one, counts as
/// well.
fn unread_by_groups(plan: &Plan, world: &World, applications: &Applications) -> Result<(), u64> {
    let members = applications.members();
    let open: Vec<_> = members.iter().filter(|(_, member)| !member.is_closed()).collect();
    let mut left = 0;
    for (name, line) in &plan.members {
        if !open.iter().any(|(other, _)| other == name) {
            continue;
        }
        let of_group = |other: &MemberName| {
            plan.members.iter().any(|(known, other_line)| known == other && other_line.group == line.group)
        };
        let owned: Vec<_> = open
            .iter()
            .filter(|(other, _)| of_group(other))
            .flat_map(|(_, member)| member.positions())
            .collect();
        left += world.cluster(|cluster, _| {
            let starts = line.topics.iter().flat_map(|topic| everything(cluster, *topic));
            let of = |start: Start| TopicPartition {
                topic: start.partition.topic.to_string().into(),
                partition: start.partition.partition,
            };
            let left = starts.map(of).map(|of| {
                let mut owners = owned.iter().filter(|(known, _)| *known == of);
                match (owners.next(), owners.next()) {
                    (Some((_, position)), None) => missing(cluster, &of, *position),
                    // Somebody has not heard yet that it is others'.
                    _ => 1,
                }
            });
            left.sum::<u64>()
        });
    }
    if left == 0 { Ok(()) } else { Err(left) }
}

/// How many offsets lie between a position and the end; one if there is no position.
fn missing(cluster: &Cluster, partition: &TopicPartition, position: Option<i64>) -> u64 {
    let Some(state) = cluster.partition(&partition.topic, partition.partition) else { return 0 };
    match position {
        Some(position) if position >= 0 => u64::try_from(state.high_watermark - position).unwrap_or(0),
        _ => 1,
    }
}

/// Readers that see everything from the beginning, at both isolation levels.
fn fresh_readers(plan: &Plan, world: &World) -> Vec<ConsumerActor> {
    let assign = world.cluster(|cluster, _| {
        let topics = plan.topics.iter().map(|(name, _)| *name);
        topics.flat_map(|topic| everything(cluster, topic)).collect::<Vec<Start>>()
    });
    let name = "fresh";
    let builder = applications::client(world, plan, name, &ClientLine::plain());
    let Ok(Ok(kafka)) = world.block_on(builder.connect(), PATIENCE) else { return Vec::new() };
    let isolations = [IsolationChoice::ReadUncommitted, IsolationChoice::ReadCommitted];
    let reader = |(number, isolation): (u32, IsolationChoice)| {
        let line = ConsumerLine {
            isolation,
            reset: ResetChoice::Earliest,
            assign: assign.clone(),
            ..ConsumerLine::plain(ClientName(u32::MAX))
        };
        let identity = Identity {
            world: world.clone(),
            client: world.client(name),
            actor: ActorId(FRESH + number),
            name: format!("{name}-{number}"),
            seed: plan.seed,
        };
        applications::fresh_reader(&kafka, identity, &line)
    };
    (0..).zip(isolations).filter_map(reader).collect()
}

fn everything(cluster: &Cluster, topic: TopicName) -> Vec<Start> {
    let name = topic.to_string();
    let partitions = (0..).take_while(|index| cluster.partition(&name, *index).is_some());
    let start = |partition| Start { partition: PartitionName { topic, partition }, at: Place::Earliest };
    partitions.map(start).collect()
}
