//! What a producer can be told.

use core::{fmt, time::Duration};

use klamm_protocol::{Str, compression::Compression};

use crate::Backoff;

/// The first version of Produce whose batches may be compressed with zstd (KIP-110).
const ZSTD_VERSION: i16 = 7;

/// Which replicas have to hold a batch before it counts as written (`acks`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Acks {
    /// None: the batch counts as written once its request is. No offset is known.
    None,
    /// The leader alone.
    Leader,
    /// Every replica in sync.
    #[default]
    All,
}

impl Acks {
    /// The value of the request's field.
    #[must_use]
    pub const fn wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// How a producer works. [`Default`] gives the Java client's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerConfig {
    /// Who has to hold a batch (`acks`, default [`Acks::All`]).
    pub acks: Acks,
    /// Whether a retried batch is recognised by the broker (`enable.idempotence`, default true). Needs
    /// [`Acks::All`], at most 5 requests in flight, and brokers from 0.11.
    pub idempotent: bool,
    /// Brokers that are too old for producer ids (before 0.11) are written to without idempotence, instead of not
    /// at all (default false).
    pub idempotence_optional: bool,
    /// The uncompressed size in bytes at which a batch is full (`batch.size`, default 16,384). A larger record
    /// gets a batch of its own.
    pub batch_size: usize,
    /// How long a batch waits for more records (`linger.ms`, default 5 ms). The deadline is kept per broker: when
    /// the oldest batch of a broker is due, all that wait for that broker go with it. See also
    /// [`UNTIL_FLUSHED`](Self::UNTIL_FLUSHED).
    pub linger: Duration,
    /// The most bytes of batches in one request, and of one record uncompressed (`max.request.size`, default
    /// 1,048,576).
    pub max_request_size: usize,
    /// Requests that may await an answer on one connection (`max.in.flight.requests.per.connection`, default 5).
    /// Without idempotence a partition has at most one of them, so that a retry never changes the order.
    pub max_in_flight: usize,
    /// How long after its first record a batch has its outcome at the latest (`delivery.timeout.ms`, default
    /// 120 s).
    pub delivery_timeout: Duration,
    /// How long a broker may take to answer (`request.timeout.ms`, default 30 s).
    pub request_timeout: Duration,
    /// How often a batch may be sent again after a refusal (`retries`, default without bound). A batch that may
    /// have been written is sent again regardless, until an answer settles it or the delivery timeout ends it. So 0
    /// goes with idempotence, which it does not in Java.
    pub retries: u32,
    /// The pauses before sending again (`retry.backoff.ms`, `retry.backoff.max.ms`, default 100 ms to 1 s).
    pub backoff: Backoff,
    /// After how long without taking anything a broker counts as not available, so that records without a key go
    /// elsewhere (`partitioner.availability.timeout.ms`, default 0: never).
    pub availability_timeout: Duration,
    /// The codecs (`compression.type`, default none).
    pub compression: Codecs,
    /// The transactional id (`transactional.id`, default none). Needs idempotence.
    pub transactional_id: Option<Str>,
}

/// Codecs by preference. The first that a broker takes is used: all take all but zstd, which is for brokers from 2.1
/// (Produce from version 7, KIP-110) and not for the message formats before 0.11.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Codecs {
    first: Compression,
    /// Instead of zstd.
    otherwise: Compression,
}

impl Codecs {
    /// By preference. After the last comes none at all.
    #[must_use]
    pub fn by_preference(codecs: impl IntoIterator<Item = Compression>) -> Self {
        let mut codecs = codecs.into_iter();
        let first = codecs.next().unwrap_or_default();
        let otherwise = codecs.find(|codec| *codec != Compression::Zstd).unwrap_or_default();
        Self { first, otherwise }
    }

    /// The preferred one.
    #[must_use]
    pub const fn first(self) -> Compression {
        self.first
    }

    /// The one for a broker of which the highest version of Produce that both sides know is this.
    #[must_use]
    pub fn for_version(self, produce_version: i16) -> Compression {
        if self.first == Compression::Zstd && produce_version < ZSTD_VERSION {
            self.otherwise
        } else {
            self.first
        }
    }
}

