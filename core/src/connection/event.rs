//! What a connection reports.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;

use bytes::Bytes;
use klamm_protocol::{ApiKey, ErrorCode, Str, messages::AnyResponse, wire::EncodeError};

use super::{ApiVersions, Outgoing};
use crate::{Instant, Misbehaved, Token, sasl::AuthenticationError};

/// An output of [`Connection`](super::Connection).
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionEvent {
    /// Authentication is due, and needs credentials: answer with
    /// [`handle_credentials`](super::Connection::handle_credentials).
    CredentialsNeeded {
        /// The connection is not set up in time, or ends, if they have not come by then.
        deadline: Instant,
    },
    /// A message of the mechanism is to be made elsewhere: answer with
    /// [`handle_answer`](super::Connection::handle_answer).
    AnswerNeeded {
        /// What the broker said; `None` begins a dialogue.
        challenge: Option<Bytes>,
        /// The connection is not set up in time, or ends, if the answer has not come by then.
        deadline: Instant,
    },
    /// Requests are sent from now on; those submitted before were queued.
    Ready(Arc<ApiVersions>),
    /// A request was answered.
    Response {
        /// Of the request.
        token: Token,
        /// In which request and response were encoded.
        version: i16,
        /// The answer, decoded.
        response: Box<AnyResponse>,
    },
    /// A request that the broker will not answer left in full.
    Written {
        /// Of the request.
        token: Token,
    },
    /// One request failed before a byte of it was sent; the connection goes on.
    Failed {
        /// Of the request.
        token: Token,
        /// Why.
        error: RequestError,
    },
    /// The connection is over. The last event.
    Closed {
        /// Why.
        reason: CloseReason,
        /// The requests that got no answer, in the order in which they were submitted.
        unanswered: Vec<Unanswered>,
    },
}

/// A request that the end of its connection left without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// Of the request.
    pub token: Token,
    /// A byte of it left, so the broker may have acted on it.
    pub written: bool,
}

/// Why one request was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no version of this API that both sides know and the request allows.
    Unsupported {
        /// The API.
        api: ApiKey,
        /// The versions that the broker offers.
        offered: Option<(i16, i16)>,
    },
    /// The highest common version cannot say what the request says.
    NotExpressible {
        /// The API.
        api: ApiKey,
        /// The version.
        version: i16,
        /// What cannot be said.
        error: EncodeError,
    },
    /// Its deadline passed before it could be sent.
    TimedOut,
}

/// A request that a connection did not take.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The request, unchanged.
    pub outgoing: Outgoing,
    /// Why.
    pub reason: RefusedReason,
}

/// Why a connection did not take a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedReason {
    /// [`max_queued`](super::ConnectionConfig::max_queued) requests wait already.
    Full,
    /// The connection is over.
    Closed,
}

/// How the transport under a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportEnd {
    /// It never came to be: the name did not resolve, the peer refused, TLS failed. The text says which.
    ConnectFailed(Str),
    /// The name of the host did not resolve. The text is the resolver's.
    Unresolved(Str),
    /// The peer closed it in the regular way (end of file).
    PeerClosed,
    /// It broke. The text is the operating system's.
    Broken(Str),
    /// TLS failed: the text says why.
    Insecure(Str),
}

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// It never came to be: the text says why.
    ConnectFailed(Str),
    /// The name of the host did not resolve: the text says why.
    Unresolved(Str),
    /// The peer closed it.
    PeerClosed(Progress),
    /// The transport broke: how far the connection was, and what the operating system said.
    Broken(Progress, Str),
    /// TLS failed: the text says why.
    TlsFailed(Str),
    /// It was not ready within the setup timeout.
    SetupTimeout(Progress),
    /// A request was not answered in time.
    RequestTimeout {
        /// The API of the first such request.
        api: ApiKey,
    },
    /// The broker sent nonsense.
    Misbehaved(Misbehaved),
    /// The peer speaks another protocol.
    NotKafka(Peer),
    /// The broker takes no version of ApiVersions, not even 0.
    UnsupportedVersion,
    /// The broker answered the handshake with an error.
    HandshakeFailed(ErrorCode),
    /// Authentication failed: why.
    AuthenticationFailed(AuthenticationError),
    /// There was nothing to do for the idle timeout.
    Idle,
    /// The caller closed it.
    Local,
}

/// How far a connection was when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The transport was not up yet.
    Connecting,
    /// TLS was being negotiated.
    Securing,
    /// The transport was up, and the peer never sent a byte. A port that expects TLS, or authentication, or
    /// that is no Kafka at all does so; a broker that does not know the version of ApiVersions does, too.
    NoAnswer,
    /// Versions were under way.
    Setup,
    /// Authentication was under way. Brokers before 1.0 end a connection in this way if they do not accept the
    /// credentials.
    Authentication,
    /// Requests could be sent; none was unanswered.
    Quiet,
    /// Requests were unanswered, and none had ever been answered. A broker that requires authentication ends in
    /// this way what was not authenticated.
    FirstRequest,
    /// Requests were unanswered.
    Busy,
    /// Part of a frame had arrived.
    MidFrame,
}

/// What is at a port that does not speak Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// A web server.
    Http,
    /// A port that expects TLS.
    Tls,
    /// A secure shell server.
    Ssh,
    /// Some other server that greets with text: its first bytes.
    Text([u8; 4]),
}

