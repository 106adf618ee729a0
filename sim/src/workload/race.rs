//! Waiting for the first of two.

use std::pin::pin;
use std::task::Poll;

/// What was ready first.
pub(super) enum First<A, B> {
    One(A),
    Other(B),
}

/// Waits for either; the other is dropped. If both are ready it is the first.
pub(super) async fn race<A: Future, B: Future>(one: A, other: B) -> First<A::Output, B::Output> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    std::future::poll_fn(|context| {
        if let Poll::Ready(output) = one.as_mut().poll(context) {
            return Poll::Ready(First::One(output));
        }
        other.as_mut().poll(context).map(First::Other)
    })
    .await
}
