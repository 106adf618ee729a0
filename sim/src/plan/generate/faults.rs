//! What goes wrong in a plan.

use std::time::Duration;

use klamm_protocol::ErrorCode;

use super::dice::Dice;
use super::{Scope, settings};
use crate::plan::fault::{
    AddPartitions, Bandwidth, BlackHole, Chunk, Clog, Crash, Create, Delay, Delete, DeleteRecords,
    DriftClock, Elect, EvictSessions, Flip, ForgetProducers, Freeze, Hang, Inject, Isolate, JumpClock,
    KillClient, Lag, Lose, Partition, PauseClient, Readdress, Reassign, Refuse, Reset, Resolve, Slow,
    SlowBroker, Stale, Stop, Throttle, Upgrade,
};
use crate::plan::values::{Api, ClientName, Direction, PartitionName, Resolving};
use crate::plan::{Fault, Step, What};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

macro_rules! kinds {
    ($($kind:ident),* $(,)?) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind {
            $($kind,)*
        }

        impl Kind {
            pub(super) const ALL: &[Self] = &[$(Self::$kind),*];
        }
    };
}
kinds! {
    Partition, IsolateHalf, Clog, Swizzle, BlackHole, Reset, Refuse, Hang, Slow, Chunk, Bandwidth, Resolve, Flip,
    Crash, CrashUnflushed, Stop, Freeze, Isolate, SlowBroker, Lag, Elect, Unclean, Reassign, Stale, Readdress,
    Recreate, AddPartitions, DeleteRecords, ForgetProducers, EvictSessions, Throttle, Upgrade, InjectProduce,
    InjectFetch, InjectOther, Lose, Delay, KillClient, PauseClient, JumpClock, DriftClock,
}

/// Errors that a broker may answer a Produce with, having written nothing.
const PRODUCE_ERRORS: [ErrorCode; 14] = [
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::LEADER_NOT_AVAILABLE,
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::NOT_ENOUGH_REPLICAS,
    ErrorCode::CORRUPT_MESSAGE,
    ErrorCode::KAFKA_STORAGE_ERROR,
    ErrorCode::MESSAGE_TOO_LARGE,
    ErrorCode::TOPIC_AUTHORIZATION_FAILED,
    ErrorCode::INVALID_RECORD,
    ErrorCode::UNKNOWN_SERVER_ERROR,
    ErrorCode::THROTTLING_QUOTA_EXCEEDED,
    ErrorCode(999),
];

/// Errors that a broker may answer a Produce with, having written the records all the same.
const APPLIED_ERRORS: [ErrorCode; 4] = [
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::UNKNOWN_SERVER_ERROR,
];

const FETCH_ERRORS: [ErrorCode; 11] = [
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::UNKNOWN_LEADER_EPOCH,
    ErrorCode::FENCED_LEADER_EPOCH,
    ErrorCode::OFFSET_NOT_AVAILABLE,
    ErrorCode::REPLICA_NOT_AVAILABLE,
    ErrorCode::KAFKA_STORAGE_ERROR,
    ErrorCode::UNKNOWN_SERVER_ERROR,
    ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
    ErrorCode::INVALID_FETCH_SESSION_EPOCH,
    ErrorCode::TOPIC_AUTHORIZATION_FAILED,
];

