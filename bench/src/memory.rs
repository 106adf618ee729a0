//! A client and a broker in one thread: no sockets, no scheduler, and a clock that moves only while all wait.
//!
//! What the client does to produce and consume is then the same at each run, instruction by instruction. The broker
//! reads no records and serves canned ones, so next to nothing of a count is its own.

mod broker;

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use klamm_tokio::{Clock, ConnectionTask, ControlTask, Instant, InvalidConfig, Kafka, WallTime};

pub use broker::{Broker, PARTITIONS, TOPIC};

/// A clock that stands still until it is moved.
#[derive(Debug)]
struct Still(AtomicU64);

impl Clock for Still {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn wall_time(&self) -> WallTime {
        WallTime(1_700_000_000_000)
    }
}

/// See the module.
#[derive(Debug)]
pub struct World {
    /// The client.
    pub kafka: Kafka,
    clock: Arc<Still>,
    control: ControlTask,
    links: Vec<Link>,
    broker: Broker,
}

/// Backoffs and lingering end sooner, requests time out later.
const NEAR: Duration = Duration::from_secs(2);

/// One connection, and what it wrote that is no whole frame yet.
#[derive(Debug)]
struct Link {
    task: ConnectionTask,
    written: BytesMut,
}

impl World {
    /// A client of a broker.
    ///
    /// # Errors
    /// The client's configuration is wrong, which it is not.
    pub fn new(broker: Broker) -> Result<Self, InvalidConfig> {
        let clock = Arc::new(Still(AtomicU64::new(1_000_000_000)));
        let for_client: Arc<dyn Clock> = Arc::<Still>::clone(&clock);
        let (kafka, control) = Kafka::builder(["broker:9092"]).seed(1).start(for_client)?;
        Ok(Self { kafka, clock, control, links: Vec::new(), broker })
    }

    /// Runs client and broker until both wait.
    pub fn run(&mut self) {
        while self.turn() || self.turn() {}
    }

    /// Runs client and broker until a future of the client is ready, however long they wait for a backoff or for
    /// more records. `None` if it will not be.
    pub fn complete<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Some(output);
            }
            if !self.turn() && !self.turn() {
                let ready = future.as_mut().poll(&mut context);
                match ready {
                    Poll::Ready(output) => return Some(output),
                    Poll::Pending if !self.wait() => return None,
                    Poll::Pending => {}
                }
            }
        }
    }

    /// Moves the clock to the next deadline. Not to one far away, which says that something does not come.
    fn wait(&self) -> bool {
        let deadlines = self.links.iter().map(|link| link.task.poll_timeout());
        let next = deadlines.chain([self.control.poll_timeout()]).flatten().min();
        let now = self.clock.now();
        let near = next.filter(|next| next.since(now) < NEAR);
        near.inspect(|next| self.clock.0.store(next.max(&now).as_nanos(), Ordering::Relaxed)).is_some()
    }

    /// Lets everybody act once; returns whether bytes moved or somebody was woken. What somebody made of bytes that
    /// were read the turn before may show in the next turn only: all wait after two turns without a move.
    fn turn(&mut self) -> bool {
        let context = Context::from_waker(Waker::noop());
        let now = self.clock.now();
        let mut acted = self.control.poll_wake(&context).is_ready();
        self.control.drive(now);
        while let Some(mut task) = self.control.poll_open(now) {
            task.handle_open(now);
            self.links.push(Link { task, written: BytesMut::new() });
            acted = true;
        }
        for link in &mut self.links {
            acted |= link.turn(now, &mut self.broker);
        }
        acted
    }
}

impl Link {
    fn turn(&mut self, now: Instant, broker: &mut Broker) -> bool {
        let mut acted = self.task.poll_wake(&Context::from_waker(Waker::noop())).is_ready();
        self.task.drive(now);
        if self.task.wants_write() {
            acted = true;
            self.write();
        }
        while let Some(frame) = self.frame() {
            for segment in broker.answer(frame) {
                self.read(now, segment);
            }
            acted = true;
        }
        acted
    }

    /// Takes what the client writes, as a socket does: by copying it.
    fn write(&mut self) {
        let outbox = self.task.outbox();
        while outbox.has_remaining() {
            let chunk = outbox.chunk();
            self.written.extend_from_slice(chunk);
            let count = chunk.len();
            outbox.advance(count);
        }
    }

    /// Cuts off a request, without its length.
    fn frame(&mut self) -> Option<Bytes> {
        let length = usize::try_from(i32::from_be_bytes(*self.written.first_chunk()?)).ok()?;
        if self.written.len() < 4 + length {
            return None;
        }
        self.written.advance(4);
        Some(self.written.split_to(length).freeze())
    }

    /// Gives the client something to read, as a socket does: as much as its buffer has room for, by copying it.
    fn read(&mut self, now: Instant, mut bytes: Bytes) {
        while bytes.has_remaining() {
            let buffer = self.task.read_buffer();
            let room = (buffer.capacity() - buffer.len()).clamp(1, bytes.len());
            buffer.extend_from_slice(&bytes.split_to(room));
            self.task.handle_read(now);
        }
    }
}
