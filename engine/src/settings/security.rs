//! TLS and SASL out of settings that belong together.

use klamm_core::sasl::{Mechanism, Secret};
use klamm_protocol::Str;

use super::{CredentialProvider, InvalidSetting, Settings, jaas, value::Value};
use crate::{Password, Sasl};

/// User name, password, token, and whether they are a delegation token's.
#[derive(Default)]
struct Given {
    username: Option<String>,
    password: Option<Secret>,
    token: Option<Secret>,
    is_token: bool,
}

impl Settings {
    /// Makes what the settings of security say.
    pub(super) fn secure(&mut self) -> Result<(), InvalidSetting> {
        let protocol = self.text("security.protocol").unwrap_or("PLAINTEXT");
        let (tls, sasl) = match protocol {
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            _ => (false, false),
        };
        if !sasl && let Some(name) = self.first_given("sasl.") {
            return Err(self.idle(name, "SASL_SSL or SASL_PLAINTEXT"));
        }
        if !tls && let Some(name) = self.first_given("ssl.") {
            return Err(self.idle(name, "SSL or SASL_SSL"));
        }
        if sasl {
            self.take_jaas_of_providers()?;
            self.provider = self.wanted_provider()?;
            if self.provider.is_none() {
                self.sasl = Some(self.make_sasl()?);
            }
        }
        if tls {
            self.secure_transport()?;
        }
        Ok(())
    }

