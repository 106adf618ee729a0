//! ListTransactions (66).

use klamm_protocol::messages::list_transactions::{
    ListTransactionsRequest, ListTransactionsResponse, TransactionState,
};
use klamm_protocol::{ErrorCode, Str};
use regex_lite::Regex;

use super::{Reply, Serve};
use crate::cluster::transactions::{State, Txn};
use crate::cluster::{Cluster, Origin};

/// States that a real coordinator has for a moment only, or never shows.
const NEVER_SEEN: [&str; 2] = ["Dead", "PrepareEpochFence"];

impl Serve for ListTransactionsRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<ListTransactionsResponse> {
        if cluster.transactions.is_any_loading(origin.now, origin.broker) {
            return Reply::Now(self.refuse(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
        }
        let pattern = match self.transactional_id_pattern.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => match Regex::new(&format!("^(?:{text})$")) {
                Ok(pattern) => Some(pattern),
                Err(_) => return Reply::Now(self.refuse(ErrorCode::INVALID_REGULAR_EXPRESSION)),
            },
            None => None,
        };
        let wall_ms = cluster.wall_time.0;
        let is_wanted = |txn: &&Txn| {
            let has_state = self.state_filters.is_empty()
                || self.state_filters.iter().any(|state| state == txn.state.name());
            let has_producer =
                self.producer_id_filters.is_empty() || self.producer_id_filters.contains(&txn.producer.id);
            let is_long = self.duration_filter < 0
                || txn.started_ms >= 0 && wall_ms - txn.started_ms > self.duration_filter;
            let has_name = pattern.as_ref().is_none_or(|pattern| pattern.is_match(&txn.id));
            has_state && has_producer && is_long && has_name
        };
        let found = cluster.transactions.led_by(origin.now, origin.broker).filter(is_wanted);
        Reply::Now(ListTransactionsResponse {
            unknown_state_filters: unknown_states(&self.state_filters),
            transaction_states: found.map(state).collect(),
            ..ListTransactionsResponse::default()
        })
    }

    fn refuse(&self, error: ErrorCode) -> ListTransactionsResponse {
        ListTransactionsResponse { error_code: error, ..ListTransactionsResponse::default() }
    }
}

/// The names that no state has.
fn unknown_states(filters: &[Str]) -> Vec<Str> {
    let is_state =
        |name: &str| NEVER_SEEN.contains(&name) || State::ALL.into_iter().any(|state| state.name() == name);
    filters.iter().filter(|name| !is_state(name)).cloned().collect()
}

fn state(txn: &Txn) -> TransactionState {
    TransactionState {
        transactional_id: txn.id.clone(),
        producer_id: txn.producer.id,
        transaction_state: Str::from_static(txn.state.name()),
        ..TransactionState::default()
    }
}
