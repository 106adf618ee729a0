//! Connecting to whichever of a host's addresses takes it first, while the driver does other things.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use klamm_engine::{
    Clock, Instant, SystemClock,
    dial::{SocketOptions, connect_first},
};
use polling::Poller;

use super::socket::Socket;

/// Attempts that are under way. They are looked at whenever one of their sockets is ready, and when the
/// [timeout](Self::poll_timeout) is over.
pub(super) struct Dial {
    connecting: Pin<Box<dyn Future<Output = Result<Socket, String>> + Send>>,
    alarm: Alarm,
}

/// When the next address is to be tried beside the others.
type Alarm = Arc<Mutex<Option<Instant>>>;

impl Dial {
    /// All sockets have the same `key`.
    pub(super) fn new(
        addresses: Vec<SocketAddr>,
        options: SocketOptions,
        poller: Arc<Poller>,
        key: usize,
        clock: SystemClock,
    ) -> Self {
        let alarm = Alarm::default();
        let connect = move |address| connected(Socket::connect(address, options, Arc::clone(&poller), key));
        let sleep = {
            let alarm = Arc::clone(&alarm);
            move |delay: Duration| Sleep { until: clock.now() + delay, clock, alarm: Arc::clone(&alarm) }
        };
        Self { connecting: Box::pin(connect_first(addresses, connect, sleep)), alarm }
    }

    /// The first socket that is connected, or how the last attempt failed. Not to be called again after that.
    pub(super) fn poll(&mut self) -> Poll<Result<Socket, String>> {
        // Sockets and the alarm say when to look again.
        self.connecting.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        *self.alarm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that was told to connect, once it has.
fn connected(begun: io::Result<Socket>) -> impl Future<Output = io::Result<Socket>> + Send {
    let mut begun = Some(begun);
    poll_fn(move |_| {
        let Some(attempt) = begun.take() else { return Poll::Pending };
        let look = |socket: &Socket| -> io::Result<bool> {
            let is_connected = socket.connected()?;
            if !is_connected {
                socket.interest(false, true)?;
            }
            Ok(is_connected)
        };
        match attempt.and_then(|socket| Ok((look(&socket)?, socket))) {
            Ok((false, socket)) => {
                begun = Some(Ok(socket));
                Poll::Pending
            }
            Ok((true, socket)) => Poll::Ready(Ok(socket)),
            Err(error) => Poll::Ready(Err(error)),
        }
    })
}

/// Sets the alarm while it is waited for.
struct Sleep {
    until: Instant,
    clock: SystemClock,
    alarm: Alarm,
}

impl Sleep {
    fn ring_at(&self, alarm: Option<Instant>) {
        *self.alarm.lock().unwrap_or_else(PoisonError::into_inner) = alarm;
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let is_over = self.until <= self.clock.now();
        self.ring_at((!is_over).then_some(self.until));
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.ring_at(None);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
