//! Sockets of tokio, and any stream of its as one of bytes.

use std::{
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::BytesMut;
use klamm_engine::{
    Address, ByteStream, Connecting, Connector,
    dial::{SocketOptions, connect_first},
    drive::DialError,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::{TcpStream, lookup_host},
};

/// Makes a [`Connector`] of a closure that makes a stream of tokio's for an address: a Unix socket, a tunnel, one end of
/// `tokio::io::duplex`. Clients get it by [`KafkaBuilder::connector`](crate::KafkaBuilder::connector).
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use klamm_tokio::{Kafka, connector};
///
/// let tunnel = connector(|address| async move {
///     tokio::net::UnixStream::connect(format!("/run/tunnel/{}", address.host)).await
/// });
/// let kafka = Kafka::builder(["kafka-1:9092"]).connector(tunnel).connect().await?;
/// # Ok(())
/// # }
/// ```
pub fn connector<F, S>(connect: impl Fn(Address) -> F + Send + Sync + 'static) -> impl Connector
where
    F: Future<Output = io::Result<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    move |address: &Address| -> Connecting {
        let connecting = connect(address.clone());
        Box::pin(async move { Ok(Box::new(Stream::new(connecting.await?)) as Box<dyn ByteStream>) })
    }
}

/// Connects to the first address of a host that takes it.
pub(crate) async fn dial(address: Address, options: SocketOptions) -> Result<Stream<TcpStream>, DialError> {
    let addresses = lookup_host((&*address.host, address.port)).await;
    let addresses = addresses.map_err(|error| DialError::Unresolved(error.to_string()))?;
    let connect = |address| async move {
        let stream = TcpStream::connect(address).await?;
        set_up(SockRef::from(&stream), options)?;
        Ok(Stream::new(stream))
    };
    connect_first(addresses.collect(), connect, tokio::time::sleep).await.map_err(DialError::Refused)
}

/// Sets a socket up: no delay, keepalive, buffers.
fn set_up(socket: SockRef<'_>, options: SocketOptions) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)?;
    if let Some(idle) = options.keepalive_idle {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
    }
    if let Some(bytes) = options.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    Ok(())
}

/// A stream of tokio's.
pub(crate) struct Stream<S> {
    inner: S,
    /// Something was written that the stream may keep in a buffer of its own.
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    const fn new(inner: S) -> Self {
        Self { inner, unflushed: false }
    }

    /// Nothing waits in the stream's own buffer for want of a wish: a connection reads at every turn, and then this is
    /// seen to.
    fn flush(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.unflushed
            && let Poll::Ready(flushed) = Pin::new(&mut self.inner).poll_flush(context)
        {
            flushed?;
            self.unflushed = false;
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> ByteStream for Stream<S> {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.flush(context)?;
        let mut buffer = ReadBuf::new(buffer);
        let read = Pin::new(&mut self.inner).poll_read(context, &mut buffer);
        read.map_ok(|()| buffer.filled().len())
    }

    fn poll_write(&mut self, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, pieces);
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.unflushed = true;
            self.flush(context)?;
        }
        written
    }

    /// A read that fills less than it could says that the socket is empty: tokio then does not ask it once more.
    fn poll_read_buf(&mut self, context: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        self.flush(context)?;
        pin!(self.inner.read_buf(buffer)).poll(context)
    }
}
