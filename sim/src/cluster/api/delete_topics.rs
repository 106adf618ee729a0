//! DeleteTopics (20).

use klamm_protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use klamm_protocol::{ErrorCode, Str, Uuid};

use super::{Reply, Serve};
use crate::cluster::topics::Topic;
use crate::cluster::{Cluster, Origin};

impl Serve for DeleteTopicsRequest {
    fn serve(self, cluster: &mut Cluster, _: &Origin) -> Reply<DeleteTopicsResponse> {
        let wanted = wanted(&self);
        let mut responses: Vec<DeletableTopicResult> = Vec::new();
        for topic in &wanted {
            let full = cluster.with_name_and_id(topic);
            let is_same = |other: &&DeleteTopicState| cluster.with_name_and_id(other) == full;
            if wanted.iter().filter(is_same).count() > 1 {
                // Named more than once, whether by name or by id: one answer for all of them.
                let is_repeated = wanted.iter().filter(|other| *other == topic).count() > 1;
                let response = failed(if is_repeated { topic } else { &full }, ErrorCode::INVALID_REQUEST);
                if !responses.contains(&response) {
                    responses.push(response);
                }
                continue;
            }
            responses.push(match delete(cluster, topic) {
                Ok(name) => {
                    DeletableTopicResult { name: Some(name), topic_id: full.topic_id, ..Default::default() }
                }
                Err(error) => failed(topic, error),
            });
        }
        Reply::Now(DeleteTopicsResponse { responses, ..DeleteTopicsResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> DeleteTopicsResponse {
        let responses = wanted(self).iter().map(|topic| failed(topic, error)).collect();
        DeleteTopicsResponse { responses, ..DeleteTopicsResponse::default() }
    }
}

/// The topics of a request of any version.
fn wanted(request: &DeleteTopicsRequest) -> Vec<DeleteTopicState> {
    let by_name = |name: &Str| DeleteTopicState { name: Some(name.clone()), ..DeleteTopicState::default() };
    request.topics.iter().cloned().chain(request.topic_names.iter().map(by_name)).collect()
}

fn failed(topic: &DeleteTopicState, error: ErrorCode) -> DeletableTopicResult {
    DeletableTopicResult {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        error_code: error,
        error_message: error.name().map(Into::into),
        ..DeletableTopicResult::default()
    }
}

impl Cluster {
    /// The topic by both its name and its id, as far as it is there.
    fn with_name_and_id(&self, topic: &DeleteTopicState) -> DeleteTopicState {
        let mut full = topic.clone();
        match (&topic.name, topic.topic_id.is_zero()) {
            (Some(name), true) => full.topic_id = self.topics.get(name).map_or(Uuid::ZERO, Topic::id),
            (None, false) => full.name = self.topics.name_of(topic.topic_id).cloned(),
            _ => {}
        }
        full
    }
}

fn delete(cluster: &mut Cluster, topic: &DeleteTopicState) -> Result<Str, ErrorCode> {
    let name = match (&topic.name, topic.topic_id.is_zero()) {
        (Some(name), true) => name.clone(),
        (None, false) => cluster.topics.name_of(topic.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?.clone(),
        _ => return Err(ErrorCode::INVALID_REQUEST),
    };
    if cluster.remove_topic(&name) { Ok(name) } else { Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) }
}
