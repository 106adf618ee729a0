//! IncrementalAlterConfigs (44), KIP-339.

use klamm_protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use klamm_protocol::{ErrorCode, Str};

use super::alter_configs::{check_resource, check_values, refused, told};
use super::{Reply, Serve};
use crate::cluster::topics::settings::{Kind, SETTINGS, Settings};
use crate::cluster::{Cluster, CommandError, Origin};

/// What to do with a configuration.
mod operation {
    pub(super) const SET: i8 = 0;
    pub(super) const DELETE: i8 = 1;
    pub(super) const APPEND: i8 = 2;
    pub(super) const SUBTRACT: i8 = 3;
}

impl Serve for IncrementalAlterConfigsRequest {
    fn serve(self, cluster: &mut Cluster, _: &Origin) -> Reply<IncrementalAlterConfigsResponse> {
        // Kafka's controller fails on it inside, and changes nothing.
        let is_unknown = |config: &AlterableConfig| {
            !(operation::SET..=operation::SUBTRACT).contains(&config.config_operation)
        };
        if self.resources.iter().any(|resource| resource.configs.iter().any(is_unknown)) {
            let mut response = self.refuse(ErrorCode::UNKNOWN_SERVER_ERROR);
            response.responses.iter_mut().for_each(|resource| resource.error_message = None);
            return Reply::Now(response);
        }
        let keys: Vec<_> =
            self.resources.iter().map(|of| (of.resource_type, of.resource_name.clone())).collect();
        let alter = |resource: &AlterConfigsResource| {
            check_resource((resource.resource_type, &resource.resource_name), &keys)?;
            let changes = changes(&cluster.settings_of(&resource.resource_name), resource)?;
            cluster.alter_settings(&resource.resource_name, &changes, self.validate_only)
        };
        let results: Vec<_> = self.resources.iter().map(alter).collect();
        let responses =
            self.resources.iter().zip(results).map(|(resource, result)| outcome(resource, result));
        Reply::Now(IncrementalAlterConfigsResponse {
            responses: responses.collect(),
            ..IncrementalAlterConfigsResponse::default()
        })
    }

    fn refuse(&self, error: ErrorCode) -> IncrementalAlterConfigsResponse {
        let failed = |resource: &AlterConfigsResource| {
            outcome(resource, Err(refused(error, error.name().unwrap_or_default())))
        };
        IncrementalAlterConfigsResponse {
            responses: self.resources.iter().map(failed).collect(),
            ..IncrementalAlterConfigsResponse::default()
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

/// What a request makes of the configurations that it names.
fn changes<'a>(
    settings: &Settings,
    resource: &'a AlterConfigsResource,
) -> Result<Vec<(&'a str, Option<Str>)>, CommandError> {
    let names: Vec<&str> = resource.configs.iter().map(|config| config.name.as_str()).collect();
    let is_null =
        |config: &&AlterableConfig| config.value.is_none() && config.config_operation != operation::DELETE;
    let nulls: Vec<&str> =
        resource.configs.iter().filter(is_null).map(|config| config.name.as_str()).collect();
    check_values(&names, &nulls)?;
    let change = |config: &'a AlterableConfig| {
        let value = config.value.clone().unwrap_or_default();
        let value = match config.config_operation {
            operation::SET => Some(value),
            operation::DELETE => None,
            operation::APPEND => Some(changed_list(settings, config, |list, item| {
                if !list.contains(&item) {
                    list.push(item);
                }
            })?),
            _ => Some(changed_list(settings, config, |list, item| list.retain(|known| *known != item))?),
        };
        Ok((config.name.as_str(), value))
    };
    // Whether there is anything to delete is not asked.
    let is_known = |config: &&AlterableConfig| SETTINGS.iter().any(|setting| setting.name == config.name);
    let means_something =
        |config: &&AlterableConfig| config.config_operation != operation::DELETE || is_known(config);
    resource.configs.iter().filter(means_something).map(change).collect()
}

/// The value of a configuration that is a list, after each item of the request was put to `change`.
fn changed_list(
    settings: &Settings,
    config: &AlterableConfig,
    change: impl Fn(&mut Vec<String>, String),
) -> Result<Str, CommandError> {
    let setting = SETTINGS.iter().find(|setting| setting.name == config.name);
    let setting = setting.ok_or_else(|| {
        refused(ErrorCode::INVALID_CONFIG, format!("Unknown topic config name: {}", config.name))
    })?;
    if !matches!(setting.kind, Kind::List(_)) {
        let verb = if config.config_operation == operation::APPEND { "APPEND to" } else { "SUBTRACT from" };
        let text = format!("Can't {verb} key {} because its type is not LIST.", config.name);
        return Err(refused(ErrorCode::INVALID_CONFIG, text));
    }
    let items = |text: &str| -> Vec<String> {
        text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
    };
    let mut list = items(&settings.get(setting).0);
    let asked = config.value.as_deref().unwrap_or_default();
    items(asked).into_iter().for_each(|item| change(&mut list, item));
    Ok(Str::from(list.join(",")))
}
