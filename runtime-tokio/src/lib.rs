//! Klamm under tokio: a Kafka client made of deterministic state machines.
//!
//! ```no_run
//! use klamm_tokio::{Compression, Kafka, Record, StartAt};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
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
//! The types are those of `klamm-engine`; this crate brings sockets, timers, name resolution and tasks, on
//! multi-threaded and on current-thread runtimes. The client's tasks run on the runtime in which
//! [`KafkaBuilder::connect`] was called; they end with it.
//!
//! For the shortest latency on a multi-threaded runtime, send from a spawned task, as services do, not from the future
//! given to `block_on` or from `main`: a task that waits for an acknowledgement is then run by the thread that reads it,
//! where the other would be woken in a thread of its own (2.9 futex calls a record, against none).
#![forbid(unsafe_code)]

mod connection;
mod timer;

pub use connection::connector;
pub use klamm_engine::*;

use self::timer::Timer;

/// The runtime of this adapter.
#[derive(Clone, Copy, Debug)]
pub struct Tokio;

/// A client of one Kafka cluster, driven by tokio.
pub type Kafka = klamm_engine::Kafka<Tokio>;

/// Makes a [`Kafka`] client.
pub type KafkaBuilder = klamm_engine::KafkaBuilder<Tokio>;

impl Runtime for Tokio {
    type Clock = SystemClock;

    fn clock() -> Result<SystemClock, String> {
        Ok(SystemClock::new())
    }

    fn spawn(control: ControlTask, clock: SystemClock) -> Result<(), String> {
        let handle = tokio::runtime::Handle::try_current()
            .map_err(|_| String::from("connect() has to be called within a tokio runtime"))?;
        let spawn = move |task| {
            let run = drive::run_connection(task, clock, Timer::new(clock), connection::dial);
            drop(tokio::spawn(run));
        };
        handle.spawn(drive::run_control(control, clock, Timer::new(clock), spawn));
        Ok(())
    }
}
