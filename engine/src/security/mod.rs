//! Who a client is, and how its connections are protected.

mod credentials;
mod sasl;
#[cfg(test)]
mod tests;

pub(crate) use credentials::Desk;
pub use credentials::{CredentialRequest, CredentialRequests};
pub use sasl::Sasl;
