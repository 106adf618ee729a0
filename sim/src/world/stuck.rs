//! Why a world came to no end.

use std::fmt;

use klamm_core::Instant;

use super::{World, state::Body};

/// A future that did not become ready in time: who waits for what.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stuck {
    /// When it was given up.
    pub at: Instant,
    /// Why.
    pub reason: StuckReason,
    /// The actors that have not come to their end.
    pub actors: Vec<WaitingActor>,
    /// The clients that live.
    pub clients: Vec<WaitingClient>,
}

/// Why a future was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StuckReason {
    /// Its time was over.
    TimeOver,
    /// Nothing was left to happen that could make it ready.
    Deadlock,
    /// Actors or tasks woke each other millions of times, and no time passed.
    Spinning,
    /// It was to be run by an actor of the same world, which should await it.
    Nested,
}

impl fmt::Display for StuckReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimeOver => "the time is over",
            Self::Deadlock => "nothing is left to happen",
            Self::Spinning => "actors or tasks wake each other without end, and no time passes",
            Self::Nested => "block_on was called within an actor of the same world: await the future there",
        })
    }
}

/// An actor that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitingActor {
    /// Its name.
    pub name: String,
    /// When it ran last.
    pub since: Instant,
    /// Until when it sleeps, if it does; otherwise it waits for somebody else.
    pub sleeps_until: Option<Instant>,
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
        write!(f, "at {}: {}", self.at, self.reason)?;
        for actor in &self.actors {
            write!(f, "\n  actor \"{}\" has waited since {}", actor.name, actor.since)?;
            if let Some(until) = actor.sleeps_until {
                write!(f, "; it sleeps until {until}")?;
            }
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

impl World {
    pub(super) fn stuck(&self, reason: StuckReason) -> Stuck {
        let (at, state) = (self.now(), self.state());
        let (mut actors, mut clients) = (Vec::new(), Vec::new());
        for (_, node) in state.nodes.iter() {
            match &node.body {
                Body::Actor(_) | Body::Root => {
                    let sleeper = state.timers.sleepers.iter().find(|(_, waker)| node.is_woken_by(waker));
                    actors.push(WaitingActor {
                        name: node.name.clone(),
                        since: node.ran_at,
                        sleeps_until: sleeper.map(|(key, _)| key.0),
                    });
                }
                Body::Control(Some(task)) => {
                    let client = node.client.and_then(|id| state.clients.get(id));
                    clients.push(WaitingClient {
                        name: client.map(|client| client.name.clone()).unwrap_or_default(),
                        diagnosis: task.diagnosis(),
                        paused_until: client
                            .and_then(|client| client.paused_until)
                            .filter(|until| *until > at),
                    });
                }
                _ => {}
            }
        }
        Stuck { at, reason, actors, clients }
    }
}
