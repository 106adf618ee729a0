//! How connections behave.

use core::time::Duration;

use klamm_protocol::Str;

use crate::sasl::SaslConfig;

/// Settings of connections; those of one client share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// Sent with each request; appears in the broker's logs, quotas and metrics (`client.id`). Default: empty.
    pub client_id: Str,
    /// The name and the version of the client software, which ApiVersions tells the broker (KIP-511).
    pub software: (Str, Str),
    /// The time from the first attempt to connect until requests can be sent: TCP, TLS, versions and
    /// authentication together (`socket.connection.setup.timeout.ms`, KIP-601). Default: 10 s.
    pub setup_timeout: Duration,
    /// A connection without requests is closed after this time (`connections.max.idle.ms`). Default: 9 min.
    pub idle_timeout: Duration,
    /// The longest frame that is accepted. Default: 100 MiB.
    pub max_frame_bytes: u32,
    /// How many requests may await answers; more are queued. Default: 100.
    pub max_in_flight: usize,
    /// How many requests may be queued until they can be sent; more are refused. Default: 1,000.
    pub max_queued: usize,
    /// The version of ApiVersions to begin with if this broker is known not to take the newest
    /// ([`CloseReason::suggests_older_api_versions`](super::CloseReason::suggests_older_api_versions)).
    /// Default: none, that is the newest.
    pub api_versions_hint: Option<i16>,
    /// Copies of all requests and answers are kept until they are taken by
    /// [`Connection::take_messages`](super::Connection::take_messages). Default: false.
    pub keep_messages: bool,
    /// Authentication follows ApiVersions: how. Default: none.
    pub sasl: Option<SaslConfig>,
    /// The seed of the connection's randomness: of the nonces of SCRAM, and of when authentication is renewed. No two
    /// connections may have the same. Default: 0.
    pub seed: u64,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            client_id: Str::default(),
            software: (Str::from("klamm"), Str::from(env!("CARGO_PKG_VERSION"))),
            setup_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(540),
            max_frame_bytes: 100 << 20,
            max_in_flight: 100,
            max_queued: 1_000,
            api_versions_hint: None,
            keep_messages: false,
            sasl: None,
            seed: 0,
        }
    }
}
