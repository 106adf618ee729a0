//! Making a plan smaller that still violates the same invariant.

use std::time::Duration;

use super::{Options, run};
use crate::check::{Invariant, Violation};
use crate::plan::setup::{ClientLine, ClusterLine, ConsumerLine, NetworkLine, ProducerLine};
use crate::plan::{ConsumeAction, Fault, MemberAction, Plan, ProduceAction, What};

/// A plan that was made smaller.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Minimised {
    /// The plan.
    pub plan: Plan,
    /// What it violates.
    pub violation: Violation,
    /// How many plans were run.
    pub runs: u64,
}

/// Makes a plan smaller as long as it violates the invariant: first takes out as many items as it can (delta
/// debugging), then puts settings back to their defaults and halves times, counts and sizes. `told` is told of each
/// plan that is smaller, and how many were run; it returns whether to go on. `None` if the plan does not violate the
/// invariant.
pub fn minimise(
    plan: &Plan,
    invariant: Invariant,
    told: impl FnMut(&Plan, u64) -> bool,
) -> Option<Minimised> {
    let violates = |plan: &Plan| {
        let report = run(plan, Options::default());
        report.violations.into_iter().find(|violation| violation.invariant == invariant)
    };
    minimise_by(plan, violates, told)
}

/// As [`minimise`], where `violates` says what a plan violates.
pub(super) fn minimise_by(
    plan: &Plan,
    violates: impl FnMut(&Plan) -> Option<Violation>,
    told: impl FnMut(&Plan, u64) -> bool,
) -> Option<Minimised> {
    let mut search = Search { best: plan.clone(), violation: None, runs: 0, goes_on: true, violates, told };
    if !search.fails(plan.clone()) {
        return None;
    }
    loop {
        let before = search.best.clone();
        search.take_out();
        search.simplify();
        if search.best == before || !search.goes_on {
            break;
        }
    }
    let Search { best, violation, runs, .. } = search;
    violation.map(|violation| Minimised { plan: best, violation, runs })
}

struct Search<V, T> {
    best: Plan,
    violation: Option<Violation>,
    runs: u64,
    goes_on: bool,
    violates: V,
    told: T,
}

impl<V: FnMut(&Plan) -> Option<Violation>, T: FnMut(&Plan, u64) -> bool> Search<V, T> {
    /// Runs a plan; it is the best one from now on if it violates the invariant.
    fn fails(&mut self, plan: Plan) -> bool {
        if !self.goes_on {
            return false;
        }
        self.runs += 1;
        let violation = (self.violates)(&plan);
        let fails = violation.is_some();
        if fails {
            self.best = plan;
            self.violation = violation;
        }
        self.goes_on = (self.told)(&self.best, self.runs);
        fails
    }

    /// Takes out items: half of them, a quarter, and so on, as long as anything can be missed.
    fn take_out(&mut self) {
        let mut size = self.best.items().div_ceil(2);
        while size > 0 && self.goes_on {
            let mut from = 0;
            let mut took_any = false;
            while from < self.best.items() && self.goes_on {
                let candidate = self.best.without(from..from + size);
                if self.fails(candidate) {
                    took_any = true;
                } else {
                    from += size;
                }
            }
            if size == 1 && !took_any {
                break;
            }
            size = if size == 1 { 1 } else { size / 2 };
        }
    }

    /// Tries everything that makes the plan plainer, each as often as it helps.
    fn simplify(&mut self) {
        let mut index = 0;
        while self.goes_on {
            let Some(candidate) = plainer(&self.best, index) else { break };
            if candidate == self.best || !self.fails(candidate) {
                index += 1;
            }
        }
    }
}

/// The plan, made plainer in the `index`-th of all ways.
fn plainer(plan: &Plan, index: usize) -> Option<Plan> {
    let mut plan = plan.clone();
    let whole: [fn(&mut Plan); 8] = [
        |plan| plan.network = NetworkLine::plain(),
        |plan| plan.cluster = ClusterLine { brokers: plan.cluster.brokers, ..ClusterLine::plain() },
        |plan| plan.cluster.brokers = (plan.cluster.brokers - 1).max(1),
        |plan| plan.heal_at = half(plan.heal_at),
        |plan| plan.steps.iter_mut().for_each(|step| step.at = half(step.at)),
        |plan| plan.clients.iter_mut().for_each(|(_, line)| *line = ClientLine::plain()),
        one_client,
        |plan| plan.topics.iter_mut().for_each(|(_, line)| line.replication = 1),
    ];
    if let Some(change) = whole.get(index) {
        change(&mut plan);
        return Some(plan);
    }
    let mut index = index - whole.len();
    let (topics, producers, consumers) = (plan.topics.len(), plan.producers.len(), plan.consumers.len());
    if index < topics {
        let partitions = &mut plan.topics[index].1.partitions;
        *partitions = (*partitions).div_euclid(2).max(1);
        return Some(plan);
    }
    index -= topics;
    if index < producers * 2 {
        let line = &mut plan.producers[index / 2].1;
        plainer_producer(line, index % 2);
        return Some(plan);
    }
    index -= producers * 2;
    if index < consumers * 2 {
        let line = &mut plan.consumers[index / 2].1;
        plainer_consumer(line, index % 2);
        return Some(plan);
    }
    index -= consumers * 2;
    let ways = 4;
    let step = plan.steps.get_mut(index / ways)?;
    match index % ways {
        0 => shorter(&mut step.what),
        1 => fewer(&mut step.what),
        2 => one_less(&mut step.what),
        _ => step.at = half(step.at),
    }
    plan.steps.sort_by_key(|step| step.at);
    Some(plan)
}

