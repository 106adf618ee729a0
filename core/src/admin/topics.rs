//! Creating and deleting topics.

use alloc::{vec, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        create_topics::{
            CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicResult,
            CreateTopicsRequest, CreateTopicsResponse,
        },
        delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse},
    },
};

use super::{
    AdminError, CreatedTopic, NewTopic, PerItem,
    operation::{Ask, Verdict},
};
use crate::{Effect, Target};

/// Topics to be created.
#[derive(Debug)]
pub(super) struct Create {
    todo: Vec<NewTopic>,
    pub(super) validate_only: bool,
    pub(super) answers: PerItem<Str, CreatedTopic>,
}

impl Create {
    pub(super) const fn new(topics: Vec<NewTopic>, validate_only: bool) -> Self {
        Self { todo: topics, validate_only, answers: PerItem::new() }
    }

    pub(super) fn ask(&self, timeout_ms: i32) -> Vec<Ask> {
        if self.todo.is_empty() {
            return Vec::new();
        }
        let topics = self.todo.iter().map(creatable).collect();
        let request = CreateTopicsRequest {
            topics,
            timeout_ms,
            validate_only: self.validate_only,
            ..Default::default()
        };
        vec![Ask { to: Target::Controller, request: request.into(), max_version: i16::MAX }]
    }

    pub(super) fn answer(&mut self, response: CreateTopicsResponse, uncertain: bool) -> Verdict {
        let mut verdict = Verdict::default();
        let mut results = response.topics;
        self.todo.retain(|topic| {
            let Some(at) = results.iter().position(|result| result.name == topic.name) else {
                self.answers.insert(topic.name.clone(), Err(unmentioned()));
                return false;
            };
            let result = results.swap_remove(at);
            if passes(result.error_code, &mut verdict, &result.error_message) {
                return true;
            }
            let answer = created(result, uncertain);
            self.answers.insert(topic.name.clone(), answer);
            false
        });
        verdict
    }

    pub(super) fn give_up(&mut self, error: &AdminError) -> bool {
        let nothing_known = self.answers.is_empty();
        for topic in self.todo.drain(..) {
            self.answers.insert(topic.name, Err(error.clone()));
        }
        nothing_known
    }
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let assigned = !topic.assignments.is_empty();
    CreatableTopic {
        name: topic.name.clone(),
        num_partitions: if assigned { -1 } else { topic.partitions.unwrap_or(-1) },
        replication_factor: if assigned { -1 } else { topic.replication.unwrap_or(-1) },
        assignments: (topic.assignments.iter())
            .map(|(partition, brokers)| CreatableReplicaAssignment {
                partition_index: *partition,
                broker_ids: brokers.iter().map(|broker| broker.0).collect(),
                ..Default::default()
            })
            .collect(),
        configs: (topic.configs.iter())
            .map(|(name, value)| CreatableTopicConfig {
                name: name.clone(),
                value: Some(value.clone()),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    }
}

fn created(result: CreatableTopicResult, uncertain: bool) -> Result<CreatedTopic, AdminError> {
    if !result.error_code.is_ok() {
        let mut error = AdminError::refused(result.error_code, result.error_message);
        // An earlier attempt that got no answer may be why it exists.
        if uncertain && result.error_code == ErrorCode::TOPIC_ALREADY_EXISTS {
            error.effect = Effect::Unknown;
        }
        return Err(error);
    }
    Ok(CreatedTopic {
        id: result.topic_id,
        partitions: (result.num_partitions >= 0).then_some(result.num_partitions),
        replication: (result.replication_factor >= 0).then_some(result.replication_factor),
    })
}

/// Topics to be deleted.
#[derive(Debug)]
pub(super) struct Delete {
    todo: Vec<Str>,
    pub(super) answers: PerItem<Str, ()>,
}

impl Delete {
    /// The last version that names topics in one list of strings; every broker has it.
    const VERSION: i16 = 5;

    pub(super) const fn new(names: Vec<Str>) -> Self {
        Self { todo: names, answers: PerItem::new() }
    }

    pub(super) fn ask(&self, timeout_ms: i32) -> Vec<Ask> {
        if self.todo.is_empty() {
            return Vec::new();
        }
        let request =
            DeleteTopicsRequest { topic_names: self.todo.clone(), timeout_ms, ..Default::default() };
        vec![Ask { to: Target::Controller, request: request.into(), max_version: Self::VERSION }]
    }

    pub(super) fn answer(&mut self, response: DeleteTopicsResponse, uncertain: bool) -> Verdict {
        let mut verdict = Verdict::default();
        let mut results = response.responses;
        self.todo.retain(|topic| {
            let Some(at) = results.iter().position(|result| result.name.as_ref() == Some(topic)) else {
                self.answers.insert(topic.clone(), Err(unmentioned()));
                return false;
            };
            let result = results.swap_remove(at);
            // Here "unknown" is the broker's last word, not a sign of stale metadata.
            let unknown = result.error_code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            if !unknown && passes(result.error_code, &mut verdict, &result.error_message) {
                return true;
            }
            let mut answer = Ok(());
            if !result.error_code.is_ok() {
                let mut error = AdminError::refused(result.error_code, result.error_message);
                // An earlier attempt that got no answer may be why it is gone.
                if uncertain && unknown {
                    error.effect = Effect::Unknown;
                }
                answer = Err(error);
            }
            self.answers.insert(topic.clone(), answer);
            false
        });
        verdict
    }

    pub(super) fn give_up(&mut self, error: &AdminError) -> bool {
        let nothing_known = self.answers.is_empty();
        for topic in self.todo.drain(..) {
            self.answers.insert(topic, Err(error.clone()));
        }
        nothing_known
    }
}

/// Whether an error passes by itself, so that the item is asked for again.
fn passes(code: ErrorCode, verdict: &mut Verdict, message: &Option<Str>) -> bool {
    let passes = match code {
        ErrorCode::NOT_CONTROLLER => {
            verdict.refresh = true;
            true
        }
        // The topic exists or is gone, but not yet everywhere: what is asked next is what became of it.
        ErrorCode::REQUEST_TIMED_OUT | ErrorCode::THROTTLING_QUOTA_EXCEEDED => true,
        _ => false,
    };
    if passes {
        verdict.retry = Some((code, message.clone()));
    }
    passes
}

const fn unmentioned() -> AdminError {
    AdminError::new(super::AdminErrorKind::NoAnswer, Effect::Unknown)
}
