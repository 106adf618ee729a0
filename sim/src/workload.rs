//! Applications of the simulated world: what produces and consumes there, with the same handles as any application,
//! and tells the observers what it sees.
//!
//! A [`ProducerActor`], a [`ConsumerActor`] and a [`MemberActor`] do what they are told by the actions of a plan, a
//! [`TransactActor`] what its line says; a plan's run makes them ([`crate::run`]). Everything that they do is a future in the client's process: when that is killed or paused, so
//! are they.

mod apart;
mod consuming;
mod membering;
mod producing;
mod race;
mod receipts;
mod transacting;

use std::fmt;

pub use consuming::ConsumerActor;
pub use membering::MemberActor;
pub use producing::ProducerActor;
pub(crate) use transacting::tag_of;
pub use transacting::{From, TransactActor, Work};

use crate::World;
use crate::observe::{ActorId, ClientId};
use crate::plan::values::Place;
use klamm_engine::StartAt;

/// Who an actor is, and where.
#[derive(Clone)]
pub struct Identity {
    /// The world.
    pub world: World,
    /// The process.
    pub client: ClientId,
    /// The actor.
    pub actor: ActorId,
    /// Its name in the plan.
    pub name: String,
    /// The seed of the run: part of each value, and of what the actor leaves to chance.
    pub seed: u64,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where reading begins, as the client has it.
pub(crate) const fn start_at(place: Place) -> StartAt {
    match place {
        Place::Earliest => StartAt::Earliest,
        Place::Latest => StartAt::Latest,
        Place::Offset(offset) => StartAt::Offset(offset),
        Place::Time(time) => StartAt::Timestamp(time),
    }
}
