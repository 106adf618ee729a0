//! The settings of a client: of a profile, of the options and variables, of `-X`; `klamm config`.

use std::{env, fs, io::ErrorKind, path::PathBuf};

use klamm_blocking::{Setting, SettingScope, Settings};

use crate::{
    args::{Cluster, ConfigCommand, Protocol},
    error::{CliError, Outcome},
    output::Output,
};

/// Where the tool connects if nobody says.
const DEFAULT_BOOTSTRAP: &str = "localhost:9092";
/// The profile that holds if none is named.
const DEFAULT_PROFILE: &str = "default";

type Pairs = Vec<(String, String)>;

/// The settings that hold for a command. What comes later holds: the profile, then options and variables, then `-X`.
pub(crate) fn load(cluster: &Cluster) -> Result<Settings, CliError> {
    let mut pairs = profile(cluster)?;
    pairs.extend(options(cluster)?);
    // A variable that is there for other commands does not turn SASL on.
    if pairs.iter().chain(&cluster.access.settings).any(|(name, value)| {
        name.starts_with("sasl.") || name == "security.protocol" && value.starts_with("SASL")
    }) {
        let before: Vec<_> = pairs.iter().map(|(name, _)| name.clone()).collect();
        pairs.extend(secrets().into_iter().filter(|(name, _)| !before.contains(name)));
    }
    let wants_password =
        pairs.iter().chain(&cluster.access.settings).any(|(name, _)| name == "proxy.username");
    if wants_password && let Ok(password) = env::var("KLAMM_PROXY_PASSWORD") {
        pairs.push((String::from("proxy.password"), password));
    }
    for (name, _) in &cluster.access.settings {
        let found =
            Setting::ALL.iter().find(|setting| setting.name == name || setting.also.contains(&name.as_str()));
        if found.is_some_and(|setting| !is_of_client(setting)) {
            return Err(CliError::usage(format!("-X {name}: the command has options of its own for that")));
        }
    }
    pairs.extend(cluster.access.settings.iter().cloned());
    if !pairs.iter().any(|(name, _)| name == "security.protocol") {
        let has = |prefix: &str| pairs.iter().any(|(name, _)| name.starts_with(prefix));
        let protocol = match (has("ssl."), has("sasl.")) {
            (false, false) => "PLAINTEXT",
            (true, false) => "SSL",
            (false, true) => "SASL_PLAINTEXT",
            (true, true) => "SASL_SSL",
        };
        pairs.push((String::from("security.protocol"), String::from(protocol)));
    }
    if !pairs.iter().any(|(name, _)| name == "bootstrap.servers" || name == "metadata.broker.list") {
        pairs.push((String::from("bootstrap.servers"), String::from(DEFAULT_BOOTSTRAP)));
    }
    Settings::parse(pairs).map_err(CliError::usage)
}

const fn is_of_client(setting: &Setting) -> bool {
    matches!(setting.scope, SettingScope::Client | SettingScope::Security)
}

/// What options and variables say.
fn options(cluster: &Cluster) -> Result<Pairs, CliError> {
    let access = &cluster.access;
    let mut pairs = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        pairs.extend(value.map(|value| (name.to_owned(), value)));
    };
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    add("bootstrap.servers", (!cluster.bootstrap.is_empty()).then(|| cluster.bootstrap.join(",")));
    add("client.id", cluster.client_id.clone());
    let protocol = access.security_protocol.map(|protocol| match protocol {
        Protocol::Plaintext => "PLAINTEXT",
        Protocol::Ssl => "SSL",
        Protocol::SaslPlaintext => "SASL_PLAINTEXT",
        Protocol::SaslSsl => "SASL_SSL",
    });
    add("security.protocol", protocol.map(str::to_owned));
    add("proxy.url", access.proxy.clone());
    add("sasl.mechanism", access.sasl_mechanism.clone());
    add("sasl.username", access.username.clone());
    add("sasl.password", secret(access.password_file.as_ref())?);
    add("sasl.oauthbearer.token", secret(access.token_file.as_ref())?);
    add("ssl.ca.location", path(&access.tls_ca));
    add("ssl.certificate.location", path(&access.tls_cert));
    add("ssl.key.location", path(&access.tls_key));
    let unchecked = access.tls_skip_host_name_check.then(|| String::from("none"));
    add("ssl.endpoint.identification.algorithm", unchecked);
    Ok(pairs)
}

