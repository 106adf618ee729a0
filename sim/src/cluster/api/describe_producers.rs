//! DescribeProducers (61).

use klamm_protocol::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::session::TopicRef;
use crate::cluster::{Cluster, Origin, producers};

impl Serve for DescribeProducersRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<DescribeProducersResponse> {
        Reply::Now(answer(&self, |topic, index| describe(cluster, origin, topic, index)))
    }

    fn refuse(&self, error: ErrorCode) -> DescribeProducersResponse {
        answer(self, |_, _| Err(error))
    }
}

fn answer(
    request: &DescribeProducersRequest,
    result: impl Fn(&Str, i32) -> Result<Vec<ProducerState>, ErrorCode>,
) -> DescribeProducersResponse {
    let topics = request.topics.iter().map(|topic| {
        let partition = |&partition_index: &i32| match result(&topic.name, partition_index) {
            Ok(active_producers) => {
                PartitionResponse { partition_index, active_producers, ..PartitionResponse::default() }
            }
            Err(error_code) => PartitionResponse {
                partition_index,
                error_code,
                error_message: error_code.name().map(Str::from_static),
                ..PartitionResponse::default()
            },
        };
        TopicResponse {
            name: topic.name.clone(),
            partitions: topic.partition_indexes.iter().map(partition).collect(),
            ..TopicResponse::default()
        }
    });
    DescribeProducersResponse { topics: topics.collect(), ..DescribeProducersResponse::default() }
}

fn describe(
    cluster: &Cluster,
    origin: &Origin,
    topic: &Str,
    index: i32,
) -> Result<Vec<ProducerState>, ErrorCode> {
    let (_, replica) = cluster.led(origin, &TopicRef::Name(topic.clone()), index, -1)?;
    Ok(replica.known_producers().states().map(state).collect())
}

fn state(known: producers::ProducerState) -> ProducerState {
    ProducerState {
        producer_id: known.id,
        producer_epoch: i32::from(known.epoch),
        last_sequence: known.last_sequence,
        last_timestamp: known.last_timestamp,
        coordinator_epoch: known.coordinator_epoch,
        current_txn_start_offset: known.transaction.unwrap_or(-1),
        ..ProducerState::default()
    }
}
