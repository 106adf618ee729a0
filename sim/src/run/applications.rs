//! A plan's clients, producers and consumers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use klamm_engine::assignor::Assignor;
use klamm_engine::{Acks, GroupProtocol, Isolation, OffsetReset, Sasl};
use klamm_protocol::Str;

use crate::World;
use crate::cluster::GroupConfig;
use crate::observe::{ActorId, ClientId, ConsumerFacts, MemberFacts, Observation, Process, ProducerFacts};
use crate::plan::setup::{ClientLine, ConsumerLine, MemberLine, ProducerLine, Transactor, TransactorLine};
use crate::plan::values::{
    AcksChoice, AssignorChoice, ClientName, ConsumerName, IsolationChoice, MemberName, ProducerName,
    ProtocolChoice, ResetChoice, SaslChoice, TransactorName,
};
use crate::plan::{ConsumeAction, MemberAction, Plan, ProduceAction};
use crate::workload::{
    ConsumerActor, From, Identity, MemberActor, ProducerActor, TransactActor, Work, start_at,
};
use crate::world::{Kafka, KafkaBuilder};

/// Consumers are numbered from here on.
pub(super) const CONSUMERS: u32 = 1 << 16;
/// Members of groups are numbered from here on.
const MEMBERS: u32 = 3 << 16;
/// Applications with transactions are numbered from here on.
const TRANSACTORS: u32 = 4 << 16;
/// Those who read everything at the end.
pub(super) const FRESH: u32 = 1 << 17;
/// Who all clients are, where that is asked.
pub(super) const USER: &str = "klamm";
/// By what they prove it.
pub(super) const PASSWORD: &str = "between brokers and clients";
/// Applications of a client that was started anew are others than those that it had before, numbered so much higher
/// each time.
pub(super) const AGAIN: u32 = 1 << 8;

/// What the clients of a plan have made. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Applications {
    made: Rc<RefCell<Made>>,
}

#[derive(Debug, Default)]
struct Made {
    clients: BTreeMap<ClientName, ClientId>,
    handles: BTreeMap<ClientName, Kafka>,
    producers: BTreeMap<ProducerName, ProducerActor>,
    consumers: BTreeMap<ConsumerName, ConsumerActor>,
    members: BTreeMap<MemberName, MemberActor>,
    transactors: BTreeMap<TransactorName, TransactActor>,
    /// What they were asked before there were any.
    to_produce: BTreeMap<ProducerName, Vec<ProduceAction>>,
    to_consume: BTreeMap<ConsumerName, Vec<ConsumeAction>>,
    as_member: BTreeMap<MemberName, Vec<MemberAction>>,
    killed: Vec<ClientName>,
    /// Killed clients that are to come back.
    expected: Vec<ClientName>,
    /// How often each client was started anew.
    lives: BTreeMap<ClientName, u32>,
    notes: Vec<String>,
}

impl Applications {
    /// Begins all clients.
    pub(super) fn begin(plan: &Plan, world: &World) -> Self {
        let all = Self { made: Rc::default() };
        plan.clients.iter().for_each(|(name, line)| all.begin_client(*name, line, plan, world));
        all
    }

    fn begin_client(&self, name: ClientName, line: &ClientLine, plan: &Plan, world: &World) {
        let id = world.client(&name.to_string());
        let life = {
            let mut made = self.made.borrow_mut();
            made.clients.insert(name, id);
            made.lives.get(&name).copied().unwrap_or(0)
        };
        let builder = client(world, plan, &name.to_string(), line);
        let (world, plan, all) = (world.clone(), plan.clone(), self.clone());
        let maker = Maker { world: world.clone(), plan, name, id, life, all };
        drop(world.spawn_in(id, &name.to_string(), maker.make(builder, line.max_block)));
    }

    /// A client that was killed is going to come back.
    pub(super) fn expect_again(&self, name: ClientName) {
        self.made.borrow_mut().expected.push(name);
    }

    /// A killed client comes back, if it has not already.
    pub(super) fn begin_again(&self, name: ClientName, plan: &Plan, world: &World) {
        {
            let mut made = self.made.borrow_mut();
            made.expected.retain(|other| *other != name);
            if !made.killed.contains(&name) {
                return;
            }
            made.killed.retain(|other| *other != name);
            *made.lives.entry(name).or_default() += 1;
        }
        let line = plan.clients.iter().find(|(other, _)| *other == name);
        line.into_iter().for_each(|(_, line)| self.begin_client(name, line, plan, world));
    }

