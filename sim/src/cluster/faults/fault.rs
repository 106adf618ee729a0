//! What goes wrong, where, and when: one order.

use std::time::Duration;

use klamm_protocol::{ApiKey, ErrorCode, Str};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// The request is refused with this error and changes nothing.
    Error(ErrorCode),
    /// The request takes effect, and is answered with this error all the same.
    ErrorAfter(ErrorCode),
    /// The connection is closed before the request is looked at.
    DropBefore,
    /// The request takes effect, but the connection is closed instead of sending the answer.
    DropAfter,
    /// The request takes effect at once, but the answer is sent so much later.
    Delay(Duration),
    /// The request is looked at only after a drawn time, this long on average: most are shorter, a few much longer.
    Slow(Duration),
    /// The answer says that the client is throttled for so long, and nothing is read from the connection meanwhile.
    Throttle(Duration),
    /// The answer breaks off at a drawn byte, and the connection is closed.
    Truncate,
    /// One bit of the answer, drawn, is flipped; never in its length.
    Flip,
    /// One bit of the records in the answer to a fetch, drawn, is flipped, where the checksum covers it.
    FlipRecords,
    /// A fetch is answered at once, with all that belongs to an answer except records.
    EmptyFetch,
    /// The last batch in the answer to a fetch is cut short, if there is another one before it.
    CutBatch,
    /// The answer carries a tagged field of some future release, in versions that may have them.
    UnknownTag,
    /// The broker does nothing for so long, then goes on: it neither reads nor sends, follows nobody, and hears of
    /// nothing. After [`LimitConfig::broker_session_timeout`](super::super::LimitConfig::broker_session_timeout) others
    /// lead its partitions, which it learns only after it has served the requests that waited: a zombie.
    Pause(Duration),
    /// The broker closes its connections.
    Disconnect,
    /// The broker forgets all fetch sessions.
    EvictSessions,
    /// All partitions forget their idempotent producers, as when they expired.
    ExpireProducers,
    /// The next producer id is given out with this epoch instead of 0.
    ProducerEpoch(i16),
}

impl FaultKind {
    /// Whether it happens beside whatever else happens to a request. Of the others one happens at most.
    pub(crate) const fn is_beside(self) -> bool {
        matches!(self, Self::Delay(_) | Self::Slow(_) | Self::Throttle(_) | Self::UnknownTag)
    }
}

/// Of what a request is about, the part that goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The request as a whole: as brokers answer that cannot serve it at all. Most APIs have a field for the error
    /// of the whole; in the others the error stands with each topic, partition or group.
    #[default]
    Whole,
    /// Each topic and partition, and not the whole.
    Each,
    /// One topic and all its partitions.
    Topic(Str),
    /// One partition.
    Partition(Str, i32),
}

/// One order: what goes wrong, where, and when.
///
/// Made by the function that is named after what goes wrong, and refined by methods. Without any of them it happens
/// to the next request of any kind from any client at any broker, once. It becomes true by
/// [`Cluster::inject`](super::super::Cluster::inject). As text it is a line such as
/// `error code=NOT_LEADER_OR_FOLLOWER api=Produce topic=orders partition=3 times=2`, see
/// [`FAULTS`](super::FAULTS) for the names.
///
/// ```
/// use std::time::Duration;
///
/// use klamm_protocol::{ApiKey, ErrorCode};
/// use klamm_sim::cluster::Fault;
///
/// // Every tenth request to produce to broker 2 takes effect and is reported as failed, for five seconds.
/// let fault = Fault::error_after(ErrorCode::REQUEST_TIMED_OUT)
///     .api(ApiKey::PRODUCE)
///     .broker(2)
///     .one_in(10)
///     .lasting(Duration::from_secs(5));
/// assert_eq!(fault.to_string(), "error-after code=REQUEST_TIMED_OUT api=Produce broker=2 one_in=10 lasting=5s");
/// assert_eq!(fault.to_string().parse(), Ok(fault));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a fault does nothing until it is injected"]
pub struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) api: Option<ApiKey>,
    pub(crate) broker: Option<i32>,
    pub(crate) client: Option<Str>,
    pub(crate) place: Place,
    pub(crate) times: Option<u32>,
    pub(crate) one_in: u32,
    pub(crate) after: Duration,
    pub(crate) lasting: Option<Duration>,
    pub(crate) name: Option<Str>,
}

