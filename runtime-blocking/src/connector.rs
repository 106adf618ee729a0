//! Sockets that the user connects.

use std::{
    future::poll_fn,
    io::{self, IoSlice, Read, Write},
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    thread,
};

use klamm_engine::{Address, ByteStream, Connecting, Connector};
use socket2::SockRef;

/// Makes a [`Connector`] of a closure that connects a socket for an address: a Unix socket, a tunnel that was dug before.
/// The closure may block: it runs on a thread that ends with it. Clients get it by
/// [`KafkaBuilder::connector`](crate::KafkaBuilder::connector). Unix only; anything else may implement [`Connector`] and
/// [`ByteStream`].
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::os::unix::net::UnixStream;
///
/// use klamm_blocking::{Kafka, connector};
///
/// let tunnel = connector(|address| UnixStream::connect(format!("/run/tunnel/{}", address.host)));
/// let kafka = Kafka::builder(["kafka-1:9092"]).connector(tunnel).connect()?;
/// # Ok(())
/// # }
/// ```
pub fn connector<S>(connect: impl Fn(Address) -> io::Result<S> + Send + Sync + 'static) -> impl Connector
where
    S: Read + Write + AsFd + Send + 'static,
{
    let connect = Arc::new(connect);
    move |address: &Address| -> Connecting {
        let (connect, address) = (Arc::clone(&connect), address.clone());
        on_a_thread(move || {
            let socket = connect(address)?;
            SockRef::from(&socket).set_nonblocking(true)?;
            Ok(Box::new(Stream(socket)) as Box<dyn ByteStream>)
        })
    }
}

/// What a thread makes, and who waits for it.
type Place = Mutex<(Option<io::Result<Box<dyn ByteStream>>>, Option<Waker>)>;

/// Runs what blocks on a thread of its own.
fn on_a_thread(work: impl FnOnce() -> io::Result<Box<dyn ByteStream>> + Send + 'static) -> Connecting {
    let place: Arc<Place> = Arc::default();
    let there = Arc::clone(&place);
    let run = move || {
        let result = work();
        let mut place = there.lock().unwrap_or_else(PoisonError::into_inner);
        place.0 = Some(result);
        let waker = place.1.take();
        drop(place);
        waker.into_iter().for_each(Waker::wake);
    };
    if let Err(error) = thread::Builder::new().name(String::from("klamm-connect")).spawn(run) {
        return Box::pin(std::future::ready(Err(error)));
    }
    Box::pin(poll_fn(move |context| {
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = place.0.take() {
            return Poll::Ready(result);
        }
        place.1 = Some(context.waker().clone());
        Poll::Pending
    }))
}

/// A socket that does not block.
struct Stream<S>(S);

impl<S: Read + Write + AsFd + Send + 'static> ByteStream for Stream<S> {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        pending(self.0.read(buffer))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        pending(self.0.write_vectored(pieces))
    }

    fn as_socket(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

/// What would block is not ready.
fn pending<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}