/// Everything that is made is made by the first client.
fn one_client(plan: &mut Plan) {
    let Some(first) = plan.clients.first().map(|(name, _)| *name) else { return };
    plan.producers.iter_mut().for_each(|(_, line)| line.client = first);
    plan.consumers.iter_mut().for_each(|(_, line)| line.client = first);
}

fn plainer_producer(line: &mut ProducerLine, way: usize) {
    if way == 0 {
        *line = ProducerLine::plain(line.client);
    } else {
        line.codec = klamm_protocol::compression::Compression::None;
    }
}

fn plainer_consumer(line: &mut ConsumerLine, way: usize) {
    if way == 0 {
        let assign = std::mem::take(&mut line.assign);
        *line = ConsumerLine { assign, reset: line.reset, ..ConsumerLine::plain(line.client) };
    } else {
        let keep = line.assign.len().div_ceil(2);
        line.assign.truncate(keep);
    }
}

/// Half the time, in whole milliseconds as long as there are any.
fn half(duration: Duration) -> Duration {
    let half = duration / 2;
    if half >= Duration::from_millis(1) {
        Duration::from_millis(u64::try_from(half.as_millis()).unwrap_or(u64::MAX))
    } else {
        Duration::from_micros(u64::try_from(half.as_micros()).unwrap_or(u64::MAX))
    }
}

/// What lasts is shorter.
fn shorter(what: &mut What) {
    match what {
        What::Fault(fault) => {
            let lasts = match fault {
                Fault::Partition(line) => &mut line.lasts,
                Fault::Clog(line) => &mut line.lasts,
                Fault::Refuse(line) => &mut line.lasts,
                Fault::Hang(line) => &mut line.lasts,
                Fault::Slow(line) => &mut line.lasts,
                Fault::Chunk(line) => &mut line.lasts,
                Fault::Bandwidth(line) => &mut line.lasts,
                Fault::Resolve(line) => &mut line.lasts,
                Fault::Crash(line) => &mut line.lasts,
                Fault::ShutDown(line) => &mut line.lasts,
                Fault::Quota(line) => &mut line.lasts,
                Fault::Isolate(line) => &mut line.lasts,
                Fault::CutReplication(line) => &mut line.lasts,
                Fault::SlowReplication(line) => &mut line.lasts,
                Fault::HoldMetadata(line) => &mut line.lasts,
                Fault::Hide(line) => &mut line.lasts,
                Fault::Upgrade(line) => &mut line.lasts,
                Fault::PauseClient(line) => &mut line.lasts,
                _ => return,
            };
            *lasts = half(*lasts);
        }
        What::Produce(_, ProduceAction::Send(send)) => send.every = half(send.every),
        What::Consume(_, ConsumeAction::Pace(pace)) | What::Member(_, MemberAction::Pace(pace)) => {
            pace.hold = half(pace.hold);
        }
        _ => {}
    }
}

/// A few records are one less.
fn one_less(what: &mut What) {
    if let What::Produce(_, ProduceAction::Send(send)) = what
        && (2..=16).contains(&send.records)
    {
        send.records -= 1;
    }
}

/// What counts is less.
fn fewer(what: &mut What) {
    match what {
        What::Produce(_, ProduceAction::Send(send)) => {
            if send.records > 1 {
                send.records /= 2;
            } else if send.bytes > 24 {
                send.bytes = (send.bytes / 2).max(24);
            } else {
                send.keys /= 2;
            }
        }
        What::Fault(Fault::Reset(reset)) => reset.after /= 2,
        What::Fault(Fault::FlipBit(flip)) => flip.after /= 2,
        What::Consume(_, ConsumeAction::Assign(assign)) => {
            let keep = assign.from.len().div_ceil(2);
            assign.from.truncate(keep);
        }
        _ => {}
    }
}
