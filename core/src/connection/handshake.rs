//! From the open transport to readiness: versions, then authentication.

use alloc::sync::Arc;

use bytes::Bytes;
use klamm_protocol::{
    ApiKey, ErrorCode, Message,
    messages::{
        AnyRequest, AnyResponse, ResponseHeader,
        api_versions::{ApiVersionsRequest, ApiVersionsResponse},
    },
    wire::Reader,
};

use super::{
    ApiVersions, CloseReason, Connection, ConnectionEvent, FIRST_CORRELATION,
    in_flight::{Owner, Sent},
    requests::{decode, frame_bytes},
    state::Input,
    throttle,
};
use crate::{Instant, Misbehaved};

/// The answer to ApiVersions has this header in every version, so that any client can read it (KIP-511).
const RESPONSE_HEADER: i16 = 0;
/// The version of ApiVersions to begin with. Version 5 differs only in naming the cluster and the node that are
/// expected (KIP-1242), which this client does not; older brokers would refuse it, at the cost of a round trip.
const NEWEST: i16 = 4;
/// The first version that tells the features of the cluster.
const WITH_FEATURES: i16 = 3;

impl Connection {
    /// Asks what the broker offers, in the newest version unless a hint says otherwise.
    pub(super) fn start_handshake(&mut self) {
        self.ask_versions(self.config.api_versions_hint.map_or(NEWEST, |hint| hint.clamp(0, NEWEST)));
    }

    fn ask_versions(&mut self, version: i16) {
        let mut request = ApiVersionsRequest::default();
        if version >= 3 {
            // KIP-511; older versions have no place for it.
            let (name, software_version) = &self.config.software;
            request.client_software_name = name.clone();
            request.client_software_version = software_version.clone();
        }
        match self.put(Owner::Versions, &AnyRequest::from(request), version, Instant::MAX) {
            Ok(sent) => self.in_flight.push(sent),
            // The text of the configuration is longer than a string can be.
            Err(_) => self.end(CloseReason::HandshakeFailed(ErrorCode::INVALID_REQUEST)),
        }
    }

    /// Takes the answer to ApiVersions. A broker that does not know the version answers in version 0, whatever
    /// was asked, and names the versions that it does know (KIP-511) or nothing.
    pub(super) fn take_versions(
        &mut self,
        now: Instant,
        sent: &Sent,
        frame: Bytes,
    ) -> Result<(), CloseReason> {
        let malformed = |error| CloseReason::Misbehaved(Misbehaved::Malformed(error));
        if error_code(frame.clone()) == Some(ErrorCode::UNSUPPORTED_VERSION) {
            // The refusal itself is in version 0, whatever was asked.
            if let Ok(refusal) = decode(sent.api, 0, frame.clone()) {
                self.meter.response(sent, frame_bytes(&frame), &refusal, 0);
            }
            let older = older_version(sent.version, frame).ok_or(CloseReason::UnsupportedVersion)?;
            probe!(ApiVersionsDowngraded);
            self.enter(Input::OtherVersions);
            self.ask_versions(older);
            return Ok(());
        }
        let bytes = frame_bytes(&frame);
        let response = decode(sent.api, sent.version, frame).map_err(malformed)?;
        let pause = throttle::millis(&response, sent.version);
        self.meter.response(sent, bytes, &response, pause);
        self.throttle(now, pause);
        let AnyResponse::ApiVersions(response) = response else {
            return Err(CloseReason::UnsupportedVersion);
        };
        if !response.error_code.is_ok() {
            return Err(CloseReason::HandshakeFailed(response.error_code));
        }
        self.versions = Arc::new(ApiVersions::from_response(&response));
        if let Some(newer) = self.newer_version(sent) {
            probe!(ApiVersionsUpgraded);
            self.enter(Input::OtherVersions);
            self.ask_versions(newer);
            return Ok(());
        }
        if self.config.sasl.is_some() {
            self.enter(Input::AuthenticationDue);
            self.begin_authentication(now);
        } else {
            let versions = Arc::clone(&self.versions);
            self.enter(Input::Offered);
            self.queue.postpone(self.timing.setup_began, now);
            self.events.push_back(ConnectionEvent::Ready(versions));
        }
        Ok(())
    }

    /// The version of ApiVersions to ask again with, if the hint that led to an answer without features
    /// (KIP-584) was wrong: the broker may have closed a connection only because it was starting up.
    fn newer_version(&self, sent: &Sent) -> Option<i16> {
        let by_hint = sent.correlation == FIRST_CORRELATION && sent.version < WITH_FEATURES;
        let (_, newest) = self.versions.range(ApiKey::API_VERSIONS)?;
        (by_hint && newest >= WITH_FEATURES).then_some(newest.min(NEWEST))
    }
}

/// The error code of an answer to ApiVersions: the first field in every version.
fn error_code(frame: Bytes) -> Option<ErrorCode> {
    let mut reader = Reader::new(frame);
    ResponseHeader::decode(&mut reader, RESPONSE_HEADER).ok()?;
    let code = reader.read_i16();
    reader.check().ok().map(|()| ErrorCode(code))
}

/// The version to ask next of a broker that refused `refused`: the newest that it names if that is lower, else
/// 0; none if 0 was refused.
fn older_version(refused: i16, frame: Bytes) -> Option<i16> {
    let mut reader = Reader::new(frame);
    let named = ResponseHeader::decode(&mut reader, RESPONSE_HEADER)
        .and_then(|_| ApiVersionsResponse::decode(&mut reader, 0))
        .ok()
        .and_then(|response| ApiVersions::from_response(&response).range(ApiKey::API_VERSIONS))
        .map(|(_, newest)| newest);
    let older = named.filter(|named| (0..refused).contains(named)).unwrap_or(0);
    (older < refused).then_some(older)
}
