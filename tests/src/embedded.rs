//! The embedded broker as a cluster of scenarios.

use std::time::Duration;

use klamm_sim::EmbeddedCluster;

use crate::Outcome;
use crate::cluster::ClusterSpec;

/// Embedded brokers, numbered from 1 as the real ones are.
#[derive(Debug)]
pub(crate) struct Embedded(EmbeddedCluster);

impl Embedded {
    /// Members by KIP-848 may be silent for the first time of `session` and are to be heard from after the second.
    pub(crate) fn start(spec: &ClusterSpec, session: Option<(Duration, Duration)>) -> Outcome<Self> {
        let brokers = i32::try_from(spec.brokers)?;
        let builder = EmbeddedCluster::builder().brokers(brokers).kafka_version(spec.version);
        let builder = match spec.max_group_size {
            Some(members) => builder.max_group_size(usize::try_from(members)?),
            None => builder,
        };
        let builder = match session {
            Some((timeout, heartbeat)) => {
                builder.consumer_session_timeout(timeout).consumer_heartbeat_interval(heartbeat)
            }
            None => builder,
        };
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

    pub(crate) fn pause(&self, broker: u32) -> Outcome<()> {
        Ok(self.0.pause(i32::try_from(broker)?)?)
    }

    pub(crate) fn resume(&self, broker: u32) -> Outcome<()> {
        Ok(self.0.resume(i32::try_from(broker)?)?)
    }

    pub(crate) fn restart(&self, broker: u32) -> Outcome<()> {
        Ok(self.0.restart(i32::try_from(broker)?)?)
    }
}