    /// All clients come back that are going to.
    pub(super) fn begin_expected(&self, plan: &Plan, world: &World) {
        let expected = self.made.borrow().expected.clone();
        expected.into_iter().for_each(|name| self.begin_again(name, plan, world));
    }

    /// Closes a client, if it has found its cluster.
    pub(super) fn close(&self, name: ClientName, plan: &Plan, world: &World) {
        let (id, handle) = {
            let made = self.made.borrow();
            (made.clients.get(&name).copied(), made.handles.get(&name).cloned())
        };
        let (Some(id), Some(handle)) = (id, handle) else { return };
        let line = plan.clients.iter().find(|(other, _)| *other == name);
        let deadline = world.now() + line.map_or(Duration::ZERO, |(_, line)| line.close_timeout);
        world.tell(&Observation::Process(id, Process::Closing { deadline }));
        let told = world.clone();
        let close = async move {
            handle.close().await;
            told.tell(&Observation::Process(id, Process::Closed));
        };
        drop(world.spawn_in(id, &format!("{name} close"), close));
    }

    pub(super) fn client(&self, name: ClientName) -> Option<ClientId> {
        self.made.borrow().clients.get(&name).copied()
    }

    /// All clients that live.
    pub(super) fn clients(&self) -> Vec<ClientId> {
        let made = self.made.borrow();
        let alive = made.clients.iter().filter(|(name, _)| !made.killed.contains(name));
        alive.map(|(_, id)| *id).collect()
    }

    /// The client is dead, and what it had is gone.
    pub(super) fn bury(&self, name: ClientName, plan: &Plan) {
        let mut made = self.made.borrow_mut();
        made.killed.push(name);
        let handle = made.handles.remove(&name);
        let gone = |client: ClientName| client == name;
        let producers: Vec<_> = plan.producers.iter().filter(|(_, line)| gone(line.client)).collect();
        let producers: Vec<_> =
            producers.iter().filter_map(|(name, _)| made.producers.remove(name)).collect();
        let consumers: Vec<_> = plan.consumers.iter().filter(|(_, line)| gone(line.client)).collect();
        let consumers: Vec<_> =
            consumers.iter().filter_map(|(name, _)| made.consumers.remove(name)).collect();
        let members: Vec<_> = plan.members.iter().filter(|(_, line)| gone(line.client)).collect();
        let members: Vec<_> = members.iter().filter_map(|(name, _)| made.members.remove(name)).collect();
        let gone = plan.transactors.iter().filter(|(_, line)| gone(line.client));
        let transactors: Vec<_> = gone.filter_map(|(name, _)| made.transactors.remove(name)).collect();
        drop(made);
        drop((handle, producers, consumers, members, transactors));
    }

    pub(super) fn produce(&self, name: ProducerName, action: &ProduceAction) {
        let producer = self.made.borrow().producers.get(&name).cloned();
        match producer {
            Some(producer) => producer.act(action),
            None => self.made.borrow_mut().to_produce.entry(name).or_default().push(action.clone()),
        }
    }

    pub(super) fn consume(&self, name: ConsumerName, action: &ConsumeAction) {
        let consumer = self.made.borrow().consumers.get(&name).cloned();
        match consumer {
            Some(consumer) => consumer.act(action.clone()),
            None => self.made.borrow_mut().to_consume.entry(name).or_default().push(action.clone()),
        }
    }

    pub(super) fn member(&self, name: MemberName, action: &MemberAction) {
        let member = self.made.borrow().members.get(&name).cloned();
        match member {
            Some(member) => member.act(action.clone()),
            None => self.made.borrow_mut().as_member.entry(name).or_default().push(action.clone()),
        }
    }

    pub(super) fn members(&self) -> Vec<(MemberName, MemberActor)> {
        self.made.borrow().members.iter().map(|(name, member)| (*name, member.clone())).collect()
    }

    pub(super) fn transactors(&self) -> Vec<TransactActor> {
        self.made.borrow().transactors.values().cloned().collect()
    }

    /// How many applications with transactions are yet to come.
    pub(super) fn transactors_to_come(&self, plan: &Plan) -> u64 {
        let made = self.made.borrow();
        let is_to_come = |(name, line): &&Transactor| {
            !made.killed.contains(&line.client) && !made.transactors.contains_key(name)
        };
        plan.transactors.iter().filter(is_to_come).count() as u64
    }

