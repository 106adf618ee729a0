//! Credentials for Klamm's clients: from the token endpoints of OAuth, signed for AWS MSK, and by Kerberos.
//!
//! The client itself knows no HTTP: it asks for credentials when a connection needs them ([`Sasl::asking`]). What is
//! here answers, on one thread of its own that ends with the last client, or once the request under way is over. It
//! works with every adapter.
//!
//! By settings, with the names of the Java client and librdkafka:
//!
//! ```no_run
//! # #[cfg(feature = "oidc")]
//! # fn example() -> Result<(), klamm_engine::InvalidSetting> {
//! use klamm_engine::Settings;
//!
//! let mut settings = Settings::parse([
//!     ("bootstrap.servers", "kafka-1:9093"),
//!     ("security.protocol", "SASL_SSL"),
//!     ("sasl.mechanism", "OAUTHBEARER"),
//!     ("sasl.oauthbearer.token.endpoint.url", "https://login.example/oauth2/token"),
//!     ("sasl.oauthbearer.client.credentials.client.id", "orders"),
//!     ("sasl.oauthbearer.client.credentials.client.secret", "hunter2"),
//!     ("sasl.oauthbearer.scope", "kafka"),
//! ])?;
//! klamm_auth::provide(&mut settings)?;
//! // Kafka::from_settings(&settings) ...
//! # Ok(())
//! # }
//! ```
//!
//! By hand: `oidc::Oidc`, `aws::MskIam` or `gssapi::Kerberos`, or [`serve`] with a function of one's own.
//!
//! # Features
//!
//! `oidc` (default) brings an HTTP client with TLS, `keystores` decrypts keys of assertions, `aws-msk-iam` signs for
//! AWS, `gssapi` binds the system's Kerberos library, which has to be there when it is built (on Debian `libkrb5-dev`
//! and `libclang-dev`) and when it runs.
#![cfg_attr(not(feature = "gssapi"), forbid(unsafe_code))]

#[cfg(feature = "aws-msk-iam")]
pub mod aws;
mod encode;
#[cfg(feature = "gssapi")]
pub mod gssapi;
#[cfg(feature = "oidc")]
pub mod oidc;
mod serve;
mod settings;

pub use serve::serve;
pub use settings::provide;

#[cfg(doc)]
use klamm_engine::Sasl;
