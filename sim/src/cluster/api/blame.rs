//! Answers that blame a client: observers are told, since no client should get any of them.

use klamm_protocol::ErrorCode;

use super::{Answer, Reply};
use crate::cluster::batches;
use crate::cluster::links::{Call, ConnectionId};
use crate::cluster::{Cluster, Origin};
use crate::observe::{ClusterEvent, Refusal};

impl Cluster {
    /// Tells of an answer that says that the request should not have been sent like that.
    pub(super) fn blame<M: Answer>(&mut self, origin: &Origin, call: Call, reply: &Reply<M>) {
        if let Reply::Now(response) = reply
            && response.error() == ErrorCode::INVALID_REQUEST
        {
            let (connection, reason) = (origin.connection, Refusal::Invalid(call.api, response.error()));
            self.events.tell(|| ClusterEvent::Refused { connection, reason });
        }
    }

    /// Tells of records that are refused because of how they were written.
    pub(in crate::cluster) fn blame_records(&mut self, connection: ConnectionId, refusal: &batches::Refusal) {
        let code = refusal.code;
        if matches!(
            code,
            ErrorCode::CORRUPT_MESSAGE
                | ErrorCode::INVALID_RECORD
                | ErrorCode::INVALID_REQUIRED_ACKS
                // What cannot be decompressed.
                | ErrorCode::UNKNOWN_SERVER_ERROR
        ) {
            let reason = Refusal::Records(code, refusal.message.clone());
            self.events.tell(|| ClusterEvent::Refused { connection, reason });
        }
    }
}
