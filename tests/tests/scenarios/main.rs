//! Scenarios: one text each, run over every adapter, against the embedded broker and real Kafka.

use std::io::Write as _;

use klamm_tests::adapters::Adapter;
use klamm_tests::cluster::{ClusterSpec, Kind};
use klamm_tests::scenario::Scenario;
use libtest_mimic::Arguments;

mod certificates;
mod chain;
mod churn;
mod closest;
mod denied;
mod group_records;
mod group_tool;
mod groups;
mod hanging;
mod java_groups;
mod librdkafka_groups;
mod member_streams;
mod members;
mod observing;
mod producing;
mod reading;
mod restart;
mod round_trip;
mod security;
mod tokens;
mod tools;
mod transactions;
mod ways;

const BOTH: &[ClusterSpec] = &[ClusterSpec::EMBEDDED, ClusterSpec::REAL];
const EMBEDDED: &[ClusterSpec] = &[ClusterSpec::EMBEDDED];
const REAL: &[ClusterSpec] = &[ClusterSpec::REAL];
const TRIOS: &[ClusterSpec] = &[ClusterSpec::EMBEDDED_TRIO, ClusterSpec::REAL_TRIO];

/// Clusters of both protocols, and of classic groups only, that may be broken.
const CHURNED: &[ClusterSpec] = &[ClusterSpec::EMBEDDED_TRIO, ClusterSpec::REAL_TRIO];
const CHURNED_CLASSIC: &[ClusterSpec] = &[
    ClusterSpec::EMBEDDED_TRIO,
    ClusterSpec::REAL_TRIO,
    ClusterSpec::new(Kind::Real, "3.9.1").alone(),
    ClusterSpec::new(Kind::Real, "2.8.2").alone(),
];

/// Where the protocol changed most: the first version that is served, the last with message format 1, the last without
/// flexible versions, the last with ZooKeeper by default, the last with the old group protocol's full range.
const OLD_EMBEDDED: &[ClusterSpec] = &[
    ClusterSpec::new(Kind::Embedded, "0.10.0"),
    ClusterSpec::new(Kind::Embedded, "0.10.2"),
    ClusterSpec::new(Kind::Embedded, "0.11.0"),
    ClusterSpec::new(Kind::Embedded, "1.1"),
    ClusterSpec::new(Kind::Embedded, "2.8"),
    ClusterSpec::new(Kind::Embedded, "3.9"),
];
const OLD_REAL: &[ClusterSpec] = &[
    ClusterSpec::new(Kind::Real, "0.10.0.1"),
    ClusterSpec::new(Kind::Real, "0.10.2.2"),
    ClusterSpec::new(Kind::Real, "0.11.0.3"),
    ClusterSpec::new(Kind::Real, "1.1.1"),
    ClusterSpec::new(Kind::Real, "2.8.2"),
    ClusterSpec::new(Kind::Real, "3.9.1"),
];

/// Those that have transactions: from 0.11 on, by member (KIP-447) from 2.5 on, with implicit partitions (KIP-890) from
/// 4.0 on.
const TRANSACTIONAL: &[ClusterSpec] = &[
    ClusterSpec::new(Kind::Embedded, "0.11.0"),
    ClusterSpec::new(Kind::Embedded, "2.8"),
    ClusterSpec::new(Kind::Embedded, "3.9"),
    ClusterSpec::new(Kind::Real, "0.11.0.3"),
    ClusterSpec::new(Kind::Real, "2.8.2"),
    ClusterSpec::new(Kind::Real, "3.9.1"),
];

/// Those that take records of a transaction without asking its coordinator; the last one where it is told not to.
const UNVERIFYING: &[ClusterSpec] = &[
    ClusterSpec::new(Kind::Embedded, "2.8"),
    ClusterSpec::new(Kind::Embedded, "3.3"),
    ClusterSpec::new(Kind::Real, "2.8.2"),
    ClusterSpec::new(Kind::Real, "3.9.1").alone(),
];

