//! What is kept up to date as partitions change is what a look at all of them would give.

use std::collections::BTreeMap;

use crate::{
    BrokerId, Instant,
    consumer::{Consumer, partition::Slot, roster::Roster},
};

/// Checks a consumer that was polled until nothing came.
pub(super) fn check(consumer: &Consumer, now: Instant) {
    if consumer.closed {
        return;
    }
    let mut expected: BTreeMap<BrokerId, Roster> = BTreeMap::new();
    for (index, partition) in &consumer.partitions {
        let slot = partition.slot;
        let source = partition.source().and_then(|broker| consumer.nodes.get(&broker));
        let judged = partition.judge(now, source.is_some_and(|node| node.roster.tight));
        assert_eq!(Slot { blocked_since: slot.blocked_since, ..judged }, slot, "{index:?}");
        assert_eq!(judged.blocked_since.is_some(), slot.blocked_since.is_some(), "{index:?}");
        for broker in slot.brokers() {
            expected.entry(broker).or_default().tenants += 1;
        }
        if let Some(home) = slot.home {
            expected.entry(home).or_default().enter(*index, &slot);
        }
    }
    for (broker, node) in &consumer.nodes {
        let mut roster = expected.remove(broker).unwrap_or_default();
        roster.changed.clone_from(&node.roster.changed);
        roster.tight = node.roster.tight;
        assert_eq!(node.roster, roster, "of {broker:?}");
        let under_way = consumer.requests.values().filter(|request| request.broker == *broker).count();
        assert_eq!(node.under_way, under_way);
        assert!(roster.tenants > 0 || under_way > 0, "{broker:?} is to be forgotten");
        let unknown = |index| !node.roster.changed.contains(index);
        for index in node.session.open_members().filter(|index| unknown(index)) {
            assert!(node.roster.ready.contains(index), "{index:?} is to be forgotten by {broker:?}");
        }
        for index in node.roster.ready.iter().filter(|index| unknown(index)) {
            let from = super::super::plan::from_of(&consumer.partitions[index]);
            assert!(node.session.knows(*index, from), "{index:?} is to be told to {broker:?}");
        }
    }
    assert!(expected.is_empty(), "nodes without need: {expected:?}");
}
