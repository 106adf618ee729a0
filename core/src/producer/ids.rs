//! How the producer gets its id.

use klamm_protocol::{ErrorCode, messages::init_producer_id::InitProducerIdResponse};

use super::{
    Lost, ProduceErrorKind, ProducerOutput, identity::Answer, machine::Producer, transactional::Source,
};
use crate::{Instant, Purpose, Request, Target, Token};

impl Producer {
    /// When the producer id should be asked for, if it should be.
    pub(super) fn ask_for_id_at(&self) -> Option<Instant> {
        let ids = self.source.ids().filter(|_| self.fatal.is_none() && !self.progress.is_closed())?;
        // The first time at once, so that it is there with the first batch; after a failure only if it is needed.
        if ids.has_failed() && self.progress.total() == 0 {
            return None;
        }
        ids.ask_at()
    }

    pub(super) fn ask_for_id(&mut self, now: Instant) {
        if self.ask_for_id_at().is_none_or(|at| at > now) {
            return;
        }
        let number = self.sent.number();
        let Some(message) = self.source.ids_mut().map(|ids| ids.ask(number)) else { return };
        let token = Token::Producer(self.handle, number);
        let request =
            Request::new(Target::Any, Purpose::General, token, message, self.config.request_timeout);
        self.news.outputs.push_back(ProducerOutput::Request(request));
    }

    pub(super) fn id_answered(&mut self, now: Instant, number: u64, response: &InitProducerIdResponse) {
        let backoff = self.config.backoff;
        let Some(ids) = self.source.ids_mut().filter(|ids| ids.is_asked(number)) else { return };
        match ids.handle_response(now, response, backoff, &mut self.entropy) {
            Answer::Ready => self.schedule_all(now),
            Answer::Again => {}
            Answer::Unauthorized(code) => self.fail_all(now, ProduceErrorKind::Unauthorized, code),
            Answer::Fatal(code) => self.fail_for_good(now, code),
        }
    }

    pub(super) fn id_lost(&mut self, now: Instant, lost: Lost) {
        let never_had_one = self.source.ids().is_some_and(|ids| ids.current().is_none());
        if lost == Lost::Unsupported && self.config.idempotence_optional && never_had_one {
            probe!(IdempotenceDropped);
            self.config.idempotent = false;
            self.source = Source::None;
            self.schedule_all(now);
        } else if lost == Lost::Unsupported {
            self.fail_for_good(now, ErrorCode::UNSUPPORTED_VERSION);
        } else if let Some(ids) = self.source.ids_mut() {
            ids.failed(now, self.config.backoff, &mut self.entropy);
        }
    }
}