/// What variables say that have no option, because options are seen by all on the machine.
fn secrets() -> Pairs {
    let variables = [("sasl.password", "KLAMM_PASSWORD"), ("sasl.oauthbearer.token", "KLAMM_TOKEN")];
    variables
        .iter()
        .filter_map(|(name, variable)| Some(((*name).to_owned(), env::var(variable).ok()?)))
        .collect()
}

/// The first line of a file.
fn secret(file: Option<&PathBuf>) -> Result<Option<String>, CliError> {
    let Some(path) = file else { return Ok(None) };
    let text =
        fs::read_to_string(path).map_err(|error| CliError::failed(format!("{}: {error}", path.display())))?;
    Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
}

/// What a profile says: the named one, or the default one if there is any.
fn profile(cluster: &Cluster) -> Result<Pairs, CliError> {
    let access = &cluster.access;
    let name = access.profile.as_deref();
    let Some(path) = access.config.clone().or_else(default_path) else { return Ok(Vec::new()) };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && name.is_none() && access.config.is_none() => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(CliError::usage(format!("{}: {error}", path.display()))),
    };
    let invalid = |why: String| CliError::usage(format!("{}: {why}", path.display()));
    let file: toml::Table = text.parse().map_err(|error: toml::de::Error| invalid(error.to_string()))?;
    match (file.get(name.unwrap_or(DEFAULT_PROFILE)), name) {
        (Some(toml::Value::Table(table)), _) => {
            let mut pairs = Vec::new();
            flatten("", table, &mut pairs).map_err(invalid)?;
            // A profile may be shared with programs: what is of their producers and consumers is not for the tool.
            pairs.retain(|(name, _)| {
                let found = Setting::ALL
                    .iter()
                    .find(|setting| setting.name == name || setting.also.contains(&name.as_str()));
                found.is_none_or(is_of_client)
            });
            Ok(pairs)
        }
        (None, None) => Ok(Vec::new()),
        (None, Some(name)) => {
            let names = file.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            Err(invalid(format!("there is no profile \"{name}\"; there are: {names}")))
        }
        (Some(_), _) => {
            Err(invalid(format!("\"{}\" is no table of settings", name.unwrap_or(DEFAULT_PROFILE))))
        }
    }
}

/// `a.b = 1` and `"a.b" = 1` mean the same.
fn flatten(prefix: &str, table: &toml::Table, pairs: &mut Pairs) -> Result<(), String> {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let text = match value {
            toml::Value::Table(inner) => {
                flatten(&name, inner, pairs)?;
                continue;
            }
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            _ => return Err(format!("{name} is neither a text nor a number nor true or false")),
        };
        pairs.push((name, text));
    }
    Ok(())
}

fn default_path() -> Option<PathBuf> {
    let folder = env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config")))?;
    Some(folder.join("klamm").join("config.toml"))
}

/// `klamm config`.
pub(crate) fn run(command: &ConfigCommand) -> Outcome {
    let mut output = Output::new();
    match command {
        ConfigCommand::Show(args) => {
            let settings = load(&args.cluster)?;
            for line in settings.effective().filter(|line| is_of_client(line.setting)) {
                let Some(value) = line.value.filter(|_| line.is_given || args.all) else { continue };
                let default = if line.is_given { "" } else { "  # default" };
                output.line(format_args!("{} = {value:?}{default}", line.setting.name))?;
            }
        }
        ConfigCommand::Settings => {
            for line in Setting::markdown().lines() {
                output.line(format_args!("{line}"))?;
            }
        }
    }
    output.flush()
}
