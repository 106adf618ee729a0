//! Authentication by SASL: the dialogues of the mechanisms, without a connection.
//!
//! An [`Exchange`] is made from a [`Mechanism`] and [`Credentials`]; it gives the first message, and then an answer to
//! each message of the broker until it is done or knows why not. [`Connection`](crate::connection::Connection) carries
//! the messages: in SaslAuthenticate requests, or bare to brokers before 1.0 (KIP-152), and again whenever the broker's
//! session is about to end (KIP-368).
//!
//! ```text
//!  PLAIN          user and password  -->  (empty)
//!  SCRAM-SHA-*    client-first  -->  server-first  -->  client-final  -->  server-final
//!  OAUTHBEARER    token  -->  (empty)
//!                        -->  why not  -->  0x01
//!  GSSAPI         made elsewhere  -->  taken elsewhere  -->  ...  -->  (empty)
//! ```

mod config;
mod error;
mod exchange;
mod json;
mod oauthbearer;
mod plain;
pub mod scram;
mod secret;
mod vault;

pub use config::{Answer, BearerToken, CredentialSource, Credentials, Mechanism, Password, SaslConfig};
pub use error::AuthenticationError;
pub use exchange::{Exchange, Step};
pub use secret::Secret;
pub use vault::{Vault, VaultOutput};

#[cfg(test)]
mod tests;
