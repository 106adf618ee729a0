//! Events for `tracing`, named by the semantic conventions of OpenTelemetry for messaging.

use klamm_core::connection::CloseReason;

use super::{ClientEvent, GroupChange};

const TARGET: &str = "klamm";

/// Whether an event goes to the log: what is told for each request does not, for the log of requests is another one.
pub(super) const fn wants(event: &ClientEvent) -> bool {
    !event.is_exchange() && !event.is_message()
}

/// Puts an event into the log. No lock is held: a subscriber may use the client.
pub(super) fn emit(event: &ClientEvent) {
    match event {
        ClientEvent::Connected { peer } => {
            tracing::debug!(
                            target: TARGET,
            {
                            messaging.system = "kafka",
                            server.address = %peer.address.host,
                            server.port = peer.address.port,
                            messaging.kafka.broker.id = peer.broker.map(|broker| broker.0)
            },
                            "connected"
                        );
        }
        ClientEvent::Disconnected { peer, reason, lost } => disconnected(peer, reason, *lost),
        ClientEvent::RequestFailed { peer, error } => {
            tracing::warn!(
                            target: TARGET,
            {
                            messaging.system = "kafka",
                            server.address = %peer.address.host,
                            server.port = peer.address.port,
                            error.message = %error
            },
                            "request failed"
                        );
        }
        ClientEvent::Throttled { peer, api, pause } => {
            tracing::info!(
                            target: TARGET,
            {
                            messaging.system = "kafka",
                            server.address = %peer.address.host,
                            server.port = peer.address.port,
                            api = %api,
                            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)
            },
                            "throttled"
                        );
        }
        ClientEvent::Group { group, change, .. } => group_changed(group, change),
        ClientEvent::BatchWritten { .. }
        | ClientEvent::BatchFailed { .. }
        | ClientEvent::BatchRead { .. } => {
            batch(event);
        }
        event => partition_changed(event),
    }
}

fn disconnected(peer: &super::Peer, reason: &CloseReason, lost: usize) {
    if matches!(reason, CloseReason::Idle | CloseReason::Local) {
        tracing::debug!(
                    target: TARGET,
        {
                    messaging.system = "kafka",
                    server.address = %peer.address.host,
                    server.port = peer.address.port,
                    reason = %reason
        },
                    "disconnected"
                );
    } else {
        tracing::warn!(
                    target: TARGET,
        {
                    messaging.system = "kafka",
                    server.address = %peer.address.host,
                    server.port = peer.address.port,
                    error.type = reason.label(),
                    error.message = %reason,
                    lost_requests = lost
        },
                    "disconnected"
                );
    }
}

fn batch(event: &ClientEvent) {
    match event {
        ClientEvent::BatchWritten { topic, partition, base_offset } => {
            tracing::trace!(
                            target: TARGET,
            {
                            messaging.system = "kafka",
                            messaging.operation.type = "send",
                            messaging.destination.name = %topic,
                            messaging.destination.partition.id = partition,
                            messaging.kafka.offset = base_offset
            },
                            "batch written"
                        );
        }
        ClientEvent::BatchFailed { topic, partition, error } => {
            tracing::error!(
                            target: TARGET,
            {
                            messaging.system = "kafka",
                            messaging.operation.type = "send",
                            messaging.destination.name = %topic,
                            messaging.destination.partition.id = partition,
                            error.message = ?error
            },
                            "batch failed"
                        );
        }
        ClientEvent::BatchRead { topic, partition, offsets, bytes, .. } => {
            tracing::trace!(
                            target: TARGET,
            {
                            messaging.system = "kafka",
                            messaging.operation.type = "receive",
                            messaging.destination.name = %topic,
                            messaging.destination.partition.id = partition,
                            messaging.kafka.offset = offsets.start,
                            next_offset = offsets.end,
                            bytes
            },
                            "batch read"
                        );
        }
        _ => {}
    }
}

fn partition_changed(event: &ClientEvent) {
    match event {
        ClientEvent::Reset { topic, partition, from, to, why, .. } => {
            tracing::info!(
                            target: TARGET,
            {
                            messaging.system = "kafka",
                            messaging.destination.name = %topic,
                            messaging.destination.partition.id = partition,
                            messaging.kafka.offset = to,
                            from,
                            why = ?why
            },
                            "position reset"
                        );
        }
        ClientEvent::Truncated { topic, partition, position, diverged_at, .. } => {
            tracing::warn!(
                            target: TARGET,
            {
                            messaging.system = "kafka",
                            messaging.destination.name = %topic,
                            messaging.destination.partition.id = partition,
                            messaging.kafka.offset = position,
                            diverged_at
            },
                            "log truncated"
                        );
        }
        ClientEvent::PartitionFailed { topic, partition, kind, retrying, .. } => {
            tracing::warn!(
                            target: TARGET,
            {
                            messaging.system = "kafka",
                            messaging.destination.name = %topic,
                            messaging.destination.partition.id = partition,
                            error.message = %kind,
                            retrying
            },
                            "partition failed"
                        );
        }
        _ => {}
    }
}

fn group_changed(group: &str, change: &GroupChange) {
    let (what, partitions, error) = match change {
        GroupChange::Assigned(partitions) => ("partitions assigned", partitions.len(), None),
        GroupChange::Revoking(partitions) => ("partitions revoked", partitions.len(), None),
        GroupChange::Lost(partitions, why) => ("partitions lost", partitions.len(), Some(format!("{why:?}"))),
        GroupChange::Trouble(error) => ("group trouble", 0, Some(error.to_string())),
        GroupChange::CommitFailed(error) => ("commit failed", 0, Some(error.to_string())),
        GroupChange::Failed(error) => ("membership failed", 0, Some(error.to_string())),
    };
    match error {
        None => tracing::info!(
                    target: TARGET,
        {
                    messaging.system = "kafka",
                    messaging.consumer.group.name = group,
                    partitions
        },
                    "{what}"
                ),
        Some(error) => tracing::warn!(
                    target: TARGET,
        {
                    messaging.system = "kafka",
                    messaging.consumer.group.name = group,
                    partitions,
                    error.message = error
        },
                    "{what}"
                ),
    }
}
