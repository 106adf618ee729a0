//! How a plan's faults begin and end.

use std::time::Duration;

use klamm_core::Instant;

use super::applications::Applications;
use crate::World;
use crate::cluster::{self, Cluster, Crash as HowItCrashes};
use crate::observe::{ClientId, Observation, Process, Side};
use crate::plan::fault::{
    Crash, Create, DeleteRecords, Elect, FlipBit, Hide, KillClient, Quota, Reset, Resolve, Retain, ShutDown,
};
use crate::plan::values::{ClientName, Direction, Resolving};
use crate::plan::{Fault, Plan};
use crate::world::{Chunking, Endpoint, Host, Latency};

/// Ends a fault.
pub(super) type End = Box<dyn FnOnce(&World)>;

/// How a fault goes on: after how long, and what happens then. Nothing of it is needed once everything is healed.
type Lasting = Vec<(Duration, End)>;

fn ends(lasts: Duration, end: impl FnOnce(&World) + 'static) -> Lasting {
    vec![(lasts, Box::new(end))]
}

/// Pairs of a client's and a broker's machine.
type Pairs = Vec<(Host, Host)>;

/// Begins a fault. Returns what is still to happen of it.
pub(super) fn begin(fault: &Fault, plan: &Plan, world: &World, applications: &Applications) -> Lasting {
    match fault {
        Fault::Refuse(refuse) => {
            let broker = refuse.broker;
            world.network().refuse_connects(broker);
            ends(refuse.lasts, move |world| world.network().accept_connects(broker))
        }
        Fault::Hang(hang) => {
            let broker = hang.broker;
            world.network().hang_connects(broker);
            ends(hang.lasts, move |world| world.network().accept_connects(broker))
        }
        Fault::Resolve(resolve) => resolve_otherwise(world, plan, resolve),
        Fault::KillClient(_)
        | Fault::CloseClient(_)
        | Fault::PauseClient(_)
        | Fault::JumpClock(_)
        | Fault::DriftClock(_) => to_client(fault, plan, world, applications),
        _ => between_hosts(fault, plan, world, applications).unwrap_or_else(|| in_cluster(fault, world)),
    }
}

/// What happens to a client process.
fn to_client(fault: &Fault, plan: &Plan, world: &World, applications: &Applications) -> Lasting {
    let client = |name| applications.client(name);
    match fault {
        Fault::KillClient(kill) => return kill_client(world, plan, applications, kill),
        Fault::CloseClient(close) => applications.close(close.client, plan, world),
        Fault::PauseClient(pause) => {
            let Some(client) = client(pause.client) else { return Vec::new() };
            world.tell(&Observation::Process(client, Process::Paused));
            world.pause_client(client, pause.lasts);
            return ends(pause.lasts, move |world| {
                if !world.is_paused(client) {
                    world.tell(&Observation::Process(client, Process::Resumed));
                }
            });
        }
        Fault::JumpClock(jump) => {
            client(jump.client).into_iter().for_each(|client| world.jump_wall_clock(client, jump.by_ms));
        }
        Fault::DriftClock(drift) => {
            client(drift.client).into_iter().for_each(|client| world.drift_wall_clock(client, drift.ppm));
        }
        _ => {}
    }
    Vec::new()
}

