//! DeleteTopics (20).

use klamm_protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::{Cluster, Origin};

impl Serve for DeleteTopicsRequest {
    fn serve(self, cluster: &mut Cluster, _: &Origin) -> Reply<DeleteTopicsResponse> {
        let wanted = wanted(&self);
        let delete = |(index, topic): (usize, &DeleteTopicState)| {
            let repeated = wanted.iter().enumerate().any(|(other, known)| other != index && known == topic);
            let result = if repeated { Err(ErrorCode::INVALID_REQUEST) } else { delete(cluster, topic) };
            match result {
                Ok(name) => {
                    DeletableTopicResult { name: Some(name), topic_id: topic.topic_id, ..Default::default() }
                }
                Err(error) => failed(topic, error),
            }
        };
        let responses = wanted.iter().enumerate().map(delete).collect();
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

fn delete(cluster: &mut Cluster, topic: &DeleteTopicState) -> Result<Str, ErrorCode> {
    let name = match (&topic.name, topic.topic_id.is_zero()) {
        (Some(name), true) => name.clone(),
        (None, false) => cluster.topics.name_of(topic.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?.clone(),
        _ => return Err(ErrorCode::INVALID_REQUEST),
    };
    if cluster.remove_topic(&name) { Ok(name) } else { Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) }
}
