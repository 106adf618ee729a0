//! Failures to order, by name.

use std::collections::VecDeque;
use std::time::Duration;

use klamm_protocol::{ApiKey, ErrorCode};

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is refused with this error and changes nothing.
    Error(ErrorCode),
    /// The connection is closed before the request is looked at.
    DropBefore,
    /// The request takes effect, but the connection is closed instead of sending the response.
    DropAfter,
    /// The request takes effect at once, but the response is sent so much later.
    Delay(Duration),
}

#[derive(Debug)]
struct Rule {
    api: ApiKey,
    broker: Option<i32>,
    remaining: u32,
    fault: Fault,
}

/// The failures that are still to come. The oldest one that fits a request happens to it.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: VecDeque<Rule>,
}

impl Faults {
    pub(crate) fn add(&mut self, api: ApiKey, broker: Option<i32>, count: u32, fault: Fault) {
        if count > 0 {
            self.rules.push_back(Rule { api, broker, remaining: count, fault });
        }
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// What happens to a request of `api` at `broker`.
    pub(crate) fn take(&mut self, api: ApiKey, broker: i32) -> Option<Fault> {
        let fits = |rule: &Rule| rule.api == api && rule.broker.is_none_or(|wanted| wanted == broker);
        let index = self.rules.iter().position(fits)?;
        let rule = self.rules.get_mut(index)?;
        rule.remaining -= 1;
        let fault = rule.fault;
        if rule.remaining == 0 {
            self.rules.remove(index);
        }
        Some(fault)
    }
}
