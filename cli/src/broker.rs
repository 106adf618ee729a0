//! `klamm broker`.

use std::{
    fs,
    net::{SocketAddr, ToSocketAddrs},
    path::Path,
};

use klamm_sim::{EmbeddedCluster, Release, cluster::SaslUsers};

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
    let mut builder = EmbeddedCluster::builder()
        .brokers(i32::from(args.brokers))
        .kafka_version(release.to_string())
        .listen(listen(&args.listen)?)
        .partitions(args.default_partitions);
    if let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) {
        builder = builder.tls(read(certificate)?, read(key)?);
    }
    if let Some(authority) = &args.tls_client_ca {
        builder = builder.client_ca(read(authority)?);
    }
    if !args.users.is_empty() {
        let mut users = SaslUsers::default();
        users.passwords =
            args.users.iter().map(|(name, word)| (name.clone(), word.as_str().into())).collect();
        builder = builder.sasl(users);
    }
    let cluster = builder.start().map_err(CliError::failed)?;
    let mut output = Output::new();
    output.line(format_args!("BOOTSTRAP={}", cluster.bootstrap()))?;
    output.flush()?;
    loop {
        // The cluster has a thread of its own; a signal ends the process.
        std::thread::park();
    }
}

fn read(path: &Path) -> Result<String, CliError> {
    fs::read_to_string(path).map_err(|error| CliError::failed(format!("{}: {error}", path.display())))
}

fn listen(address: &str) -> Result<SocketAddr, CliError> {
    let bad =
        |why: String| CliError::usage(format!("--listen {address}: {why}, for instance 127.0.0.1:9092"));
    let mut resolved = address.to_socket_addrs().map_err(|error| bad(error.to_string()))?;
    resolved.next().ok_or_else(|| bad("no such address".to_owned()))
}