impl Fault {
    /// A fault of this kind.
    pub const fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            api: None,
            broker: None,
            client: None,
            place: Place::Whole,
            times: None,
            one_in: 1,
            after: Duration::ZERO,
            lasting: None,
            name: None,
        }
    }

    /// See [`FaultKind::Error`].
    pub const fn error(code: ErrorCode) -> Self {
        Self::new(FaultKind::Error(code))
    }

    /// See [`FaultKind::ErrorAfter`].
    pub const fn error_after(code: ErrorCode) -> Self {
        Self::new(FaultKind::ErrorAfter(code))
    }

    /// See [`FaultKind::DropBefore`].
    pub const fn drop_before() -> Self {
        Self::new(FaultKind::DropBefore)
    }

    /// See [`FaultKind::DropAfter`].
    pub const fn drop_after() -> Self {
        Self::new(FaultKind::DropAfter)
    }

    /// See [`FaultKind::Delay`]. With a time longer than the client waits it is an answer that comes too late.
    pub const fn delay(time: Duration) -> Self {
        Self::new(FaultKind::Delay(time))
    }

    /// See [`FaultKind::Slow`]. Unlike others it happens to all requests, until it is told otherwise.
    pub const fn slow(mean: Duration) -> Self {
        Self::new(FaultKind::Slow(mean)).always()
    }

    /// See [`FaultKind::Throttle`].
    pub const fn throttle(time: Duration) -> Self {
        Self::new(FaultKind::Throttle(time))
    }

    /// See [`FaultKind::Truncate`].
    pub const fn truncate() -> Self {
        Self::new(FaultKind::Truncate)
    }

    /// See [`FaultKind::Flip`].
    pub const fn flip() -> Self {
        Self::new(FaultKind::Flip)
    }

    /// See [`FaultKind::FlipRecords`].
    pub const fn flip_records() -> Self {
        Self::new(FaultKind::FlipRecords).api(ApiKey::FETCH)
    }

    /// See [`FaultKind::EmptyFetch`].
    pub const fn empty_fetch() -> Self {
        Self::new(FaultKind::EmptyFetch).api(ApiKey::FETCH)
    }

    /// See [`FaultKind::CutBatch`].
    pub const fn cut_batch() -> Self {
        Self::new(FaultKind::CutBatch).api(ApiKey::FETCH)
    }

    /// See [`FaultKind::UnknownTag`].
    pub const fn unknown_tag() -> Self {
        Self::new(FaultKind::UnknownTag)
    }

    /// See [`FaultKind::Pause`].
    pub const fn pause(time: Duration) -> Self {
        Self::new(FaultKind::Pause(time))
    }

    /// See [`FaultKind::Disconnect`].
    pub const fn disconnect() -> Self {
        Self::new(FaultKind::Disconnect)
    }

    /// See [`FaultKind::EvictSessions`].
    pub const fn evict_sessions() -> Self {
        Self::new(FaultKind::EvictSessions)
    }

    /// See [`FaultKind::ExpireProducers`].
    pub const fn expire_producers() -> Self {
        Self::new(FaultKind::ExpireProducers)
    }

    /// See [`FaultKind::ProducerEpoch`].
    pub const fn producer_epoch(epoch: i16) -> Self {
        Self::new(FaultKind::ProducerEpoch(epoch))
    }

    /// Only requests of this API.
    pub const fn api(mut self, api: ApiKey) -> Self {
        self.api = Some(api);
        self
    }

    /// Only at this broker.
    pub const fn broker(mut self, broker: i32) -> Self {
        self.broker = Some(broker);
        self
    }

    /// Only to clients that call themselves so (`client.id`).
    pub fn client(mut self, id: impl Into<Str>) -> Self {
        self.client = Some(id.into());
        self
    }

    /// Errors stand with each topic and partition, not with the whole.
    pub fn each(mut self) -> Self {
        self.place = Place::Each;
        self
    }

    /// Only requests that are about this topic; an error stands with the topic and all its partitions, and the rest
    /// of the request is served.
    pub fn topic(mut self, topic: impl Into<Str>) -> Self {
        self.place = Place::Topic(topic.into());
        self
    }

    /// Only requests that are about this partition; an error stands with the partition, and the rest of the request
    /// is served.
    pub fn partition(mut self, topic: impl Into<Str>, partition: i32) -> Self {
        self.place = Place::Partition(topic.into(), partition);
        self
    }

    /// So many times, counted among the requests that it happens to.
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Any number of times.
    pub const fn always(self) -> Self {
        self.times(u32::MAX)
    }

    /// To one in so many of the requests that fit, drawn from the cluster's seed. Unless told otherwise it then
    /// happens any number of times. What is drawn for the n-th request that fits depends on the seed, on the
    /// fault's text and on n, and on nothing else.
    pub const fn one_in(mut self, requests: u32) -> Self {
        self.one_in = requests;
        self
    }

    /// It begins only so long after it was ordered.
    pub const fn after(mut self, time: Duration) -> Self {
        self.after = time;
        self
    }

    /// It ends so long after it began. Unless told otherwise it then happens any number of times.
    pub const fn lasting(mut self, time: Duration) -> Self {
        self.lasting = Some(time);
        self
    }

    /// Names it: two faults that are otherwise alike draw different numbers, and
    /// [`Cluster::lift`](super::super::Cluster::lift) finds it.
    pub fn named(mut self, name: impl Into<Str>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What goes wrong.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }

    /// How often it happens at most.
    pub(crate) const fn limit(&self) -> u32 {
        match self.times {
            Some(times) => times,
            None if self.lasting.is_some() || self.one_in != 1 => u32::MAX,
            None => 1,
        }
    }
}
