//! Real Apache Kafka brokers, started through `tests/kafka/kafka` from Kafka's own jars.
//!
//! A cluster belongs to the test process that asked for it: the harness deletes it once that process is gone,
//! however it ended. With `KLAMM_KEEP_KAFKA=1` clusters stay, and the next run finds them ready; any other value
//! becomes part of their names.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use crate::Outcome;

/// What a cluster of real brokers is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RealKafkaOptions {
    /// Kafka's version, such as `4.2.0`.
    pub version: String,
    /// 1 or 3.
    pub brokers: u32,
    /// Which listeners there are besides PLAINTEXT: `none`, `tls`, `mtls`, `sasl-plain`, `sasl-scram`,
    /// `sasl-oauth` or `all`.
    pub security: String,
    /// Broker properties, as `KEY=VALUE`.
    pub settings: Vec<String>,
    /// More flags for the brokers' Java, separated by spaces.
    pub java_options: String,
}

impl Default for RealKafkaOptions {
    fn default() -> Self {
        Self {
            version: "4.2.0".into(),
            brokers: 1,
            security: "none".into(),
            settings: Vec::new(),
            java_options: String::new(),
        }
    }
}

/// A running cluster of real brokers.
#[derive(Clone, Debug)]
pub struct RealKafka {
    name: String,
    options: RealKafkaOptions,
    variables: BTreeMap<String, String>,
}

impl RealKafka {
    /// Starts the cluster of this name and waits until every broker answers. A cluster of this name that this
    /// process has started before is brought back as it is, with all of its brokers up.
    ///
    /// # Errors
    /// When the harness fails; the error has what it said, with the end of the broker's log.
    pub fn start(name: &str, options: RealKafkaOptions) -> Outcome<Self> {
        let keeper = std::env::var("KLAMM_KEEP_KAFKA").ok();
        let kept = keeper.is_some();
        let process = std::process::id().to_string();
        let name = match keeper.as_deref() {
            Some("1") => format!("klamm-{name}"),
            Some(keeper) => format!("klamm-{keeper}-{name}"),
            None => format!("klamm-{process}-{name}"),
        };
        let mut command = harness("start", &name);
        command.args(["--version", &options.version, "--brokers", &options.brokers.to_string()]);
        command.args(["--security", &options.security, "--timeout", "180"]);
        if !options.settings.is_empty() {
            command.arg("--set").args(&options.settings);
        }
        if !options.java_options.is_empty() {
            command.env("JAVA_TOOL_OPTIONS", &options.java_options);
        }
        if !kept {
            command.args(["--until-exit-of", &process]);
        }
        let lines = checked(&mut command)?;
        Ok(Self { name, options, variables: parse(&lines) })
    }

    /// What the cluster was started with.
    #[must_use]
    pub fn options(&self) -> &RealKafkaOptions {
        &self.options
    }

    /// The addresses to start from, one a broker.
    #[must_use]
    pub fn bootstrap(&self) -> Vec<String> {
        self.variable("KAFKA_BOOTSTRAP").split(',').map(str::to_owned).collect()
    }

    /// One of the variables that the harness prints (its README lists them); empty when there is none of this name.
    #[must_use]
    pub fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    /// Ends one broker by SIGKILL.
    ///
    /// # Errors
    /// When the harness fails.
    pub fn kill(&self, broker: u32) -> Outcome<()> {
        checked(harness("kill", &self.name).args(["--broker", &broker.to_string()])).map(drop)
    }

    /// Starts one broker again (ending it before, if it runs) and waits until it answers and no replica lags.
    ///
    /// # Errors
    /// When the harness fails, or the broker does not come back.
    pub fn restart(&self, broker: u32) -> Outcome<()> {
        let mut command = harness("restart", &self.name);
        checked(command.args(["--broker", &broker.to_string(), "--in-sync", "--timeout", "180"])).map(drop)
    }

    /// Stops one broker in its tracks (SIGSTOP): its connections stay open and nothing answers.
    ///
    /// # Errors
    /// When the harness fails.
    pub fn pause(&self, broker: u32) -> Outcome<()> {
        checked(harness("pause", &self.name).args(["--broker", &broker.to_string()])).map(drop)
    }

