use std::collections::BTreeMap;

use klamm_core::Instant;

use super::Queue;
use crate::{Domain, Draws};

/// The order that an indexed heap has to have, kept in the plainest way.
#[derive(Default)]
struct Model {
    nodes: BTreeMap<u32, (u64, u64)>,
    next: u64,
}

impl Model {
    fn set(&mut self, node: u32, at: u64) {
        if self.nodes.get(&node).is_none_or(|known| known.0 != at) {
            self.next += 1;
            self.nodes.insert(node, (at, self.next));
        }
    }

    fn pop(&mut self) -> Option<u32> {
        let node = *self.nodes.iter().min_by_key(|(_, key)| **key)?.0;
        self.nodes.remove(&node);
        Some(node)
    }
}

#[test]
fn nodes_come_out_by_instant_and_then_in_the_order_of_scheduling() {
    let mut draws = Draws::new(1, Domain::Schedule, 0);
    let (mut queue, mut model) = (Queue::default(), Model::default());
    for _ in 0..20_000 {
        let node = u32::try_from(draws.below(24)).unwrap();
        match draws.below(8) {
            0 => {
                queue.clear(node);
                model.nodes.remove(&node);
            }
            1..=2 => assert_eq!(queue.pop(), model.pop()),
            _ => {
                let at = draws.below(16);
                queue.set(node, Instant::from_nanos(at));
                model.set(node, at);
            }
        }
        let next = model.nodes.values().map(|key| key.0).min();
        assert_eq!(queue.next_at().map(Instant::as_nanos), next);
        let mut first: Vec<_> = model.nodes.iter().filter(|(_, key)| Some(key.0) == next).collect();
        first.sort_by_key(|(_, key)| **key);
        assert_eq!(queue.first_ones(), first.iter().map(|(node, _)| **node).collect::<Vec<_>>());
    }
}

#[test]
fn a_timer_that_is_set_anew_leaves_nothing_behind() {
    let mut queue = Queue::default();
    for at in (1..1000).chain((1..1000).rev()) {
        queue.set(3, Instant::from_nanos(at));
    }
    assert_eq!(queue.pop(), Some(3));
    assert_eq!(queue.pop(), None);
}
