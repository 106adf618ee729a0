//! What must hold: its numbers, names and meanings.

use std::fmt;

/// When an invariant is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// While the run goes on.
    Online,
    /// When the run has settled or is over.
    AtEnd,
    /// Both: what can be seen at once while the run goes on, and the rest at its end.
    Both,
    /// By whoever compares runs or carries one out, not by a [`Checker`](super::Checker) that sees one.
    ByRunner,
    /// Not yet.
    NotYet,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Online => "online",
            Self::AtEnd => "at the end",
            Self::Both => "online and at the end",
            Self::ByRunner => "by the runner",
            Self::NotYet => "not yet",
        })
    }
}

macro_rules! invariants {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $name:literal, $checked:ident;)*) => {
        /// Something that must hold in every run, whatever happens in it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Invariant {
            $($(#[doc = $doc])+ $variant = $number,)*
        }

        impl Invariant {
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name on reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// When it is checked.
            #[must_use]
            pub const fn checked(self) -> Checked {
                match self {
                    $(Self::$variant => Checked::$checked,)*
                }
            }

            /// What it means, in a paragraph.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc, "\n"),+),)*
                }
            }
        }
    };
}

impl Invariant {
    /// From 1 to 50.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether it holds where bits arrive wrong that no checksum notices: a request may then be one for another partition,
    /// and an answer may say anything. What a client promises about its own time and memory holds all the same.
    #[must_use]
    pub const fn outlives_flipped_bits(self) -> bool {
        matches!(
            self,
            Self::OneOutcome
                | Self::OutcomeInTime
                | Self::ProducerBudget
                | Self::BoundedRates
                | Self::NoSpinning
                | Self::Deadlines
                | Self::Baseline
                | Self::SameRun
                | Self::NoSecret
                | Self::NoPanic
        )
    }

    /// The invariant with a name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|invariant| invariant.name() == name)
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.name())
    }
}

