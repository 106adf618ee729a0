//! What the tests of replication share.

use std::time::Duration;

use klamm_protocol::messages::produce::{PartitionProduceResponse, ProduceResponse};
use klamm_sim::cluster::{ClusterConfig, ConnectionId};

use crate::wire::{Got, Wire, plain};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// A cluster of three brokers of 4.2 and a topic `t` with one partition on all of them, led by the first one.
pub(crate) fn three(change: impl FnOnce(&mut ClusterConfig)) -> Wire {
    let mut config = ClusterConfig::default();
    config.brokers = 3;
    change(&mut config);
    let mut wire = Wire::new(config);
    wire.cluster.handle_timeout(wire.now);
    wire.cluster.create_topic("t", 1, 3).unwrap();
    wire
}

impl Wire {
    /// Lets time pass in steps in which something is due, so that nothing happens late.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.cluster.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.cluster.handle_timeout(self.now);
        }
        self.now = end;
        self.cluster.handle_timeout(end);
    }

    /// Sends one record to a broker, which may let it wait.
    pub(crate) fn offer(&mut self, broker: i32, acks: i16, value: &str) -> ConnectionId {
        let connection = self.connect(broker);
        let request = self.produce_request(9, acks, plain(&[value]));
        self.send(connection, 9, &request);
        connection
    }

    /// The answer to [`Wire::offer`], if there is one.
    pub(crate) fn outcome(&mut self) -> Option<PartitionProduceResponse> {
        match self.next::<ProduceResponse>().1 {
            Got::Response(mut response) => Some(response.responses.remove(0).partition_responses.remove(0)),
            Got::Nothing => None,
            Got::Closed => panic!("the connection was closed"),
        }
    }

    /// The end of a broker's log, and its high watermark.
    pub(crate) fn ends(&self, broker: i32) -> (i64, i64) {
        let replica = self.cluster.replica("t", 0, broker).unwrap();
        (replica.log_end_offset, replica.high_watermark)
    }

    pub(crate) fn leader(&self) -> (Option<i32>, i32, Vec<i32>) {
        let state = self.cluster.partition("t", 0).unwrap();
        (state.leader, state.leader_epoch, state.isr)
    }
}
