//! GSSAPI: authentication by Kerberos (RFC 4752), through the system's library (MIT's, version 1.11 or later).
//!
//! The ticket is that of the cache (`kinit`, or `KRB5CCNAME`), or one that the library gets by itself with a keytab: one
//! that is named here, or the one of `KRB5_CLIENT_KTNAME`. The library reads its own configuration (`krb5.conf`,
//! `KRB5_CONFIG`).
//!
//! A broker is taken for the principal `kafka/<host>`, where the host is that of the broker's advertised address, or of
//! the address to start from: whether it is looked up in DNS first is up to `krb5.conf` (`dns_canonicalize_hostname`,
//! `rdns`). Messages are not protected by GSSAPI afterwards (Kafka has no layer for that): use TLS.

mod dialogue;
mod keytab;
mod offer;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io, thread,
    time::{Duration, Instant},
};

use klamm_engine::{Answer, Challenge, Dialogue as Id, InvalidSetting, Mechanism, Sasl, Settings, block_on};

use self::dialogue::Dialogue;

/// Authenticates clients by Kerberos.
#[derive(Clone, Debug)]
#[must_use = "call serve()"]
pub struct Kerberos {
    service: String,
    principal: Option<String>,
    keytab: Option<String>,
}

impl Default for Kerberos {
    fn default() -> Self {
        Self::new()
    }
}

impl Kerberos {
    /// With what the environment has: the ticket of the cache, or the keytab of `KRB5_CLIENT_KTNAME`.
    pub fn new() -> Self {
        Self { service: String::from("kafka"), principal: None, keytab: None }
    }

    /// The first part of the brokers' principals (`sasl.kerberos.service.name`). Default: `kafka`.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service = name.into();
        self
    }

    /// Who the client is, such as `orders@EXAMPLE.COM` (`sasl.kerberos.principal`). Default: whose ticket it is, or the
    /// first one of the keytab.
    pub fn principal(mut self, principal: impl Into<String>) -> Self {
        self.principal = Some(principal.into());
        self
    }

    /// The file of a keytab, whose keys get tickets (`sasl.kerberos.keytab`). They are kept in memory, and others are got
    /// in time. Default: none.
    pub fn keytab(mut self, path: impl Into<String>) -> Self {
        self.keytab = Some(path.into());
        self
    }

    /// GSSAPI, on a thread of its own: it may have to ask a KDC and wait. The thread ends when all clients with this
    /// [`Sasl`] and all its clones are gone.
    ///
    /// # Errors
    ///
    /// The system has no thread.
    pub fn serve(self) -> io::Result<Sasl> {
        let (sasl, mut challenges) = Sasl::answering(Mechanism::Gssapi);
        thread::Builder::new().name(String::from("klamm-gssapi")).spawn(move || {
            let mut dialogues =
                Dialogues { kerberos: self, tickets: keytab::Cache::new(), under_way: BTreeMap::new() };
            while let Some(challenge) = block_on(challenges.next()) {
                dialogues.take(challenge);
            }
        })?;
        Ok(sasl)
    }
}

/// All dialogues of the clients with one [`Sasl`].
struct Dialogues {
    kerberos: Kerberos,
    tickets: keytab::Cache,
    /// Each until its connection has given up for certain.
    under_way: BTreeMap<Id, (Dialogue, Instant)>,
}

impl Dialogues {
    fn take(&mut self, challenge: Challenge) {
        let now = Instant::now();
        self.under_way.retain(|_, (_, until)| *until > now);
        let time_left = challenge.time_left();
        if time_left > Duration::ZERO {
            let result = self.step(&challenge, now + time_left);
            challenge.answer(result);
        }
    }

    fn step(&mut self, challenge: &Challenge, until: Instant) -> Result<Answer, String> {
        let id = challenge.dialogue();
        let before = self.under_way.remove(&id);
        let (dialogue, until, answer) = match (challenge.message(), before) {
            (None, _) => {
                let (dialogue, answer) = Dialogue::begin(&self.kerberos, &self.tickets, challenge.host())?;
                (dialogue, until, answer)
            }
            (Some(message), Some((mut dialogue, until))) => {
                let answer = dialogue.answer(message)?;
                (dialogue, until, answer)
            }
            (Some(_), None) => return Err(String::from("Kerberos took too long")),
        };
        if !answer.is_last {
            self.under_way.insert(id, (dialogue, until));
        }
        Ok(answer)
    }
}

/// What the settings say, which have the mechanism.
pub(crate) fn from_settings(settings: &Settings) -> Result<Kerberos, InvalidSetting> {
    let text = |name: &str| settings.get(name).filter(|text| !text.is_empty());
    let mut kerberos = Kerberos::new();
    if let Some(name) = text("sasl.kerberos.service.name") {
        if name.contains(['/', '@']) {
            let problem =
                format!("sasl.kerberos.service.name={name}: it takes the name alone, such as kafka");
            return Err(InvalidSetting::new("sasl.kerberos.service.name", problem));
        }
        kerberos = kerberos.service_name(name);
    }
    if let Some(principal) = text("sasl.kerberos.principal") {
        kerberos = kerberos.principal(principal);
    }
    if let Some(path) = text("sasl.kerberos.keytab") {
        kerberos = kerberos.keytab(path);
    }
    Ok(kerberos)
}