invariants! {
    /// A record that was reported as written is in the log at the offset that was reported, with the bytes that the
    /// application gave, and stays there for every reader, unless the cluster lost it by what happened to its brokers.
    AckedIsThere = 1, "acked-is-there", Online;
    /// A record whose failure said that the cluster did not change, or that was refused, is never in a log.
    NoEffectIsNone = 2, "no-effect-is-none", Online;
    /// A record of an idempotent producer whose failure left open whether it was written is in the log once at most.
    UnknownAtMostOnce = 3, "unknown-at-most-once", Online;
    /// No record of an idempotent producer has two offsets.
    NoDuplicate = 4, "no-duplicate", Online;
    /// What one producer accepted for a partition is in the log in the order in which it was accepted, whatever was
    /// retried, moved to another leader, or sent under a new epoch meanwhile.
    Order = 5, "order", Online;
    /// An accepted record has exactly one outcome, a refused one has none.
    OneOutcome = 6, "one-outcome", Both;
    /// An accepted record has its outcome before the delivery timeout is over.
    OutcomeInTime = 7, "outcome-in-time", Online;
    /// The batches of a producer id, epoch and partition have sequences without gap or overlap, except for what was given
    /// up before it was written; a batch that is sent again is the same to the byte; under a new epoch only producer id,
    /// epoch, sequence and checksum differ.
    Sequences = 8, "sequences", Both;
    /// No connection has more produce requests in flight than the limit, and with idempotence no more than five.
    InFlight = 9, "in-flight", Online;
    /// A producer holds no more bytes than its budget, and none once it was flushed or closed.
    ProducerBudget = 10, "producer-budget", Online;
    /// Each produced batch is well-formed for a decoder of our own, with its checksum, counts and deltas, and neither it
    /// nor its request is larger than configured.
    BatchesValid = 11, "batches-valid", Online;
    /// When a flush ends, everything that was accepted before it began has its outcome.
    FlushCovers = 12, "flush-covers", Online;
    /// While a topic's number of partitions stays the same, all records with one key are in one partition; a record whose
    /// partition the application named is in that one.
    KeysStay = 13, "keys-stay", Online;
    /// No record is reported with the offset of another one.
    OwnOffset = 14, "own-offset", Online;
    /// An offset of a partition stands for one record, for those who wrote it, for those who read it and in the logs;
    /// only what was committed is read.
    OneValuePerOffset = 15, "one-value-per-offset", Online;
    /// A reader skips no record that it could see.
    NoSkip = 16, "no-skip", Online;
    /// The offsets that a reader gets of a partition rise from one record to the next.
    OffsetsRise = 17, "offsets-rise", Online;
    /// Nothing is delivered of a partition that was unassigned or paused, nothing from before a seek, and nothing at all
    /// after closing.
    NothingAfter = 18, "nothing-after", Online;
    /// Who reads committed records only sees nothing that was aborted or is undecided.
    ReadCommitted = 19, "read-committed", AtEnd;
    /// Reading begins exactly where it was told to. A position is moved only if its offset does not exist, and only to
    /// where the configuration says. That a log was truncated under a reader is told.
    PositionsExact = 20, "positions-exact", Online;
    /// Once the faults are over and the clients had time to recover, each reader has everything that is committed.
    NothingUnseen = 21, "nothing-unseen", AtEnd;
    /// What was fetched and is not yet handed out stays within the consumer's budget, which one batch may exceed.
    FetchBudget = 22, "fetch-budget", Online;
    /// Fetch sessions agree with their brokers: epochs count up, no broker refuses one without a reason, and what the
    /// application has unassigned or paused leaves the session.
    FetchSessions = 23, "fetch-sessions", Online;
    /// No client goes back to an older leader epoch of a partition.
    EpochsRise = 24, "epochs-rise", Online;
    /// Decoding a batch record by record, at once, and with a decoder of our own gives the same.
    DecodersAgree = 25, "decoders-agree", Online;
    /// In no generation of a group two of its members read one partition.
    OneOwner = 26, "one-owner", Online;
    /// Nothing is committed that was not delivered, and with automatic commits nothing that is still being processed.
    CommitsBehind = 27, "commits-behind", Online;
    /// Within a generation committed offsets never fall.
    CommitsRise = 28, "commits-rise", Online;
    /// A group member is told of its partitions in order: assigned, then revoked or lost, never two things at a time.
    Nesting = 29, "nesting", Online;
    /// A member that lives and can reach its coordinator is never taken for dead, and does not send more heartbeats than
    /// it has to.
    Heartbeats = 30, "heartbeats", Online;
    /// With the same members each partition is assigned to exactly one of them, within the time of a session, a
    /// rebalance and a second more.
    Assignment = 31, "assignment", AtEnd;
    /// A member that closes leaves its group; a static one stays.
    Leaving = 32, "leaving", Both;
    /// After an aborted transaction reading goes on where the group has committed.
    AfterAbort = 33, "after-abort", AtEnd;
    /// The records and the offsets of a transaction become visible together or never.
    Atomic = 34, "atomic", AtEnd;
    /// Each record that is processed in transactions is consumed by exactly one committed transaction.
    ExactlyOnce = 35, "exactly-once", AtEnd;
    /// Once a newer epoch of a transactional id exists, nothing of the old one appears, and the old one is told.
    Fenced = 36, "fenced", Online;
    /// No cycle of committed transactions in which each read what the other wrote.
    NoCycle = 37, "no-cycle", AtEnd;
    /// The requests of a transaction have a legal order: nothing is written while it commits, and nothing is ended that
    /// was not begun; and it ends.
    TransactionOrder = 38, "transaction-order", Both;
    /// Each connection begins with the question for versions, uses versions that the broker has, and gets each answer for
    /// the oldest request that is waiting.
    Correlation = 39, "correlation", Online;
    /// No broker finds a request malformed.
    WellFormed = 40, "well-formed", Online;
    /// Whatever the brokers and the network do, requests and attempts to connect have a bounded rate.
    BoundedRates = 41, "bounded-rates", Online;
    /// Work comes to an end: nothing spins without time passing.
    NoSpinning = 42, "no-spinning", Online;
    /// Every operation and every closing ends by its deadline; after the faults operations succeed.
    Deadlines = 43, "deadlines", Both;
    /// While a broker asks for patience on a connection, nothing is sent there.
    Throttle = 44, "throttle", Online;
    /// After a client has learned who leads a partition now, nothing for it goes to who led it before.
    NewLeader = 45, "new-leader", Online;
    /// Nothing is left behind: budgets go back to zero when everything is over.
    Baseline = 46, "baseline", AtEnd;
    /// A wall clock that jumps changes the timestamps of records and nothing else.
    WallClock = 47, "wall-clock", ByRunner;
    /// The same plan gives the same run.
    SameRun = 48, "same-run", ByRunner;
    /// No secret is in any text that is shown.
    NoSecret = 49, "no-secret", Online;
    /// Nothing panics, whatever arrives.
    NoPanic = 50, "no-panic", ByRunner;
}
