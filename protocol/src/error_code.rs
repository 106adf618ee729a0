//! Kafka's error codes.

use std::fmt;

/// The error code of a response or of a part of it.
///
/// Codes that this build does not know are kept as they are; they are not retriable.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

/// What the protocol says about an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Trying the same again is pointless.
    Fatal,
    /// Trying again may help.
    Retriable,
    /// Trying again may help once the metadata has been refreshed.
    StaleMetadata,
}

struct Entry {
    name: &'static str,
    class: Class,
}

macro_rules! error_codes {
    ($($class:ident $name:ident = $code:literal;)*) => {
        impl ErrorCode {
            $(
                #[doc = concat!("Code ", $code, ": ", stringify!($class), ".")]
                pub const $name: Self = Self($code);
            )*
        }

        /// The table, from code -1 upwards without a gap.
        const TABLE: &[Entry] = &[$(Entry { name: stringify!($name), class: Class::$class }),*];

        /// Every code known here, ascending.
        const CODES: &[ErrorCode] = &[$(ErrorCode($code)),*];
    };
}

error_codes! {
    Fatal UNKNOWN_SERVER_ERROR = -1;
    Fatal NONE = 0;
    Fatal OFFSET_OUT_OF_RANGE = 1;
    Retriable CORRUPT_MESSAGE = 2;
    StaleMetadata UNKNOWN_TOPIC_OR_PARTITION = 3;
    Fatal INVALID_FETCH_SIZE = 4;
    StaleMetadata LEADER_NOT_AVAILABLE = 5;
    StaleMetadata NOT_LEADER_OR_FOLLOWER = 6;
    Retriable REQUEST_TIMED_OUT = 7;
    Fatal BROKER_NOT_AVAILABLE = 8;
    StaleMetadata REPLICA_NOT_AVAILABLE = 9;
    Fatal MESSAGE_TOO_LARGE = 10;
    Fatal STALE_CONTROLLER_EPOCH = 11;
    Fatal OFFSET_METADATA_TOO_LARGE = 12;
    StaleMetadata NETWORK_EXCEPTION = 13;
    Retriable COORDINATOR_LOAD_IN_PROGRESS = 14;
    Retriable COORDINATOR_NOT_AVAILABLE = 15;
    Retriable NOT_COORDINATOR = 16;
    Fatal INVALID_TOPIC_EXCEPTION = 17;
    Fatal RECORD_LIST_TOO_LARGE = 18;
    Retriable NOT_ENOUGH_REPLICAS = 19;
    Retriable NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20;
    Fatal INVALID_REQUIRED_ACKS = 21;
    Fatal ILLEGAL_GENERATION = 22;
    Fatal INCONSISTENT_GROUP_PROTOCOL = 23;
    Fatal INVALID_GROUP_ID = 24;
    Fatal UNKNOWN_MEMBER_ID = 25;
    Fatal INVALID_SESSION_TIMEOUT = 26;
    Fatal REBALANCE_IN_PROGRESS = 27;
    Fatal INVALID_COMMIT_OFFSET_SIZE = 28;
    Fatal TOPIC_AUTHORIZATION_FAILED = 29;
    Fatal GROUP_AUTHORIZATION_FAILED = 30;
    Fatal CLUSTER_AUTHORIZATION_FAILED = 31;
    Fatal INVALID_TIMESTAMP = 32;
    Fatal UNSUPPORTED_SASL_MECHANISM = 33;
    Fatal ILLEGAL_SASL_STATE = 34;
    Fatal UNSUPPORTED_VERSION = 35;
    Fatal TOPIC_ALREADY_EXISTS = 36;
    Fatal INVALID_PARTITIONS = 37;
    Fatal INVALID_REPLICATION_FACTOR = 38;
    Fatal INVALID_REPLICA_ASSIGNMENT = 39;
    Fatal INVALID_CONFIG = 40;
    Retriable NOT_CONTROLLER = 41;
    Fatal INVALID_REQUEST = 42;
    Fatal UNSUPPORTED_FOR_MESSAGE_FORMAT = 43;
    Fatal POLICY_VIOLATION = 44;
    Fatal OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
    Fatal DUPLICATE_SEQUENCE_NUMBER = 46;
    Fatal INVALID_PRODUCER_EPOCH = 47;
    Fatal INVALID_TXN_STATE = 48;
    Fatal INVALID_PRODUCER_ID_MAPPING = 49;
    Fatal INVALID_TRANSACTION_TIMEOUT = 50;
    Retriable CONCURRENT_TRANSACTIONS = 51;
    Fatal TRANSACTION_COORDINATOR_FENCED = 52;
    Fatal TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53;
    Fatal SECURITY_DISABLED = 54;
    Fatal OPERATION_NOT_ATTEMPTED = 55;
    StaleMetadata KAFKA_STORAGE_ERROR = 56;
    Fatal LOG_DIR_NOT_FOUND = 57;
    Fatal SASL_AUTHENTICATION_FAILED = 58;
    Fatal UNKNOWN_PRODUCER_ID = 59;
    Fatal REASSIGNMENT_IN_PROGRESS = 60;
    Fatal DELEGATION_TOKEN_AUTH_DISABLED = 61;
    Fatal DELEGATION_TOKEN_NOT_FOUND = 62;
    Fatal DELEGATION_TOKEN_OWNER_MISMATCH = 63;
    Fatal DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64;
    Fatal DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65;
    Fatal DELEGATION_TOKEN_EXPIRED = 66;
    Fatal INVALID_PRINCIPAL_TYPE = 67;
    Fatal NON_EMPTY_GROUP = 68;
    Fatal GROUP_ID_NOT_FOUND = 69;
    Retriable FETCH_SESSION_ID_NOT_FOUND = 70;
    Retriable INVALID_FETCH_SESSION_EPOCH = 71;
    StaleMetadata LISTENER_NOT_FOUND = 72;
    Fatal TOPIC_DELETION_DISABLED = 73;
    StaleMetadata FENCED_LEADER_EPOCH = 74;
    Retriable UNKNOWN_LEADER_EPOCH = 75;
    Fatal UNSUPPORTED_COMPRESSION_TYPE = 76;
    Fatal STALE_BROKER_EPOCH = 77;
    Retriable OFFSET_NOT_AVAILABLE = 78;
    Fatal MEMBER_ID_REQUIRED = 79;
    StaleMetadata PREFERRED_LEADER_NOT_AVAILABLE = 80;
    Fatal GROUP_MAX_SIZE_REACHED = 81;
    Fatal FENCED_INSTANCE_ID = 82;
    StaleMetadata ELIGIBLE_LEADERS_NOT_AVAILABLE = 83;
    StaleMetadata ELECTION_NOT_NEEDED = 84;
    Fatal NO_REASSIGNMENT_IN_PROGRESS = 85;
    Fatal GROUP_SUBSCRIBED_TO_TOPIC = 86;
    Fatal INVALID_RECORD = 87;
    Retriable UNSTABLE_OFFSET_COMMIT = 88;
    Retriable THROTTLING_QUOTA_EXCEEDED = 89;
    Fatal PRODUCER_FENCED = 90;
    Fatal RESOURCE_NOT_FOUND = 91;
    Fatal DUPLICATE_RESOURCE = 92;
    Fatal UNACCEPTABLE_CREDENTIAL = 93;
    Fatal INCONSISTENT_VOTER_SET = 94;
    Fatal INVALID_UPDATE_VERSION = 95;
    Fatal FEATURE_UPDATE_FAILED = 96;
    Fatal PRINCIPAL_DESERIALIZATION_FAILURE = 97;
    Fatal SNAPSHOT_NOT_FOUND = 98;
    Fatal POSITION_OUT_OF_RANGE = 99;
    StaleMetadata UNKNOWN_TOPIC_ID = 100;
    Fatal DUPLICATE_BROKER_REGISTRATION = 101;
    Fatal BROKER_ID_NOT_REGISTERED = 102;
    StaleMetadata INCONSISTENT_TOPIC_ID = 103;
    Fatal INCONSISTENT_CLUSTER_ID = 104;
    Fatal TRANSACTIONAL_ID_NOT_FOUND = 105;
    Retriable FETCH_SESSION_TOPIC_ID_ERROR = 106;
    Fatal INELIGIBLE_REPLICA = 107;
    Fatal NEW_LEADER_ELECTED = 108;
    Fatal OFFSET_MOVED_TO_TIERED_STORAGE = 109;
    Fatal FENCED_MEMBER_EPOCH = 110;
    Fatal UNRELEASED_INSTANCE_ID = 111;
    Fatal UNSUPPORTED_ASSIGNOR = 112;
    Fatal STALE_MEMBER_EPOCH = 113;
    Fatal MISMATCHED_ENDPOINT_TYPE = 114;
    Fatal UNSUPPORTED_ENDPOINT_TYPE = 115;
    Fatal UNKNOWN_CONTROLLER_ID = 116;
    Fatal UNKNOWN_SUBSCRIPTION_ID = 117;
    Fatal TELEMETRY_TOO_LARGE = 118;
    Fatal INVALID_REGISTRATION = 119;
    Fatal TRANSACTION_ABORTABLE = 120;
    Fatal INVALID_RECORD_STATE = 121;
    Retriable SHARE_SESSION_NOT_FOUND = 122;
    Retriable INVALID_SHARE_SESSION_EPOCH = 123;
    Fatal FENCED_STATE_EPOCH = 124;
    Fatal INVALID_VOTER_KEY = 125;
    Fatal DUPLICATE_VOTER = 126;
    Fatal VOTER_NOT_FOUND = 127;
    Fatal INVALID_REGULAR_EXPRESSION = 128;
    Fatal REBOOTSTRAP_REQUIRED = 129;
    Fatal STREAMS_INVALID_TOPOLOGY = 130;
    Fatal STREAMS_INVALID_TOPOLOGY_EPOCH = 131;
    Fatal STREAMS_TOPOLOGY_FENCED = 132;
    Retriable SHARE_SESSION_LIMIT_REACHED = 133;
    Fatal GROUP_DELETION_FAILED = 134;
    Fatal STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED = 135;
    Fatal CONTROLLER_ID_NOT_REGISTERED = 136;
}

impl ErrorCode {
    /// Every code that this build knows, ascending.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        CODES
    }

    /// The name in the protocol, or `None` for a code that is not known here.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.entry().map(|entry| entry.name)
    }

    /// Whether this is [`ErrorCode::NONE`].
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Whether this is any error.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 != 0
    }

    /// Whether the protocol says that the same request may succeed later.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        self.entry().is_some_and(|entry| entry.class != Class::Fatal)
    }

    /// Whether the error says that the metadata is out of date, so that it should be refreshed before a retry.
    /// Such errors are retriable.
    #[must_use]
    pub fn is_stale_metadata(self) -> bool {
        self.entry().is_some_and(|entry| entry.class == Class::StaleMetadata)
    }

    /// `Ok` for [`ErrorCode::NONE`], the code itself for all others.
    ///
    /// # Errors
    /// Any code but [`ErrorCode::NONE`].
    pub const fn ok(self) -> Result<(), Self> {
        if self.is_ok() { Ok(()) } else { Err(self) }
    }

    fn entry(self) -> Option<&'static Entry> {
        usize::try_from(i32::from(self.0) + 1).ok().and_then(|index| TABLE.get(index))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "ErrorCode({})", self.0),
        }
    }
}
