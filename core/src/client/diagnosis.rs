//! Why brokers cannot be reached: the last failure of each address, in words.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use core::fmt;

use crate::{
    cluster::{Address, Node},
    connection::{CloseReason, Peer, Progress},
    sasl::AuthenticationError,
};

/// How often a peer may close a new connection without a byte before that counts as its nature, and how often a name
/// may not resolve before it counts as wrong.
const DOUBTFUL: u32 = 3;
/// How many addresses a text names.
const NAMED: usize = 3;

/// The last failure of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFailure {
    /// Where.
    pub address: Address,
    /// The cluster's metadata named the address, not the application.
    pub advertised: bool,
    /// What happened.
    pub reason: CloseReason,
    /// How many attempts failed in a row.
    pub attempts: u32,
}

impl AddressFailure {
    /// Whether another attempt is bound to end in the same way until someone changes a configuration.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        let doubtful = self.reason.suggests_older_api_versions()
            || self.reason.suggests_wrong_credentials()
            || self.reason.suggests_no_tls()
            || self.reason.suggests_authentication()
            || matches!(self.reason, CloseReason::Unresolved(_));
        self.reason.is_misconfiguration() || (doubtful && self.attempts >= DOUBTFUL)
    }

    /// What to do about it, where that can be said.
    #[must_use]
    pub const fn cure(&self) -> Option<&'static str> {
        match &self.reason {
            CloseReason::ConnectFailed(_) | CloseReason::Unresolved(_) if self.advertised => {
                Some("the brokers advertise this address: check their advertised.listeners")
            }
            CloseReason::ConnectFailed(_) => Some("check the address, and that the broker is running"),
            CloseReason::Unresolved(_) => Some("check the host's name"),
            CloseReason::SetupTimeout(Progress::Connecting) => {
                Some("check the address and the firewalls on the way")
            }
            CloseReason::NotKafka(Peer::Tls) => Some("turn TLS on, or name a broker's plain text listener"),
            CloseReason::NotKafka(_) => Some("check the port: a broker's listener is meant"),
            CloseReason::AuthenticationFailed(AuthenticationError::NotOffered) => {
                Some("turn SASL off, or name a broker's listener with SASL")
            }
            _ => None,
        }
    }
}

impl fmt::Display for AddressFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.reason)?;
        match self.cure() {
            Some(cure) => write!(f, " ({cure})"),
            None => Ok(()),
        }
    }
}

/// No cluster was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectError {
    /// The last failure of each address that was tried.
    pub failures: Vec<AddressFailure>,
    /// The deadline ended the attempts; otherwise each address is beyond hope, or the client was closed.
    pub timed_out: bool,
}

impl ConnectError {
    /// Whether another attempt may succeed without a change of configuration.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        !self.failures.iter().all(AddressFailure::is_fatal)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no Kafka cluster was found")?;
        if self.timed_out {
            f.write_str(" in time")?;
        }
        match describe(&self.failures) {
            Some(failures) => write!(f, ": {failures}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for ConnectError {}

/// The last failure of each address that has not been reached since.
#[derive(Debug, Default)]
pub(super) struct Diagnosis {
    failures: BTreeMap<Address, AddressFailure>,
}

impl Diagnosis {
    /// A connection is ready. Who demands authentication lets everybody come so far.
    pub(super) fn connected(&mut self, address: &Address) {
        if !self.failures.get(address).is_some_and(|failure| failure.reason.suggests_authentication()) {
            self.failures.remove(address);
        }
    }

    /// A request was answered.
    pub(super) fn answered(&mut self, address: &Address) {
        self.failures.remove(address);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }

    pub(super) fn failed(&mut self, node: Node, address: &Address, reason: &CloseReason) {
        // An end in the regular course of things is no failure.
        if matches!(reason, CloseReason::Idle | CloseReason::Local | CloseReason::PeerClosed(Progress::Quiet))
        {
            return;
        }
        let attempts = self.failures.get(address).map_or(0, |failure| failure.attempts);
        let failure = AddressFailure {
            address: address.clone(),
            advertised: matches!(node, Node::Broker(_)),
            reason: reason.clone(),
            attempts: attempts.saturating_add(1),
        };
        self.failures.insert(address.clone(), failure);
    }

    pub(super) fn failures(&self) -> impl Iterator<Item = &AddressFailure> {
        self.failures.values()
    }

    /// Whether each of these addresses was tried and is beyond hope.
    pub(super) fn is_hopeless(&self, addresses: &[Address]) -> bool {
        addresses.iter().all(|address| self.failures.get(address).is_some_and(AddressFailure::is_fatal))
    }

    pub(super) fn connect_error(&self, timed_out: bool) -> ConnectError {
        ConnectError { failures: self.failures.values().cloned().collect(), timed_out }
    }

    /// The failures in words; `None` if there is none.
    pub(super) fn describe(&self) -> Option<String> {
        let failures: Vec<_> = self.failures().cloned().collect();
        describe(&failures)
    }

    /// Forgets what is neither a bootstrap address nor a broker's any more.
    pub(super) fn retain(&mut self, keep: impl Fn(&Address) -> bool) {
        self.failures.retain(|address, _| keep(address));
    }
}

fn describe(failures: &[AddressFailure]) -> Option<String> {
    let named: Vec<String> = failures.iter().take(NAMED).map(|failure| format!("{failure}")).collect();
    let mut text = named.join("; ");
    if failures.len() > NAMED {
        text.push_str(&format!("; and {} more", failures.len() - NAMED));
    }
    (!text.is_empty()).then_some(text)
}
