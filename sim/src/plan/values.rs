//! What stands behind the names of a plan's lines: numbers, times, names, choices.

use std::fmt;
use std::time::Duration;

use klamm_protocol::compression::Compression;

use super::error::Wrong;
use crate::Release;

/// Something that is written as one word.
pub(super) trait Value: Sized {
    fn read(text: &str) -> Result<Self, Wrong>;
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A value as it is written.
pub(super) struct Shown<'a, V>(pub(super) &'a V);

impl<V: Value> fmt::Display for Shown<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f)
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn read(text: &str) -> Result<Self, Wrong> {
                text.parse().map_err(|_| {
                    Wrong::new(format!("{text:?} is no number from {} to {}", Self::MIN, Self::MAX))
                })
            }

            fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
numbers!(u32, u64, usize, i16, i32, i64);

impl Value for bool {
    fn read(text: &str) -> Result<Self, Wrong> {
        match text {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(Wrong::choice("answer", text, ["yes", "no"])),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self { "yes" } else { "no" })
    }
}

/// A number and its unit.
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Value for Duration {
    fn read(text: &str) -> Result<Self, Wrong> {
        let split = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let Ok(number) = number.parse::<u64>() else {
            return Err(Wrong::new(format!("{text:?} is no time such as 20ms, 5s or 3h")));
        };
        let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(Wrong::choice("unit of time", unit, UNITS.iter().map(|(name, _)| *name)));
        };
        let nanos = number.checked_mul(*nanos);
        nanos.map(Self::from_nanos).ok_or_else(|| Wrong::new(format!("{text} is longer than 584 years")))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = u64::try_from(self.as_nanos()).unwrap_or(u64::MAX);
        if nanos == 0 {
            return f.write_str("0s");
        }
        let unit = UNITS.iter().find(|(_, unit)| nanos.is_multiple_of(*unit));
        let (name, unit) = unit.copied().unwrap_or(("ns", 1));
        write!(f, "{}{name}", nanos / unit)
    }
}

impl Value for Release {
    fn read(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|error: crate::UnknownRelease| Wrong::new(error.to_string()))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Value for Compression {
    fn read(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| Wrong::choice("codec", text, Self::ALL.iter().map(|codec| codec.name())))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<V: Value> Value for Option<V> {
    fn read(text: &str) -> Result<Self, Wrong> {
        if text == "any" { Ok(None) } else { V::read(text).map(Some) }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Some(value) => value.write(f),
            None => f.write_str("any"),
        }
    }
}

impl<V: Value> Value for Vec<V> {
    fn read(text: &str) -> Result<Self, Wrong> {
        text.split(',').filter(|part| !part.is_empty()).map(V::read).collect()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            value.write(f)?;
        }
        Ok(())
    }
}

/// Names of one letter and a number, that count one kind of thing each.
macro_rules! names {
    ($($(#[$meta:meta])* $name:ident $letter:literal $kind:literal,)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl Value for $name {
            fn read(text: &str) -> Result<Self, Wrong> {
                let number = text.strip_prefix($letter).and_then(|number| number.parse().ok());
                number.map(Self).ok_or_else(|| Wrong {
                    what: format!(concat!("{:?} is no name of a ", $kind), text),
                    nearest: Some(String::from(concat!($letter, "0"))),
                })
            }

            fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.write(f)
            }
        }
    )*};
}
names! {
    /// A client process of a plan: `c0`.
    ClientName "c" "client",
    /// A topic of a plan: `t0`, which is the name that it has in the cluster as well.
    TopicName "t" "topic",
    /// A producer of a plan: `p0`.
    ProducerName "p" "producer",
    /// A consumer of a plan: `r0`, because it reads.
    ConsumerName "r" "consumer",
    /// A member of a group, of a plan: `m0`.
    MemberName "m" "member",
    /// An application with transactions, of a plan: `x0`.
    TransactorName "x" "application with transactions",
    /// A group of a plan: `g0`, which is the name that it has in the cluster as well.
    GroupName "g" "group",
}

/// A partition of a plan: `t0/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionName {
    /// The topic.
    pub topic: TopicName,
    /// From 0.
    pub partition: i32,
}

impl Value for PartitionName {
    fn read(text: &str) -> Result<Self, Wrong> {
        let Some((topic, partition)) = text.split_once('/') else {
            let what = format!("{text:?} is no partition: TOPIC/NUMBER");
            return Err(Wrong { what, nearest: Some("t0/0".to_owned()) });
        };
        Ok(Self { topic: TopicName::read(topic)?, partition: i32::read(partition)? })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// `earliest`.
    Earliest,
    /// `latest`.
    Latest,
    /// An offset.
    Offset(i64),
    /// `time:MS`: milliseconds since 1970.
    Time(i64),
}

impl Value for Place {
    fn read(text: &str) -> Result<Self, Wrong> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            _ => match text.strip_prefix("time:") {
                Some(time) => i64::read(time).map(Self::Time),
                None if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
                    i64::read(text).map(Self::Offset)
                }
                None => Err(Wrong::choice("place", text, ["earliest", "latest", "time:0", "0"])),
            },
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::Offset(offset) => write!(f, "{offset}"),
            Self::Time(time) => write!(f, "time:{time}"),
        }
    }
}