/// Around the version that gave the messages of SASL their headers.
const OLD_SASL: &[ClusterSpec] = &[
    ClusterSpec::new(Kind::Embedded, "0.10.2"),
    ClusterSpec::new(Kind::Embedded, "0.11.0"),
    ClusterSpec::new(Kind::Embedded, "1.1"),
    ClusterSpec::new(Kind::Real, "0.10.2.2"),
    ClusterSpec::new(Kind::Real, "1.1.1"),
];

/// The tool stands on the blocking adapter; where only tools talk, it is named for it.
const TOOL: &[Adapter] = &[Adapter::Blocking];

/// Where the brokers are what takes the time.
const TWO: &[Adapter] = &[Adapter::Tokio, Adapter::Blocking];

const SCENARIOS: &[Scenario] = &[
    Scenario::new("every_codec", BOTH, round_trip::every_codec),
    Scenario::new("one_partition", BOTH, round_trip::one_partition),
    Scenario::new("hundred_partitions", BOTH, round_trip::hundred_partitions),
    Scenario::new("thousand_partitions", EMBEDDED, round_trip::thousand_partitions),
    Scenario::new("thousand_partitions", REAL, round_trip::thousand_partitions).over(TWO).within_s(300),
    Scenario::new("keys_choose_partitions", BOTH, round_trip::keys_choose_partitions),
    Scenario::new("edges_of_the_format", BOTH, round_trip::edges_of_the_format),
    Scenario::new("partitions_for_themselves", BOTH, reading::partitions_for_themselves),
    Scenario::new("unread_streams", BOTH, reading::unread_streams),
    Scenario::new("read_in_parts", BOTH, reading::in_parts),
    Scenario::new("topics_by_name", BOTH, reading::by_name),
    Scenario::new("topic_created_while_producing", BOTH, round_trip::topic_created_while_producing),
    Scenario::new("every_producer_call", BOTH, producing::every_call),
    Scenario::new("little_producer_memory", BOTH, producing::little_memory),
    Scenario::new("partitioners", BOTH, producing::partitioners),
    Scenario::new("own_partitioner", BOTH, producing::own_partitioner),
    Scenario::new("rack_and_availability", TRIOS, producing::rack_and_availability).over(TWO).within_s(300),
    Scenario::new("slow_leader", TRIOS, producing::slow_leader).over(TWO).within_s(300),
    Scenario::new("invalid_records", BOTH, producing::invalid_records).over(TWO),
    Scenario::new("codecs_by_preference", BOTH, producing::codecs_by_preference),
    Scenario::new("codecs_of_any_version", OLD_EMBEDDED, producing::codecs_by_preference).over(TWO),
    Scenario::new("codecs_of_any_version", OLD_REAL, producing::codecs_by_preference).over(TOOL),
    Scenario::new("any_version", OLD_EMBEDDED, round_trip::any_version),
    Scenario::new("any_version", OLD_REAL, round_trip::any_version).over(TOOL),
    Scenario::new("restart_while_producing", TRIOS, restart::while_producing).within_s(300),
    Scenario::new("restart_while_consuming", TRIOS, restart::while_consuming).within_s(300),
    Scenario::new("closest_replica", TRIOS, closest::replica).over(TWO).within_s(300),
    Scenario::new("real_input", BOTH, tools::real_input).over(TOOL).within_s(300),
    Scenario::new("java_produces_klamm_consumes", BOTH, tools::java_produces_klamm_consumes)
        .over(TOOL)
        .with_java()
        .within_s(300),
    Scenario::new("klamm_produces_java_consumes", BOTH, tools::klamm_produces_java_consumes)
        .over(TOOL)
        .with_java()
        .within_s(300),
    Scenario::new("group_tool_offsets", BOTH, group_tool::offsets).over(TOOL).within_s(300),
    Scenario::new("group_tool_members", BOTH, group_tool::members).over(TOOL).within_s(300),
    Scenario::new("groups_answer_alike", BOTH, groups::answer_alike).over(TOOL),
    Scenario::new("members_share_and_leave", BOTH, members::share_and_leave),
    Scenario::new("members_commit_and_resume", BOTH, members::commit_and_resume),
    Scenario::new("members_autocommit_on_close", BOTH, members::autocommit_on_close),
    Scenario::new("members_by_coordinator_share_and_leave", BOTH, members::share_and_leave_by_coordinator),
    Scenario::new("members_by_coordinator_autocommit", BOTH, members::autocommit_on_close_by_coordinator)
        .over(TWO),
    Scenario::new("members_by_coordinator_come_back", BOTH, members::static_comes_back_by_coordinator)
        .over(TWO),
    Scenario::new("members_move_to_coordinator", BOTH, members::moves_to_coordinator).over(TWO),
    Scenario::new("tool_resumes_in_group", BOTH, members::tool_resumes).over(TOOL),
    Scenario::new("tool_by_pattern", BOTH, members::tool_by_pattern).over(TOOL),
    Scenario::new("members_of_any_version", OLD_EMBEDDED, members::share_and_leave).over(TWO),
    Scenario::new("members_of_any_version", OLD_REAL, members::share_and_leave).over(TOOL).within_s(300),
    Scenario::new("idle_member", BOTH, members::idle_member).over(TWO),
    Scenario::new("streams_of_members", BOTH, member_streams::revoked),
    Scenario::new("streams_by_coordinator", BOTH, member_streams::revoked_by_coordinator).over(TWO),
    Scenario::new("streams_lost", BOTH, member_streams::lost).over(TWO),
    Scenario::new("commits_of_no_member", BOTH, member_streams::no_member),
    Scenario::new("commits_of_no_member_by_itself", BOTH, member_streams::no_member_by_itself),
    Scenario::new("records_in_any_order", BOTH, group_records::in_any_order),
    Scenario::new("records_of_revoked_partitions", BOTH, group_records::revoked),
    Scenario::new("records_by_coordinator", BOTH, group_records::revoked_by_coordinator).over(TWO),
    Scenario::new("members_begin_at_the_end", BOTH, group_records::begin_at_the_end),
    Scenario::new("member_by_pattern", BOTH, members::pattern).over(TWO),
    Scenario::new("members_while_brokers_restart", TRIOS, members::brokers_restart).over(TWO).within_s(400),
    Scenario::new("static_member_comes_back", BOTH, members::static_comes_back).over(TWO),
    Scenario::new("cooperative_keeps_what_it_owns", BOTH, members::cooperative_keeps).over(TWO),
    Scenario::new("rolling_upgrade_to_cooperative", BOTH, members::rolling_upgrade).over(TWO),
    Scenario::new("transactions_end", BOTH, transactions::end),
    Scenario::new("transactions_end", TRANSACTIONAL, transactions::end).over(TWO).within_s(300),
    Scenario::new("successor_fences", BOTH, transactions::successor_fences),
    Scenario::new("successor_fences", TRANSACTIONAL, transactions::successor_fences).over(TOOL).within_s(300),
    Scenario::new("offsets_in_transactions", BOTH, transactions::offsets),
    Scenario::new("offsets_in_transactions", TRANSACTIONAL, transactions::offsets).over(TOOL).within_s(300),
    Scenario::new("transaction_times_out", BOTH, transactions::times_out).over(TWO),
    Scenario::new("transaction_times_out", TRANSACTIONAL, transactions::times_out).over(TOOL).within_s(300),
    Scenario::new("copy_exactly_once", BOTH, transactions::copy_exactly_once),
    Scenario::new("copy_exactly_once", TRANSACTIONAL, transactions::copy_exactly_once)
        .over(TOOL)
        .within_s(300),
    Scenario::new("hanging_transaction_is_aborted", UNVERIFYING, hanging::aborted).over(TOOL).within_s(300),
    Scenario::new("tls", BOTH, security::tls),
    Scenario::new("mutual_tls", BOTH, security::mutual_tls),
    Scenario::new("sasl", BOTH, security::sasl).within_s(300),
    Scenario::new("wrong_credentials", BOTH, security::wrong_credentials),
    Scenario::new("wrong_certificates", BOTH, security::wrong_certificates),
    Scenario::new("certificates_that_do_not_hold", EMBEDDED, certificates::embedded).over(TWO),
    Scenario::new("certificates_that_do_not_hold", REAL, certificates::real).over(TOOL).within_s(300),
    Scenario::new("tokens_of_an_endpoint", BOTH, tokens::of_an_endpoint).over(TWO),
    Scenario::new("tokens_are_verified", REAL, tokens::verified).over(TOOL).within_s(300),
    Scenario::new("delegation_tokens", REAL, tokens::delegated).over(TWO).within_s(300),
    Scenario::new("counted_and_told", BOTH, observing::counted),
    Scenario::new("tool_shows_the_dialogue", BOTH, observing::traced).over(TOOL),
    Scenario::new("denied", BOTH, denied::writing),
    Scenario::new("reading_denied", BOTH, denied::reading),
    Scenario::new("groups_denied", BOTH, denied::groups),
    Scenario::new("wrong_doors", BOTH, security::wrong_doors),
    Scenario::new("sasl_of_old_brokers", OLD_SASL, security::old_brokers).over(TOOL).within_s(300),
    Scenario::new("renewal_under_load", BOTH, security::renewal_under_load),
    Scenario::new("proxy", BOTH, ways::proxy),
    Scenario::new("unwilling_proxies", EMBEDDED, ways::unwilling_proxies).within_s(300),
    Scenario::new("own_connector", BOTH, ways::own_connector),
    Scenario::new("tool_through_proxy", BOTH, ways::tool_through_proxy).over(TOOL),
    Scenario::new("churn", CHURNED_CLASSIC, churn::classic).over(TOOL).within_s(400),
    Scenario::new("churn_by_coordinator", CHURNED, churn::by_coordinator).over(TOOL).within_s(400),
    Scenario::new("chain", TRIOS, chain::classic).over(TOOL).within_s(600),
    Scenario::new("chain_with_java", TRIOS, chain::with_java).over(TOOL).with_java().within_s(600),
    Scenario::new("tool_copies_exactly_once", BOTH, transactions::tool_copies).over(TOOL).within_s(300),
    Scenario::new("java_group_resumes", BOTH, java_groups::resumes).over(TOOL).with_java().within_s(300),
    Scenario::new("java_shares_with_klamm", BOTH, java_groups::shares_with_klamm)
        .over(TOOL)
        .with_java()
        .within_s(300),
    Scenario::new("java_shares_by_coordinator", BOTH, java_groups::shares_with_klamm_by_coordinator)
        .over(TOOL)
        .with_java()
        .within_s(300),
    Scenario::new("librdkafka_shares_by_range", BOTH, librdkafka_groups::range)
        .over(TOOL)
        .with_librdkafka()
        .within_s(300),
    Scenario::new("librdkafka_shares_cooperatively", BOTH, librdkafka_groups::cooperative)
        .over(TOOL)
        .with_librdkafka()
        .within_s(300),
    Scenario::new("librdkafka_shares_by_coordinator", BOTH, librdkafka_groups::by_coordinator)
        .over(TOOL)
        .with_librdkafka()
        .within_s(300),
    Scenario::new("java_group_shares", BOTH, java_groups::shares).over(TOOL).with_java().within_s(300),
];

fn main() -> std::process::ExitCode {
    if let Some(code) = chain::member() {
        return code;
    }
    if let Some(reason) = klamm_tests::real::why_unavailable() {
        // Nobody is to take a run without real brokers for one with them.
        drop(writeln!(std::io::stderr(), "SKIPPED: the scenarios on real Kafka, because {reason}"));
    }
    let mut arguments = Arguments::from_args();
    // Scenarios mostly wait, for brokers that start and stop.
    arguments.test_threads.get_or_insert(4);
    let trials = SCENARIOS
        .iter()
        .copied()
        .map(churn::in_time)
        .map(chain::in_time)
        .flat_map(Scenario::trials)
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
