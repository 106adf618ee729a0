//! WriteTxnMarkers (27), as an operator sends it to end a transaction that hangs (KIP-664).

use klamm_protocol::messages::write_txn_markers::{
    WritableTxnMarker, WritableTxnMarkerPartitionResult, WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::producers::Marker;
use crate::cluster::session::TopicRef;
use crate::cluster::{Cluster, Origin};

/// From this version of transactions on the epoch rises with each.
const FIRST_WITH_BUMP: i8 = 2;

impl Serve for WriteTxnMarkersRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<WriteTxnMarkersResponse> {
        Reply::Now(answer(&self, |marker, topic, index| {
            write(cluster, origin, marker, topic, index).err().unwrap_or(ErrorCode::NONE)
        }))
    }

    fn refuse(&self, error: ErrorCode) -> WriteTxnMarkersResponse {
        answer(self, |_, _, _| error)
    }
}

fn answer(
    request: &WriteTxnMarkersRequest,
    mut result: impl FnMut(&WritableTxnMarker, &Str, i32) -> ErrorCode,
) -> WriteTxnMarkersResponse {
    let markers = request.markers.iter().map(|marker| {
        let topics = marker.topics.iter().map(|topic| {
            let partitions =
                topic.partition_indexes.iter().map(|&partition_index| WritableTxnMarkerPartitionResult {
                    partition_index,
                    error_code: result(marker, &topic.name, partition_index),
                    ..WritableTxnMarkerPartitionResult::default()
                });
            WritableTxnMarkerTopicResult {
                name: topic.name.clone(),
                partitions: partitions.collect(),
                ..WritableTxnMarkerTopicResult::default()
            }
        });
        WritableTxnMarkerResult {
            producer_id: marker.producer_id,
            topics: topics.collect(),
            ..WritableTxnMarkerResult::default()
        }
    });
    WriteTxnMarkersResponse { markers: markers.collect(), ..WriteTxnMarkersResponse::default() }
}

fn write(
    cluster: &mut Cluster,
    origin: &Origin,
    asked: &WritableTxnMarker,
    topic: &Str,
    index: i32,
) -> Result<(), ErrorCode> {
    let topic = TopicRef::Name(topic.clone());
    cluster.hosted(origin, &topic, index, -1).map_err(|error| match error {
        ErrorCode::NOT_LEADER_OR_FOLLOWER => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        error => error,
    })?;
    cluster.led(origin, &topic, index, -1)?;
    let (known, _) = cluster.topic_at(origin.broker, &topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let marker = Marker {
        producer_id: asked.producer_id,
        producer_epoch: asked.producer_epoch,
        commit: asked.transaction_result,
        coordinator_epoch: asked.coordinator_epoch,
        is_bumped: asked.transaction_version >= FIRST_WITH_BUMP,
    };
    let place = (known.id(), index, origin.broker);
    cluster.append_marker(origin.now, place, &marker, None)
}