/// Faults between clients and brokers; `None` if it is none of those.
fn between_hosts(fault: &Fault, plan: &Plan, world: &World, applications: &Applications) -> Option<Lasting> {
    let pairs = |client: Option<ClientName>, broker: Option<i32>| -> Pairs {
        let clients: Vec<ClientId> = match client {
            Some(client) => applications.client(client).into_iter().collect(),
            None => applications.clients(),
        };
        let brokers: Vec<i32> =
            broker.map_or_else(|| (1..=plan.cluster.brokers).collect(), |broker| vec![broker]);
        let of_client =
            |client| brokers.iter().map(move |broker| (Host::Client(client), Host::Broker(*broker)));
        clients.into_iter().flat_map(of_client).collect()
    };
    Some(match fault {
        Fault::Partition(cut) => block(world, pairs(cut.client, cut.broker), cut.direction, cut.lasts, true),
        Fault::Clog(clog) => block(world, pairs(clog.client, clog.broker), clog.direction, clog.lasts, false),
        Fault::BlackHole(hole) => {
            let pairs = pairs(hole.client, hole.broker);
            pairs.into_iter().for_each(|(client, broker)| world.network().black_hole(client, broker));
            Vec::new()
        }
        Fault::Reset(reset) => {
            break_connections(world, &pairs(reset.client, reset.broker), reset);
            Vec::new()
        }
        Fault::FlipBit(flip) => {
            flip_bits(world, &pairs(flip.client, flip.broker), flip);
            Vec::new()
        }
        Fault::Slow(slow) => {
            let latency = Latency { jitter: slow.jitter, ..Latency::constant(slow.is) };
            each_way(world, pairs(slow.client, slow.broker), slow.lasts, move |world, from, to, begins| {
                world.network().latency(from, to, begins.then_some(latency));
            })
        }
        Fault::Chunk(chunk) => {
            let chunking = Chunking { longest_piece: chunk.bytes, ..Chunking::BYTES };
            each_way(world, pairs(chunk.client, chunk.broker), chunk.lasts, move |world, from, to, begins| {
                world.network().chunking(from, to, begins.then_some(chunking));
            })
        }
        Fault::Bandwidth(limit) => {
            let rate = limit.rate.max(1);
            each_way(world, pairs(limit.client, limit.broker), limit.lasts, move |world, from, to, begins| {
                world.network().bandwidth(from, to, begins.then_some(rate));
            })
        }
        _ => return None,
    })
}

/// Keeps bytes from passing: as if a cable were cut, or for as long as it takes.
fn block(world: &World, pairs: Pairs, direction: Direction, lasts: Duration, is_cut: bool) -> Lasting {
    for (client, broker) in &pairs {
        let ways = match direction {
            Direction::Both => vec![(*client, *broker), (*broker, *client)],
            Direction::ToBroker => vec![(*client, *broker)],
            Direction::ToClient => vec![(*broker, *client)],
        };
        for (from, to) in ways {
            if is_cut {
                world.network().partition_one_way(from, to);
            } else {
                world.network().clog(from, to);
            }
        }
    }
    ends(lasts, move |world| {
        pairs.iter().for_each(|(client, broker)| world.network().reconnect(*client, *broker));
    })
}

/// Changes both directions of each pair, and back.
fn each_way(
    world: &World,
    pairs: Pairs,
    lasts: Duration,
    change: impl Fn(&World, Host, Host, bool) + 'static,
) -> Lasting {
    let both = move |world: &World, begins| {
        for (client, broker) in &pairs {
            change(world, *client, *broker, begins);
            change(world, *broker, *client, begins);
        }
    };
    both(world, true);
    ends(lasts, move |world| both(world, false))
}

fn break_connections(world: &World, pairs: &Pairs, reset: &Reset) {
    for (client, broker) in pairs {
        for connection in world.network().connections(*client, *broker) {
            let network = world.network();
            let _found = match (reset.after, reset.direction) {
                (0, Direction::Both) => network.reset(connection),
                (0, Direction::ToBroker) => network.reset_one_side(connection, Side::Broker),
                (0, Direction::ToClient) => network.reset_one_side(connection, Side::Client),
                (after, Direction::ToClient) => network.reset_after(connection, Side::Client, after),
                (after, _) => network.reset_after(connection, Side::Broker, after),
            };
        }
    }
}

fn flip_bits(world: &World, pairs: &Pairs, flip: &FlipBit) {
    let sides: &[Side] = match flip.direction {
        Direction::Both => &[Side::Broker, Side::Client],
        Direction::ToBroker => &[Side::Broker],
        Direction::ToClient => &[Side::Client],
    };
    for (client, broker) in pairs {
        for connection in world.network().connections(*client, *broker) {
            for side in sides {
                let _found = world.network().flip_bit(connection, *side, flip.after);
            }
        }
    }
}

fn host_of(broker: i32) -> String {
    format!("broker-{broker}")
}

fn resolve_otherwise(world: &World, plan: &Plan, resolve: &Resolve) -> Lasting {
    let brokers: Vec<i32> =
        resolve.broker.map_or_else(|| (1..=plan.cluster.brokers).collect(), |broker| vec![broker]);
    for broker in &brokers {
        let (network, host) = (world.network(), host_of(*broker));
        match resolve.to {
            Resolving::Fail => network.fail_resolution(&host, "no such host"),
            Resolving::Empty => network.resolve_to(&host, []),
            Resolving::Many => {
                network
                    .resolve_to(&host, [Endpoint::Refusing, Endpoint::Refusing, Endpoint::Broker(*broker)]);
            }
            Resolving::Nowhere => network.resolve_to(&host, [Endpoint::Nowhere]),
        }
    }
    ends(resolve.lasts, move |world| {
        brokers.iter().for_each(|broker| world.network().resolve(&host_of(*broker), None));
    })
}

