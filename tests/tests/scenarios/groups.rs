//! What coordinators of groups answer: the same requests to the embedded broker and to real Kafka, which must give
//! the same answers.

use bytes::Bytes;
use klamm_protocol::messages::delete_groups::DeleteGroupsRequest;
use klamm_protocol::messages::describe_groups::{DescribeGroupsRequest, DescribedGroup};
use klamm_protocol::messages::find_coordinator::FindCoordinatorRequest;
use klamm_protocol::messages::heartbeat::HeartbeatRequest;
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use klamm_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm_protocol::{ErrorCode, Str};
use klamm_tests::Outcome;
use klamm_tests::scenario::Stage;
use klamm_tests::wire::Wire;

/// A group, and a connection to the only broker.
struct Talk {
    wire: Wire,
    address: String,
    topic: Str,
    group: Str,
    member_id: Str,
    generation: i32,
}

/// Requests and what they were answered, in order; compared with what Kafka 4.2 answers.
struct Transcript(Vec<(String, ErrorCode)>);

impl Transcript {
    fn note(&mut self, what: &str, got: ErrorCode, expected: ErrorCode) {
        if got != expected {
            self.0.push((format!("{what}: expected {expected:?}"), got));
        }
    }
}

pub(crate) fn answer_alike(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("t");
    stage.cluster().create_topic(&topic, 1)?;
    let address = stage.cluster().bootstrap().remove(0);
    let mut talk = Talk {
        wire: Wire::connect(&address, "talk")?,
        address,
        group: Str::from(format!("{topic}-group")),
        topic: Str::from(topic),
        member_id: Str::default(),
        generation: -1,
    };
    talk.await_coordinator()?;
    let mut transcript = Transcript(Vec::new());
    talk.without_a_group(&mut transcript)?;
    talk.refused_joins(&mut transcript)?;
    talk.join_and_sync(&mut transcript)?;
    talk.stable(&mut transcript)?;
    talk.offsets_of_a_stable_group(&mut transcript)?;
    talk.static_members(&mut transcript)?;
    talk.leave(&mut transcript)?;
    if transcript.0.is_empty() { Ok(()) } else { Err(format!("{:#?}", transcript.0).into()) }
}

impl Talk {
    /// A fresh Kafka makes its topic of offsets first.
    fn await_coordinator(&mut self) -> Outcome<()> {
        let request =
            FindCoordinatorRequest { coordinator_keys: vec![self.group.clone()], ..Default::default() };
        loop {
            let error = self.wire.call(6, &request)?.coordinators.remove(0).error_code;
            let is_loaded = || -> Outcome<bool> {
                let mut wire = Wire::connect(&self.address, "talk")?;
                let probe = HeartbeatRequest { group_id: self.group.clone(), ..Default::default() };
                let error = wire.call(4, &probe)?.error_code;
                Ok(error == ErrorCode::UNKNOWN_MEMBER_ID)
            };
            if error == ErrorCode::NONE && is_loaded()? {
                return Ok(());
            }
            std::thread::yield_now();
        }
    }

