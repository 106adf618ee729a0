//! What a connection counts, and the messages that it keeps for whoever wants to see them.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use klamm_protocol::{
    ApiKey,
    messages::{AnyRequest, AnyResponse},
};

use super::{in_flight::Sent, redact};
use crate::{Instant, metrics::Exchange};

/// A request or an answer as it was on the wire, without secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct WireMessage {
    /// When it was handed to the transport, or its last byte came.
    pub at: Instant,
    /// What request and answer share.
    pub correlation_id: i32,
    /// The API.
    pub api: ApiKey,
    /// The version in which it is encoded.
    pub version: i16,
    /// Its size on the wire, with its length and header.
    pub bytes: u64,
    /// What it says.
    pub content: WireContent,
}

/// What a [`WireMessage`] says. Passwords, proofs and keys are left out of it.
#[derive(Clone, Debug, PartialEq)]
pub enum WireContent {
    /// A request.
    Request(Box<AnyRequest>),
    /// An answer.
    Response {
        /// Since the request was handed to the transport.
        latency: Duration,
        /// The answer.
        response: Box<AnyResponse>,
    },
}

/// So many exchanges are kept for a driver that does not take them.
const MOST_KEPT: usize = 1_024;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    /// The instant of the latest input.
    now: Instant,
    exchanges: Vec<Exchange>,
    /// None if nobody wants to see them.
    messages: Option<Vec<WireMessage>>,
}

impl Meter {
    pub(super) fn new(now: Instant, keep_messages: bool) -> Self {
        Self { now, exchanges: Vec::new(), messages: keep_messages.then(Vec::new) }
    }

    /// An input tells the time.
    pub(super) const fn tick(&mut self, now: Instant) {
        self.now = now;
    }

    /// The time that the latest input told.
    pub(super) const fn now(&self) -> Instant {
        self.now
    }

    /// A request was put into the outbox.
    pub(super) fn request(&mut self, sent: &Sent, request: &AnyRequest) {
        if let Some(messages) = &mut self.messages {
            let content = WireContent::Request(Box::new(redact::request(request)));
            messages.push(WireMessage::new(self.now, sent, sent.size(), content));
        }
    }

    /// A request was answered with so many bytes.
    pub(super) fn response(&mut self, sent: &Sent, bytes: u64, response: &AnyResponse, throttle_ms: i32) {
        let latency = self.now.since(sent.at);
        self.keep(Exchange {
            api: sent.api,
            version: sent.version,
            request_bytes: sent.size(),
            response_bytes: bytes,
            latency: Some(latency),
            throttle_ms: u32::try_from(throttle_ms).unwrap_or(0),
        });
        if let Some(messages) = &mut self.messages {
            let content = WireContent::Response { latency, response: Box::new(redact::response(response)) };
            messages.push(WireMessage::new(self.now, sent, bytes, content));
        }
    }

    /// A request that is not answered has left.
    pub(super) fn written(&mut self, sent: &Sent) {
        self.keep(Exchange {
            api: sent.api,
            version: sent.version,
            request_bytes: sent.size(),
            response_bytes: 0,
            latency: None,
            throttle_ms: 0,
        });
    }

    fn keep(&mut self, exchange: Exchange) {
        if self.exchanges.len() < MOST_KEPT {
            self.exchanges.push(exchange);
        }
    }

    pub(super) fn exchanges(&mut self) -> impl Iterator<Item = Exchange> + '_ {
        self.exchanges.drain(..)
    }

    pub(super) fn messages(&mut self) -> Vec<WireMessage> {
        self.messages.as_mut().map(core::mem::take).unwrap_or_default()
    }

    pub(super) const fn has_exchanges(&self) -> bool {
        !self.exchanges.is_empty()
    }
}

impl WireMessage {
    const fn new(at: Instant, sent: &Sent, bytes: u64, content: WireContent) -> Self {
        Self { at, correlation_id: sent.correlation, api: sent.api, version: sent.version, bytes, content }
    }
}
