//! AlterConfigs (33): what is not named goes back to its default. Superseded by IncrementalAlterConfigs.

use klamm_protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};
use klamm_protocol::{ErrorCode, Str};

use super::configs::resource;
use super::{Reply, Serve};
use crate::cluster::topics::name;
use crate::cluster::topics::settings::{SETTINGS, Settings};
use crate::cluster::{Cluster, CommandError, Origin};

impl Serve for AlterConfigsRequest {
    fn serve(self, cluster: &mut Cluster, _: &Origin) -> Reply<AlterConfigsResponse> {
        let keys: Vec<_> =
            self.resources.iter().map(|of| (of.resource_type, of.resource_name.clone())).collect();
        let alter = |resource: &AlterConfigsResource| {
            let names: Vec<&str> = resource.configs.iter().map(|config| config.name.as_str()).collect();
            let nulls: Vec<&str> = resource
                .configs
                .iter()
                .filter(|config| config.value.is_none())
                .map(|config| config.name.as_str())
                .collect();
            check_resource((resource.resource_type, &resource.resource_name), &keys)
                .and_then(|()| check_values(&names, &nulls))
                .and_then(|()| cluster.replace_settings(resource, self.validate_only))
        };
        let results: Vec<_> = self.resources.iter().map(alter).collect();
        let responses =
            self.resources.iter().zip(results).map(|(resource, result)| outcome(resource, result));
        Reply::Now(AlterConfigsResponse { responses: responses.collect(), ..AlterConfigsResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> AlterConfigsResponse {
        let refused = |resource: &AlterConfigsResource| {
            let message = error.name().unwrap_or_default().to_owned();
            outcome(resource, Err(CommandError { code: error, message }))
        };
        AlterConfigsResponse {
            responses: self.resources.iter().map(refused).collect(),
            ..AlterConfigsResponse::default()
        }
    }
}

fn outcome(
    resource: &AlterConfigsResource,
    result: Result<(), CommandError>,
) -> AlterConfigsResourceResponse {
    let (error_code, error_message) = told(result);
    AlterConfigsResourceResponse {
        error_code,
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        ..AlterConfigsResourceResponse::default()
    }
}

/// A result as responses say it.
pub(super) fn told(result: Result<(), CommandError>) -> (ErrorCode, Option<Str>) {
    match result {
        Ok(()) => (ErrorCode::NONE, None),
        Err(error) => (error.code, Some(Str::from(error.message))),
    }
}

pub(super) fn refused(code: ErrorCode, message: impl Into<String>) -> CommandError {
    CommandError { code, message: message.into() }
}

/// Refuses a resource that nobody can alter here, or that is among `all` more than once.
pub(super) fn check_resource((kind, name): (i8, &Str), all: &[(i8, Str)]) -> Result<(), CommandError> {
    if all.iter().filter(|(other, other_name)| *other == kind && other_name == name).count() > 1 {
        return Err(refused(ErrorCode::INVALID_REQUEST, "Each resource must appear at most once."));
    }
    match kind {
        resource::TOPIC if name.is_empty() => {
            Err(refused(ErrorCode::INVALID_REQUEST, "Default topic resources are not allowed."))
        }
        resource::TOPIC => {
            name::check(name).map_err(|text| refused(ErrorCode::INVALID_TOPIC_EXCEPTION, text))
        }
        resource::BROKER => {
            Err(refused(ErrorCode::INVALID_REQUEST, "Cannot update these configs dynamically"))
        }
        other => Err(refused(ErrorCode::INVALID_REQUEST, format!("Unexpected resource type {other}."))),
    }
}

/// Refuses names that come more than once, and values that are missing.
pub(super) fn check_values(names: &[&str], nulls: &[&str]) -> Result<(), CommandError> {
    let is_repeated = |name: &&str| names.iter().filter(|other| other == &name).count() > 1;
    if names.iter().any(is_repeated) {
        return Err(refused(ErrorCode::INVALID_REQUEST, "Error due to duplicate config keys"));
    }
    if !nulls.is_empty() {
        let text = format!("Null value not supported for : {}", nulls.join(","));
        return Err(refused(ErrorCode::INVALID_REQUEST, text));
    }
    Ok(())
}

impl Cluster {
    /// The configuration of a topic, to be tried on; that of a new one if there is no such topic.
    pub(super) fn settings_of(&self, topic: &str) -> Settings {
        let topic = self.topics.get(topic);
        topic.map_or_else(|| Settings::new(self.topic_defaults()), |topic| topic.settings.clone())
    }

    /// Gives values to configurations of a topic (`None`: the default), if all of them are valid.
    pub(super) fn alter_settings(
        &mut self,
        topic: &str,
        changes: &[(&str, Option<Str>)],
        validate_only: bool,
    ) -> Result<(), CommandError> {
        let mut tried = self.settings_of(topic);
        for (name, value) in changes {
            tried
                .set(name, value.as_deref())
                .map_err(|message| refused(ErrorCode::INVALID_CONFIG, message))?;
        }
        if self.topics.get(topic).is_none() {
            let text = format!("The topic '{topic}' does not exist.");
            return Err(refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, text));
        }
        if validate_only {
            return Ok(());
        }
        changes.iter().try_for_each(|(name, value)| self.configure_topic(topic, name, value.as_deref()))
    }

    fn replace_settings(
        &mut self,
        resource: &AlterConfigsResource,
        validate_only: bool,
    ) -> Result<(), CommandError> {
        let named = |name: &str| resource.configs.iter().any(|config| config.name == name);
        let others = SETTINGS.iter().map(|setting| setting.name).filter(|name| !named(name));
        let changes: Vec<(&str, Option<Str>)> = others
            .map(|name| (name, None))
            .chain(resource.configs.iter().map(|config| (config.name.as_str(), config.value.clone())))
            .collect();
        self.alter_settings(&resource.resource_name, &changes, validate_only)
    }
}
