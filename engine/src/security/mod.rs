//! Who a client is, and how its connections are protected.

mod credentials;
mod proxy;
mod sasl;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
mod transport;

pub(crate) use credentials::Desk;
pub use credentials::{CredentialRequest, CredentialRequests};
pub use proxy::Proxy;
pub(crate) use proxy::Route;
pub use sasl::Sasl;
#[cfg(feature = "tls")]
pub use tls::Tls;
pub(crate) use transport::{Security, Transport};