fn kill_client(world: &World, plan: &Plan, applications: &Applications, kill: &KillClient) -> Lasting {
    let name = kill.client;
    let Some(client) = applications.client(name) else { return Vec::new() };
    world.tell(&Observation::Process(client, Process::Killed));
    world.kill_client(client);
    applications.bury(name, plan);
    if kill.lasts.is_zero() {
        return Vec::new();
    }
    applications.expect_again(name);
    let (plan, applications) = (plan.clone(), applications.clone());
    ends(kill.lasts, move |world| applications.begin_again(name, &plan, world))
}

/// What a command to the cluster needs.
type Command = fn(&mut Cluster, Instant, i32);

/// Commands a broker, and takes it back after a while.
fn for_a_while(world: &World, broker: i32, lasts: Duration, begin: Command, end: Command) -> Lasting {
    world.cluster(|cluster, now| begin(cluster, now, broker));
    ends(lasts, move |world| world.cluster(|cluster, now| end(cluster, now, broker)))
}

fn in_cluster(fault: &Fault, world: &World) -> Lasting {
    match fault {
        Fault::Crash(Crash { broker, keep_unflushed, lasts }) => {
            let (broker, how) = (*broker, HowItCrashes { keep_unflushed: *keep_unflushed });
            world.cluster(|cluster, now| cluster.crash(now, broker, how));
            ends(*lasts, move |world| {
                world.cluster(|cluster, _| cluster.restart(broker));
            })
        }
        Fault::ShutDown(shut_down) => shuts_down(shut_down, world),
        Fault::Quota(quota) => {
            set_quota(world, quota, true);
            let quota = quota.clone();
            ends(quota.lasts, move |world| set_quota(world, &quota, false))
        }
        Fault::Upgrade(upgrade) => {
            let (broker, version) = (upgrade.broker, upgrade.version);
            world.cluster(|cluster, now| cluster.kill(now, broker));
            ends(upgrade.lasts, move |world| {
                world.cluster(|cluster, _| cluster.set_release(broker, version) && cluster.restart(broker));
            })
        }
        Fault::Isolate(isolate) => for_a_while(
            world,
            isolate.broker,
            isolate.lasts,
            |cluster, now, broker| {
                cluster.isolate_from_controller(now, broker);
            },
            |cluster, now, broker| {
                cluster.reconnect_to_controller(now, broker);
            },
        ),
        Fault::HoldMetadata(hold) => for_a_while(
            world,
            hold.broker,
            hold.lasts,
            |cluster, _, broker| cluster.hold_metadata(broker),
            Cluster::resume_metadata,
        ),
        Fault::CutReplication(_) | Fault::SlowReplication(_) => of_replication(fault, world),
        Fault::Hide(Hide { broker, topic, other, lasts }) => {
            let (broker, other, topic) = (*broker, *other, topic.map(|topic| topic.to_string()));
            let hide = move |world: &World, hide: bool| {
                world.cluster(|cluster, _| {
                    topic.iter().for_each(|topic| cluster.hide_topic(broker, topic, hide));
                    other.iter().for_each(|other| cluster.hide_broker(broker, *other, hide));
                });
            };
            hide(world, true);
            ends(*lasts, move |world| hide(world, false))
        }
        _ => {
            world.cluster(|cluster, now| at_once(fault, cluster, now));
            Vec::new()
        }
    }
}

/// A broker leaves in an orderly way and comes back.
fn shuts_down(shut_down: &ShutDown, world: &World) -> Lasting {
    let ShutDown { broker, takes, lasts } = *shut_down;
    let leaves = world.cluster(|cluster, now| cluster.announce_shutdown(now, broker));
    if !leaves {
        return Vec::new();
    }
    let mut steps = ends(takes, move |world| {
        world.cluster(|cluster, now| cluster.kill(now, broker));
    });
    steps.extend(ends(takes + lasts, move |world| {
        world.cluster(|cluster, _| cluster.restart(broker));
    }));
    steps
}

