//! The client's side of a dialogue with a SOCKS5 proxy (RFC 1928), with a user's name and password if the proxy wants them
//! (RFC 1929).
//!
//! ```text
//!                    method: none
//! Method ──────────────────────────────────► Reply ───► Open
//!    │    method: password                     ▲  granted
//!    └─────────────────────► Authentication ───┘
//!                                         accepted
//! ```
//!
//! Everything else leads to `Failed`. The proxy is given names as they are and resolves them itself.

use alloc::vec::Vec;
use core::{fmt, net::IpAddr};

use bytes::{Buf, BytesMut};
use klamm_protocol::Str;
use zeroize::Zeroizing;

use crate::{cluster::Address, sasl::Secret};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const BY_PASSWORD: u8 = 2;
const PASSWORD_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const BY_IPV4: u8 = 1;
const BY_NAME: u8 = 3;
const BY_IPV6: u8 = 4;

/// The most bytes that the dialogue's texts may have.
pub const MAX_TEXT_BYTES: usize = 255;

/// Where the dialogue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The proxy is to choose how the client authenticates itself.
    Method,
    /// The proxy is to say whether name and password are right.
    Authentication,
    /// The proxy is to connect.
    Reply,
    /// What follows is between the client and the host.
    Open,
    Failed,
}

/// What the proxy said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// It wants no authentication.
    NoAuthentication,
    /// It wants name and password.
    ByPassword,
    /// Name and password are right.
    Accepted,
    /// It is connected.
    Granted,
    /// Anything else.
    Failure,
}

#[cfg(test)]
const STATES: [State; 5] = [State::Method, State::Authentication, State::Reply, State::Open, State::Failed];

/// What follows what. Whatever is not here leads to [`State::Failed`], but for what is over already.
const TRANSITIONS: [(State, Heard, State); 4] = [
    (State::Method, Heard::NoAuthentication, State::Reply),
    (State::Method, Heard::ByPassword, State::Authentication),
    (State::Authentication, Heard::Accepted, State::Reply),
    (State::Reply, Heard::Granted, State::Open),
];

fn next(state: State, heard: Heard) -> State {
    if matches!(state, State::Open | State::Failed) {
        return state;
    }
    let row = TRANSITIONS.iter().find(|(from, on, _)| (*from, *on) == (state, heard));
    row.map_or(State::Failed, |(_, _, to)| *to)
}

/// Why there is no way through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocksError {
    /// A text is longer than the protocol can say, or empty: which.
    Unspeakable(&'static str),
    /// It does not speak SOCKS5.
    NotSocks5,
    /// It answered with something that makes no sense: what.
    Malformed(&'static str),
    /// It wants to know who the client is, which has no name and password for it.
    WantsAuthentication,
    /// It takes neither a name and password nor nobody.
    NoMethod,
    /// Name or password is wrong.
    Denied,
    /// It does not connect to the host: the code of RFC 1928.
    Refused(u8),
}

impl fmt::Display for SocksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unspeakable(what) => write!(f, "SOCKS5 allows 1 to 255 bytes for {what}"),
            Self::NotSocks5 => f.write_str("it does not speak SOCKS5"),
            Self::Malformed(what) => write!(f, "it sent {what}, which is not SOCKS5"),
            Self::WantsAuthentication => {
                f.write_str("it does not let anybody through without authentication that the client can give")
            }
            Self::NoMethod => f.write_str("it takes no name and password"),
            Self::Denied => f.write_str("it denies the user's name or password"),
            Self::Refused(code) => f.write_str(match code {
                1 => "general failure",
                2 => "its rules do not allow the connection",
                3 => "it does not reach the network",
                4 => "it does not reach the host, or the name does not resolve there",
                5 => "the host refused the connection",
                6 => "the connection took too long (TTL expired)",
                7 => "it does not know the command CONNECT",
                8 => "it does not know this type of address",
                _ => return write!(f, "it refused for an unknown reason ({code})"),
            }),
        }
    }
}

impl core::error::Error for SocksError {}

/// One dialogue with a proxy. Terminal states absorb: what comes after them is not touched.
pub struct Socks5 {
    state: State,
    target: Address,
    user: Option<(Str, Secret)>,
    failure: Option<SocksError>,
    /// To be written; what has been is at its beginning.
    outgoing: Zeroizing<Vec<u8>>,
    written: usize,
}

