//! CreatePartitions (37).

use std::collections::BTreeSet;

use klamm_protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::{Cluster, CommandError, Origin};

impl Serve for CreatePartitionsRequest {
    fn serve(self, cluster: &mut Cluster, _: &Origin) -> Reply<CreatePartitionsResponse> {
        let mut named = BTreeSet::new();
        let once = self.topics.iter().filter(|topic| named.insert(&topic.name));
        let grow = |topic: &CreatePartitionsTopic| {
            let repeated = self.topics.iter().filter(|other| other.name == topic.name).count() > 1;
            let result = if repeated {
                Err(CommandError {
                    code: ErrorCode::INVALID_REQUEST,
                    message: "Duplicate topic name.".to_owned(),
                })
            } else {
                grow(cluster, topic, self.validate_only)
            };
            match result {
                Ok(()) => outcome(topic, ErrorCode::NONE, None),
                Err(error) => {
                    // Of a topic that is not there nothing more is said.
                    let is_missing = error.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
                    outcome(topic, error.code, (!is_missing).then_some(error.message.as_str()))
                }
            }
        };
        let results = once.map(grow).collect();
        Reply::Now(CreatePartitionsResponse { results, ..CreatePartitionsResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> CreatePartitionsResponse {
        let results = self.topics.iter().map(|topic| outcome(topic, error, error.name())).collect();
        CreatePartitionsResponse { results, ..CreatePartitionsResponse::default() }
    }
}

fn outcome(
    topic: &CreatePartitionsTopic,
    error: ErrorCode,
    message: Option<&str>,
) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult {
        name: topic.name.clone(),
        error_code: error,
        error_message: message.map(Str::copy_of),
        ..CreatePartitionsTopicResult::default()
    }
}

fn grow(
    cluster: &mut Cluster,
    topic: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), CommandError> {
    let assignments: Option<Vec<Vec<i32>>> = topic
        .assignments
        .as_ref()
        .map(|assignments| assignments.iter().map(|placed| placed.broker_ids.to_vec()).collect());
    let replicas = cluster.plan_partitions(&topic.name, topic.count, assignments.as_deref())?;
    if !validate_only {
        cluster.add_partitions(&topic.name, replicas);
    }
    Ok(())
}
