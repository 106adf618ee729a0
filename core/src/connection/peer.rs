//! Recognising what is at a port that does not speak Kafka.

use super::{CloseReason, Peer, frame::BadLength};
use crate::Misbehaved;

/// What a frame of impossible length means: another protocol if it is the first thing the peer said.
pub(super) fn diagnose(bad: BadLength) -> CloseReason {
    let nonsense = CloseReason::Misbehaved(Misbehaved::FrameLength { length: bad.length, first: bad.first });
    if !bad.greeting {
        return nonsense;
    }
    match &bad.first {
        b"HTTP" | b"<htm" | b"<HTM" | b"<!DO" => CloseReason::NotKafka(Peer::Http),
        b"SSH-" => CloseReason::NotKafka(Peer::Ssh),
        // A TLS record: an alert or a handshake, of SSL 3.0 or any version of TLS.
        [0x15 | 0x16, 0x03, 0..=4, _] => CloseReason::NotKafka(Peer::Tls),
        text if text.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t')) => {
            CloseReason::NotKafka(Peer::Text(*text))
        }
        _ => nonsense,
    }
}
