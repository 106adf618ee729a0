//! The numbers of Kafka's APIs.

use std::fmt;

use crate::messages::api_table::TABLE;

/// The number of an API: what a request asks for.
///
/// Keys that this build does not know are kept as they are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKey(pub i16);

/// What is known of an API, from the schemas.
pub(crate) struct ApiEntry {
    pub(crate) name: &'static str,
    pub(crate) min_version: i16,
    pub(crate) max_version: i16,
    pub(crate) max_stable_version: i16,
    /// The first version of the request with tagged fields; `i16::MAX` when there is none.
    pub(crate) flexible_request: i16,
    /// The same of the response.
    pub(crate) flexible_response: i16,
    pub(crate) audience: Audience,
}

/// Who serves an API, and to whom.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Brokers serve it to clients.
    Clients,
    /// Brokers and controllers serve it to each other.
    Cluster,
}

impl ApiKey {
    /// Every API known here, ascending.
    pub fn all() -> impl ExactSizeIterator<Item = Self> + Clone {
        (0..TABLE.len() as i16).map(Self)
    }

    /// The name in the protocol, or `None` for a key that is not known here.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.entry().map(|entry| entry.name)
    }

    /// The lowest version that this build can read and write, or `None` for an unknown key.
    #[must_use]
    pub fn min_version(self) -> Option<i16> {
        self.entry().map(|entry| entry.min_version)
    }

    /// The highest version that this build can read and write, or `None` for an unknown key.
    ///
    /// It includes a version that Kafka itself still calls unstable; see [`ApiKey::max_stable_version`].
    #[must_use]
    pub fn max_version(self) -> Option<i16> {
        self.entry().map(|entry| entry.max_version)
    }

    /// The highest version whose form is final, or `None` for an unknown key.
    #[must_use]
    pub fn max_stable_version(self) -> Option<i16> {
        self.entry().map(|entry| entry.max_stable_version)
    }

    /// Whether brokers serve this API to clients, as against to other brokers or controllers only.
    #[must_use]
    pub fn is_client_facing(self) -> bool {
        self.entry().is_some_and(|entry| entry.audience == Audience::Clients)
    }

    fn entry(self) -> Option<&'static ApiEntry> {
        usize::try_from(self.0).ok().and_then(|index| TABLE.get(index))
    }
}

/// The version of the header in front of a request, or `None` for an unknown API.
///
/// 2 in front of a flexible body, else 1; the oldest `ControlledShutdown` has 0.
#[must_use]
pub fn request_header_version(api_key: ApiKey, version: i16) -> Option<i16> {
    let entry = api_key.entry()?;
    Some(match version {
        0 if api_key == ApiKey::CONTROLLED_SHUTDOWN => 0,
        _ if version >= entry.flexible_request => 2,
        _ => 1,
    })
}

/// The version of the header in front of a response, or `None` for an unknown API.
///
/// 1 in front of a flexible body, else 0. `ApiVersions` always has 0, so that a client can read the answer of a
/// broker that does not know the version (KIP-511).
#[must_use]
pub fn response_header_version(api_key: ApiKey, version: i16) -> Option<i16> {
    let entry = api_key.entry()?;
    Some(i16::from(version >= entry.flexible_response && api_key != ApiKey::API_VERSIONS))
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "api key {}", self.0),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name}({})", self.0),
            None => write!(f, "ApiKey({})", self.0),
        }
    }
}
