//! From a request to a connection, and from an answer to the owner of the request.

use alloc::boxed::Box;

use klamm_protocol::messages::AnyResponse;

use super::{
    Client,
    links::{Obtained, State},
};
use crate::{
    ConnectionId, Instant, Misbehaved, Request, Target, Token, admin::NoAnswer, client::Action,
    cluster::Node, connection::RequestError,
};

/// Why a request got no answer.
#[derive(Clone, Debug)]
pub(super) enum Lost {
    /// Its connection is over, or could not be had. Whether a byte of the request had left.
    Connection { written: bool },
    /// It could not be sent, though its connection goes on.
    Request(RequestError),
}

impl Lost {
    const UNSENT: Self = Self::Connection { written: false };

    pub(super) const fn is_written(&self) -> bool {
        matches!(self, Self::Connection { written: true })
    }

    const fn error(&self) -> Option<&RequestError> {
        match self {
            Self::Request(error) => Some(error),
            Self::Connection { .. } => None,
        }
    }

    pub(super) const fn is_unsupported(&self) -> bool {
        matches!(self, Self::Request(RequestError::Unsupported { .. } | RequestError::NotExpressible { .. }))
    }
}

impl Client {
    /// Sends a request, opening a connection if there is none.
    pub(super) fn route(&mut self, now: Instant, request: Request) {
        let node = match request.to {
            Target::Any => self.any_node(now),
            Target::Controller => self.cluster.controller().map(Node::Broker).or_else(|| self.any_node(now)),
            Target::Broker(id) => Some(Node::Broker(id)),
        };
        match node
            .filter(|_| !self.lifecycle.is_silent())
            .and_then(|node| self.connect(now, node, request.purpose))
        {
            Some(connection) => self.send(now, connection, request),
            None => {
                probe!(NodeUnknown, !self.lifecycle.is_silent());
                self.cluster.request_refresh();
                self.lost(now, request.token, &Lost::UNSENT);
            }
        }
    }

    /// The connection of a node for a purpose, opened if there is none. `None` if it is unknown where the node is.
    pub(super) fn connect(
        &mut self,
        now: Instant,
        node: Node,
        purpose: crate::Purpose,
    ) -> Option<ConnectionId> {
        let address = self.cluster.address(node)?;
        match self.links.obtain(now, node, purpose, address) {
            Obtained::There(id) => Some(id),
            Obtained::Open(id) => {
                self.open(id);
                Some(id)
            }
        }
    }

    /// Hands a request to its connection.
    pub(super) fn send(&mut self, now: Instant, connection: ConnectionId, request: Request) {
        let Some(link) = self.links.get_mut(connection) else {
            return self.lost(now, request.token, &Lost::UNSENT);
        };
        match &mut link.state {
            State::Pausing(waiting) => waiting.push(request),
            State::Opening | State::Ready(_) => {
                link.in_flight += 1;
                self.actions.push_back(Action::Send { connection, outgoing: request.into_outgoing(now) });
            }
            State::Closing => self.lost(now, request.token, &Lost::UNSENT),
        }
    }

    /// The least loaded node; if all pause, the one whose pause ends first.
    fn any_node(&mut self, now: Instant) -> Option<Node> {
        let links = &self.links;
        let available = self.cluster.least_loaded(|node| links.load(now, node));
        probe!(AllNodesPausing, available.is_none());
        available.or_else(|| self.links.first_to_recover(self.cluster.candidates()))
    }

    /// Gives an answer to the owner of its request.
    ///
    /// # Errors
    ///
    /// The answer is nonsense.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        token: Token,
        version: i16,
        response: Box<AnyResponse>,
    ) -> Result<(), Misbehaved> {
        match token {
            Token::Cluster(number) => {
                let AnyResponse::Metadata(response) = *response else {
                    self.lost(now, token, &Lost::Connection { written: true });
                    return Err(Misbehaved::Nonsense("an answer to another request"));
                };
                self.cluster.handle_response(now, number, version, &response);
                self.await_partitions();
                // That a topic is not there is news for the leader of a group, and no change.
                self.tell_groups(now);
                self.check_connects(now);
                Ok(())
            }
            Token::Producer(producer, number) => {
                self.producers.handle_response(now, producer, number, &response)
            }
            Token::Transaction(producer, number) => {
                self.producers.handle_transaction_response(now, producer, number, &response)
            }
            Token::Consumer(consumer, number) => {
                self.consumers.handle_response(now, consumer, number, version, &response);
                Ok(())
            }
            Token::Group(consumer, number) => self.groups.handle_response(now, consumer, number, &response),
            Token::Operation(operation, serial) => {
                self.admin.handle_response(now, operation, serial, *response)
            }
        }
    }

    /// Tells the owner of a request that there will be no answer.
    pub(super) fn lost(&mut self, now: Instant, token: Token, why: &Lost) {
        match token {
            Token::Cluster(number) => {
                self.cluster.handle_lost(now, number, why.error());
            }
            Token::Producer(producer, number) => self.producers.handle_lost(now, producer, number, why),
            Token::Transaction(producer, number) => {
                self.producers.handle_transaction_lost(now, producer, number, why);
            }
            Token::Consumer(consumer, number) => {
                self.consumers.handle_lost(now, consumer, number, why.error());
            }
            Token::Group(consumer, number) => self.groups.handle_lost(now, consumer, number, why),
            Token::Operation(operation, serial) => {
                let why = if why.is_unsupported() {
                    NoAnswer::Unsupported
                } else {
                    NoAnswer::Lost { written: why.is_written() }
                };
                self.admin.handle_failed(now, operation, serial, why);
            }
        }
    }
}
