//! The way through a proxy.

use std::{fmt, sync::Arc};

use bytes::BytesMut;
use klamm_core::{
    cluster::Address,
    connection::TransportEnd,
    sasl::Secret,
    socks::{Socks5, SocksError},
};
use klamm_protocol::Str;

/// The port that is meant where none is named (RFC 1928).
const DEFAULT_PORT: u16 = 1080;

/// A SOCKS5 proxy (RFC 1928), through which all connections of a client go. Names of brokers are resolved by the proxy,
/// that of the proxy by the client.
///
/// ```
/// use klamm_engine::Proxy;
///
/// let proxy = Proxy::socks5("proxy.internal:1080").user("franz", "odradek");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    address: String,
    user: Option<(Str, Secret)>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Proxy {
    /// A proxy at `host:port` or `socks5://host:port`; without a port 1080 is meant. An address that makes no sense is
    /// an error of [`KafkaBuilder::connect`](crate::KafkaBuilder::connect).
    #[must_use]
    pub fn socks5(address: impl Into<String>) -> Self {
        Self { address: address.into(), user: None }
    }

    /// Whom the proxy is to let through (RFC 1929), if it asks. Default: nobody in particular. Name and password travel as
    /// they are: the way to the proxy has to be trusted.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.user = Some((Str::from(name.into()), password.into()));
        self
    }

    /// Checks what was given.
    pub(crate) fn into_route(self) -> Result<Route, String> {
        let address = parse(&self.address)?;
        let probe = Address { host: Str::from_static("localhost"), port: 1 };
        Socks5::new(probe, self.user.clone()).map_err(|error| error.to_string())?;
        Ok(Route { address, user: self.user })
    }
}

fn parse(text: &str) -> Result<Address, String> {
    let plain = text.strip_prefix("socks5://").or_else(|| text.strip_prefix("socks5h://")).unwrap_or(text);
    let plain = plain.strip_suffix('/').unwrap_or(plain);
    if plain.contains("://") {
        return Err(format!("\"{text}\" is no SOCKS5 proxy, the only kind that is supported"));
    }
    if plain.contains('@') {
        return Err(String::from(
            "name and password do not belong into the address: give them by themselves",
        ));
    }
    let has_port = plain.rsplit_once(']').map_or(plain, |(_, rest)| rest).contains(':');
    let mut address: Address =
        plain.parse().map_err(|_| format!("\"{text}\" is no address: write socks5://host:port"))?;
    if !has_port {
        address.port = DEFAULT_PORT;
    }
    Ok(address)
}

/// A proxy that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) address: Address,
    user: Option<(Str, Secret)>,
}

impl Route {
    /// That the proxy itself could not be reached.
    pub(crate) fn unreachable(&self, why: &str) -> String {
        format!("the proxy {} cannot be reached: {why}", self.address)
    }
}

/// The dialogue with a proxy on one connection.
pub(crate) struct Proxying {
    socks: Socks5,
    route: Arc<Route>,
    pub(crate) incoming: BytesMut,
}

impl Proxying {
    pub(crate) fn start(route: &Arc<Route>, target: &Address) -> Result<Self, TransportEnd> {
        match Socks5::new(target.clone(), route.user.clone()) {
            Ok(socks) => Ok(Self { socks, route: Arc::clone(route), incoming: BytesMut::new() }),
            Err(error) => Err(failed(route, error)),
        }
    }

    /// What is to be written to the proxy.
    pub(crate) fn outgoing(&self) -> &[u8] {
        self.socks.outgoing()
    }

    pub(crate) fn advance(&mut self, count: usize) {
        self.socks.advance(count);
    }

    /// Something was read. Returns whether the way is open; what came after that is left in `incoming`.
    pub(crate) fn handle_read(&mut self) -> Result<bool, TransportEnd> {
        self.socks.handle_read(&mut self.incoming);
        match self.socks.failure() {
            Some(error) => Err(failed(&self.route, error)),
            None => Ok(self.socks.is_open()),
        }
    }

    /// How the end of the socket is told before the way is open.
    pub(crate) fn ended(&self, end: TransportEnd) -> TransportEnd {
        let address = &self.route.address;
        match end {
            TransportEnd::PeerClosed => TransportEnd::ConnectFailed(Str::from(format!(
                "the proxy {address} closed the connection when it was asked for the broker"
            ))),
            TransportEnd::Broken(why) => TransportEnd::ConnectFailed(Str::from(format!(
                "the way through the proxy {address} broke: {why}"
            ))),
            end => end,
        }
    }
}

fn failed(route: &Route, error: SocksError) -> TransportEnd {
    TransportEnd::ConnectFailed(Str::from(format!("no way through the proxy {}: {error}", route.address)))
}

#[cfg(test)]
mod tests {
    use super::{Proxy, parse};

    #[test]
    fn addresses_of_proxies() {
        for (text, expected) in [
            ("proxy:1081", "proxy:1081"),
            ("socks5://proxy:1081", "proxy:1081"),
            ("socks5h://proxy", "proxy:1080"),
            ("socks5://[::1]/", "[::1]:1080"),
            ("[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["http://proxy:3128", "socks4://proxy", "", "socks5://a@proxy:1", "proxy:0", "proxy:x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_are_not_shown_and_texts_have_bounds() {
        let proxy = Proxy::socks5("proxy").user("franz", "odradek");
        assert!(!format!("{proxy:?}").contains("odradek"));
        assert!(!format!("{:?}", proxy.into_route().unwrap()).contains("odradek"));
        assert!(Proxy::socks5("proxy").user("", "x").into_route().is_err());
        assert!(Proxy::socks5("proxy").user("x", "y".repeat(256)).into_route().is_err());
    }
}
