//! A deterministic Kafka cluster for tests, and the embedded broker.
//!
//! - [`cluster`]: brokers, topics, logs and sessions as one deterministic machine: requests in as bytes,
//!   responses out as bytes, no clock and no I/O.
//! - [`serve`]: the same cluster on TCP, for any Kafka client in any language.
//! - [`Release`]: the Kafka release that a cluster pretends to be.
//!
//! ```
//! use klamm_sim::EmbeddedCluster;
//!
//! let cluster = EmbeddedCluster::builder().brokers(3).kafka_version("4.2").start()?;
//! cluster.create_topic("greetings", 6, 3)?;
//! println!("bootstrap servers: {}", cluster.bootstrap());
//! # assert_eq!(cluster.bootstrap().split(',').count(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod check;
pub mod cluster;
mod draws;
pub mod observe;
pub mod plan;
mod release;
pub mod serve;
pub mod workload;
pub mod world;

pub use draws::{Domain, Draws};
pub use release::{Release, UnknownRelease};

pub use serve::EmbeddedCluster;
pub use world::{Kafka, World};
