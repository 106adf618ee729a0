//! Which rights a request takes, and what becomes of it without them.

use std::any::Any;

use klamm_protocol::messages as m;
use klamm_protocol::{ApiKey, ErrorCode, Str};

use super::{Operation, Resource};
use crate::cluster::api::{Answer, Parts, Reply, Serve};
use crate::cluster::faults::Spot;
use crate::cluster::links::Instead;
use crate::cluster::{Cluster, Origin};

/// The rights that a request takes.
#[derive(Debug, Default)]
struct Rights {
    /// Without one of these it is refused as a whole.
    whole: Vec<(Resource, Str, Operation)>,
    /// Topics for which this is lacking are refused one by one.
    topics: Option<Operation>,
    /// Whether it is about writing idempotently, which everybody may who may write anywhere (KIP-679).
    idempotence: bool,
}

impl Rights {
    fn to(topics: Operation) -> Self {
        Self { topics: Some(topics), ..Self::default() }
    }

    fn of(resource: Resource, name: &Str, operation: Operation) -> Self {
        Self::default().and(resource, name, operation)
    }

    fn and(mut self, resource: Resource, name: &Str, operation: Operation) -> Self {
        self.whole.push((resource, name.clone(), operation));
        self
    }
}

macro_rules! rights {
    ($request:ident: $($path:path => |$each:pat_param| $rights:expr,)*) => {
        $(if let Some($each) = $request.downcast_ref::<$path>() {
            return $rights;
        })*
    };
}

/// What is not here needs no right, or looks after it by itself.
fn rights(request: &dyn Any) -> Rights {
    use Operation::{Alter, Create, Delete, Describe, Read, Write};
    use Resource::{Group, Topic, TransactionalId};
    let member = |group: &Str| Rights::of(Group, group, Read);
    rights! { request:
        m::produce::ProduceRequest => |request| {
            let topics = Rights::to(Write);
            match &request.transactional_id {
                Some(id) => topics.and(TransactionalId, id, Write),
                None => topics,
            }
        },
        m::fetch::FetchRequest => |_| Rights::to(Read),
        m::list_offsets::ListOffsetsRequest => |_| Rights::to(Describe),
        m::offset_for_leader_epoch::OffsetForLeaderEpochRequest => |_| Rights::to(Describe),
        m::create_topics::CreateTopicsRequest => |_| Rights::to(Create),
        m::delete_topics::DeleteTopicsRequest => |_| Rights::to(Delete),
        m::delete_records::DeleteRecordsRequest => |_| Rights::to(Delete),
        m::create_partitions::CreatePartitionsRequest => |_| Rights::to(Alter),
        m::describe_producers::DescribeProducersRequest => |_| Rights::to(Read),
        m::join_group::JoinGroupRequest => |request| member(&request.group_id),
        m::sync_group::SyncGroupRequest => |request| member(&request.group_id),
        m::heartbeat::HeartbeatRequest => |request| member(&request.group_id),
        m::leave_group::LeaveGroupRequest => |request| member(&request.group_id),
        m::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest => |request| {
            let topics = request.subscribed_topic_names.iter().flatten();
            topics.fold(member(&request.group_id), |rights, topic| rights.and(Topic, topic, Describe))
        },
        m::offset_commit::OffsetCommitRequest => |request| {
            Rights { topics: Some(Read), ..member(&request.group_id) }
        },
        m::offset_fetch::OffsetFetchRequest => |request| {
            let groups = request.groups.iter().map(|group| &group.group_id);
            let group = (!request.group_id.is_empty()).then_some(&request.group_id);
            let topics = Rights::to(Describe);
            groups.chain(group).fold(topics, |rights, group| rights.and(Group, group, Describe))
        },
        m::offset_delete::OffsetDeleteRequest => |request| {
            Rights { topics: Some(Read), ..Rights::of(Group, &request.group_id, Delete) }
        },
        m::init_producer_id::InitProducerIdRequest => |request| match &request.transactional_id {
            Some(id) => Rights::of(TransactionalId, id, Write),
            None => Rights { idempotence: true, ..Rights::default() },
        },
        m::add_partitions_to_txn::AddPartitionsToTxnRequest => |request| {
            let id = &request.v3_and_below_transactional_id;
            let of = |rights: Rights, id| rights.and(TransactionalId, id, Write);
            let ids = request.transactions.iter().map(|each| &each.transactional_id);
            ids.chain((!id.is_empty()).then_some(id)).fold(Rights::to(Write), of)
        },
        m::add_offsets_to_txn::AddOffsetsToTxnRequest => |request| {
            Rights::of(TransactionalId, &request.transactional_id, Write).and(Group, &request.group_id, Read)
        },
        m::end_txn::EndTxnRequest => |request| {
            Rights::of(TransactionalId, &request.transactional_id, Write)
        },
        m::txn_offset_commit::TxnOffsetCommitRequest => |request| {
            let id = Rights::of(TransactionalId, &request.transactional_id, Write);
            Rights { topics: Some(Read), ..id.and(Group, &request.group_id, Read) }
        },
    }
    Rights::default()
}

const fn lacking(resource: Resource) -> ErrorCode {
    match resource {
        Resource::Topic => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        Resource::Group => ErrorCode::GROUP_AUTHORIZATION_FAILED,
        Resource::TransactionalId => ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
}

impl Cluster {
    /// Denies a request, or some topics of it, if its client has no right to them. A reply: it is not served at all.
    pub(in crate::cluster) fn deny<R: Serve>(
        &mut self,
        origin: &Origin,
        request: &mut R,
    ) -> Option<Reply<R::Response>> {
        self.config.authorizer.as_ref()?;
        let rights = rights(request);
        let refused = |error| Reply::Now(request.refuse_in(origin.version, error));
        let mut whole = rights.whole.iter();
        if let Some((resource, ..)) =
            whole.find(|(resource, name, what)| !self.may(origin, *resource, name, *what))
        {
            return Some(if request.expects_answer() { refused(lacking(*resource)) } else { Reply::Close });
        }
        if rights.idempotence && !self.may_write_somewhere(origin) {
            return Some(refused(ErrorCode::CLUSTER_AUTHORIZATION_FAILED));
        }
        let spot = Spot::denied(self.denied(origin, rights.topics?)?);
        let sessions = &self.broker(origin.broker)?.sessions;
        if !request.touches(&spot, sessions) {
            return None;
        }
        let error = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        if R::API_KEY == ApiKey::ADD_PARTITIONS_TO_TXN {
            // One that is refused has the others not even tried.
            let mut response = request.refuse_in(origin.version, error);
            response.fail_entries(&spot, error);
            return Some(Reply::Now(response));
        }
        let instead = if <R as Parts>::CAN_SPLIT {
            Instead::Entries(Box::new(request.take_part(&spot)?.refuse_in(origin.version, error)))
        } else {
            Instead::Error(spot, error)
        };
        self.links.work(origin.connection)?.instead = Some(instead);
        None
    }
}
