//! Where one partition is read: the next offset to fetch, and the next offset to hand out.
//!
//! ```text
//!                     seek to a place                   seek to an offset
//!  Initializing ─────────────────────────> AwaitReset ─────────────────────> Fetching <──┐
//!       │                                    ^  │ the leader said the offset   │  │ ^     │
//!       │          the policy names a place  │  └──────────────────────────────┼──┼─┘     │
//!       │       (out of range, undefined) ───┴─────────────────────────────────┘  │       │
//!       │ seek to an offset with an epoch                          leader changed │       │
//!       └────────────────────────────────> AwaitValidation <──────────────────────┘       │
//!                                               │   not truncated, or moved to where it is │
//!                                               └──────────────────────────────────────────┘
//!  any state ── it cannot go on ──> Stopped ── seek ──> as from Initializing
//! ```

mod table;
#[cfg(test)]
mod tests;

use core::time::Duration;

pub use self::table::PositionState;
use self::table::{Input, next};
use super::{OffsetReset, ResetReason, StartAt};
use crate::WallTime;

/// A place that only the leader can turn into an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The oldest record.
    Earliest,
    /// The end.
    Latest,
    /// The first record not before this time, in milliseconds since 1970.
    Timestamp(i64),
    /// The first record that is not older than this.
    Duration(Duration),
    /// So many offsets after the oldest record.
    AfterEarliest(u64),
    /// So many offsets before the end.
    BeforeLatest(u64),
    /// This offset, or the oldest record if that comes after it.
    NotBeforeEarliest(i64),
    /// This offset, or the end if that comes before it.
    NotAfterLatest(i64),
}

/// What follows from what the leader said of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// The place has this offset.
    At(i64),
    /// This is to be asked next.
    Next(Place),
}

impl Place {
    /// The place that a reset policy names.
    pub(super) const fn of_policy(policy: OffsetReset) -> Option<Self> {
        match policy {
            OffsetReset::Earliest => Some(Self::Earliest),
            OffsetReset::Latest => Some(Self::Latest),
            OffsetReset::Timestamp(timestamp) => Some(Self::Timestamp(timestamp)),
            OffsetReset::Duration(duration) => Some(Self::Duration(duration)),
            OffsetReset::None => None,
        }
    }

    /// The timestamp by which ListOffsets names the place, or what it depends on, at a time of the day.
    pub(super) fn timestamp(self, wall: WallTime) -> i64 {
        match self {
            Self::Earliest | Self::AfterEarliest(_) | Self::NotBeforeEarliest(_) => -2,
            Self::Latest | Self::BeforeLatest(_) | Self::NotAfterLatest(_) => -1,
            Self::Timestamp(timestamp) => timestamp,
            Self::Duration(duration) => {
                let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
                wall.0.saturating_sub(millis).max(0)
            }
        }
    }

    /// What follows from the offset that the leader listed.
    pub(super) fn listed(self, offset: i64) -> Listing {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        match self {
            Self::Earliest | Self::Latest | Self::Timestamp(_) | Self::Duration(_) => Listing::At(offset),
            Self::AfterEarliest(count) => {
                Listing::Next(Self::NotAfterLatest(offset.saturating_add(signed(count))))
            }
            Self::BeforeLatest(count) => {
                Listing::Next(Self::NotBeforeEarliest(offset.saturating_sub(signed(count))))
            }
            Self::NotBeforeEarliest(wanted) => Listing::At(wanted.max(offset)),
            Self::NotAfterLatest(wanted) => Listing::At(wanted.min(offset)),
        }
    }
}

/// An offset, and the leader epoch of the record before it (-1 if not known).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) offset: i64,
    pub(super) epoch: i32,
}

/// A place to find, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) place: Place,
    pub(super) why: ResetReason,
}

/// What the answer to a validation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing that was fetched is lost.
    Valid,
    /// What was fetched and not handed out is not what the log holds; it is to be fetched again.
    Refetch,
    /// What was handed out from this offset on is not what the log holds.
    Diverged(i64),
    /// The leader cannot say.
    Undefined,
}

/// The position of one partition.
#[derive(Clone, Debug)]
pub(super) struct Position {
    state: PositionState,
    fetched: Option<At>,
    consumed: Option<At>,
    wish: Option<Wish>,
}

impl Position {
    pub(super) const fn new() -> Self {
        Self { state: PositionState::Initializing, fetched: None, consumed: None, wish: None }
    }

    pub(super) const fn state(&self) -> PositionState {
        self.state
    }

    /// The next offset to hand out.
    pub(super) const fn consumed(&self) -> Option<At> {
        self.consumed
    }

    /// As [`consumed`](Self::consumed), but `None` while the application asked for a place that is not found yet.
    pub(super) fn known(&self) -> Option<At> {
        let asked = self.to_find().is_some_and(|wish| wish.why == ResetReason::Asked);
        self.consumed.filter(|_| !asked)
    }

    /// The next offset to fetch; `None` while it is not known or not certain.
    pub(super) fn to_fetch(&self) -> Option<At> {
        self.fetched.filter(|_| self.state == PositionState::Fetching)
    }

    /// What to validate; `None` if there is nothing.
    pub(super) fn to_validate(&self) -> Option<At> {
        self.fetched.filter(|_| self.state == PositionState::AwaitValidation)
    }

    /// What to ask the leader for; `None` if there is nothing.
    pub(super) fn to_find(&self) -> Option<Wish> {
        self.wish.filter(|_| self.state == PositionState::AwaitReset)
    }

    /// Takes a transition; `false` if there is none, and nothing changed.
    fn take(&mut self, input: Input) -> bool {
        let Some(state) = next(self.state, input) else { return false };
        self.state = state;
        true
    }

