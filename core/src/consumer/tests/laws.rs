//! The laws of all machines.

use std::{format, string::String, vec::Vec};

use core::time::Duration;

use klamm_protocol::Str;
use proptest::prelude::*;

use super::{
    property::{Op, apply, op},
    world::World,
};
use crate::{
    Instant,
    consumer::{ConsumerConfig, ConsumerOutput, StartAt},
    laws::{Machine, Step, check, step},
};

struct Subject {
    world: World,
    closed: bool,
}

#[derive(Clone, Debug)]
enum Input {
    Op(Op),
    Close,
}

impl Machine for Subject {
    type Input = Input;
    type Output = String;

    fn apply(&mut self, now: Instant, input: &Input) {
        self.world.now = now;
        match input {
            Input::Op(Op::Advance(_)) => {}
            Input::Op(op) => apply(&mut self.world, op),
            Input::Close => {
                self.world.consumer.close(now);
                self.closed = true;
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.world.consumer.handle_timeout(now);
    }

    fn poll(&mut self, now: Instant, _origin: Instant) -> Option<String> {
        let output = self.world.consumer.poll(now)?;
        let text = format!("{output:?}");
        match output {
            ConsumerOutput::Request(request) => self.world.requests.push(*request),
            ConsumerOutput::Deliver(chunk) => self.world.queue.push_back(chunk),
            ConsumerOutput::Event { event, .. } => self.world.note(&event),
            _ => {}
        }
        Some(text)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.world.consumer.poll_timeout()
    }

    fn is_terminal(&self) -> bool {
        self.closed
    }
}

fn make(now: Instant) -> Subject {
    let config = ConsumerConfig {
        buffer_bytes: 16 * 1024,
        max_partition_fetch_bytes: 700,
        offset_reset: crate::consumer::OffsetReset::Earliest,
        client_rack: Str::from("here"),
        replica_max_age: Duration::from_secs(2),
        ..ConsumerConfig::default()
    };
    let mut world = World::new(config, 17, 4, 3);
    world.now = now;
    for partition in 0..4 {
        world.assign(partition, StartAt::Offset(0));
    }
    Subject { world, closed: false }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn hold(ops in prop::collection::vec((0..900u64, op()), 1..40), closes in any::<bool>()) {
        let mut script: Vec<Step<Input>> = ops.into_iter().map(|(after, op)| step(after, Input::Op(op))).collect();
        if closes {
            let at = script.len() / 2;
            script.insert(at, step(5, Input::Close));
        }
        check(make, &script);
    }
}