    fn first_given(&self, prefix: &str) -> Option<&'static str> {
        self.values.keys().copied().find(|name| name.starts_with(prefix))
    }

    /// A setting that would have no effect.
    fn idle(&self, name: &'static str, wanted: &str) -> InvalidSetting {
        let protocol = self.text("security.protocol").unwrap_or("PLAINTEXT");
        let problem = format!("{name} has no effect with security.protocol={protocol}: it takes {wanted}");
        InvalidSetting::new(name, problem)
    }

    fn given(&self) -> Result<Given, InvalidSetting> {
        let mut given = Given {
            username: self.text("sasl.username").map(str::to_owned),
            password: self.secret("sasl.password").cloned(),
            token: self.secret("sasl.oauthbearer.token").cloned(),
            is_token: false,
        };
        for (name, value) in self.jaas()? {
            match name.as_str() {
                "username" => given.username = Some(String::from_utf8_lossy(value.expose()).into_owned()),
                "password" => given.password = Some(value),
                "tokenauth" => given.is_token = value.expose() == b"true",
                // Options of other modules and of Java's own are let pass.
                _ => {}
            }
        }
        Ok(given)
    }

    /// The options of the login module.
    fn jaas(&self) -> Result<Vec<(String, Secret)>, InvalidSetting> {
        let Some(config) = self.secret("sasl.jaas.config") else { return Ok(Vec::new()) };
        let invalid = |why: &str| {
            InvalidSetting::new("sasl.jaas.config", format!("sasl.jaas.config makes no sense: {why}"))
        };
        let text = std::str::from_utf8(config.expose()).map_err(|_| invalid("it is no text"))?;
        jaas::options(text).map_err(invalid)
    }

    /// Java's older way to say who asks for tokens or tickets: settings of their own take precedence.
    fn take_jaas_of_providers(&mut self) -> Result<(), InvalidSetting> {
        let mut extensions = Vec::new();
        for (name, value) in self.jaas()? {
            let text = String::from_utf8_lossy(value.expose()).into_owned();
            let (setting, value) = match name.as_str() {
                "clientId" => ("sasl.oauthbearer.client.credentials.client.id", Value::Text(text)),
                "clientSecret" => ("sasl.oauthbearer.client.credentials.client.secret", Value::Secret(value)),
                "scope" => ("sasl.oauthbearer.scope", Value::Text(text)),
                "serviceName" => ("sasl.kerberos.service.name", Value::Text(text)),
                "principal" => ("sasl.kerberos.principal", Value::Text(text)),
                "keyTab" => ("sasl.kerberos.keytab", Value::Text(text)),
                other => {
                    extensions.extend(other.strip_prefix("extension_").map(|name| format!("{name}={text}")));
                    continue;
                }
            };
            self.values.entry(setting).or_insert(value);
        }
        if !extensions.is_empty() {
            let extensions = Value::Text(extensions.join(","));
            self.values.entry("sasl.oauthbearer.extensions").or_insert(extensions);
        }
        Ok(())
    }

    /// Who gets the credentials, if they are not in the settings.
    fn wanted_provider(&self) -> Result<Option<CredentialProvider>, InvalidSetting> {
        const URL: &str = "sasl.oauthbearer.token.endpoint.url";
        match self.text("sasl.mechanism") {
            Some("GSSAPI") => Ok(Some(CredentialProvider::Kerberos)),
            Some("AWS_MSK_IAM") => Ok(Some(CredentialProvider::AwsMskIam)),
            Some("OAUTHBEARER") if self.values.contains_key(URL) => {
                if self.values.contains_key("sasl.oauthbearer.token") {
                    let problem = format!("{URL} and sasl.oauthbearer.token exclude each other");
                    return Err(InvalidSetting::new(URL, problem));
                }
                Ok(Some(CredentialProvider::Oidc))
            }
            _ if self.text("sasl.oauthbearer.method") == Some("oidc") => Err(InvalidSetting::new(
                URL,
                format!("sasl.oauthbearer.method=oidc takes sasl.mechanism=OAUTHBEARER and {URL}"),
            )),
            _ => Ok(None),
        }
    }

    fn make_sasl(&self) -> Result<Sasl, InvalidSetting> {
        let missing = |name: &str, what: &str| {
            InvalidSetting::new(name, format!("security.protocol wants SASL, but {name} is missing: {what}"))
        };
        let mechanism = self.text("sasl.mechanism").and_then(|name| name.parse::<Mechanism>().ok());
        let all = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or GSSAPI";
        let mechanism = mechanism.ok_or_else(|| missing("sasl.mechanism", all))?;
        let given = self.given()?;
        if mechanism == Mechanism::OAuthBearer {
            let token = given.token.ok_or_else(|| {
                missing(
                    "sasl.oauthbearer.token",
                    "the token, or sasl.oauthbearer.token.endpoint.url for one that expires",
                )
            })?;
            return Ok(Sasl::oauth_bearer(token));
        }
        let username = given.username.ok_or_else(|| missing("sasl.username", "or sasl.jaas.config"))?;
        let password = given.password.ok_or_else(|| missing("sasl.password", "or sasl.jaas.config"))?;
        let (username, is_token) = (Str::from(username), given.is_token);
        Ok(Sasl::fixed(mechanism, Password { username, password, is_token }))
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::needless_pass_by_ref_mut, reason = "for TLS")]
    fn secure_transport(&mut self) -> Result<(), InvalidSetting> {
        Err(InvalidSetting::new("security.protocol", "this program was built without TLS (feature \"tls\")"))
    }

    #[cfg(feature = "tls")]
    fn secure_transport(&mut self) -> Result<(), InvalidSetting> {
        let tls = self.own_certificate(self.trust(crate::Tls::new()))?;
        let tls = match self.text("ssl.endpoint.identification.algorithm") {
            None | Some("https") => tls,
            Some(_) => tls.skip_host_name_check(),
        };
        self.tls = Some(tls);
        Ok(())
    }

    #[cfg(feature = "tls")]
    fn trust(&self, mut tls: crate::Tls) -> crate::Tls {
        if let Some(path) = self.text("ssl.ca.location") {
            tls = tls.ca_file(path);
        }
        if let Some(pem) = self.text("ssl.truststore.certificates") {
            tls = tls.ca_pem(pem);
        }
        if let Some(path) = self.text("ssl.truststore.location") {
            tls = if is_pem(path, self.text("ssl.truststore.type")) {
                tls.ca_file(path)
            } else {
                tls.truststore(path, self.password("ssl.truststore.password"))
            };
        }
        tls
    }

    #[cfg(feature = "tls")]
    fn own_certificate(&self, mut tls: crate::Tls) -> Result<crate::Tls, InvalidSetting> {
        if let Some(password) = self.secret("ssl.key.password") {
            tls = tls.key_password(password.clone());
        }
        let pair = |one: &'static str, other: &'static str| {
            InvalidSetting::new(one, format!("{one} and {other} go together: only one of them is given"))
        };
        match (self.text("ssl.certificate.location"), self.text("ssl.key.location")) {
            (Some(certificate), Some(key)) => tls = tls.client_certificate(certificate, key),
            (None, None) => {}
            _ => return Err(pair("ssl.certificate.location", "ssl.key.location")),
        }
        match (self.text("ssl.keystore.certificate.chain"), self.secret("ssl.keystore.key")) {
            (Some(chain), Some(key)) => tls = tls.client_certificate_pem(chain, key),
            (None, None) => {}
            _ => return Err(pair("ssl.keystore.certificate.chain", "ssl.keystore.key")),
        }
        if let Some(path) = self.text("ssl.keystore.location") {
            tls = if is_pem(path, self.text("ssl.keystore.type")) {
                tls.client_certificate(path, path)
            } else {
                tls.keystore(path, self.password("ssl.keystore.password"))
            };
        }
        Ok(tls)
    }

    #[cfg(feature = "tls")]
    fn password(&self, name: &str) -> Secret {
        self.secret(name).cloned().unwrap_or_else(|| Secret::from(""))
    }
}

/// Whether a store is of PEM: by its type if that is given, otherwise by its name.
#[cfg(feature = "tls")]
fn is_pem(path: &str, kind: Option<&str>) -> bool {
    let by_name = [".pem", ".crt", ".cer"].iter().any(|end| path.ends_with(end));
    kind.map_or(by_name, |kind| kind == "PEM")
}
