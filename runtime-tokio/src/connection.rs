//! The task of one connection: a socket, a timer and a wake-up.

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::{Context, Poll},
};

use klamm_engine::{
    Clock, ConnectionTask, SystemClock,
    dial::{SocketOptions, connect_first},
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::AsyncReadExt,
    net::{TcpStream, lookup_host},
};

use crate::control::Timer;

/// How many reads or writes one turn makes before other tasks have theirs.
const TURN: usize = 32;

pub(crate) async fn run(mut task: ConnectionTask, clock: SystemClock) {
    let mut timer = Timer::new(clock);
    let Some(mut stream) = connect(&mut task, &mut timer, clock).await else { return };
    task.handle_open(clock.now());
    loop {
        task.drive(clock.now());
        if task.is_finished() {
            return;
        }
        timer.set(task.poll_timeout());
        poll_fn(|context| {
            let woken = task.poll_wake(context).is_ready();
            let wrote = poll_write(&mut task, &stream, clock, context);
            let read = poll_read(&mut task, &mut stream, clock, context);
            let due = timer.poll(context).is_ready();
            if woken || wrote || read || due { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Connects while the task may give up on it, by its own timeout or because it is closed.
async fn connect(task: &mut ConnectionTask, timer: &mut Timer, clock: SystemClock) -> Option<TcpStream> {
    let address = task.address().clone();
    let mut connecting = std::pin::pin!(connect_any(&address.host, address.port, task.socket_options()));
    loop {
        task.drive(clock.now());
        if task.is_finished() {
            return None;
        }
        timer.set(task.poll_timeout());
        let connected = poll_fn(|context| {
            if let Poll::Ready(connected) = connecting.as_mut().poll(context) {
                return Poll::Ready(Some(connected));
            }
            let woken = task.poll_wake(context).is_ready();
            if timer.poll(context).is_ready() || woken { Poll::Ready(None) } else { Poll::Pending }
        });
        match connected.await {
            Some(Ok(stream)) => return Some(stream),
            Some(Err(Failure::Unresolved(why))) => {
                task.handle_unresolved(clock.now(), why);
                return None;
            }
            Some(Err(Failure::Refused(why))) => {
                task.handle_connect_failed(clock.now(), why);
                return None;
            }
            None => {}
        }
    }
}

/// Why there is no socket.
enum Failure {
    Unresolved(String),
    Refused(String),
}

/// Connects to the first address of a host that takes it.
async fn connect_any(host: &str, port: u16, options: SocketOptions) -> Result<TcpStream, Failure> {
    let addresses =
        lookup_host((host, port)).await.map_err(|error| Failure::Unresolved(error.to_string()))?;
    let connect = |address| async move {
        let stream = TcpStream::connect(address).await?;
        set_up(SockRef::from(&stream), options)?;
        Ok(stream)
    };
    connect_first(addresses.collect(), connect, tokio::time::sleep).await.map_err(Failure::Refused)
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

/// Writes while the socket takes it. Returns whether it did, or failed.
fn poll_write(
    task: &mut ConnectionTask,
    stream: &TcpStream,
    clock: SystemClock,
    context: &mut Context<'_>,
) -> bool {
    let mut progress = false;
    for _ in 0..TURN {
        if !task.wants_write() {
            return progress;
        }
        let result = match stream.poll_write_ready(context) {
            Poll::Pending => return progress,
            Poll::Ready(Ok(())) => task.gather(|pieces| stream.try_write_vectored(pieces)),
            Poll::Ready(Err(error)) => Err(error),
        };
        match result {
            Ok(count) => task.advance(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => {
                task.handle_error(clock.now(), &error);
                return true;
            }
        }
        progress = true;
    }
    true
}

/// Reads while the socket has bytes. Returns whether it had, or ended.
///
/// A read that fills less than it could says that the socket is empty: tokio then does not ask it once more.
fn poll_read(
    task: &mut ConnectionTask,
    stream: &mut TcpStream,
    clock: SystemClock,
    context: &mut Context<'_>,
) -> bool {
    let mut progress = false;
    for _ in 0..TURN {
        if !task.wants_read() {
            return progress;
        }
        match pin!(stream.read_buf(task.read_buffer())).poll(context) {
            Poll::Pending => return progress,
            Poll::Ready(Ok(0)) => {
                task.handle_end(clock.now());
                return true;
            }
            Poll::Ready(Ok(_)) => task.handle_read(clock.now()),
            Poll::Ready(Err(error)) => {
                task.handle_error(clock.now(), &error);
                return true;
            }
        }
        progress = true;
    }
    true
}
