//! What applications do in the course of a plan.

use std::time::Duration;

use super::dice::Dice;
use super::{Scope, settings};
use crate::plan::action::{
    Abort, Assign, CloseConsumer, CloseProducer, DropHandle, Flush, Pace, Pause, Resume, Seek, Send, Unassign,
};
use crate::plan::setup::ProducerLine;
use crate::plan::values::{ConsumerName, PartitionName, ProducerName, SendMode, Start, TopicName};
use crate::plan::{ConsumeAction, ProduceAction, Step, What};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn any_topic(dice: &mut Dice, scope: &Scope) -> (TopicName, i32) {
    dice.pick(&scope.topics)
}

fn any_partition(dice: &mut Dice, scope: &Scope) -> PartitionName {
    let (topic, partitions) = any_topic(dice, scope);
    let most = u32::try_from(partitions - 1).unwrap_or(0);
    PartitionName { topic, partition: i32::try_from(dice.number(0, most)).unwrap_or(0) }
}

/// A producer's steps: so many records at the most.
pub(super) fn producing(
    dice: &mut Dice,
    scope: &Scope,
    name: ProducerName,
    line: &ProducerLine,
    most_records: u64,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut add = |at, action: ProduceAction| steps.push(Step::new(at, What::Produce(name, action)));
    let bursts = dice.between(1, 6);
    for _ in 0..bursts {
        let at = dice.duration(Duration::ZERO, scope.length);
        add(at, send(dice, scope, line, most_records / bursts).into());
        if dice.one_in(4) {
            let drop_after = if dice.one_in(4) { ms(dice.between(1, 50)) } else { Duration::ZERO };
            add(at + ms(dice.between(0, 200)), Flush { drop_after }.into());
        }
        if dice.one_in(12) {
            add(at + ms(dice.between(0, 200)), Abort {}.into());
        }
    }
    match dice.between(0, 11) {
        0 => {
            let timeout = dice.pick(&[Duration::ZERO, ms(1), ms(500), ms(20_000)]);
            add(dice.duration(Duration::ZERO, scope.length), CloseProducer { timeout }.into());
        }
        1 => add(dice.duration(Duration::ZERO, scope.length), DropHandle {}.into()),
        _ => {}
    }
    steps
}

fn send(dice: &mut Dice, scope: &Scope, line: &ProducerLine, most: u64) -> Send {
    let (topic, partitions) = any_topic(dice, scope);
    let records = dice.log_between(1, most.max(1));
    // Sometimes larger than a batch, a request, the memory, or what brokers take.
    let bytes = match dice.between(0, 15) {
        0 => usize::try_from(dice.between(100, 5_000)).unwrap_or(100),
        1 => line.batch.min(100_000) + 100,
        2 if dice.one_in(4) => line.max_request.min(2_000_000) + 1,
        3 => 24,
        _ => usize::try_from(dice.between(24, 300)).unwrap_or(100),
    };
    let affordable = (2_000_000 / bytes.max(1)).clamp(1, 2_000);
    let partition =
        dice.one_in(5).then(|| i32::try_from(dice.number(0, partitions.unsigned_abs())).unwrap_or(0));
    let mode = dice.pick(&[
        SendMode::Enqueue,
        SendMode::Enqueue,
        SendMode::Enqueue,
        SendMode::Enqueue,
        SendMode::Send,
        SendMode::Try,
        SendMode::Forget,
        SendMode::Cancel,
        SendMode::Reserve,
    ]);
    // Who waits for each record by itself does not wait an hour for company.
    let mode = if mode == SendMode::Send && line.linger > ms(50) { SendMode::Enqueue } else { mode };
    Send {
        records: u32::try_from(records).unwrap_or(1).min(u32::try_from(affordable).unwrap_or(1)),
        bytes,
        keys: dice.pick(&[0, 0, 1, 5, 100]),
        partition,
        every: dice.pick(&[ms(0), ms(0), ms(1), ms(1), ms(10), ms(100)]),
        mode,
        ..Send::plain(topic)
    }
}

/// A consumer's steps.
pub(super) fn consuming(dice: &mut Dice, scope: &Scope, name: ConsumerName) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut add = |at, action: ConsumeAction| steps.push(Step::new(at, What::Consume(name, action)));
    let count = dice.pick(&[0, 0, 1, 2, 4, 8]);
    for _ in 0..count {
        let at = dice.duration(Duration::ZERO, scope.length);
        let later = at + dice.duration(Duration::ZERO, ms(2_000));
        let partition = any_partition(dice, scope);
        match dice.between(0, 9) {
            0..=2 => add(at, Seek { to: Start { partition, at: settings::place(dice) } }.into()),
            3..=4 => {
                add(at, Pause { partitions: vec![partition] }.into());
                add(later, Resume { partitions: vec![partition] }.into());
            }
            5..=6 => {
                add(at, Unassign { partitions: vec![partition] }.into());
                add(later, Assign { from: vec![Start { partition, at: settings::place(dice) }] }.into());
            }
            7 => {
                add(at, Pace { hold: ms(dice.between(1, 300)), read: true }.into());
                add(later, Pace::plain().into());
            }
            8 => {
                add(at, Pace { read: false, ..Pace::plain() }.into());
                add(later, Pace::plain().into());
            }
            _ if dice.one_in(3) => add(at, CloseConsumer {}.into()),
            _ if dice.one_in(3) => add(at, DropHandle {}.into()),
            _ => {}
        }
    }
    steps
}
