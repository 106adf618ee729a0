//! Configuration by names: those of the Java client, and librdkafka's where they differ.

mod apply;
mod jaas;
mod nearest;
mod proxy;
mod security;
mod table;
mod value;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use klamm_core::sasl::Secret;

pub use table::{Kind, Scope, Setting};

use self::value::Value;
use crate::Sasl;
#[cfg(feature = "tls")]
use crate::Tls;

/// A configuration that was given by names, checked as a whole. Builders take what is theirs out of it by their
/// `settings` methods, and leave the rest.
///
/// ```
/// use klamm_engine::Settings;
///
/// let settings = Settings::parse([
///     ("bootstrap.servers", "kafka-1:9092,kafka-2:9092"),
///     ("security.protocol", "SASL_PLAINTEXT"),
///     ("sasl.mechanism", "SCRAM-SHA-512"),
///     ("sasl.username", "alice"),
///     ("sasl.password", "alice-secret"),
///     ("linger.ms", "20"),
/// ])?;
/// assert_eq!(settings.get("linger.ms").as_deref(), Some("20"));
/// assert_eq!(settings.get("sasl.password").as_deref(), Some("(hidden)"));
///
/// let error = Settings::parse([("linger.msec", "20")]).unwrap_err();
/// assert_eq!(error.to_string(), "there is no setting \"linger.msec\"; is linger.ms meant?");
/// # Ok::<(), klamm_engine::InvalidSetting>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// By Java's names.
    values: BTreeMap<&'static str, Value>,
    sasl: Option<Sasl>,
    provider: Option<CredentialProvider>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

/// What settings want that the engine does not have: someone who gets credentials from elsewhere. The crate `klamm-auth`
/// has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialProvider {
    /// Tokens of an OAuth endpoint or a file (`sasl.oauthbearer.token.endpoint.url`).
    Oidc,
    /// Tokens that are signed with keys of AWS (`sasl.mechanism=AWS_MSK_IAM`).
    AwsMskIam,
    /// Kerberos (`sasl.mechanism=GSSAPI`).
    Kerberos,
}

/// A setting that makes no sense: which, its value, and what would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSetting {
    name: String,
    problem: String,
}

impl InvalidSetting {
    /// A setting that makes no sense for a reason that only a provider of credentials can see: `problem` in words that name
    /// the setting, and show no secret.
    pub fn new(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { name: name.into(), problem: problem.into() }
    }

    /// The name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for InvalidSetting {}

/// One line of the effective configuration: see [`Settings::effective`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// What it is.
    pub setting: &'static Setting,
    /// The value: the default if none was given, `(hidden)` if it is a secret; `None` if there is neither.
    pub value: Option<String>,
    /// It was given.
    pub is_given: bool,
}

impl Settings {
    /// Takes names and values. What is given twice holds as it was given last.
    ///
    /// # Errors
    /// The first setting that does not exist or makes no sense, by itself or with the others.
    pub fn parse<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, InvalidSetting> {
        let mut settings = Self::default();
        for (name, text) in pairs {
            let (name, text) = (name.as_ref(), text.as_ref());
            let setting = table::find(name).ok_or_else(|| InvalidSetting::new(name, unknown(name)))?;
            let value = Value::parse(setting, text)
                .map_err(|why| InvalidSetting::new(name, value::describe(setting, name, text, &why)))?;
            settings.values.insert(setting.name, value);
        }
        settings.secure()?;
        settings.check_proxy()?;
        Ok(settings)
    }

    /// The value of a setting as text, if it was given; `(hidden)` if it is a secret.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let setting = table::find(name)?;
        self.values.get(setting.name).map(Value::to_string)
    }

    /// All settings with the values that hold.
    pub fn effective(&self) -> impl Iterator<Item = EffectiveSetting> + '_ {
        Setting::ALL.iter().map(|setting| {
            let given = self.values.get(setting.name);
            let default = (!setting.default.is_empty()).then(|| setting.default.to_owned());
            let value = given.map(Value::to_string).or(default);
            EffectiveSetting { setting, value, is_given: given.is_some() }
        })
    }

    /// The addresses to start from.
    #[must_use]
    pub fn bootstrap(&self) -> Vec<String> {
        let text = self.text("bootstrap.servers").unwrap_or_default();
        text.split(',').map(str::trim).filter(|address| !address.is_empty()).map(str::to_owned).collect()
    }

    /// The group (`group.id`).
    #[must_use]
    pub fn group_id(&self) -> Option<&str> {
        self.text("group.id")
    }

    /// What has to provide the credentials before a client is built, if the settings do not have them:
    /// [`provide_sasl`](Self::provide_sasl) hands it over.
    #[must_use]
    pub fn credential_provider(&self) -> Option<CredentialProvider> {
        self.provider.filter(|_| self.sasl.is_none())
    }

    /// Says how clients with these settings authenticate themselves: in place of what the settings say.
    pub fn provide_sasl(&mut self, sasl: Sasl) {
        self.sasl = Some(sasl);
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a setting that is a secret, if it was given: for what provides credentials.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        match self.values.get(table::find(name)?.name)? {
            Value::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        match self.values.get(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match self.values.get(name)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}

fn unknown(name: &str) -> String {
    let names = Setting::ALL
        .iter()
        .flat_map(|setting| std::iter::once(setting.name).chain(setting.also.iter().copied()));
    match nearest::nearest(name, names) {
        Some(near) => format!("there is no setting \"{name}\"; is {near} meant?"),
        None => format!("there is no setting \"{name}\""),
    }
}
