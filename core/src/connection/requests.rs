//! Requests on their way out, responses on their way in.

use alloc::{boxed::Box, vec::Vec};

use bytes::Bytes;
use klamm_protocol::{
    ApiKey, Message,
    messages::{
        AnyRequest, AnyResponse, RequestHeader, ResponseHeader, request_header_version,
        response_header_version,
    },
    wire::{DecodeError, EncodeError, Reader, Writer},
};

use super::{
    CloseReason, Connection, ConnectionEvent, Outgoing, RequestError,
    authentication::in_one_secret,
    in_flight::{Owner, Sent},
    state::State,
    throttle,
};
use crate::{Instant, Misbehaved};

impl Connection {
    /// Whether another request may await its answer.
    pub(super) fn has_window(&self) -> bool {
        self.in_flight.len() < self.config.max_in_flight
    }

    /// Sends what is queued, as far as it may be sent.
    pub(super) fn send_queued(&mut self, now: Instant) {
        while self.state == State::Ready && self.timing.throttled_until <= now && self.has_window() {
            if !self.queue.is_empty() && self.authentication.is_due(now) {
                self.timing.draining = self.in_flight.len() > 0;
                if !self.timing.draining {
                    self.renew_authentication(now);
                }
                return;
            }
            let Some(outgoing) = self.queue.pop() else { return };
            let token = outgoing.token;
            if let Err(error) = self.send(outgoing) {
                self.events.push_back(ConnectionEvent::Failed { token, error });
            }
        }
    }

    /// What a connection must not do: a planted defect.
    pub(super) fn send_before_versions(&mut self) {
        let Some(outgoing) = self.queue.pop() else { return };
        let version = outgoing.request.api_key().min_version().unwrap_or(0);
        if let Ok(sent) =
            self.put(Owner::Caller(outgoing.token), &outgoing.request, version, outgoing.deadline)
        {
            self.in_flight.push(sent);
        }
    }

    /// Reports the queued requests whose time is over.
    pub(super) fn expire_queued(&mut self, now: Instant) {
        let events = &mut self.events;
        self.queue.expire(now, |token| {
            probe!(RequestExpiredInQueue);
            events.push_back(ConnectionEvent::Failed { token, error: RequestError::TimedOut });
        });
    }

    fn send(&mut self, outgoing: Outgoing) -> Result<(), RequestError> {
        let Outgoing { token, request, max_version, deadline, no_response } = outgoing;
        let api = request.api_key();
        let unsupported = || RequestError::Unsupported { api, offered: self.versions.range(api) };
        let version = self.versions.version_up_to(api, max_version).ok_or_else(unsupported)?;
        let sent = self
            .put(Owner::Caller(token), &request, version, deadline)
            .map_err(|error| RequestError::NotExpressible { api, version, error })?;
        if no_response {
            self.in_flight.push_no_response(sent);
        } else {
            self.in_flight.push(sent);
        }
        Ok(())
    }

    /// Puts a request into the outbox.
    pub(super) fn put(
        &mut self,
        owner: Owner,
        request: &AnyRequest,
        version: i16,
        deadline: Instant,
    ) -> Result<Sent, EncodeError> {
        let api = request.api_key();
        let header = RequestHeader {
            request_api_key: api.0,
            request_api_version: version,
            correlation_id: self.correlation,
            client_id: Some(self.config.client_id.clone()),
            ..RequestHeader::default()
        };
        let segments = encode(&header, request, version)?;
        let segments = if api == ApiKey::SASL_AUTHENTICATE { in_one_secret(segments) } else { segments };
        let bytes = self.outbox.push(segments);
        let correlation = self.correlation;
        if !planted!(CorrelationReused, every 20) {
            self.correlation = correlation.wrapping_add(1);
        }
        let sent = Sent { owner, correlation, api, version, deadline, at: self.meter.now(), bytes };
        self.meter.request(&sent, request);
        Ok(sent)
    }

    /// Reports the requests without answers that have left.
    pub(super) fn settle_written(&mut self) {
        while let Some(sent) = self.in_flight.take_written(self.outbox.taken()) {
            self.meter.written(&sent);
            if let Owner::Caller(token) = sent.owner {
                self.events.push_back(ConnectionEvent::Written { token });
            }
        }
    }

    /// Answers come in the order of the requests, and not before these have left.
    pub(super) fn check_correlation(&self, received: i32) -> Result<(), Misbehaved> {
        let taken = self.outbox.taken();
        let expected =
            self.in_flight.next().filter(|sent| sent.bytes.1 <= taken).map(|sent| sent.correlation);
        if expected == Some(received) { Ok(()) } else { Err(Misbehaved::Correlation { expected, received }) }
    }

    /// Takes a response whose correlation id is right.
    pub(super) fn take_response(&mut self, now: Instant, frame: Bytes) -> Result<(), CloseReason> {
        let Some(&sent) = self.in_flight.next() else { return Ok(()) };
        if sent.owner == Owner::Versions {
            self.in_flight.take();
            return self.take_versions(now, &sent, frame);
        }
        let bytes = frame_bytes(&frame);
        // A request whose answer is malformed stays in flight, so that the end of the connection tells its owner.
        let response = decode(sent.api, sent.version, frame)
            .map_err(|error| CloseReason::Misbehaved(Misbehaved::Malformed(error)))?;
        self.in_flight.take();
        let pause = throttle::millis(&response, sent.version);
        self.meter.response(&sent, bytes, &response, pause);
        self.throttle(now, pause);
        match sent.owner {
            Owner::Caller(token) => {
                let response = Box::new(response);
                self.events.push_back(ConnectionEvent::Response { token, version: sent.version, response });
            }
            Owner::Authentication => return self.take_authentication(now, response),
            Owner::Versions | Owner::Abandoned => {}
        }
        Ok(())
    }

    /// The broker asked for a pause (KIP-219).
    pub(super) fn throttle(&mut self, now: Instant, millis: i32) {
        if let Ok(millis @ 1..) = u64::try_from(millis)
            && !planted!(ThrottleIgnored)
        {
            let until = now + core::time::Duration::from_millis(millis);
            self.timing.throttled_until = self.timing.throttled_until.max(until);
        }
    }
}

/// Most requests are shorter, records aside: they are written without the buffer having to grow.
const USUAL_REQUEST: usize = 192;

fn encode(header: &RequestHeader, request: &AnyRequest, version: i16) -> Result<Vec<Bytes>, EncodeError> {
    let api = request.api_key();
    let mut writer = Writer::with_capacity(USUAL_REQUEST);
    let length = writer.begin_length();
    header.encode(&mut writer, request_header_version(api, version).unwrap_or(0))?;
    request.encode(&mut writer, version)?;
    if planted!(TrailingByte, every 30) {
        writer.write_i8(0);
    }
    writer.end_length(&length);
    writer.check()?;
    Ok(writer.into_segments())
}

/// What a frame takes on the wire, with its length.
pub(super) fn frame_bytes(frame: &Bytes) -> u64 {
    u64::try_from(frame.len()).unwrap_or(u64::MAX).saturating_add(4)
}

/// Decodes a frame: header and body.
pub(super) fn decode(api: ApiKey, version: i16, frame: Bytes) -> Result<AnyResponse, DecodeError> {
    let mut reader = Reader::new(frame);
    ResponseHeader::decode(&mut reader, response_header_version(api, version).unwrap_or(0))?;
    AnyResponse::decode(api, version, &mut reader)
}
