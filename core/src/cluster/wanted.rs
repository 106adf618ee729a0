//! Which topics are wanted, and how far the search for each has come.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use klamm_protocol::{ErrorCode, Str};

use super::{Topic, TopicError, TopicState};
use crate::{Deadlines, Instant};

/// What an answer says about a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is there; whether each partition has a leader.
    Found {
        /// Each partition has a leader.
        complete: bool,
    },
    /// Not known, perhaps not yet.
    Missing(ErrorCode),
    /// Not to be had.
    Refused(ErrorCode),
}

impl Verdict {
    /// What an error that a topic came with says.
    pub(super) fn of_error(code: ErrorCode) -> Self {
        let missing = matches!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID);
        // A trouble of the broker's own, or one that is not known here, says nothing of the topic.
        let obscure = code == ErrorCode::UNKNOWN_SERVER_ERROR || code.name().is_none();
        if missing || obscure || code.is_retriable() { Self::Missing(code) } else { Self::Refused(code) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// No answer yet, or none that settles it; the topic may have been there before.
    Asking { code: ErrorCode, was_there: bool },
    /// It is there, but some partition has no leader.
    Incomplete,
    /// It is there.
    Settled,
    /// Its owners have been told that it cannot be had.
    Failed(TopicError),
}

#[derive(Clone, Debug)]
struct Entry {
    owners: u32,
    search: Search,
}

/// The wanted topics.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    topics: BTreeMap<Str, Entry>,
    /// Those that are to be asked for again soon.
    incomplete: BTreeSet<Str>,
    /// When those that brokers deny count as failed, and those that have failed so are asked for again.
    deadlines: Deadlines<Str>,
    /// Owners who want every topic.
    all: u32,
}

impl Wanted {
    /// One more owner; returns whether the topic is to be asked for. `complete`: it is known, and all of its leaders are.
    pub(super) fn want(&mut self, topic: &str, complete: bool) -> bool {
        let asking = Search::Asking { code: ErrorCode::NONE, was_there: false };
        let name = match self.topics.get_mut(topic) {
            Some(entry) => {
                entry.owners = entry.owners.saturating_add(1);
                if !matches!(entry.search, Search::Failed(_)) {
                    return false;
                }
                entry.search = asking;
                Str::copy_of(topic)
            }
            None => {
                let name = Str::copy_of(topic);
                let search = if complete { Search::Settled } else { asking };
                self.topics.insert(name.clone(), Entry { owners: 1, search });
                if complete {
                    return false;
                }
                name
            }
        };
        self.incomplete.insert(name);
        true
    }

    /// One owner less; returns whether that was the last.
    pub(super) fn release(&mut self, topic: &str) -> bool {
        let Some(entry) = self.topics.get_mut(topic) else { return false };
        entry.owners -= 1;
        if entry.owners > 0 {
            return false;
        }
        if let Some((name, _)) = self.topics.remove_entry(topic) {
            self.incomplete.remove(&name);
            self.deadlines.clear(&name);
        }
        true
    }

    /// One more owner who wants every topic; returns whether it is the first.
    pub(super) fn want_all(&mut self) -> bool {
        self.all = self.all.saturating_add(1);
        self.all == 1
    }

    /// One such owner less; returns whether it was the last.
    pub(super) fn release_all(&mut self) -> bool {
        let was = self.all;
        self.all = self.all.saturating_sub(1);
        was == 1
    }

    /// Takes note of what an answer says about a topic. Returns the error to report to its owners, if it is new.
    pub(super) fn judge(&mut self, topic: &str, verdict: Verdict, deadline: Instant) -> Option<TopicError> {
        let (name, _) = self.topics.get_key_value(topic)?;
        let name = name.clone();
        let entry = self.topics.get_mut(topic)?;
        let before = entry.search;
        entry.search = match (verdict, before) {
            (Verdict::Found { complete: true }, _) => Search::Settled,
            (Verdict::Found { complete: false }, _) => Search::Incomplete,
            (Verdict::Missing(code), Search::Asking { was_there, .. }) => Search::Asking { code, was_there },
            (Verdict::Missing(code), Search::Incomplete | Search::Settled) => {
                Search::Asking { code, was_there: true }
            }
            (Verdict::Missing(_), Search::Failed(_)) => before,
            (Verdict::Refused(code), _) => Search::Failed(TopicError { code, deleted: false }),
        };
        let after = entry.search;
        match (after, verdict) {
            (Search::Asking { .. }, _) if self.deadlines.get(&name).is_some() => {}
            // Of what is not there, and of what is forbidden, it is asked again from time to time: that may change.
            (Search::Asking { .. }, _)
            | (
                Search::Failed(_),
                Verdict::Missing(_) | Verdict::Refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
            ) => {
                self.deadlines.set(name.clone(), deadline);
            }
            _ => {
                self.deadlines.clear(&name);
            }
        }
        if matches!(after, Search::Asking { .. } | Search::Incomplete) {
            self.incomplete.insert(name);
        } else {
            self.incomplete.remove(&name);
        }
        match after {
            Search::Failed(error) if after != before => Some(error),
            _ => None,
        }
    }

    /// Takes one topic that has been unknown for too long, with the error to report to its owners. It is asked for
    /// again, as is one that has failed before, after `pause`: it may appear.
    pub(super) fn expire(&mut self, now: Instant, pause: Duration) -> Option<(Str, TopicError)> {
        loop {
            let name = self.deadlines.expire(now)?;
            let Some(entry) = self.topics.get_mut(&name) else { continue };
            let Search::Asking { code, was_there: deleted } = entry.search else {
                self.incomplete.insert(name);
                continue;
            };
            probe!(TopicDeleted, deleted);
            probe!(TopicNeverSeen, !deleted);
            let error = TopicError { code, deleted };
            entry.search = Search::Failed(error);
            self.incomplete.remove(&name);
            self.deadlines.set(name.clone(), now + pause);
            return Some((name, error));
        }
    }

    /// When the next topic has been unknown for too long, or is to be asked for again.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Whether every topic is wanted.
    pub(super) const fn all(&self) -> bool {
        self.all > 0
    }

    /// Whether some topic is to be asked for again soon.
    pub(super) fn is_incomplete(&self) -> bool {
        !self.incomplete.is_empty()
    }

    /// Whether `topic` is wanted by its name.
    pub(super) fn contains(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// The topics that are wanted by name.
    pub(super) fn names(&self) -> impl Iterator<Item = &Str> + '_ {
        self.topics.keys()
    }

    /// Those that are to be asked for again soon.
    pub(super) fn incomplete_names(&self) -> impl Iterator<Item = &Str> + '_ {
        self.incomplete.iter()
    }

    /// How far the search for `topic` has come; `known` is what is known of it.
    pub(super) fn state<'a>(&self, topic: &str, known: Option<&'a Topic>) -> TopicState<'a> {
        match (self.topics.get(topic).map(|entry| entry.search), known) {
            (Some(Search::Failed(error)), _) => TopicState::Failed(error),
            (_, Some(topic)) => TopicState::Known(topic),
            (Some(Search::Asking { code, .. }), None) => TopicState::Pending(code),
            (Some(_), None) => TopicState::Pending(ErrorCode::NONE),
            (None, None) => TopicState::NotWanted,
        }
    }
}
