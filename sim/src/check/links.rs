//! Connections: who asked what, and what was answered.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::messages::api_versions::ApiVersionsResponse;
use klamm_protocol::messages::sasl_handshake::SaslHandshakeRequest;
use klamm_protocol::messages::{
    RequestHeader, ResponseHeader, request_header_version, response_header_version,
};
use klamm_protocol::wire::Reader;
use klamm_protocol::{ApiKey, ErrorCode, Message, Request};

use super::findings::Findings;
use super::{Bounds, Invariant};
use crate::cluster::ConnectionId;
use crate::observe::ClientId;

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) correlation: i32,
    /// Of a fetch: the session's id and epoch.
    pub(super) session: (i32, i32),
}

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: ClientId,
    pub(super) broker: i32,
    opened: bool,
    /// What the broker said that it can do: API, lowest and highest version.
    versions: Option<Vec<(i16, i16, i16)>>,
    waiting: VecDeque<Asked>,
    /// Frames that the client sent, and those that have arrived.
    sent: u64,
    arrived: u64,
    /// The broker asked for patience: since when, and until when.
    throttled: Option<(Instant, Instant)>,
    /// Since when requests do not wait in the client until they may be sent.
    ready: Instant,
    /// A frame is under way into the socket.
    is_sending: bool,
    proof: Proof,
}

/// How far a client is with proving who it is (KIP-43, KIP-152, KIP-368).
#[derive(Clone, Copy, Debug, Default)]
struct Proof {
    /// Something was asked that is no part of setting up the connection.
    is_over: bool,
    /// How many messages the mechanism of the last dialogue has in each direction.
    messages: u8,
    /// After a handshake of version 0 they come without headers: so many are still to be sent, and to be answered.
    bare: (u8, u8),
}

impl Proof {
    /// A request was sent.
    fn sent(&mut self, head: &Head, frame: &[u8]) {
        self.is_over |= !is_preliminary(head.api);
        if head.api == ApiKey::SASL_HANDSHAKE {
            let frame = Bytes::copy_from_slice(frame);
            let request = request::<SaslHandshakeRequest>(&frame, head.version);
            let is_scram = request.is_some_and(|request| request.mechanism.starts_with("SCRAM-"));
            self.messages = if is_scram { 2 } else { 1 };
        }
    }

    /// A request was answered.
    fn answered(&mut self, asked: &Asked, frame: &Bytes) {
        if asked.api == ApiKey::SASL_HANDSHAKE && asked.version == 0 {
            let response = response::<SaslHandshakeRequest>(frame, 0);
            if response.is_some_and(|response| response.error_code.is_ok()) {
                self.bare = (self.messages, self.messages);
            }
        }
    }

    /// Whether a request may be sent although the broker has asked for patience. Setting up a connection cannot wait: what
    /// is asked for then is what comes after it. Authenticating again can, because nothing is sent meanwhile, and a
    /// broker takes it as late as it likes: what it refuses is requests whose session is over.
    const fn is_urgent(&self, api: ApiKey) -> bool {
        is_preliminary(api) && !self.is_over
    }
}

impl Link {
    const fn new(client: ClientId, broker: i32) -> Self {
        Self {
            client,
            broker,
            opened: false,
            versions: None,
            waiting: VecDeque::new(),
            sent: 0,
            arrived: 0,
            throttled: None,
            ready: Instant::MAX,
            is_sending: false,
            proof: Proof { is_over: false, messages: 0, bare: (0, 0) },
        }
    }

    /// Whether a request that is sent now may have been made long ago, and waited until it could be sent.
    pub(super) fn waited(&self, now: Instant, bounds: &Bounds) -> bool {
        let patient = self.throttled.map_or(Instant::ZERO, |(_, until)| until);
        self.ready == Instant::MAX || now <= self.ready.max(patient) + bounds.handover
    }

    /// Produce requests that wait for their answers.
    pub(super) fn producing(&self) -> usize {
        self.waiting.iter().filter(|asked| asked.api == ApiKey::PRODUCE).count()
    }

