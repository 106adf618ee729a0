//! Who a client is, and how its connections are protected.

mod challenges;
mod credentials;
mod desk;
mod proxy;
mod sasl;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
mod transport;

pub use challenges::{Challenge, Challenges, Dialogue};
pub use credentials::{CredentialRequest, CredentialRequests};
pub(crate) use desk::{Desk, Queued, Requests};
pub use proxy::Proxy;
pub(crate) use proxy::Route;
pub use sasl::Sasl;
#[cfg(feature = "tls")]
pub use tls::Tls;
pub(crate) use transport::{Security, Transport};
