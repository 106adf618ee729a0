//! What is between a socket and a connection: nothing, or TLS.

use std::fmt;

use bytes::BytesMut;
#[cfg(feature = "tls")]
use klamm_core::connection::TransportEnd;
use klamm_core::{Instant, connection::Connection};
#[cfg(feature = "tls")]
use klamm_protocol::Str;

#[cfg(feature = "tls")]
use super::tls::{TlsPipe, TlsSource};

/// How the connections of a client are protected.
#[derive(Clone, Default)]
pub(crate) enum Security {
    #[default]
    Plain,
    #[cfg(feature = "tls")]
    Tls(Box<TlsSource>),
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            #[cfg(feature = "tls")]
            Self::Tls(_) => "Tls",
        })
    }
}

/// What is between one socket and its connection.
pub(crate) enum Transport {
    /// The connection's own buffers are the socket's.
    Plain,
    /// TLS, but TCP is not up yet.
    #[cfg(feature = "tls")]
    Unconnected(Box<TlsSource>),
    #[cfg(feature = "tls")]
    Tls(Box<TlsPipe>),
}

#[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "they are for TLS"))]
impl Transport {
    pub(crate) fn new(security: Security) -> Self {
        match security {
            Security::Plain => Self::Plain,
            #[cfg(feature = "tls")]
            Security::Tls(source) => Self::Unconnected(source),
        }
    }

    /// TCP is up.
    pub(crate) fn handle_open(&mut self, now: Instant, connection: &mut Connection, host: &str) {
        match self {
            Self::Plain => connection.handle_open(now),
            #[cfg(feature = "tls")]
            Self::Unconnected(source) => {
                connection.handle_securing();
                match TlsPipe::start(source, host) {
                    Ok(pipe) => *self = Self::Tls(Box::new(pipe)),
                    Err(why) => connection.handle_closed(now, TransportEnd::Insecure(Str::from(why))),
                }
            }
            #[cfg(feature = "tls")]
            Self::Tls(_) => {}
        }
    }

    /// Where to append what was read.
    pub(crate) fn read_buffer<'a>(&'a mut self, connection: &'a mut Connection) -> &'a mut BytesMut {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(pipe) => pipe.read_buffer(),
            _ => connection.read_buffer(),
        }
    }

    /// Bytes were appended to the read buffer.
    pub(crate) fn handle_read(&mut self, now: Instant, connection: &mut Connection) {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(pipe) => pipe.handle_read(now, connection),
            _ => connection.handle_read(now),
        }
    }

    pub(crate) fn wants_read(&self, connection: &Connection) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(pipe) => pipe.wants_read(connection),
            _ => connection.wants_read(),
        }
    }

    /// The connection is over. Returns whether the peer is to be told, by what is to be written once more.
    pub(crate) fn say_goodbye(&mut self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(pipe) => pipe.say_goodbye(),
            _ => false,
        }
    }

    /// Ends the connection if it could not be encrypted.
    pub(crate) fn check(&mut self, now: Instant, connection: &mut Connection) {
        #[cfg(feature = "tls")]
        if let Self::Tls(pipe) = self
            && let Some(why) = pipe.take_failure()
        {
            connection.handle_closed(now, TransportEnd::Insecure(Str::from(why)));
        }
    }

    /// The encrypted bytes to be written; `None` if those of the connection are.
    pub(crate) fn outgoing(&mut self, connection: &mut Connection) -> Option<&mut BytesMut> {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(pipe) => Some(pipe.outgoing(connection)),
            _ => None,
        }
    }
}
