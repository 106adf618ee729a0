//! Settings of a member of a group.

use alloc::{vec, vec::Vec};
use core::{fmt, time::Duration};

use klamm_protocol::Str;

use super::assignor::{Assignor, RebalanceProtocol, Strategy};
use crate::Backoff;

/// Who assigns partitions to members, and by which requests (`group.protocol`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// Members join and one of them assigns (JoinGroup, SyncGroup, Heartbeat). Every broker has it. The default, as
    /// in the Java client.
    #[default]
    Classic,
    /// The coordinator assigns and each member reconciles (ConsumerGroupHeartbeat, KIP-848): Kafka 4.0 and later.
    Consumer,
}

/// What a member is told once. Names, meanings and defaults are those of the Java client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// The group (`group.id`).
    pub group_id: Str,
    /// Makes the member static (`group.instance.id`, KIP-345): it keeps its partitions over a restart that takes less
    /// than the session timeout. Unique within the group. Default: none.
    pub instance_id: Option<Str>,
    /// Default: [`GroupProtocol::Classic`].
    pub protocol: GroupProtocol,
    /// With [`GroupProtocol::Consumer`], whether the member joins as a classic one where brokers do not know KIP-848.
    /// Default: false, as in the Java client.
    pub fall_back: bool,
    /// How the leader of a classic group assigns, in order of preference (`partition.assignment.strategy`). The group
    /// uses one that all members know. Default: range, cooperative-sticky.
    pub assignors: Vec<Strategy>,
    /// How the coordinator assigns (`group.remote.assignor`), with [`GroupProtocol::Consumer`]. Default: its own
    /// default.
    pub remote_assignor: Option<Str>,
    /// Where this client is (`client.rack`), for assignors that mind it (KIP-881). Default: nowhere.
    pub client_rack: Option<Str>,
    /// A member of a classic group that is not heard from for so long is dead (`session.timeout.ms`). Default: 45 s.
    pub session_timeout: Duration,
    /// A member of a classic group is heard from so often (`heartbeat.interval.ms`). Default: 3 s.
    pub heartbeat_interval: Duration,
    /// The longest time between two requests of the application for records (`max.poll.interval.ms`); also how long a
    /// member may take to give partitions up. Default: 5 min.
    pub max_poll_interval: Duration,
    /// How often offsets are committed by themselves (`auto.commit.interval.ms`); `None` for never
    /// (`enable.auto.commit`). Default: 5 s.
    pub auto_commit: Option<Duration>,
    /// Whether topics that exist for the brokers only are left out of patterns (`exclude.internal.topics`). Default:
    /// true.
    pub exclude_internal_topics: bool,
    /// How long a broker may take to answer (`request.timeout.ms`). Default: 30 s.
    pub request_timeout: Duration,
    /// Between attempts (`retry.backoff.ms`, `retry.backoff.max.ms`). Default: 100 ms to 1 s.
    pub backoff: Backoff,
}

/// How much longer a member waits for a generation than it may take.
const JOIN_MARGIN: Duration = Duration::from_secs(5);

impl GroupConfig {
    /// The defaults for a group.
    #[must_use]
    pub fn new(group_id: Str) -> Self {
        Self {
            group_id,
            instance_id: None,
            protocol: GroupProtocol::Classic,
            fall_back: false,
            assignors: vec![
                Strategy::BuiltIn(Assignor::Range),
                Strategy::BuiltIn(Assignor::CooperativeSticky),
            ],
            remote_assignor: None,
            client_rack: None,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            max_poll_interval: Duration::from_secs(300),
            auto_commit: Some(Duration::from_secs(5)),
            exclude_internal_topics: true,
            request_timeout: Duration::from_secs(30),
            backoff: Backoff::RETRY,
        }
    }

    /// For committing only when told to, without being a member.
    #[must_use]
    pub fn committing(group_id: Str) -> Self {
        Self { auto_commit: None, ..Self::new(group_id) }
    }

    /// Checks that the values make sense together.
    ///
    /// # Errors
    ///
    /// The first option that does not, and what is wrong with it.
    pub fn validate(&self) -> Result<(), InvalidGroupConfig> {
        let wrong = |option, cure| Err(InvalidGroupConfig { option, cure });
        if self.group_id.is_empty() {
            return wrong("group_id", "name the group");
        }
        if self.instance_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > 249) {
            return wrong("instance_id", "give 1 to 249 characters");
        }
        if self.max_poll_interval < Duration::from_millis(1) {
            return wrong("max_poll_interval", "give 1 ms or more");
        }
        if self.auto_commit.is_some_and(|interval| interval < Duration::from_millis(1)) {
            return wrong("auto_commit", "give 1 ms or more, or none");
        }
        if self.protocol == GroupProtocol::Consumer {
            return Ok(());
        }
        if self.heartbeat_interval < Duration::from_millis(1)
            || self.heartbeat_interval >= self.session_timeout
        {
            return wrong("heartbeat_interval", "give less than session_timeout; a third of it is usual");
        }
        if self.assignors.is_empty() {
            return wrong("assignors", "name at least one");
        }
        let twice = |(at, one): (usize, &Strategy)| {
            self.assignors.iter().skip(at + 1).any(|other| other.name() == one.name())
        };
        if self.assignors.iter().enumerate().any(twice) {
            return wrong("assignors", "name each only once");
        }
        Ok(())
    }

    /// Whether partitions stay where they are during a rebalance (KIP-429): all assignors have to allow it.
    #[must_use]
    pub fn is_cooperative(&self) -> bool {
        Strategy::rebalance_protocol(&self.assignors) == RebalanceProtocol::Cooperative
    }

    /// How long a broker may keep a JoinGroup: until the slowest member has given up its partitions. Another one may have
    /// a longer `max.poll.interval.ms`: who then gave up again and again just before the answer would never be a member,
    /// so that each of `failures` in a row makes it more patient, up to a point.
    pub(super) fn join_timeout(&self, failures: u32) -> Duration {
        let own = self.request_timeout.max(self.max_poll_interval.saturating_add(JOIN_MARGIN));
        own.saturating_add(JOIN_MARGIN * failures.min(6))
    }
}

impl From<Assignor> for Strategy {
    fn from(assignor: Assignor) -> Self {
        Self::BuiltIn(assignor)
    }
}

/// An option of a member that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidGroupConfig {
    /// The field of [`GroupConfig`].
    pub option: &'static str,
    /// What to do about it.
    pub cure: &'static str,
}

impl fmt::Display for InvalidGroupConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group option {}: {}", self.option, self.cure)
    }
}

impl core::error::Error for InvalidGroupConfig {}

/// Milliseconds as requests carry them.
pub(super) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
