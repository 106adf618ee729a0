//! A socket that does not block, registered for readiness as long as it lives.

use std::{
    io::{self, IoSlice, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use klamm_engine::dial::SocketOptions;
use polling::{Event, Poller};
use socket2::{Domain, Protocol, Socket as RawSocket, TcpKeepalive, Type};

pub(super) struct Socket {
    stream: TcpStream,
    poller: Arc<Poller>,
    key: usize,
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
        Ok(Self { stream, poller, key })
    }

    /// Asks for one event when the socket is ready for either.
    pub(super) fn interest(&self, read: bool, write: bool) -> io::Result<()> {
        self.poller.modify(&self.stream, Event::new(self.key, read, write))
    }

    /// How connecting came out, once the socket was writable: true if it is connected, false if it is still under way.
    pub(super) fn connected(&self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.write(buffer)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A source that cannot be deleted was never added.
        drop(self.poller.delete(&self.stream));
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
