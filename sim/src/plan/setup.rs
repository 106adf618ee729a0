//! What a plan's world consists of: the lines before the first `at`.

use std::time::Duration;

use klamm_protocol::compression::Compression;

use super::line::line;
use super::values::{
    AcksChoice, AssignorChoice, ClientName, ConsumerName, GroupName, IsolationChoice, MemberName,
    ProducerName, ProtocolChoice, ResetChoice, SaslChoice, Start, TopicName, TransactorName,
};
use crate::Release;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

line! {
    /// `cluster`: the brokers.
    ClusterLine, "cluster", () {
        /// How many; their ids are 1, 2, and so on.
        "brokers" brokers: i32 = 3,
        /// What they pretend to be.
        "version" version: Release = Release::default(),
        /// `min.insync.replicas`.
        "min-insync" min_insync: i32 = 1,
        /// How long a message between brokers takes, one way.
        "replication" replication: Duration = Duration::ZERO,
        /// How long after a change all brokers know of it.
        "metadata" metadata: Duration = Duration::ZERO,
        /// How long a follower may be behind and stay in sync (`replica.lag.time.max.ms`).
        "max-lag" max_lag: Duration = secs(30),
        /// How often brokers flush their logs; what was appended since can be lost in a crash.
        "flush" flush: Duration = secs(5),
        /// `message.max.bytes`.
        "max-message" max_message: i32 = 1_048_588,
        /// Whether asking for a topic makes it.
        "auto-create" auto_create: bool = false,
        /// How long at most it takes until the end of a transaction is written.
        "markers" markers: Duration = Duration::ZERO,
        /// They stand in so many racks, and consumers that say in which one they stand are sent to the replica there; 0:
        /// in none.
        "racks" racks: u32 = 0,
        /// By what mechanism of SASL clients authenticate themselves.
        "sasl" sasl: SaslChoice = SaslChoice::None,
        /// How long that holds (`connections.max.reauth.ms`); 0: for ever.
        "reauth" reauth: Duration = Duration::ZERO,
    }
}

line! {
    /// `network`: what it is like where no fault says otherwise.
    NetworkLine, "network", () {
        /// One way, at least.
        "latency" latency: Duration = us(100),
        /// Up to so much more.
        "jitter" jitter: Duration = us(200),
        /// Once in so many times it is slow; 0: never.
        "slow-one-in" slow_one_in: u64 = 1000,
        /// Up to so much more then.
        "slow" slow: Duration = ms(20),
        /// Once in so many times what is written arrives in pieces; 0: never.
        "split-one-in" split_one_in: u64 = 16,
        /// The longest piece.
        "piece" piece: usize = 64,
        /// How many pieces at the most, the rest arrives whole.
        "pieces" pieces: usize = 4,
        /// Bytes a second of each connection and direction; 0: without limit.
        "bandwidth" bandwidth: u64 = 0,
        /// Bytes that a client can write before they arrive, and that arrive before it reads them.
        "buffers" buffers: usize = 1 << 20,
    }
}

line! {
    /// `topic`: exists from the beginning.
    TopicLine, "topic", () {
        /// From 1.
        "partitions" partitions: i32 = 1,
        /// Replicas.
        "replication" replication: i16 = 1,
    }
}

line! {
    /// `client`: a process with one connection to each broker and purpose.
    ClientLine, "client", () {
        /// `metadata.max.age.ms`.
        "metadata-max-age" metadata_max_age: Duration = secs(300),
        /// `connections.max.idle.ms`.
        "max-idle" max_idle: Duration = secs(540),
        /// `request.timeout.ms` of metadata.
        "request-timeout" request_timeout: Duration = secs(30),
        /// `reconnect.backoff.ms`.
        "reconnect" reconnect: Duration = ms(50),
        /// `reconnect.backoff.max.ms`.
        "reconnect-max" reconnect_max: Duration = secs(1),
        /// `max.block.ms`.
        "max-block" max_block: Duration = secs(60),
        /// `socket.connection.setup.timeout.ms`.
        "setup-timeout" setup_timeout: Duration = secs(10),
        /// How long a topic may be unknown before that is an error.
        "unknown-topic" unknown_topic: Duration = secs(10),
        /// How long closing waits for what was sent.
        "close-timeout" close_timeout: Duration = secs(30),
        /// `allow.auto.create.topics`.
        "auto-create" auto_create: bool = true,
    }
}

line! {
    /// `producer`: made by a client when the run begins.
    ProducerLine, "producer", (
        /// Who makes it.
        "client" client: ClientName,
    ) {
        /// `acks`.
        "acks" acks: AcksChoice = AcksChoice::All,
        /// `enable.idempotence`.
        "idempotent" idempotent: bool = true,
        /// `linger.ms`.
        "linger" linger: Duration = ms(5),
        /// `batch.size`.
        "batch" batch: usize = 16_384,
        /// `max.request.size`.
        "max-request" max_request: usize = 1_048_576,
        /// `max.in.flight.requests.per.connection`.
        "in-flight" in_flight: usize = 5,
        /// `buffer.memory`.
        "memory" memory: usize = 32 << 20,
        /// `delivery.timeout.ms`.
        "delivery-timeout" delivery_timeout: Duration = secs(120),
        /// `request.timeout.ms`.
        "request-timeout" request_timeout: Duration = secs(30),
        /// `retries`.
        "retries" retries: u32 = u32::MAX,
        /// `compression.type`.
        "codec" codec: Compression = Compression::None,
        /// Whether it does without idempotence where brokers are too old for it.
        "idempotence-optional" idempotence_optional: bool = false,
        /// `partitioner.availability.timeout.ms`; 0: never.
        "availability-timeout" availability_timeout: Duration = Duration::ZERO,
        /// `client.rack` with `partitioner.rack.aware`: the number of the rack in which it stands, from 0.
        "rack" rack: Option<u32> = None,
    }
}

