//! What asynchronous adapters do with the tasks: the same for all of them, given a timer, a stream and a way to spawn.

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::{Context, Poll},
};

use crate::{Address, ByteStream, Clock, ConnectionTask, ControlTask, Instant, dial::SocketOptions};

/// How many reads or writes one turn makes before other tasks have theirs.
const TURN: usize = 32;

/// One timer of a runtime.
pub trait Timer {
    /// Sets it anew: `None` means never. The same deadline as before costs nothing.
    fn set(&mut self, at: Option<Instant>);

    /// Ready when the deadline has passed.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()>;
}

/// Why there is no socket.
#[derive(Debug)]
pub enum DialError {
    /// The name of the host does not resolve: why.
    Unresolved(String),
    /// No address took the connection: how the last one failed, in words that name it.
    Refused(String),
}

/// Runs a client's control task to its end; `spawn` runs the tasks of connections beside it.
pub async fn run_control(
    mut control: ControlTask,
    clock: impl Clock,
    mut timer: impl Timer,
    spawn: impl Fn(ConnectionTask),
) {
    loop {
        let now = clock.now();
        control.drive(now);
        while let Some(task) = control.poll_open(now) {
            spawn(task);
        }
        if control.is_finished() {
            return;
        }
        timer.set(control.poll_timeout());
        poll_fn(|context| {
            let woken = control.poll_wake(context).is_ready();
            if timer.poll(context).is_ready() || woken { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Runs the task of one connection to its end; `dial` connects a socket, where the client has no connector of its own.
pub async fn run_connection<S, D>(
    mut task: ConnectionTask,
    clock: impl Clock,
    mut timer: impl Timer,
    dial: impl FnOnce(Address, SocketOptions) -> D,
) where
    S: ByteStream,
    D: Future<Output = Result<S, DialError>>,
{
    if let Some(connector) = task.connector() {
        let connecting = connector.connect(task.address());
        let connecting = async { connecting.await.map_err(|error| DialError::Refused(error.to_string())) };
        if let Some(stream) = connect(&mut task, &clock, &mut timer, connecting).await {
            pump(task, clock, timer, stream).await;
        }
    } else {
        let dialling = dial(task.address().clone(), task.socket_options());
        if let Some(stream) = connect(&mut task, &clock, &mut timer, dialling).await {
            pump(task, clock, timer, stream).await;
        }
    }
}

/// Connects while the task may give up on it, by its own timeout or because it is closed.
async fn connect<S>(
    task: &mut ConnectionTask,
    clock: &impl Clock,
    timer: &mut impl Timer,
    dialling: impl Future<Output = Result<S, DialError>>,
) -> Option<S> {
    let mut dialling = pin!(dialling);
    loop {
        task.drive(clock.now());
        if task.is_finished() {
            return None;
        }
        timer.set(task.poll_timeout());
        let connected = poll_fn(|context| {
            if let Poll::Ready(connected) = dialling.as_mut().poll(context) {
                return Poll::Ready(Some(connected));
            }
            let woken = task.poll_wake(context).is_ready();
            if timer.poll(context).is_ready() || woken { Poll::Ready(None) } else { Poll::Pending }
        });
        match connected.await {
            Some(Ok(stream)) => return Some(stream),
            Some(Err(DialError::Unresolved(why))) => {
                task.handle_unresolved(clock.now(), why);
                return None;
            }
            Some(Err(DialError::Refused(why))) => {
                task.handle_connect_failed(clock.now(), why);
                return None;
            }
            None => {}
        }
    }
}

/// Moves bytes until the connection is over.
async fn pump(
    mut task: ConnectionTask,
    clock: impl Clock,
    mut timer: impl Timer,
    mut stream: impl ByteStream,
) {
    task.handle_open(clock.now());
    loop {
        task.drive(clock.now());
        if task.is_finished() {
            return;
        }
        timer.set(task.poll_timeout());
        poll_fn(|context| {
            let woken = task.poll_wake(context).is_ready();
            let wrote = poll_write(&mut task, &mut stream, &clock, context);
            let read = poll_read(&mut task, &mut stream, &clock, context);
            let due = timer.poll(context).is_ready();
            if woken || wrote || read || due { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Writes while the stream takes it. Returns whether it did, or failed.
fn poll_write(
    task: &mut ConnectionTask,
    stream: &mut impl ByteStream,
    clock: &impl Clock,
    context: &mut Context<'_>,
) -> bool {
    let mut progress = false;
    for _ in 0..TURN {
        if !task.wants_write() {
            return progress;
        }
        match task.gather(|pieces| stream.poll_write(context, pieces)) {
            Poll::Pending => return progress,
            Poll::Ready(Ok(0)) => {
                task.handle_end(clock.now());
                return true;
            }
            Poll::Ready(Ok(count)) => task.advance(count),
            Poll::Ready(Err(error)) => {
                if failed(task, clock, &error) {
                    return true;
                }
            }
        }
        progress = true;
    }
    true
}

/// Reads while the stream has bytes. Returns whether it had, or ended.
fn poll_read(
    task: &mut ConnectionTask,
    stream: &mut impl ByteStream,
    clock: &impl Clock,
    context: &mut Context<'_>,
) -> bool {
    let mut progress = false;
    for _ in 0..TURN {
        if !task.wants_read() {
            return progress;
        }
        match stream.poll_read_buf(context, task.read_buffer()) {
            Poll::Pending => return progress,
            Poll::Ready(Ok(0)) => {
                task.handle_end(clock.now());
                return true;
            }
            Poll::Ready(Ok(_)) => task.handle_read(clock.now()),
            Poll::Ready(Err(error)) => {
                if failed(task, clock, &error) {
                    return true;
                }
            }
        }
        progress = true;
    }
    true
}

/// Deals with an error of a stream. Returns whether it is the connection's end.
fn failed(task: &mut ConnectionTask, clock: &impl Clock, error: &io::Error) -> bool {
    let ends = error.kind() != io::ErrorKind::Interrupted;
    if ends {
        task.handle_error(clock.now(), error);
    }
    ends
}
