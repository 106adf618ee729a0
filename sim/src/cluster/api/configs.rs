//! DescribeConfigs (32).

use klamm_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};
use klamm_protocol::{ErrorCode, Str};

use super::{Reply, Serve};
use crate::cluster::topics::name;
use crate::cluster::topics::settings::{Kind, SETTINGS, Setting, Settings};
use crate::cluster::{Cluster, Origin};

/// Where a value comes from.
pub(crate) mod source {
    pub(crate) const TOPIC: i8 = 1;
    pub(crate) const STATIC_BROKER: i8 = 4;
    pub(crate) const DEFAULT: i8 = 5;
}

/// Kinds of resources.
pub(super) mod resource {
    pub(crate) const TOPIC: i8 = 2;
    pub(crate) const BROKER: i8 = 4;
}

impl Serve for DescribeConfigsRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<DescribeConfigsResponse> {
        let describe = |resource: &DescribeConfigsResource| {
            let configs = match resource.resource_type {
                resource::TOPIC => topic_configs(cluster, resource, &self, origin.version),
                resource::BROKER => broker_configs(cluster, resource),
                _ => Err(ErrorCode::INVALID_REQUEST),
            };
            match configs {
                Ok(configs) => DescribeConfigsResult { configs, ..result(resource) },
                // Of a topic that is not there nothing more is said.
                Err(error @ ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => {
                    DescribeConfigsResult { error_code: error, ..result(resource) }
                }
                Err(error) => failed(resource, error),
            }
        };
        let results = self.resources.iter().map(describe).collect();
        Reply::Now(DescribeConfigsResponse { results, ..DescribeConfigsResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> DescribeConfigsResponse {
        let results = self.resources.iter().map(|resource| failed(resource, error)).collect();
        DescribeConfigsResponse { results, ..DescribeConfigsResponse::default() }
    }
}

fn result(resource: &DescribeConfigsResource) -> DescribeConfigsResult {
    DescribeConfigsResult {
        error_message: Some(Str::default()),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        ..DescribeConfigsResult::default()
    }
}

fn failed(resource: &DescribeConfigsResource, error: ErrorCode) -> DescribeConfigsResult {
    DescribeConfigsResult {
        error_code: error,
        error_message: error.name().map(Into::into),
        ..result(resource)
    }
}

fn is_wanted(resource: &DescribeConfigsResource, name: &str) -> bool {
    let keys = resource.configuration_keys.as_ref();
    keys.is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| *key == name))
}

fn topic_configs(
    cluster: &Cluster,
    resource: &DescribeConfigsResource,
    request: &DescribeConfigsRequest,
    version: i16,
) -> Result<Vec<DescribeConfigsResourceResult>, ErrorCode> {
    name::check(&resource.resource_name).map_err(|_| ErrorCode::INVALID_TOPIC_EXCEPTION)?;
    let topic = cluster.topics.get(&resource.resource_name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let wanted = SETTINGS.iter().filter(|setting| is_wanted(resource, setting.name));
    let described = wanted.map(|setting| {
        let mut config = topic_config(&topic.settings, setting, request.include_synonyms);
        // Version 0 says this instead of the source.
        config.is_default = version == 0 && config.config_source == source::DEFAULT;
        config
    });
    Ok(described.collect())
}

fn topic_config(
    settings: &Settings,
    setting: &Setting,
    with_synonyms: bool,
) -> DescribeConfigsResourceResult {
    let (value, is_own) = settings.get(setting);
    let from = if is_own { source::TOPIC } else { source::DEFAULT };
    let synonym = DescribeConfigsSynonym {
        name: Str::from_static(setting.name),
        value: Some(value.clone()),
        source: from,
        ..DescribeConfigsSynonym::default()
    };
    DescribeConfigsResourceResult {
        name: Str::from_static(setting.name),
        documentation: None,
        value: Some(value),
        config_source: from,
        synonyms: if with_synonyms { vec![synonym] } else { Vec::new() },
        config_type: match setting.kind {
            Kind::Boolean => 1,
            Kind::Choice(_) => 2,
            Kind::Int(_) => 3,
            Kind::Long(_) => 5,
            Kind::Double => 6,
            Kind::List(_) => 7,
        },
        ..DescribeConfigsResourceResult::default()
    }
}

fn broker_configs(
    cluster: &Cluster,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, ErrorCode> {
    let id = resource.resource_name.parse().map_err(|_| ErrorCode::INVALID_REQUEST)?;
    cluster.broker(id).ok_or(ErrorCode::INVALID_REQUEST)?;
    let config = &cluster.config;
    let values = [
        ("auto.create.topics.enable", config.auto_create_topics.to_string(), 1),
        ("broker.id", id.to_string(), 3),
        ("default.replication.factor", config.default_replication().to_string(), 3),
        ("message.max.bytes", config.max_message_bytes.to_string(), 3),
        ("min.insync.replicas", config.min_insync_replicas.to_string(), 3),
        ("num.partitions", config.partitions.to_string(), 3),
    ];
    let described = |(name, value, config_type): (&'static str, String, i8)| DescribeConfigsResourceResult {
        name: Str::from_static(name),
        documentation: None,
        value: Some(Str::from(value)),
        read_only: true,
        config_source: source::STATIC_BROKER,
        config_type,
        ..DescribeConfigsResourceResult::default()
    };
    Ok(values.into_iter().filter(|(name, ..)| is_wanted(resource, name)).map(described).collect())
}