/// A partition and where its reading begins: `t0/1@earliest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The partition.
    pub partition: PartitionName,
    /// Where.
    pub at: Place,
}

impl Value for Start {
    fn read(text: &str) -> Result<Self, Wrong> {
        let Some((partition, at)) = text.split_once('@') else {
            let what = format!("{text:?} does not say where to begin: TOPIC/NUMBER@PLACE");
            return Err(Wrong { what, nearest: Some(format!("{text}@earliest")) });
        };
        Ok(Self { partition: PartitionName::read(partition)?, at: Place::read(at)? })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.partition.write(f)?;
        f.write_str("@")?;
        self.at.write(f)
    }
}

/// Makes an enum whose variants are words.
macro_rules! choices {
    ($(#[$meta:meta])* $name:ident, $kind:literal, {$($(#[$vmeta:meta])* $variant:ident = $word:literal),* $(,)?}) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word for it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl crate::plan::values::Value for $name {
            fn read(text: &str) -> Result<Self, crate::plan::error::Wrong> {
                let found = Self::ALL.iter().copied().find(|choice| choice.word() == text);
                let words = Self::ALL.iter().map(|choice| choice.word());
                found.ok_or_else(|| crate::plan::error::Wrong::choice($kind, text, words))
            }

            fn write(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

choices! {
    /// Whose acknowledgement a producer waits for.
    AcksChoice, "acks", {
        /// All replicas in sync.
        All = "all",
        /// The leader.
        One = "1",
        /// Nobody.
        Zero = "0",
    }
}

choices! {
    /// Which records of transactions a consumer sees.
    IsolationChoice, "isolation", {
        /// All.
        ReadUncommitted = "read_uncommitted",
        /// Those of committed ones.
        ReadCommitted = "read_committed",
    }
}

choices! {
    /// Where a consumer goes on if its position does not exist.
    ResetChoice, "reset", {
        /// At the beginning.
        Earliest = "earliest",
        /// At the end.
        Latest = "latest",
        /// It stops.
        None = "none",
    }
}

choices! {
    /// Who assigns in a group.
    ProtocolChoice, "protocol", {
        /// The members among themselves.
        Classic = "classic",
        /// The coordinator (KIP-848).
        Consumer = "consumer",
    }
}

choices! {
    /// How a leader assigns.
    AssignorChoice, "assignor", {
        /// As clients do that are not told.
        Usual = "usual",
        /// Ranges of each topic.
        Range = "range",
        /// One after the other.
        RoundRobin = "round-robin",
        /// As few moves as possible; everything is given up first.
        Sticky = "sticky",
        /// As few moves as possible; only what moves is given up.
        Cooperative = "cooperative-sticky",
    }
}

choices! {
    /// How a producer is given records.
    SendMode, "way to send", {
        /// Accepted one by one, the receipts awaited later.
        Enqueue = "enqueue",
        /// Each is awaited until it is written.
        Send = "send",
        /// Without waiting; what is not accepted is given up.
        Try = "try",
        /// The receipts are thrown away.
        Forget = "forget",
        /// Some futures are dropped before they are done.
        Cancel = "cancel",
        /// Room is reserved first; some waits are given up, and some permits not used.
        Reserve = "reserve",
    }
}

choices! {
    /// Which way bytes are cut off.
    Direction, "direction", {
        /// Both.
        Both = "both",
        /// From the client to the broker.
        ToBroker = "to-broker",
        /// From the broker to the client.
        ToClient = "to-client",
    }
}

choices! {
    /// What a client learns of names.
    Resolving, "way of resolving", {
        /// An error.
        Fail = "fail",
        /// No addresses.
        Empty = "empty",
        /// Addresses at which nobody is, before the right one.
        Many = "many",
        /// An address at which nobody is.
        Nowhere = "nowhere",
    }
}

choices! {
    /// What kind of plans are made.
    Profile, "profile", {
        /// A fixed set of small plans, a few seconds in all.
        Smoke = "smoke",
        /// A random part of everything.
        Swarm = "swarm",
        /// Faults nearly all the time.
        Storm = "storm",
        /// Months of simulated time, idle and in bursts.
        Soak = "soak",
        /// Brokers of all releases, upgraded and downgraded while they are used.
        VersionMix = "version-mix",
        /// Members of groups come, go, stand still and die, and coordinators move.
        Rebalance = "rebalance",
        /// Transactions of applications that die, stand still and are replaced, while coordinators move.
        Txn = "txn",
        /// Tiny worlds, each in all orders of events up to a depth.
        Exhaustive = "exhaustive",
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text).map_err(|wrong| wrong.what)
    }
}

choices! {
    /// How clients authenticate themselves.
    SaslChoice, "mechanism of SASL", {
        /// Not at all.
        None = "none",
        /// PLAIN.
        Plain = "plain",
        /// SCRAM-SHA-256.
        Scram256 = "scram-sha-256",
        /// SCRAM-SHA-512.
        Scram512 = "scram-sha-512",
    }
}
