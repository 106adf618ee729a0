//! Plans in which groups have no peace.

use std::time::Duration;

use klamm_protocol::{ApiKey, ErrorCode};

use super::dice::Dice;
use super::entity;
use crate::cluster;
use crate::plan::action::{CloseConsumer, Commit, DropHandle, Pace, Rebalance, Send};
use crate::plan::fault::{Crash, KillClient, MoveCoordinator, Partition, PauseClient, Reset};
use crate::plan::setup::{ClientLine, ClusterLine, MemberLine, ProducerLine, TopicLine};
use crate::plan::values::{
    AssignorChoice, ClientName, GroupName, MemberName, ProducerName, ProtocolChoice, TopicName,
};
use crate::plan::{Fault, MemberAction, Plan, Profile, Step, What};

const TOPIC: TopicName = TopicName(0);
const PRODUCER: ProducerName = ProducerName(0);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The errors that coordinators may answer with at any time.
const ERRORS: &[(ApiKey, ErrorCode)] = &[
    (ApiKey::FIND_COORDINATOR, ErrorCode::COORDINATOR_NOT_AVAILABLE),
    (ApiKey::JOIN_GROUP, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    (ApiKey::JOIN_GROUP, ErrorCode::NOT_COORDINATOR),
    (ApiKey::JOIN_GROUP, ErrorCode::REBALANCE_IN_PROGRESS),
    (ApiKey::JOIN_GROUP, ErrorCode::UNKNOWN_MEMBER_ID),
    (ApiKey::SYNC_GROUP, ErrorCode::NOT_COORDINATOR),
    (ApiKey::SYNC_GROUP, ErrorCode::REBALANCE_IN_PROGRESS),
    (ApiKey::SYNC_GROUP, ErrorCode::UNKNOWN_MEMBER_ID),
    (ApiKey::SYNC_GROUP, ErrorCode::ILLEGAL_GENERATION),
    (ApiKey::HEARTBEAT, ErrorCode::NOT_COORDINATOR),
    (ApiKey::HEARTBEAT, ErrorCode::REBALANCE_IN_PROGRESS),
    (ApiKey::HEARTBEAT, ErrorCode::UNKNOWN_MEMBER_ID),
    (ApiKey::HEARTBEAT, ErrorCode::ILLEGAL_GENERATION),
    (ApiKey::OFFSET_COMMIT, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    (ApiKey::OFFSET_COMMIT, ErrorCode::REBALANCE_IN_PROGRESS),
    (ApiKey::OFFSET_COMMIT, ErrorCode::UNKNOWN_MEMBER_ID),
    (ApiKey::OFFSET_FETCH, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    (ApiKey::OFFSET_FETCH, ErrorCode::NOT_COORDINATOR),
    (ApiKey::CONSUMER_GROUP_HEARTBEAT, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    (ApiKey::CONSUMER_GROUP_HEARTBEAT, ErrorCode::NOT_COORDINATOR),
    (ApiKey::CONSUMER_GROUP_HEARTBEAT, ErrorCode::UNKNOWN_MEMBER_ID),
    (ApiKey::CONSUMER_GROUP_HEARTBEAT, ErrorCode::FENCED_MEMBER_EPOCH),
    (ApiKey::OFFSET_COMMIT, ErrorCode::STALE_MEMBER_EPOCH),
];

/// By which protocols the members of a plan are members.
const PROTOCOLS: &[&[ProtocolChoice]] = &[
    &[ProtocolChoice::Classic],
    &[ProtocolChoice::Classic],
    &[ProtocolChoice::Consumer],
    &[ProtocolChoice::Classic, ProtocolChoice::Consumer],
];

/// Members come and go, stand still and die; brokers die; coordinators move; every error comes at every step.
pub(super) fn plan(seed: u64) -> Plan {
    let mut dice = Dice::new(seed, entity::WORLD);
    let mut plan = Plan::empty(seed);
    plan.profile = Some(Profile::Rebalance);
    let brokers = dice.pick(&[1, 3, 3, 3]);
    plan.cluster = ClusterLine { brokers, replication: ms(1), metadata: ms(5), ..ClusterLine::plain() };
    let replication = i16::try_from(brokers.min(3)).unwrap_or(1);
    let partitions = dice.pick(&[1, 2, 3, 4, 7]);
    plan.topics.push((TOPIC, TopicLine { partitions, replication }));
    let groups = dice.pick(&[1, 1, 1, 2]);
    let protocols = dice.pick(PROTOCOLS);
    let members = groups * dice.pick(&[1, 2, 2, 3, 3, 4]);
    let length = dice.log_duration(secs(5), secs(120));
    let writer = ClientName(0);
    plan.clients.push((writer, ClientLine::plain()));
    plan.producers.push((PRODUCER, ProducerLine::plain(writer)));
    for _ in 0..dice.between(1, 5) {
        let at = dice.duration(Duration::ZERO, length);
        let records = dice.number(1, 120);
        let send = Send { records, every: ms(dice.between(1, 50)), ..Send::plain(TOPIC) };
        plan.steps.push(Step::new(at, What::Produce(PRODUCER, send.into())));
    }
    let assignor = dice.pick(&[
        AssignorChoice::Usual,
        AssignorChoice::Range,
        AssignorChoice::RoundRobin,
        AssignorChoice::Sticky,
        AssignorChoice::Cooperative,
    ]);
    for number in 0..members {
        let mut dice = Dice::new(seed, entity::MEMBERS + u64::from(number));
        let client = ClientName(number + 1);
        plan.clients.push((client, ClientLine::plain()));
        let protocol = dice.pick(protocols);
        let group = GroupName(number % groups);
        let line = MemberLine { assignor, protocol, ..member(&mut dice, (client, group), length) };
        plan.steps.extend(doing(&mut dice, MemberName(number), length));
        plan.members.push((MemberName(number), line));
    }
    for number in 0..dice.between(0, 8) {
        let mut dice = Dice::new(seed, entity::FAULTS + number);
        let at = dice.duration(Duration::ZERO, length);
        plan.steps.push(Step::new(at, fault(&mut dice, brokers, (members, groups))));
    }
    plan.heal_at = length;
    plan.steps.sort_by_key(|step| step.at);
    plan
}

fn member(dice: &mut Dice, (client, group): (ClientName, GroupName), length: Duration) -> MemberLine {
    MemberLine {
        is_static: dice.one_in(4),
        session: dice.pick(&[secs(6), secs(10), secs(45)]),
        heartbeat: dice.pick(&[ms(500), secs(2), secs(3)]),
        max_poll: dice.pick(&[secs(5), secs(30), secs(60)]),
        auto_commit: dice.pick(&[ms(100), secs(1), secs(5), Duration::ZERO]),
        joins: if dice.one_in(2) { Duration::ZERO } else { dice.duration(Duration::ZERO, length) },
        hold: dice.pick(&[Duration::ZERO, Duration::ZERO, ms(5), ms(100)]),
        ..MemberLine::plain(client, group, vec![TOPIC])
    }
}

/// What a member does in the course of a plan.
fn doing(dice: &mut Dice, name: MemberName, length: Duration) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut add = |at, action: MemberAction| steps.push(Step::new(at, What::Member(name, action)));
    for _ in 0..dice.between(0, 3) {
        let at = dice.duration(Duration::ZERO, length);
        match dice.between(0, 7) {
            0..=1 => add(at, Commit {}.into()),
            2..=3 => add(at, Rebalance {}.into()),
            4 => {
                let hold = ms(dice.between(1, 2_000));
                add(at, Pace { hold, ..Pace::plain() }.into());
                add(at + secs(3), Pace::plain().into());
            }
            5 => {
                add(at, Pace { read: false, ..Pace::plain() }.into());
                add(at + dice.log_duration(secs(1), secs(90).min(length * 3)), Pace::plain().into());
            }
            6 => add(at, CloseConsumer {}.into()),
            _ => add(at, DropHandle {}.into()),
        }
    }
    steps
}

fn fault(dice: &mut Dice, brokers: i32, (members, groups): (u32, u32)) -> What {
    let client = ClientName(dice.number(1, members));
    let broker = dice.broker(brokers);
    let fault: Fault = match dice.between(0, 9) {
        0..=2 => {
            let load = dice.pick(&[Duration::ZERO, ms(50), secs(3)]);
            let group = GroupName(dice.number(0, groups - 1));
            MoveCoordinator { load, ..MoveCoordinator::plain(group, broker) }.into()
        }
        3 => PauseClient { lasts: dice.log_duration(ms(100), secs(7_200)), ..PauseClient::plain(client) }
            .into(),
        4 => KillClient::plain(client).into(),
        5 => Crash { lasts: dice.log_duration(ms(50), secs(10)), ..Crash::plain(broker) }.into(),
        6 => Reset { client: Some(client), ..Reset::plain() }.into(),
        7 => {
            let lasts = dice.log_duration(ms(100), secs(20));
            Partition { client: Some(client), lasts, ..Partition::plain() }.into()
        }
        _ => {
            let (api, error) = dice.pick(ERRORS);
            let times = dice.number(1, 4);
            let fault =
                if dice.one_in(4) { cluster::Fault::drop_after() } else { cluster::Fault::error(error) };
            return What::Order(fault.api(api).times(times));
        }
    };
    What::Fault(fault)
}
