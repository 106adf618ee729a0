//! Why a world came to no end.

use std::fmt;

use klamm_core::Instant;

/// A future that did not become ready in time: who waits for what.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stuck {
    /// When it was given up.
    pub at: Instant,
    /// Whether nothing at all was left to happen; otherwise the time was over.
    pub is_deadlock: bool,
    /// The actors that have not come to their end.
    pub actors: Vec<WaitingActor>,
    /// The clients that live.
    pub clients: Vec<WaitingClient>,
}

/// An actor that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitingActor {
    /// Its name.
    pub name: String,
    /// When it ran last.
    pub since: Instant,
}

/// A client that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitingClient {
    /// Its name.
    pub name: String,
    /// Why brokers cannot be reached, in words; `None` if the client knows of no trouble.
    pub diagnosis: Option<String>,
    /// Until when its process does not run.
    pub paused_until: Option<Instant>,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.is_deadlock { "nothing is left to happen" } else { "the time is over" };
        write!(f, "at {} {why}", self.at)?;
        for actor in &self.actors {
            write!(f, "\n  actor \"{}\" has waited since {}", actor.name, actor.since)?;
        }
        for client in &self.clients {
            match &client.diagnosis {
                Some(diagnosis) => write!(f, "\n  client \"{}\": {diagnosis}", client.name)?,
                None => write!(f, "\n  client \"{}\" knows of no trouble", client.name)?,
            }
            if let Some(until) = client.paused_until {
                write!(f, "; it is paused until {until}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Stuck {}
