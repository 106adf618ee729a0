//! A crowd of clients does not come back all at once.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use klamm_core::Instant;
use klamm_sim::{
    World,
    observe::{ClientId, Observation, Observe, Wire},
    world::NetworkConfig,
};

use crate::bench::LIMIT;

const CLIENTS: u32 = 100;

/// When each client tried to connect.
#[derive(Clone, Default)]
struct Attempts(Rc<RefCell<BTreeMap<ClientId, Vec<Instant>>>>);

impl Observe for Attempts {
    fn observe(&mut self, now: Instant, observation: &Observation<'_>) {
        if let Observation::Wire(_, Wire::Connecting(client, _)) = observation {
            self.0.borrow_mut().entry(*client).or_default().push(now);
        }
    }
}

#[test]
fn a_hundred_clients_that_lose_their_broker_come_back_one_after_the_other() {
    let attempts = Attempts::default();
    let world = World::builder()
        .brokers(1)
        .network(NetworkConfig::ideal())
        .observer(Box::new(attempts.clone()))
        .build();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let connecting = world.kafka(&format!("app-{number}")).connect();
            world.block_on(connecting, LIMIT).unwrap_or_else(|stuck| panic!("{stuck}")).unwrap()
        })
        .collect();
    // All of them want something of the broker, and none gets it.
    let waiting: Vec<_> = clients
        .iter()
        .map(|kafka| {
            let admin = kafka.admin();
            world.spawn("describes", async move { admin.describe_cluster().await.is_ok() })
        })
        .collect();
    world.cluster(|cluster, now| cluster.kill(now, 1));
    attempts.0.borrow_mut().clear();
    let began = world.now();
    world.run_for(Duration::from_secs(20));
    let attempts = attempts.0.take();
    assert_eq!(attempts.len(), CLIENTS as usize, "each tries");
    for (client, times) in &attempts {
        assert!((10..60).contains(&times.len()), "client {} tried {} times", client.0, times.len());
    }
    // From then on each pauses for as long as it ever does: a second, and a fifth more or less.
    let late: Vec<Instant> =
        attempts.values().flatten().copied().filter(|at| at.since(began) > Duration::from_secs(5)).collect();
    let mut slots: BTreeMap<u128, u32> = BTreeMap::new();
    for at in late {
        *slots.entry(at.since(began).as_millis() / 10).or_default() += 1;
    }
    let most = slots.values().copied().max().unwrap_or(0);
    assert!(most <= CLIENTS / 5, "{most} of {CLIENTS} clients tried within 10 ms");
    drop((waiting, clients));
}
