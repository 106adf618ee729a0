//! Klamm under smol and under async-std: a Kafka client made of deterministic state machines.
//!
//! Both share the reactor of `async-io`, so both share this adapter; they differ in how tasks are spawned and names
//! resolved. Feature `smol` (default) brings the module [`smol`], feature `async-std` the module `async_std`. async-std
//! is discontinued in favour of smol.
//!
//! ```no_run
//! # #[cfg(feature = "smol")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use klamm_async_std::{Compression, Record, StartAt, smol::Kafka};
//!
//! let kafka = Kafka::builder(["localhost:9092"]).client_id("orders").connect().await?;
//!
//! let producer = kafka.producer().compression(Compression::Lz4).build()?;
//! let written = producer.send(Record::to("orders").key("customer-7").value("3 apples")).await?;
//! println!("partition {}, offset {:?}", written.partition, written.offset);
//!
//! let consumer = kafka.consumer().assign([("orders", 0, StartAt::Earliest)]).build()?;
//! let batch = consumer.next_batch().await?;
//! for record in batch.records() {
//!     println!("{}: {:?}", record.offset, record.value);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The client's tasks run on the global executor, which either runtime starts by itself.
#![forbid(unsafe_code)]

#[cfg(any(feature = "smol", feature = "async-std"))]
mod connection;
#[cfg(any(feature = "smol", feature = "async-std"))]
mod timer;

#[cfg(any(feature = "smol", feature = "async-std"))]
pub use connection::connector;
pub use klamm_engine::*;

/// Klamm under smol.
#[cfg(feature = "smol")]
pub mod smol {
    use klamm_engine::{ControlTask, Runtime, SystemClock};

    use crate::connection::{self, Host};

    /// The runtime of this adapter.
    #[derive(Clone, Copy, Debug)]
    pub struct Smol;

    /// A client of one Kafka cluster, driven by smol.
    pub type Kafka = klamm_engine::Kafka<Smol>;

    /// Makes a [`Kafka`] client.
    pub type KafkaBuilder = klamm_engine::KafkaBuilder<Smol>;

    impl Runtime for Smol {
        type Clock = SystemClock;

        fn clock() -> Result<SystemClock, String> {
            Ok(SystemClock::new())
        }

        fn spawn(control: ControlTask, clock: SystemClock) -> Result<(), String> {
            connection::start::<Self>(control, clock);
            Ok(())
        }
    }

    impl Host for Smol {
        fn spawn(task: impl Future<Output = ()> + Send + 'static) {
            ::smol::spawn(task).detach();
        }

        fn unblock<T: Send + 'static>(
            work: impl FnOnce() -> T + Send + 'static,
        ) -> impl Future<Output = T> + Send {
            ::smol::unblock(work)
        }
    }
}

/// Klamm under async-std.
#[cfg(feature = "async-std")]
pub mod async_std {
    use klamm_engine::{ControlTask, Runtime, SystemClock};

    use crate::connection::{self, Host};

    /// The runtime of this adapter.
    #[derive(Clone, Copy, Debug)]
    pub struct AsyncStd;

    /// A client of one Kafka cluster, driven by async-std.
    pub type Kafka = klamm_engine::Kafka<AsyncStd>;

    /// Makes a [`Kafka`] client.
    pub type KafkaBuilder = klamm_engine::KafkaBuilder<AsyncStd>;

    impl Runtime for AsyncStd {
        type Clock = SystemClock;

        fn clock() -> Result<SystemClock, String> {
            Ok(SystemClock::new())
        }

        fn spawn(control: ControlTask, clock: SystemClock) -> Result<(), String> {
            connection::start::<Self>(control, clock);
            Ok(())
        }
    }

    impl Host for AsyncStd {
        fn spawn(task: impl Future<Output = ()> + Send + 'static) {
            drop(::async_std::task::spawn(task));
        }

        fn unblock<T: Send + 'static>(
            work: impl FnOnce() -> T + Send + 'static,
        ) -> impl Future<Output = T> + Send {
            ::async_std::task::spawn_blocking(work)
        }
    }
}
