//! The adapters under test, each behind the traits of [`crate::client`].

mod asynchronous;
mod blocking;

mod convert;
mod held;
mod tunnel;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use klamm_engine::Proxy;

use crate::Outcome;
use crate::client::Client;
use crate::security::Credentials;
use asynchronous::{AsyncClient, Executor};
use blocking::BlockingClient;

/// How a client gets to its brokers.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// What it shows.
    pub credentials: Credentials,
    /// Through which proxy.
    pub proxy: Option<Proxy>,
    /// Through which [tunnel](crate::relay::Relay::tunnel), by a connector of its own.
    pub tunnel: Option<PathBuf>,
}

/// An adapter, and for tokio its flavour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapter {
    /// tokio with several threads.
    Tokio,
    /// tokio on the threads that wait for it.
    TokioCurrentThread,
    /// smol.
    Smol,
    /// async-std.
    AsyncStd,
    /// Plain threads.
    Blocking,
}

impl Adapter {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Tokio, Self::TokioCurrentThread, Self::Smol, Self::AsyncStd, Self::Blocking];

    /// The part of a test's name that tells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::TokioCurrentThread => "tokio-current-thread",
            Self::Smol => "smol",
            Self::AsyncStd => "async-std",
            Self::Blocking => "blocking",
        }
    }

    /// A client that found its cluster in this time, and gives each later request and each new topic as much.
    ///
    /// # Errors
    /// When it did not.
    pub fn connect_within(
        self,
        bootstrap: &[String],
        credentials: Credentials,
        timeout: Duration,
    ) -> Outcome<Box<dyn Client>> {
        self.connect_by(bootstrap, Way { credentials, ..Way::default() }, timeout)
    }

    /// The same, on this way.
    ///
    /// # Errors
    /// When it did not find its cluster.
    pub fn connect_by(self, bootstrap: &[String], way: Way, timeout: Duration) -> Outcome<Box<dyn Client>> {
        let Way { credentials, proxy, tunnel } = way;
        macro_rules! configured {
            ($kafka:ty, $tunnel:path) => {{
                let mut builder = <$kafka>::builder(bootstrap)
                    .connect_timeout(timeout)
                    .connection_setup_timeout(timeout.min(Duration::from_secs(10)))
                    .request_timeout(timeout)
                    .unknown_topic_timeout(timeout)
                    // Scenarios make their topics themselves.
                    .allow_auto_topic_creation(false);
                if let Some(tls) = credentials.tls {
                    builder = builder.tls(tls);
                }
                if let Some(sasl) = credentials.sasl {
                    builder = builder.sasl(sasl);
                }
                if let Some(proxy) = proxy {
                    builder = builder.proxy(proxy);
                }
                if let Some(path) = tunnel {
                    builder = builder.connector($tunnel(path));
                }
                builder
            }};
        }
        macro_rules! asynchronous {
            ($kafka:ty, $executor:expr, $tunnel:path) => {{
                let executor = $executor;
                let kafka = executor.block_on(configured!($kafka, $tunnel).connect())?;
                Ok(Box::new(AsyncClient::new(kafka, executor, timeout)))
            }};
        }
        match self {
            Self::Tokio => {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                let runtime = builder.worker_threads(2).enable_all().build()?;
                asynchronous!(klamm_tokio::Kafka, Executor::Tokio(Arc::new(runtime)), tunnel::tokio)
            }
            Self::TokioCurrentThread => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                asynchronous!(klamm_tokio::Kafka, Executor::Tokio(Arc::new(runtime)), tunnel::tokio)
            }
            Self::Blocking => {
                let kafka = configured!(klamm_blocking::Kafka, tunnel::blocking).connect()?;
                Ok(Box::new(BlockingClient::new(kafka, timeout)))
            }
            Self::Smol => asynchronous!(klamm_async_std::smol::Kafka, Executor::Smol, tunnel::smol),
            Self::AsyncStd => {
                asynchronous!(klamm_async_std::async_std::Kafka, Executor::AsyncStd, tunnel::async_std)
            }
        }
    }
}
