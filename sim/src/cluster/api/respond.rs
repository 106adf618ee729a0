//! Answers on their way to a client, and the faults that meet them there.

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::messages::{ResponseHeader, response_header_version};
use klamm_protocol::wire::Writer;
use klamm_protocol::{ApiKey, Message};

use super::Answer;
use crate::cluster::Cluster;
use crate::cluster::faults::{FaultKind, Orders, flip_in, truncate};
use crate::cluster::links::{Call, ConnectionId, Instead};
use crate::cluster::quotas::Use;
use crate::observe::ClusterEvent;

/// The bytes of a response's length.
const LENGTH_BYTES: usize = 4;

impl Cluster {
    /// Answers the request that the connection works on.
    pub(in crate::cluster) fn respond<M: Answer>(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        response: &M,
    ) {
        let Some(work) = self.links.work(connection) else { return };
        let (call, orders, instead) = (work.call, work.orders.take(), work.instead.take());
        let mut changed = instead.and_then(|instead| instead.changed(response));
        if let Some(orders) = &orders {
            orders.mark(call, changed.get_or_insert_with(|| response.clone()));
        }
        let Some(segments) = encode(call, changed.as_ref().unwrap_or(response)) else {
            return self.close(connection);
        };
        if call.api == ApiKey::FETCH && self.quotas.are_set() {
            self.record_fetched(now, connection, &segments);
        }
        match orders {
            None => self.links.send(now, connection, now, segments),
            Some(orders) => self.send_as_ordered(now, connection, segments, &orders),
        }
    }

    /// The request that the connection works on is done, and its client expects no answer.
    pub(super) fn respond_nothing(&mut self, now: Instant, connection: ConnectionId) {
        let orders = self.links.work(connection).and_then(|work| work.orders.take());
        if let Some(orders) = &orders {
            // Closing the connection is all that such a client can be told.
            let is_told = matches!(
                orders.kind(),
                Some(FaultKind::Error(_) | FaultKind::ErrorAfter(_) | FaultKind::DropAfter)
            );
            if is_told {
                return self.close(connection);
            }
            self.links.mute(connection, now + orders.throttle);
        }
        self.links.finish(now, connection);
    }

    fn send_as_ordered(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        segments: Vec<Bytes>,
        orders: &Orders,
    ) {
        let api = self.links.call(connection).map_or(ApiKey(-1), |call| call.api);
        let mut segments = segments;
        match orders.kind() {
            Some(kind @ FaultKind::DropAfter) => {
                self.tell_tampered(connection, api, kind);
                return self.close(connection);
            }
            Some(kind @ FaultKind::Truncate) => {
                self.tell_tampered(connection, api, kind);
                return self.links.send_and_close(connection, truncate(&segments, orders.dice));
            }
            Some(kind @ FaultKind::Flip) => {
                self.tell_tampered(connection, api, kind);
                segments = flip_in(&segments, LENGTH_BYTES, orders.dice);
            }
            _ => {}
        }
        let mut at = now + orders.delay;
        // Since KIP-219 a throttled client is told at once and not listened to; before, it had to wait.
        if orders.throttle.is_zero() {
            return self.links.send(now, connection, at, segments);
        }
        if self.release_of(connection).at_least([2, 0, 0]) {
            self.links.mute(connection, at + orders.throttle);
        } else {
            at = at + orders.throttle;
        }
        self.links.send(now, connection, at, segments);
    }

    fn record_fetched(&mut self, now: Instant, connection: ConnectionId, segments: &[Bytes]) {
        let size: usize = segments.iter().map(Bytes::len).sum();
        let client = self.links.client_id(connection);
        if let Some(broker) = self.links.broker(connection) {
            self.quotas.record(now, Use::Fetch, broker, &client, size as u64);
        }
    }

    pub(super) fn tell_tampered(&mut self, connection: ConnectionId, api: ApiKey, kind: FaultKind) {
        let fault = kind.name();
        self.events.tell(|| ClusterEvent::Tampered { connection, api, fault });
    }
}

impl Instead {
    /// What is answered instead of a response.
    fn changed<M: Answer>(self, response: &M) -> Option<M> {
        match self {
            Self::Whole(other) => other.downcast().ok().map(|other| *other),
            Self::Entries(other) => {
                let mut changed = response.clone();
                changed.replace_entries(*other.downcast().ok()?);
                Some(changed)
            }
            Self::Error(spot, error) => {
                let mut changed = response.clone();
                changed.fail_entries(&spot, error).then_some(changed)
            }
        }
    }
}

impl Orders {
    /// Writes into a response what it has to say besides.
    fn mark<M: Answer>(&self, call: Call, response: &mut M) {
        if !self.throttle.is_zero() {
            response.set_throttle_time(i32::try_from(self.throttle.as_millis()).unwrap_or(i32::MAX));
        }
        if self.unknown_tag && M::INFO.first_flexible <= call.version {
            response.add_unknown_tag();
        }
    }
}

/// Most responses are shorter, records aside: they are written without the buffer having to grow.
const USUAL_RESPONSE: usize = 192;

/// A response as it goes over the wire, the four bytes of its length first. `None`: it cannot be said in the
/// version of the request.
pub(in crate::cluster) fn encode<M: Message>(call: Call, response: &M) -> Option<Vec<Bytes>> {
    let mut writer = Writer::with_capacity(USUAL_RESPONSE);
    let length = writer.begin_length();
    let header = ResponseHeader { correlation_id: call.correlation_id, ..ResponseHeader::default() };
    header.encode(&mut writer, response_header_version(call.api, call.version)?).ok()?;
    response.encode(&mut writer, call.version).ok()?;
    writer.end_length(&length);
    writer.check().ok()?;
    Some(writer.into_segments())
}
