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

mod admin;
mod consumer;
mod driver;
mod events;
mod group;
mod group_records;
mod group_stream;
mod kafka;
mod producer;
mod stream;
mod transaction;

pub use admin::Admin;
pub use consumer::{Consumer, ConsumerBuilder};
pub use events::Events;
pub use group::{GroupConsumer, GroupConsumerBuilder};
pub use group_records::GroupRecords;
pub use group_stream::GroupPartitionStream;
pub use kafka::{CredentialRequests, Kafka, KafkaBuilder};
#[cfg(feature = "tls")]
pub use klamm_engine::Tls;
pub use klamm_engine::{
    Acks, Address, AddressFailure, AdminError, AdminErrorKind, AssignedPartition, AssignmentRequest,
    AssignmentTask, AuthenticationError, BatchRecords, BearerToken, BrokerDescription, BrokerId, ClientEvent,
    CloseReason, ClusterDescription, CommitError, CommitErrorKind, CommitOffset, CommittedOffset,
    CommittedOffsets, Compression, ConnectError, ConsumeError, ConsumedRecord, CreatedTopic,
    CredentialRequest, Credentials, Delivery, Effect, ErrorCode, Event, EventOptions, ExactlyOnceError,
    Explanation, FetchedBatch, GroupBatch, GroupChange, GroupDescription, GroupError, GroupEvent,
    GroupListing, GroupListings, GroupMember, GroupMetadata, GroupProtocol, GroupReadError, GroupRecord,
    GroupRecordEvent, GroupStep, GroupType, HangingTransaction, InvalidConfig, Isolation, ListedOffset,
    LostReason, Mechanism, MemberName, Metrics, NewTopic, NotAcknowledged, NotAssigned, NotStreamed,
    OffsetReset, OffsetSpec, PartitionDescription, PartitionErrorKind, PartitionProducer, PartitionTrouble,
    Partitioner, Password, Peer, PendingCommit, PerItem, ProduceError, ProduceErrorKind, ProducerId, Record,
    RecordMetadata, RequestError, ResetReason, Revocation, Round, Sasl, Secret, SeekError, SendError, Source,
    StartAt, Str, StreamEnd, TopicDescription, TopicListing, TopicPartition, TopicPartitions,
    TopicUnavailable, TransactionDescription, TransactionError, TransactionErrorKind, TransactionListing,
    TransactionListings, TransactionStep, TrySendError, Undelivered, UndeliveredPartition,
    UnknownPartitioner, Uuid, Value, WireContent, WireMessage, assignor, metrics, records,
};
pub use klamm_engine::{EffectiveSetting, InvalidSetting, Setting, SettingKind, SettingScope, Settings};
pub use producer::{Deliveries, Permit, Producer, ProducerBuilder, Receipt};
pub use stream::{Batches, PartitionStream, Records};
pub use transaction::{ExactlyOnce, ExactlyOnceBuilder, Transactional, TransactionalBuilder, Txn};

/// Forwards the options of a builder.
macro_rules! options {
    ($builder:ty: $($name:ident($argument:ident: $type:ty);)*) => {
        $(
            #[doc = concat!("As [`", stringify!($builder), "::", stringify!($name), "`].")]
            pub fn $name(mut self, $argument: $type) -> Self {
                self.inner = self.inner.$name($argument);
                self
            }
        )*
    };
}
pub(crate) use options;
