//! Handles and tasks, with a broker that answers as a test says. Everything runs on the thread of the test.

mod broker;
mod consuming;
mod handing_over;
mod observing;
mod producing;
#[cfg(feature = "metrics")]
mod publishing;
mod sizes;
#[cfg(feature = "tracing")]
mod spans;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use klamm_core::{Instant, WallTime};

use self::broker::Broker;
use crate::{Clock, ConnectionTask, ControlTask, Kafka, Runtime, SystemClock};

/// A clock that goes when it is told to.
struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Instant {
        Instant::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn wall_time(&self) -> WallTime {
        WallTime(1_000_000)
    }
}

/// A runtime whose tasks are driven by the test.
struct ByHand;

impl Runtime for ByHand {
    type Clock = SystemClock;

    fn clock() -> Result<SystemClock, String> {
        Err(String::from("the test has the clock"))
    }

    fn spawn(_control: ControlTask, _clock: SystemClock) -> Result<(), String> {
        Err(String::from("the test drives the tasks"))
    }
}

/// A client whose tasks are driven by hand.
struct Bench {
    clock: Arc<TestClock>,
    kafka: Kafka<ByHand>,
    control: ControlTask,
    connections: Vec<ConnectionTask>,
    broker: Broker,
}

impl Bench {
    /// A client that has found its cluster.
    fn new() -> Self {
        let clock = Arc::new(TestClock(AtomicU64::new(1_000)));
        let (kafka, control) =
            Kafka::builder(["localhost:9092"]).seed(1).start(Arc::clone(&clock) as _).unwrap();
        let mut bench = Self { clock, kafka, control, connections: Vec::new(), broker: Broker::default() };
        bench.settle();
        bench
    }

    /// Lets all tasks run until nothing is left to do at this time.
    fn settle(&mut self) {
        for _ in 0..20 {
            let now = self.clock.now();
            self.control.drive(now);
            while let Some(mut connection) = self.control.poll_open(now) {
                connection.handle_open(now);
                self.connections.push(connection);
            }
            for connection in &mut self.connections {
                connection.drive(now);
                self.broker.serve(connection);
                connection.handle_read(now);
                connection.drive(now);
            }
            self.connections.retain(|connection| !connection.is_finished());
        }
    }

    /// Time passes.
    fn wait(&mut self, millis: u64) {
        for _ in 0..millis.div_ceil(50) {
            self.clock.0.fetch_add(50, Ordering::SeqCst);
            self.settle();
        }
    }

    /// Lets all tasks run until a future is ready.
    fn run<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = Box::pin(future);
        for _ in 0..1_000 {
            if let Poll::Ready(output) = poll(&mut future) {
                return output;
            }
            self.wait(50);
        }
        panic!("it does not end");
    }
}

fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}