    pub(super) fn throttle(&mut self, now: Instant, throttle_ms: i32) {
        let Ok(throttle_ms) = u64::try_from(throttle_ms) else { return };
        if throttle_ms > 0 {
            self.throttled = Some((now, now + std::time::Duration::from_millis(throttle_ms)));
        }
    }

    /// The frame is to be answered.
    pub(super) fn ask(&mut self, head: &Head, session: (i32, i32)) {
        let Head { api, version, correlation } = *head;
        self.waiting.push_back(Asked { api, version, correlation, session });
    }
}

/// The beginning of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) correlation: i32,
}

impl Head {
    pub(super) fn of(frame: &[u8]) -> Option<Self> {
        let i16_at = |at: usize| Some(i16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?));
        let correlation = i32::from_be_bytes(frame.get(4..8)?.try_into().ok()?);
        Some(Self { api: ApiKey(i16_at(0)?), version: i16_at(2)?, correlation })
    }
}

/// The request in a frame.
pub(super) fn request<R: Request>(frame: &Bytes, version: i16) -> Option<R> {
    let mut reader = Reader::new(frame.clone());
    RequestHeader::decode(&mut reader, request_header_version(R::API_KEY, version)?).ok()?;
    let request = R::decode(&mut reader, version).ok()?;
    reader.finish().is_ok().then_some(request)
}

