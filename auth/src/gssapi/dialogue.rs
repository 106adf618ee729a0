//! The client's part of one dialogue.
//!
//! ```text
//!  AP-REQ  -->  AP-REP  -->  (empty)  -->  offer of layers  -->  choice, the last one
//! ```

use std::ffi::CString;

use klamm_engine::{Answer, Secret};
use libgssapi::{
    context::{ClientCtx, CtxFlags, SecurityContext as _},
    credential::{Cred, CredUsage},
    error::Error,
    name::Name,
    oid::{GSS_MECH_KRB5, GSS_NT_HOSTBASED_SERVICE, GSS_NT_KRB5_PRINCIPAL, OidSet},
};

use super::{Kerberos, keytab::Cache, offer};

/// What libraries say before the words that matter.
const EMPTY_WORDS: &str = "Unspecified GSS failure.  Minor code may provide more information";

/// A dialogue with one broker.
pub(super) struct Dialogue {
    context: ClientCtx,
    /// The broker's principal, as it was asked for.
    broker: String,
}

/// The library's words. They are of the thread that failed.
fn words(error: Error) -> String {
    let text = error.to_string();
    let text =
        text.strip_prefix(EMPTY_WORDS).map_or(text.as_str(), |rest| rest.trim_start_matches([' ', ':']));
    match text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        Some(inner) => inner.to_owned(),
        None => text.to_owned(),
    }
}

impl Dialogue {
    /// Gets credentials, and a ticket for the broker: the first message. It may take as long as a KDC does.
    pub(super) fn begin(kerberos: &Kerberos, tickets: &Cache, host: &str) -> Result<(Self, Answer), String> {
        let credentials = credentials(kerberos, tickets)?;
        let broker = format!("{}@{host}", kerberos.service);
        let name = Name::new(broker.as_bytes(), Some(GSS_NT_HOSTBASED_SERVICE))
            .map_err(|error| format!("{broker} is no name for Kerberos: {}", words(error)))?;
        let flags = CtxFlags::GSS_C_MUTUAL_FLAG | CtxFlags::GSS_C_INTEG_FLAG | CtxFlags::GSS_C_SEQUENCE_FLAG;
        let context = ClientCtx::new(Some(credentials), name, flags, Some(GSS_MECH_KRB5));
        let mut dialogue = Self { context, broker };
        let answer = dialogue.establish(None)?;
        Ok((dialogue, answer))
    }

    /// Takes what the broker said: the next message.
    pub(super) fn answer(&mut self, message: &[u8]) -> Result<Answer, String> {
        if !self.context.is_complete() {
            return self.establish(Some(message));
        }
        let nonsense = |error| format!("what the broker sent is not from {}: {}", self.broker, words(error));
        let offer = self.context.unwrap(message).map_err(nonsense)?;
        let choice = offer::choose(&offer)?;
        let failed = |error| format!("Kerberos failed to protect a message: {}", words(error));
        let message = self.context.wrap(false, &choice).map_err(failed)?;
        Ok(Answer { message: Secret::from(message.to_vec()), is_last: true })
    }

    fn establish(&mut self, message: Option<&[u8]>) -> Result<Answer, String> {
        let token = self.context.step(message, None).map_err(|error| match message {
            None => format!(
                "Kerberos gives no ticket for {}: {}; is the broker's principal {}?",
                self.broker,
                words(error),
                self.broker.replacen('@', "/", 1),
            ),
            Some(_) => format!("the broker did not prove that it is {}: {}", self.broker, words(error)),
        })?;
        let message = token.map_or_else(Vec::new, |token| token.to_vec());
        Ok(Answer { message: Secret::from(message), is_last: false })
    }
}

/// A ticket that is good for getting others.
fn credentials(kerberos: &Kerberos, tickets: &Cache) -> Result<Cred, String> {
    let principal = kerberos.principal.as_deref();
    let whose = principal.map_or_else(String::new, |principal| format!(" for {principal}"));
    if let Some(path) = &kerberos.keytab {
        let failed = |why: String| format!("the keytab {path} gives no Kerberos ticket{whose}: {why}");
        let file = CString::new(path.as_str()).map_err(|error| failed(error.to_string()))?;
        return tickets.acquire(&file, principal).map_err(|error| failed(words(error)));
    }
    let failed =
        |error| format!("there is no Kerberos ticket{whose}: {}; kinit gets one, or a keytab", words(error));
    let kind = Some(GSS_NT_KRB5_PRINCIPAL);
    let name =
        principal.map(|principal| Name::new(principal.as_bytes(), kind)).transpose().map_err(failed)?;
    let mechanisms = OidSet::singleton(GSS_MECH_KRB5).map_err(failed)?;
    Cred::acquire(name.as_ref(), None, CredUsage::Initiate, Some(&mechanisms)).map_err(failed)
}
