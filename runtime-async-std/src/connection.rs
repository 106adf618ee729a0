//! Sockets of async-io, and any stream of its runtimes as one of bytes.

use std::{
    io::{self, IoSlice, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    pin::Pin,
    task::{Context, Poll},
};

use async_io::Async;
use futures_io::{AsyncRead, AsyncWrite};
use klamm_engine::{
    Address, ByteStream, Connecting, Connector, ControlTask, SystemClock,
    dial::{SocketOptions, connect_first},
    drive::{DialError, run_connection, run_control},
};
use socket2::{SockRef, TcpKeepalive};

use crate::timer::Timer;

/// What the runtimes that share this adapter differ in.
pub(crate) trait Host: 'static {
    /// Runs a task in the background.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);

    /// Runs what blocks on a thread of its own.
    fn unblock<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send;
}

/// Runs a client in the background.
pub(crate) fn start<H: Host>(control: ControlTask, clock: SystemClock) {
    let spawn = move |task| H::spawn(run_connection(task, clock, Timer::new(clock), dial::<H>));
    H::spawn(run_control(control, clock, Timer::new(clock), spawn));
}

/// Makes a [`Connector`] of a closure that makes a stream for an address: a Unix socket, a tunnel. Clients get it by
/// [`KafkaBuilder::connector`](klamm_engine::KafkaBuilder::connector).
///
/// ```no_run
/// # #[cfg(feature = "smol")]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use klamm_async_std::{connector, smol::Kafka};
///
/// let tunnel = connector(|address| async move {
///     smol::net::unix::UnixStream::connect(format!("/run/tunnel/{}", address.host)).await
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
async fn dial<H: Host>(address: Address, options: SocketOptions) -> Result<Socket, DialError> {
    let look_up =
        move || (&*address.host, address.port).to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>);
    let addresses = H::unblock(look_up).await.map_err(|error| DialError::Unresolved(error.to_string()))?;
    let connect = |address| async move {
        let stream = Async::<TcpStream>::connect(address).await?;
        set_up(SockRef::from(&stream), options)?;
        Ok(Socket(stream))
    };
    connect_first(addresses, connect, async_io::Timer::after).await.map_err(DialError::Refused)
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

/// A TCP socket. It is tried first, and watched only if it is not ready.
struct Socket(Async<TcpStream>);

impl Socket {
    fn attempt<T>(
        &self,
        mut operation: impl FnMut(&mut &TcpStream) -> io::Result<T>,
        mut ready: impl FnMut() -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<T>> {
        loop {
            match operation(&mut self.0.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match ready() {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                },
                result => return Poll::Ready(result),
            }
        }
    }
}

impl ByteStream for Socket {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.attempt(|socket| socket.read(buffer), || self.0.poll_readable(context))
    }

    fn poll_write(&mut self, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.attempt(|socket| socket.write_vectored(pieces), || self.0.poll_writable(context))
    }
}

/// A stream of the runtime's.
struct Stream<S> {
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
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }

    fn poll_write(&mut self, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, pieces);
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.unflushed = true;
            self.flush(context)?;
        }
        written
    }
}
