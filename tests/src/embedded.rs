//! The embedded broker as a cluster of scenarios.

use klamm_sim::EmbeddedCluster;

use crate::Outcome;

/// Embedded brokers, numbered from 1 as the real ones are.
#[derive(Debug)]
pub(crate) struct Embedded(EmbeddedCluster);

impl Embedded {
    pub(crate) fn start(version: &str, brokers: u32) -> Outcome<Self> {
        let builder = EmbeddedCluster::builder().brokers(i32::try_from(brokers)?).kafka_version(version);
        // As the real ones are set up: see `tests/kafka/README.md`.
        let builder =
            if brokers == 3 { builder.min_insync_replicas(2).racks(["a", "b", "c"]) } else { builder };
        Ok(Self(builder.start()?))
    }

    pub(crate) fn bootstrap(&self) -> Vec<String> {
        self.0.addresses().iter().map(ToString::to_string).collect()
    }

    pub(crate) fn create_topic(&self, topic: &str, partitions: u16) -> Outcome<()> {
        Ok(self.0.create_topic(topic, partitions.into(), 1)?)
    }

    pub(crate) fn kill(&self, broker: u32) -> Outcome<()> {
        Ok(self.0.kill(i32::try_from(broker)?)?)
    }

    pub(crate) fn restart(&self, broker: u32) -> Outcome<()> {
        Ok(self.0.restart(i32::try_from(broker)?)?)
    }
}
