//! Over the loopback interface, with listeners that are full: who connects to one gets no answer.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    task::Poll,
};

use klamm_engine::{Clock, SystemClock, dial::SocketOptions};
use polling::{Events, Poller};
use socket2::{Domain, Socket as RawSocket, Type};

use super::{super::socket::Socket, Dial};

/// Which address has taken the connection.
fn dial(addresses: &[SocketAddr]) -> Result<Socket, String> {
    let (poller, clock) = (Arc::new(Poller::new().unwrap()), SystemClock::default());
    let mut dial = Dial::new(addresses.to_vec(), SocketOptions::default(), Arc::clone(&poller), 7, clock);
    let mut events = Events::new();
    loop {
        if let Poll::Ready(outcome) = dial.poll() {
            assert_eq!(dial.poll_timeout(), None, "nothing is to be waited for any more");
            return outcome;
        }
        events.clear();
        let timeout = dial.poll_timeout().map(|at| at.since(clock.now()));
        poller.wait(&mut events, timeout).unwrap();
    }
}

/// A listener whose queue is full, and what fills it.
fn silent() -> (RawSocket, Vec<RawSocket>, SocketAddr) {
    let listener = RawSocket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let fill = |_| {
        let client = RawSocket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        drop(client.connect(&address));
        client
    };
    let clients = (0..8).map(fill).collect();
    let address = address.as_socket().unwrap();
    (listener, clients, address)
}

fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address at which nobody listens.
fn closed() -> SocketAddr {
    listening().1
}

#[test]
fn the_next_address_is_tried_beside_one_that_says_nothing() {
    let (_silent, _filling, silent) = silent();
    let (listener, address) = listening();
    drop(dial(&[silent, address]).unwrap());
    let accepted: std::io::Result<(TcpStream, SocketAddr)> = listener.accept();
    assert!(accepted.is_ok());
}

#[test]
fn the_next_address_is_tried_when_one_refuses() {
    let (listener, address) = listening();
    drop(dial(&[closed(), address]).unwrap());
    assert!(listener.accept().is_ok());
}

#[test]
fn the_last_failure_is_told_with_its_address() {
    let closed = [closed(), closed()];
    let Err(failure) = dial(&closed) else { panic!("nobody listens") };
    assert!(failure.contains(&closed[1].to_string()), "{failure}");
    let Err(failure) = dial(&[]) else { panic!("there is nothing to connect to") };
    assert!(failure.contains("no address"), "{failure}");
}
