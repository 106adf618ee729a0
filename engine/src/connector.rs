//! Streams of bytes that are not sockets which the adapter connects.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::BytesMut;

use crate::Address;

/// The most that one read asks for.
const READ_BYTES: usize = 64 * 1024;

/// Makes streams of bytes in the place of an adapter: through a tunnel, to a Unix socket, within the process.
///
/// Each adapter has a function `connector` that makes one of a closure and a stream of its runtime. See
/// [`KafkaBuilder::connector`](crate::KafkaBuilder::connector).
pub trait Connector: Send + Sync + 'static {
    /// Begins to connect to what is at `address`: an address as the client was given it, or as the brokers advertise it,
    /// or that of a proxy. The name is not resolved.
    ///
    /// The future is polled by the task that drives the connection, with no lock held, and dropped when the time for
    /// setting up a connection (`connection_setup_timeout`) is over. Its error is told as the reason why the connection
    /// failed.
    fn connect(&self, address: &Address) -> Connecting;
}

/// A stream of bytes that is being made.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn ByteStream>>> + Send>>;

impl<F: Fn(&Address) -> Connecting + Send + Sync + 'static> Connector for F {
    fn connect(&self, address: &Address) -> Connecting {
        self(address)
    }
}

/// Bytes in both directions, in their order, until an end. Dropping it closes both directions.
pub trait ByteStream: Send + 'static {
    /// Reads into `buffer`: how many bytes; none means that no more will come. If there are none yet, the waker is
    /// called when there may be.
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes from these pieces, which are not all empty: how many bytes of the first ones. If it takes none yet, the
    /// waker is called when it may. What was taken has to leave by itself.
    fn poll_write(&mut self, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Reads to the end of `buffer`, which need not be empty. Streams that can do without bytes that are set before may
    /// do better than this.
    fn poll_read_buf(&mut self, context: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let filled = buffer.len();
        let room = (buffer.capacity() - filled).clamp(1, READ_BYTES);
        buffer.resize(filled + room, 0);
        let read = self.poll_read(context, &mut buffer[filled..]);
        let count = if let Poll::Ready(Ok(count)) = &read { (*count).min(room) } else { 0 };
        buffer.truncate(filled + count);
        read
    }

    /// The socket that this is, if it does not call wakers by itself but would fail with [`io::ErrorKind::WouldBlock`]:
    /// for the blocking adapter, which then watches the socket and reads or writes when it is ready. The others do not
    /// ask.
    #[cfg(unix)]
    fn as_socket(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}

impl ByteStream for Box<dyn ByteStream> {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_read(context, buffer)
    }

    fn poll_write(&mut self, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        (**self).poll_write(context, pieces)
    }

    fn poll_read_buf(&mut self, context: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        (**self).poll_read_buf(context, buffer)
    }

    #[cfg(unix)]
    fn as_socket(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        (**self).as_socket()
    }
}
