//! Klamm on plain threads: a Kafka client made of deterministic state machines.
//!
//! Every call blocks its thread until it is done. One background thread for each client does all input and output by
//! readiness polling; there is no asynchronous runtime.
//!
//! ```no_run
//! use klamm_blocking::{Compression, Kafka, Record, StartAt};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let kafka = Kafka::builder(["localhost:9092"]).client_id("orders").connect()?;
//!
//! let producer = kafka.producer().compression(Compression::Lz4).build()?;
//! let written = producer.send(Record::to("orders").key("customer-7").value("3 apples"))?;
//! println!("partition {}, offset {:?}", written.partition, written.offset);
//!
//! let consumer = kafka.consumer().assign([("orders", 0, StartAt::Earliest)]).build()?;
//! let batch = consumer.next_batch()?;
//! for record in batch.records() {
//!     println!("{}: {:?}", record.offset, record.value);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The background thread ends when the client is closed, and goes on for a while when it is dropped, to deliver what
//! was sent; the end of the process does not wait for it. Call [`Producer::close`] or [`Kafka::close`] to wait.

#[macro_use]
mod forward;

mod admin;
#[cfg(unix)]
mod connector;
mod consumer;
mod driver;
mod group;
mod group_records;
mod kafka;
mod producer;
mod stream;
mod transaction;

pub use admin::Admin;
#[cfg(unix)]
pub use connector::connector;
pub use consumer::{Consumer, ConsumerBuilder};
pub use group::{GroupConsumer, GroupConsumerBuilder};
pub use group_records::GroupRecords;
pub use kafka::{CredentialRequests, Events, Kafka, KafkaBuilder};
#[cfg(feature = "metrics")]
pub use klamm_engine::MetricsPublisher;
#[cfg(feature = "tls")]
pub use klamm_engine::Tls;
pub use klamm_engine::{
    Acks, Address, AddressFailure, AdminError, AdminErrorKind, AssignedPartition, AssignmentRequest,
    AssignmentTask, AuthenticationError, BatchRecords, BearerToken, BrokerDescription, BrokerId, ByteStream,
    ClientEvent, CloseReason, ClusterDescription, CommitError, CommitErrorKind, CommitOffset,
    CommittedOffset, CommittedOffsets, Compression, ConnectError, Connecting, Connector, ConsumeError,
    ConsumedRecord, CreatedTopic, CredentialRequest, Credentials, Delivery, Effect, ErrorCode, Event,
    EventOptions, ExactlyOnceError, Explanation, FetchedBatch, GroupBatch, GroupChange, GroupDescription,
    GroupError, GroupEvent, GroupListing, GroupListings, GroupMember, GroupMetadata, GroupProtocol,
    GroupReadError, GroupRecord, GroupRecordEvent, GroupStep, GroupType, HangingTransaction, InvalidConfig,
    Isolation, ListedOffset, LostReason, Mechanism, MemberName, Metrics, NewTopic, NotAcknowledged,
    NotAssigned, NotStreamed, OffsetReset, OffsetSpec, PartitionDescription, PartitionErrorKind,
    PartitionProducer, PartitionTrouble, Partitioner, Password, Peer, PendingCommit, PerItem, ProduceError,
    ProduceErrorKind, ProducerId, Proxy, Record, RecordMetadata, RequestError, ResetReason, Revocation,
    Round, Sasl, Secret, SeekError, SendError, Source, StartAt, Str, StreamEnd, TopicDescription,
    TopicListing, TopicPartition, TopicPartitions, TopicUnavailable, TransactionDescription,
    TransactionError, TransactionErrorKind, TransactionListing, TransactionListings, TransactionStep,
    TrySendError, Undelivered, UndeliveredPartition, UnknownPartitioner, Uuid, Value, WireContent,
    WireMessage, assignor, metrics, records,
};
pub use klamm_engine::{EffectiveSetting, InvalidSetting, Setting, SettingKind, SettingScope, Settings};
pub use producer::{Deliveries, Permit, Producer, ProducerBuilder, Receipt};
pub use stream::{Batches, GroupPartitionStream, PartitionStream, Records};
pub use transaction::{ExactlyOnce, ExactlyOnceBuilder, Transactional, TransactionalBuilder, Txn};
