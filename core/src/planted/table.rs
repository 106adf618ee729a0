//! The defects as data.

macro_rules! table {
    ($($(#[doc = $meaning:literal])+ $name:ident breaks [$($invariant:literal),+] within $seeds:literal,)*) => {
        /// A defect that can be switched on. The documentation of each says what goes wrong then.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum PlantedBug {
            $($(#[doc = $meaning])+ $name,)*
        }

        impl PlantedBug {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What goes wrong, in one line.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim_ascii(),)* }
            }

            /// The numbers of the simulator's invariants of which one has to be found violated.
            #[must_use]
            pub const fn invariants(self) -> &'static [u8] {
                match self { $(Self::$name => &[$($invariant),+],)* }
            }

            /// Within so many seeds of the swarm it has to be found.
            #[must_use]
            pub const fn seeds(self) -> u64 {
                match self { $(Self::$name => $seeds,)* }
            }
        }
    };
}

table! {
    /// A produce request that is lost counts as acknowledged.
    LostAck breaks [1] within 200,
    /// A batch that failed is always said not to have been written.
    EffectNoneLie breaks [2] within 300,
    /// Of a batch that may have been written it is told that nobody knows, and then it is sent under another sequence.
    UnknownTwice breaks [3] within 300,
    /// A batch that may have been written is sent again under another sequence.
    DuplicateOnRetry breaks [4] within 200,
    /// Several batches of a partition are in flight though the broker could take them in any order.
    ReorderOnRetry breaks [5] within 500,
    /// The receipts of a batch that failed are never completed.
    OutcomeNever breaks [6, 7] within 100,
    /// A record is refused by the producer after it was put into a batch.
    RefusedButSent breaks [2, 6] within 50,
    /// A batch that is too old fails a second too late.
    OutcomeLate breaks [7] within 300,
    /// A number is left out between the sequences of two batches.
    SequenceGap breaks [8] within 50,
    /// A batch is not the same to the byte when it is sent again.
    ResendReencoded breaks [8] within 200,
    /// One more request is in flight than is allowed.
    SixInFlight breaks [9] within 50,
    /// The memory of some batches is never given back.
    BudgetLeak breaks [10, 46] within 50,
    /// The memory of batches that closing gives up is never given back.
    AbortKeepsMemory breaks [46] within 900,
    /// Batches grow to twice the configured size.
    OversizeBatch breaks [11] within 50,
    /// Some batches have a wrong checksum.
    WrongChecksum breaks [11] within 50,
    /// A flush ends before its batches have their outcome.
    FlushEarly breaks [12] within 50,
    /// A key does not always lead to the same partition.
    KeyByRandom breaks [13] within 50,
    /// A record is reported with the offset of the next one.
    WrongOffset breaks [1, 14] within 50,
    /// All records of a batch are reported with the offset of the first.
    OffsetOfFirst breaks [14] within 50,
    /// Some records are handed out under the offset of the next one.
    ValueShifted breaks [15] within 50,
    /// After some fetches one offset is left out.
    SkipAtChunkEnd breaks [16] within 50,
    /// Some of what was fetched is fetched again and handed out twice.
    RereadChunk breaks [17] within 50,
    /// What was fetched is handed out though the application has moved on.
    DeliverAfterSeek breaks [18] within 500,
    /// A seek leads to the offset after the one that was named.
    SeekMissesByOne breaks [16, 20] within 50,
    /// That a position was moved is not told.
    SilentReset breaks [20] within 100,
    /// That a log was truncated under the reader is not told.
    SilentTruncation breaks [20] within 900,
    /// A partition that failed three times in a row is not tried again.
    StuckAfterTrouble breaks [21] within 300,
    /// Fetches ask for as many bytes as they like.
    FetchOverBudget breaks [22] within 300,
    /// Partitions that are not wanted any more are not taken out of the fetch session.
    SessionKeepsUnwanted breaks [23] within 200,
    /// The epoch of a fetch session is not counted up.
    SessionEpochStuck breaks [23] within 50,
    /// Some fetches carry the leader epoch before the one that is known.
    EpochRegress breaks [24] within 200,
    /// Records that are decoded at once have other offsets than those that are decoded one by one.
    DecodersDisagree breaks [25] within 50,
    /// A member goes on with partitions without ever having been told that it had to give them up.
    RevokeUntold breaks [26, 29] within 50,
    /// Offsets are committed that come after the one to commit.
    CommitAhead breaks [27] within 20,
    /// What the application works on is committed by itself.
    CommitHeld breaks [27] within 50,
    /// Some commits go back to the beginning.
    CommitBackwards breaks [28] within 50,
    /// Heartbeats are so rare that the session is over before.
    HeartbeatsRare breaks [30] within 20,
    /// Heartbeats are a hundred times as frequent as they are to be.
    HeartbeatStorm breaks [30] within 50,
    /// A member that is to join its group again takes longer for that than the group waits.
    RejoinSlow breaks [31] within 500,
    /// The leader of a group forgets one of its members.
    MemberForgotten breaks [31] within 20,
    /// A consumer that is closed does not leave its group.
    LeaveForgotten breaks [32] within 20,
    /// Records of aborted transactions are handed to those who read committed ones.
    AbortedReadable breaks [19, 35] within 50,
    /// A transaction that is to be aborted is committed.
    AbortCommits breaks [34] within 50,
    /// The offset that is committed with a transaction is that of the last record read, not of the next.
    OffsetsBehind breaks [34, 35] within 50,
    /// What an aborted transaction had read is not read again.
    PositionsKept breaks [33] within 100,
    /// Those who read committed records are handed those of open transactions.
    OpenReadable breaks [37] within 500,
    /// A transaction in which there is nothing is ended by a request all the same.
    EmptyEnded breaks [38] within 100,
    /// Who is told that another has its transactional id takes its transaction for committed.
    FencedGoesOn breaks [34, 36] within 500,
    /// Some requests have the correlation id of the one before.
    CorrelationReused breaks [39] within 50,
    /// A request is sent before the broker said which versions it has.
    RequestBeforeVersions breaks [39] within 50,
    /// A request is sent in the newest version, whether or not the broker has it.
    VersionOutOfRange breaks [39] within 100,
    /// Some requests have a byte too many.
    TrailingByte breaks [40] within 50,
    /// Hardly any pause is made after a failure.
    NoBackoff breaks [41] within 300,
    /// A connection asks to be looked at again at once, always.
    BusyTimer breaks [42] within 20,
    /// Closing a producer does not end.
    CloseNeverEnds breaks [43] within 50,
    /// Brokers ask for a pause in vain.
    ThrottleIgnored breaks [44] within 900,
    /// A partition is written to its first leader for ever.
    OldLeaderUsed breaks [45] within 300,
    /// Deadlines are reckoned by the wall clock.
    WallClockForDeadlines breaks [7, 43, 47] within 300,
    /// Random numbers depend on what else the process has done.
    OtherRandomness breaks [48] within 20,
    /// An error text quotes what was to be written.
    SecretInError breaks [49] within 100,
    /// An answer that comes too late is a panic.
    PanicOnLateAnswer breaks [50] within 200,
}