    fn join_request(&self) -> JoinGroupRequest {
        let protocol = JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(&[0; 10]),
            ..JoinGroupRequestProtocol::default()
        };
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: 60_000,
            rebalance_timeout_ms: 60_000,
            member_id: self.member_id.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..JoinGroupRequest::default()
        }
    }

    fn beat(
        &mut self,
        group: &str,
        member_id: &str,
        instance: Option<&'static str>,
        generation: i32,
    ) -> Outcome<ErrorCode> {
        let request = HeartbeatRequest {
            group_id: Str::copy_of(group),
            generation_id: generation,
            member_id: Str::copy_of(member_id),
            group_instance_id: instance.map(Str::from_static),
            ..HeartbeatRequest::default()
        };
        Ok(self.wire.call(4, &request)?.error_code)
    }

    fn sync_request(&self) -> SyncGroupRequest {
        SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            ..SyncGroupRequest::default()
        }
    }

    fn leave_request(&self, members: &[(&str, Option<&'static str>)]) -> LeaveGroupRequest {
        let identity = |(id, instance): &(&str, Option<&'static str>)| MemberIdentity {
            member_id: Str::copy_of(id),
            group_instance_id: instance.map(Str::from_static),
            ..MemberIdentity::default()
        };
        let members = members.iter().map(identity).collect();
        LeaveGroupRequest { group_id: self.group.clone(), members, ..LeaveGroupRequest::default() }
    }

    fn commit(
        &mut self,
        version: i16,
        member_id: &str,
        generation: i32,
        partition: i32,
        note: usize,
    ) -> Outcome<ErrorCode> {
        let partition = OffsetCommitRequestPartition {
            partition_index: partition,
            committed_offset: 5,
            committed_metadata: Some("x".repeat(note).into()),
            ..OffsetCommitRequestPartition::default()
        };
        let topic = OffsetCommitRequestTopic {
            name: self.topic.clone(),
            partitions: vec![partition],
            ..OffsetCommitRequestTopic::default()
        };
        let request = OffsetCommitRequest {
            group_id: self.group.clone(),
            member_id: Str::copy_of(member_id),
            generation_id_or_member_epoch: generation,
            topics: vec![topic],
            ..OffsetCommitRequest::default()
        };
        Ok(self.wire.call(version, &request)?.topics[0].partitions[0].error_code)
    }

    fn committed(&mut self) -> Outcome<i64> {
        let topic = OffsetFetchRequestTopics {
            name: self.topic.clone(),
            partition_indexes: [0].as_slice().into(),
            ..OffsetFetchRequestTopics::default()
        };
        let group = OffsetFetchRequestGroup {
            group_id: self.group.clone(),
            topics: Some(vec![topic]),
            ..OffsetFetchRequestGroup::default()
        };
        let request = OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() };
        let group = self.wire.call(9, &request)?.groups.remove(0);
        Ok(group.topics[0].partitions[0].committed_offset)
    }

    fn described(&mut self, version: i16) -> Outcome<DescribedGroup> {
        let request = DescribeGroupsRequest {
            groups: vec![self.group.clone()],
            include_authorized_operations: true,
            ..DescribeGroupsRequest::default()
        };
        Ok(self.wire.call(version, &request)?.groups.remove(0))
    }

    fn delete(&mut self) -> Outcome<ErrorCode> {
        let request = DeleteGroupsRequest { groups_names: vec![self.group.clone()], ..Default::default() };
        Ok(self.wire.call(2, &request)?.results.remove(0).error_code)
    }

    fn delete_offset(&mut self) -> Outcome<(ErrorCode, Option<ErrorCode>)> {
        let topic = OffsetDeleteRequestTopic {
            name: self.topic.clone(),
            partitions: vec![OffsetDeleteRequestPartition::default()],
            ..OffsetDeleteRequestTopic::default()
        };
        let request =
            OffsetDeleteRequest { group_id: self.group.clone(), topics: vec![topic], ..Default::default() };
        let response = self.wire.call(0, &request)?;
        let partition = response.topics.first().map(|topic| topic.partitions[0].error_code);
        Ok((response.error_code, partition))
    }

    fn without_a_group(&mut self, transcript: &mut Transcript) -> Outcome<()> {
        let group = self.group.clone();
        let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
        transcript.note("heartbeat, no group", self.beat(&group, "x", None, 1)?, unknown);
        transcript.note("heartbeat, no id", self.beat("", "x", None, 1)?, ErrorCode::INVALID_GROUP_ID);
        let sync = SyncGroupRequest { member_id: "x".into(), ..self.sync_request() };
        transcript.note("sync, no group", self.wire.call(5, &sync)?.error_code, unknown);
        let leave = self.wire.call(5, &self.leave_request(&[("x", None)]))?;
        transcript.note("leave, no group", leave.error_code, ErrorCode::NONE);
        transcript.note("leave, no group, member", leave.members[0].error_code, unknown);
        transcript.note("delete, no group", self.delete()?, ErrorCode::GROUP_ID_NOT_FOUND);
        transcript.note("delete offset, no group", self.delete_offset()?.0, ErrorCode::GROUP_ID_NOT_FOUND);
        transcript.note("describe v5, no group", self.described(5)?.error_code, ErrorCode::NONE);
        transcript.note(
            "describe v6, no group",
            self.described(6)?.error_code,
            ErrorCode::GROUP_ID_NOT_FOUND,
        );
        let early = self.commit(8, "x", 1, 0, 0)?;
        transcript.note("commit v8, no group", early, ErrorCode::ILLEGAL_GENERATION);
        transcript.note("commit v9, no group", self.commit(9, "x", 1, 0, 0)?, ErrorCode::GROUP_ID_NOT_FOUND);
        let long = self.commit(9, "", -1, 0, 4097)?;
        transcript.note("commit, long metadata", long, ErrorCode::OFFSET_METADATA_TOO_LARGE);
        transcript.note("commit, simple", self.commit(9, "", -1, 0, 4096)?, ErrorCode::NONE);
        let found = self.committed()?;
        transcript.note("committed 5", ErrorCode(i16::try_from(found)?), ErrorCode(5));
        let transaction =
            FindCoordinatorRequest { key_type: 9, coordinator_keys: vec!["x".into()], ..Default::default() };
        let found = self.wire.call(5, &transaction)?.coordinators.remove(0).error_code;
        transcript.note("find a coordinator of unknown kind", found, ErrorCode::INVALID_REQUEST);
        Ok(())
    }

    fn refused_joins(&mut self, transcript: &mut Transcript) -> Outcome<()> {
        let good = self.join_request();
        for (what, request, expected) in [
            ("no id", JoinGroupRequest { group_id: "".into(), ..good.clone() }, ErrorCode::INVALID_GROUP_ID),
            (
                "session too short",
                JoinGroupRequest { session_timeout_ms: 1, ..good.clone() },
                ErrorCode::INVALID_SESSION_TIMEOUT,
            ),
            (
                "session too long",
                JoinGroupRequest { session_timeout_ms: i32::MAX, ..good.clone() },
                ErrorCode::INVALID_SESSION_TIMEOUT,
            ),
            (
                "unknown member",
                JoinGroupRequest { member_id: "x".into(), ..good.clone() },
                ErrorCode::UNKNOWN_MEMBER_ID,
            ),
            (
                "no protocols",
                JoinGroupRequest { protocols: Vec::new(), ..good.clone() },
                ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            ),
            (
                "no protocol type",
                JoinGroupRequest { protocol_type: "".into(), ..good },
                ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            ),
        ] {
            let response = self.wire.call(9, &request)?;
            transcript.note(what, response.error_code, expected);
            let as_refused = JoinGroupResponse {
                error_code: expected,
                protocol_name: None,
                member_id: request.member_id.clone(),
                ..JoinGroupResponse::default()
            };
            if response != as_refused {
                transcript.0.push((format!("{what}: {response:?}"), response.error_code));
            }
        }
        Ok(())
    }

    fn join_and_sync(&mut self, transcript: &mut Transcript) -> Outcome<()> {
        let first = self.wire.call(9, &self.join_request())?;
        transcript.note("join without an id", first.error_code, ErrorCode::MEMBER_ID_REQUIRED);
        self.member_id = first.member_id;
        let joined = self.wire.call(9, &self.join_request())?;
        transcript.note("join with an id", joined.error_code, ErrorCode::NONE);
        transcript.note("members", ErrorCode(i16::try_from(joined.members.len())?), ErrorCode(1));
        self.generation = joined.generation_id;
        let id = self.member_id.clone();
        let generation = self.generation;
        let rebalancing = ErrorCode::REBALANCE_IN_PROGRESS;
        transcript.note("commit before sync", self.commit(9, &id, generation, 0, 0)?, rebalancing);
        let group = self.group.clone();
        transcript.note("heartbeat before sync", self.beat(&group, &id, None, generation)?, ErrorCode::NONE);
        for (what, request, expected) in [
            (
                "sync, other generation",
                SyncGroupRequest { generation_id: generation + 1, ..self.sync_request() },
                ErrorCode::ILLEGAL_GENERATION,
            ),
            (
                "sync, other protocol",
                SyncGroupRequest { protocol_name: Some("x".into()), ..self.sync_request() },
                ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            ),
            (
                "sync, no protocol",
                SyncGroupRequest { protocol_name: None, ..self.sync_request() },
                ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            ),
            (
                "sync, unknown instance",
                SyncGroupRequest { group_instance_id: Some("x".into()), ..self.sync_request() },
                ErrorCode::UNKNOWN_MEMBER_ID,
            ),
        ] {
            transcript.note(what, self.wire.call(5, &request)?.error_code, expected);
        }
        let assignment = SyncGroupRequestAssignment {
            member_id: id,
            assignment: Bytes::from_static(b"all"),
            ..SyncGroupRequestAssignment::default()
        };
        let request = SyncGroupRequest { assignments: vec![assignment], ..self.sync_request() };
        let synced = self.wire.call(5, &request)?;
        let is_given = synced.error_code.is_ok() && &synced.assignment[..] == b"all";
        transcript.note("assignment", ErrorCode(i16::from(is_given)), ErrorCode(1));
        Ok(())
    }

    fn stable(&mut self, transcript: &mut Transcript) -> Outcome<()> {
        let (group, id, generation) = (self.group.clone(), self.member_id.clone(), self.generation);
        let stale = ErrorCode::ILLEGAL_GENERATION;
        let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
        transcript.note("heartbeat", self.beat(&group, &id, None, generation)?, ErrorCode::NONE);
        transcript.note("heartbeat, stale", self.beat(&group, &id, None, generation - 1)?, stale);
        transcript.note("heartbeat, stranger", self.beat(&group, "x", None, generation)?, unknown);
        transcript.note("heartbeat, instance", self.beat(&group, &id, Some("x"), generation)?, unknown);
        let stranger = JoinGroupRequest { member_id: "x".into(), ..self.join_request() };
        transcript.note("join, stranger", self.wire.call(9, &stranger)?.error_code, unknown);
        let other =
            JoinGroupRequest { protocol_type: "x".into(), member_id: "".into(), ..self.join_request() };
        let inconsistent = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
        transcript.note("join, other type", self.wire.call(9, &other)?.error_code, inconsistent);
        let described = self.described(5)?;
        let is_stable = described.group_state == "Stable" && described.protocol_data == "range";
        transcript.note("is stable", ErrorCode(i16::from(is_stable)), ErrorCode(1));
        let operations = described.authorized_operations & 0x7fff;
        transcript.note("operations", ErrorCode(i16::try_from(operations)?), ErrorCode(0b1101_0100_1000));
        transcript.note("delete a full group", self.delete()?, ErrorCode::NON_EMPTY_GROUP);
        Ok(())
    }

    fn offsets_of_a_stable_group(&mut self, transcript: &mut Transcript) -> Outcome<()> {
        let (id, generation) = (self.member_id.clone(), self.generation);
        let stale = ErrorCode::ILLEGAL_GENERATION;
        let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
        transcript.note("commit", self.commit(9, &id, generation, 0, 0)?, ErrorCode::NONE);
        transcript.note("commit, stale", self.commit(9, &id, generation - 1, 0, 0)?, stale);
        transcript.note("commit, no generation", self.commit(9, &id, -1, 0, 0)?, stale);
        transcript.note("commit, stranger", self.commit(9, "x", generation, 0, 0)?, unknown);
        transcript.note("commit, nobody", self.commit(9, "", -1, 0, 0)?, unknown);
        transcript.note(
            "commit, no such partition",
            self.commit(9, &id, generation, 77, 0)?,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        );
        Ok(())
    }

    fn static_members(&mut self, transcript: &mut Transcript) -> Outcome<()> {
        let named = |talk: &Self, id: &str| JoinGroupRequest {
            member_id: Str::copy_of(id),
            group_instance_id: Some("i".into()),
            group_id: Str::from(format!("{}-static", talk.group)),
            ..talk.join_request()
        };
        let first = self.wire.call(9, &named(self, ""))?;
        transcript.note("static join", first.error_code, ErrorCode::NONE);
        let group = Str::from(format!("{}-static", self.group));
        let sync = |generation, member_id: &Str, talk: &Self| SyncGroupRequest {
            group_id: group.clone(),
            generation_id: generation,
            member_id: member_id.clone(),
            group_instance_id: Some("i".into()),
            ..talk.sync_request()
        };
        let synced = self.wire.call(5, &sync(first.generation_id, &first.member_id, self))?;
        transcript.note("static sync", synced.error_code, ErrorCode::NONE);
        let second = self.wire.call(9, &named(self, ""))?;
        transcript.note("static join again", second.error_code, ErrorCode::NONE);
        let is_same = second.generation_id == first.generation_id
            && second.leader == second.member_id
            && second.skip_assignment
            && second.members.len() == 1;
        transcript.note("the same generation", ErrorCode(i16::from(is_same)), ErrorCode(1));
        let old = self.wire.call(8, &named(self, ""))?;
        let is_no_leader = old.leader == second.member_id && old.members.is_empty();
        transcript.note("no leader in version 8", ErrorCode(i16::from(is_no_leader)), ErrorCode(1));
        let fenced = ErrorCode::FENCED_INSTANCE_ID;
        let beat = self.beat(&group, &first.member_id, Some("i"), first.generation_id)?;
        transcript.note("heartbeat, fenced", beat, fenced);
        let join = self.wire.call(9, &named(self, &first.member_id))?;
        transcript.note("join, fenced", join.error_code, fenced);
        let synced = self.wire.call(5, &sync(first.generation_id, &first.member_id, self))?;
        transcript.note("sync, fenced", synced.error_code, fenced);
        let members = [(&*first.member_id, Some("i")), ("", Some("i")), ("", Some("i"))];
        let leave = LeaveGroupRequest { group_id: group, ..self.leave_request(&members) };
        let left: Vec<_> =
            self.wire.call(5, &leave)?.members.iter().map(|member| member.error_code).collect();
        transcript.note("leave, fenced", left[0], fenced);
        transcript.note("leave by name", left[1], ErrorCode::NONE);
        transcript.note("leave by name again", left[2], ErrorCode::UNKNOWN_MEMBER_ID);
        Ok(())
    }

    fn leave(&mut self, transcript: &mut Transcript) -> Outcome<()> {
        let id = self.member_id.clone();
        let left = self.wire.call(5, &self.leave_request(&[(&id, None), ("x", None)]))?;
        transcript.note("leave", left.members[0].error_code, ErrorCode::NONE);
        transcript.note("leave, stranger", left.members[1].error_code, ErrorCode::UNKNOWN_MEMBER_ID);
        let is_empty = self.described(5)?.group_state == "Empty";
        transcript.note("is empty", ErrorCode(i16::from(is_empty)), ErrorCode(1));
        transcript.note(
            "delete offset",
            self.delete_offset()?.1.unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR),
            ErrorCode::NONE,
        );
        let found = self.committed()?;
        transcript.note("nothing committed", ErrorCode(i16::try_from(found)?), ErrorCode(-1));
        transcript.note("delete", self.delete()?, ErrorCode::NONE);
        Ok(())
    }
}
