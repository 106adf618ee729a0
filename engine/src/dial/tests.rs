use std::{
    cell::RefCell,
    future::{Future, pending, ready},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use super::{connect_first, interleave};

type Attempt = Pin<Box<dyn Future<Output = io::Result<u16>>>>;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn all(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| address(text)).collect()
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn families_take_turns() {
    let given = all(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"]);
    let wanted = all(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"]);
    assert_eq!(interleave(given), wanted);
    assert_eq!(interleave(all(&["1.1.1.1:1", "1.1.1.2:1"])), all(&["1.1.1.1:1", "1.1.1.2:1"]));
    assert!(interleave(Vec::new()).is_empty());
}

/// Port 1 refuses, port 2 never answers, any other connects.
fn connect(address: SocketAddr) -> Attempt {
    match address.port() {
        1 => Box::pin(ready(Err(io::Error::from(io::ErrorKind::ConnectionRefused)))),
        2 => Box::pin(pending()),
        port => Box::pin(ready(Ok(port))),
    }
}

#[test]
fn one_that_refuses_makes_room_at_once() {
    let addresses = all(&["1.1.1.1:1", "1.1.1.2:1", "1.1.1.3:7"]);
    let mut connecting = pin!(connect_first(addresses, connect, |_| pending::<()>()));
    assert_eq!(poll_once(connecting.as_mut()), Poll::Ready(Ok(7)));
}

#[test]
fn one_that_does_not_answer_is_left_alone_for_a_moment_only() {
    let addresses = || all(&["1.1.1.1:2", "1.1.1.2:7"]);
    let mut waiting = pin!(connect_first(addresses(), connect, |_| pending::<()>()));
    assert!(poll_once(waiting.as_mut()).is_pending(), "the delay is not over");
    let slept = RefCell::new(0);
    let sleep = |_| {
        *slept.borrow_mut() += 1;
        ready(())
    };
    let mut connecting = pin!(connect_first(addresses(), connect, sleep));
    assert_eq!(poll_once(connecting.as_mut()), Poll::Ready(Ok(7)));
    assert!(*slept.borrow() > 0);
}

#[test]
fn when_all_refuse_the_last_is_named() {
    let mut connecting = pin!(connect_first(all(&["1.1.1.1:1", "[::9]:1"]), connect, |_| pending::<()>()));
    let Poll::Ready(Err(why)) = poll_once(connecting.as_mut()) else { panic!("it waits") };
    assert!(why.ends_with("([::9]:1)"), "{why}");
    let mut nowhere = pin!(connect_first(Vec::new(), connect, |_| pending::<()>()));
    assert!(matches!(poll_once(nowhere.as_mut()), Poll::Ready(Err(_))));
}
