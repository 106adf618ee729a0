//! What is between a socket and a connection: nothing, or the way through a proxy, or TLS, or one after the other.

use std::{fmt, sync::Arc};

use bytes::{Buf, BytesMut};
use klamm_core::{
    Instant,
    cluster::Address,
    connection::{Connection, TransportEnd},
};
#[cfg(feature = "tls")]
use klamm_protocol::Str;

use super::proxy::{Proxying, Route};
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
pub(crate) struct Transport {
    /// Where it is to lead.
    target: Address,
    /// Through which proxy.
    route: Option<Arc<Route>>,
    security: Security,
    stage: Stage,
}

enum Stage {
    /// The connection's own buffers are the socket's, once it is open.
    Plain,
    /// A proxy is asked to connect.
    Proxy(Box<Proxying>),
    #[cfg(feature = "tls")]
    Tls(Box<TlsPipe>),
}

impl Transport {
    pub(crate) const fn new(target: Address, route: Option<Arc<Route>>, security: Security) -> Self {
        Self { target, route, security, stage: Stage::Plain }
    }

    /// The socket is connected: to the proxy, if there is one.
    pub(crate) fn handle_open(&mut self, now: Instant, connection: &mut Connection) {
        let Some(route) = &self.route else { return self.begin(now, connection) };
        match Proxying::start(route, &self.target) {
            Ok(proxying) => self.stage = Stage::Proxy(Box::new(proxying)),
            Err(end) => connection.handle_closed(now, end),
        }
    }

    /// There is a way to the broker.
    fn begin(&mut self, now: Instant, connection: &mut Connection) {
        match &self.security {
            Security::Plain => {
                self.stage = Stage::Plain;
                connection.handle_open(now);
            }
            #[cfg(feature = "tls")]
            Security::Tls(source) => {
                connection.handle_securing();
                match TlsPipe::start(source, &self.target.host) {
                    Ok(pipe) => self.stage = Stage::Tls(Box::new(pipe)),
                    Err(why) => connection.handle_closed(now, TransportEnd::Insecure(Str::from(why))),
                }
            }
        }
    }

    /// Where to append what was read.
    pub(crate) fn read_buffer<'a>(&'a mut self, connection: &'a mut Connection) -> &'a mut BytesMut {
        match &mut self.stage {
            Stage::Plain => connection.read_buffer(),
            Stage::Proxy(proxying) => &mut proxying.incoming,
            #[cfg(feature = "tls")]
            Stage::Tls(pipe) => pipe.read_buffer(),
        }
    }

    /// Bytes were appended to the read buffer.
    pub(crate) fn handle_read(&mut self, now: Instant, connection: &mut Connection) {
        match &mut self.stage {
            Stage::Plain => connection.handle_read(now),
            Stage::Proxy(proxying) => match proxying.handle_read() {
                Ok(false) => {}
                Ok(true) => {
                    let left = std::mem::take(&mut proxying.incoming);
                    self.begin(now, connection);
                    if left.has_remaining() && !connection.is_closed() {
                        self.read_buffer(connection).extend_from_slice(&left);
                        self.handle_read(now, connection);
                    }
                }
                Err(end) => connection.handle_closed(now, end),
            },
            #[cfg(feature = "tls")]
            Stage::Tls(pipe) => pipe.handle_read(now, connection),
        }
    }

    pub(crate) fn wants_read(&self, connection: &Connection) -> bool {
        match &self.stage {
            Stage::Plain => connection.wants_read(),
            Stage::Proxy(_) => !connection.is_closed(),
            #[cfg(feature = "tls")]
            Stage::Tls(pipe) => pipe.wants_read(connection),
        }
    }

    /// The connection is over. Returns whether the peer is to be told, by what is to be written once more.
    pub(crate) fn say_goodbye(&mut self) -> bool {
        match &mut self.stage {
            #[cfg(feature = "tls")]
            Stage::Tls(pipe) => pipe.say_goodbye(),
            _ => false,
        }
    }

    /// Ends the connection if it could not be encrypted.
    #[cfg_attr(
        not(feature = "tls"),
        expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, unused_variables, reason = "for TLS")
    )]
    pub(crate) fn check(&mut self, now: Instant, connection: &mut Connection) {
        #[cfg(feature = "tls")]
        if let Stage::Tls(pipe) = &mut self.stage
            && let Some(why) = pipe.take_failure()
        {
            connection.handle_closed(now, TransportEnd::Insecure(Str::from(why)));
        }
    }

    /// How the end of the socket is told to the connection.
    pub(crate) fn ended(&self, end: TransportEnd) -> TransportEnd {
        match &self.stage {
            Stage::Proxy(proxying) => proxying.ended(end),
            _ => end,
        }
    }

    /// The bytes to be written; `None` if those of the connection are.
    #[cfg_attr(not(feature = "tls"), expect(clippy::needless_pass_by_ref_mut, reason = "for TLS"))]
    pub(crate) fn outgoing(&mut self, connection: &mut Connection) -> Option<&[u8]> {
        match &mut self.stage {
            Stage::Plain => None,
            Stage::Proxy(proxying) => Some(if connection.is_closed() { &[] } else { proxying.outgoing() }),
            #[cfg(feature = "tls")]
            Stage::Tls(pipe) => Some(pipe.outgoing(connection)),
        }
    }

    /// So many bytes of what is to be written were written.
    pub(crate) fn advance(&mut self, connection: &mut Connection, count: usize) {
        match &mut self.stage {
            Stage::Plain => connection.outbox().advance(count),
            Stage::Proxy(proxying) => proxying.advance(count),
            #[cfg(feature = "tls")]
            Stage::Tls(pipe) => {
                let outgoing = pipe.outgoing(connection);
                outgoing.advance(count.min(outgoing.len()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
