//! Plans without some of their items.

use std::ops::Range;

use super::fault::{Clog, Hide, Partition};
use super::values::{ClientName, ConsumerName, MemberName, PartitionName, ProducerName, Start, TopicName};
use super::{ConsumeAction, Fault, Plan, ProduceAction, What};

impl Plan {
    /// Without the items of these numbers, and without what cannot be without them. Items are numbered in the order
    /// of importance: steps first, then members, applications with transactions, consumers, producers, clients and topics.
    #[must_use]
    pub fn without(&self, items: Range<usize>) -> Self {
        let mut plan = self.clone();
        let mut number = 0;
        let mut keep = || {
            number += 1;
            !items.contains(&(number - 1))
        };
        plan.steps.retain(|_| keep());
        plan.members.retain(|_| keep());
        plan.transactors.retain(|_| keep());
        plan.consumers.retain(|_| keep());
        plan.producers.retain(|_| keep());
        plan.clients.retain(|_| keep());
        plan.topics.retain(|_| keep());
        plan.prune();
        plan
    }

    /// Takes out what refers to something that is not there.
    fn prune(&mut self) {
        let clients: Vec<ClientName> = self.clients.iter().map(|(name, _)| *name).collect();
        let topics: Vec<TopicName> = self.topics.iter().map(|(name, _)| *name).collect();
        self.producers.retain(|(_, line)| clients.contains(&line.client));
        self.consumers.retain(|(_, line)| clients.contains(&line.client));
        for (_, line) in &mut self.consumers {
            line.assign.retain(|start| topics.contains(&start.partition.topic));
        }
        for (_, line) in &mut self.members {
            line.topics.retain(|topic| topics.contains(topic));
        }
        self.members.retain(|(_, line)| clients.contains(&line.client) && !line.topics.is_empty());
        self.transactors.retain(|(_, line)| {
            let reads_there = line.from.is_none_or(|from| topics.contains(&from));
            clients.contains(&line.client) && topics.contains(&line.to) && reads_there
        });
        let members: Vec<MemberName> = self.members.iter().map(|(name, _)| *name).collect();
        let producers: Vec<ProducerName> = self.producers.iter().map(|(name, _)| *name).collect();
        let consumers: Vec<ConsumerName> = self.consumers.iter().map(|(name, _)| *name).collect();
        self.steps.retain_mut(|step| match &mut step.what {
            What::Produce(name, action) => {
                producers.contains(name)
                    && !matches!(action, ProduceAction::Send(send) if !topics.contains(&send.topic))
            }
            What::Consume(name, action) => consumers.contains(name) && keep_partitions(action, &topics),
            What::Member(name, _) => members.contains(name),
            What::Fault(fault) => {
                client_of(fault).is_none_or(|client| clients.contains(&client))
                    && topic_of(fault).is_none_or(|topic| topics.contains(&topic))
            }
            What::Order(_) => true,
        });
    }
}

/// Takes out partitions of other topics; whether anything is left.
fn keep_partitions(action: &mut ConsumeAction, topics: &[TopicName]) -> bool {
    let is_there = |partition: &PartitionName| topics.contains(&partition.topic);
    let starts_there = |start: &Start| is_there(&start.partition);
    match action {
        ConsumeAction::Assign(assign) => {
            assign.from.retain(starts_there);
            !assign.from.is_empty()
        }
        ConsumeAction::Unassign(line) => {
            line.partitions.retain(is_there);
            !line.partitions.is_empty()
        }
        ConsumeAction::Pause(line) => {
            line.partitions.retain(is_there);
            !line.partitions.is_empty()
        }
        ConsumeAction::Resume(line) => {
            line.partitions.retain(is_there);
            !line.partitions.is_empty()
        }
        ConsumeAction::Seek(line) => starts_there(&line.to),
        ConsumeAction::Pace(_) | ConsumeAction::Close(_) | ConsumeAction::Drop(_) => true,
    }
}

/// The client that a fault names.
const fn client_of(fault: &Fault) -> Option<ClientName> {
    match fault {
        Fault::Partition(Partition { client, .. }) | Fault::Clog(Clog { client, .. }) => *client,
        Fault::BlackHole(line) => line.client,
        Fault::FlipBit(line) => line.client,
        Fault::Quota(line) => line.client,
        Fault::Reset(line) => line.client,
        Fault::Slow(line) => line.client,
        Fault::Chunk(line) => line.client,
        Fault::Bandwidth(line) => line.client,
        Fault::KillClient(line) => Some(line.client),
        Fault::CloseClient(line) => Some(line.client),
        Fault::PauseClient(line) => Some(line.client),
        Fault::JumpClock(line) => Some(line.client),
        Fault::DriftClock(line) => Some(line.client),
        _ => None,
    }
}

/// The topic that a fault names.
const fn topic_of(fault: &Fault) -> Option<TopicName> {
    match fault {
        Fault::Hide(Hide { topic, .. }) => *topic,
        Fault::Elect(line) => Some(line.partition.topic),
        Fault::Create(line) => Some(line.topic),
        Fault::Delete(line) => Some(line.topic),
        Fault::AddPartitions(line) => Some(line.topic),
        Fault::DeleteRecords(line) => Some(line.partition.topic),
        Fault::Retain(line) => Some(line.topic),
        _ => None,
    }
}