    pub(super) fn producers(&self) -> Vec<ProducerActor> {
        self.made.borrow().producers.values().cloned().collect()
    }

    pub(super) fn consumers(&self) -> Vec<ConsumerActor> {
        self.made.borrow().consumers.values().cloned().collect()
    }

    pub(super) fn handles(&self) -> Vec<Kafka> {
        self.made.borrow().handles.values().cloned().collect()
    }

    /// How many clients have not found their cluster yet.
    pub(super) fn missing(&self) -> usize {
        let made = self.made.borrow();
        made.clients
            .keys()
            .filter(|name| !made.handles.contains_key(name) && !made.killed.contains(name))
            .count()
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.made.borrow().notes.clone()
    }

    fn note(&self, note: String) {
        self.made.borrow_mut().notes.push(note);
    }
}

/// Makes what a client has.
struct Maker {
    world: World,
    plan: Plan,
    name: ClientName,
    id: ClientId,
    /// How often it was started anew.
    life: u32,
    all: Applications,
}

impl Maker {
    async fn make(self, builder: KafkaBuilder, max_block: Duration) {
        let kafka = loop {
            match builder.clone().connect().await {
                Ok(kafka) => break kafka,
                Err(_) => self.world.sleep(Duration::from_millis(100)).await,
            }
        };
        for (name, line) in self.plan.producers.iter().filter(|(_, line)| line.client == self.name) {
            self.make_producer(&kafka, *name, line, max_block);
        }
        for (name, line) in self.plan.consumers.iter().filter(|(_, line)| line.client == self.name) {
            self.make_consumer(&kafka, *name, line);
        }
        self.all.made.borrow_mut().handles.insert(self.name, kafka.clone());
        for (name, line) in self.plan.members.iter().filter(|(_, line)| line.client == self.name) {
            // Those that come later come one after the other.
            self.world.sleep(line.joins).await;
            self.make_member(&kafka, *name, line);
        }
        for (name, line) in self.plan.transactors.iter().filter(|(_, line)| line.client == self.name) {
            self.world.sleep(line.joins).await;
            self.make_transactor(&kafka, *name, line);
        }
    }

    fn make_transactor(&self, kafka: &Kafka, name: TransactorName, line: &TransactorLine) {
        let partitions = self.plan.topics.iter().find(|(topic, _)| *topic == line.to);
        let comes_later = |other: &TransactorLine| other.id == line.id && other.joins > line.joins;
        let work = Work {
            id: transactional_id(line.id),
            timeout: line.timeout,
            to: line.to.to_string(),
            partitions: partitions.map_or(1, |(_, line)| line.partitions.unsigned_abs()),
            from: line.from.map(|topic| From {
                topic: topic.to_string(),
                group: line.group.to_string(),
                session: line.session,
            }),
            transactions: line.transactions,
            records: line.records,
            every: line.every,
            abort_one_in: line.abort_one_in,
            gap: line.gap,
            hold: line.hold,
            hasty_one_in: line.hasty_one_in,
            forgetful_one_in: line.forgetful_one_in,
            peeks: line.peeks,
            returns: !self.plan.transactors.iter().any(|(_, other)| comes_later(other)),
        };
        let identity = self.identity(TRANSACTORS + name.0, name.to_string());
        let actor = TransactActor::new(identity, kafka.clone(), work);
        self.all.made.borrow_mut().transactors.insert(name, actor);
    }

    fn make_member(&self, kafka: &Kafka, name: MemberName, line: &MemberLine) {
        let handle = match member(kafka, &name.to_string(), line).build() {
            Ok(handle) => handle,
            Err(error) => return self.all.note(format!("{name}: {error}")),
        };
        let identity = self.identity(MEMBERS + name.0, name.to_string());
        let actor = MemberActor::new(identity, handle, &member_facts(line), line.hold);
        let waiting = {
            let mut made = self.all.made.borrow_mut();
            made.members.insert(name, actor.clone());
            made.as_member.remove(&name).unwrap_or_default()
        };
        waiting.into_iter().for_each(|action| actor.act(action));
    }

