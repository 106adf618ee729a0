//! Time and allocations of a rebalance of 100 members over 160,000 partitions, as the leader computes it.

use std::hint::black_box;

use klamm_bench::assignors::{Group, Rejoin};
use klamm_bench::counting::{Case, Counting};
use klamm_core::group::assignor::Assignor;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SAMPLES: usize = 20;

fn main() {
    let large = Group::LARGE;
    let in_racks = Group { racks: true, ..large };
    let mixed = Group { mixed: true, ..large };
    let groups = [
        ("range, new group", Rejoin::new(Assignor::Range, large, large.members)),
        ("roundrobin, new group", Rejoin::new(Assignor::RoundRobin, large, large.members)),
        ("sticky, new group", Rejoin::new(Assignor::Sticky, large, large.members)),
        ("sticky, one joined", Rejoin::joined(Assignor::Sticky, large)),
        ("sticky, one left", Rejoin::left(Assignor::Sticky, large)),
        ("cooperative-sticky, one joined", Rejoin::joined(Assignor::CooperativeSticky, large)),
        ("sticky, racks, new group", Rejoin::new(Assignor::Sticky, in_racks, large.members)),
        ("sticky, racks, one joined", Rejoin::joined(Assignor::Sticky, in_racks)),
        ("sticky, mixed topics, new group", Rejoin::new(Assignor::Sticky, mixed, large.members)),
        ("sticky, mixed topics, one joined", Rejoin::joined(Assignor::Sticky, mixed)),
    ];
    let case = |bytes: bool| {
        let cases = groups.iter().map(|(name, group)| {
            Case::new(name, 1, move || {
                if bytes {
                    black_box(group.lead());
                } else {
                    black_box(group.assign());
                }
            })
        });
        let mut cases: Vec<Case<'_>> = cases.collect();
        Case::measure(&mut cases, SAMPLES, 1);
        cases
    };
    Case::report("100 members, 160,000 partitions: assignor alone", "assignment", &case(false));
    Case::report("the same, from JoinGroup's bytes to SyncGroup's", "assignment", &case(true));
}
