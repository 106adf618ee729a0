//! Waiting on a thread: a future is polled with a waker that unparks the thread.

use std::{
    cell::RefCell,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use super::Parker;

thread_local! {
    /// This thread's parker while no `block_on` uses it: waiting allocates nothing.
    static SPARE: RefCell<Option<(Arc<Parker>, Waker)>> = const { RefCell::new(None) };
}

/// Runs a future of this crate to its end on this thread.
///
/// It is meant for the futures of Klamm's handles, which need no runtime. A future that needs a runtime's
/// timer or sockets would not make progress here.
pub fn block_on<F: Future>(future: F) -> F::Output {
    match drive(future, None) {
        Some(output) => output,
        None => unreachable!("a wait without a deadline ends with an output"),
    }
}

/// Like [`block_on`], but gives up at `deadline`: then the future is dropped and `None` returned.
pub fn block_on_until<F: Future>(future: F, deadline: Instant) -> Option<F::Output> {
    drive(future, Some(deadline))
}

fn drive<F: Future>(future: F, deadline: Option<Instant>) -> Option<F::Output> {
    let (parker, waker) = SPARE.with(|spare| spare.borrow_mut().take()).unwrap_or_else(|| {
        let parker = Arc::new(Parker::new());
        let waker = Waker::from(Arc::clone(&parker));
        (parker, waker)
    });
    parker.reset();
    let output = poll_parked(pin!(future), &parker, &waker, deadline);
    SPARE.with(|spare| *spare.borrow_mut() = Some((parker, waker)));
    output
}

/// Polls a future, and waits in between. `waker` is of `parker`, which is of this thread.
pub(crate) fn poll_parked<F: Future>(
    mut future: Pin<&mut F>,
    parker: &Parker,
    waker: &Waker,
    deadline: Option<Instant>,
) -> Option<F::Output> {
    let mut context = Context::from_waker(waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        if !parker.wait(deadline) {
            return None;
        }
    }
}
