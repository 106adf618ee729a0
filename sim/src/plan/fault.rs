//! What goes wrong at a time, besides what [`cluster::Fault`](crate::cluster::Fault) has.
//!
//! Where a fault has a `for`, it is over after that time; it is over at the end of the plan in any case. `client` and
//! `broker` that are not named mean any.

use std::time::Duration;

use super::line::{line, lines};
use super::values::{ClientName, Direction, GroupName, PartitionName, Resolving, TopicName};
use crate::Release;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

line! {
    /// `partition`: bytes do not pass; who sends them gives up after minutes, as TCP does.
    Partition, "partition", () {
        /// Whose.
        "client" client: Option<ClientName> = None,
        /// To or from which broker.
        "broker" broker: Option<i32> = None,
        /// Which way.
        "direction" direction: Direction = Direction::Both,
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `move-coordinator`: another broker coordinates a group, after reading what is stored of it.
    MoveCoordinator, "move-coordinator", (
        /// Which.
        "group" group: GroupName,
        /// Who.
        "broker" broker: i32,
    ) {
        /// How long it reads.
        "load" load: Duration = Duration::ZERO,
    }
}

line! {
    /// `move-transactions`: another broker coordinates a transactional id, after reading what is stored of it.
    MoveTransactions, "move-transactions", (
        /// The number of which.
        "id" id: u32,
        /// Who.
        "broker" broker: i32,
    ) {
        /// How long it reads.
        "load" load: Duration = Duration::ZERO,
    }
}

line! {
    /// `transaction-version`: the cluster uses another version of transactions from now on (`transaction.version`).
    TransactionVersion, "transaction-version", (
        /// Which: 1, or 2 for that of KIP-890.
        "level" level: i16,
    ) {}
}

line! {
    /// `clog`: bytes wait, and come all at once afterwards.
    Clog, "clog", () {
        /// Whose.
        "client" client: Option<ClientName> = None,
        /// To or from which broker.
        "broker" broker: Option<i32> = None,
        /// Which way.
        "direction" direction: Direction = Direction::Both,
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `black-hole`: what is sent over the connections that exist is lost, and nobody is told (half-open connections).
    BlackHole, "black-hole", () {
        /// Whose.
        "client" client: Option<ClientName> = None,
        /// To or from which broker.
        "broker" broker: Option<i32> = None,
    }
}

line! {
    /// `reset`: ends connections.
    Reset, "reset", () {
        /// Whose.
        "client" client: Option<ClientName> = None,
        /// To which broker.
        "broker" broker: Option<i32> = None,
        /// After so many more bytes in the direction.
        "after" after: u64 = 0,
        /// Which bytes count.
        "direction" direction: Direction = Direction::Both,
    }
}

line! {
    /// `flip-bit`: one bit of what is under way on each connection arrives wrong, and no checksum of the network notices.
    FlipBit, "flip-bit", () {
        /// Whose.
        "client" client: Option<ClientName> = None,
        /// To or from which broker.
        "broker" broker: Option<i32> = None,
        /// Which way.
        "direction" direction: Direction = Direction::ToClient,
        /// After so many bytes that arrive as they were sent.
        "after" after: u64 = 0,
    }
}

line! {
    /// `refuse`: a broker's host refuses connections.
    Refuse, "refuse", (
        /// Which.
        "broker" broker: i32,
    ) {
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `hang`: connecting to a broker leads to nothing.
    Hang, "hang", (
        /// Which.
        "broker" broker: i32,
    ) {
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `latency`: bytes take longer.
    Slow, "latency", (
        /// One way, at least.
        "is" is: Duration,
    ) {
        /// Up to so much more.
        "jitter" jitter: Duration = Duration::ZERO,
        /// Whose.
        "client" client: Option<ClientName> = None,
        /// To and from which broker.
        "broker" broker: Option<i32> = None,
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `chunk`: all bytes arrive in small pieces.
    Chunk, "chunk", (
        /// The longest piece.
        "bytes" bytes: usize,
    ) {
        /// Whose.
        "client" client: Option<ClientName> = None,
        /// To and from which broker.
        "broker" broker: Option<i32> = None,
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `bandwidth`: bytes pass slowly.
    Bandwidth, "bandwidth", (
        /// Bytes a second of each connection and direction; 0: nothing passes.
        "rate" rate: u64,
    ) {
        /// Whose.
        "client" client: Option<ClientName> = None,
        /// To and from which broker.
        "broker" broker: Option<i32> = None,
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `resolve`: names lead elsewhere.
    Resolve, "resolve", (
        /// To what.
        "to" to: Resolving,
    ) {
        /// Which broker's name.
        "broker" broker: Option<i32> = None,
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `crash`: a broker dies at once, and comes back.
    Crash, "crash", (
        /// Which.
        "broker" broker: i32,
    ) {
        /// Whether what was not on disk yet is there when it comes back.
        "keep-unflushed" keep_unflushed: bool = true,
        /// When it comes back.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `shut-down`: a broker is stopped in an orderly way, and comes back. It first leaves everything that it leads to
    /// others in sync.
    ShutDown, "shut-down", (
        /// Which.
        "broker" broker: i32,
    ) {
        /// How long it goes on to serve after it has announced that it leaves.
        "takes" takes: Duration = ms(10),
        /// When it comes back, after that.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `isolate`: a broker is cut off from the others and believes what it knew (a zombie leader).
    Isolate, "isolate", (
        /// Which.
        "broker" broker: i32,
    ) {
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `cut-replication`: a broker and others do not follow each other, so that they fall out of sync.
    CutReplication, "cut-replication", (
        /// Which.
        "broker" broker: i32,
    ) {
        /// From whom; any: from all.
        "from" from: Option<i32> = None,
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `slow-replication`: messages between a broker and all others take longer.
    SlowReplication, "slow-replication", (
        /// Which.
        "broker" broker: i32,
        /// How long, one way.
        "by" by: Duration,
    ) {
        /// For how long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `hold-metadata`: a broker does not hear of changes, and tells what it knew before.
    HoldMetadata, "hold-metadata", (
        /// Which.
        "broker" broker: i32,
    ) {
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `hide`: a broker leaves a topic or another broker out of the metadata that it tells.
    Hide, "hide", (
        /// Which.
        "broker" broker: i32,
    ) {
        /// The topic.
        "topic" topic: Option<TopicName> = None,
        /// The other broker.
        "other" other: Option<i32> = None,
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `elect`: another replica leads.
    Elect, "elect", (
        /// Of what.
        "partition" partition: PartitionName,
        /// Who; nothing happens if it has no replica or is not there.
        "broker" broker: i32,
    ) {
        /// Even if it is not in sync: what it lacks is lost.
        "unclean" unclean: bool = false,
    }
}

line! {
    /// `move`: a broker has another address from now on.
    Readdress, "move", (
        /// Which.
        "broker" broker: i32,
        /// Its port.
        "port" port: u32,
    ) {}
}

line! {
    /// `create`: a topic is created.
    Create, "create", (
        /// Which.
        "topic" topic: TopicName,
    ) {
        /// How many.
        "partitions" partitions: i32 = 1,
        /// Replicas.
        "replication" replication: i16 = 1,
    }
}

line! {
    /// `delete`: a topic is deleted.
    Delete, "delete", (
        /// Which.
        "topic" topic: TopicName,
    ) {}
}

line! {
    /// `add-partitions`: a topic gets more.
    AddPartitions, "add-partitions", (
        /// Which.
        "topic" topic: TopicName,
        /// How many more.
        "count" count: i32,
    ) {}
}

line! {
    /// `delete-records`: the oldest records go.
    DeleteRecords, "delete-records", (
        /// Of what.
        "partition" partition: PartitionName,
    ) {
        /// How many of each hundred that are committed go.
        "percent" percent: u32 = 50,
    }
}

line! {
    /// `retain`: a topic keeps so many bytes a partition, from now on, and the oldest records go.
    Retain, "retain", (
        /// Which.
        "topic" topic: TopicName,
        /// How many.
        "bytes" bytes: u64,
    ) {}
}

line! {
    /// `release`: a broker is restarted as another release.
    Upgrade, "release", (
        /// Which.
        "broker" broker: i32,
        /// What it is then.
        "version" version: Release,
    ) {
        /// How long it is down.
        "for" lasts: Duration = ms(500),
    }
}

line! {
    /// `quota`: brokers throttle clients that use more; 0: as much as they like.
    Quota, "quota", () {
        /// Whose.
        "client" client: Option<ClientName> = None,
        /// Bytes of produce requests a second.
        "produce" produce: u64 = 0,
        /// Bytes of fetch responses a second.
        "fetch" fetch: u64 = 0,
        /// Requests a second.
        "requests" requests: u64 = 0,
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `kill-client`: a client process ends without a word.
    KillClient, "kill-client", (
        /// Which.
        "client" client: ClientName,
    ) {
        /// When it is started anew, with the same producers and consumers; 0: never.
        "for" lasts: Duration = Duration::ZERO,
    }
}

line! {
    /// `close-client`: a client is closed, with everything that was made from it.
    CloseClient, "close-client", (
        /// Which.
        "client" client: ClientName,
    ) {}
}

line! {
    /// `pause-client`: a client process stands still.
    PauseClient, "pause-client", (
        /// Which.
        "client" client: ClientName,
    ) {
        /// How long.
        "for" lasts: Duration = secs(1),
    }
}

line! {
    /// `jump-clock`: a client's wall clock jumps.
    JumpClock, "jump-clock", (
        /// Whose.
        "client" client: ClientName,
        /// By so many milliseconds, also back.
        "by-ms" by_ms: i64,
    ) {}
}

line! {
    /// `drift-clock`: a client's wall clock is too fast or too slow from now on.
    DriftClock, "drift-clock", (
        /// Whose.
        "client" client: ClientName,
        /// By so many millionths.
        "ppm" ppm: i64,
    ) {}
}

lines! {
    /// What goes wrong.
    Fault, "fault", {
        /// Bytes do not pass.
        Partition(Partition),
        /// Bytes wait.
        Clog(Clog),
        /// Bytes are lost.
        BlackHole(BlackHole),
        /// Connections end.
        Reset(Reset),
        /// A bit arrives wrong.
        FlipBit(FlipBit),
        /// Connecting is refused.
        Refuse(Refuse),
        /// Connecting hangs.
        Hang(Hang),
        /// Bytes are slow.
        Slow(Slow),
        /// Bytes come in pieces.
        Chunk(Chunk),
        /// Bytes are few.
        Bandwidth(Bandwidth),
        /// Names lead elsewhere.
        Resolve(Resolve),
        /// A broker dies.
        Crash(Crash),
        /// A broker leaves.
        ShutDown(ShutDown),
        /// A broker is cut off.
        Isolate(Isolate),
        /// Brokers do not follow.
        CutReplication(CutReplication),
        /// Brokers follow late.
        SlowReplication(SlowReplication),
        /// A broker knows what was.
        HoldMetadata(HoldMetadata),
        /// A broker does not tell all.
        Hide(Hide),
        /// Another leads.
        Elect(Elect),
        /// A broker is elsewhere.
        Readdress(Readdress),
        /// A topic comes.
        Create(Create),
        /// A topic goes.
        Delete(Delete),
        /// A topic grows.
        AddPartitions(AddPartitions),
        /// Records go.
        DeleteRecords(DeleteRecords),
        /// Old records go.
        Retain(Retain),
        /// A broker is another release.
        Upgrade(Upgrade),
        /// Another broker coordinates a group.
        MoveCoordinator(MoveCoordinator),
        /// Another broker coordinates transactions.
        MoveTransactions(MoveTransactions),
        /// Transactions are of another version.
        TransactionVersion(TransactionVersion),
        /// Clients are throttled.
        Quota(Quota),
        /// A client is gone.
        KillClient(KillClient),
        /// A client is closed.
        CloseClient(CloseClient),
        /// A client stands still.
        PauseClient(PauseClient),
        /// A clock jumps.
        JumpClock(JumpClock),
        /// A clock drifts.
        DriftClock(DriftClock),
    }
}
