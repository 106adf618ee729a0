//! The cases, by what they ask for.

use std::collections::BTreeSet;

use klamm_protocol::ApiKey;
use klamm_tests::Outcome;

use crate::case::Case;

mod administration;
mod fetch;
mod frames;
mod groups;
mod lookups;
mod membership;
mod metadata;
mod migration;
mod modern;
mod offsets;
mod patterns;
mod produce;
mod sequences;
mod sessions;
mod topics;
mod transactions;
mod transactor;

/// The APIs that the embedded broker serves. What else Kafka lists is in `sim/FIDELITY.md`.
const SERVED: &[ApiKey] = &[
    ApiKey::PRODUCE,
    ApiKey::FETCH,
    ApiKey::LIST_OFFSETS,
    ApiKey::METADATA,
    ApiKey::OFFSET_COMMIT,
    ApiKey::OFFSET_FETCH,
    ApiKey::FIND_COORDINATOR,
    ApiKey::JOIN_GROUP,
    ApiKey::HEARTBEAT,
    ApiKey::LEAVE_GROUP,
    ApiKey::SYNC_GROUP,
    ApiKey::DESCRIBE_GROUPS,
    ApiKey::LIST_GROUPS,
    ApiKey::SASL_HANDSHAKE,
    ApiKey::SASL_AUTHENTICATE,
    ApiKey::API_VERSIONS,
    ApiKey::CREATE_TOPICS,
    ApiKey::DELETE_TOPICS,
    ApiKey::DELETE_RECORDS,
    ApiKey::INIT_PRODUCER_ID,
    ApiKey::OFFSET_FOR_LEADER_EPOCH,
    ApiKey::ADD_PARTITIONS_TO_TXN,
    ApiKey::ADD_OFFSETS_TO_TXN,
    ApiKey::END_TXN,
    ApiKey::WRITE_TXN_MARKERS,
    ApiKey::TXN_OFFSET_COMMIT,
    ApiKey::DESCRIBE_CONFIGS,
    ApiKey::ALTER_CONFIGS,
    ApiKey::DESCRIBE_LOG_DIRS,
    ApiKey::CREATE_PARTITIONS,
    ApiKey::DELETE_GROUPS,
    ApiKey::ELECT_LEADERS,
    ApiKey::INCREMENTAL_ALTER_CONFIGS,
    ApiKey::OFFSET_DELETE,
    ApiKey::DESCRIBE_CLUSTER,
    ApiKey::DESCRIBE_PRODUCERS,
    ApiKey::DESCRIBE_TRANSACTIONS,
    ApiKey::LIST_TRANSACTIONS,
    ApiKey::CONSUMER_GROUP_HEARTBEAT,
    ApiKey::CONSUMER_GROUP_DESCRIBE,
    ApiKey::DESCRIBE_TOPIC_PARTITIONS,
];

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    let all = [
        frames::cases(),
        produce::cases(),
        sequences::cases(),
        fetch::cases(),
        sessions::cases(),
        lookups::cases(),
        metadata::cases(),
        topics::cases(),
        groups::cases(),
        membership::cases(),
        modern::cases(),
        migration::cases(),
        offsets::cases(),
        patterns::cases(),
        administration::cases(),
        transactions::cases(),
    ];
    all.into_iter().flatten().collect()
}

/// Every known difference has its heading in `sim/FIDELITY.md`, and names are unique.
pub(crate) fn check_explanations(cases: Vec<Case>) -> Outcome<()> {
    let text = include_str!("../../../../sim/FIDELITY.md");
    let mut names = BTreeSet::new();
    for case in cases {
        for known in &case.known {
            if !text.lines().any(|line| line.strip_prefix("### ") == Some(known.why)) {
                return Err(format!("{}: {:?} is no heading of sim/FIDELITY.md", case.name, known.why).into());
            }
        }
        if !names.insert(case.name.clone()) {
            return Err(format!("there are two cases {}", case.name).into());
        }
    }
    Ok(())
}
