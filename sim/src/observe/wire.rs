//! What goes over connections.

use bytes::Bytes;

use super::ClientId;

/// On a connection. Frames are without the four bytes of their length.
#[derive(Clone, Debug)]
pub enum Wire<'a> {
    /// A client asks the network for a connection to a broker; `Opened` or `Closed` follows.
    Connecting(ClientId, i32),
    /// A client connected to a broker.
    Opened(ClientId, i32),
    /// The client has handed the first bytes of a frame to its socket, which takes no more of it for now.
    Sending,
    /// The client has handed the last byte of a frame to its socket.
    Sent(&'a Bytes),
    /// A frame of the client has arrived at the broker.
    Request(&'a Bytes),
    /// A frame of the broker was handed to the network.
    Response(&'a [Bytes]),
    /// The whole of a broker's frame has been handed to the client.
    Received(&'a Bytes),
    /// The connection is over.
    Closed {
        /// Who closed it.
        by: Side,
    },
}

/// Who did something to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Client,
    /// The broker.
    Broker,
    /// The network, by a fault.
    Network,
}