    fn make_producer(&self, kafka: &Kafka, name: ProducerName, line: &ProducerLine, max_block: Duration) {
        let handle = match producer(kafka, line).build() {
            Ok(handle) => handle,
            Err(error) => return self.all.note(format!("{name}: {error}")),
        };
        let identity = self.identity(name.0, name.to_string());
        let actor = ProducerActor::new(identity, handle, &producer_facts(line, max_block));
        let waiting = {
            let mut made = self.all.made.borrow_mut();
            made.producers.insert(name, actor.clone());
            made.to_produce.remove(&name).unwrap_or_default()
        };
        waiting.iter().for_each(|action| actor.act(action));
    }

    fn make_consumer(&self, kafka: &Kafka, name: ConsumerName, line: &ConsumerLine) {
        let handle = match consumer(kafka, line).build() {
            Ok(handle) => handle,
            Err(error) => return self.all.note(format!("{name}: {error}")),
        };
        let identity = self.identity(CONSUMERS + name.0, name.to_string());
        let actor = ConsumerActor::new(identity, handle, &consumer_facts(line), &line.assign, line.hold);
        actor.read_apart(line.apart);
        let waiting = {
            let mut made = self.all.made.borrow_mut();
            made.consumers.insert(name, actor.clone());
            made.to_consume.remove(&name).unwrap_or_default()
        };
        waiting.into_iter().for_each(|action| actor.act(action));
    }

    fn identity(&self, actor: u32, name: String) -> Identity {
        Identity {
            world: self.world.clone(),
            client: self.id,
            actor: ActorId(actor + self.life * AGAIN),
            name,
            seed: self.plan.seed,
        }
    }
}

/// A client as a line has it.
pub(super) fn client(world: &World, plan: &Plan, name: &str, line: &ClientLine) -> KafkaBuilder {
    let builder = world.kafka(name);
    let builder = match plan.cluster.sasl {
        SaslChoice::None => builder,
        SaslChoice::Plain => builder.sasl(Sasl::plain(USER, PASSWORD)),
        SaslChoice::Scram256 => builder.sasl(Sasl::scram_sha_256(USER, PASSWORD)),
        SaslChoice::Scram512 => builder.sasl(Sasl::scram_sha_512(USER, PASSWORD)),
    };
    builder
        .metadata_max_age(line.metadata_max_age)
        .connections_max_idle(line.max_idle)
        .request_timeout(line.request_timeout)
        .reconnect_backoff(line.reconnect, line.reconnect_max)
        .max_block(line.max_block)
        .connection_setup_timeout(line.setup_timeout)
        .unknown_topic_timeout(line.unknown_topic)
        .close_timeout(line.close_timeout)
        .allow_auto_topic_creation(line.auto_create)
}

/// A transactional id by its number.
pub(super) fn transactional_id(number: u32) -> String {
    format!("tx{number}")
}

/// The name of a rack.
pub(super) fn rack(number: u32) -> String {
    format!("rack-{number}")
}

fn producer(kafka: &Kafka, line: &ProducerLine) -> klamm_engine::ProducerBuilder {
    let acks = match line.acks {
        AcksChoice::All => Acks::All,
        AcksChoice::One => Acks::Leader,
        AcksChoice::Zero => Acks::None,
    };
    kafka
        .producer()
        .acks(acks)
        .idempotent(line.idempotent)
        .idempotence_optional(line.idempotence_optional)
        .linger(line.linger)
        .batch_size(line.batch)
        .max_request_size(line.max_request)
        .max_in_flight(line.in_flight)
        .buffer_memory(line.memory)
        .delivery_timeout(line.delivery_timeout)
        .request_timeout(line.request_timeout)
        .retries(line.retries)
        .compression(line.codec)
        .availability_timeout(line.availability_timeout)
        .partitioner_rack(line.rack.map_or_else(String::new, rack))
}

fn producer_facts(line: &ProducerLine, max_block: Duration) -> ProducerFacts {
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    ProducerFacts {
        acks: match line.acks {
            AcksChoice::All => -1,
            AcksChoice::One => 1,
            AcksChoice::Zero => 0,
        },
        // One that may do without may have done so.
        idempotent: line.idempotent && !line.idempotence_optional,
        delivery_timeout_ns: nanos(line.delivery_timeout),
        max_in_flight: line.in_flight,
        batch_size: line.batch,
        max_request_size: line.max_request,
        buffer_memory: line.memory,
        // Who waits for room waits for what was accepted before to have its outcome, and once more behind others.
        max_block_ns: nanos(max_block + line.delivery_timeout * 2),
    }
}

