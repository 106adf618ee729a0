//! What goes wrong in a plan.

use std::time::Duration;

use klamm_protocol::{ApiKey, ErrorCode};

use super::dice::Dice;
use super::{Scope, settings};
use crate::cluster::{self, legal_errors};
use crate::plan::fault::{
    AddPartitions, Bandwidth, BlackHole, Chunk, Clog, Crash, Create, CutReplication, Delete, DeleteRecords,
    DriftClock, Elect, Hang, Hide, HoldMetadata, Isolate, JumpClock, KillClient, Partition, PauseClient,
    Readdress, Refuse, Reset, Resolve, Retain, Slow, SlowReplication, Upgrade,
};
use crate::plan::values::{ClientName, Direction, PartitionName, Resolving};
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
    // The network.
    Partition, IsolateHalf, Clog, Swizzle, BlackHole, Reset, Refuse, Hang, Slow, Chunk, Bandwidth, Resolve,
    // The brokers.
    Crash, CrashUnflushed, Isolate, CutReplication, SlowReplication, HoldMetadata, Hide, Elect, Unclean, Readdress,
    Recreate, AddPartitions, DeleteRecords, Retain, Upgrade,
    // Their answers.
    ProduceError, FetchError, OtherError, ErrorAfter, UnknownError, DropBefore, DropAfter, Delay, SlowBroker,
    Throttle, Truncate, FlipRecords, EmptyFetch, CutBatch, UnknownTag, Pause, Disconnect, EvictSessions,
    ExpireProducers, ProducerEpoch,
    // The clients.
    KillClient, PauseClient, JumpClock, DriftClock,
}

/// The requests that the client makes.
const APIS: [ApiKey; 7] = [
    ApiKey::PRODUCE,
    ApiKey::PRODUCE,
    ApiKey::FETCH,
    ApiKey::METADATA,
    ApiKey::LIST_OFFSETS,
    ApiKey::INIT_PRODUCER_ID,
    ApiKey::OFFSET_FOR_LEADER_EPOCH,
];

pub(super) fn one(at: Duration, fault: impl Into<Fault>) -> Vec<Step> {
    vec![Step::new(at, What::Fault(fault.into()))]
}

pub(super) fn order(at: Duration, fault: cluster::Fault) -> Vec<Step> {
    vec![Step::new(at, What::Order(fault))]
}