const OTHER_ERRORS: [(Api, ErrorCode); 14] = [
    (Api::ListOffsets, ErrorCode::NOT_LEADER_OR_FOLLOWER),
    (Api::ListOffsets, ErrorCode::OFFSET_NOT_AVAILABLE),
    (Api::ListOffsets, ErrorCode::LEADER_NOT_AVAILABLE),
    (Api::ListOffsets, ErrorCode::UNKNOWN_SERVER_ERROR),
    (Api::Metadata, ErrorCode::LEADER_NOT_AVAILABLE),
    (Api::Metadata, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    (Api::Metadata, ErrorCode::UNKNOWN_SERVER_ERROR),
    (Api::OffsetForLeaderEpoch, ErrorCode::NOT_LEADER_OR_FOLLOWER),
    (Api::OffsetForLeaderEpoch, ErrorCode::UNKNOWN_LEADER_EPOCH),
    (Api::OffsetForLeaderEpoch, ErrorCode::FENCED_LEADER_EPOCH),
    (Api::InitProducerId, ErrorCode::COORDINATOR_NOT_AVAILABLE),
    (Api::InitProducerId, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    (Api::InitProducerId, ErrorCode::NOT_COORDINATOR),
    (Api::InitProducerId, ErrorCode::REQUEST_TIMED_OUT),
];

fn one(at: Duration, fault: impl Into<Fault>) -> Vec<Step> {
    vec![Step::new(at, What::Fault(fault.into()))]
}

fn lasting(dice: &mut Dice) -> Duration {
    dice.log_duration(ms(1), ms(20_000))
}

fn a_client(dice: &mut Dice, scope: &Scope) -> Option<ClientName> {
    (!dice.one_in(2)).then(|| ClientName(dice.number(0, scope.clients.saturating_sub(1))))
}

fn a_broker(dice: &mut Dice, scope: &Scope) -> Option<i32> {
    (!dice.one_in(3)).then(|| dice.broker(scope.brokers))
}

fn direction(dice: &mut Dice) -> Direction {
    dice.pick(&[Direction::Both, Direction::Both, Direction::ToBroker, Direction::ToClient])
}

fn partition_of(dice: &mut Dice, scope: &Scope) -> PartitionName {
    let (topic, partitions) = dice.pick(&scope.topics);
    let last = u32::try_from(partitions - 1).unwrap_or(0);
    PartitionName { topic, partition: i32::try_from(dice.number(0, last)).unwrap_or(0) }
}

impl Kind {
    /// Whether it makes sense with brokers of every release.
    pub(super) const fn fits_old_brokers(self) -> bool {
        !matches!(self, Self::Unclean | Self::CrashUnflushed | Self::Flip)
    }

    /// The steps of one fault of this kind.
    pub(super) fn steps(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Vec<Step> {
        match self {
            Self::Partition
            | Self::IsolateHalf
            | Self::Clog
            | Self::Swizzle
            | Self::BlackHole
            | Self::Reset
            | Self::Refuse
            | Self::Hang => self.cuts(dice, scope, at),
            Self::Slow | Self::Chunk | Self::Bandwidth | Self::Resolve | Self::Flip => {
                self.slows(dice, scope, at)
            }
            Self::Crash
            | Self::CrashUnflushed
            | Self::Stop
            | Self::Freeze
            | Self::Isolate
            | Self::SlowBroker
            | Self::Lag => self.hurts_broker(dice, scope, at),
            Self::Elect
            | Self::Unclean
            | Self::Reassign
            | Self::Stale
            | Self::Readdress
            | Self::Recreate
            | Self::AddPartitions => self.changes_cluster(dice, scope, at),
            Self::DeleteRecords
            | Self::ForgetProducers
            | Self::EvictSessions
            | Self::Throttle
            | Self::Upgrade => self.forgets(dice, scope, at),
            Self::InjectProduce | Self::InjectFetch | Self::InjectOther | Self::Lose | Self::Delay => {
                self.answers_wrongly(dice, scope, at)
            }
            Self::KillClient | Self::PauseClient | Self::JumpClock | Self::DriftClock => {
                self.hurts_client(dice, scope, at)
            }
        }
    }

    fn cuts(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Vec<Step> {
        let (client, broker) = (a_client(dice, scope), a_broker(dice, scope));
        let (direction, lasts) = (direction(dice), lasting(dice));
        match self {
            Self::Partition => one(at, Partition { client, broker, direction, lasts }),
            Self::IsolateHalf => {
                let half = (1..=scope.brokers).filter(|_| dice.one_in(2));
                let cut = half.flat_map(|broker| {
                    one(
                        at,
                        Partition { client: None, broker: Some(broker), direction: Direction::Both, lasts },
                    )
                });
                cut.collect()
            }
            Self::Clog => one(at, Clog { client, broker, direction, lasts }),
            // One after the other, and open again in another order.
            Self::Swizzle => (1..=scope.brokers)
                .flat_map(|broker| {
                    let from = at + dice.duration(Duration::ZERO, lasts / 2);
                    let lasts = dice.duration(ms(1), lasts);
                    one(from, Clog { client: None, broker: Some(broker), direction: Direction::Both, lasts })
                })
                .collect(),
            Self::BlackHole => one(at, BlackHole { client, broker, direction }),
            Self::Reset => {
                let after = if dice.one_in(2) { 0 } else { dice.log_between(1, 20_000) };
                one(at, Reset { client, broker, after, direction })
            }
            Self::Refuse => one(at, Refuse { broker: dice.broker(scope.brokers), lasts }),
            _ => one(at, Hang { broker: dice.broker(scope.brokers), lasts }),
        }
    }

    fn slows(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Vec<Step> {
        let (client, broker, lasts) = (a_client(dice, scope), a_broker(dice, scope), lasting(dice));
        match self {
            Self::Slow => {
                let is = dice.log_duration(ms(1), ms(3_000));
                one(at, Slow { is, jitter: dice.duration(Duration::ZERO, is), client, broker, lasts })
            }
            Self::Chunk => {
                let lasts = lasts.min(ms(500));
                one(at, Chunk { bytes: dice.pick(&[1, 2, 7, 100]), client, broker, lasts })
            }
            Self::Bandwidth => {
                one(at, Bandwidth { rate: dice.pick(&[0, 1_000, 100_000]), client, broker, lasts })
            }
            Self::Resolve => {
                let to = dice.pick(&[Resolving::Fail, Resolving::Empty, Resolving::Many, Resolving::Hang]);
                one(at, Resolve { to, broker, lasts })
            }
            _ => {
                let after = dice.log_between(1, 5_000);
                one(
                    at,
                    Flip {
                        client,
                        broker,
                        direction: dice.pick(&[Direction::ToBroker, Direction::ToClient]),
                        after,
                    },
                )
            }
        }
    }

    fn hurts_broker(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Vec<Step> {
        let (broker, lasts) = (dice.broker(scope.brokers), lasting(dice));
        match self {
            Self::Crash => one(at, Crash { broker, keep_unflushed: true, lasts }),
            Self::CrashUnflushed => one(at, Crash { broker, keep_unflushed: false, lasts }),
            Self::Stop => one(at, Stop { broker, lasts }),
            Self::Freeze => one(at, Freeze { broker, lasts }),
            Self::Isolate => one(at, Isolate { broker, lasts }),
            Self::SlowBroker => {
                one(at, SlowBroker { broker, by: dice.log_duration(ms(1), ms(2_000)), lasts })
            }
            _ => one(at, Lag { broker, lasts }),
        }
    }

    fn changes_cluster(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Vec<Step> {
        let (broker, partition) = (dice.broker(scope.brokers), partition_of(dice, scope));
        match self {
            Self::Elect => one(at, Elect { partition, broker, unclean: false }),
            Self::Unclean => one(at, Elect { partition, broker, unclean: true }),
            Self::Reassign => {
                let mut to: Vec<i32> = (1..=scope.brokers).filter(|_| dice.one_in(2)).collect();
                if to.is_empty() {
                    to.push(broker);
                }
                one(at, Reassign { partition, to })
            }
            Self::Stale => one(at, Stale { broker, lasts: lasting(dice) }),
            Self::Readdress => one(at, Readdress { broker, port: dice.number(9_100, 9_999) }),
            Self::Recreate => {
                let topic = partition.topic;
                let mut steps = one(at, Delete { topic });
                let partitions = i32::try_from(dice.number(1, 4)).unwrap_or(1);
                let again = at + dice.log_duration(ms(1), ms(3_000));
                steps.extend(one(again, Create { topic, partitions, replication: 1 }));
                steps
            }
            _ => {
                let count = i32::try_from(dice.number(1, 3)).unwrap_or(1);
                one(at, AddPartitions { topic: partition.topic, count })
            }
        }
    }

    fn forgets(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Vec<Step> {
        let (broker, partition) = (dice.broker(scope.brokers), partition_of(dice, scope));
        match self {
            Self::DeleteRecords => one(at, DeleteRecords { partition, percent: dice.pick(&[1, 50, 100]) }),
            Self::ForgetProducers => one(at, ForgetProducers { partition }),
            Self::EvictSessions => one(at, EvictSessions { broker }),
            Self::Throttle => one(
                at,
                Throttle {
                    by: dice.log_duration(ms(1), ms(5_000)),
                    broker: a_broker(dice, scope),
                    lasts: lasting(dice),
                },
            ),
            // Everywhere, one after the other.
            _ => {
                let version = settings::release(dice, scope.mixed);
                let pause = dice.log_duration(ms(10), ms(3_000));
                let upgrade = |broker: i32| {
                    let at = at + pause * broker.unsigned_abs();
                    one(at, Upgrade { broker, version, lasts: pause / 2 })
                };
                (1..=scope.brokers).flat_map(upgrade).collect()
            }
        }
    }

    fn answers_wrongly(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Vec<Step> {
        let broker = a_broker(dice, scope);
        let count = u32::try_from(dice.log_between(1, 40)).unwrap_or(1);
        let all =
            [Api::Produce, Api::Produce, Api::Fetch, Api::Metadata, Api::ListOffsets, Api::InitProducerId];
        let (api, error, applied) = match self {
            Self::InjectProduce if dice.one_in(3) => (Api::Produce, dice.pick(&APPLIED_ERRORS), true),
            Self::InjectProduce => (Api::Produce, dice.pick(&PRODUCE_ERRORS), false),
            Self::InjectFetch => (Api::Fetch, dice.pick(&FETCH_ERRORS), false),
            Self::InjectOther => {
                let (api, error) = dice.pick(&OTHER_ERRORS);
                (api, error, false)
            }
            Self::Lose => {
                let (api, applied) = (dice.pick(&all), !dice.one_in(3));
                return one(at, Lose { api, broker, count: count.min(5), applied });
            }
            _ => {
                let (api, by) = (dice.pick(&all), dice.log_duration(ms(1), ms(40_000)));
                return one(at, Delay { api, by, broker, count: count.min(5) });
            }
        };
        let per_partition = matches!(api, Api::Produce | Api::Fetch | Api::ListOffsets);
        let partition = (per_partition && dice.one_in(2)).then(|| partition_of(dice, scope));
        let one_in = dice.pick(&[1, 1, 2, 5]);
        one(at, Inject { api, error, broker, partition, count, one_in, applied })
    }

    fn hurts_client(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Vec<Step> {
        let client = ClientName(dice.number(0, scope.clients.saturating_sub(1)));
        match self {
            Self::KillClient => one(at, KillClient { client }),
            Self::PauseClient => {
                let lasts = dice.log_duration(ms(1), ms(3_600_000));
                one(at, PauseClient { client, lasts })
            }
            Self::JumpClock => {
                let size = i64::try_from(dice.log_between(1, 100_000_000)).unwrap_or(1);
                one(at, JumpClock { client, by_ms: if dice.one_in(2) { size } else { -size } })
            }
            _ => one(at, DriftClock { client, ppm: dice.pick(&[-200_000, -500, 500, 200_000]) }),
        }
    }
}
