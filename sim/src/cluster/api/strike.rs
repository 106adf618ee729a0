//! Faults on their way to a request.

use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::{ApiKey, ErrorCode};

use super::{Parts, Reply, Serve};
use crate::cluster::faults::{Asked, FaultKind, Orders, Place};
use crate::cluster::links::{Call, Instead};
use crate::cluster::quotas::Use;
use crate::cluster::{Cluster, Origin};
use crate::observe::ClusterEvent;

/// What goes wrong between the moment when a request is applied and its answer.
const FAILED_WAITING: [ErrorCode; 3] = [
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
];

impl Cluster {
    /// Until when the broker is busy with a request before it looks at it; `None`: it does so at once.
    pub(super) fn busy_until(&mut self, origin: &Origin, call: Call) -> Option<Instant> {
        if self.faults.is_empty() {
            return None;
        }
        let client = self.links.client_id(origin.connection);
        let asked = Asked { now: origin.now, api: call.api, broker: origin.broker, client: &client };
        let time = self.faults.slowness(&asked);
        if time.is_zero() {
            return None;
        }
        let limit = self.config.limits.request_handlers;
        let broker = self.brokers.iter_mut().find(|known| known.node.id == origin.broker)?;
        Some(broker.handlers.occupy(origin.now, time, limit))
    }

    /// Decides what goes wrong with a request, and does what has to be done before it is served. A reply: it is not
    /// served at all.
    pub(super) fn strike<R: Serve>(
        &mut self,
        origin: &Origin,
        call: Call,
        request: &mut R,
    ) -> Option<Reply<R::Response>> {
        let orders = self.orders(origin, call, request)?;
        let fault = orders.fault.clone();
        if let Some(work) = self.links.work(origin.connection) {
            work.orders = Some(orders);
        }
        match fault? {
            (FaultKind::DropBefore, _) => {
                self.tell_tampered(origin.connection, call.api, FaultKind::DropBefore);
                Some(Reply::Close)
            }
            (FaultKind::Error(code), place) => self.fail(origin, request, (code, false), &place),
            (FaultKind::ErrorAfter(code), place) => self.fail(origin, request, (code, true), &place),
            _ => None,
        }
    }

    /// The same for a request whose body cannot be read in its version. Returns whether its connection is closed.
    pub(super) fn strike_unread(&mut self, origin: &Origin, call: Call) -> bool {
        let client = self.links.client_id(origin.connection);
        let asked = Asked { now: origin.now, api: call.api, broker: origin.broker, client: &client };
        let orders = self.faults.take(&asked, |place| *place == Place::Whole);
        let is_dropped = orders.as_ref().is_some_and(|orders| orders.kind() == Some(FaultKind::DropBefore));
        if is_dropped {
            self.tell_tampered(origin.connection, call.api, FaultKind::DropBefore);
            self.close(origin.connection);
        } else if let Some(work) = self.links.work(origin.connection) {
            work.orders = orders;
        }
        is_dropped
    }

    fn orders<R: Serve>(&mut self, origin: &Origin, call: Call, request: &R) -> Option<Box<Orders>> {
        if self.faults.is_empty() && !self.quotas.are_set() {
            return None;
        }
        let client = self.links.client_id(origin.connection);
        let asked = Asked { now: origin.now, api: call.api, broker: origin.broker, client: &client };
        let mut faults = self.faults.take_out();
        let touches = |place: &Place| {
            let sessions = self.broker(origin.broker).map(|broker| &broker.sessions);
            *place == Place::Whole
                || sessions.is_some_and(|sessions| request.touches(&self.spot(place), sessions))
        };
        let mut orders = faults.take(&asked, touches);
        self.faults = faults;
        let throttle = self.use_quotas(&asked, call);
        if !throttle.is_zero() {
            let orders = orders.get_or_insert_default();
            orders.throttle = orders.throttle.max(throttle);
        }
        orders
    }

    /// How long quotas throttle the sender of a request.
    fn use_quotas(&mut self, asked: &Asked<'_>, call: Call) -> Duration {
        if !self.quotas.are_set() {
            return Duration::ZERO;
        }
        let client = klamm_protocol::Str::copy_of(asked.client);
        let Asked { now, broker, .. } = *asked;
        self.quotas.record(now, Use::Request, broker, &client, 1);
        let requests = self.quotas.wait(now, Use::Request, broker, &client);
        let bytes = match call.api {
            ApiKey::PRODUCE => {
                self.quotas.record(now, Use::Produce, broker, &client, call.size as u64);
                self.quotas.wait(now, Use::Produce, broker, &client)
            }
            ApiKey::FETCH => self.quotas.wait(now, Use::Fetch, broker, &client),
            _ => Duration::ZERO,
        };
        requests.max(bytes)
    }

    /// Has a request fail, in part or as a whole. A reply: it is not served at all.
    fn fail<R: Serve>(
        &mut self,
        origin: &Origin,
        request: &mut R,
        (error, applied): (ErrorCode, bool),
        place: &Place,
    ) -> Option<Reply<R::Response>> {
        let (api, broker) = (R::API_KEY, origin.broker);
        if applied && FAILED_WAITING.contains(&error) && !request.waits() {
            // No broker says so.
            return None;
        }
        self.events.tell(|| ClusterEvent::Injected { api, broker, error, applied });
        let instead = if *place == Place::Whole {
            if !applied {
                let is_answered = request.expects_answer();
                let refused = || Reply::Now(request.refuse_in(origin.version, error));
                return Some(if is_answered { refused() } else { Reply::Close });
            }
            Instead::Whole(Box::new(request.refuse_in(origin.version, error)))
        } else if api == ApiKey::FETCH {
            // The sessions have to know of it: whoever answers the fetch looks.
            return None;
        } else if <R as Parts>::CAN_SPLIT {
            let spot = self.spot(place);
            let part = if applied { request.clone().take_part(&spot) } else { request.take_part(&spot) };
            Instead::Entries(Box::new(part?.refuse_in(origin.version, error)))
        } else {
            Instead::Error(self.spot(place), error)
        };
        if let Some(work) = self.links.work(origin.connection) {
            work.instead = Some(instead);
        }
        None
    }
}
