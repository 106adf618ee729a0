//! The dialogue of any mechanism.

use bytes::Bytes;

use super::{
    Answer, AuthenticationError, Credentials, Mechanism, Secret,
    oauthbearer::OAuthBearer,
    plain,
    scram::{Hash, Scram},
};
use crate::Entropy;

/// The longest message of a broker that is looked at.
const LONGEST: usize = 64 << 10;

/// One dialogue. Any error ends it.
#[derive(Clone, Debug)]
pub struct Exchange(Dialogue);

#[derive(Clone, Debug)]
enum Dialogue {
    /// The broker has all that it needs: it says yes or no.
    Plain,
    Scram(Scram),
    OAuthBearer(OAuthBearer),
    /// Its messages are made elsewhere.
    Elsewhere {
        /// The last one was sent.
        is_last: bool,
    },
    /// It came to an end.
    Over,
}

/// What follows from a message of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this.
    Send(Secret),
    /// Have an answer to this made, and send what [`Exchange::answer`] makes of it.
    Ask(Bytes),
    /// The broker accepts the client, and has proved what the mechanism demands of it.
    Done,
}

impl Exchange {
    /// Begins a dialogue: it, and the first message to send. `entropy` makes the nonce.
    ///
    /// # Errors
    /// The credentials cannot be used with the mechanism.
    pub fn start(
        mechanism: Mechanism,
        credentials: &Credentials,
        entropy: &mut Entropy,
    ) -> Result<(Self, Secret), AuthenticationError> {
        let (dialogue, first) = match (mechanism, credentials) {
            (Mechanism::Plain, Credentials::Password(password)) => {
                (Dialogue::Plain, plain::message(password)?)
            }
            (Mechanism::ScramSha256 | Mechanism::ScramSha512, Credentials::Password(password)) => {
                let hash = if mechanism == Mechanism::ScramSha256 { Hash::Sha256 } else { Hash::Sha512 };
                let (scram, first) = Scram::start(hash, password, entropy)?;
                (Dialogue::Scram(scram), first)
            }
            (Mechanism::OAuthBearer, Credentials::Bearer(token)) => {
                let (bearer, first) = OAuthBearer::start(token)?;
                (Dialogue::OAuthBearer(bearer), first)
            }
            (Mechanism::OAuthBearer, Credentials::Password(_)) => {
                return Err(AuthenticationError::Unusable("OAUTHBEARER takes a token, not a password"));
            }
            (Mechanism::Gssapi, _) => {
                return Err(AuthenticationError::Unusable("GSSAPI takes neither a password nor a token"));
            }
            (_, Credentials::Bearer(_)) => {
                return Err(AuthenticationError::Unusable("the mechanism takes a password, not a token"));
            }
        };
        Ok((Self(dialogue), first))
    }

    /// Begins a dialogue whose messages are made elsewhere: ask for the first one.
    #[must_use]
    pub const fn elsewhere() -> Self {
        Self(Dialogue::Elsewhere { is_last: false })
    }

    /// Takes a message that was made elsewhere: what to send, and whether the client has no more to say.
    pub fn answer(&mut self, answer: Answer) -> (Secret, bool) {
        if let Dialogue::Elsewhere { is_last } = &mut self.0 {
            *is_last = answer.is_last;
        }
        (answer.message, answer.is_last)
    }

    /// Takes a message of the broker.
    ///
    /// # Errors
    /// Why the dialogue failed.
    pub fn handle(&mut self, message: &[u8]) -> Result<Step, AuthenticationError> {
        if message.len() > LONGEST {
            self.0 = Dialogue::Over;
            return Err(AuthenticationError::Nonsense("a message of more than 64 KiB"));
        }
        match core::mem::replace(&mut self.0, Dialogue::Over) {
            Dialogue::Plain => Ok(Step::Done),
            Dialogue::Scram(mut scram) => {
                let step = scram.handle(message)?;
                self.0 = if step == Step::Done { Dialogue::Over } else { Dialogue::Scram(scram) };
                Ok(step)
            }
            Dialogue::OAuthBearer(mut bearer) => {
                let step = bearer.handle(message)?;
                self.0 = if step == Step::Done { Dialogue::Over } else { Dialogue::OAuthBearer(bearer) };
                Ok(step)
            }
            Dialogue::Elsewhere { is_last: true } => Ok(Step::Done),
            Dialogue::Elsewhere { is_last: false } => {
                self.0 = Dialogue::Elsewhere { is_last: false };
                Ok(Step::Ask(Bytes::copy_from_slice(message)))
            }
            Dialogue::Over => Err(AuthenticationError::Nonsense("a message after the end of the dialogue")),
        }
    }

    /// What the broker's refusal means, given what it said before: `error` unless the dialogue knows more.
    #[must_use]
    pub fn explain(&self, error: AuthenticationError) -> AuthenticationError {
        match &self.0 {
            Dialogue::OAuthBearer(bearer) => bearer.explain(error),
            _ => error,
        }
    }
}