/// Faults between brokers.
fn of_replication(fault: &Fault, world: &World) -> Lasting {
    match fault {
        Fault::CutReplication(cut) => {
            let (broker, from) = (cut.broker, cut.from);
            world.cluster(|cluster, now| {
                for other in others(cluster, broker, from) {
                    cluster.cut_replication(now, broker, other);
                }
            });
            mend_replication(cut.lasts, broker, from)
        }
        Fault::SlowReplication(slow) => {
            let broker = slow.broker;
            world.cluster(|cluster, now| {
                for other in others(cluster, broker, None) {
                    cluster.slow_replication(now, broker, other, slow.by);
                }
            });
            mend_replication(slow.lasts, broker, None)
        }
        _ => Vec::new(),
    }
}

/// Sets a quota, or lifts it.
fn set_quota(world: &World, quota: &Quota, is_on: bool) {
    let limit = |rate: u64| (is_on && rate > 0).then_some(rate);
    let limits = cluster::Quota {
        produce_bytes: limit(quota.produce),
        fetch_bytes: limit(quota.fetch),
        requests: limit(quota.requests),
    };
    let client = quota.client.map(|client| client.to_string());
    world.cluster(|cluster, _| cluster.set_quota(client.as_deref(), limits));
}

fn others(cluster: &Cluster, broker: i32, from: Option<i32>) -> Vec<i32> {
    cluster.brokers().filter(|other| *other != broker && from.is_none_or(|from| from == *other)).collect()
}

fn mend_replication(lasts: Duration, broker: i32, from: Option<i32>) -> Lasting {
    ends(lasts, move |world| {
        world.cluster(|cluster, now| {
            for other in others(cluster, broker, from) {
                cluster.heal_replication(now, Some((broker, other)));
            }
        });
    })
}

/// Faults that are done at once. What the cluster refuses does not happen.
fn at_once(fault: &Fault, cluster: &mut Cluster, now: Instant) {
    match fault {
        Fault::Elect(Elect { partition, broker, unclean }) => {
            let topic = partition.topic.to_string();
            let state = cluster.partition(&topic, partition.partition);
            if *unclean || state.is_some_and(|state| state.isr.contains(broker)) {
                drop(cluster.elect(now, &topic, partition.partition, *broker));
            }
        }
        Fault::Readdress(readdress) => {
            let port = u16::try_from(readdress.port).unwrap_or(u16::MAX);
            cluster.set_address(readdress.broker, &host_of(readdress.broker), port);
        }
        Fault::Create(Create { topic, partitions, replication }) => {
            drop(cluster.create_topic(&topic.to_string(), *partitions, *replication));
        }
        Fault::Delete(delete) => drop(cluster.delete_topic(now, &delete.topic.to_string())),
        Fault::AddPartitions(add) => {
            let topic = add.topic.to_string();
            let present = (0..).take_while(|index| cluster.partition(&topic, *index).is_some()).count();
            let count = i32::try_from(present).unwrap_or(i32::MAX).saturating_add(add.count);
            drop(cluster.add_partitions_to(&topic, count));
        }
        Fault::DeleteRecords(DeleteRecords { partition, percent }) => {
            let topic = partition.topic.to_string();
            let Some(state) = cluster.partition(&topic, partition.partition) else { return };
            let there = state.high_watermark - state.log_start_offset;
            let before = state.log_start_offset + there * i64::from((*percent).min(100)) / 100;
            drop(cluster.delete_records(now, &topic, partition.partition, before));
        }
        Fault::MoveCoordinator(to) => {
            // Who holds no replica of its partition cannot take it over.
            drop(cluster.move_coordinator(now, &to.group.to_string(), to.broker, to.load));
        }
        Fault::MoveTransactions(to) => {
            let id = super::applications::transactional_id(to.id);
            drop(cluster.move_transaction_coordinator(now, &id, to.broker, to.load));
        }
        Fault::TransactionVersion(line) => cluster.set_feature("transaction.version", line.level),
        Fault::Retain(Retain { topic, bytes }) => {
            let topic = topic.to_string();
            drop(cluster.configure_topic(&topic, "retention.bytes", Some(&bytes.to_string())));
            cluster.apply_retention(now);
        }
        _ => {}
    }
}
