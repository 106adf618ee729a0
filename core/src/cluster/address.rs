//! Where brokers are.

use alloc::string::ToString;
use core::{fmt, str::FromStr};

use klamm_protocol::Str;

use crate::BrokerId;

/// A host and a port. The host is a name or an IP address; it is resolved by the driver whenever a connection
/// is opened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// A name or an IP address; an IPv6 address without brackets.
    pub host: Str,
    /// The TCP port.
    pub port: u16,
}

impl Address {
    /// The port that is meant where none is named.
    pub const DEFAULT_PORT: u16 = 9092;
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Not `host`, `host:port`, `[ipv6]` or `[ipv6]:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidAddress;

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address is written host:port, for instance localhost:9092 or [::1]:9092")
    }
}

impl core::error::Error for InvalidAddress {}

impl FromStr for Address {
    type Err = InvalidAddress;

    /// Reads `host:port`; without a port [`Address::DEFAULT_PORT`] is meant.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim();
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(InvalidAddress)?;
                let port =
                    if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(InvalidAddress)?) };
                (host, port)
            }
            None => match text.split_once(':') {
                Some((_, port)) if port.contains(':') => (text, None),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/') {
            return Err(InvalidAddress);
        }
        let port = port.map_or(Ok(Self::DEFAULT_PORT), str::parse).map_err(|_| InvalidAddress)?;
        if port == 0 {
            return Err(InvalidAddress);
        }
        Ok(Self { host: Str::from(host.to_string()), port })
    }
}

/// Whom a connection is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// The n-th bootstrap address; which broker answers there is not known.
    Bootstrap(u16),
    /// A broker that metadata told of.
    Broker(BrokerId),
}

/// A broker as metadata describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its node id.
    pub id: BrokerId,
    /// Where it listens.
    pub address: Address,
    /// The rack or zone that it is in.
    pub rack: Option<Str>,
}
