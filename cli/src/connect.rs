//! The connection to the cluster, as every command makes it.

use std::time::Duration;

use klamm_blocking::{Admin, ConnectError, Kafka};

use crate::{args, error::CliError, settings, watch};

/// How long a topic may be unknown before that is an error. Brokers learn of a new topic within moments.
const UNKNOWN_TOPIC: Duration = Duration::from_secs(5);

/// Connects as `cluster` says.
pub(crate) fn connect(cluster: &args::Cluster) -> Result<Kafka, CliError> {
    let mut settings = settings::load(cluster)?;
    klamm_auth::provide(&mut settings).map_err(CliError::usage)?;
    let builder = Kafka::from_settings(&settings)
        .connect_timeout(timeout(cluster))
        .unknown_topic_timeout(timeout(cluster).min(UNKNOWN_TOPIC))
        .max_block(timeout(cluster));
    let kafka = watch::begin(builder, cluster).connect().map_err(|error| match error {
        ConnectError::Config(why) if why.option() == "tls" => CliError::usage(why),
        ConnectError::Config(_) => CliError::usage(format!("--{error}")),
        error => CliError::failed(error),
    })?;
    watch::count(&kafka, cluster);
    Ok(kafka)
}

/// Administration that gives up when the command does.
pub(crate) fn admin(kafka: &Kafka, cluster: &args::Cluster) -> Admin {
    kafka.admin().timeout(timeout(cluster))
}

/// How long a command waits for the cluster.
pub(crate) fn timeout(cluster: &args::Cluster) -> Duration {
    Duration::from_secs_f64(cluster.timeout)
}
