//! What sockets are like, and which of a host's addresses to connect to (RFC 8305, "happy eyeballs").
//!
//! A name may have several addresses, and those of one family may lead nowhere: the families take turns, and the next
//! address is tried as soon as one fails, or has not come to anything for a quarter of a second. The first that connects
//! is taken, the others are dropped.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use crate::{Connector, security::Route};

/// How an adapter sets up its sockets. All have TCP_NODELAY and SO_KEEPALIVE, as those of the Java client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketOptions {
    /// After how much silence the system asks whether the peer is still there. Default: the system's (two hours on
    /// Linux).
    pub keepalive_idle: Option<Duration>,
    /// The size of the system's buffer for sending (`send.buffer.bytes`). Default: the system's, which grows as needed.
    pub send_buffer_bytes: Option<usize>,
    /// The size of the system's buffer for receiving (`receive.buffer.bytes`). Default: the system's, which grows as
    /// needed.
    pub receive_buffer_bytes: Option<usize>,
}

/// Where a client's sockets come from.
#[derive(Clone, Default)]
pub(crate) struct Dialling {
    pub(crate) sockets: SocketOptions,
    pub(crate) route: Option<Arc<Route>>,
    pub(crate) connector: Option<Arc<dyn Connector>>,
}

/// How long an attempt is alone before the next address is tried beside it.
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Orders addresses so that the families take turns, beginning with that of the first.
#[must_use]
pub fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

/// Connects to the first of these addresses that takes it: `connect` begins an attempt, `sleep` waits.
///
/// Cancel safety: dropped early, all attempts are dropped.
///
/// # Errors
///
/// None took it: how the last one failed, in words that name it.
pub async fn connect_first<S, C, T>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> C,
    sleep: impl Fn(Duration) -> T,
) -> Result<S, String>
where
    C: Future<Output = io::Result<S>>,
    T: Future,
{
    let mut left = interleave(addresses).into_iter();
    let mut attempts: Vec<(SocketAddr, Pin<Box<C>>)> = Vec::new();
    let mut failure = String::from("the host has no address");
    let mut delay: Option<Pin<Box<T>>> = None;
    poll_fn(|context| {
        loop {
            let delayed = left.len() > 0
                && delay.as_mut().is_some_and(|delay| delay.as_mut().poll(context).is_pending());
            if (!delayed || attempts.is_empty())
                && let Some(address) = left.next()
            {
                attempts.push((address, Box::pin(connect(address))));
                delay = Some(Box::pin(sleep(ATTEMPT_DELAY)));
            }
            let mut failed = false;
            let mut at = 0;
            while let Some((address, attempt)) = attempts.get_mut(at) {
                match attempt.as_mut().poll(context) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Ok(connected)) => return Poll::Ready(Ok(connected)),
                    Poll::Ready(Err(error)) => {
                        failure = format!("{error} ({address})");
                        failed = true;
                        drop(attempts.remove(at));
                    }
                }
            }
            if attempts.is_empty() && left.len() == 0 {
                return Poll::Ready(Err(std::mem::take(&mut failure)));
            }
            if !failed || left.len() == 0 {
                let armed = delay.as_mut().is_some_and(|delay| delay.as_mut().poll(context).is_pending());
                if armed || left.len() == 0 {
                    return Poll::Pending;
                }
            }
            // Who failed makes room for the next at once; so does a delay that is over.
            delay = None;
        }
    })
    .await
}

#[cfg(test)]
mod tests;
