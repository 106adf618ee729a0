//! The task of one connection: a socket, a timer and a wake-up.

use std::{
    future::poll_fn,
    io,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    task::{Context, Poll},
};

use async_io::{Async, Timer as IoTimer};
use klamm_engine::{
    Clock, ConnectionTask, SystemClock,
    dial::{SocketOptions, connect_first},
};
use socket2::{SockRef, TcpKeepalive};

use crate::control::{Host, Timer};

/// How many reads or writes one turn makes before other tasks have theirs.
const TURN: usize = 32;

pub(crate) async fn run<H: Host>(mut task: ConnectionTask, clock: SystemClock) {
    let mut timer = Timer::new(clock);
    let Some(stream) = connect::<H>(&mut task, &mut timer, clock).await else { return };
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
            let read = poll_read(&mut task, &stream, clock, context);
            let due = timer.poll(context).is_ready();
            if woken || wrote || read || due { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Why there is no socket.
enum Failure {
    Unresolved(String),
    Refused(String),
}

/// Connects while the task may give up on it, by its own timeout or because it is closed.
async fn connect<H: Host>(
    task: &mut ConnectionTask,
    timer: &mut Timer,
    clock: SystemClock,
) -> Option<Async<TcpStream>> {
    let address = task.address().clone();
    let mut connecting =
        std::pin::pin!(connect_any::<H>(address.host.to_string(), address.port, task.socket_options()));
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

/// Connects to the first address of a host that takes it.
async fn connect_any<H: Host>(
    host: String,
    port: u16,
    options: SocketOptions,
) -> Result<Async<TcpStream>, Failure> {
    let name = host.clone();
    let look_up = move || (&*name, port).to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>);
    let addresses = H::unblock(look_up).await.map_err(|error| Failure::Unresolved(error.to_string()))?;
    let connect = |address| async move {
        let stream = Async::<TcpStream>::connect(address).await?;
        set_up(SockRef::from(&stream), options)?;
        Ok(stream)
    };
    connect_first(addresses, connect, IoTimer::after).await.map_err(Failure::Refused)
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
    stream: &Async<TcpStream>,
    clock: SystemClock,
    context: &mut Context<'_>,
) -> bool {
    let mut progress = false;
    for _ in 0..TURN {
        if !task.wants_write() {
            return progress;
        }
        if task.write_to(clock.now(), &mut stream.get_ref()).is_ok() {
            progress = true;
            continue;
        }
        match stream.poll_writable(context) {
            Poll::Pending => return progress,
            Poll::Ready(result) => progress |= failed(task, clock, result),
        }
    }
    true
}

/// Reads while the socket has bytes. Returns whether it had, or ended.
fn poll_read(
    task: &mut ConnectionTask,
    stream: &Async<TcpStream>,
    clock: SystemClock,
    context: &mut Context<'_>,
) -> bool {
    let mut progress = false;
    for _ in 0..TURN {
        if !task.wants_read() {
            return progress;
        }
        if task.read_from(clock.now(), &mut stream.get_ref()).is_ok() {
            progress = true;
            continue;
        }
        match stream.poll_readable(context) {
            Poll::Pending => return progress,
            Poll::Ready(result) => progress |= failed(task, clock, result),
        }
    }
    true
}

/// Deals with a failure of the reactor. Returns whether there was one.
fn failed(task: &mut ConnectionTask, clock: SystemClock, result: io::Result<()>) -> bool {
    result.inspect_err(|error| task.handle_error(clock.now(), error)).is_err()
}