    /// Lets a paused broker go on.
    ///
    /// # Errors
    /// When the harness fails.
    pub fn resume(&self, broker: u32) -> Outcome<()> {
        checked(harness("resume", &self.name).args(["--broker", &broker.to_string()])).map(drop)
    }

    /// Runs one of Apache's command-line tools against this cluster and returns what it printed.
    ///
    /// # Errors
    /// When the tool fails; the error has what it wrote to standard error.
    pub fn tool(&self, tool: &str, arguments: &[&str], input: &[u8]) -> Outcome<Vec<u8>> {
        run_tool(&self.name, tool, arguments, input)
    }

    /// Runs one of Apache's tools of this cluster's version, told by its arguments to talk to another server.
    ///
    /// # Errors
    /// As [`RealKafka::tool`].
    pub fn tool_elsewhere(
        &self,
        tool: &str,
        bootstrap: &str,
        arguments: &[&str],
        input: &[u8],
    ) -> Outcome<Vec<u8>> {
        let mut all = vec!["--bootstrap-server", bootstrap];
        all.extend(arguments);
        run_tool(&self.name, tool, &all, input)
    }
}

impl RealKafka {
    /// A program of the folder `java` beside this one, with the classes of this cluster's version. It gets its arguments from
    /// whoever starts it.
    #[must_use]
    pub fn java(&self, source: &str) -> Command {
        let mut command = harness("tool", &self.name);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("java").join(source));
        command
    }
}

/// Why real brokers cannot be started on this machine, or `None` when they can.
///
/// With `KLAMM_REQUIRE_KAFKA=1` this always is `None`: then a machine without Java fails the tests that need it.
#[must_use]
pub fn why_unavailable() -> Option<&'static str> {
    static REASON: OnceLock<Option<String>> = OnceLock::new();
    REASON
        .get_or_init(|| {
            if std::env::var_os("KLAMM_REQUIRE_KAFKA").is_some_and(|value| value != "0") {
                return None;
            }
            let programs =
                [("python3", "--version"), ("java", "-version"), ("mvn", "-version"), ("openssl", "version")];
            let missing: Vec<_> =
                programs.iter().filter(|(name, flag)| !runs(name, flag)).map(|(name, _)| *name).collect();
            (!missing.is_empty()).then(|| format!("real Kafka needs {}", missing.join(", ")))
        })
        .as_deref()
}

fn runs(program: &str, flag: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(flag).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The folder of the harness in this repository.
#[must_use]
pub fn harness_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka")
}

fn harness(verb: &str, cluster: &str) -> Command {
    let mut command = Command::new(harness_dir().join("kafka"));
    command.args([verb, "--name", cluster]).stdin(Stdio::null());
    command
}

fn run_tool(cluster: &str, tool: &str, arguments: &[&str], input: &[u8]) -> Outcome<Vec<u8>> {
    let mut command = harness("tool", cluster);
    command.arg(tool).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let feeder = feed(&mut child, input.to_vec());
    let output = child.wait_with_output()?;
    feeder.join().map_err(|_| "the thread that feeds the tool panicked")?;
    expect_success(&command, output)
}

/// Writes to a child's standard input from a thread of its own, so that neither waits for the other.
fn feed(child: &mut Child, input: Vec<u8>) -> std::thread::JoinHandle<()> {
    let stdin = child.stdin.take();
    std::thread::spawn(move || {
        if let Some(mut stdin) = stdin {
            // A child that ends early closes the pipe; its exit status tells.
            drop(stdin.write_all(&input));
        }
    })
}

fn checked(command: &mut Command) -> Outcome<Vec<u8>> {
    let output = command.output()?;
    expect_success(command, output)
}

fn expect_success(command: &Command, output: Output) -> Outcome<Vec<u8>> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("kafka {} failed ({}): {}", words.join(" "), output.status, said.trim()).into())
}

/// `KEY=VALUE` lines, the values quoted as for a shell where they need it.
fn parse(lines: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(lines);
    let unquoted = |value: &str| value.trim_matches('\'').to_owned();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), unquoted(value)))
        .collect()
}