line! {
    /// `consumer`: made by a client when the run begins.
    ConsumerLine, "consumer", (
        /// Who makes it.
        "client" client: ClientName,
    ) {
        /// `isolation.level`.
        "isolation" isolation: IsolationChoice = IsolationChoice::ReadUncommitted,
        /// `auto.offset.reset`.
        "reset" reset: ResetChoice = ResetChoice::Latest,
        /// `fetch.min.bytes`.
        "min-bytes" min_bytes: i32 = 1,
        /// `fetch.max.wait.ms`.
        "max-wait" max_wait: Duration = ms(500),
        /// `fetch.max.bytes`.
        "max-bytes" max_bytes: i32 = 50 << 20,
        /// `max.partition.fetch.bytes`.
        "partition-bytes" partition_bytes: i32 = 1 << 20,
        /// The bytes that may be requested, waiting or handed out.
        "memory" memory: usize = 64 << 20,
        /// `request.timeout.ms`.
        "request-timeout" request_timeout: Duration = secs(30),
        /// What it reads from the beginning of the run on.
        "assign" assign: Vec<Start> = Vec::new(),
        /// How long it keeps each batch.
        "hold" hold: Duration = Duration::ZERO,
        /// Reads each partition for itself, one after the other, for so long each; 0: all of them together.
        "apart" apart: Duration = Duration::ZERO,
        /// `client.rack`: the number of the rack in which it stands, from 0.
        "rack" rack: Option<u32> = None,
    }
}

line! {
    /// `member`: consumes in a group; made by a client.
    MemberLine, "member", (
        /// Who makes it.
        "client" client: ClientName,
        /// `group.id`.
        "group" group: GroupName,
        /// What it subscribes to.
        "topics" topics: Vec<TopicName>,
    ) {
        /// `group.protocol`.
        "protocol" protocol: ProtocolChoice = ProtocolChoice::Classic,
        /// `partition.assignment.strategy`.
        "assignor" assignor: AssignorChoice = AssignorChoice::Usual,
        /// Whether it has a name of its own (`group.instance.id`): that of the plan.
        "static" is_static: bool = false,
        /// `session.timeout.ms`.
        "session" session: Duration = secs(45),
        /// `heartbeat.interval.ms`.
        "heartbeat" heartbeat: Duration = secs(3),
        /// `max.poll.interval.ms`.
        "max-poll" max_poll: Duration = secs(300),
        /// `auto.commit.interval.ms`; 0: never.
        "auto-commit" auto_commit: Duration = secs(5),
        /// How long after the beginning of the run it comes.
        "joins" joins: Duration = Duration::ZERO,
        /// How long it keeps each batch.
        "hold" hold: Duration = Duration::ZERO,
    }
}

line! {
    /// `transactor`: writes in transactions; made by a client.
    TransactorLine, "transactor", (
        /// Who makes it.
        "client" client: ClientName,
        /// The number of its `transactional.id`.
        "id" id: u32,
        /// Where to.
        "to" to: TopicName,
    ) {
        /// What it reads as a member of a group, and writes as it is; otherwise it makes records up.
        "from" from: Option<TopicName> = None,
        /// `group.id`, if it reads.
        "group" group: GroupName = GroupName(0),
        /// How many transactions there are, if it does not read.
        "transactions" transactions: u32 = 10,
        /// Records of each; if it reads, at most so many batches.
        "records" records: u32 = 3,
        /// Time between two transactions.
        "every" every: Duration = ms(10),
        /// Time between two records of a transaction.
        "gap" gap: Duration = Duration::ZERO,
        /// How long a transaction is left open.
        "hold" hold: Duration = Duration::ZERO,
        /// Once in so many times it aborts; 0: never.
        "abort-one-in" abort_one_in: u32 = 0,
        /// Once in so many times it gives up beginning a transaction before that is done; 0: never.
        "hasty-one-in" hasty_one_in: u32 = 0,
        /// Once in so many times it gives up waiting for the end of a commit, if it does not read; 0: never.
        "forgetful-one-in" forgetful_one_in: u32 = 0,
        /// Whether it reads committed records of where it writes to while its transactions are open, if it does not read
        /// as a member of a group.
        "peeks" peeks: bool = false,
        /// `transaction.timeout.ms`.
        "timeout" timeout: Duration = secs(60),
        /// `session.timeout.ms`, if it reads.
        "session" session: Duration = secs(10),
        /// How long after the beginning of the run it comes.
        "joins" joins: Duration = Duration::ZERO,
    }
}

/// Something named, and its line.
pub type Named<N, L> = (N, L);
/// A topic of a plan.
pub type Topic = Named<TopicName, TopicLine>;
/// A client of a plan.
pub type Client = Named<ClientName, ClientLine>;
/// A producer of a plan.
pub type Producer = Named<ProducerName, ProducerLine>;
/// A consumer of a plan.
pub type Consumer = Named<ConsumerName, ConsumerLine>;
/// An application with transactions of a plan.
pub type Transactor = Named<TransactorName, TransactorLine>;
/// A member of a group of a plan.
pub type Member = Named<MemberName, MemberLine>;
