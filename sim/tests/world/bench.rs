//! A world with one connected client, and what is seen of it.

use std::{cell::RefCell, rc::Rc, time::Duration};

use klamm_core::Instant;
use klamm_engine::{Acks, Producer, Record};
use klamm_sim::{
    Kafka, World,
    cluster::ConnectionId,
    observe::{ClientId, Observation, Observe, Side, Wire},
    world::{Host, NetworkConfig, WorldBuilder},
};

pub(crate) const LIMIT: Duration = Duration::from_secs(600);

/// What was seen on the wires.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) requests: Vec<(Instant, ConnectionId, Vec<u8>)>,
    pub(crate) closed: Vec<(ConnectionId, Side)>,
}

impl Observe for Seen {
    fn observe(&mut self, now: Instant, observation: &Observation<'_>) {
        match observation {
            Observation::Wire(_, Wire::Sent(frame)) => self.sent.push(frame.to_vec()),
            Observation::Wire(id, Wire::Request(frame)) => self.requests.push((now, *id, frame.to_vec())),
            Observation::Wire(id, Wire::Closed { by }) => self.closed.push((*id, *by)),
            _ => {}
        }
    }
}

/// A world of one broker and one client, which has produced a record to `t`, so that its connections are set up.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) client: ClientId,
    pub(crate) kafka: Kafka,
    pub(crate) producer: Rc<Producer>,
    pub(crate) seen: Rc<RefCell<Seen>>,
}

pub(crate) const BROKER: Host = Host::Broker(1);

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(NetworkConfig::ideal())
    }

    pub(crate) fn with(network: NetworkConfig) -> Self {
        Self::build(World::builder().brokers(1).network(network))
    }

    pub(crate) fn build(builder: WorldBuilder) -> Self {
        let seen = Rc::new(RefCell::new(Seen::default()));
        let world = builder.observer(Box::new(Rc::clone(&seen))).build();
        let client = world.client("app");
        let connecting = world.kafka("app").request_timeout(Duration::from_secs(10)).connect();
        let kafka = world.block_on(connecting, LIMIT).unwrap().unwrap();
        let producer = kafka.producer().acks(Acks::All).linger(Duration::ZERO);
        let producer = Rc::new(producer.request_timeout(Duration::from_secs(10)).build().unwrap());
        let bench = Self { world, client, kafka, producer, seen };
        bench.send("first").unwrap();
        bench
    }

    pub(crate) const fn host(&self) -> Host {
        Host::Client(self.client)
    }

    /// Sends a record, and returns how long that took; `None`: it failed.
    pub(crate) fn send(&self, value: &str) -> Option<Duration> {
        let began = self.world.now();
        let written = self.world.block_on(self.producer.send(Record::to("t").value(value)), LIMIT);
        written.unwrap_or_else(|stuck| panic!("{stuck}")).ok()?;
        Some(self.world.now() - began)
    }

    /// Begins to send a record.
    pub(crate) fn begin(&self, value: &'static str) -> klamm_sim::world::Task<bool> {
        let producer = Rc::clone(&self.producer);
        self.world.spawn("send", async move { producer.send(Record::to("t").value(value)).await.is_ok() })
    }

    pub(crate) fn run(&self, millis: u64) {
        self.world.run_for(Duration::from_millis(millis));
    }

    /// The values in the log.
    pub(crate) fn log(&self) -> Vec<String> {
        let records = self.world.cluster(|cluster, _| cluster.records("t", 0)).unwrap();
        records.into_iter().map(|record| String::from_utf8(record.value.unwrap().to_vec()).unwrap()).collect()
    }

    pub(crate) fn connections(&self) -> Vec<ConnectionId> {
        self.world.network().connections(self.host(), BROKER)
    }

    /// The connection that records are sent on.
    pub(crate) fn data_connection(&self) -> ConnectionId {
        // The API key of produce is 0.
        let seen = self.seen.borrow();
        let produce = |frame: &Vec<u8>| frame.starts_with(&[0, 0]);
        seen.requests.iter().rev().find(|(_, _, frame)| produce(frame)).unwrap().1
    }
}