fn consumer(kafka: &Kafka, line: &ConsumerLine) -> klamm_engine::ConsumerBuilder {
    let isolation = match line.isolation {
        IsolationChoice::ReadUncommitted => Isolation::ReadUncommitted,
        IsolationChoice::ReadCommitted => Isolation::ReadCommitted,
    };
    let reset = match line.reset {
        ResetChoice::Earliest => OffsetReset::Earliest,
        ResetChoice::Latest => OffsetReset::Latest,
        ResetChoice::None => OffsetReset::None,
    };
    let max_wait = i32::try_from(line.max_wait.as_millis()).unwrap_or(i32::MAX);
    let assigned = line
        .assign
        .iter()
        .map(|start| (start.partition.topic.to_string(), start.partition.partition, start_at(start.at)));
    let rack = line.rack.map_or_else(String::new, rack);
    kafka
        .consumer()
        .client_rack(rack)
        .isolation(isolation)
        .offset_reset(reset)
        .fetch_min_bytes(line.min_bytes)
        .fetch_max_wait_ms(max_wait)
        .fetch_max_bytes(line.max_bytes)
        .max_partition_fetch_bytes(line.partition_bytes)
        .buffer_memory(line.memory)
        .request_timeout(line.request_timeout)
        .assign(assigned)
}

pub(super) fn consumer_facts(line: &ConsumerLine) -> ConsumerFacts {
    ConsumerFacts {
        read_committed: line.isolation == IsolationChoice::ReadCommitted,
        buffer_memory: line.memory,
        reset: match line.reset {
            ResetChoice::Earliest => Some(-2),
            ResetChoice::Latest => Some(-1),
            ResetChoice::None => None,
        },
        reads_apart: !line.apart.is_zero(),
    }
}

/// Begins a consumer that is none of the plan's.
pub(super) fn fresh_reader(kafka: &Kafka, identity: Identity, line: &ConsumerLine) -> Option<ConsumerActor> {
    let handle = consumer(kafka, line).build().ok()?;
    Some(ConsumerActor::new(identity, handle, &consumer_facts(line), &line.assign, line.hold))
}

fn member(kafka: &Kafka, name: &str, line: &MemberLine) -> klamm_engine::GroupConsumerBuilder {
    let assignors: &[Assignor] = match line.assignor {
        AssignorChoice::Usual => &[Assignor::Range, Assignor::CooperativeSticky],
        AssignorChoice::Range => &[Assignor::Range],
        AssignorChoice::RoundRobin => &[Assignor::RoundRobin],
        AssignorChoice::Sticky => &[Assignor::Sticky],
        AssignorChoice::Cooperative => &[Assignor::CooperativeSticky],
    };
    let builder = kafka
        .group(line.group.to_string())
        .subscribe(line.topics.iter().map(ToString::to_string))
        .protocol(match line.protocol {
            ProtocolChoice::Classic => GroupProtocol::Classic,
            ProtocolChoice::Consumer => GroupProtocol::Consumer,
        })
        .assignors(assignors.iter().copied())
        .offset_reset(OffsetReset::Earliest)
        .session_timeout(line.session)
        .heartbeat_interval(line.heartbeat)
        .max_poll_interval(line.max_poll)
        .auto_commit((!line.auto_commit.is_zero()).then_some(line.auto_commit));
    if line.is_static { builder.instance_id(name) } else { builder }
}

fn member_facts(line: &MemberLine) -> MemberFacts {
    let brokers = GroupConfig::default();
    let (session, heartbeat) = match line.protocol {
        ProtocolChoice::Classic => (line.session, line.heartbeat),
        ProtocolChoice::Consumer => (brokers.consumer_session_timeout, brokers.consumer_heartbeat_interval),
    };
    let patience = session + line.max_poll;
    let join = Duration::from_secs(30).max(line.max_poll + Duration::from_secs(5));
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    MemberFacts {
        group: Str::from(line.group.to_string()),
        topics: line.topics.iter().map(|topic| Str::from(topic.to_string())).collect(),
        is_static: line.is_static,
        patience_ns: nanos(patience),
        join_ns: nanos(join),
        max_poll_ns: nanos(line.max_poll),
        heartbeat_ns: nanos(heartbeat),
    }
}
