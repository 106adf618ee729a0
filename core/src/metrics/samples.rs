//! Metrics by name, for whatever publishes them.

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::{
    ApiMetrics, BrokerMetrics, ConnectionMetrics, ConsumerMetrics, GroupMetrics, Histogram, Metrics,
    ProducerMetrics,
};
use crate::cluster::Node;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A count that only grows.
    Counter,
    /// A level.
    Gauge,
    /// How durations are spread, in seconds.
    Histogram,
}

/// The value of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricValue {
    /// Of a counter.
    Count(u64),
    /// Of a gauge or of a counter that has fractions.
    Number(f64),
    /// Of a histogram.
    Durations(Histogram),
}

/// One metric of one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSample {
    /// Its name, in the form of Prometheus.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub help: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// What it is of.
    pub labels: Vec<(&'static str, String)>,
    /// Its value.
    pub value: MetricValue,
}

/// Puts samples of one thing behind each other.
struct List {
    samples: Vec<MetricSample>,
    labels: Vec<(&'static str, String)>,
}

impl List {
    fn push(&mut self, name: &'static str, kind: MetricKind, value: MetricValue, help: &'static str) {
        self.samples.push(MetricSample { name, help, kind, labels: self.labels.clone(), value });
    }

    fn count(&mut self, name: &'static str, value: u64, help: &'static str) {
        self.push(name, MetricKind::Counter, MetricValue::Count(value), help);
    }

    #[expect(clippy::cast_precision_loss, reason = "gauges are approximate beyond 2^53")]
    fn level(&mut self, name: &'static str, value: u64, help: &'static str) {
        self.push(name, MetricKind::Gauge, MetricValue::Number(value as f64), help);
    }

    fn number(&mut self, name: &'static str, value: Option<f64>, help: &'static str) {
        if let Some(value) = value {
            self.push(name, MetricKind::Gauge, MetricValue::Number(value), help);
        }
    }

