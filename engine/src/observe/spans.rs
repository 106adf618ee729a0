//! Spans for `tracing`, named by the semantic conventions of OpenTelemetry for messaging. Without the feature `tracing`
//! nothing is made.
//!
//! Subscribers are user code: spans begin and end only where no lock is held.

use std::task::Waker;

use klamm_core::{ConsumerId, group::CommitError};

use crate::{SendError, shared::Shared};

#[cfg(feature = "tracing")]
use self::on::Ending;

/// A batch on its way: from when it leaves its partition's buffer until it has its outcome.
#[derive(Debug, Default)]
pub(crate) struct SendSpan {
    #[cfg(feature = "tracing")]
    span: Option<tracing::Span>,
}

impl SendSpan {
    /// Whether there are any.
    pub(crate) const ARE_MADE: bool = cfg!(feature = "tracing");

    /// Begins. To be called where no lock is held.
    pub(crate) fn begin(topic: &str, partition: i32, records: u32) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = (topic, partition, records);
        Self {
            #[cfg(feature = "tracing")]
            span: Some(on::send(topic, partition, records)),
        }
    }

    /// Ends with the base offset or the error, when the last waker of these has been woken.
    pub(crate) fn end(&mut self, result: Result<Option<i64>, &SendError>, wakers: &mut Vec<Waker>) {
        #[cfg(feature = "tracing")]
        if let Some(span) = self.span.take() {
            wakers.push(Ending::waker(span, result));
        }
        #[cfg(not(feature = "tracing"))]
        let _ = (self, result, wakers);
    }
}

/// A commit, until its outcome is taken.
#[derive(Debug, Default)]
pub(crate) struct CommitSpan {
    #[cfg(feature = "tracing")]
    span: Option<tracing::Span>,
}

impl CommitSpan {
    /// Begins, for the group of a consumer.
    pub(crate) fn begin(shared: &Shared, consumer: ConsumerId) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = (shared, consumer);
        Self {
            #[cfg(feature = "tracing")]
            span: Some(on::commit(&on::group_of(shared, consumer))),
        }
    }

    /// Ends.
    pub(crate) fn end(&mut self, result: &Result<(), CommitError>) {
        #[cfg(feature = "tracing")]
        if let (Some(span), Err(error)) = (self.span.take(), result) {
            let kind = error.code().and_then(klamm_protocol::ErrorCode::name);
            on::failed(&span, kind.unwrap_or("commit failed"), error);
        }
        #[cfg(not(feature = "tracing"))]
        let _ = (self, result);
    }
}

/// Records that are handed to their reader: what `open` does (checksums, decompression) happens within the span.
/// `count` says how many they are.
pub(crate) fn polling<T>(
    (shared, consumer): (&Shared, ConsumerId),
    (topic, partition, offset): (&str, i32, i64),
    open: impl FnOnce() -> T,
    count: impl FnOnce(&T) -> usize,
) -> T {
    #[cfg(not(feature = "tracing"))]
    {
        let _ = (shared, consumer, topic, partition, offset);
        drop(count);
        open()
    }
    #[cfg(feature = "tracing")]
    {
        let span = on::poll(topic, partition, offset);
        let opened = span.in_scope(open);
        if !span.is_disabled() {
            span.record("messaging.batch.message_count", count(&opened));
            let group = on::group_of(shared, consumer);
            if !group.is_empty() {
                span.record("messaging.consumer.group.name", group.as_str());
            }
        }
        opened
    }
}

#[cfg(feature = "tracing")]
mod on {
    use std::{
        fmt::Display,
        sync::{Arc, Mutex},
        task::{Wake, Waker},
    };

    use klamm_core::ConsumerId;
    use klamm_protocol::Str;
    use tracing::{Span, field::Empty};

    use crate::{SendError, shared::Shared, wait::lock};

    /// A batch carries the records of any number of callers: its span is a root.
    pub(super) fn send(topic: &str, partition: i32, records: u32) -> Span {
        tracing::info_span!(
            target: "klamm",
            parent: None,
            "send",
            otel.name = %format_args!("send {topic}"),
            otel.kind = "producer",
            otel.status_code = Empty,
            messaging.system = "kafka",
            messaging.operation.name = "send",
            messaging.operation.type = "send",
            messaging.destination.name = topic,
            messaging.destination.partition.id = %partition,
            messaging.batch.message_count = records,
            messaging.kafka.offset = Empty,
            error.type = Empty,
            error.message = Empty,
        )
    }

    pub(super) fn poll(topic: &str, partition: i32, offset: i64) -> Span {
        tracing::info_span!(
            target: "klamm",
            "poll",
            otel.name = %format_args!("poll {topic}"),
            otel.kind = "consumer",
            messaging.system = "kafka",
            messaging.operation.name = "poll",
            messaging.operation.type = "receive",
            messaging.destination.name = topic,
            messaging.destination.partition.id = %partition,
            messaging.consumer.group.name = Empty,
            messaging.batch.message_count = Empty,
            messaging.kafka.offset = offset,
        )
    }

    pub(super) fn commit(group: &str) -> Span {
        tracing::info_span!(
            target: "klamm",
            "commit",
            otel.name = %format_args!("commit {group}"),
            otel.kind = "client",
            otel.status_code = Empty,
            messaging.system = "kafka",
            messaging.operation.name = "commit",
            messaging.operation.type = "settle",
            messaging.consumer.group.name = group,
            error.type = Empty,
            error.message = Empty,
        )
    }

    /// Empty if the consumer has no group.
    pub(super) fn group_of(shared: &Shared, consumer: ConsumerId) -> Str {
        let group = shared.ask(|state| Some(state.client.group(consumer)?.metadata().group_id));
        group.unwrap_or_default()
    }

    pub(super) fn failed(span: &Span, kind: &str, error: &dyn Display) {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", kind);
        span.record("error.message", tracing::field::display(error));
    }

    /// Ends a span when it is woken, which happens when no lock is held.
    #[derive(Debug)]
    pub(super) struct Ending {
        span: Mutex<Option<Span>>,
        result: Result<Option<i64>, SendError>,
    }

    impl Ending {
        pub(super) fn waker(span: Span, result: Result<Option<i64>, &SendError>) -> Waker {
            let result = result.map_err(Clone::clone);
            Waker::from(Arc::new(Self { span: Mutex::new(Some(span)), result }))
        }
    }

    impl Wake for Ending {
        fn wake(self: Arc<Self>) {
            let Some(span) = lock(&self.span).take() else { return };
            match &self.result {
                Ok(Some(offset)) => drop(span.record("messaging.kafka.offset", *offset)),
                Ok(None) => {}
                Err(error) => {
                    let kind = error.code().and_then(klamm_protocol::ErrorCode::name);
                    failed(&span, kind.unwrap_or("send failed"), error);
                }
            }
        }
    }
}
