//! The faults that are still to come, and which of them happens to a request.

use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::{ApiKey, Str, Uuid};

use super::{Fault, FaultKind, Place};
use crate::cluster::access::Denied;
use crate::{Domain, Draws};

/// A request, as far as faults choose among requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) now: Instant,
    pub(crate) api: ApiKey,
    pub(crate) broker: i32,
    pub(crate) client: &'a str,
}

/// What happens to a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    /// The one thing that goes wrong, and where.
    pub(crate) fault: Option<(FaultKind, Place)>,
    /// The answer is held back.
    pub(crate) delay: Duration,
    /// The client is throttled.
    pub(crate) throttle: Duration,
    /// The answer has a tagged field that nobody knows.
    pub(crate) unknown_tag: bool,
    /// What is drawn for the fault.
    pub(crate) dice: u64,
}

impl Orders {
    pub(crate) fn kind(&self) -> Option<FaultKind> {
        self.fault.as_ref().map(|(kind, _)| *kind)
    }

    const fn is_empty(&self) -> bool {
        self.fault.is_none() && self.delay.is_zero() && self.throttle.is_zero() && !self.unknown_tag
    }
}

/// A place, with the topic's id, since requests name topics by either.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    topics: Topics,
    partition: Option<i32>,
}

#[derive(Clone, Debug)]
enum Topics {
    All,
    One(Str, Uuid),
    Denied(Box<Denied>),
}

impl Spot {
    /// `id_of`: the id of a topic, zero if there is no such topic.
    pub(crate) fn new(place: &Place, id_of: impl Fn(&str) -> Uuid) -> Self {
        let (topic, partition) = match place {
            Place::Whole | Place::Each => (None, None),
            Place::Topic(topic) => (Some(topic), None),
            Place::Partition(topic, partition) => (Some(topic), Some(*partition)),
        };
        let one = |topic: &Str| Topics::One(topic.clone(), id_of(topic));
        Self { topics: topic.map_or(Topics::All, one), partition }
    }

    /// The topics to which somebody has no right.
    pub(crate) fn denied(topics: Denied) -> Self {
        Self { topics: Topics::Denied(Box::new(topics)), partition: None }
    }

    /// Whether a topic, by name or by id, is or has this spot.
    pub(crate) fn has_topic(&self, name: &str, id: Uuid) -> bool {
        match &self.topics {
            Topics::All => true,
            Topics::One(own_name, _) if id.is_zero() => own_name == name,
            Topics::One(_, own_id) => *own_id == id,
            Topics::Denied(denied) => denied.has(name, id),
        }
    }

    /// Whether a partition, of a topic by name or by id, is at this spot.
    pub(crate) fn has(&self, name: &str, id: Uuid, partition: i32) -> bool {
        self.partition.is_none_or(|own| own == partition) && self.has_topic(name, id)
    }

    /// Whether it is no single partition.
    pub(crate) const fn is_whole_topic(&self) -> bool {
        self.partition.is_none()
    }
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    begin: Instant,
    end: Option<Instant>,
    remaining: u32,
    draws: Draws,
    /// Requests that it could have happened to.
    seen: u64,
}

impl Rule {
    fn chooses(&self, asked: &Asked<'_>) -> bool {
        let fault = &self.fault;
        fault.api.is_none_or(|api| api == asked.api)
            && fault.broker.is_none_or(|broker| broker == asked.broker)
            && fault.client.as_ref().is_none_or(|client| *client == asked.client)
            && self.begin <= asked.now
            && self.remaining > 0
            && !self.is_over(asked.now)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.end.is_some_and(|end| end <= now)
    }

    /// Whether it happens to a request that it chose; what is drawn for it.
    fn strikes(&mut self) -> Option<u64> {
        let number = self.seen;
        self.seen += 1;
        let one_in = u64::from(self.fault.one_in);
        let drawn = u128::from(self.draws.at(number.wrapping_mul(2))) * u128::from(one_in);
        if drawn >> 64 != 0 || one_in == 0 {
            return None;
        }
        if self.remaining != u32::MAX {
            self.remaining -= 1;
        }
        Some(self.draws.at(number.wrapping_mul(2) + 1))
    }
}

/// See the module. The oldest one that fits a request happens to it, besides all that can happen beside others.
#[derive(Debug)]
pub(crate) struct Faults {
    seed: u64,
    rules: Vec<Rule>,
}

impl Faults {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, rules: Vec::new() }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// All of them, to be put back; none are left.
    pub(crate) fn take_out(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.seed))
    }

    pub(crate) fn add(&mut self, now: Instant, fault: &Fault) {
        let begin = now + fault.after;
        let remaining = fault.limit();
        if remaining > 0 {
            self.rules.push(Rule {
                fault: fault.clone(),
                begin,
                end: fault.lasting.map(|lasting| begin + lasting),
                remaining,
                draws: Draws::new(self.seed, Domain::Faults, hash(&fault.to_string())),
                seen: 0,
            });
        }
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Forgets the faults of a name. Returns how many there were.
    pub(crate) fn lift(&mut self, name: &str) -> usize {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.fault.name.as_ref().is_none_or(|own| *own != name));
        before - self.rules.len()
    }

    /// How long a request has to wait before anybody looks at it.
    pub(crate) fn slowness(&mut self, asked: &Asked<'_>) -> Duration {
        let mut sum = Duration::ZERO;
        for rule in &mut self.rules {
            if let FaultKind::Slow(mean) = rule.fault.kind
                && rule.chooses(asked)
                && let Some(dice) = rule.strikes()
            {
                sum += with_tail(mean, dice);
            }
        }
        self.forget_spent(asked.now);
        sum
    }

    /// What happens to a request. `touches`: whether it is about a place.
    pub(crate) fn take(
        &mut self,
        asked: &Asked<'_>,
        touches: impl Fn(&Place) -> bool,
    ) -> Option<Box<Orders>> {
        if self.rules.is_empty() {
            return None;
        }
        let mut orders = Orders::default();
        for rule in &mut self.rules {
            let kind = rule.fault.kind;
            let is_late = matches!(kind, FaultKind::Slow(_)) || !kind.is_beside() && orders.fault.is_some();
            if is_late || !rule.chooses(asked) || !touches(&rule.fault.place) {
                continue;
            }
            let Some(dice) = rule.strikes() else { continue };
            match kind {
                FaultKind::Delay(time) => orders.delay += time,
                FaultKind::Throttle(time) => orders.throttle = orders.throttle.max(time),
                FaultKind::UnknownTag => orders.unknown_tag = true,
                _ => {
                    orders.fault = Some((kind, rule.fault.place.clone()));
                    orders.dice = dice;
                }
            }
        }
        self.forget_spent(asked.now);
        (!orders.is_empty()).then(|| Box::new(orders))
    }

    fn forget_spent(&mut self, now: Instant) {
        self.rules.retain(|rule| rule.remaining > 0 && !rule.is_over(now));
    }
}

/// A drawn time with this mean: half of them are below two thirds of it, and each further mean is half as likely.
fn with_tail(mean: Duration, dice: u64) -> Duration {
    // A geometric number plus a fraction has the mean 1.5, in whole numbers everywhere the same.
    let steps = u64::from(dice.trailing_ones()) << 16;
    let thirds = u128::from(steps + (dice >> 48)) * 2;
    let nanos = mean.as_nanos().saturating_mul(thirds) / (3 << 16);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