/// The answer in a frame to a request of `R`.
pub(super) fn response<R: Request>(frame: &Bytes, version: i16) -> Option<R::Response> {
    let mut reader = Reader::new(frame.clone());
    ResponseHeader::decode(&mut reader, response_header_version(R::API_KEY, version)?).ok()?;
    R::Response::decode(&mut reader, version).ok()
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Links {
    by_id: BTreeMap<ConnectionId, Link>,
}

impl Links {
    pub(super) fn connecting(&mut self, id: ConnectionId, client: ClientId, broker: i32) {
        self.by_id.insert(id, Link::new(client, broker));
    }

    pub(super) fn opened(&mut self, id: ConnectionId, client: ClientId, broker: i32) {
        let link = self.by_id.entry(id).or_insert_with(|| Link::new(client, broker));
        // Only now it is known for certain who is there.
        (link.opened, link.broker) = (true, broker);
    }

    pub(super) fn closed(&mut self, id: ConnectionId) -> Option<Link> {
        self.by_id.remove(&id)
    }

    pub(super) fn link_mut(&mut self, id: ConnectionId) -> Option<&mut Link> {
        self.by_id.get_mut(&id)
    }

    /// A frame begins that the socket does not take as a whole.
    pub(super) fn sending(&mut self, id: ConnectionId) {
        if let Some(link) = self.by_id.get_mut(&id) {
            link.is_sending = true;
        }
    }

    /// Whether a frame is seen for the first time: when it is sent, or when it arrives if its sending was not told.
    pub(super) fn is_new(&mut self, now: Instant, id: ConnectionId, arrived: bool) -> bool {
        let Some(link) = self.by_id.get_mut(&id) else { return false };
        if !arrived {
            link.sent += 1;
            if std::mem::take(&mut link.is_sending) && link.ready != Instant::MAX {
                // What follows waited for this one.
                link.ready = now;
            }
            return true;
        }
        link.arrived += 1;
        let is_new = link.arrived > link.sent;
        link.sent = link.sent.max(link.arrived);
        is_new
    }

    /// Checks what holds for requests of all kinds.
    pub(super) fn check(
        &mut self,
        id: ConnectionId,
        frame: &[u8],
        bounds: &Bounds,
        findings: &mut Findings,
    ) -> Option<Head> {
        let link = self.by_id.get_mut(&id)?;
        if let Some(left) = link.proof.bare.0.checked_sub(1) {
            link.proof.bare.0 = left;
            return None;
        }
        let place =
            |link: &Link| format!("client {} to broker {} (connection {})", link.client.0, link.broker, id.0);
        let Some(head) = Head::of(frame) else {
            let what = format!("{} sent a frame of {} bytes", place(link), frame.len());
            findings.add(Invariant::WellFormed, what);
            return None;
        };
        let now = findings.now.at;
        let api = head.api.0;
        if link.versions.is_none() && !is_preliminary(head.api) {
            let what = format!("{} sent API {api} before it knew the broker's versions", place(link));
            findings.add(Invariant::Correlation, what);
        }
        if let Some(versions) = &link.versions {
            let range = versions.iter().find(|(key, ..)| *key == api).map(|(_, min, max)| *min..=*max);
            if !range.as_ref().is_some_and(|range| range.contains(&head.version)) {
                let what = format!(
                    "{} sent API {api} in version {}, and the broker has {range:?}",
                    place(link),
                    head.version
                );
                findings.add(Invariant::Correlation, what);
            }
        }
        if link.waiting.iter().any(|asked| asked.correlation == head.correlation) {
            let what = format!(
                "{} sent correlation id {} again before it was answered",
                place(link),
                head.correlation
            );
            findings.add(Invariant::Correlation, what);
        }
        if let Some((since, until)) = link.throttled
            && now > since.max(link.ready) + bounds.handover
            && now < until
            && !link.proof.is_urgent(head.api)
        {
            let what = format!(
                "{} sent API {api}; at {since} the broker had asked for patience until {until}",
                place(link)
            );
            findings.add(Invariant::Throttle, what);
        }
        link.proof.sent(&head, frame);
        Some(head)
    }

    /// An answer has reached the client; the request that it belongs to.
    pub(super) fn answered(
        &mut self,
        id: ConnectionId,
        frame: &Bytes,
        findings: &mut Findings,
    ) -> Option<Asked> {
        let link = self.by_id.get_mut(&id)?;
        if let Some(left) = link.proof.bare.1.checked_sub(1).filter(|_| link.proof.bare.0 < link.proof.bare.1)
        {
            link.proof.bare.1 = left;
            link.ready = findings.now.at;
            return None;
        }
        let correlation = i32::from_be_bytes(frame.get(..4)?.try_into().ok()?);
        let asked = link.waiting.pop_front();
        if asked.map(|asked| asked.correlation) != Some(correlation) {
            let expected = asked
                .map_or_else(|| "nothing".to_owned(), |asked| format!("an answer to {}", asked.correlation));
            let what = format!(
                "client {} expects {expected} from broker {}, and the answer to {correlation} came",
                link.client.0, link.broker
            );
            findings.add(Invariant::Correlation, what);
            return None;
        }
        let asked = asked?;
        if asked.api == ApiKey::API_VERSIONS {
            link.learn_versions(frame, asked.version);
        }
        link.proof.answered(&asked, frame);
        if is_preliminary(asked.api) {
            // Requests have waited for this, and perhaps for more of its kind.
            link.ready = findings.now.at;
        }
        Some(asked)
    }
}

impl Link {
    fn learn_versions(&mut self, frame: &Bytes, version: i16) {
        let mut decoded = decode_versions(frame, version);
        if decoded.as_ref().is_none_or(|response| response.error_code == ErrorCode::UNSUPPORTED_VERSION) {
            // A broker that does not know the version answers in the form of version 0.
            decoded = decode_versions(frame, 0).filter(|response| !response.api_keys.is_empty());
            let Some(response) = decoded else { return };
            if response.error_code == ErrorCode::UNSUPPORTED_VERSION {
                return;
            }
            decoded = Some(response);
        }
        let Some(response) = decoded.filter(|response| response.error_code == ErrorCode::NONE) else {
            return;
        };
        let range = |api: &klamm_protocol::messages::api_versions::ApiVersion| {
            (api.api_key, api.min_version, api.max_version)
        };
        self.versions = Some(response.api_keys.iter().map(range).collect());
    }
}

fn decode_versions(frame: &Bytes, version: i16) -> Option<ApiVersionsResponse> {
    response::<klamm_protocol::messages::api_versions::ApiVersionsRequest>(frame, version)
}

/// What may be sent before the versions are known.
const fn is_preliminary(api: ApiKey) -> bool {
    matches!(api, ApiKey::API_VERSIONS | ApiKey::SASL_HANDSHAKE | ApiKey::SASL_AUTHENTICATE)
}
