//! Scenarios that run on every adapter, against the embedded broker and real Kafka.
