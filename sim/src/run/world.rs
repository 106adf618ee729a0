//! A plan's world.

use std::time::Duration;

use crate::World;
use crate::cluster::{ClusterConfig, SaslUsers, TransactionConfig};
use crate::observe::Observe;
use crate::plan::Plan;
use crate::plan::setup::{ClusterLine, NetworkLine};
use crate::plan::values::SaslChoice;
use crate::world::{Chunking, Latency, NetworkConfig};

use super::Options;
use super::applications::{PASSWORD, USER, rack};

/// The world of a plan, with its topics, in which nothing has happened yet.
pub(super) fn build(plan: &Plan, options: Options, checker: Box<dyn Observe>) -> World {
    let mut builder = World::builder()
        .seed(plan.seed)
        .cluster(cluster(plan))
        .network(network(&plan.network))
        .schedule(options.schedule)
        .shift(options.shift)
        .keep_trace(options.keep_trace)
        .observer(checker);
    for observer in options.observers {
        builder = builder.observer(observer);
    }
    let world = builder.build();
    world.cluster(|cluster, _| {
        for (name, line) in &plan.topics {
            // A topic that cannot be is a topic that is not there.
            drop(cluster.create_topic(&name.to_string(), line.partitions, line.replication));
        }
    });
    world
}

fn cluster(plan: &Plan) -> ClusterConfig {
    let line = &plan.cluster;
    let transactions = TransactionConfig {
        marker_delay: Duration::ZERO..=line.markers,
        abort_interval: Duration::from_secs(1),
        ..TransactionConfig::default()
    };
    ClusterConfig {
        transactions,
        brokers: line.brokers,
        release: line.version,
        seed: plan.seed,
        auto_create_topics: line.auto_create,
        min_insync_replicas: line.min_insync,
        max_message_bytes: line.max_message,
        replication_latency: line.replication,
        replica_max_lag: line.max_lag,
        metadata_latency: line.metadata,
        flush_interval: line.flush,
        racks: (0..line.brokers.unsigned_abs())
            .filter_map(|broker| broker.checked_rem(line.racks))
            .map(rack)
            .collect(),
        rack_aware_reads: line.racks > 0,
        sasl: users(line),
        ..ClusterConfig::default()
    }
}

/// Whom the brokers let in, if not everybody.
fn users(line: &ClusterLine) -> Option<SaslUsers> {
    (line.sasl != SaslChoice::None).then(|| SaslUsers {
        passwords: [(USER.to_owned(), PASSWORD.into())].into(),
        max_reauth: (!line.reauth.is_zero()).then_some(line.reauth),
        ..SaslUsers::default()
    })
}

fn network(line: &NetworkLine) -> NetworkConfig {
    let latency =
        Latency { base: line.latency, jitter: line.jitter, slow_one_in: line.slow_one_in, slow: line.slow };
    NetworkConfig {
        latency,
        chunking: Chunking {
            split_one_in: line.split_one_in,
            longest_piece: line.piece,
            most_pieces: line.pieces,
        },
        bandwidth: (line.bandwidth > 0).then_some(line.bandwidth),
        send_buffer: line.buffers,
        receive_buffer: line.buffers,
        resolving: latency,
        ..NetworkConfig::default()
    }
}
