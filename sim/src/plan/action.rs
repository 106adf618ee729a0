//! What applications do at a time: the part of an `at` line behind the actor's name.

use std::time::Duration;

use super::line::{line, lines};
use super::values::{PartitionName, SendMode, Start, TopicName};

line! {
    /// `send`: gives records to the producer.
    Send, "send", (
        /// Where to.
        "topic" topic: TopicName,
    ) {
        /// How many.
        "records" records: u32 = 1,
        /// The bytes of each value, at least 24.
        "bytes" bytes: usize = 100,
        /// So many different keys; 0: without a key.
        "keys" keys: u32 = 0,
        /// To this partition, instead of the partitioner's choice.
        "partition" partition: Option<i32> = None,
        /// Time between two of them.
        "every" every: Duration = Duration::ZERO,
        /// How.
        "mode" mode: SendMode = SendMode::Enqueue,
    }
}

line! {
    /// `flush`: waits until everything accepted before has its outcome.
    Flush, "flush", () {
        /// Drops the future after this time; 0: never.
        "drop-after" drop_after: Duration = Duration::ZERO,
    }
}

line! {
    /// `abort`: gives up what has no outcome.
    Abort, "abort", () {}
}

line! {
    /// `close`: closes the producer.
    CloseProducer, "close", () {
        /// Gives up after this time; 0: the delivery timeout.
        "timeout" timeout: Duration = Duration::ZERO,
    }
}

line! {
    /// `drop`: drops all handles.
    DropHandle, "drop", () {}
}

lines! {
    /// What a producer does.
    ProduceAction, "action of a producer", {
        /// Gives it records.
        Send(Send),
        /// Waits for their outcomes.
        Flush(Flush),
        /// Gives up what has no outcome.
        Abort(Abort),
        /// Closes it.
        Close(CloseProducer),
        /// Drops it.
        Drop(DropHandle),
    }
}

line! {
    /// `assign`: assigns partitions.
    Assign, "assign", (
        /// Where from.
        "from" from: Vec<Start>,
    ) {}
}

line! {
    /// `unassign`: takes partitions away.
    Unassign, "unassign", (
        /// Which.
        "partitions" partitions: Vec<PartitionName>,
    ) {}
}

line! {
    /// `seek`: moves the position of a partition.
    Seek, "seek", (
        /// Where to.
        "to" to: Start,
    ) {}
}

line! {
    /// `pause`: stops partitions.
    Pause, "pause", (
        /// Which.
        "partitions" partitions: Vec<PartitionName>,
    ) {}
}

line! {
    /// `resume`: goes on with partitions.
    Resume, "resume", (
        /// Which.
        "partitions" partitions: Vec<PartitionName>,
    ) {}
}

line! {
    /// `pace`: how it reads from now on.
    Pace, "pace", () {
        /// How long it keeps each batch.
        "hold" hold: Duration = Duration::ZERO,
        /// Whether it reads at all.
        "read" read: bool = true,
    }
}

line! {
    /// `close`: closes the consumer.
    CloseConsumer, "close", () {}
}

lines! {
    /// What a consumer does.
    ConsumeAction, "action of a consumer", {
        /// Assigns partitions.
        Assign(Assign),
        /// Takes partitions away.
        Unassign(Unassign),
        /// Moves a position.
        Seek(Seek),
        /// Stops partitions.
        Pause(Pause),
        /// Goes on with them.
        Resume(Resume),
        /// Reads faster, slower, or not.
        Pace(Pace),
        /// Closes it.
        Close(CloseConsumer),
        /// Drops it.
        Drop(DropHandle),
    }
}

line! {
    /// `commit`: commits everything that was handed out.
    Commit, "commit", () {}
}

line! {
    /// `rebalance`: asks the group to assign anew.
    Rebalance, "rebalance", () {}
}

lines! {
    /// What a member of a group does.
    MemberAction, "action of a member", {
        /// Reads faster, slower, or not.
        Pace(Pace),
        /// Commits.
        Commit(Commit),
        /// Asks for a rebalance.
        Rebalance(Rebalance),
        /// Closes the consumer.
        Close(CloseConsumer),
        /// Drops it.
        Drop(DropHandle),
    }
}
