//! The situations as data.

macro_rules! table {
    ($($(#[doc = $meaning:literal])+ $name:ident by $test:literal,)*) => {
        /// A rare situation. The documentation of each says what it is; [`Probe::test`] names the test that leads
        /// into it on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Probe {
            $($(#[doc = $meaning])+ $name,)*
        }

        impl Probe {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it is, in one line.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim_ascii(),)* }
            }

            /// The path of a test in this workspace that leads into it on purpose.
            #[must_use]
            pub const fn test(self) -> &'static str {
                match self { $(Self::$name => $test,)* }
            }
        }
    };
}

table! {
    /// A session was renewed before it ended.
    AuthenticatedAgain by "core::connection::tests::authentication::a_session_is_renewed_before_it_ends_and_costs_no_request",
    /// A broker does not know the version of ApiVersions, and is asked again in an older one.
    ApiVersionsDowngraded by "core::connection::tests::handshake::unsupported_for_ever_ends",
    /// An older version of ApiVersions was asked by a hint, and the broker turns out to know a newer one.
    ApiVersionsUpgraded by "core::connection::tests::handshake::a_wrong_hint_costs_a_round_trip_and_no_feature",
    /// A connection was not set up in time.
    SetupTimedOut by "core::connection::tests::handshake::setup_times_out_wherever_it_is",
    /// A connection ended because a request was not answered in time: it was half open, or the broker hung.
    RequestTimedOut by "core::connection::tests::requests::an_overdue_request_costs_the_connection",
    /// A request's deadline passed before it could be sent.
    RequestExpiredInQueue by "core::connection::tests::requests::a_queued_request_that_is_overdue_fails_alone",
    /// A request is held back because the broker asked for a pause.
    QueuedBehindThrottle by "core::connection::tests::requests::a_throttle_pauses_sending_and_nothing_else",
    /// A connection ended while requests waited to be sent.
    ClosedWithQueue by "core::connection::tests::requests::the_end_tells_what_was_written",
    /// A connection ended when a request had left in part.
    ClosedPartlyWritten by "core::connection::tests::requests::the_end_tells_what_was_written",
    /// A connection ended when a response had arrived in part.
    ClosedMidFrame by "core::connection::tests::hostile::closing_in_the_middle_of_a_frame_is_told",
    /// A connection ended because there was nothing to do.
    ClosedAsIdle by "core::connection::tests::requests::idle_connections_close_and_busy_ones_do_not",
    /// A connection is wanted while the pause after a failure lasts.
    PausedBeforeConnect by "core::client::tests::connecting::a_peer_that_shakes_hands_and_hangs_up_is_not_hammered",
    /// A connection is given more time for being set up, since the last one took too long.
    SetupTimeoutGrown by "core::client::tests::health::a_slow_broker_is_given_more_time_to_be_set_up_with_each_timeout",
    /// A connection begins with ApiVersions 0, since the last one ended without an answer.
    VersionZeroByHint by "core::client::tests::connecting::a_peer_that_keeps_silent_is_asked_once_more_with_the_oldest_version_and_then_given_up",
    /// A request came to a connection that was over.
    UnsentByDriver by "core::client::tests::connecting::a_request_that_came_too_late_for_its_connection_is_told_its_owner",
    /// A request is for a node that is not known (any more).
    NodeUnknown by "core::client::tests::ending::a_request_for_a_broker_that_nobody_knows_comes_back_and_metadata_are_asked_for",
    /// Any node would do, and each of them pauses.
    AllNodesPausing by "core::client::tests::connecting::a_refusal_is_tried_again_until_the_deadline_and_then_named",
    /// A broker is at another address than its connections.
    BrokerMoved by "core::client::tests::health::a_broker_that_moves_leaves_no_connection_behind",
    /// An answer of a broker makes no sense to the machine that asked.
    ConnectionMisused by "core::client::tests::connecting::a_response_that_makes_no_sense_costs_its_connection_only",
    /// The client's close gave up on batches at its deadline.
    AbortedByClose by "core::client::tests::ending::a_client_that_is_closed_gives_up_at_its_deadline_and_not_before",
    /// A producer's close gave up on batches at its deadline.
    AbortedByProducerClose by "core::client::tests::ending::a_producer_that_is_closed_gives_up_at_its_deadline_and_not_before",
    /// Who waited for a topic was told that nobody said in time what it is like.
    TopicWaitTimedOut by "core::client::tests::producing::a_topic_that_nobody_tells_of_ends_the_wait_at_its_deadline_with_the_reason",
    /// No known broker could be connected to: the client begins again at the bootstrap addresses.
    RebootstrapUnreachable by "core::cluster::tests::brokers::begins_anew_when_no_broker_can_be_reached",
    /// There were no metadata for too long: the client begins again at the bootstrap addresses.
    RebootstrapStuck by "core::cluster::tests::brokers::begins_anew_after_too_long_without_metadata",
    /// Metadata named an older leader epoch than one known before, and were not believed.
    EpochRegressRefused by "core::cluster::tests::leaders::a_newer_epoch_replaces_the_leader_and_an_older_does_not",
    /// Metadata named an older leader epoch so often that it was believed.
    EpochRegressBelieved by "core::cluster::tests::leaders::epochs_that_stay_old_are_believed_in_the_end_unless_the_topic_has_an_id",
    /// A topic has another id than before.
    TopicRecreated by "core::cluster::tests::leaders::a_recreated_topic_begins_with_new_epochs",
    /// A topic has more partitions than before.
    PartitionsAdded by "core::cluster::tests::leaders::more_partitions_are_noticed",
    /// A topic has fewer partitions than before.
    PartitionsGone by "core::cluster::tests::leaders::a_recreated_topic_begins_with_new_epochs",
    /// A topic that was there is unknown for so long that it counts as deleted.
    TopicDeleted by "core::cluster::tests::topics::a_deleted_topic_is_reported_once_brokers_agree",
    /// A topic is unknown for so long that it counts as missing.
    TopicNeverSeen by "core::cluster::tests::topics::an_unknown_topic_is_searched_for_and_then_reported",
    /// Metadata listed no broker, and were not believed.
    NoBrokerListed by "core::cluster::tests::brokers::an_answer_without_brokers_is_none",
    /// A broker is too old to be told not to create topics.
    MetadataDowngraded by "core::cluster::tests::refresh::old_brokers_are_asked_in_a_way_that_they_understand",
    /// A broker that is not the leader named the leader, and that was news.
    HintTaken by "core::cluster::tests::leaders::a_hint_moves_a_partition_at_once",
    /// A broker that is not the leader named a leader that is known already, or an older one.
    HintOlder by "core::cluster::tests::leaders::a_hint_is_believed_only_if_it_is_newer_and_says_where",
    /// A partition begins a new epoch while other batches of it are in flight.
    EpochBumpWithInflight by "core::producer::tests::refusals::a_new_epoch_waits_for_what_is_in_flight_in_the_old_one",
    /// A batch is the first of a new epoch.
    EpochRaised by "core::producer::tests::identity::an_epoch_is_raised_for_the_partition_concerned_alone",
    /// A batch came back behind one that is named anew, and is named anew as well.
    RenamedBehind by "core::producer::tests::refusals::out_of_order_though_it_is_next_begins_a_new_epoch_with_everything_that_waits",
    /// A batch was out of order because the one before it was refused.
    RefusedBehindRefused by "core::producer::tests::refusals::out_of_order_behind_a_refused_batch_keeps_the_epoch",
    /// A broker does not know the producer and says nothing of its log: the batch is sent as it is.
    UnknownProducerRetried by "core::producer::tests::refusals::an_unknown_producer_id_without_a_log_start_is_retried_as_it_is",
    /// A batch was too large for the broker, and is sent in parts.
    BatchSplit by "core::producer::tests::refusals::a_batch_that_is_too_large_is_split_and_its_parts_keep_their_sequences",
    /// A batch of one record was too large for the broker.
    RecordTooLarge by "core::producer::tests::refusals::a_single_record_that_is_too_large_fails",
    /// A batch that may have been in the log already was acknowledged when it was sent again.
    ResendAcknowledged by "core::producer::tests::refusals::nothing_fresh_is_sent_while_a_resend_is_not_settled",
    /// An answer came for a batch that has its outcome.
    AnswerTooLate by "core::producer::tests::delivery::an_answer_after_the_delivery_timeout_changes_nothing",
    /// A batch was given up of which nobody knows whether it is in the log.
    FailedUnsure by "core::producer::tests::refusals::a_batch_that_may_be_written_stays_so_whatever_a_later_answer_says",
    /// A batch was given up while it was in flight.
    FailedInFlight by "core::producer::tests::delivery::the_delivery_timeout_is_kept_to_the_nanosecond",
    /// A sealed batch was given up that was never sent.
    FailedUnsent by "core::producer::tests::requests::headers_are_refused_for_brokers_that_cannot_store_them",
    /// A batch was too old before it was sealed.
    ExpiredUnsealed by "core::producer::tests::delivery::what_was_never_sent_times_out_without_effect_and_leaves_its_buffer",
    /// A batch was refused as often as the application allows.
    RetriesExhausted by "core::producer::tests::refusals::retries_are_bounded_but_not_for_what_may_be_written",
    /// A flush covers a batch that is to be sent again.
    FlushOverRetry by "core::producer::tests::refusals::while_a_batch_waits_to_be_sent_again_nothing_overtakes_it",
    /// A flush began while another one was under way.
    FlushBehindFlush by "core::producer::tests::lifecycle::flushes_end_in_order_and_an_empty_one_at_once",
    /// A partition has another leader while a batch is in flight to the old one.
    LeaderMovedInFlight by "core::producer::tests::refusals::a_partition_moves_to_a_new_leader_once_the_old_one_has_answered",
    /// A batch that was sent to one broker is to be sent again to another one.
    ResendToNewLeader by "core::producer::tests::refusals::what_the_old_leader_did_not_take_goes_to_the_new_one_first_and_in_order",
    /// The cluster gave no producer id, and is asked again.
    ProducerIdRetried by "core::producer::tests::identity::a_refused_or_lost_id_request_is_repeated_after_a_pause",
    /// The brokers are too old for an idempotent producer, which goes on without.
    IdempotenceDropped by "core::producer::tests::identity::a_cluster_without_idempotence_is_written_to_without_it_if_that_will_do",
    /// A batch did not fit into a request with the others, and stays in its buffer.
    SealLeftForNext by "core::producer::tests::requests::requests_stay_below_max_request_size_and_partitions_take_turns",
    /// Sealed batches did not fit into a request with the others, and are the first of the next one.
    RequestFull by "core::producer::tests::requests::what_is_sent_again_stays_below_max_request_size_as_well",
    /// Lingering ended because the producer's memory is short.
    HurriedForMemory by "core::producer::tests::lifecycle::a_hurry_ends_lingering_and_nobody_hears_of_its_end",
    /// Batches are given up because their topic cannot be had.
    TopicGoneWithBatches by "core::producer::tests::delivery::a_topic_that_the_cluster_does_not_have_fails_its_batches_after_a_while",
    /// A batch is sent in a format before batches, since the broker is older.
    SentAsMessages by "core::producer::tests::requests::brokers_before_0_11_get_messages_of_the_older_formats",
    /// A request of a producer that wants no acknowledgements has left.
    UnacknowledgedWritten by "core::producer::tests::requests::without_acknowledgements_a_written_request_is_the_outcome",
    /// A fetch brought something of a partition that is to be read from elsewhere by now.
    FetchAnswerStale by "core::consumer::tests::scripts::commands::a_seek_disturbs_no_other_partition",
    /// A fetch brought something of a partition that is not assigned any more.
    FetchAnswerUnassigned by "core::consumer::tests::scripts::rare::an_answer_for_what_is_not_assigned_any_more_is_not_used",
    /// The log was truncated below what was handed out.
    TruncationDiverged by "core::consumer::tests::scripts::positions::truncation_below_what_was_handed_out_is_reported",
    /// The log was truncated below what was fetched, but not below what was handed out.
    TruncationRefetched by "core::consumer::tests::scripts::positions::truncation_of_what_was_only_read_ahead_is_no_loss",
    /// A leader cannot say where the log was truncated.
    TruncationUndefined by "core::consumer::tests::scripts::positions::truncation_at_an_unknown_place_is_left_to_the_policy",
    /// A leader is too old to say whether the log was truncated.
    ValidationSkipped by "core::consumer::tests::scripts::positions::an_old_broker_is_not_believed_on_truncation",
    /// An offset does not exist, and reading goes on elsewhere.
    ResetOutOfRange by "core::consumer::tests::scripts::positions::out_of_range_follows_the_policy_and_says_so",
    /// An offset does not exist, and reading stops.
    StoppedOutOfRange by "core::consumer::tests::scripts::positions::out_of_range_without_a_policy_stops_the_partition_until_it_is_sought",
    /// An offset does not exist while there is something to be handed out before it.
    OutOfRangePutOff by "core::consumer::tests::scripts::positions::out_of_range_waits_until_what_was_read_ahead_is_handed_out",
    /// A leader named the replica that is closest to the consumer.
    ClosestReplicaNamed by "core::consumer::tests::scripts::replicas::records_come_from_the_replica_that_the_leader_names",
    /// A partition was read from a replica for so long that its leader is asked again.
    ClosestReplicaExpired by "core::consumer::tests::scripts::replicas::the_leader_is_asked_again_after_a_while",
    /// A replica that is read from cannot be reached.
    ClosestReplicaLost by "core::consumer::tests::scripts::replicas::a_replica_that_cannot_be_reached_is_avoided_for_a_while",
    /// A replica that is read from does not have the offset.
    ClosestReplicaOutOfRange by "core::consumer::tests::scripts::replicas::an_offset_that_the_replica_does_not_have_is_the_leaders_business",
    /// A new leader does not know yet how far its log is committed.
    OffsetNotAvailable by "core::consumer::tests::scripts::rare::what_a_leader_does_not_know_yet_is_asked_again_and_not_told",
    /// A request carried an older leader epoch than the broker's.
    LeaderEpochFenced by "core::consumer::tests::scripts::rare::what_a_leader_does_not_know_yet_is_asked_again_and_not_told",
    /// A request carried a newer leader epoch than the broker's.
    LeaderEpochUnknown by "core::consumer::tests::scripts::rare::what_a_leader_does_not_know_yet_is_asked_again_and_not_told",
    /// A broker has forgotten a fetch session.
    SessionEvicted by "core::consumer::tests::scripts::fetching::a_session_that_the_broker_forgot_is_opened_again_at_once",
    /// A broker has no fetch session to give.
    SessionRefused by "core::consumer::session::tests::a_broker_that_refuses_to_open_sessions_is_not_asked_again",
    /// A broker refused the epoch of a fetch session.
    SessionEpochRefused by "core::consumer::session::tests::errors_start_over",
    /// A broker knows a topic of a fetch session under another id.
    SessionTopicIdRefused by "core::consumer::session::tests::errors_start_over",
    /// A fetch was not answered, so that nobody knows how far its session is.
    SessionLost by "core::consumer::session::tests::a_lost_request_starts_over_and_closes_the_old_session",
    /// A broker is told to forget partitions of a fetch session.
    SessionForgets by "core::consumer::session::tests::increments_carry_what_changed_came_and_went",
    /// A topic of a fetch session was replaced by another one of the same name.
    SessionTopicReplaced by "core::consumer::session::tests::a_topic_that_was_made_again_is_forgotten_by_its_old_id_and_added_by_its_new",
    /// A broker is told to forget a fetch session, because its consumer is closed.
    SessionClosed by "core::consumer::tests::scripts::commands::closing_ends_the_sessions_and_everything_else",
    /// A fetch waits until the consumer's memory has room.
    FetchWaitsForMemory by "core::consumer::tests::scripts::rare::a_fetch_waits_until_the_memory_has_room",
    /// What was fetched and left unread is dropped, so that there is memory for partitions of which nothing is fetched.
    SetAside by "core::consumer::tests::scripts::commands::what_is_set_aside_makes_room_and_comes_again_once_it_is_wanted",
    /// More than half of the consumer's memory is used: only what is read up is fetched.
    MemoryTight by "core::consumer::tests::scripts::commands::the_budget_counts_what_the_application_holds",
    /// A partition has another leader while the old one is asked about it.
    LeaderMovedWhileAsking by "core::consumer::tests::scripts::rare::an_answer_of_the_leader_before_is_not_used",
    /// A topic that is being read was replaced by another one of the same name.
    RecreatedUnderReader by "core::consumer::tests::scripts::rare::epochs_of_a_topic_say_nothing_of_another_one_with_its_name",
    /// No record is as young as the timestamp that was asked for.
    TimestampBeyondEnd by "core::consumer::tests::scripts::rare::a_time_after_the_last_record_is_the_end",
    /// A broker is too old to know what isolation is.
    IsolationNotKnown by "core::consumer::tests::scripts::rare::a_broker_that_does_not_know_isolation_is_asked_without",
    /// An old broker cut off a batch that is larger than what was asked for.
    CutBatchAskedAgain by "core::consumer::tests::scripts::fetching::an_old_broker_is_asked_for_more_until_a_batch_fits",
    /// A partition was paused when something of it waited to be handed out.
    PausedWithReadAhead by "core::consumer::tests::scripts::commands::what_was_sought_paused_or_taken_away_is_not_handed_out",
    /// What was fetched is not handed out, since the application has moved on.
    ChunkDroppedAtHandOver by "engine::tests::handing_over::what_was_fetched_before_a_seek_is_not_handed_out_after_it",
    /// What happened to a partition is not told, since the application has moved on.
    EventDroppedAtHandOver by "engine::tests::handing_over::what_happened_before_a_seek_is_not_told_after_it",
    /// A future was dropped while it waited.
    WaitAbandoned by "engine::wait::tests::an_abandoned_wait_leaves_nothing",
    /// A receipt was dropped before the outcome of its record.
    ReceiptAbandoned by "engine::producer::tests::waiting_receipts_are_woken_once_and_dropped_ones_not_at_all",
    /// A record waits for room in the producer's memory.
    RoomAwaited by "engine::tests::handing_over::a_record_waits_for_room_and_goes_when_there_is_some",
    /// The partition of a batch is chosen by how much waits for each.
    PartitionsWeighed by "core::producer::partitioner::tests::a_partition_is_chosen_the_less_the_more_waits_for_it",
    /// Records without a key go to leaders in the producer's rack.
    RackPreferred by "engine::tests::producing::records_without_a_key_go_to_leaders_in_the_rack_while_there_are_some",
    /// A broker takes nothing for so long that records without a key avoid it, or takes something again.
    BrokerAvailabilityChanged by "core::producer::tests::requests::a_broker_that_takes_nothing_is_avoided_until_it_does",
    /// A permit was used after its producer had ended.
    PermitOutlivedProducer by "engine::tests::producing::a_permit_that_outlives_its_producer_gives_a_receipt_that_says_so",
    /// There was no room in the producer's memory for as long as a record may wait for it.
    RoomWaitTimedOut by "engine::budget::tests::a_wait_ends_at_its_deadline_and_those_behind_it_go_on",
    /// Room in the producer's memory was given to one who waited for it.
    RoomGrantedInTurn by "engine::budget::tests::serves_in_order_and_a_small_one_does_not_overtake",
    /// Room in the producer's memory was given to one who no longer wants it.
    RoomGrantReturned by "engine::budget::tests::a_dropped_wait_gives_its_place_and_its_grant_to_the_next",
    /// A signal was routed to a connection that is over.
    SignalFoundNoConnection by "engine::tests::handing_over::a_signal_for_a_connection_that_is_over_reaches_the_control_task",
    /// The driver of a connection is gone.
    DriverDropped by "engine::tests::handing_over::a_connection_whose_driver_is_gone_costs_no_record",
    /// The client ended while batches had no outcome.
    BatchesStopped by "engine::producer::tests::the_end_completes_every_receipt_and_frees_all_memory",
    /// A topic got more partitions while it was written to.
    TopicGrewUnderProducer by "engine::tests::handing_over::a_topic_that_grows_is_written_to_in_all_its_partitions",
    /// Records without a key keep away from partitions without a leader.
    LeaderlessAvoided by "engine::tests::handing_over::records_without_a_key_keep_away_from_partitions_without_a_leader",
    /// A part of a batch has its outcome.
    PartSettled by "engine::producer::tests::a_batch_that_comes_in_parts_is_done_with_its_last_part",
    /// A record is accepted after its transaction failed, and dropped.
    RecordAfterTransactionFailed by "core::producer::tests::transactional::nothing_follows_a_failure",
    /// A transaction failed and can only be aborted.
    TransactionFailed by "core::transaction::tests::version_1::failed_batch_means_abort",
    /// Another producer took the transactional id over.
    TransactionFenced by "core::transaction::tests::version_1::fenced_for_good",
    /// A commit that was sent has no answer in time.
    CommitInDoubt by "core::transaction::tests::certainty::unanswered_commit_is_in_doubt",
    /// A commit was written, and its answer is lost.
    CommitUnanswered by "core::transaction::tests::certainty::unanswered_commit_is_in_doubt",
    /// A transaction is begun while the one before is open.
    TransactionLeftOpen by "core::transaction::tests::version_1::begin_ends_what_is_open",
    /// A transaction that failed is committed.
    FailedTransactionCommitted by "core::transaction::tests::version_1::failed_batch_means_abort",
    /// A transaction is dropped.
    TransactionAbandoned by "core::transaction::tests::version_1::begin_ends_what_is_open",
    /// A group coordinator is too old to be told who the member is.
    MemberUntold by "core::transaction::tests::offsets::old_coordinators_are_not_told_the_member",
    /// The coordinator is still completing the transaction before.
    TransactionStillCompleting by "core::transaction::tests::version_1::waits_for_the_transaction_before",
    /// The coordinator of a transaction is another broker now.
    TransactionCoordinatorMoved by "core::transaction::tests::certainty::commit_follows_the_coordinator",
    /// A producer of transactions got another epoch.
    TransactionEpochRenewed by "core::transaction::tests::version_1::epoch_is_renewed_after_a_gap",
    /// There was nothing that the coordinator could abort.
    NothingToEnd by "core::transaction::tests::rules::rule_7_partitions_added_before_stay_added",
}
