//! `klamm broker`.

use std::net::{SocketAddr, ToSocketAddrs};

use klamm_sim::{EmbeddedCluster, Release};

use crate::{
    args::Broker,
    error::{CliError, Outcome},
    output::Output,
};

/// Serves until the process is interrupted.
pub(crate) fn run(args: &Broker) -> Outcome {
    let release: Release = args
        .kafka_version
        .parse()
        .map_err(|error| CliError::usage(format!("--kafka-version {}: {error}", args.kafka_version)))?;
    let cluster = EmbeddedCluster::builder()
        .brokers(i32::from(args.brokers))
        .kafka_version(release.to_string())
        .listen(listen(&args.listen)?)
        .partitions(args.default_partitions)
        .start()
        .map_err(CliError::failed)?;
    let mut output = Output::new();
    output.line(format_args!("BOOTSTRAP={}", cluster.bootstrap()))?;
    output.flush()?;
    loop {
        // The cluster has a thread of its own; a signal ends the process.
        std::thread::park();
    }
}

fn listen(address: &str) -> Result<SocketAddr, CliError> {
    let bad =
        |why: String| CliError::usage(format!("--listen {address}: {why}, for instance 127.0.0.1:9092"));
    let mut resolved = address.to_socket_addrs().map_err(|error| bad(error.to_string()))?;
    resolved.next().ok_or_else(|| bad("no such address".to_owned()))
}