impl fmt::Debug for Socks5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socks5")
            .field("state", &self.state)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Socks5 {
    /// A dialogue that is to lead to `target`, for this user if the proxy wants one.
    ///
    /// # Errors
    ///
    /// A name or the password cannot be said in SOCKS5.
    pub fn new(target: Address, user: Option<(Str, Secret)>) -> Result<Self, SocksError> {
        speakable(target.host.as_bytes(), "the host's name")?;
        if let Some((name, password)) = &user {
            speakable(name.as_bytes(), "the user's name")?;
            speakable(password.expose(), "the password")?;
        }
        let methods: &[u8] =
            if user.is_some() { &[NO_AUTHENTICATION, BY_PASSWORD] } else { &[NO_AUTHENTICATION] };
        let mut outgoing = Zeroizing::new(Vec::from([VERSION, byte(methods.len())]));
        outgoing.extend_from_slice(methods);
        Ok(Self { state: State::Method, target, user, failure: None, outgoing, written: 0 })
    }

    /// What is to be written to the proxy.
    #[must_use]
    pub fn outgoing(&self) -> &[u8] {
        self.outgoing.get(self.written..).unwrap_or_default()
    }

    /// So many bytes of [`outgoing`](Self::outgoing) were written.
    pub fn advance(&mut self, count: usize) {
        self.written = self.written.saturating_add(count).min(self.outgoing.len());
    }

    /// Takes what the proxy sent out of the front of a buffer, as far as it is whole. What follows the dialogue stays
    /// there: it is the host's.
    pub fn handle_read(&mut self, buffer: &mut BytesMut) {
        while let Some((heard, length)) = self.hear(buffer) {
            buffer.advance(length);
            let state = next(self.state, heard);
            if state == State::Failed && self.failure.is_none() {
                self.failure = Some(SocksError::Malformed("something out of turn"));
            }
            self.state = state;
            self.speak();
        }
    }

    /// Whether what follows is between the client and the host.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Why it failed, if it did.
    #[must_use]
    pub const fn failure(&self) -> Option<SocksError> {
        self.failure
    }

    /// Understands the next message, and how long it is; `None` if it is not whole, or none is due.
    fn hear(&mut self, bytes: &[u8]) -> Option<(Heard, usize)> {
        let heard = match self.state {
            State::Method => hear_method(bytes, self.user.is_some())?,
            State::Authentication => hear_verdict(bytes)?,
            State::Reply => hear_reply(bytes)?,
            State::Open | State::Failed => return None,
        };
        Some(heard.unwrap_or_else(|failure| {
            self.failure = Some(failure);
            (Heard::Failure, 0)
        }))
    }

    /// Says what is due in a state that was just entered.
    fn speak(&mut self) {
        let mut message = Zeroizing::new(Vec::new());
        match (self.state, &self.user) {
            (State::Authentication, Some((name, password))) => {
                // One allocation, so that no copy of the password stays behind.
                message.reserve_exact(3 + name.len() + password.expose().len());
                message.extend_from_slice(&[PASSWORD_VERSION, byte(name.len())]);
                message.extend_from_slice(name.as_bytes());
                message.push(byte(password.expose().len()));
                message.extend_from_slice(password.expose());
            }
            (State::Reply, _) => {
                message.extend_from_slice(&[VERSION, CONNECT, 0]);
                push_host(&mut message, &self.target.host);
                message.extend_from_slice(&self.target.port.to_be_bytes());
            }
            _ => return,
        }
        // What was to be said before has been heard: the proxy answered it.
        self.outgoing = message;
        self.written = 0;
    }
}

/// A message and its length, or why the dialogue is over; `None` if the message is not whole.
type Message = Option<Result<(Heard, usize), SocksError>>;

fn hear_method(bytes: &[u8], has_user: bool) -> Message {
    let heard = match *bytes {
        [VERSION] | [] => return None,
        [VERSION, NO_AUTHENTICATION, ..] => Ok(Heard::NoAuthentication),
        [VERSION, BY_PASSWORD, ..] if has_user => Ok(Heard::ByPassword),
        [VERSION, 0xff, ..] if has_user => Err(SocksError::NoMethod),
        [VERSION, 0xff | BY_PASSWORD, ..] => Err(SocksError::WantsAuthentication),
        [VERSION, ..] => Err(SocksError::Malformed("a method of authentication that was not offered")),
        _ => Err(SocksError::NotSocks5),
    };
    Some(heard.map(|heard| (heard, 2)))
}

fn hear_verdict(bytes: &[u8]) -> Message {
    Some(match *bytes {
        [PASSWORD_VERSION] | [] => return None,
        [PASSWORD_VERSION, 0, ..] => Ok((Heard::Accepted, 2)),
        [PASSWORD_VERSION, ..] => Err(SocksError::Denied),
        _ => Err(SocksError::Malformed("an answer to name and password of an unknown version")),
    })
}

fn hear_reply(bytes: &[u8]) -> Message {
    match bytes.first() {
        None => return None,
        Some(&VERSION) => {}
        Some(_) => return Some(Err(SocksError::Malformed("an answer of another version"))),
    }
    // A refusal may come without an address, and its connection be closed.
    match bytes.get(1) {
        None => return None,
        Some(0) => {}
        Some(code) => return Some(Err(SocksError::Refused(*code))),
    }
    let host = match *bytes.get(3)? {
        BY_IPV4 => 4,
        BY_IPV6 => 16,
        BY_NAME => 1 + usize::from(*bytes.get(4)?),
        _ => return Some(Err(SocksError::Malformed("an unknown type of address"))),
    };
    let length = 4 + host + 2;
    (bytes.len() >= length).then_some(Ok((Heard::Granted, length)))
}

fn push_host(message: &mut Vec<u8>, host: &str) {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            message.push(BY_IPV4);
            message.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            message.push(BY_IPV6);
            message.extend_from_slice(&address.octets());
        }
        Err(_) => {
            message.extend_from_slice(&[BY_NAME, byte(host.len())]);
            message.extend_from_slice(host.as_bytes());
        }
    }
}

const fn speakable(text: &[u8], what: &'static str) -> Result<(), SocksError> {
    if text.is_empty() || text.len() > MAX_TEXT_BYTES { Err(SocksError::Unspeakable(what)) } else { Ok(()) }
}

/// A length that was found to be [speakable].
fn byte(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests;