impl CloseReason {
    /// The kind of reason in one short word, for counting.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::ConnectFailed(_) => "connect_failed",
            Self::Unresolved(_) => "unresolved",
            Self::PeerClosed(_) => "peer_closed",
            Self::Broken(..) => "broken",
            Self::SetupTimeout(_) => "setup_timeout",
            Self::RequestTimeout { .. } => "request_timeout",
            Self::Misbehaved(_) => "misbehaved",
            Self::NotKafka(_) => "not_kafka",
            Self::TlsFailed(_) => "tls_failed",
            Self::UnsupportedVersion => "unsupported_version",
            Self::HandshakeFailed(_) => "handshake_failed",
            Self::AuthenticationFailed(_) => "authentication_failed",
            Self::Idle => "idle",
            Self::Local => "local",
        }
    }

    /// Whether a broker that knows only an older version of ApiVersions would have ended the connection in
    /// this way, so that an attempt with version 0 is worth while.
    #[must_use]
    pub const fn suggests_older_api_versions(&self) -> bool {
        matches!(self, Self::PeerClosed(Progress::NoAnswer) | Self::Broken(Progress::NoAnswer, _))
    }

    /// Whether another attempt at the same address is bound to end in the same way until someone changes a
    /// configuration.
    #[must_use]
    pub const fn is_misconfiguration(&self) -> bool {
        match self {
            Self::NotKafka(_)
            | Self::TlsFailed(_)
            | Self::UnsupportedVersion
            | Self::Misbehaved(Misbehaved::FrameLength { .. }) => true,
            Self::AuthenticationFailed(error) => error.is_misconfiguration(),
            _ => false,
        }
    }

    /// Whether a port that expects something else than TLS would have ended the connection in this way; a broker that is
    /// being shut down does so, too.
    #[must_use]
    pub const fn suggests_no_tls(&self) -> bool {
        matches!(self, Self::PeerClosed(Progress::Securing) | Self::Broken(Progress::Securing, _))
    }

    /// Whether a broker that requires authentication would have ended the connection in this way.
    #[must_use]
    pub const fn suggests_authentication(&self) -> bool {
        matches!(self, Self::PeerClosed(Progress::FirstRequest) | Self::Broken(Progress::FirstRequest, _))
    }

    /// Whether a broker would have ended the connection in this way if it did not accept the credentials and has no
    /// words for that; a broker that is being shut down does so, too.
    #[must_use]
    pub const fn suggests_wrong_credentials(&self) -> bool {
        matches!(self, Self::PeerClosed(Progress::Authentication) | Self::Broken(Progress::Authentication, _))
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectFailed(why) => write!(f, "could not connect: {why}"),
            Self::Unresolved(why) => write!(f, "the name does not resolve: {why}"),
            Self::PeerClosed(progress) => write!(f, "the peer closed the connection {progress}"),
            Self::Broken(progress, why) => write!(f, "the connection broke {progress}: {why}"),
            Self::TlsFailed(why) => write!(f, "TLS failed: {why}"),
            Self::SetupTimeout(Progress::NoAnswer) => f.write_str(
                "the peer accepted the connection but did not answer in time (is it a Kafka port?)",
            ),
            Self::SetupTimeout(progress) => {
                write!(f, "the connection was not set up in time: it ended {progress}")
            }
            Self::RequestTimeout { api } => write!(f, "the broker did not answer {} in time", api),
            Self::Misbehaved(what) => write!(f, "the peer sent {what} (is it a Kafka port?)"),
            Self::NotKafka(peer) => peer.fmt(f),
            Self::UnsupportedVersion => {
                f.write_str("the broker supports no version of ApiVersions (Kafka older than 0.10?)")
            }
            Self::HandshakeFailed(code) => write!(f, "the broker refused the handshake: {}", code),
            Self::AuthenticationFailed(why) => write!(f, "authentication failed: {why}"),
            Self::Idle => f.write_str("the connection was idle"),
            Self::Local => f.write_str("the connection was closed by this client"),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "before it was up",
            Self::Securing => "during the TLS handshake (does the port speak TLS?)",
            Self::NoAnswer => "before it sent a byte (does the port expect TLS or authentication?)",
            Self::Setup => "during the handshake",
            Self::Authentication => "during authentication (are the credentials right?)",
            Self::Quiet => "while nothing was under way",
            Self::FirstRequest => "at the first request (does the port require authentication?)",
            Self::Busy => "while requests were unanswered",
            Self::MidFrame => "in the middle of a response",
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http => f.write_str("the port speaks HTTP, not Kafka"),
            Self::Tls => f.write_str("the port expects TLS, and this client spoke plain text"),
            Self::Ssh => f.write_str("the port speaks SSH, not Kafka"),
            Self::Text(bytes) => {
                write!(f, "the port does not speak Kafka: it answered \"{}\"", bytes.escape_ascii())
            }
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { api, offered: None } => write!(f, "the broker does not offer {}", api),
            Self::Unsupported { api, offered: Some((min, max)) } => {
                write!(f, "the broker offers {} in versions {min} to {max}, none of which will do", api)
            }
            Self::NotExpressible { api, version, error } => {
                write!(f, "the broker's version {version} of {} cannot express the request: {error}", api)
            }
            Self::TimedOut => f.write_str("the request could not be sent in time"),
        }
    }
}
