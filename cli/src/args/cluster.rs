//! How to reach the cluster: what every command that talks to one takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{key_value, seconds};

/// How to reach the cluster, and for how long to try.
#[derive(Debug, Clone, Args)]
pub(crate) struct Cluster {
    /// Brokers to start from, separated by commas (default: those of the profile, or localhost:9092)
    #[arg(short = 'b', long = "bootstrap", value_name = "HOST:PORT,..", env = "KLAMM_BOOTSTRAP")]
    #[arg(value_delimiter = ',')]
    pub(crate) bootstrap: Vec<String>,

    /// Name of this client in requests and in the brokers' logs (default: klamm)
    #[arg(long, value_name = "NAME")]
    pub(crate) client_id: Option<String>,

    /// Give up when the cluster has not answered for this long
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: f64,

    /// Show every request and every answer on standard error, with or without their fields; secrets are left out
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "headers", help_heading = "Watching")]
    pub(crate) trace: Option<Trace>,

    /// Write a line of counts to standard error every so many seconds, and at the end
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, value_parser = seconds)]
    #[arg(default_missing_value = "5", help_heading = "Watching")]
    pub(crate) stats: Option<f64>,

    /// Write all counts to this file in the text form of Prometheus, every 10 s (or as --stats says) and at the end
    #[arg(long, value_name = "PATH", help_heading = "Watching")]
    pub(crate) metrics_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) access: Access,
}

/// What is shown of requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Trace {
    /// A line each: time, broker, API, version, id, size, latency
    Headers,
    /// The same, and all fields; of records the batches
    Fields,
}

/// Who this client is, and how its connections are protected.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Access")]
pub(crate) struct Access {
    /// Table of the configuration file to take settings from (default: "default", if there is one)
    #[arg(long, value_name = "NAME", env = "KLAMM_PROFILE")]
    pub(crate) profile: Option<String>,

    /// Configuration file (default: klamm/config.toml in $XDG_CONFIG_HOME or ~/.config)
    #[arg(long = "config-file", value_name = "PATH", env = "KLAMM_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// A setting of the client by its name in the Java client or librdkafka; holds over everything else
    #[arg(short = 'X', long = "setting", value_name = "NAME=VALUE", value_parser = key_value)]
    pub(crate) settings: Vec<(String, String)>,

    /// SOCKS5 proxy to go through, socks5://HOST:PORT; for a user -X proxy.username, and -X proxy.password or the variable
    /// KLAMM_PROXY_PASSWORD
    #[arg(long, value_name = "URL", env = "KLAMM_PROXY")]
    pub(crate) proxy: Option<String>,

    /// How connections are protected (default: as the other options of access suggest)
    #[arg(long, value_enum, env = "KLAMM_SECURITY_PROTOCOL")]
    pub(crate) security_protocol: Option<Protocol>,

    /// How to authenticate: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER
    #[arg(long, value_name = "NAME", env = "KLAMM_SASL_MECHANISM")]
    pub(crate) sasl_mechanism: Option<String>,

    /// Name of the user; the password is in --password-file or in the variable KLAMM_PASSWORD
    #[arg(long, value_name = "NAME", env = "KLAMM_USERNAME")]
    pub(crate) username: Option<String>,

    /// File with the user's password in its first line
    #[arg(long, value_name = "PATH", env = "KLAMM_PASSWORD_FILE")]
    pub(crate) password_file: Option<PathBuf>,

    /// File with the token for OAUTHBEARER in its first line; otherwise it is in the variable KLAMM_TOKEN
    #[arg(long, value_name = "PATH", env = "KLAMM_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Certificate authorities to trust, in PEM (default: the system's)
    #[arg(long, value_name = "PATH", env = "KLAMM_TLS_CA")]
    pub(crate) tls_ca: Option<PathBuf>,

    /// Certificate of this client, in PEM
    #[arg(long, value_name = "PATH", env = "KLAMM_TLS_CERT", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of this client, in PEM
    #[arg(long, value_name = "PATH", env = "KLAMM_TLS_KEY", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Accept a broker's certificate whatever host it is for
    #[arg(long)]
    pub(crate) tls_skip_host_name_check: bool,
}

/// How connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// Not at all
    Plaintext,
    /// By TLS
    Ssl,
    /// Not at all, but the client authenticates itself
    SaslPlaintext,
    /// By TLS, and the client authenticates itself
    SaslSsl,
}
