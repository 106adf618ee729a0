//! Plans in which applications write in transactions, and nothing stays as it is.

use std::collections::BTreeSet;
use std::time::Duration;

use klamm_protocol::{ApiKey, ErrorCode};

use super::dice::Dice;
use super::entity;
use crate::cluster;
use crate::plan::fault::{
    Crash, Elect, KillClient, MoveCoordinator, MoveTransactions, Partition, PauseClient, Reset,
    TransactionVersion,
};
use crate::plan::setup::{ClientLine, ClusterLine, TopicLine, TransactorLine};
use crate::plan::values::{ClientName, GroupName, PartitionName, TopicName, TransactorName};
use crate::plan::{Fault, Plan, Profile, Step, What};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The errors that brokers may answer with at any time.
const ERRORS: &[(ApiKey, ErrorCode)] = &[
    (ApiKey::FIND_COORDINATOR, ErrorCode::COORDINATOR_NOT_AVAILABLE),
    (ApiKey::INIT_PRODUCER_ID, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    (ApiKey::INIT_PRODUCER_ID, ErrorCode::NOT_COORDINATOR),
    (ApiKey::INIT_PRODUCER_ID, ErrorCode::CONCURRENT_TRANSACTIONS),
    (ApiKey::ADD_PARTITIONS_TO_TXN, ErrorCode::NOT_COORDINATOR),
    (ApiKey::ADD_PARTITIONS_TO_TXN, ErrorCode::CONCURRENT_TRANSACTIONS),
    (ApiKey::ADD_PARTITIONS_TO_TXN, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    (ApiKey::ADD_OFFSETS_TO_TXN, ErrorCode::NOT_COORDINATOR),
    (ApiKey::ADD_OFFSETS_TO_TXN, ErrorCode::CONCURRENT_TRANSACTIONS),
    (ApiKey::TXN_OFFSET_COMMIT, ErrorCode::NOT_COORDINATOR),
    (ApiKey::TXN_OFFSET_COMMIT, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    (ApiKey::TXN_OFFSET_COMMIT, ErrorCode::UNKNOWN_MEMBER_ID),
    (ApiKey::TXN_OFFSET_COMMIT, ErrorCode::ILLEGAL_GENERATION),
    (ApiKey::TXN_OFFSET_COMMIT, ErrorCode::TRANSACTION_ABORTABLE),
    (ApiKey::END_TXN, ErrorCode::NOT_COORDINATOR),
    (ApiKey::END_TXN, ErrorCode::COORDINATOR_NOT_AVAILABLE),
    (ApiKey::END_TXN, ErrorCode::CONCURRENT_TRANSACTIONS),
    (ApiKey::END_TXN, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    (ApiKey::PRODUCE, ErrorCode::NOT_LEADER_OR_FOLLOWER),
    (ApiKey::PRODUCE, ErrorCode::CONCURRENT_TRANSACTIONS),
    (ApiKey::PRODUCE, ErrorCode::REQUEST_TIMED_OUT),
    (ApiKey::PRODUCE, ErrorCode::NOT_ENOUGH_REPLICAS),
    (ApiKey::OFFSET_FETCH, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    (ApiKey::HEARTBEAT, ErrorCode::REBALANCE_IN_PROGRESS),
];

/// The APIs whose requests or answers are lost.
const LOST: &[ApiKey] = &[
    ApiKey::END_TXN,
    ApiKey::END_TXN,
    ApiKey::END_TXN,
    ApiKey::PRODUCE,
    ApiKey::INIT_PRODUCER_ID,
    ApiKey::TXN_OFFSET_COMMIT,
    ApiKey::ADD_PARTITIONS_TO_TXN,
    ApiKey::ADD_OFFSETS_TO_TXN,
];

/// What faults can be about.
struct Scope {
    brokers: i32,
    clients: u32,
    ids: u32,
    topics: u32,
    groups: u32,
    length: Duration,
}

/// Some write what they make up, others read that and write it on; they die, stand still and are replaced, and
/// coordinators move.
pub(super) fn plan(seed: u64) -> Plan {
    let mut dice = Dice::new(seed, entity::WORLD);
    let mut plan = Plan::empty(seed);
    plan.profile = Some(Profile::Txn);
    let brokers = dice.pick(&[1, 3, 3, 3]);
    let markers = dice.pick(&[Duration::ZERO, ms(1), ms(20), ms(300)]);
    let (replication, metadata) = (ms(1), ms(5));
    plan.cluster = ClusterLine { brokers, replication, metadata, markers, ..ClusterLine::plain() };
    // With fewer brokers than are in sync nothing is written that could be lost.
    plan.cluster.min_insync = if brokers == 3 { 2 } else { 1 };
    plan.cluster.flush = Duration::ZERO;
    let hops = dice.pick(&[0, 1, 1, 2]);
    let partitions = dice.pick(&[1, 1, 2, 3]);
    let replication = i16::try_from(brokers.min(3)).unwrap_or(1);
    for number in 0..=hops {
        plan.topics.push((TopicName(number), TopicLine { partitions, replication }));
    }
    let length = dice.log_duration(secs(2), secs(60));
    let version = version(&mut dice, length);
    plan.steps.extend(version);
    let mut clients = 0;
    let mut ids = 0;
    let mut add = |plan: &mut Plan, line: TransactorLine| {
        let name = TransactorName(u32::try_from(plan.transactors.len()).unwrap_or(0));
        plan.clients.push((ClientName(clients), ClientLine::plain()));
        plan.transactors.push((name, TransactorLine { client: ClientName(clients), ..line }));
        clients += 1;
    };
    for number in 0..dice.number(1, 2) {
        let mut dice = Dice::new(seed, entity::PRODUCERS + u64::from(number));
        let line = TransactorLine::plain(ClientName(0), ids, TopicName(0));
        let line = TransactorLine { transactions: dice.number(1, 30), ..habits(&mut dice, line) };
        if dice.one_in(4) {
            // Another process has the same id from some time on.
            let joins = dice.duration(Duration::ZERO, length);
            add(&mut plan, TransactorLine { joins, ..line.clone() });
        }
        add(&mut plan, line);
        ids += 1;
    }
    for hop in 0..hops {
        let mut dice = Dice::new(seed, entity::MEMBERS + u64::from(hop));
        for _ in 0..dice.pick(&[1, 1, 2, 2, 3]) {
            let line = TransactorLine::plain(ClientName(0), ids, TopicName(hop + 1));
            let line = TransactorLine {
                from: Some(TopicName(hop)),
                group: GroupName(hop),
                joins: if dice.one_in(2) { Duration::ZERO } else { dice.duration(Duration::ZERO, length) },
                session: dice.pick(&[secs(6), secs(10)]),
                ..habits(&mut dice, line)
            };
            if dice.one_in(4) {
                let joins = line.joins + dice.duration(ms(1), length);
                add(&mut plan, TransactorLine { joins, ..line.clone() });
            }
            add(&mut plan, line);
            ids += 1;
        }
    }
    let scope = Scope { brokers, clients, ids, topics: hops + 1, groups: hops.max(1), length };
    for number in 0..dice.between(0, 8) {
        let mut dice = Dice::new(seed, entity::FAULTS + number);
        let at = dice.duration(Duration::ZERO, length);
        plan.steps.push(Step::new(at, fault(&mut dice, &scope)));
    }
    plan.heal_at = length;
    rarely(&mut Dice::rarer(seed), &mut plan);
    plan.steps.sort_by_key(|step| step.at);
    plan
}

/// What few plans have.
fn rarely(dice: &mut Dice, plan: &mut Plan) {
    match dice.between(0, 15) {
        0 => impatience(dice, plan),
        1 => haste(dice, plan),
        2 => old_brokers(dice, plan),
        3 => peeking(dice, plan),
        _ => {}
    }
}

/// Nobody waits long for the end of a transaction, and many a request for that is lost.
fn impatience(dice: &mut Dice, plan: &mut Plan) {
    for (_, line) in &mut plan.clients {
        line.max_block = dice.pick(&[ms(100), ms(500), secs(2), line.max_block]);
    }
    for _ in 0..dice.between(1, 4) {
        let at = dice.duration(Duration::ZERO, plan.heal_at);
        let lost = match dice.between(0, 2) {
            0 => cluster::Fault::drop_before(),
            1 => cluster::Fault::drop_after(),
            _ => cluster::Fault::delay(dice.log_duration(ms(50), secs(5))),
        };
        let lasts = dice.log_duration(ms(10), secs(10));
        plan.steps.push(Step::new(at, What::Order(lost.api(ApiKey::END_TXN).lasting(lasts))));
    }
}

/// Applications write on for a while after something of a transaction has failed, and begin others before they have
/// heard that one has begun, or what became of the one before.
fn haste(dice: &mut Dice, plan: &mut Plan) {
    for (_, line) in &mut plan.transactors {
        line.gap = dice.pick(&[ms(1), ms(10), ms(50)]);
        line.records = line.records.max(3);
        line.hasty_one_in = dice.pick(&[0, 1, 2, 5]);
        line.forgetful_one_in = dice.pick(&[0, 2, 5]);
    }
}

/// Applications read while their transactions are open.
fn peeking(dice: &mut Dice, plan: &mut Plan) {
    for (_, line) in &mut plan.transactors {
        line.peeks = line.from.is_none();
        line.hold = dice.pick(&[ms(5), ms(50), ms(500)]);
    }
}

/// Brokers that do not ask who commits offsets within a transaction: each group has one member, and nobody comes twice.
fn old_brokers(dice: &mut Dice, plan: &mut Plan) {
    let old = dice.pick(&["0.11.0", "1.1", "2.0", "2.4"]);
    let Ok(version) = old.parse() else { return };
    plan.cluster.version = version;
    let (mut ids, mut sources) = (BTreeSet::new(), BTreeSet::new());
    plan.transactors.retain(|(_, line)| {
        let is_alone = line.from.is_none_or(|from| sources.insert(from));
        is_alone && ids.insert(line.id)
    });
    // Nothing that makes a group assign anew: what it had read before would be read again.
    plan.steps.clear();
    plan.cluster.markers = Duration::ZERO;
}

/// Which version of transactions the cluster uses: the newest, the one before, or that and then the newest.
fn version(dice: &mut Dice, length: Duration) -> Vec<Step> {
    let level = |at, level| Step::new(at, What::Fault(TransactionVersion::plain(level).into()));
    match dice.between(0, 4) {
        0 | 1 => Vec::new(),
        2 => vec![level(Duration::ZERO, 1)],
        _ => vec![level(Duration::ZERO, 1), level(dice.duration(ms(1), length), 2)],
    }
}

fn habits(dice: &mut Dice, line: TransactorLine) -> TransactorLine {
    TransactorLine {
        records: dice.pick(&[1, 1, 3, 10]),
        every: dice.pick(&[ms(1), ms(10), ms(100), secs(1)]),
        hold: dice.pick(&[Duration::ZERO, Duration::ZERO, ms(5), ms(100), secs(1)]),
        abort_one_in: dice.pick(&[0, 0, 2, 5]),
        timeout: dice.pick(&[secs(5), secs(10), secs(60)]),
        ..line
    }
}

fn fault(dice: &mut Dice, scope: &Scope) -> What {
    let client = ClientName(dice.number(0, scope.clients.saturating_sub(1)));
    let broker = dice.broker(scope.brokers);
    let id = dice.number(0, scope.ids.saturating_sub(1));
    let load = dice.pick(&[Duration::ZERO, ms(50), secs(3)]);
    let fault: Fault = match dice.between(0, 12) {
        0..=2 => MoveTransactions { load, ..MoveTransactions::plain(id, broker) }.into(),
        3 => {
            let group = GroupName(dice.number(0, scope.groups.saturating_sub(1)));
            MoveCoordinator { load, ..MoveCoordinator::plain(group, broker) }.into()
        }
        4 => {
            PauseClient { lasts: dice.log_duration(ms(100), secs(120)), ..PauseClient::plain(client) }.into()
        }
        5 => {
            let again = dice.log_duration(ms(10), scope.length.max(ms(20)));
            KillClient { lasts: again, ..KillClient::plain(client) }.into()
        }
        6 => Crash { lasts: dice.log_duration(ms(50), secs(10)), ..Crash::plain(broker) }.into(),
        7 => Reset { client: Some(client), ..Reset::plain() }.into(),
        8 => {
            let lasts = dice.log_duration(ms(100), secs(20));
            Partition { client: Some(client), lasts, ..Partition::plain() }.into()
        }
        9 => {
            let topic = TopicName(dice.number(0, scope.topics.saturating_sub(1)));
            Elect::plain(PartitionName { topic, partition: 0 }, broker).into()
        }
        _ => {
            let times = dice.number(1, 4);
            let order = match dice.between(0, 3) {
                0 => cluster::Fault::drop_after().api(dice.pick(LOST)),
                1 => cluster::Fault::drop_before().api(dice.pick(LOST)),
                _ => {
                    let (api, error) = dice.pick(ERRORS);
                    cluster::Fault::error(error).api(api)
                }
            };
            return What::Order(order.times(times));
        }
    };
    What::Fault(fault)
}