    fn durations(&mut self, name: &'static str, value: Histogram, help: &'static str) {
        self.push(name, MetricKind::Histogram, MetricValue::Durations(value), help);
    }
}

impl Metrics {
    /// All metrics by name: those of one name are not necessarily behind each other.
    #[must_use]
    pub fn samples(&self) -> Vec<MetricSample> {
        let client = vec![("client_id", self.client_id.to_string())];
        let mut list = List { samples: Vec::new(), labels: client.clone() };
        connections(&mut list, &self.connections);
        let with = |labels: &[(&'static str, String)]| {
            client.iter().chain(labels).cloned().collect::<Vec<(&'static str, String)>>()
        };
        for broker in &self.brokers {
            let (node, address) = (node(broker.node), broker.address.to_string());
            list.labels = with(&[("broker", node), ("address", address)]);
            brokers(&mut list, broker);
        }
        for (api, metrics) in &self.apis {
            list.labels = with(&[("api", api.to_string())]);
            apis(&mut list, metrics);
        }
        for producer in &self.producers {
            list.labels = with(&[("producer", producer.producer.0.to_string())]);
            producers(&mut list, producer);
        }
        for consumer in &self.consumers {
            list.labels = with(&[("consumer", consumer.consumer.0.to_string())]);
            consumers(&mut list, consumer);
        }
        for group in &self.groups {
            list.labels =
                with(&[("consumer", group.consumer.0.to_string()), ("group", group.group_id.to_string())]);
            groups(&mut list, group);
        }
        list.samples
    }
}

fn node(node: Node) -> String {
    match node {
        Node::Broker(id) => id.0.to_string(),
        Node::Bootstrap(_) => String::from("bootstrap"),
    }
}

fn connections(list: &mut List, metrics: &ConnectionMetrics) {
    list.count("klamm_connection_attempts_total", metrics.attempts, "Attempts to connect.");
    list.count("klamm_connections_total", metrics.connects, "Attempts that came to a connection.");
    list.count("klamm_connection_failures_total", metrics.failed_connects, "Attempts that failed.");
    list.count("klamm_requests_total", metrics.requests, "Requests answered, or sent without an answer.");
    list.count("klamm_requests_lost_total", metrics.requests_lost, "Requests that lost their connection.");
    list.count("klamm_bytes_sent_total", metrics.bytes_out, "Bytes of requests.");
    list.count("klamm_bytes_received_total", metrics.bytes_in, "Bytes of answers.");
    list.count("klamm_throttles_total", metrics.throttles, "Answers that asked for a pause.");
    let throttled = MetricValue::Number(metrics.throttle_time.as_secs_f64());
    let name = "klamm_throttle_seconds_total";
    list.push(name, MetricKind::Counter, throttled, "Pauses that brokers asked for.");
    list.durations("klamm_request_latency_seconds", metrics.latency, "From a request to its answer.");
    let labels = list.labels.clone();
    for (reason, count) in &metrics.disconnects {
        list.labels = labels.clone();
        list.labels.push(("reason", String::from(*reason)));
        list.count("klamm_disconnects_total", *count, "Ends of connections and attempts, by reason.");
    }
    list.labels = labels;
}

fn brokers(list: &mut List, broker: &BrokerMetrics) {
    let metrics = &broker.connections;
    list.level("klamm_broker_connections", broker.open, "Connections to a broker.");
    list.level("klamm_broker_requests_in_flight", broker.in_flight, "Requests under way to a broker.");
    list.count("klamm_broker_connections_total", metrics.connects, "Connections to a broker so far.");
    let failures = "Attempts to connect to a broker that failed.";
    list.count("klamm_broker_connection_failures_total", metrics.failed_connects, failures);
    list.count("klamm_broker_requests_total", metrics.requests, "Requests that a broker answered.");
    list.count("klamm_broker_bytes_sent_total", metrics.bytes_out, "Bytes sent to a broker.");
    list.count("klamm_broker_bytes_received_total", metrics.bytes_in, "Bytes received from a broker.");
    list.count("klamm_broker_throttles_total", metrics.throttles, "Pauses that a broker asked for.");
    let latency = "From a request to a broker's answer.";
    list.durations("klamm_broker_request_latency_seconds", metrics.latency, latency);
}

fn apis(list: &mut List, metrics: &ApiMetrics) {
    list.count("klamm_api_requests_total", metrics.requests, "Requests of an API.");
    list.count("klamm_api_bytes_sent_total", metrics.bytes_out, "Bytes of the requests of an API.");
    list.count("klamm_api_bytes_received_total", metrics.bytes_in, "Bytes of the answers of an API.");
    let latency = "From a request of an API to its answer.";
    list.durations("klamm_api_request_latency_seconds", metrics.latency, latency);
}

fn producers(list: &mut List, producer: &ProducerMetrics) {
    let counts = &producer.counts;
    list.count("klamm_producer_records_total", counts.records, "Records in sealed batches.");
    list.count("klamm_producer_bytes_total", counts.bytes, "Bytes of sealed batches, compressed.");
    list.count("klamm_producer_plain_bytes_total", counts.plain_bytes, "The same before compression.");
    list.count("klamm_producer_batches_total", counts.batches, "Sealed batches.");
    list.count("klamm_producer_requests_total", counts.requests, "Produce requests.");
    list.count("klamm_producer_retries_total", counts.retries, "Batches sent once more.");
    list.count("klamm_producer_acknowledged_records_total", counts.acknowledged_records, "Acknowledged.");
    list.count("klamm_producer_failed_batches_total", counts.failed_batches, "Batches that failed for good.");
    list.count("klamm_producer_failed_records_total", counts.failed_records, "Records in them, if sealed.");
    list.count("klamm_producer_splits_total", counts.splits, "Batches split as too large.");
    list.count("klamm_producer_epoch_bumps_total", counts.epoch_bumps, "New epochs of partitions.");
    list.durations(
        "klamm_producer_queue_seconds",
        counts.queue_time,
        "From a batch's first record to sending.",
    );
    list.number("klamm_producer_compression_ratio", counts.compression_ratio(), "Bytes over plain bytes.");
    let fill = counts.batch_fill(producer.batch_size);
    list.number("klamm_producer_batch_fill", fill, "Mean plain size of a batch over batch_size.");
    let outstanding = "Batches without an outcome.";
    list.level("klamm_producer_outstanding_batches", producer.outstanding_batches, outstanding);
    list.level("klamm_producer_requests_in_flight", producer.requests_in_flight, "Requests under way.");
    list.level("klamm_producer_buffered_bytes", producer.buffered_bytes, "Bytes of the buffer in use.");
    list.level("klamm_producer_buffer_bytes", producer.buffer_bytes, "Bytes of the buffer.");
}

fn consumers(list: &mut List, consumer: &ConsumerMetrics) {
    let counts = &consumer.counts;
    list.count("klamm_consumer_records_total", counts.records, "Records fetched, by batch headers.");
    list.count("klamm_consumer_bytes_total", counts.bytes, "Bytes of batches fetched.");
    list.count("klamm_consumer_fetches_total", counts.fetches, "Fetches answered.");
    list.count("klamm_consumer_empty_fetches_total", counts.empty_fetches, "Those without records.");
    list.count("klamm_consumer_full_fetches_total", counts.full_fetches, "Fetches that began a session.");
    list.count("klamm_consumer_session_misses_total", counts.session_misses, "Answers outside the session.");
    list.count("klamm_consumer_resets_total", counts.resets, "Positions moved.");
    list.count("klamm_consumer_truncations_total", counts.truncations, "Truncations below what was read.");
    list.count("klamm_consumer_errors_total", counts.errors, "Failures of partitions told.");
    list.durations(
        "klamm_consumer_fetch_latency_seconds",
        counts.fetch_latency,
        "From a fetch to its answer.",
    );
    list.level("klamm_consumer_held_bytes", consumer.held_bytes, "Bytes fetched and not given back.");
    list.level("klamm_consumer_buffer_bytes", consumer.buffer_bytes, "The budget for them.");
    list.level("klamm_consumer_partitions", consumer.partitions.len() as u64, "Partitions assigned.");
    list.level("klamm_consumer_lag_max", consumer.lag().1, "The largest known lag, in offsets.");
    let labels = list.labels.clone();
    for partition in &consumer.partitions {
        list.labels = labels.clone();
        list.labels.push(("topic", partition.topic.to_string()));
        list.labels.push(("partition", partition.partition.to_string()));
        let offset = |offset: Option<i64>| offset.and_then(|offset| u64::try_from(offset).ok());
        if let Some(lag) = partition.lag {
            list.level("klamm_consumer_lag", lag, "Offsets between position and end.");
        }
        if let Some(position) = offset(partition.position) {
            list.level("klamm_consumer_position", position, "The next offset to read.");
        }
        if let Some(end) = offset(partition.end) {
            list.level("klamm_consumer_end", end, "The offset up to which records are visible.");
        }
    }
    list.labels = labels;
}

fn groups(list: &mut List, group: &GroupMetrics) {
    let counts = &group.counts;
    list.count("klamm_group_rebalances_total", counts.rebalances, "Rebalances come to their end.");
    list.durations("klamm_group_rebalance_seconds", counts.rebalance_time, "How long rebalances took.");
    list.count("klamm_group_losses_total", counts.losses, "How often partitions were lost.");
    list.count("klamm_group_commits_total", counts.commits, "Commits that succeeded.");
    list.count("klamm_group_commit_failures_total", counts.commits_failed, "Commits that failed.");
    list.durations(
        "klamm_group_commit_latency_seconds",
        counts.commit_latency,
        "From a commit to its answer.",
    );
    list.count("klamm_group_heartbeats_total", counts.heartbeats, "Heartbeats answered.");
    list.level(
        "klamm_group_assigned_partitions",
        group.assigned_partitions,
        "Partitions that the member has.",
    );
    if let Some(members) = group.members {
        list.level("klamm_group_members", members, "Members, when this one led last.");
    }
    let since = group.since_heartbeat.map(|since| since.as_secs_f64());
    list.number("klamm_group_last_heartbeat_seconds", since, "Since the last heartbeat answered.");
    let rebalancing = u64::from(group.rebalancing_for.is_some());
    list.level("klamm_group_rebalancing", rebalancing, "1 while a rebalance goes on.");
}
