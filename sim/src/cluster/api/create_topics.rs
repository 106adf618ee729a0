//! CreateTopics (19).

use std::collections::BTreeMap;

use klamm_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use klamm_protocol::{ErrorCode, Str};

use super::configs::source;
use super::{Reply, Serve};
use crate::cluster::topics::Topic;
use crate::cluster::topics::creation::NewTopic;
use crate::cluster::topics::settings::SETTINGS;
use crate::cluster::{Cluster, CommandError, Origin};

impl Serve for CreateTopicsRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<CreateTopicsResponse> {
        let mut named: BTreeMap<&Str, usize> = BTreeMap::new();
        for topic in &self.topics {
            *named.entry(&topic.name).or_default() += 1;
        }
        let mut topics = Vec::new();
        for topic in &self.topics {
            topics.push(match named.get(&topic.name) {
                Some(1) => create(cluster, origin, topic, self.validate_only),
                // Named more than once: one answer for all of them.
                Some(_) => {
                    named.remove(&topic.name);
                    failed(topic, ErrorCode::INVALID_REQUEST, Some("Duplicate topic name."))
                }
                None => continue,
            });
        }
        Reply::Now(CreateTopicsResponse { topics, ..CreateTopicsResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> CreateTopicsResponse {
        let refused = |topic| failed(topic, error, error.name());
        CreateTopicsResponse {
            topics: self.topics.iter().map(refused).collect(),
            ..CreateTopicsResponse::default()
        }
    }
}

fn failed(topic: &CreatableTopic, error: ErrorCode, message: Option<&str>) -> CreatableTopicResult {
    CreatableTopicResult {
        name: topic.name.clone(),
        error_code: error,
        error_message: message.map(Str::copy_of),
        num_partitions: -1,
        replication_factor: -1,
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    }
}

fn create(
    cluster: &mut Cluster,
    origin: &Origin,
    topic: &CreatableTopic,
    validate_only: bool,
) -> CreatableTopicResult {
    match try_create(cluster, origin, topic, validate_only) {
        Ok(result) => result,
        Err(error) => failed(topic, error.code, Some(&error.message)),
    }
}

fn try_create(
    cluster: &mut Cluster,
    origin: &Origin,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, CommandError> {
    let uses_defaults =
        topic.assignments.is_empty() && (topic.num_partitions == -1 || topic.replication_factor == -1);
    if origin.version < 4 && uses_defaults && !cluster.config.release.is_kraft() {
        let code = ErrorCode::UNSUPPORTED_VERSION;
        let message = "Creating topics with the default partitions or replication needs version 4".to_owned();
        return Err(CommandError { code, message });
    }
    let assignment = |placed: &klamm_protocol::messages::create_topics::CreatableReplicaAssignment| {
        (placed.partition_index, placed.broker_ids.to_vec())
    };
    let planned = cluster.plan_topic(&NewTopic {
        name: topic.name.clone(),
        partitions: topic.num_partitions,
        replication: topic.replication_factor,
        assignments: topic.assignments.iter().map(assignment).collect(),
        settings: topic.configs.iter().map(|config| (config.name.clone(), config.value.clone())).collect(),
    })?;
    let mut result = described(topic, &planned);
    result.topic_id = if validate_only {
        // The id that such a topic might have.
        cluster.new_topic_id()
    } else {
        cluster.add_topic(planned)
    };
    Ok(result)
}

fn described(topic: &CreatableTopic, planned: &Topic) -> CreatableTopicResult {
    let config = |setting| {
        let (value, is_own) = planned.settings.get(setting);
        CreatableTopicConfigs {
            name: Str::from_static(setting.name),
            value: Some(value),
            config_source: if is_own { source::TOPIC } else { source::DEFAULT },
            ..CreatableTopicConfigs::default()
        }
    };
    let replication = planned.image.partitions.first().map_or(0, |partition| partition.replicas.len());
    CreatableTopicResult {
        name: topic.name.clone(),
        error_message: None,
        num_partitions: i32::try_from(planned.partitions.len()).unwrap_or(-1),
        replication_factor: i16::try_from(replication).unwrap_or(-1),
        configs: Some(SETTINGS.iter().map(config).collect()),
        ..CreatableTopicResult::default()
    }
}
