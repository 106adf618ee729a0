//! Failures to order, by name.
//!
//! A [`Fault`] says what goes wrong, where and when, and [`Cluster::inject`] makes it true. [`FAULTS`] lists them all
//! by the names that they have as text. What brokers may answer to what is in [`legal_errors`].
//!
//! ```
//! use klamm_core::Instant;
//! use klamm_protocol::{ApiKey, ErrorCode};
//! use klamm_sim::cluster::{Cluster, ClusterConfig, Fault};
//!
//! let mut cluster = Cluster::new(ClusterConfig::default());
//! // The next two requests to produce to partition 3 of `orders` are refused; their other partitions are served.
//! cluster.inject(
//!     Instant::ZERO,
//!     &Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).api(ApiKey::PRODUCE).partition("orders", 3).times(2),
//! );
//! // The same as text, as a plan has it.
//! let line = "error code=NOT_LEADER_OR_FOLLOWER api=Produce topic=orders partition=3 times=2";
//! cluster.inject(Instant::ZERO, &line.parse()?);
//! # Ok::<(), klamm_sim::cluster::FaultError>(())
//! ```

mod conditions;
mod damage;
mod fault;
mod fetches;
mod legal;
mod pauses;
mod rules;
mod text;

use std::time::Duration;

use klamm_protocol::ErrorCode;

pub use fault::{Fault, FaultKind, Place};
pub use legal::{LegalErrors, legal_errors};
pub use text::FaultError;

use damage::{cut_last_batch, flip_record};
pub(crate) use damage::{flip_in, truncate};
pub(crate) use rules::{Asked, Faults, Orders, Spot};

/// A fault in the table of all faults.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// Its name as text.
    pub name: &'static str,
    /// What it is, with an example of the code, the time or the epoch that it needs.
    pub kind: FaultKind,
    /// The keys that it needs as text, besides those that every fault may have.
    pub keys: &'static [&'static str],
    /// What happens.
    pub what: &'static str,
}

const fn entry(
    name: &'static str,
    kind: FaultKind,
    keys: &'static [&'static str],
    what: &'static str,
) -> Entry {
    Entry { name, kind, keys, what }
}

const SECOND: Duration = Duration::from_secs(1);

/// Every fault, by name.
///
/// As text a fault is its name and then, in any order, what it needs and what refines it: `api=Produce`, `broker=2`,
/// `client=app`, `topic=t`, `topic=t partition=0`, `place=each`, `times=3` or `times=always`, `one_in=20`,
/// `after=1s`, `lasting=5s`, `name=anything`. Errors are named as in the protocol, or numbered: `code=9999` is one
/// that no client knows. Times are whole numbers of `s`, `ms`, `us` or `ns`.
///
/// ```
/// for entry in klamm_sim::cluster::FAULTS {
///     println!("{:16} {}", entry.name, entry.what);
/// }
/// ```
pub const FAULTS: &[Entry] = &[
    entry(
        "error",
        FaultKind::Error(ErrorCode::UNKNOWN_SERVER_ERROR),
        &["code"],
        "The request is refused with an error and changes nothing.",
    ),
    entry(
        "error-after",
        FaultKind::ErrorAfter(ErrorCode::UNKNOWN_SERVER_ERROR),
        &["code"],
        "The request takes effect, and is answered with an error.",
    ),
    entry("drop-before", FaultKind::DropBefore, &[], "The connection closes; the request has no effect."),
    entry(
        "drop-after",
        FaultKind::DropAfter,
        &[],
        "The request takes effect; the connection closes unanswered.",
    ),
    entry(
        "delay",
        FaultKind::Delay(SECOND),
        &["time"],
        "The request takes effect at once, the answer comes late.",
    ),
    entry("slow", FaultKind::Slow(SECOND), &["time"], "Requests wait to be served, so long on average."),
    entry(
        "throttle",
        FaultKind::Throttle(SECOND),
        &["time"],
        "The answer says so, and the connection is not read meanwhile.",
    ),
    entry("truncate", FaultKind::Truncate, &[], "The answer breaks off, and the connection closes."),
    entry("flip", FaultKind::Flip, &[], "A bit of the answer is flipped."),
    entry(
        "flip-records",
        FaultKind::FlipRecords,
        &[],
        "A bit of fetched records is flipped, under the checksum.",
    ),
    entry("empty-fetch", FaultKind::EmptyFetch, &[], "A fetch is answered at once and without records."),
    entry("cut-batch", FaultKind::CutBatch, &[], "The last of several fetched batches is cut short."),
    entry("unknown-tag", FaultKind::UnknownTag, &[], "The answer has a tagged field that nobody knows."),
    entry(
        "pause",
        FaultKind::Pause(SECOND),
        &["time"],
        "The broker does nothing for a while; if it is long, others lead meanwhile.",
    ),
    entry("disconnect", FaultKind::Disconnect, &[], "The broker closes its connections."),
    entry("evict-sessions", FaultKind::EvictSessions, &[], "The broker forgets all fetch sessions."),
    entry("expire-producers", FaultKind::ExpireProducers, &[], "Partitions forget idempotent producers."),
    entry(
        "producer-epoch",
        FaultKind::ProducerEpoch(i16::MAX - 1),
        &["epoch"],
        "The next producer id comes with this epoch.",
    ),
];

impl FaultKind {
    /// The name as text.
    #[must_use]
    pub fn name(self) -> &'static str {
        let same = |entry: &&Entry| std::mem::discriminant(&entry.kind) == std::mem::discriminant(&self);
        FAULTS.iter().find(same).map_or("", |entry| entry.name)
    }
}
