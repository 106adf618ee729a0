//! Getting a producer id (InitProducerId).

use klamm_protocol::{
    ErrorCode,
    messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse},
};

use super::sequences::ProducerId;
use crate::{Backoff, Entropy, Instant};

/// Where the producer is with its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It should be asked for, but not before this.
    Missing(Instant),
    /// It was asked for with the request of this number.
    Asked(u64),
    /// Here it is.
    Ready,
}

/// What an answer about the id means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is a new one.
    Ready,
    /// It will be asked for again.
    Again,
    /// This producer may not have one: what waits for it fails.
    Unauthorized(ErrorCode),
    /// There never will be one.
    Fatal(ErrorCode),
}

/// The producer id of an idempotent producer.
#[derive(Debug)]
pub(super) struct IdSource {
    state: State,
    id: Option<ProducerId>,
    failures: u32,
}

impl IdSource {
    pub(super) const fn new() -> Self {
        Self { state: State::Missing(Instant::ZERO), id: None, failures: 0 }
    }

    /// The newest id, if there has been one.
    pub(super) const fn current(&self) -> Option<ProducerId> {
        self.id
    }

    /// A partition has used up its epochs: another id is needed.
    pub(super) fn want_new(&mut self) {
        if self.state == State::Ready {
            self.state = State::Missing(Instant::ZERO);
        }
    }

    /// Whether the last attempts to get one failed.
    pub(super) const fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// When to ask next, if it should be asked for.
    pub(super) const fn ask_at(&self) -> Option<Instant> {
        if let State::Missing(at) = self.state { Some(at) } else { None }
    }

    /// The request, which will have this number.
    pub(super) fn ask(&mut self, number: u64) -> InitProducerIdRequest {
        self.state = State::Asked(number);
        InitProducerIdRequest {
            transactional_id: None,
            // Of a transaction only, but the field has no null.
            transaction_timeout_ms: i32::MAX,
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdRequest::default()
        }
    }

    pub(super) fn is_asked(&self, number: u64) -> bool {
        self.state == State::Asked(number)
    }

    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        response: &InitProducerIdResponse,
        backoff: Backoff,
        entropy: &mut Entropy,
    ) -> Answer {
        match response.error_code {
            ErrorCode::NONE if response.producer_id >= 0 && response.producer_epoch >= 0 => {
                self.state = State::Ready;
                self.failures = 0;
                self.id = Some(ProducerId { id: response.producer_id, epoch: response.producer_epoch });
                Answer::Ready
            }
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED => {
                self.failed(now, backoff, entropy);
                Answer::Unauthorized(response.error_code)
            }
            code if code.is_ok() || code.is_retriable() => {
                self.failed(now, backoff, entropy);
                Answer::Again
            }
            code => Answer::Fatal(code),
        }
    }

    /// No answer: it will be asked for again.
    pub(super) fn failed(&mut self, now: Instant, backoff: Backoff, entropy: &mut Entropy) {
        probe!(ProducerIdRetried);
        self.failures = self.failures.saturating_add(1);
        self.state = State::Missing(now + backoff.delay(self.failures, entropy));
    }
}
