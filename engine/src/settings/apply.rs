//! What builders take out of settings.

use std::time::Duration;

use klamm_core::consumer::Isolation;

use super::Settings;
use crate::{
    Acks, Compression, ConsumerBuilder, GroupConsumerBuilder, GroupProtocol, Kafka, KafkaBuilder,
    OffsetReset, ProducerBuilder, Runtime, Sasl,
};

impl Settings {
    fn millis(&self, name: &str) -> Option<Duration> {
        self.number(name).map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
    }

    fn bytes(&self, name: &str) -> Option<i32> {
        self.number(name).map(|bytes| i32::try_from(bytes).unwrap_or(i32::MAX))
    }

    fn size(&self, name: &str) -> Option<usize> {
        self.number(name).map(|size| usize::try_from(size).unwrap_or(usize::MAX))
    }
}

/// Calls a method of a builder with a value if there is one.
macro_rules! set {
    ($builder:ident, $($method:ident($value:expr);)*) => {
        $(if let Some(value) = $value {
            $builder = $builder.$method(value);
        })*
    };
}

impl<R: Runtime> Kafka<R> {
    /// Begins to configure a client by settings: its addresses are `bootstrap.servers`.
    pub fn from_settings(settings: &Settings) -> KafkaBuilder<R> {
        Self::builder(settings.bootstrap()).settings(settings)
    }
}

impl<R: Runtime> KafkaBuilder<R> {
    /// Takes those settings that are given and the client's, security's among them; but for `bootstrap.servers`.
    pub fn settings(self, settings: &Settings) -> Self {
        let mut builder = self;
        set! { builder,
            client_id(settings.text("client.id"));
            connection_setup_timeout(settings.millis("socket.connection.setup.timeout.ms"));
            connections_max_idle(settings.millis("connections.max.idle.ms"));
            request_timeout(settings.millis("request.timeout.ms"));
            metadata_max_age(settings.millis("metadata.max.age.ms"));
            allow_auto_topic_creation(settings.flag("allow.auto.create.topics"));
            max_block(settings.millis("max.block.ms"));
            proxy(settings.proxy());
            sasl(settings.sasl.clone().or_else(|| settings.credential_provider().map(|_| Sasl::unprovided())));
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = &settings.tls {
            builder = builder.tls(tls.clone());
        }
        let first = settings.millis("reconnect.backoff.ms");
        let longest = settings.millis("reconnect.backoff.max.ms");
        if first.is_some() || longest.is_some() {
            let first = first.unwrap_or(Duration::from_millis(50));
            builder = builder.reconnect_backoff(first, longest.unwrap_or(Duration::from_secs(1)).max(first));
        }
        builder
    }
}

impl ProducerBuilder {
    /// Takes those settings that are given and a producer's.
    pub fn settings(self, settings: &Settings) -> Self {
        let mut builder = self;
        let acks = settings.text("acks").map(|acks| match acks {
            "0" => Acks::None,
            "1" => Acks::Leader,
            _ => Acks::All,
        });
        // As in the Java client: what was not asked for gives way to what was.
        if settings.flag("enable.idempotence").is_none() && matches!(acks, Some(Acks::None | Acks::Leader)) {
            builder = builder.idempotent(false);
        }
        set! { builder,
            acks(acks);
            idempotent(settings.flag("enable.idempotence"));
            linger(settings.millis("linger.ms"));
            batch_size(settings.size("batch.size"));
            compression(settings.text("compression.type").and_then(|name| name.parse::<Compression>().ok()));
            max_request_size(settings.size("max.request.size"));
            max_in_flight(settings.size("max.in.flight.requests.per.connection"));
            buffer_memory(settings.size("buffer.memory"));
            delivery_timeout(settings.millis("delivery.timeout.ms"));
            max_block(settings.millis("max.block.ms"));
            request_timeout(settings.millis("request.timeout.ms"));
        }
        builder
    }
}

impl ConsumerBuilder {
    /// Takes those settings that are given and a consumer's.
    pub fn settings(self, settings: &Settings) -> Self {
        let mut builder = self;
        let reset = settings.text("auto.offset.reset").map(|reset| match reset {
            "earliest" => OffsetReset::Earliest,
            "none" => OffsetReset::None,
            _ => OffsetReset::Latest,
        });
        let isolation = settings.text("isolation.level").map(|isolation| match isolation {
            "read_committed" => Isolation::ReadCommitted,
            _ => Isolation::ReadUncommitted,
        });
        set! { builder,
            offset_reset(reset);
            isolation(isolation);
            client_rack(settings.text("client.rack"));
            fetch_min_bytes(settings.bytes("fetch.min.bytes"));
            fetch_max_wait_ms(settings.bytes("fetch.max.wait.ms"));
            fetch_max_bytes(settings.bytes("fetch.max.bytes"));
            max_partition_fetch_bytes(settings.bytes("max.partition.fetch.bytes"));
            check_crcs(settings.flag("check.crcs"));
            max_poll_records(settings.size("max.poll.records"));
            request_timeout(settings.millis("request.timeout.ms"));
            auto_commit(auto_commit(settings));
        }
        builder
    }
}

/// How often offsets are committed by themselves, if that is said.
fn auto_commit(settings: &Settings) -> Option<Option<Duration>> {
    let interval = settings.millis("auto.commit.interval.ms");
    match settings.flag("enable.auto.commit") {
        Some(false) => Some(None),
        _ => interval.map(Some),
    }
}

impl GroupConsumerBuilder {
    /// Takes those settings that are given and a consumer's or a group's; but for `group.id`.
    pub fn settings(self, settings: &Settings) -> Self {
        let mut builder = self.reading(|consumer| consumer.settings(settings));
        let protocol = settings.text("group.protocol").map(|protocol| match protocol {
            "consumer" => GroupProtocol::Consumer,
            _ => GroupProtocol::Classic,
        });
        set! { builder,
            instance_id(settings.text("group.instance.id"));
            protocol(protocol);
            session_timeout(settings.millis("session.timeout.ms"));
            heartbeat_interval(settings.millis("heartbeat.interval.ms"));
            max_poll_interval(settings.millis("max.poll.interval.ms"));
            auto_commit(auto_commit(settings));
            exclude_internal_topics(settings.flag("exclude.internal.topics"));
            client_rack(settings.text("client.rack"));
            request_timeout(settings.millis("request.timeout.ms"));
        }
        builder
    }
}
