//! A socket that does not block, registered for readiness as long as it lives; or a stream of bytes of the user's.

#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::{
    io::{self, IoSlice, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use klamm_engine::{ByteStream, dial::SocketOptions};
use polling::{Event, Poller};
use socket2::{Domain, Protocol, Socket as RawSocket, TcpKeepalive, Type};

pub(super) struct Socket {
    stream: Stream,
    poller: Arc<Poller>,
    key: usize,
}

enum Stream {
    Tcp(TcpStream),
    /// A connector's, and who is woken for it.
    Own(Box<dyn ByteStream>, Waker),
    /// A connector's that is a socket. What is watched is a duplicate, which nobody else closes.
    #[cfg(unix)]
    OwnSocket(Box<dyn ByteStream>, OwnedFd),
}

impl Socket {
    /// Begins to connect. The socket is writable once that has come to an end.
    pub(super) fn connect(
        address: SocketAddr,
        options: SocketOptions,
        poller: Arc<Poller>,
        key: usize,
    ) -> io::Result<Self> {
        let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        set_up(&socket, options)?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if is_in_progress(&error) => {}
            Err(error) => return Err(error),
        }
        let stream = TcpStream::from(socket);
        #[expect(unsafe_code, reason = "the poller demands that a source is deleted before it is closed")]
        // SAFETY: the stream is owned by the value made here, whose drop deletes it from the poller before closing it.
        unsafe {
            poller.add(&stream, Event::none(key))?;
        }
        Ok(Self { stream: Stream::Tcp(stream), poller, key })
    }

    /// Takes a connector's stream over.
    pub(super) fn own(
        stream: Box<dyn ByteStream>,
        poller: Arc<Poller>,
        key: usize,
        waker: Waker,
    ) -> io::Result<Self> {
        #[cfg(unix)]
        if let Some(socket) = stream.as_socket() {
            let watched = socket.try_clone_to_owned()?;
            #[expect(unsafe_code, reason = "the poller demands that a source is deleted before it is closed")]
            // SAFETY: the descriptor is owned by the value made here, whose drop deletes it from the poller before closing it.
            unsafe {
                poller.add(&watched, Event::none(key))?;
            }
            return Ok(Self { stream: Stream::OwnSocket(stream, watched), poller, key });
        }
        Ok(Self { stream: Stream::Own(stream, waker), poller, key })
    }

    /// Asks for one event when the socket is ready for either.
    pub(super) fn interest(&self, read: bool, write: bool) -> io::Result<()> {
        let event = Event::new(self.key, read, write);
        match &self.stream {
            Stream::Tcp(stream) => self.poller.modify(stream, event),
            // It calls the waker.
            Stream::Own(..) => Ok(()),
            #[cfg(unix)]
            Stream::OwnSocket(_, watched) => self.poller.modify(watched, event),
        }
    }

    /// How connecting came out, once the socket was writable: true if it is connected, false if it is still under way.
    pub(super) fn connected(&self) -> io::Result<bool> {
        let Stream::Tcp(stream) = &self.stream else { return Ok(true) };
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Own(stream, waker) => at_once(stream.poll_read(&mut Context::from_waker(waker), buffer)),
            #[cfg(unix)]
            Stream::OwnSocket(stream, _) => {
                at_once(stream.poll_read(&mut Context::from_waker(Waker::noop()), buffer))
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buffer)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_vectored(pieces),
            Stream::Own(stream, waker) => at_once(stream.poll_write(&mut Context::from_waker(waker), pieces)),
            #[cfg(unix)]
            Stream::OwnSocket(stream, _) => {
                at_once(stream.poll_write(&mut Context::from_waker(Waker::noop()), pieces))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is not ready would block.
fn at_once<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A source that cannot be deleted was never added.
        match &self.stream {
            Stream::Tcp(stream) => drop(self.poller.delete(stream)),
            Stream::Own(..) => {}
            #[cfg(unix)]
            Stream::OwnSocket(_, watched) => drop(self.poller.delete(watched)),
        }
    }
}

/// Sets a socket up: no delay, keepalive, buffers.
fn set_up(socket: &RawSocket, options: SocketOptions) -> io::Result<()> {
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

/// Whether connecting was begun and goes on.
fn is_in_progress(error: &io::Error) -> bool {
    // EINPROGRESS has no stable kind in the standard library. It is 115 on Linux and 36 on the BSDs and macOS.
    const IN_PROGRESS: i32 = if cfg!(any(target_os = "linux", target_os = "android")) { 115 } else { 36 };
    error.kind() == io::ErrorKind::WouldBlock || (cfg!(unix) && error.raw_os_error() == Some(IN_PROGRESS))
}
