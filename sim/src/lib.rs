//! A deterministic Kafka cluster for tests, simulated worlds, and the embedded broker.
//!
//! | to test | use | time | network |
//! |---|---|---|---|
//! | logic on `Producer` and `Consumer`, with faults, reproducibly | [`World`] | simulated | simulated, with real bytes |
//! | a whole application under tokio, or a client in any language | [`EmbeddedCluster`] | real | loopback |
//! | a Kafka client's bytes by hand | [`cluster::Cluster`] | an argument | yours |
//!
//! All three are the same cluster, which does as real brokers of the named [`Release`] do: requests in as bytes,
//! responses out as bytes.
//!
//! # Your own logic in a unit test
//!
//! What an application does with a `Producer` and a `Consumer` names no runtime: the types of `klamm-tokio`,
//! `klamm-async-std` and of a [`World`] are those of `klamm-engine`. An `async fn` over them runs in a world, in
//! simulated time: this test takes milliseconds, whatever the timeouts.
//!
//! ```
//! use std::time::Duration;
//!
//! use klamm_engine::{Consumer, Producer, Record, StartAt};
//! use klamm_sim::{World, world::Host};
//!
//! /// What the application does: it copies records from one topic to another.
//! async fn copy(consumer: &Consumer, producer: &Producer, count: usize) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut copied = 0;
//!     while copied < count {
//!         let batch = consumer.next_batch().await?;
//!         for record in batch.records() {
//!             producer.send(Record::to("copies").partition(0).value(record.value.unwrap_or_default())).await?;
//!             copied += 1;
//!         }
//!     }
//!     Ok(())
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Three brokers that pretend to be Kafka 3.9. The seed determines everything that is left to chance.
//! let world = World::builder().seed(42).brokers(3).kafka_version("3.9")?.build();
//! world.cluster(|cluster, _| cluster.create_topic("orders", 1, 3))?;
//! world.cluster(|cluster, _| cluster.create_topic("copies", 1, 3))?;
//! let (shop, copier) = (world.kafka("shop"), world.kafka("copier"));
//!
//! // Trouble, by name and at its time.
//! let (clock, trouble) = (world.clone(), world.client("copier"));
//! drop(world.spawn("trouble", async move {
//!     clock.sleep(Duration::from_millis(800)).await;
//!     clock.network().partition(Host::Client(trouble), Host::EveryBroker);
//!     clock.sleep(Duration::from_secs(45)).await;
//!     clock.network().heal();
//! }));
//!
//! let done = world.block_on(async {
//!     let producer = shop.connect().await?.producer().build()?;
//!     for number in 0..100 {
//!         producer.send(Record::to("orders").value(format!("order {number}"))).await?;
//!     }
//!     let kafka = copier.connect().await?;
//!     let consumer = kafka.consumer().assign([("orders", 0, StartAt::Earliest)]).build()?;
//!     copy(&consumer, &kafka.producer().build()?, 100).await
//! }, Duration::from_secs(600));
//! // Too little time ends with a diagnosis: who waits, and what the clients know of their brokers.
//! done??;
//!
//! let copies = world.cluster(|cluster, _| cluster.records("copies", 0)).ok_or("no copies")?;
//! assert_eq!(copies.len(), 100, "each order once");
//! # Ok(())
//! # }
//! ```
//!
//! [`world`] tells of the faults, of virtual time, and of walking through all interleavings of a small world.
//!
//! # An application under tokio
//!
//! Code that connects by itself, starts tasks or uses tokio's timers is tested against the embedded broker, in real
//! time:
//!
//! ```
//! use klamm_sim::EmbeddedCluster;
//! use klamm_tokio::{Kafka, Record, StartAt};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let cluster = EmbeddedCluster::builder().brokers(3).kafka_version("4.2").start()?;
//!     cluster.create_topic("orders", 1, 3)?;
//!
//!     let kafka = Kafka::builder([cluster.bootstrap()]).connect().await?;
//!     let producer = kafka.producer().build()?;
//!     producer.send(Record::to("orders").value("3 apples")).await?;
//!     cluster.kill(1)?;
//!     producer.send(Record::to("orders").value("2 pears")).await?;
//!
//!     let consumer = kafka.consumer().assign([("orders", 0, StartAt::Earliest)]).build()?;
//!     let mut read = 0;
//!     while read < 2 {
//!         read += consumer.next_batch().await?.records().count();
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What is stable
//!
//! The crate follows semantic versioning, from its first release on.
//!
//! - *Names*: what is public here changes only with a breaking version. Enums and structs that will grow are
//!   `non_exhaustive`, and new faults, observations and options are no breaking changes.
//! - *Behaviour* is Kafka's. Where the cluster differs from Kafka it is wrong, and is corrected in any version.
//! - *Plans*: the text of a stored [`plan`] says its format's version in its first line, and later versions of the
//!   crate read it.
//! - *Seeds*: what a seed means, and with it [`World::trace_hash`], may change with any version: another draw
//!   anywhere changes all that follows. In one version a seed gives the same run, in debug and in release. To keep a
//!   run, store its plan.
#![forbid(unsafe_code)]

pub mod check;
pub mod cluster;
mod draws;
pub mod observe;
pub mod plan;
mod release;
pub mod run;
pub mod serve;
pub mod workload;
pub mod world;

pub use draws::{Domain, Draws};
pub use release::{Release, UnknownRelease};

pub use serve::EmbeddedCluster;
pub use world::{Kafka, World};
