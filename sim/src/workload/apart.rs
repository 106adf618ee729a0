//! Reading partitions each for itself.

use std::collections::VecDeque;
use std::time::Duration;

use klamm_engine::{ConsumeError, Consumer, Event, PartitionStream};

use super::race::{First, race};
use crate::World;

/// What a consumer's partitions are read through.
#[derive(Debug)]
pub(super) struct Apart {
    /// How long each is read before the next one has its turn; zero: all are read together.
    each: Duration,
    /// The one whose turn it is comes last.
    streams: VecDeque<PartitionStream>,
    /// How many had their turn since the consumer itself had it.
    turns: usize,
}

impl Apart {
    pub(super) const fn new(each: Duration) -> Self {
        Self { each, streams: VecDeque::new(), turns: 0 }
    }

    /// What comes next, or nothing before the next one has its turn.
    pub(super) async fn next(
        &mut self,
        consumer: &Consumer,
        world: &World,
    ) -> Option<Result<Event, ConsumeError>> {
        if self.each.is_zero() {
            return Some(consumer.next().await);
        }
        self.streams.retain(|stream| stream.ended().is_none());
        let unread = |(topic, partition): (klamm_protocol::Str, i32)| {
            consumer.partition_stream(&topic, partition).ok()
        };
        self.streams.extend(consumer.assignment().into_iter().filter_map(unread));
        let pause = world.sleep(self.each);
        self.turns += 1;
        if self.turns > self.streams.len() {
            // What has no stream of its own: events of the consumer as a whole, and its end.
            self.turns = 0;
            return ready(race(consumer.next(), pause).await);
        }
        self.streams.rotate_left(1);
        let stream = self.streams.back()?;
        // That one stream ends is no end.
        ready(race(stream.next(), pause).await).filter(|next| !is_end(next))
    }
}

fn ready<T>(first: First<T, ()>) -> Option<T> {
    match first {
        First::One(next) => Some(next),
        First::Other(()) => None,
    }
}

const fn is_end(next: &Result<Event, ConsumeError>) -> bool {
    matches!(next, Err(error) if !matches!(error, ConsumeError::Partition(_)))
}