pub(super) fn lasting(dice: &mut Dice) -> Duration {
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

pub(super) fn partition_of(dice: &mut Dice, scope: &Scope) -> PartitionName {
    let (topic, partitions) = dice.pick(&scope.topics);
    let last = u32::try_from(partitions - 1).unwrap_or(0);
    PartitionName { topic, partition: i32::try_from(dice.number(0, last)).unwrap_or(0) }
}

impl Kind {
    /// Whether it makes sense with brokers of every release.
    pub(super) const fn fits_old_brokers(self) -> bool {
        !matches!(self, Self::Unclean | Self::CrashUnflushed | Self::ProducerEpoch)
    }

    /// The steps of one fault of this kind.
    pub(super) fn steps(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Vec<Step> {
        let parts = [Self::cuts, Self::slows, Self::hurts_broker, Self::changes_cluster, Self::hurts_client];
        parts
            .into_iter()
            .find_map(|part| part(self, dice, scope, at))
            .unwrap_or_else(|| order(at, self.answers(dice, scope)))
    }

    fn cuts(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Option<Vec<Step>> {
        let (client, broker) = (a_client(dice, scope), a_broker(dice, scope));
        let (direction, lasts) = (direction(dice), lasting(dice));
        let steps = match self {
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
            Self::BlackHole => one(at, BlackHole { client, broker }),
            Self::Reset => {
                let after = if dice.one_in(2) { 0 } else { dice.log_between(1, 20_000) };
                one(at, Reset { client, broker, after, direction })
            }
            Self::Refuse => one(at, Refuse { broker: dice.broker(scope.brokers), lasts }),
            Self::Hang => one(at, Hang { broker: dice.broker(scope.brokers), lasts }),
            _ => return None,
        };
        Some(steps)
    }

    fn slows(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Option<Vec<Step>> {
        let (client, broker, lasts) = (a_client(dice, scope), a_broker(dice, scope), lasting(dice));
        Some(match self {
            Self::Slow => {
                let is = dice.log_duration(ms(1), ms(3_000));
                one(at, Slow { is, jitter: dice.duration(Duration::ZERO, is), client, broker, lasts })
            }
            Self::Chunk => {
                let lasts = lasts.min(ms(500));
                one(at, Chunk { bytes: dice.pick(&[1, 2, 7, 100]), client, broker, lasts })
            }
            Self::Bandwidth => {
                one(at, Bandwidth { rate: dice.pick(&[1, 1_000, 100_000]), client, broker, lasts })
            }
            Self::Resolve => {
                let to = dice.pick(&[Resolving::Fail, Resolving::Empty, Resolving::Many, Resolving::Nowhere]);
                one(at, Resolve { to, broker, lasts })
            }
            _ => return None,
        })
    }

    fn hurts_broker(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Option<Vec<Step>> {
        let (broker, lasts) = (dice.broker(scope.brokers), lasting(dice));
        let other = dice.broker(scope.brokers);
        Some(match self {
            Self::Crash => one(at, Crash { broker, keep_unflushed: true, lasts }),
            Self::CrashUnflushed => one(at, Crash { broker, keep_unflushed: false, lasts }),
            Self::Isolate => one(at, Isolate { broker, lasts }),
            Self::CutReplication => {
                one(at, CutReplication { broker, from: dice.one_in(2).then_some(other), lasts })
            }
            Self::SlowReplication => {
                let by = dice.log_duration(ms(1), ms(5_000));
                one(at, SlowReplication { broker, by, lasts })
            }
            Self::HoldMetadata => one(at, HoldMetadata { broker, lasts }),
            Self::Hide if dice.one_in(2) => one(at, Hide { broker, topic: None, other: Some(other), lasts }),
            Self::Hide => {
                let topic = Some(partition_of(dice, scope).topic);
                one(at, Hide { broker, topic, other: None, lasts })
            }
            _ => return None,
        })
    }

    fn changes_cluster(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Option<Vec<Step>> {
        let (broker, partition) = (dice.broker(scope.brokers), partition_of(dice, scope));
        let topic = partition.topic;
        Some(match self {
            Self::Elect => one(at, Elect { partition, broker, unclean: false }),
            Self::Unclean => one(at, Elect { partition, broker, unclean: true }),
            // The first broker stays where it is: somewhere a client has to begin.
            Self::Readdress => match broker {
                1 => Vec::new(),
                _ => one(at, Readdress { broker, port: dice.number(9_100, 9_999) }),
            },
            Self::Recreate => {
                let mut steps = one(at, Delete { topic });
                let partitions = i32::try_from(dice.number(1, 4)).unwrap_or(1);
                let again = at + dice.log_duration(ms(1), ms(3_000));
                steps.extend(one(again, Create { topic, partitions, replication: 1 }));
                steps
            }
            Self::AddPartitions => {
                let count = i32::try_from(dice.number(1, 3)).unwrap_or(1);
                one(at, AddPartitions { topic, count })
            }
            Self::DeleteRecords => one(at, DeleteRecords { partition, percent: dice.pick(&[1, 50, 100]) }),
            Self::Retain => one(at, Retain { topic, bytes: dice.pick(&[0, 1_000, 100_000]) }),
            // Everywhere, one after the other.
            Self::Upgrade => {
                let version = settings::release(dice, scope.mixed);
                let pause = dice.log_duration(ms(10), ms(3_000));
                let upgrade = |broker: i32| {
                    let at = at + pause * broker.unsigned_abs();
                    one(at, Upgrade { broker, version, lasts: pause / 2 })
                };
                (1..=scope.brokers).flat_map(upgrade).collect()
            }
            _ => return None,
        })
    }

    fn hurts_client(self, dice: &mut Dice, scope: &Scope, at: Duration) -> Option<Vec<Step>> {
        let client = ClientName(dice.number(0, scope.clients.saturating_sub(1)));
        Some(match self {
            Self::KillClient => one(at, KillClient::plain(client)),
            Self::PauseClient => {
                let longest = if dice.one_in(20) { 3_600_000 } else { 60_000 };
                one(at, PauseClient { client, lasts: dice.log_duration(ms(1), ms(longest)) })
            }
            Self::JumpClock => {
                let size = i64::try_from(dice.log_between(1, 100_000_000)).unwrap_or(1);
                one(at, JumpClock { client, by_ms: if dice.one_in(2) { size } else { -size } })
            }
            Self::DriftClock => {
                one(at, DriftClock { client, ppm: dice.pick(&[-200_000, -500, 500, 200_000]) })
            }
            _ => return None,
        })
    }

    /// What goes wrong with answers and in brokers by themselves.
    fn answers(self, dice: &mut Dice, scope: &Scope) -> cluster::Fault {
        let api = dice.pick(&APIS);
        let time = dice.log_duration(ms(1), ms(3_000));
        let fault = match self {
            Self::ProduceError => an_error(dice, scope, ApiKey::PRODUCE),
            Self::FetchError => an_error(dice, scope, ApiKey::FETCH),
            Self::OtherError => an_error(dice, scope, api),
            Self::ErrorAfter => {
                let code = legal_errors(ApiKey::PRODUCE)
                    .map_or(ErrorCode::REQUEST_TIMED_OUT, |legal| dice.pick(legal.after));
                somewhere(cluster::Fault::error_after(code).api(ApiKey::PRODUCE), dice, scope)
            }
            Self::UnknownError => somewhere(cluster::Fault::error(ErrorCode(9_999)).api(api), dice, scope),
            Self::DropBefore => cluster::Fault::drop_before().api(api),
            Self::DropAfter => cluster::Fault::drop_after().api(api),
            Self::Delay => cluster::Fault::delay(dice.log_duration(ms(1), ms(40_000))).api(api),
            Self::SlowBroker => cluster::Fault::slow(dice.log_duration(ms(1), ms(500))),
            Self::Throttle => cluster::Fault::throttle(time),
            Self::Truncate => cluster::Fault::truncate().api(api),
            Self::FlipRecords => cluster::Fault::flip_records(),
            Self::EmptyFetch => cluster::Fault::empty_fetch(),
            Self::CutBatch => cluster::Fault::cut_batch(),
            Self::UnknownTag => cluster::Fault::unknown_tag(),
            Self::Disconnect => cluster::Fault::disconnect(),
            Self::EvictSessions => cluster::Fault::evict_sessions(),
            Self::ExpireProducers => cluster::Fault::expire_producers(),
            Self::ProducerEpoch => cluster::Fault::producer_epoch(dice.pick(&[i16::MAX, i16::MAX - 1])),
            _ => cluster::Fault::pause(time),
        };
        let fault = match a_broker(dice, scope) {
            Some(broker) if self != Self::ExpireProducers && self != Self::ProducerEpoch => {
                fault.broker(broker)
            }
            _ => fault,
        };
        if self == Self::SlowBroker {
            return fault.lasting(lasting(dice));
        }
        if matches!(
            self,
            Self::Pause
                | Self::Disconnect
                | Self::EvictSessions
                | Self::ExpireProducers
                | Self::ProducerEpoch
        ) {
            return fault;
        }
        let times = u32::try_from(dice.log_between(1, 30)).unwrap_or(1);
        fault.times(times).one_in(dice.pick(&[1, 1, 2, 5]))
    }
}

/// An error that brokers may answer, having done nothing.
fn an_error(dice: &mut Dice, scope: &Scope, api: ApiKey) -> cluster::Fault {
    let Some(legal) = legal_errors(api) else {
        return cluster::Fault::error(ErrorCode::UNKNOWN_SERVER_ERROR);
    };
    // A broker says that it has a batch already only if it has.
    let allowed = |code: &ErrorCode| *code != ErrorCode::DUPLICATE_SEQUENCE_NUMBER;
    let of_entries: Vec<ErrorCode> = legal.entry.iter().copied().filter(allowed).collect();
    if of_entries.is_empty() || (!legal.whole.is_empty() && dice.one_in(3)) {
        let code =
            if legal.whole.is_empty() { ErrorCode::UNKNOWN_SERVER_ERROR } else { dice.pick(legal.whole) };
        return cluster::Fault::error(code).api(api);
    }
    let fault = cluster::Fault::error(dice.pick(&of_entries)).api(api);
    somewhere(fault, dice, scope)
}

/// With each partition, or with one.
fn somewhere(fault: cluster::Fault, dice: &mut Dice, scope: &Scope) -> cluster::Fault {
    if dice.one_in(2) {
        return fault.each();
    }
    let PartitionName { topic, partition } = partition_of(dice, scope);
    fault.partition(topic.to_string(), partition)
}