impl From<Compression> for Codecs {
    fn from(codec: Compression) -> Self {
        Self::by_preference([codec])
    }
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            idempotent: true,
            idempotence_optional: false,
            batch_size: 16_384,
            linger: Duration::from_millis(5),
            max_request_size: 1_048_576,
            max_in_flight: 5,
            delivery_timeout: Duration::from_secs(120),
            request_timeout: Duration::from_secs(30),
            retries: u32::MAX,
            backoff: Backoff::RETRY,
            availability_timeout: Duration::ZERO,
            compression: Codecs::default(),
            transactional_id: None,
        }
    }
}

/// A configuration that contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// Idempotence needs [`Acks::All`].
    IdempotenceNeedsAllAcks,
    /// Idempotence allows 1 to 5 requests in flight.
    IdempotenceInFlight {
        /// What was configured.
        max_in_flight: usize,
    },
    /// At least one request has to be in flight.
    NothingInFlight,
    /// The delivery timeout is shorter than linger and request timeout together.
    DeliveryTimeoutTooShort {
        /// What was configured.
        delivery_timeout: Duration,
        /// Linger and request timeout together.
        at_least: Duration,
    },
    /// Transactions need idempotence.
    TransactionsNeedIdempotence,
    /// A request could hold no record.
    RequestTooSmall {
        /// What was configured.
        max_request_size: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdempotenceNeedsAllAcks => {
                f.write_str("an idempotent producer needs acks=all: set acks to all, or idempotence off")
            }
            Self::IdempotenceInFlight { max_in_flight } => write!(
                f,
                "an idempotent producer has 1 to 5 requests in flight, not {max_in_flight}: lower it, or set idempotence off"
            ),
            Self::NothingInFlight => f.write_str("at least one request has to be in flight"),
            Self::DeliveryTimeoutTooShort { delivery_timeout, at_least } => write!(
                f,
                "the delivery timeout of {delivery_timeout:?} is shorter than linger and request timeout together: at least {at_least:?}"
            ),
            Self::TransactionsNeedIdempotence => {
                f.write_str("a transactional producer is idempotent: do not set idempotence off or optional")
            }
            Self::RequestTooSmall { max_request_size } => {
                write!(
                    f,
                    "a request of at most {max_request_size} bytes holds no record: allow at least 1,024"
                )
            }
        }
    }
}

impl core::error::Error for ConfigError {}

impl ProducerConfig {
    /// As `linger`: a batch that is not full waits for a flush, a close, or until memory is short. So that none is
    /// lost for want of a flush, it leaves by itself while its delivery timeout leaves it time for a request.
    pub const UNTIL_FLUSHED: Duration = Duration::MAX;

    /// How long a batch lingers.
    pub(super) fn effective_linger(&self) -> Duration {
        self.linger.min(self.delivery_timeout.saturating_sub(self.request_timeout))
    }

    /// Checks that the options fit each other.
    ///
    /// # Errors
    ///
    /// The first contradiction found, in words that name the cure.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.max_in_flight == 0 {
            return Err(ConfigError::NothingInFlight);
        }
        if self.idempotent {
            if self.acks != Acks::All {
                return Err(ConfigError::IdempotenceNeedsAllAcks);
            }
            if self.max_in_flight > 5 {
                return Err(ConfigError::IdempotenceInFlight { max_in_flight: self.max_in_flight });
            }
        }
        if self.transactional_id.is_some() && (!self.idempotent || self.idempotence_optional) {
            return Err(ConfigError::TransactionsNeedIdempotence);
        }
        let linger = if self.linger == Self::UNTIL_FLUSHED { Duration::ZERO } else { self.linger };
        let at_least = linger.saturating_add(self.request_timeout);
        if self.delivery_timeout < at_least {
            return Err(ConfigError::DeliveryTimeoutTooShort {
                delivery_timeout: self.delivery_timeout,
                at_least,
            });
        }
        if self.max_request_size < 1024 {
            return Err(ConfigError::RequestTooSmall { max_request_size: self.max_request_size });
        }
        Ok(())
    }
}
