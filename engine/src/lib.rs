//! What every runtime adapter of Klamm shares: the handles that applications hold, and the tasks that adapters drive.
//!
//! Applications use an adapter: `klamm-tokio`, `klamm-async-std` (also for smol) or `klamm-blocking`. Each exports
//! what is here under its own name.
//!
//! # Two planes
//!
//! *Control.* [`klamm_core::client::Client`] is behind one short lock. It sees batches and responses, never records.
//! A [`ControlTask`] owns its timer; a [`ConnectionTask`] owns one connection's machine, and takes the client's lock
//! only to pass on what it has decoded or sealed before.
//!
//! *Data.* A record that is sent goes straight into the open batch of its partition, behind that partition's own
//! lock: one copy, no channel, no allocation. A batch has one cell for its outcome, whatever the number of its
//! records. What was fetched waits in the consumer's inbox as bytes, and is checked, decompressed and iterated by
//! whoever reads it.
//!
//! # For adapters
//!
//! An adapter brings bytes, a timer and wake-ups: it implements [`Runtime`], drives the [`ControlTask`], and drives
//! each [`ConnectionTask`] with a socket. Nothing in it knows of Kafka. All futures here are plain state machines
//! that need no runtime; [`block_on`] runs them on a thread.
#![forbid(unsafe_code)]

mod admin;
mod budget;
mod clock;
mod connection_task;
mod connector;
mod consumer;
mod control_task;
pub mod dial;
pub mod drive;
mod group;
mod kafka;
mod mailbox;
mod observe;
mod operation;
mod producer;
mod record;
mod security;
mod settings;
mod shared;
mod signals;
mod sync;
#[cfg(test)]
mod tests;
mod transaction;
mod wait;

pub use admin::{Admin, GroupListings, PerItem, TransactionListings};
pub use clock::{Clock, SystemClock};
pub use connection_task::ConnectionTask;
pub use connector::{ByteStream, Connecting, Connector};
pub use consumer::{
    BatchRecords, Batches, ConsumeError, ConsumedRecord, Consumer, ConsumerBuilder, Event, FetchedBatch,
    NotAssigned, NotStreamed, PartitionStream, PartitionTrouble, Records, SeekError, Source, StreamEnd,
};
pub use control_task::ControlTask;
pub use group::{
    AssignmentRequest, GroupBatch, GroupConsumer, GroupConsumerBuilder, GroupEvent, GroupPartitionStream,
    GroupReadError, GroupRecord, GroupRecordEvent, GroupRecords, NotAcknowledged, PendingCommit,
    RebalanceListener, Revocation,
};
pub use kafka::{ConnectError, InvalidConfig, Kafka, KafkaBuilder, Runtime};
#[cfg(feature = "metrics")]
pub use observe::MetricsPublisher;
pub use observe::{ClientEvent, EventOptions, Events, GroupChange, Peer};
pub use producer::{
    Deliveries, Delivery, Permit, Producer, ProducerBuilder, Receipt, RecordSink, SendError, TopicPartitions,
    TrySendError, Undelivered, UndeliveredPartition,
};
pub use record::{Record, RecordMetadata, Short, Value};
#[cfg(feature = "tls")]
pub use security::Tls;
pub use security::{Challenge, Challenges, CredentialRequest, CredentialRequests, Dialogue, Proxy, Sasl};
pub use settings::{
    CredentialProvider, EffectiveSetting, InvalidSetting, Kind as SettingKind, Scope as SettingScope,
    Setting, Settings,
};
pub use transaction::{
    ExactlyOnce, ExactlyOnceBuilder, ExactlyOnceError, Round, Transactional, TransactionalBuilder, Txn,
};
pub use wait::{block_on, block_on_until};

pub use klamm_core::{
    BrokerId, Effect, Instant, WallTime,
    admin::{
        AdminError, AdminErrorKind, BrokerDescription, ClusterDescription, CommittedOffset, CreatedTopic,
        GroupDescription, GroupListing, GroupMember, GroupType, HangingTransaction, ListedOffset, MemberName,
        NewTopic, OffsetSpec, PartitionDescription, PartitionProducer, TopicDescription, TopicListing,
        TransactionDescription, TransactionListing,
    },
    client::{AddressFailure, TopicUnavailable},
    cluster::Address,
    connection::{CloseReason, RequestError, WireContent, WireMessage},
    consumer::{Explanation, Isolation, OffsetReset, PartitionErrorKind, ResetReason, StartAt},
    group::{
        AssignedPartition, AssignmentTask, CommitError, CommitErrorKind, CommitOffset, CommittedOffsets,
        GroupError, GroupMetadata, GroupProtocol, GroupStep, LostReason, TopicPartition, assignor,
    },
    metrics::Metrics,
    producer::{
        Acks, ProduceError, ProduceErrorKind, ProducerId,
        partitioner::{Partitioner, UnknownPartitioner},
    },
    sasl::{Answer, AuthenticationError, BearerToken, Credentials, Mechanism, Password, Secret},
    transaction::{TransactionError, TransactionErrorKind, TransactionStep},
};
pub use klamm_protocol::{ErrorCode, Str, Uuid, compression::Compression};

/// What a client counts: see [`Kafka::metrics`].
pub mod metrics {
    pub use klamm_core::metrics::{
        ApiMetrics, BrokerMetrics, ConnectionMetrics, ConsumerCounts, ConsumerMetrics, Exchange, GroupCounts,
        GroupMetrics, Histogram, MetricKind, MetricSample, MetricValue, Metrics, PartitionMetrics,
        ProducerCounts, ProducerMetrics,
    };
}

/// Records as they are read.
pub mod records {
    pub use klamm_core::consumer::OwnedHeader;
    pub use klamm_protocol::records::{
        ControlRecord, Corrupt, EndTransaction, FromBytes, FromBytesError, Header, Headers, Record,
    };
}
