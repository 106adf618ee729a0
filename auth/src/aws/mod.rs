//! Tokens for AWS MSK with access control by IAM, on the port for it (9098, 9198).
//!
//! A token is a URL that was signed with keys of AWS (Signature Version 4) and is good for some minutes; it goes to the
//! brokers by OAUTHBEARER. Nothing is asked of AWS: signing takes the keys and the time.

mod sign;
#[cfg(test)]
mod tests;

use std::{
    env, fmt, io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use klamm_engine::{BearerToken, InvalidSetting, Sasl, Secret, Settings};

/// Keys of AWS.
#[derive(Clone)]
pub struct AwsCredentials {
    /// Which keys.
    pub access_key_id: String,
    /// The secret one.
    pub secret_access_key: Secret,
    /// What belongs to keys that hold for some time only.
    pub session_token: Option<Secret>,
}

impl fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsCredentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl AwsCredentials {
    /// Those of the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if it is there, `AWS_SESSION_TOKEN`.
    ///
    /// # Errors
    ///
    /// Which variable is missing.
    pub fn from_env() -> Result<Self, String> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let wanted = |name: &str| variable(name).ok_or_else(|| format!("the variable {name} is not set"));
        Ok(Self {
            access_key_id: wanted("AWS_ACCESS_KEY_ID")?,
            secret_access_key: wanted("AWS_SECRET_ACCESS_KEY")?.into(),
            session_token: variable("AWS_SESSION_TOKEN").map(Secret::from),
        })
    }
}

type Source = Box<dyn FnMut() -> Result<AwsCredentials, String> + Send>;

/// Signs tokens for the brokers of a region.
#[must_use = "call serve()"]
pub struct MskIam {
    region: String,
    lifetime: Duration,
    source: Source,
}

impl fmt::Debug for MskIam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MskIam").field("region", &self.region).finish_non_exhaustive()
    }
}

impl MskIam {
    /// With keys that do not change.
    pub fn new(region: impl Into<String>, credentials: AwsCredentials) -> Self {
        Self::asking(region, move || Ok(credentials.clone()))
    }

    /// With keys that are asked for with each token, on the thread of [`serve`](Self::serve): for those of a role, say.
    pub fn asking(
        region: impl Into<String>,
        source: impl FnMut() -> Result<AwsCredentials, String> + Send + 'static,
    ) -> Self {
        Self { region: region.into(), lifetime: Duration::from_secs(900), source: Box::new(source) }
    }

    /// How long a token is good for: whole seconds, and AWS takes 15 min at most. Default: 15 min.
    pub const fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// A token, signed at `now`.
    ///
    /// # Errors
    ///
    /// There are no keys: why.
    pub fn token(&mut self, now: SystemTime) -> Result<BearerToken, String> {
        let credentials = (self.source)()?;
        let since_1970 = now.duration_since(UNIX_EPOCH).map_err(|_| "the clock is before 1970")?;
        let url = sign::presigned(&self.region, &credentials, since_1970.as_secs(), self.lifetime.as_secs());
        Ok(BearerToken {
            token: Secret::from(BASE64_URL_SAFE_NO_PAD.encode(url.as_bytes())),
            lifetime: Some(self.lifetime),
            extensions: Vec::new(),
        })
    }

    /// OAUTHBEARER with these tokens, signed on a thread of its own: see [`crate::serve`].
    ///
    /// # Errors
    ///
    /// The system has no thread.
    pub fn serve(mut self) -> io::Result<Sasl> {
        crate::serve(move || self.token(SystemTime::now()))
    }
}

/// With the keys of the environment, and its region or that of the brokers.
pub(crate) fn from_settings(settings: &Settings) -> Result<MskIam, InvalidSetting> {
    let given = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| env::var(name).ok());
    let region = region(given, &settings.bootstrap()).ok_or_else(|| {
        let problem = "sasl.mechanism=AWS_MSK_IAM wants a region: set the variable AWS_REGION";
        InvalidSetting::new("sasl.mechanism", problem)
    })?;
    Ok(MskIam::asking(region, AwsCredentials::from_env))
}

/// The region: that given, or the one in the name of a broker (`b-1.name.id.c1.kafka.eu-west-1.amazonaws.com`).
fn region(given: Option<String>, bootstrap: &[String]) -> Option<String> {
    given.filter(|region| !region.is_empty()).or_else(|| {
        bootstrap.iter().find_map(|address| {
            let mut labels = address.split(['.', ':']);
            labels.find(|label| matches!(*label, "kafka" | "kafka-serverless"))?;
            let region = labels.next()?;
            (labels.next() == Some("amazonaws")).then(|| region.to_owned())
        })
    })
}
