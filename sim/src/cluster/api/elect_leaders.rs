//! ElectLeaders (43), KIP-183 and KIP-460.

use std::collections::BTreeMap;

use klamm_protocol::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use klamm_protocol::{ErrorCode, Str};

use super::alter_configs::{refused, told};
use super::{Reply, Serve};
use crate::cluster::topics::Topic;
use crate::cluster::{Cluster, CommandError, Origin};

/// Kinds of elections.
mod kind {
    pub(super) const PREFERRED: i8 = 0;
    pub(super) const UNCLEAN: i8 = 1;
}

impl Serve for ElectLeadersRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<ElectLeadersResponse> {
        if !matches!(self.election_type, kind::PREFERRED | kind::UNCLEAN) {
            return Reply::Now(self.refuse_in(origin.version, ErrorCode::INVALID_REQUEST));
        }
        let is_named = self.topic_partitions.is_some();
        let partitions = if is_named { named(&self) } else { cluster.all_named() };
        let mut response = answer(partitions, |topic, partition| match self.election_type {
            kind::PREFERRED => cluster.elect_preferred(origin.now, topic, partition),
            _ => cluster.elect_unclean(origin.now, topic, partition),
        });
        if !is_named {
            // Of partitions that nobody named, those are told that had to elect.
            for topic in &mut response.replica_election_results {
                topic.partition_result.retain(|told| told.error_code != ErrorCode::ELECTION_NOT_NEEDED);
            }
            response.replica_election_results.retain(|topic| !topic.partition_result.is_empty());
        }
        Reply::Now(response)
    }

    fn refuse(&self, error: ErrorCode) -> ElectLeadersResponse {
        let message = error.name().unwrap_or_default();
        answer(named(self), |_, _| Err(refused(error, message)))
    }

    fn refuse_in(&self, version: i16, error: ErrorCode) -> ElectLeadersResponse {
        // The oldest version has no place for an error of the whole.
        let error_code = if version == 0 { ErrorCode::NONE } else { error };
        ElectLeadersResponse { error_code, ..self.refuse(error) }
    }
}

/// The partitions that a request names, by topic.
fn named(request: &ElectLeadersRequest) -> BTreeMap<Str, Vec<i32>> {
    let mut all: BTreeMap<Str, Vec<i32>> = BTreeMap::new();
    for topic in request.topic_partitions.iter().flatten() {
        all.entry(topic.topic.clone()).or_default().extend(topic.partitions.iter());
    }
    all
}

fn answer(
    partitions: BTreeMap<Str, Vec<i32>>,
    mut elect: impl FnMut(&Str, i32) -> Result<(), CommandError>,
) -> ElectLeadersResponse {
    let mut response = ElectLeadersResponse::default();
    for (topic, partitions) in partitions {
        let mut elected = |partition_id: i32| {
            let (error_code, error_message) = told(elect(&topic, partition_id));
            PartitionResult { partition_id, error_code, error_message, ..PartitionResult::default() }
        };
        let partition_result = partitions.into_iter().map(&mut elected).collect();
        response.replica_election_results.push(ReplicaElectionResult {
            topic,
            partition_result,
            ..ReplicaElectionResult::default()
        });
    }
    response
}

impl Cluster {
    /// All partitions, by topic.
    fn all_named(&self) -> BTreeMap<Str, Vec<i32>> {
        let of = |topic: &Topic| {
            let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            (topic.image.name.clone(), (0..count).collect())
        };
        self.topics.iter().map(of).collect()
    }
}