    const fn set(&mut self, at: At) {
        self.fetched = Some(at);
        self.consumed = Some(at);
        self.wish = None;
    }

    pub(super) fn seek(&mut self, to: StartAt) {
        let place = match to {
            StartAt::Earliest => Place::Earliest,
            StartAt::Latest => Place::Latest,
            StartAt::Timestamp(timestamp) => Place::Timestamp(timestamp),
            StartAt::Duration(duration) => Place::Duration(duration),
            StartAt::AfterEarliest(count) => Place::AfterEarliest(count),
            StartAt::BeforeLatest(count) => Place::BeforeLatest(count),
            StartAt::Offset(offset) => {
                let offset = offset + i64::from(planted!(SeekMissesByOne));
                self.take(Input::SeekOffset);
                return self.set(At { offset, epoch: -1 });
            }
            StartAt::OffsetAndEpoch { offset, leader_epoch } if leader_epoch < 0 => {
                self.take(Input::SeekOffset);
                return self.set(At { offset, epoch: -1 });
            }
            StartAt::OffsetAndEpoch { offset, leader_epoch } => {
                self.take(Input::SeekOffsetAndEpoch);
                return self.set(At { offset, epoch: leader_epoch });
            }
        };
        self.take(Input::SeekPlace);
        self.wish = Some(Wish { place, why: ResetReason::Asked });
    }

    /// Goes so many offsets on or back from one, but not out of the log.
    pub(super) fn seek_near(&mut self, offset: i64, offsets: i64) {
        let wanted = offset.saturating_add(offsets);
        let place =
            if offsets < 0 { Place::NotBeforeEarliest(wanted) } else { Place::NotAfterLatest(wanted) };
        self.take(Input::SeekPlace);
        self.wish = Some(Wish { place, why: ResetReason::Asked });
    }

    /// Another place is wished instead: the leader knows no record at or after a timestamp, or the wish depends on two
    /// places.
    pub(super) const fn wish_instead(&mut self, place: Place) {
        if let Some(wish) = &mut self.wish {
            wish.place = place;
        }
    }

    /// The place has this offset. Returns why it was asked for; `None` if nobody asks any more.
    pub(super) fn found(&mut self, at: At) -> Option<ResetReason> {
        let wish = self.to_find()?;
        self.take(Input::Found);
        self.set(at);
        Some(wish.why)
    }

    /// The leader does not have the offset to fetch. `false` if there is no policy for it: stopped.
    pub(super) fn out_of_range(&mut self, policy: OffsetReset) -> bool {
        self.by_policy(Input::OutOfRange, policy, ResetReason::OutOfRange)
    }

    /// The log is truncated somewhere. `false` if there is no policy for it: stopped.
    pub(super) fn undefined(&mut self, policy: OffsetReset) -> bool {
        self.by_policy(Input::Undefined, policy, ResetReason::Truncated)
    }

    fn by_policy(&mut self, input: Input, policy: OffsetReset, why: ResetReason) -> bool {
        match Place::of_policy(policy) {
            Some(place) => {
                if self.take(input) {
                    self.wish = Some(Wish { place, why });
                }
                true
            }
            None => {
                self.stop();
                false
            }
        }
    }

    /// The leader changed. Whether that is to be validated depends on whether anything was read in a known epoch.
    pub(super) fn leader_changed(&mut self) {
        if self.fetched.is_some_and(|at| at.epoch >= 0) {
            self.take(Input::LeaderChanged);
        }
    }

    /// The topic is another one of the same name: its epochs are not comparable.
    pub(super) const fn forget_epochs(&mut self) {
        if let Some(at) = &mut self.fetched {
            at.epoch = -1;
        }
        if let Some(at) = &mut self.consumed {
            at.epoch = -1;
        }
    }

    /// There is nothing to validate, or nobody who could say.
    pub(super) fn validated(&mut self) {
        self.take(Input::Validated);
    }

    /// What the leader's answer means: the last offset of the highest epoch not above ours. Changes nothing.
    pub(super) fn judge(&self, end_epoch: i32, end_offset: i64) -> Verdict {
        let (Some(fetched), Some(consumed)) = (self.fetched, self.consumed) else {
            return Verdict::Undefined;
        };
        if end_epoch < 0 || end_offset < 0 {
            Verdict::Undefined
        } else if end_offset >= fetched.offset {
            Verdict::Valid
        } else if end_offset >= consumed.offset {
            Verdict::Refetch
        } else {
            Verdict::Diverged(end_offset)
        }
    }

    /// Goes to where the log still is what was read.
    pub(super) fn diverge(&mut self, offset: i64, epoch: i32) {
        if self.take(Input::Diverged) {
            self.set(At { offset, epoch });
        }
    }

    pub(super) fn stop(&mut self) {
        self.take(Input::Stop);
        self.fetched = self.consumed;
        self.wish = None;
    }

    /// Something was fetched.
    pub(super) const fn fetched(&mut self, at: At) {
        self.fetched = Some(at);
    }

    /// Something was handed out: never backwards.
    pub(super) fn consume(&mut self, at: At) {
        if self.consumed.is_some_and(|consumed| consumed.offset < at.offset) {
            self.consumed = Some(at);
        }
    }

    /// Whether something was fetched that was not handed out.
    #[cfg(feature = "probes")]
    pub(super) fn has_read_ahead(&self) -> bool {
        self.fetched.map(|at| at.offset) != self.consumed.map(|at| at.offset)
    }

    /// What was fetched and not handed out is dropped.
    pub(super) const fn rewind(&mut self) {
        self.fetched = self.consumed;
    }
}
